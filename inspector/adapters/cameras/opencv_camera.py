"""A USB or network camera as a source, read through OpenCV."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from inspector.adapters.cameras.camera_address import CameraAddress
from inspector.adapters.cameras.capture_process import Captured, CaptureEnded, CaptureProcess, Opened, Opening
from inspector.adapters.cameras.capture_request import CaptureRequest
from inspector.domain.errors import SourceError
from inspector.domain.frame import Frame, MissedFrame, SourceHealth, Trigger

_TICK_S = 0.1
"""How often a waiting source looks whether it was closed or the camera stalls."""
_START_S = 20.0
"""For a busy machine to start the capture process and load its libraries."""
_RESTART_S = 2.0
"""A stalled camera gets this long to come back by itself before the capture process is killed."""
_LOOK_S = 6.0
"""To find out why a camera is absent."""
_BACKOFF_S = (0.25, 0.5, 1.0, 2.0)
"""Between attempts to reconnect; the last one repeats. Together with `open_timeout_s` = 5 and `_RESTART_S` this keeps the
promise of 10 s from the camera's return to its first picture, whatever was going on when it returned."""


class CameraSource:
    """`ports.FrameSource` over a free-running camera: each picture that it delivers is a trigger. u8 BGR.

        STARTING ──first picture──▶ RUNNING ──no picture for stall_after──▶ STALLED ──2 s more──▶ LOST
            │                        ▲ ▲                                       │                   │ kill, back off,
            └─ no picture within     │ └──────────picture──────────────────────┘                   │ start anew
               open_timeout_s:       └───────────────────────picture───────────────────────────────┘
               SourceError

    `close` leads out of every state. `stall_after` is three periods of `fps` (or, if that is 0, of the rate that the
    camera states), and at least 1 s; from then on `health` is not ok. `device` is a number, or an rtsp(s) or http(s) URL,
    whose user and password never show anywhere. `width`, `height` (px) and `fps` are asked of a USB camera; a camera that
    delivers another size is refused. A picture for which the station had no room is a MissedFrame.
    """

    def __init__(
        self,
        device: int | str,
        *,
        width: int = 0,
        height: int = 0,
        fps: float = 0.0,
        open_timeout_s: float = 5.0,
    ) -> None:
        """Raises SourceError when `device` is no camera's address."""
        self._address = CameraAddress.of(device)
        self._request = CaptureRequest(self._address.device, width, height, fps, open_timeout_s)
        self._closed = threading.Event()
        self._lock = threading.Lock()  # guards what follows
        self._process: CaptureProcess | None = None
        self._fault = "not started"
        self._stall_after_s = 1.0
        self._frames = 0
        self._dropped = 0
        self._fps = 0.0
        self._triggers = 0  # belongs to the thread in `triggers`

    @property
    def name(self) -> str:
        return f"camera {self._address}"

    @property
    def is_live(self) -> bool:
        return True

    @property
    def fps(self) -> float:
        """Pictures a second as the camera states them, 0 before it is open and where it says nothing."""
        return self._fps

    def triggers(self) -> Iterator[Trigger]:
        """See `ports.FrameSource`. Raises SourceError when the first picture does not come."""
        failures = 0
        while not self._closed.is_set():
            try:
                for trigger in self._captured():
                    failures = 0
                    yield trigger
            except CaptureEnded as ended:
                if self._closed.is_set():
                    return
                if not self._triggers:
                    why = self._why(ended)
                    if self._closed.is_set():
                        return
                    raise SourceError(f"{self.name}: {why}") from None
                with self._lock:
                    self._fault = f"the camera is lost ({ended}); reconnecting"
            self._closed.wait(_BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)])
            failures += 1

    def health(self) -> SourceHealth:
        with self._lock:
            process, fault, stall_after_s = self._process, self._fault, self._stall_after_s
            frames, dropped = self._frames, self._dropped
        if self._closed.is_set():
            return SourceHealth(ok=True, detail="closed", frames=frames, dropped=dropped)
        if not fault and process is not None:
            silent_s = (time.monotonic_ns() - process.counters().last_ns) / 1e9
            if silent_s > stall_after_s:
                fault = f"no picture for {silent_s:.1f} s"
        return SourceHealth(ok=not fault, detail=fault or "delivering", frames=frames, dropped=dropped)

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            process = self._process
        if process is not None:
            process.stop()

    def _why(self, ended: CaptureEnded) -> str:
        """A camera that never opened explains itself badly; a look at its device or port does better."""
        if ended.is_clear:
            return str(ended)
        found: list[str] = []
        # Finding a host's address cannot be cut short, and `close` does not wait for it.
        look = threading.Thread(target=lambda: found.append(self._address.why_absent()), daemon=True)
        look.start()
        give_up_s = time.monotonic() + _LOOK_S
        while look.is_alive() and time.monotonic() < give_up_s and not self._closed.is_set():
            look.join(_TICK_S)
        return found[0] if found else "it cannot be reached; check power, cable, address and name server"

    def _captured(self) -> Iterator[Trigger]:
        """The triggers of one capture process, from its start to its end. Raises CaptureEnded."""
        try:
            process = CaptureProcess(self._request)
        except OSError as error:
            raise CaptureEnded(f"no capture process can be started: {error}") from None
        with self._lock:
            self._process = process
        if self._closed.is_set():  # `close` came before it could see the process
            process.stop()
        taken = dropped = 0
        delivers = False
        try:
            self._check_size(self._opened(process))
            delivers = True
            while True:
                captured = self._next(process)
                missed, dropped = captured.dropped - dropped, captured.dropped
                yield from self._missed(missed, captured.captured_at, captured.captured_ns)
                taken += 1
                yield self._frame(captured)
        except CaptureEnded:
            process.stop(at_once=not delivers and not self._closed.is_set())
            if delivers:  # pictures that came and will never get here are parts all the same
                last = process.counters()
                last_at = datetime.now(UTC) - timedelta(microseconds=(time.monotonic_ns() - last.last_ns) // 1000)
                yield from self._missed(last.captured - taken - dropped, last_at, last.last_ns)
            raise
        finally:
            process.stop()

    def _opened(self, process: CaptureProcess) -> Opened:
        deadline_s = time.monotonic() + _START_S
        while True:
            match process.receive(_TICK_S):
                case Opened() as opened:
                    fps = self._request.fps or opened.fps
                    with self._lock:
                        self._fps = opened.fps
                        self._stall_after_s = max(3 / fps, 1.0) if fps else 1.0
                        self._fault = ""
                    return opened
                case Opening():
                    deadline_s = time.monotonic() + self._request.timeout_s
            if time.monotonic() > deadline_s:
                raise CaptureEnded("it does not answer", is_clear=False)

    def _next(self, process: CaptureProcess) -> Captured:
        while True:
            message = process.receive(_TICK_S)
            if isinstance(message, Captured):
                return message
            silent_s = (time.monotonic_ns() - process.counters().last_ns) / 1e9
            if silent_s > self._stall_after_s + _RESTART_S:
                raise CaptureEnded(f"no picture for {silent_s:.1f} s")

    def _check_size(self, opened: Opened) -> None:
        height, width, _ = opened.shape
        wanted_width, wanted_height = self._request.width or width, self._request.height or height
        if (width, height) != (wanted_width, wanted_height):
            raise CaptureEnded(
                f"it delivers {width}x{height} px and not {wanted_width}x{wanted_height}; "
                "set width and height to a size that it has, or to 0"
            )

    def _frame(self, captured: Captured) -> Frame:
        with self._lock:
            self._frames += 1
        return Frame(self._next_id(), captured.image, captured.captured_at, captured.captured_ns, str(self._address))

    def _missed(self, count: int, before: datetime, before_ns: int) -> Iterator[MissedFrame]:
        """`before` is the nearest time known: theirs is lost with them."""
        with self._lock:
            self._dropped += count
        for _ in range(count):
            yield MissedFrame(
                self._next_id(),
                before,
                before_ns,
                str(self._address),
                f"{self.name}: the picture came and is lost; the station was held up, or capturing ended",
            )

    def _next_id(self) -> str:
        self._triggers += 1
        return f"camera-{self._triggers:08d}"


def probe_camera(device: int | str, timeout_s: float = 5.0) -> str:
    """What the camera delivers, in a few words. Raises SourceError when no picture comes; takes up to `timeout_s` after
    the start of the capture process, and 2 s more to find out why."""
    source = CameraSource(device, open_timeout_s=timeout_s)
    triggers = source.triggers()
    try:
        for trigger in triggers:
            if isinstance(trigger, Frame):
                height, width = trigger.image.shape[:2]
                rate = f", {source.fps:g} pictures a second" if source.fps else ""
                return f"{source.name}: {width}x{height} px{rate}"
        raise SourceError(f"{source.name}: it was closed before a picture came; try again")
    finally:
        source.close()
