"""A camera that is absent, stalls, dies, comes back, or is not waited for: with a real one, and real processes."""

import logging
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import psutil
import pytest

from inspector.adapters.cameras.frame_ring import SLOTS
from inspector.adapters.cameras.opencv_camera import CameraSource, probe_camera
from inspector.domain.errors import SourceError
from inspector.domain.frame import Frame, MissedFrame, Trigger
from tests.support.mosquitto import free_port
from tests.support.mqtt import eventually
from tests.support.rtsp import RtspServer, Taker, capture_processes, number_of, out_of_place

LOAD_S = 5.0
"""On top of what is promised: the machine may be busy with other things."""
CLOSES_S = 2.0 + LOAD_S
RECOVERS_S = 10.0 + 3 * LOAD_S  # a new process starts meanwhile
PASSWORD = "s3cr3t%21"


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    server = RtspServer(tmp_path_factory.mktemp("rtsp")).start()
    yield server
    server.stop()


@pytest.fixture
def mortal_camera(tmp_path: Path) -> Iterator[RtspServer]:
    server = RtspServer(tmp_path / "rtsp").start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def locked_camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    server = RtspServer(tmp_path_factory.mktemp("locked"), login="viewer:s3cr3t!").start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    threads = set(threading.enumerate())
    descriptors = psutil.Process().num_fds()
    yield
    eventually(lambda: set(threading.enumerate()) <= threads, "every thread of the source ends")
    assert capture_processes() == []
    assert psutil.Process().num_fds() <= descriptors + 4  # pytest opens some itself


def capture_pid() -> int:
    (process,) = capture_processes()
    return int(process.pid)


def is_over(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def in_order(triggers: list[Trigger]) -> bool:
    """Over breaks, too: ids that never repeat, times that never go back."""
    stamps = [trigger.captured_ns for trigger in triggers]
    ids = [trigger.frame_id for trigger in triggers]
    return stamps == sorted(stamps) and ids == sorted(set(ids))


def refusal(source: CameraSource) -> str:
    with pytest.raises(SourceError) as caught:
        list(islice(source.triggers(), 1))
    assert caught.value.__cause__ is None
    return str(caught.value)


# --- Absent ----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(Path("/dev/video0").exists(), reason="there is a camera")
def test_a_usb_camera_that_is_not_there() -> None:
    said = refusal(CameraSource(0))
    assert said == (
        "camera /dev/video0: there is no such device (there are: none); plug the camera in, or correct its number"
    )


def test_a_url_that_makes_no_sense() -> None:
    assert "its URL is malformed" in refusal(CameraSource(f"rtsp://viewer:{PASSWORD}@[::1/cam"))


def test_what_is_no_address_is_refused_at_once() -> None:
    with pytest.raises(SourceError, match="neither a number nor"):
        CameraSource("/etc/passwd")


def test_a_stream_that_the_camera_does_not_have(camera: RtspServer) -> None:
    said = refusal(CameraSource(camera.url.replace("/cam", "/none")))
    assert said.endswith("it answers and gives no picture; check path, user, password, and its limit of viewers")


@pytest.fixture
def silent_host() -> Iterator[str]:
    """Takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"rtsp://127.0.0.1:{server.getsockname()[1]}/cam"


def test_a_host_that_never_answers_is_given_up(silent_host: str) -> None:
    source = CameraSource(silent_host, open_timeout_s=0.5)
    assert not source.health().ok
    assert "it answers and gives no picture" in refusal(source)


def test_close_does_not_wait_for_a_host_that_never_answers(silent_host: str) -> None:
    source = CameraSource(silent_host, open_timeout_s=60.0)
    taker = Taker(source)
    eventually(lambda: capture_processes() != [], "the capture process starts")
    source.close()
    assert taker.ends_within(CLOSES_S)
    assert taker.error is None
    assert taker.triggers == []


# --- What it delivers ------------------------------------------------------------------------------------------------


def test_a_probe_tells_what_the_camera_delivers(camera: RtspServer) -> None:
    assert probe_camera(camera.url) == f"camera {camera.url}: 128x96 px, 15 pictures a second"


def test_a_probe_of_an_absent_camera_tells_why() -> None:
    port = free_port()
    with pytest.raises(SourceError) as caught:
        probe_camera(f"rtsp://viewer:{PASSWORD}@127.0.0.1:{port}/cam")
    assert str(caught.value).startswith(
        f"camera rtsp://***@127.0.0.1:{port}/cam: the host is there and nothing answers"
    )


def test_another_size_than_the_one_asked_for_is_refused(camera: RtspServer) -> None:
    assert "it delivers 128x96 px and not 128x480; set width and height" in refusal(
        CameraSource(camera.url, height=480)
    )


def test_pictures_for_which_there_was_no_room_are_missed_one_by_one(camera: RtspServer) -> None:
    source = CameraSource(camera.url, width=128, height=96)
    assert source.is_live
    taken: list[Trigger] = []
    for trigger in source.triggers():
        taken.append(trigger)
        if len(taken) == 2:
            time.sleep(2.0)  # 30 pictures, and room for 8
            assert source.health().ok  # the camera is well
        if len(taken) > 45 and isinstance(trigger, Frame):
            break
    source.close()
    missed = [trigger for trigger in taken if isinstance(trigger, MissedFrame)]
    assert len(missed) >= 30 - SLOTS - 2
    assert "held up" in missed[0].detail
    assert missed[0].origin == camera.url
    assert out_of_place(taken) == []
    assert in_order(taken)
    health = source.health()
    assert health.dropped == len(missed)
    assert health.frames == len(taken) - len(missed)


# --- Passwords -------------------------------------------------------------------------------------------------------


def secrets_of(pid: int) -> str:
    """What any user (command line) and this user (environment) can read of a process."""
    folder = Path("/proc") / str(pid)
    return "".join((folder / name).read_bytes().decode(errors="replace") for name in ("cmdline", "environ"))


def test_a_password_opens_the_camera_and_never_shows(
    locked_camera: RtspServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    source = CameraSource(locked_camera.url.replace("//", f"//viewer:{PASSWORD}@"))
    shown = [source.name, repr(source), source.health().detail]
    taker = Taker(source)
    eventually(lambda: taker.frames >= 2, "pictures come")
    shown.append(secrets_of(capture_pid()))
    shown.append(secrets_of(os.getpid()))
    os.kill(capture_pid(), signal.SIGKILL)
    eventually(lambda: not source.health().ok, "the loss shows")
    shown.append(source.health().detail)
    source.close()
    assert taker.ends_within(CLOSES_S)
    shown += [f"{trigger.origin} {trigger.frame_id} {getattr(trigger, 'detail', '')}" for trigger in taker.triggers]
    output = capfd.readouterr()
    shown += [caplog.text, output.out, output.err]
    assert not [text for text in shown if "s3cr3t" in text or "viewer" in text]


def test_a_wrong_password_is_told_and_does_not_show(
    locked_camera: RtspServer, capfd: pytest.CaptureFixture[str]
) -> None:
    said = refusal(CameraSource(locked_camera.url.replace("//", "//viewer:wr0ng@")))
    assert "check path, user, password" in said
    output = capfd.readouterr()
    assert "wr0ng" not in said + output.out + output.err


# --- A camera that stops ---------------------------------------------------------------------------------------------


def test_a_camera_that_stalls_shows_at_once_and_goes_on_when_it_does(mortal_camera: RtspServer) -> None:
    source = CameraSource(mortal_camera.url)
    taker = Taker(source)
    eventually(lambda: taker.frames >= 5, "pictures come")
    assert source.health().ok
    mortal_camera.stall()
    # It is told 2 s before the camera is taken for lost.
    eventually(lambda: source.health().detail.startswith("no picture for"), "the stall shows", 1.0 + LOAD_S)
    assert not source.health().ok
    eventually(lambda: "reconnecting" in source.health().detail, "it is taken for lost")
    before = taker.frames
    assert taker.error is None
    mortal_camera.go_on()
    eventually(lambda: taker.frames >= before + 5, "pictures come again", RECOVERS_S)
    assert source.health().ok
    source.close()
    assert taker.ends_within(CLOSES_S)
    assert taker.error is None
    assert in_order(taker.triggers)


def test_a_camera_that_dies_is_found_again(mortal_camera: RtspServer) -> None:
    source = CameraSource(mortal_camera.url)
    taker = Taker(source)
    eventually(lambda: taker.frames >= 5, "pictures come")
    mortal_camera.kill()
    eventually(lambda: not source.health().ok, "the loss shows", 1.0 + LOAD_S)
    eventually(lambda: "reconnecting" in source.health().detail, "it is taken for lost")
    time.sleep(1.0)  # several attempts
    before = taker.frames
    assert taker.error is None
    assert not source.health().ok
    mortal_camera.start()
    eventually(lambda: taker.frames >= before + 5, "pictures come again", RECOVERS_S)
    assert source.health().ok
    source.close()
    assert taker.ends_within(CLOSES_S)
    assert in_order(taker.triggers)


def test_close_does_not_wait_for_a_camera_that_stalls(mortal_camera: RtspServer) -> None:
    source = CameraSource(mortal_camera.url)
    taker = Taker(source)
    eventually(lambda: taker.frames >= 1, "pictures come")
    mortal_camera.stall()
    eventually(lambda: not source.health().ok, "the stall shows")
    source.close()
    assert taker.ends_within(CLOSES_S)
    assert taker.error is None


# --- A capture process that stops ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["dies", "hangs"])
def test_a_capture_process_that_stops_is_replaced(camera: RtspServer, how: signal.Signals) -> None:
    source = CameraSource(camera.url)
    taker = Taker(source)
    eventually(lambda: taker.frames >= 2, "pictures come")
    first, before = capture_pid(), taker.frames
    os.kill(first, how)
    eventually(lambda: not source.health().ok, "the loss shows", 1.0 + LOAD_S)
    eventually(lambda: taker.frames >= before + SLOTS + 5, "pictures come again", RECOVERS_S)
    assert capture_pid() != first
    assert source.health().ok
    source.close()
    assert taker.ends_within(CLOSES_S)
    assert taker.error is None
    assert in_order(taker.triggers)


def test_pictures_on_their_way_when_the_capture_process_dies_are_parts(camera: RtspServer) -> None:
    source = CameraSource(camera.url)
    triggers = source.triggers()
    taken = list(islice(triggers, 3))
    time.sleep(1.5)  # 22 pictures, of which 8 are in the shared memory
    pid = capture_pid()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: is_over(pid), "it dies")
    taken += islice(triggers, SLOTS)
    assert all(isinstance(trigger, Frame) for trigger in taken)
    assert out_of_place(taken) == []
    lost = 0
    for trigger in triggers:
        taken.append(trigger)
        if isinstance(trigger, Frame):
            break
        lost += 1
    assert lost >= 22 - SLOTS - 2
    assert in_order(taken)
    source.close()
    assert source.health().dropped == lost


def test_a_signal_for_the_whole_group_does_not_end_the_capture(camera: RtspServer) -> None:
    # Ctrl-C, and systemd's stop: only the station decides when capturing ends.
    source = CameraSource(camera.url)
    taker = Taker(source)
    eventually(lambda: taker.frames >= 1, "pictures come")
    pid, before = capture_pid(), taker.frames
    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: taker.frames >= before + 10, "pictures go on coming")
    assert capture_pid() == pid
    source.close()
    assert taker.ends_within(CLOSES_S)


def test_the_capture_process_ends_with_a_station_that_is_killed_also_when_it_hangs(mortal_camera: RtspServer) -> None:
    program = f"""
        from inspector.adapters.cameras.opencv_camera import CameraSource
        for trigger in CameraSource({mortal_camera.url!r}, open_timeout_s=60).triggers():
            print(trigger.frame_id, flush=True)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as station:
        assert station.stdout is not None
        assert station.stdout.readline() == b"camera-00000001\n"
        (child,) = psutil.Process(station.pid).children()
        mortal_camera.stall()
        assert not is_over(child.pid)
        station.kill()
    eventually(lambda: is_over(child.pid), "the capture process ends", CLOSES_S)


def test_it_works_from_a_folder_with_modules_of_the_same_names(
    camera: RtspServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('not this one')")
    (tmp_path / "json.py").write_text("raise ImportError('not this one')")
    monkeypatch.chdir(tmp_path)
    source = CameraSource(camera.url)
    (trigger,) = islice(source.triggers(), 1)
    assert isinstance(trigger, Frame)
    assert 0 <= number_of(trigger.image) < 32
    source.close()
