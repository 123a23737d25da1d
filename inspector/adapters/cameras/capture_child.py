"""The capture process: reads one camera and hands its pictures over. Started by `capture_process`, never by a person.

Drivers and network decoders hang, and a hung read cannot be ended from within. So it happens in a process of its own
that holds nothing worth keeping: whoever started it kills it and starts another.

    python -m inspector.adapters.cameras.capture_child SOCKET MEMORY     (inherited file descriptors)

It ends by itself when the socket's other end is closed, that is, also when the station is killed.
"""

import json
import os
import signal
import sys
import threading
import time
from collections import deque
from multiprocessing.connection import Connection

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.adapters.cameras.capture_request import CaptureRequest
from inspector.adapters.cameras.frame_ring import SLOTS, Counters, FrameRing

_GRACE_S = 0.6
"""To say goodbye to the camera, which may allow only a few viewers; then the process ends whatever it is doing."""
_LIVE_EDGE_S = 1.0


class _CaptureFailedError(Exception):
    """The camera gives no (more) pictures."""


class _Child:
    def __init__(self, link: Connection, memory: int) -> None:
        self._link = link
        self._ring = FrameRing(memory)
        self._stop = threading.Event()
        # All slots are ours at first. Filled by the listener, emptied by the capture; deque does both atomically.
        self._free: deque[int] = deque(range(SLOTS), maxlen=SLOTS)
        self._request = CaptureRequest.from_json(link.recv_bytes())

    def run(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            self._say(kind="opening")
            self._capture()
        except _CaptureFailedError as failed:
            self._say(kind="failed", detail=str(failed))
        except ConnectionError:
            pass  # the station is gone

    def _listen(self) -> None:
        try:
            while (message := self._link.recv_bytes()) != b"stop":
                self._free.append(int(message))
        except (EOFError, OSError):
            pass  # the station is gone
        self._stop.set()
        time.sleep(_GRACE_S)
        os._exit(1)

    def _capture(self) -> None:
        capture = self._opened()
        fps = capture.get(cv2.CAP_PROP_FPS)
        image = self._live_edge(capture, fps)
        shape = image.shape
        if image.dtype != np.uint8 or len(shape) != 3:
            raise _CaptureFailedError(
                f"it delivers {image.dtype.name} pictures of shape {shape}; set it to 8-bit colour"
            )
        self._ring.lay_out(shape)
        count = Counters(time.monotonic_ns())
        self._ring.counters = count  # before anybody looks how long this camera has been silent
        self._say(kind="open", shape=shape, fps=fps)
        while not self._stop.is_set():
            count = self._hand_over(image, Counters(time.monotonic_ns(), count.captured + 1, count.dropped))
            done, picture = capture.read()
            if not done:
                raise _CaptureFailedError("the camera stopped delivering")
            image = np.asarray(picture, np.uint8)
            if image.shape != shape:
                raise _CaptureFailedError("the camera changed its picture size")
        capture.release()

    def _hand_over(self, image: NDArray[np.uint8], count: Counters) -> Counters:
        """`count` was stamped when the picture came. Returns it with this picture dropped or not."""
        try:
            slot = self._free.popleft()
        except IndexError:
            count = Counters(count.last_ns, count.captured, count.dropped + 1)
            self._ring.counters = count
            return count
        self._ring.counters = count
        age_ns = time.time_ns() - (time.monotonic_ns() - count.last_ns)
        self._ring.write(slot, image)
        self._say(kind="frame", slot=slot, ns=count.last_ns, utc_ns=age_ns, dropped=count.dropped)
        return count

    def _opened(self) -> cv2.VideoCapture:
        request, capture = self._request, cv2.VideoCapture()
        if isinstance(request.device, int):
            is_open = capture.open(request.device, cv2.CAP_V4L2)
            wanted = {
                cv2.CAP_PROP_FRAME_WIDTH: request.width,
                cv2.CAP_PROP_FRAME_HEIGHT: request.height,
                cv2.CAP_PROP_FPS: request.fps,
            }
            for option, value in wanted.items():
                if is_open and value:
                    capture.set(option, value)  # what comes of it, the station sees by the pictures
        else:
            limit_ms = round(request.timeout_s * 1000)
            options = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, limit_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, limit_ms]
            is_open = capture.open(request.device, cv2.CAP_FFMPEG, options)
        if not is_open:
            raise _CaptureFailedError("it cannot be opened")
        return capture

    def _live_edge(self, capture: cv2.VideoCapture, fps: float) -> NDArray[np.uint8]:
        """The first picture that had to be waited for. What was buffered while opening shows parts long gone."""
        waited_s = 0.25 / fps if 25 < fps <= 1000 else 0.01
        deadline_s = time.monotonic() + _LIVE_EDGE_S
        while True:
            began_s = time.monotonic()
            done, image = capture.read()
            now_s = time.monotonic()
            if not done:
                raise _CaptureFailedError("it can be opened and gives no picture")
            if now_s - began_s >= waited_s or now_s > deadline_s:
                return np.asarray(image)

    def _say(self, **message: object) -> None:
        self._link.send_bytes(json.dumps(message).encode())


def main() -> None:
    # Ctrl-C in a terminal reaches the whole group; only the station decides when capturing ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    cv2.setNumThreads(1)
    _Child(Connection(int(sys.argv[1])), int(sys.argv[2])).run()
    os._exit(0)  # nothing to tidy up, and a driver's own threads must not keep it alive


if __name__ == "__main__":
    main()
