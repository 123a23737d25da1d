"""Running figures of a run: exit mix, defects, escapes and overkill, latency. Constant memory."""

import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable

import numpy as np

from inspector.domain.disposition import Action
from inspector.domain.inspection import InspectedPart
from inspector.domain.state import ExitCount, Fraction
from inspector.domain.truth import Label

_SLOT_S = 0.1
_SLOTS = 50
"""The rate is that of the last 5 s, counted in slots: parts are released in groups, so gaps between two say nothing."""
_RATE_FROM_S = 1.0
"""A run younger than this is counted as this old: the first group would show as thousands a second."""


class LatencyHistogram:
    """Quantiles in ms from logarithmic buckets of 2 %, from 10 µs to 100 s: the error of a quantile is at most 1 %."""

    _LOW_MS, _RATIO, _BUCKETS = 0.01, 1.02, 815

    def __init__(self) -> None:
        self._counts = np.zeros(self._BUCKETS, dtype=np.int64)

    def add(self, latency_ms: float) -> None:
        bucket = int(math.log(max(latency_ms, self._LOW_MS) / self._LOW_MS) / math.log(self._RATIO))
        self._counts[min(bucket, self._BUCKETS - 1)] += 1

    def quantile(self, q: float) -> float:
        """The q-quantile in ms, 0 while empty."""
        total = int(self._counts.sum())
        if total == 0:
            return 0.0
        rank = max(math.ceil(q * total), 1)
        bucket = int(np.searchsorted(np.cumsum(self._counts), rank))
        return float(self._LOW_MS * self._RATIO ** (bucket + 0.5))


class Tally:
    """Counts released parts. Thread-safe. `exits` are the bundle's exits in order, so that unused ones show as zero."""

    def __init__(self, exits: tuple[str, ...], monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._exits = dict.fromkeys(exits, 0)
        self._defects: Counter[str] = Counter()
        self._escape = self._overkill = self._ng = self._ok = self._correct = 0
        self._latency = LatencyHistogram()
        self._monotonic_s = monotonic_s
        self._first_at: float | None = None
        self._recent: deque[tuple[int, int]] = deque(maxlen=_SLOTS + 1)  # (slot, parts), oldest first
        self._hold_streak = 0

    def add(self, part: InspectedPart) -> None:
        with self._lock:
            if part.verdict is not None and part.verdict.exit is not None:
                self._exits[part.verdict.exit] += 1
            if part.disposition.action is Action.REJECT and part.verdict is not None:
                self._defects[part.verdict.defect_class or "NG"] += 1
            if part.truth is not None:
                self._ng += part.truth.label is Label.NG
                self._ok += part.truth.label is Label.OK
            self._escape += part.is_escape
            self._overkill += part.is_overkill
            self._correct += part.is_correct
            if part.verdict is not None:  # a part that nothing judged has no latency worth the name
                self._latency.add(part.latency_ms)
            self._count(self._monotonic_s())
            self._hold_streak = self._hold_streak + 1 if part.disposition.action is Action.HOLD else 0

    @property
    def hold_streak(self) -> int:
        """How many parts in a row were held, up to now."""
        return self._hold_streak

    def exits(self) -> tuple[ExitCount, ...]:
        with self._lock:
            total = sum(self._exits.values())
            return tuple(ExitCount(name, n, n / total if total else 0.0) for name, n in self._exits.items())

    def defects(self) -> dict[str, int]:
        with self._lock:
            return dict(self._defects.most_common())

    def escape(self) -> Fraction:
        with self._lock:
            return Fraction(self._escape, self._ng)

    def overkill(self) -> Fraction:
        with self._lock:
            return Fraction(self._overkill, self._ok)

    @property
    def correct(self) -> int:
        return self._correct

    def latency_ms(self, q: float) -> float:
        with self._lock:
            return self._latency.quantile(q)

    def parts_per_s(self) -> float:
        with self._lock:
            if self._first_at is None:
                return 0.0
            now = self._monotonic_s()
            oldest = int(now / _SLOT_S) - _SLOTS
            parts = sum(n for slot, n in self._recent if slot > oldest)
        return parts / min(max(now - self._first_at, _RATE_FROM_S), _SLOTS * _SLOT_S)

    def _count(self, now: float) -> None:
        if self._first_at is None:
            self._first_at = now
        slot = int(now / _SLOT_S)
        if self._recent and self._recent[-1][0] == slot:
            self._recent[-1] = (slot, self._recent[-1][1] + 1)
        else:
            self._recent.append((slot, 1))
