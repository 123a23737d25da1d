"""Running figures of a run: exit mix, defects, escapes and overkill, latency. Constant memory."""

import threading
import time
from collections import Counter, deque

import numpy as np

from inspector.domain.disposition import Action
from inspector.domain.inspection import InspectedPart
from inspector.domain.state import ExitCount, Fraction
from inspector.domain.truth import Label

_RATE_WINDOW_S = 5.0


class LatencyHistogram:
    """Quantiles in ms from logarithmic buckets of 2 %, from 10 µs to 100 s: the error of a quantile is at most 1 %."""

    _LOW_MS, _RATIO, _BUCKETS = 0.01, 1.02, 815

    def __init__(self) -> None:
        self._counts = np.zeros(self._BUCKETS, dtype=np.int64)

    def add(self, latency_ms: float) -> None:
        bucket = int(np.log(max(latency_ms, self._LOW_MS) / self._LOW_MS) / np.log(self._RATIO))
        self._counts[min(bucket, self._BUCKETS - 1)] += 1

    def quantile(self, q: float) -> float:
        """The q-quantile in ms, 0 while empty."""
        total = int(self._counts.sum())
        if total == 0:
            return 0.0
        rank = min(int(q * total), total - 1)
        bucket = int(np.searchsorted(np.cumsum(self._counts), rank + 1))
        return float(self._LOW_MS * self._RATIO ** (bucket + 0.5))


class Tally:
    """Counts released parts. Thread-safe. `exits` are the bundle's exits in order, so that unused ones show as zero."""

    def __init__(self, exits: tuple[str, ...]) -> None:
        self._lock = threading.Lock()
        self._exits = dict.fromkeys(exits, 0)
        self._defects: Counter[str] = Counter()
        self._escape = self._overkill = self._ng = self._ok = self._correct = 0
        self._latency = LatencyHistogram()
        # One time stamp a part for at most 5 s; beyond 5,000 parts in 5 s the rate is read from the newest 5,000.
        self._recent: deque[float] = deque(maxlen=5000)
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
            self._recent.append(time.monotonic())
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
            since = time.monotonic() - _RATE_WINDOW_S
            recent = [at for at in self._recent if at >= since]
        if len(recent) < 2:
            return 0.0
        return (len(recent) - 1) / max(recent[-1] - recent[0], 1e-9)
