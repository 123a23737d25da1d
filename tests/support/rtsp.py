"""A real network camera for the tests: GStreamer's RTSP server in a process of its own, on a free port of 127.0.0.1.

`apt-get install python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-{base,good,ugly,bad}` provides it. Where it is
absent the tests that need it are skipped by name, unless INSPECTOR_REQUIRE_PEERS=1 says that they must not be.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from inspector.adapters.cameras import capture_child
from inspector.domain.frame import Frame, Trigger
from inspector.ports import FrameSource
from tests.support.mosquitto import free_port

_PYTHON = "/usr/bin/python3"
_SERVER = Path(__file__).with_name("rtsp_server.py")
_NUMBERS = 32
_STEP = 7
_PROBE = """
import gi
gi.require_version("Gst", "1.0"); gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
missing = [name for name in ("multifilesrc", "pngdec", "videoconvert", "x264enc", "h264parse", "rtph264pay")
           if Gst.ElementFactory.find(name) is None]
assert not missing, f"no GStreamer element {missing}"
"""


@cache
def _why_absent() -> str:
    try:
        probe = subprocess.run([_PYTHON, "-c", _PROBE], capture_output=True, text=True, timeout=60)
    except OSError as error:
        return str(error)
    return probe.stderr.strip().splitlines()[-1] if probe.returncode else ""


def require() -> None:
    """Skips the test, or fails it, when there is no RTSP server."""
    if why := _why_absent():
        reason = f"GStreamer's RTSP server is not installed ({why}); apt-get install gir1.2-gst-rtsp-server-1.0"
        if os.environ.get("INSPECTOR_REQUIRE_PEERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


def grey(number: int) -> NDArray[np.uint8]:
    """Picture `number`, 128x96 px: each a step brighter than the last."""
    return np.full((96, 128, 3), 16 + number * _STEP, np.uint8)


def number_of(image: NDArray[Any]) -> int:
    """Which `grey` picture this is, also after lossy coding. A camera's count from 0 to 31 and begin again."""
    return round((float(image.mean()) - 16) / _STEP)


def out_of_place(triggers: Sequence[Trigger]) -> list[tuple[int, int]]:
    """(place, number) of the pictures that are not where they belong, counting on from the first: none where every
    trigger came once and in order, those without a picture included."""
    frames = [(place, number_of(trigger.image)) for place, trigger in enumerate(triggers) if isinstance(trigger, Frame)]
    first_place, first_number = frames[0]
    return [pair for pair in frames if (pair[1] - first_number - (pair[0] - first_place)) % _NUMBERS]


class RtspServer:
    """`fps` `grey` pictures a second. `login` is user:password. Its port never changes."""

    fps = 15

    def __init__(self, folder: Path, *, login: str = "") -> None:
        require()
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._login = login
        self._process: subprocess.Popen[str] | None = None
        self.port = free_port()
        self.url = f"rtsp://127.0.0.1:{self.port}/cam"
        for number in range(_NUMBERS):
            assert cv2.imwrite(str(folder / f"{number:03d}.png"), grey(number))

    def start(self) -> "RtspServer":
        with (self._folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [_PYTHON, str(_SERVER), str(self.port), str(self._folder), str(self.fps)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin as stdin, process.stdout as stdout:
            stdin.write(f"{self._login}\n")
            stdin.flush()
            if stdout.readline() == "up\n":
                return self
        self.stop()
        raise RuntimeError(f"the RTSP server did not start: {(self._folder / 'log').read_text()[-2000:]}")

    def stall(self) -> None:
        """It hangs: connections stay up and nothing comes."""
        self._running().send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._running().kill()
        self._running().wait(10)
        self._process = None

    def stop(self) -> None:
        if self._process is not None:
            self.kill()

    def _running(self) -> "subprocess.Popen[str]":
        assert self._process is not None, "the RTSP server is not running"
        return self._process


class Taker:
    """Takes the triggers of `source` in a thread of its own, as the station does. `error` is what ended it, if anything."""

    def __init__(self, source: FrameSource) -> None:
        self.source = source
        self.triggers: list[Trigger] = []
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    @property
    def frames(self) -> int:
        return sum(isinstance(trigger, Frame) for trigger in list(self.triggers))

    def ends_within(self, limit_s: float) -> bool:
        self._thread.join(limit_s)
        return not self._thread.is_alive()

    def _take(self) -> None:
        try:
            for trigger in self.source.triggers():
                self.triggers.append(trigger)
        except Exception as error:
            self.error = error


def capture_processes() -> list[psutil.Process]:
    """Those of this process that run or were not reaped."""
    found = []
    for child in psutil.Process().children():
        try:
            if child.status() == psutil.STATUS_ZOMBIE or capture_child.__name__ in child.cmdline():
                found.append(child)
        except psutil.NoSuchProcess:  # gone meanwhile
            continue
    return found
