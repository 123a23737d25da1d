"""The pace at which a recorded source hands out its parts."""

import math
import threading
import time


class Pace:
    """At most `parts_per_s` parts a second, 0 as fast as they are taken. `closed` ends a wait at once.

    Whoever falls behind does not catch up in a burst: the next part is due one period after the late one.
    Raises ValueError for a rate that is none.
    """

    def __init__(self, parts_per_s: float, closed: threading.Event) -> None:
        if not (math.isfinite(parts_per_s) and parts_per_s >= 0):
            raise ValueError(f"parts_per_s = {parts_per_s!r} must be 0 or more")
        self._period_s = 1 / parts_per_s if parts_per_s else 0.0
        self._closed = closed
        self._due_s = -math.inf

    def wait(self) -> bool:
        """True when the next part is due, False when the source was closed meanwhile."""
        wait_s = min(self._due_s - time.monotonic(), threading.TIMEOUT_MAX)
        if self._closed.wait(wait_s) if wait_s > 0 else self._closed.is_set():
            return False
        self._due_s = max(self._due_s, time.monotonic()) + self._period_s
        return True
