"""Exits and their bands: when a stage is sure enough to decide."""

import math
from dataclasses import dataclass
from enum import StrEnum


class ExitDecision(StrEnum):
    OK = "OK"
    NG = "NG"
    UNSURE = "UNSURE"


@dataclass(frozen=True, slots=True)
class ExitBand:
    """Two-sided limits on p_defect, both in [0, 1].

    p_defect < ok_below decides OK, p_defect > ng_above decides NG, the middle moves on. A score that is not finite or
    lies outside [0, 1] is never sure. Comparing strictly means that ok_below = 0 closes the OK exit and
    ng_above = 1 the NG exit.
    """

    ok_below: float
    ng_above: float

    def __post_init__(self) -> None:
        if not (0.0 <= self.ok_below <= self.ng_above <= 1.0):  # also refuses NaN
            raise ValueError(f"exit band needs 0 <= ok_below <= ng_above <= 1, got {self.ok_below} and {self.ng_above}")

    def decide(self, p_defect: float) -> ExitDecision:
        if not math.isfinite(p_defect) or not 0.0 <= p_defect <= 1.0:
            return ExitDecision.UNSURE
        if p_defect < self.ok_below:
            return ExitDecision.OK
        if p_defect > self.ng_above:
            return ExitDecision.NG
        return ExitDecision.UNSURE


CLOSED = ExitBand(0.0, 1.0)
"""The band that decides nothing: every part moves on."""


class EscalationReason(StrEnum):
    """Why a part went on to the next stage."""

    UNSURE = "UNSURE"
    AUDIT = "AUDIT"
    GUARDRAIL = "GUARDRAIL"


@dataclass(frozen=True, slots=True)
class ExitScore:
    """What one stage said of one part.

    `scores` are softmax probabilities in the order of the bundle's classes; `latency_ms` is that stage's own time.
    `escalated` is None at the exit that decided.
    """

    exit: str
    p_defect: float
    scores: tuple[float, ...]
    latency_ms: float
    escalated: EscalationReason | None = None
