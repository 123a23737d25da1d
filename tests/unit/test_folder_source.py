"""A folder as a source: every file is a part, also one that cannot be read."""

import os
import re
import threading
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inspector.adapters.cameras.folder import FolderSource
from inspector.adapters.cameras.pacing import Pace
from inspector.domain.errors import SourceError
from inspector.domain.frame import Frame, MissedFrame, Trigger
from inspector.domain.truth import Label, Truth


def noise(*shape: int, dtype: type = np.uint8) -> NDArray[Any]:
    """A picture that hardly compresses, so that a cut hits pixels."""
    return np.random.default_rng(1).integers(0, 255, shape).astype(dtype)


def write(path: Path, image: NDArray[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return path


def only(folder: Path) -> Trigger:
    (trigger,) = list(FolderSource(folder).triggers())
    return trigger


def missed(folder: Path) -> MissedFrame:
    trigger = only(folder)
    assert isinstance(trigger, MissedFrame)
    return trigger


# --- Pictures that are delivered -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("bgr.png", noise(24, 32, 3)),
        ("grey.png", noise(24, 32, 1)),
        ("16-bit.png", noise(24, 32, 3, dtype=np.uint16) * 255),
        ("16-bit grey.tif", noise(24, 32, 1, dtype=np.uint16) * 255),
        ("alpha.png", noise(24, 32, 4)),
        ("float.tiff", noise(24, 32, 3, dtype=np.float32)),
        ("bgr.bmp", noise(24, 32, 3)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_picture_keeps_its_type_and_channels(tmp_path: Path, name: str, image: NDArray[Any]) -> None:
    path = write(tmp_path / name, image)
    trigger = only(tmp_path)
    assert isinstance(trigger, Frame)
    assert trigger.image.dtype == image.dtype
    assert np.array_equal(trigger.image, image)
    assert trigger.frame_id == name
    assert trigger.origin == str(path)
    assert not trigger.is_simulated


def test_the_content_decides_what_a_file_is(tmp_path: Path) -> None:
    write(tmp_path / "a.png", noise(24, 32, 3)).rename(tmp_path / "a.jpg")
    assert isinstance(only(tmp_path), Frame)


def test_a_rotation_noted_in_the_file_is_not_applied(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jpg", noise(24, 32, 3))
    data = path.read_bytes()
    # EXIF orientation 6: to be turned by 90 degrees.
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:])
    assert cv2.imread(str(path)).shape == (32, 24, 3)  # the note is understood by whoever asks for it
    trigger = only(tmp_path)
    assert isinstance(trigger, Frame)
    assert trigger.image.shape == (24, 32, 3)


def test_the_truth_travels_with_picture_and_missed_picture(tmp_path: Path) -> None:
    write(tmp_path / "ok" / "1.png", noise(8, 8, 3))
    (tmp_path / "dent").mkdir()
    (tmp_path / "dent" / "2.png").touch()
    bad, good = FolderSource(tmp_path).triggers()
    assert isinstance(good, Frame)
    assert good.truth == Truth(Label.OK)
    assert isinstance(bad, MissedFrame)
    assert bad.truth == Truth(Label.NG, defect_class="dent")


# --- Pictures that are missed ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "webp"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_a_file_that_is_cut_is_missed(tmp_path: Path, suffix: str, share: float) -> None:
    path = write(tmp_path / f"a.{suffix}", noise(64, 96, 3))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert "cut off" in missed(tmp_path).detail


def as_text(path: Path) -> None:
    path.write_text("this is no picture")


def as_page(path: Path) -> None:
    path.write_text("<html><body>404</body></html>")


def flip_bit(path: Path) -> None:
    write(path, noise(24, 32, 3))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def as_huge(path: Path) -> None:
    """A few bytes that would unpack to 30 GB."""
    write(path, noise(8, 8, 3))
    data = bytearray(path.read_bytes())
    data[16:24] = (100_000).to_bytes(4, "big") * 2
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (as_text, "this is no picture; give a PNG, JPEG, BMP, TIFF or WebP file"),
        (as_page, "this is no picture"),
        (Path.touch, "the file is empty; check the program that writes it"),
        (flip_bit, "checksum of the PNG's part IDAT .* is wrong; write or copy it again"),
        (as_huge, "the picture is too large: 100000x100000 px"),
        (lambda path: path.symlink_to("gone.png"), "there is no such file; check the name"),
        (lambda path: os.mkfifo(path), "this is no regular file"),
    ],
    ids=["text", "page", "empty", "bit", "huge", "link", "pipe"],
)
def test_a_file_that_is_no_whole_picture_is_missed(tmp_path: Path, make: Callable[[Path], Any], said: str) -> None:
    path = tmp_path / "a.png"
    make(path)
    trigger = missed(tmp_path)
    assert re.search(said, trigger.detail)
    assert trigger.detail.startswith(f"{path}: ")
    assert trigger.frame_id == "a.png"
    assert trigger.origin == str(path)


def test_a_folder_named_like_a_picture_is_missed(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    (tmp_path / "list").write_text("a.png")
    (trigger,) = FolderSource(tmp_path, list_file=tmp_path / "list").triggers()
    assert isinstance(trigger, MissedFrame)


def test_a_file_that_vanishes_meanwhile_is_missed_and_the_rest_comes(tmp_path: Path) -> None:
    for number in range(4):
        write(tmp_path / f"{number}.png", noise(8, 8, 3))
    source = FolderSource(tmp_path)
    taken: list[Trigger] = []
    for trigger in source.triggers():
        taken.append(trigger)
        (tmp_path / "2.png").unlink(missing_ok=True)
        write(tmp_path / "1b.png", noise(8, 8, 3))  # comes too late for this round
    assert [trigger.frame_id for trigger in taken] == ["0.png", "1.png", "2.png", "3.png"]
    assert [type(trigger) for trigger in taken] == [Frame, Frame, MissedFrame, Frame]
    assert "there is no such file" in taken[2].detail  # type: ignore[union-attr]
    health = source.health()
    assert health.ok
    assert health.detail == "4 of 4 pictures, 1 of them unreadable"
    assert health.frames == 3


# --- Order, choice, rounds, pace -------------------------------------------------------------------------------------


def numbered(folder: Path, count: int) -> Path:
    for number in range(count):
        write(folder / f"{number}.png", np.full((8, 8, 3), number, np.uint8))
    return folder


def grey_levels(triggers: list[Trigger]) -> list[int]:
    return [int(trigger.image.flat[0]) for trigger in triggers if isinstance(trigger, Frame)]


def test_a_list_gives_choice_and_order(tmp_path: Path) -> None:
    numbered(tmp_path, 5)
    (tmp_path / "list.txt").write_text("4.png\n0.png\nnone.png\n2.png\n")
    taken = list(FolderSource(tmp_path, list_file=tmp_path / "list.txt").triggers())
    assert grey_levels(taken) == [4, 0, 2]
    assert isinstance(taken[2], MissedFrame)


def test_a_split_gives_the_choice(tmp_path: Path) -> None:
    numbered(tmp_path / "ok", 4)
    rows = [f"ok/{number}.png,ok,{'test' if number % 2 else 'train'},{number}" for number in range(4)]
    (tmp_path / "split.csv").write_text("\n".join(["path,label,split,group", *rows]))
    assert grey_levels(list(FolderSource(tmp_path, split="test").triggers())) == [1, 3]


def test_split_and_list_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="give one of them"):
        FolderSource(tmp_path, split="test", list_file=tmp_path / "list.txt")


def test_without_a_folder_a_list_is_of_no_use(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.png")
    with pytest.raises(SourceError, match="there is no such folder"):
        next(FolderSource(tmp_path / "gone", list_file=tmp_path / "list.txt").triggers())


def test_a_loop_begins_again_with_new_ids(tmp_path: Path) -> None:
    source = FolderSource(numbered(tmp_path, 3), loop=True)
    taken = list(islice(source.triggers(), 8))
    assert grey_levels(taken) == [0, 1, 2, 0, 1, 2, 0, 1]
    assert len({trigger.frame_id for trigger in taken}) == 8
    assert taken[3].frame_id == "0.png#2"
    assert source.health().detail == "8 pictures, again and again"


def test_a_loop_ends_when_closed(tmp_path: Path) -> None:
    source = FolderSource(numbered(tmp_path, 3), loop=True)
    taken = 0
    for _ in source.triggers():
        taken += 1
        if taken == 7:
            source.close()
    assert taken == 7


def test_no_picture_comes_before_it_is_due(tmp_path: Path) -> None:
    source = FolderSource(numbered(tmp_path, 5), parts_per_s=25.0)
    began_ns = time.monotonic_ns()
    for place, trigger in enumerate(source.triggers()):
        assert trigger.captured_ns - began_ns >= place * 40_000_000 - 1_000_000


def test_who_is_late_gets_no_burst() -> None:
    pace = Pace(20.0, threading.Event())
    assert pace.wait()
    time.sleep(0.2)
    assert pace.wait()  # four are due by now
    began_s = time.monotonic()
    assert pace.wait()
    assert pace.wait()
    assert time.monotonic() - began_s >= 0.099


@pytest.mark.parametrize("rate", [1e-300, 5e-324])
def test_a_pace_next_to_nothing_waits_until_closed(rate: float) -> None:
    closed = threading.Event()
    pace = Pace(rate, closed)
    assert pace.wait()
    threading.Timer(0.1, closed.set).start()
    assert not pace.wait()


@pytest.mark.parametrize("rate", [-1.0, float("nan"), float("inf")])
def test_a_pace_that_is_none_is_refused(rate: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"parts_per_s = .* must be 0 or more"):
        FolderSource(tmp_path, parts_per_s=rate)
