"""Learn then Test: from calibration frames to a policy whose risks are bounded with a stated confidence.

    policies, safest first (fixed before the frames are seen)
       │ 1: p <= delta   2: p <= delta   3: p > delta
       ▼                                     └─ stop: 2 is certified, nothing behind 3 is looked at
    p of a policy = the largest p-value of its risks, each an exact binomial tail

Angelopoulos, Bates, Candès, Jordan, Lei, "Learn then Test: Calibrating Predictive Algorithms to Achieve Risk Control"
(2021), with fixed-sequence testing: as no test is looked at behind the first that fails, each runs at the full delta and
the chance that a policy which breaks a bound is certified is at most delta. All risks of a policy are bounded jointly:
if one of them is too high, its own p-value, and so the largest, is valid.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inspector.assurance.binomial import lower_tail, trials_needed, upper_limit


@dataclass(frozen=True, slots=True)
class Bound:
    """What may happen to at most a share of `rate` of the parts that `name` is about, for example added escapes."""

    name: str
    rate: float

    def __post_init__(self) -> None:
        if not 0.0 < self.rate < 1.0:
            raise ValueError(f"the bound of {self.name} lies between 0 and 1, got {self.rate}")


@dataclass(frozen=True, slots=True)
class Seen:
    """`count` of `of` calibration parts went wrong in one way under one policy."""

    count: int
    of: int


@dataclass(frozen=True, slots=True)
class Claim:
    """One certified bound: `seen` on the calibration parts proves a true rate of at most `bound.rate`.

    `upper` is the exact one-sided limit from `seen` alone (Clopper-Pearson); never above `bound.rate`.
    """

    bound: Bound
    seen: Seen
    upper: float


@dataclass(frozen=True, slots=True)
class Missing:
    """`parts` more calibration parts of the kind of `bound` would be needed, even if none of them goes wrong."""

    bound: Bound
    seen: Seen
    parts: int


def p_value(seen: Sequence[Seen], bounds: Sequence[Bound]) -> float:
    """The p-value of "some risk of this policy is above its bound"."""
    return max(lower_tail(s.count, s.of, b.rate) for s, b in zip(seen, bounds, strict=True))


def last_certified(path: Iterable[Sequence[Seen]], bounds: Sequence[Bound], confidence: float) -> int | None:
    """The index of the boldest certified policy of `path` (safest first), None when even the first one is not.

    `path` is read only as far as the tests go, so counting may be done lazily.
    """
    last = None
    for index, seen in enumerate(path):
        if p_value(seen, bounds) > 1.0 - confidence:
            break
        last = index
    return last


def claims(seen: Sequence[Seen], bounds: Sequence[Bound], confidence: float) -> tuple[Claim, ...]:
    """What a policy that was certified with `seen` promises."""
    return tuple(Claim(b, s, upper_limit(s.count, s.of, confidence)) for s, b in zip(seen, bounds, strict=True))


def missing(seen: Sequence[Seen], bounds: Sequence[Bound], confidence: float) -> tuple[Missing, ...]:
    """Which bounds too few parts stand against, and how many more it takes with no further failure; empty if none."""
    found = []
    for s, b in zip(seen, bounds, strict=True):
        needed = trials_needed(b.rate, confidence, s.count)
        if s.of < needed:
            found.append(Missing(b, s, needed - s.of))
    return tuple(found)
