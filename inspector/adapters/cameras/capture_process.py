"""The station's end of a capture process: start it, receive its pictures, end it.

    STARTING ──Opening──▶ OPENING ──Opened──▶ DELIVERING ──Captured…──▶ ended: CaptureEnded, or stop()

Messages are small JSON texts over a socket pair, pictures go through shared memory (`frame_ring`). Each picture's slot is
given back as soon as it is copied, so that at most `SLOTS` messages are ever unread: neither side can block the other.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import Pipe
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspector.adapters.cameras import capture_child
from inspector.adapters.cameras.capture_request import CaptureRequest
from inspector.adapters.cameras.frame_ring import Counters, FrameRing, new_memory

_CHILD_ENVIRONMENT = {
    # TCP loses no packet and so tears no picture; no buffering and no guessing at the rate make opening quick.
    "OPENCV_FFMPEG_CAPTURE_OPTIONS": "rtsp_transport;tcp|fflags;nobuffer|fpsprobesize;0",
    # Their messages hold URLs with passwords.
    "OPENCV_LOG_LEVEL": "SILENT",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
}
_GOODBYE_S = 0.8
_KILL_S = 0.7
"""A process in a hung system call ends only when that returns; `stop` does not wait for it any longer."""


class CaptureEnded(Exception):  # noqa: N818  # a camera that is gone is no error of ours
    """No more pictures from this process. `is_clear` is False where a look at the camera would tell more than `detail`:
    it could not be opened, and all that is known is that it could not."""

    def __init__(self, detail: str, *, is_clear: bool = True) -> None:
        super().__init__(detail)
        self.is_clear = is_clear


@dataclass(frozen=True, slots=True)
class Opening:
    """The process is up and opens the camera."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The first picture came: u8 `shape` (height, width, channels); `fps` is what the camera says, 0 if nothing."""

    shape: tuple[int, int, int]
    fps: float


@dataclass(frozen=True, slots=True, eq=False)
class Captured:
    """One picture, u8 BGR, stamped when the read returned. `dropped` counts those dropped before it, from the start."""

    image: NDArray[np.uint8]
    captured_at: datetime
    captured_ns: int
    dropped: int


class CaptureProcess:
    """`receive` belongs to one thread; `counters` and `stop` are callable from any."""

    def __init__(self, request: CaptureRequest) -> None:
        """Starts the process. Raises OSError when the system cannot."""
        self._lock = threading.Lock()  # guards what follows, for moments
        self._ending = threading.Lock()  # held while the process is ended, which takes a while
        self._is_stopped = False
        self._was_open = False
        self._last = Counters()
        self._memory = new_memory()
        self._ring = FrameRing(self._memory)
        self._link, theirs = Pipe()
        with theirs:
            try:
                self._link.send_bytes(request.to_json())  # before it starts: it may die at once
                self._process = subprocess.Popen(
                    # -P: a module in the current folder must not pass for one of ours.
                    [sys.executable, "-P", "-m", capture_child.__name__, str(theirs.fileno()), str(self._memory)],
                    pass_fds=(theirs.fileno(), self._memory),
                    env=_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            except OSError:
                self._release()
                raise

    def receive(self, timeout_s: float) -> Opening | Opened | Captured | None:
        """The next message; None when none came in time. Raises CaptureEnded, also after `stop`."""
        try:
            if not self._link.poll(timeout_s):
                return None
            with self._lock:
                if self._is_stopped:
                    raise CaptureEnded("the capture was stopped")
                return self._understood(json.loads(self._link.recv_bytes()))
        except (EOFError, OSError):  # its end of the socket is closed
            raise CaptureEnded(f"the capture process {self._how_it_ended()}") from None

    def counters(self) -> Counters:
        """Never waits for the process. They stand still after `stop`."""
        with self._lock:
            if not self._is_stopped:
                self._last = self._ring.counters
            return self._last

    def stop(self, *, at_once: bool = False) -> None:
        """End the process and free everything, within 1.5 s. `at_once` when it hangs: no goodbye to the camera."""
        with self._ending:
            with self._lock:
                if self._is_stopped:
                    return
                self._is_stopped = True  # from here on nobody else touches the link or the memory
                self._last = self._ring.counters
            if at_once or not self._said_goodbye():
                self._process.kill()
                self._ended_within(_KILL_S)
            with self._lock:
                self._release()

    def _understood(self, message: dict[str, object]) -> Opening | Opened | Captured:
        match message:
            case {"kind": "opening"}:
                return Opening()
            case {"kind": "open", "shape": [int(height), int(width), int(channels)], "fps": float(fps)}:
                self._ring.attach((height, width, channels))
                self._was_open = True
                return Opened((height, width, channels), fps if 0 < fps <= 1000 else 0.0)
            case {"kind": "frame", "slot": int(slot), "ns": int(ns), "utc_ns": int(utc_ns), "dropped": int(dropped)}:
                image = self._ring.copy(slot)
                with contextlib.suppress(OSError):  # it is gone; its pictures in the memory are still good
                    self._link.send_bytes(str(slot).encode())
                return Captured(image, datetime.fromtimestamp(utc_ns / 1e9, UTC), ns, dropped)
            case _:
                raise CaptureEnded(str(message.get("detail")), is_clear=self._was_open)

    def _said_goodbye(self) -> bool:
        with contextlib.suppress(OSError):  # it is gone already
            self._link.send_bytes(b"stop")
        return self._ended_within(_GOODBYE_S)

    def _ended_within(self, limit_s: float) -> bool:
        try:
            self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _how_it_ended(self) -> str:
        self._ended_within(_KILL_S)
        code = self._process.returncode
        if code is not None and code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def _release(self) -> None:
        self._link.close()
        self._ring.close()
        os.close(self._memory)


def _environment() -> dict[str, str]:
    """The station's own, so that OPENCV_FFMPEG_CAPTURE_OPTIONS can be set for a camera that needs it."""
    ours = Path(capture_child.__file__).parents[3]
    paths = [str(ours), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**_CHILD_ENVIRONMENT, **os.environ, "PYTHONPATH": os.pathsep.join(paths)}
