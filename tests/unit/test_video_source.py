"""A video file as a source, whole and damaged."""

import os
import time
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from inspector.adapters.cameras.video import VideoSource
from inspector.domain.errors import SourceError
from inspector.domain.frame import Frame, MissedFrame
from tests.support.rtsp import grey, number_of

FRAMES = 20
FORMATS = [("avi", "MJPG"), ("avi", "mp4v"), ("mp4", "mp4v"), ("mkv", "FFV1")]


def stripes(number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Hardly compresses, so that a cut hits pixels; tells its number by its brightness all the same."""
    image = grey(number).astype(np.int16)
    return (image + np.random.default_rng(number).choice([-8, 8], image.shape)).clip(0, 255).astype(np.uint8)


def write(path: Path, code: str = "MJPG", frames: int = FRAMES) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 25, (128, 96))
    assert writer.isOpened()
    for number in range(frames):
        writer.write(stripes(number))
    writer.release()
    return path


@pytest.mark.parametrize(("suffix", "code"), FORMATS)
def test_every_frame_is_a_part(tmp_path: Path, suffix: str, code: str) -> None:
    path = write(tmp_path / f"belt.{suffix}", code)
    source = VideoSource(path)
    taken = list(source.triggers())
    assert all(isinstance(trigger, Frame) for trigger in taken)
    assert [number_of(trigger.image) for trigger in taken] == list(range(FRAMES))  # type: ignore[union-attr]
    assert taken[3].frame_id == f"belt.{suffix}-00000003"
    assert taken[3].origin == str(path)
    assert source.health().ok
    assert source.health().frames == FRAMES


@pytest.mark.parametrize(("every_nth", "numbers"), [(2, range(0, FRAMES, 2)), (7, [0, 7, 14]), (100, [0])])
def test_one_of_every_nth_frames_is_a_part(tmp_path: Path, every_nth: int, numbers: list[int]) -> None:
    taken = list(VideoSource(write(tmp_path / "belt.avi"), every_nth=every_nth).triggers())
    assert [number_of(trigger.image) for trigger in taken] == list(numbers)  # type: ignore[union-attr]
    assert [int(trigger.frame_id[-8:]) for trigger in taken] == list(numbers)


@pytest.mark.parametrize("every_nth", [1, 3])
@pytest.mark.parametrize("share", [0.4, 0.61, 0.8, 0.9, 0.93])
@pytest.mark.parametrize(("suffix", "code"), [case for case in FORMATS if case[0] != "mp4"])
def test_a_cut_file_gives_whole_pictures_and_one_missed(
    tmp_path: Path, suffix: str, code: str, share: float, every_nth: int
) -> None:
    path = write(tmp_path / f"belt.{suffix}", code)
    whole = [trigger.image for trigger in VideoSource(path).triggers() if isinstance(trigger, Frame)]
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    source = VideoSource(path, every_nth=every_nth)
    *frames, last = source.triggers()
    assert frames
    for place, trigger in enumerate(frames):
        assert isinstance(trigger, Frame)
        assert np.array_equal(trigger.image, whole[place * every_nth])  # none is half grey
    assert isinstance(last, MissedFrame)
    assert f"of {FRAMES} frames: it is cut or damaged; record or copy it again" in last.detail
    assert last.frame_id not in {trigger.frame_id for trigger in frames}
    health = source.health()
    assert not health.ok
    assert health.detail == last.detail


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.95])
def test_an_mp4_that_is_cut_cannot_be_opened(tmp_path: Path, share: float) -> None:
    path = write(tmp_path / "belt.mp4", "mp4v")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(SourceError, match=r"belt\.mp4 cannot be opened: it is cut off, .*; record it again"):
        next(VideoSource(path).triggers())


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "belt.avi").write_text("this is no video")
    with pytest.raises(SourceError, match="cannot be opened"):
        next(VideoSource(tmp_path / "belt.avi").triggers())
    with pytest.raises(SourceError, match="there is no such file; correct the path"):
        next(VideoSource(tmp_path).triggers())
    with pytest.raises(SourceError, match="there is no such file"):
        next(VideoSource(Path("rtsp://127.0.0.1/cam")).triggers())


def test_a_video_without_a_picture_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "belt.avi")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"00dc") + 20])  # all headers, and the beginning of the first frame
    with pytest.raises(SourceError, match=r"(holds no picture that can be read|cannot be opened)"):
        list(VideoSource(path).triggers())


def test_a_rotation_noted_in_the_file_is_not_applied(tmp_path: Path) -> None:
    path = write(tmp_path / "belt.mp4", "mp4v")
    upright = (1 << 16).to_bytes(4, "big"), b"\0" * 4
    turned = b"".join([upright[1], upright[0], upright[1], (-(1 << 16) & 0xFFFFFFFF).to_bytes(4, "big"), upright[1]])
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # the matrix of the track
    assert data[at : at + 20] == upright[0] + upright[1] * 3 + upright[0]
    data[at : at + 20] = turned
    path.write_bytes(data)
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    assert capture.read()[1].shape == (128, 96, 3)  # the note is understood by whoever asks for it
    capture.release()
    (trigger,) = islice(VideoSource(path).triggers(), 1)
    assert isinstance(trigger, Frame)
    assert trigger.image.shape == (96, 128, 3)


def test_no_picture_comes_before_it_is_due(tmp_path: Path) -> None:
    source = VideoSource(write(tmp_path / "belt.avi"), parts_per_s=25.0)
    began_ns = time.monotonic_ns()
    for place, trigger in enumerate(islice(source.triggers(), 5)):
        assert trigger.captured_ns - began_ns >= place * 40_000_000 - 1_000_000


def test_opening_a_video_leaves_the_environment_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # It would reach the capture process of a camera.
    name, path = "OPENCV_FFMPEG_CAPTURE_OPTIONS", write(tmp_path / "belt.avi", frames=2)
    for value in ("rtsp_transport;udp", None):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
        assert len(list(VideoSource(path).triggers())) == 2
        assert os.environ.get(name) == value


def test_a_step_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="every_nth = 0 must be 1 or more"):
        VideoSource(tmp_path / "belt.avi", every_nth=0)
