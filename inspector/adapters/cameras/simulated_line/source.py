"""The simulated line as a source of frames."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from inspector.adapters.cameras.simulated_line.line import SimulatedLine, SimulatedLineConfig
from inspector.domain.frame import Frame, SourceHealth


class SimulatedLineSource:
    """`ports.FrameSource` over a `SimulatedLine`: parts `first`, `first` + 1, … of the line that `config` names.

    `parts_per_s` paces the belt, 0 delivers as fast as parts are taken; a line that cannot draw that fast (it takes
    about 2 ms a part at 640x480) falls behind rather than leave a part out. `parts` ends it after so many, 0 never.
    With `is_live` the belt does not wait: parts that fell due come at once after a pause; else it stands meanwhile.
    Raises ValueError that names the argument and what is allowed.
    """

    def __init__(
        self,
        config: SimulatedLineConfig,
        *,
        parts_per_s: float = 0.0,
        parts: int = 0,
        first: int = 0,
        is_live: bool = False,
    ) -> None:
        for argument, value in (("parts_per_s", parts_per_s), ("parts", parts), ("first", first)):
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"Simulated line: {argument} = {value!r} must be 0 or more.")
        self._line = SimulatedLine(config)
        self._period_s = 1 / parts_per_s if parts_per_s else 0.0
        self._parts = parts
        self._first = first
        self._is_live = is_live
        self._closed = threading.Event()
        # Written by the thread in `triggers` alone; reading an int needs no lock.
        self._delivered = 0

    @property
    def name(self) -> str:
        return f"simulated line {self._line.config.seed}"

    @property
    def is_live(self) -> bool:
        return self._is_live

    def triggers(self) -> Iterator[Frame]:
        due_s = time.monotonic()
        index = self._first
        while not self._parts or index < self._first + self._parts:
            image, truth = self._line.render(index)
            # The part is drawn before it is due, so that drawing does not delay it.
            if self._closed.wait(max(0.0, due_s - time.monotonic())):
                return
            # Counted before it is handed over: a part that somebody holds is never missing from the count.
            self._delivered += 1
            yield Frame(
                frame_id=f"{self._line.config.seed}-{index:08d}",
                image=image,
                captured_at=datetime.now(UTC),
                captured_ns=time.monotonic_ns(),
                origin=self.name,
                is_simulated=True,
                truth=truth,
            )
            index += 1
            due_s += self._period_s
            if not self._is_live:
                due_s = max(due_s, time.monotonic())

    def health(self) -> SourceHealth:
        detail = "the belt was stopped" if self._closed.is_set() else "the belt runs"
        return SourceHealth(ok=True, detail=detail, frames=self._delivered)

    def close(self) -> None:
        self._closed.set()
