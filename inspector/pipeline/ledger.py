"""Conservation of parts: triggers = PASS + REJECT + HOLD, at every moment and at the end."""

import threading
from collections import Counter

from inspector.domain.disposition import Action, Disposition
from inspector.domain.errors import ConservationError
from inspector.domain.state import Counts


class Ledger:
    """Every part enters once and leaves once. Thread-safe.

    The set of parts inside is bounded by the queues between intake and release.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside: set[str] = set()
        self._triggers = 0
        self._passed = 0
        self._rejected = 0
        self._hold: Counter[str] = Counter()

    def enter(self, part_id: str) -> None:
        with self._lock:
            if part_id in self._inside:
                raise ConservationError(f"part {part_id} was triggered twice; stop the line and report this defect")
            self._inside.add(part_id)
            self._triggers += 1

    def leave(self, part_id: str, disposition: Disposition) -> None:
        with self._lock:
            if part_id not in self._inside:
                raise ConservationError(f"part {part_id} was released twice; stop the line and report this defect")
            self._inside.remove(part_id)
            if disposition.action is Action.PASS:
                self._passed += 1
            elif disposition.action is Action.REJECT:
                self._rejected += 1
            else:
                self._hold[str(disposition.hold_reason)] += 1

    def counts(self) -> Counts:
        with self._lock:
            return Counts(self._triggers, self._passed, self._rejected, dict(self._hold), len(self._inside))

    def close(self) -> Counts:
        """The final count. Raises ConservationError when a part is still inside."""
        counts = self.counts()
        if counts.in_flight or not counts.is_conserved:
            raise ConservationError(
                f"{counts.triggers} triggers but {counts.passed} PASS, {counts.rejected} REJECT, {counts.held} HOLD: "
                f"{counts.in_flight} parts are unaccounted for; stop the line and report this defect"
            )
        return counts
