"""The contract of `ports.FrameSource`, on the fake, the simulated line, folder, video, and a real network camera."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC
from itertools import islice
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import pytest

from inspector.adapters.cameras.folder import FolderSource
from inspector.adapters.cameras.opencv_camera import CameraSource
from inspector.adapters.cameras.simulated_line import SimulatedLine, SimulatedLineConfig, SimulatedLineSource
from inspector.adapters.cameras.video import VideoSource
from inspector.domain.errors import SourceError
from inspector.domain.frame import Frame, Trigger
from inspector.ports import FrameSource
from inspector.testing import FakeSource, fake_frame
from tests.support.mosquitto import free_port
from tests.support.mqtt import eventually
from tests.support.rtsp import RtspServer, Taker, capture_processes, grey, out_of_place

PARTS = 20
CLOSES_S = 2.0 + 4.0
"""What the port promises, and room for a machine that is busy with other things."""


class Rig(Protocol):
    is_endless: bool

    def source(self) -> FrameSource:
        """Delivers PARTS parts and ends, or goes on for ever."""
        ...

    def idle(self) -> FrameSource:
        """Delivers one part or more, and never ends by itself."""
        ...

    def absent(self) -> FrameSource:
        """There is nothing where it looks."""
        ...

    def out_of_place(self, triggers: list[Trigger]) -> list[tuple[int, int]]: ...


class FakeRig:
    is_endless = False

    def source(self) -> FakeSource:
        return FakeSource([fake_frame(number, grey(number)) for number in range(PARTS)])

    def idle(self) -> FakeSource:
        return FakeSource([fake_frame(0)], stays_open=True)

    def absent(self) -> FakeSource:
        return FakeSource([SourceError("fake source: there is no such camera; plug one in")])

    def out_of_place(self, triggers: list[Trigger]) -> list[tuple[int, int]]:
        return out_of_place(triggers)


class SimulatedRig:
    is_endless = False
    _config = SimulatedLineConfig(seed=3, width=96, height=64)

    def source(self) -> SimulatedLineSource:
        return SimulatedLineSource(self._config, parts=PARTS)

    def idle(self) -> SimulatedLineSource:
        return SimulatedLineSource(self._config, parts_per_s=0.001)

    def absent(self) -> SimulatedLineSource:
        raise NotImplementedError("a simulated line is always there")

    def out_of_place(self, triggers: list[Trigger]) -> list[tuple[int, int]]:
        line = SimulatedLine(self._config)
        places = range(len(triggers))
        return [(n, n) for n in places if not np.array_equal(_image(triggers[n]), line.render(n)[0])]


class FolderRig:
    is_endless = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for number in range(PARTS):
            assert cv2.imwrite(str(folder / f"{number:03d}.png"), grey(number))

    def source(self) -> FolderSource:
        return FolderSource(self._folder)

    def idle(self) -> FolderSource:
        return FolderSource(self._folder, parts_per_s=0.001)

    def absent(self) -> FolderSource:
        return FolderSource(self._folder / "elsewhere")

    def out_of_place(self, triggers: list[Trigger]) -> list[tuple[int, int]]:
        return out_of_place(triggers)


class VideoRig:
    is_endless = False

    def __init__(self, folder: Path) -> None:
        self._path = folder / "parts.avi"
        writer = cv2.VideoWriter(str(self._path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (128, 96))
        for number in range(PARTS):
            writer.write(grey(number))
        writer.release()

    def source(self) -> VideoSource:
        return VideoSource(self._path)

    def idle(self) -> VideoSource:
        return VideoSource(self._path, parts_per_s=0.001)

    def absent(self) -> VideoSource:
        return VideoSource(self._path.with_name("elsewhere.avi"))

    def out_of_place(self, triggers: list[Trigger]) -> list[tuple[int, int]]:
        return out_of_place(triggers)


class CameraRig:
    is_endless = True

    def __init__(self, server: RtspServer) -> None:
        self._url = server.url

    def source(self) -> CameraSource:
        return CameraSource(self._url)

    def idle(self) -> CameraSource:
        return CameraSource(self._url)

    def absent(self) -> CameraSource:
        return CameraSource(f"rtsp://127.0.0.1:{free_port()}/cam")

    def out_of_place(self, triggers: list[Trigger]) -> list[tuple[int, int]]:
        return out_of_place(triggers)


def _image(trigger: Trigger) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    assert isinstance(trigger, Frame)
    return trigger.image


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    server = RtspServer(tmp_path_factory.mktemp("rtsp")).start()
    yield server
    server.stop()


KINDS = ["fake", "simulated", "folder", "video", "camera"]


@pytest.fixture(params=KINDS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    made: Rig
    match request.param:
        case "fake":
            made = FakeRig()
        case "simulated":
            made = SimulatedRig()
        case "folder":
            made = FolderRig(tmp_path)
        case "video":
            made = VideoRig(tmp_path)
        case _:
            made = CameraRig(request.getfixturevalue("server"))
    threads = set(threading.enumerate())
    yield made
    eventually(lambda: set(threading.enumerate()) <= threads, "every thread of the source ends")
    assert capture_processes() == []


def test_every_trigger_comes_once_and_in_order(rig: Rig) -> None:
    source = rig.source()
    triggers = source.triggers()
    taken = list(islice(triggers, PARTS))
    assert len(taken) == PARTS
    assert rig.out_of_place(taken) == []
    assert len({trigger.frame_id for trigger in taken}) == PARTS
    if not rig.is_endless:
        assert all(isinstance(trigger, Frame) for trigger in taken)
        assert next(triggers, None) is None
    source.close()
    list(triggers)


def test_a_taker_that_is_held_up_misses_no_trigger(rig: Rig) -> None:
    source = rig.source()
    taken: list[Trigger] = []
    for trigger in source.triggers():
        taken.append(trigger)
        if len(taken) == 3:
            time.sleep(1.5 if source.is_live else 0.1)
        if len(taken) >= PARTS and isinstance(trigger, Frame):
            break
    source.close()
    assert rig.out_of_place(taken) == []
    if not source.is_live:
        assert all(isinstance(trigger, Frame) for trigger in taken)


def test_a_part_knows_when_and_where_it_was_taken(rig: Rig) -> None:
    source = rig.source()
    name, is_live = source.name, source.is_live
    taken = list(islice(source.triggers(), 5))
    source.close()
    assert name
    assert (source.name, source.is_live) == (name, is_live)
    stamps = [trigger.captured_ns for trigger in taken]
    assert stamps == sorted(stamps)
    times = [trigger.captured_at for trigger in taken]
    assert times == sorted(times)
    for trigger in taken:
        assert trigger.captured_at.tzinfo is UTC
        assert trigger.origin
    # Both clocks tell the same time between the same two pictures.
    assert (times[-1] - times[0]).total_seconds() == pytest.approx((stamps[-1] - stamps[0]) / 1e9, abs=0.2)


def test_close_ends_a_waiting_source_from_any_thread_and_more_than_once(rig: Rig) -> None:
    source = rig.idle()
    taker = Taker(source)
    eventually(lambda: taker.triggers != [], "the first part comes")
    assert not taker.ends_within(0.1)
    closers = [threading.Thread(target=source.close) for _ in range(3)]
    for closer in closers:
        closer.start()
    assert taker.ends_within(CLOSES_S)
    assert taker.error is None
    for closer in closers:
        closer.join(CLOSES_S)
    assert not any(closer.is_alive() for closer in closers)
    source.close()
    assert source.health().detail


def test_closed_before_it_began_delivers_nothing(rig: Rig) -> None:
    source = rig.idle()
    source.close()
    assert list(source.triggers()) == []


def test_left_after_one_part_it_can_be_closed(rig: Rig) -> None:
    source = rig.idle()
    for _ in source.triggers():
        break
    source.close()
    source.close()


def test_health_is_told_to_any_thread_at_any_time(rig: Rig) -> None:
    source = rig.idle()
    assert source.health().detail  # before it began
    taker = Taker(source)
    eventually(lambda: source.health().frames >= 1, "health counts the first part")
    health = source.health()
    assert health.ok
    assert health.detail
    assert "\n" not in health.detail
    source.close()
    assert taker.ends_within(CLOSES_S)
    assert source.health().frames == taker.frames
    assert source.health().ok  # closed on purpose


@pytest.mark.parametrize("rig", [kind for kind in KINDS if kind != "simulated"], indirect=True)
def test_an_absent_source_is_told_in_one_sentence(rig: Rig) -> None:
    source = rig.absent()
    with pytest.raises(SourceError) as caught:
        next(source.triggers())
    sentence = str(caught.value)
    assert source.name.split()[0] in sentence  # what
    assert "; " in sentence  # what to do
    assert "\n" not in sentence
    assert "Error" not in sentence
    assert "Errno" not in sentence
    assert source.health().frames == 0
    source.close()
