"""The verdict: what the models say of a part."""

from dataclasses import dataclass
from enum import StrEnum

from inspector.domain.exits import ExitScore


class Outcome(StrEnum):
    OK = "OK"
    NG = "NG"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of the cascade, with everything that led to it.

    `exit` names the stage that decided (None while UNDECIDED). `exits` holds every stage that ran, in order: a stage
    that is not listed was never computed. `model_hash` is the SHA-256 of the bundle's manifest.
    """

    outcome: Outcome
    exit: str | None
    defect_class: str | None
    exits: tuple[ExitScore, ...]
    model_hash: str
    certificate_hash: str | None

    def __post_init__(self) -> None:
        if (self.outcome is Outcome.UNDECIDED) != (self.exit is None):
            raise ValueError("a verdict names the exit that decided, and only an UNDECIDED one has none")
        if self.outcome is Outcome.OK and not self.exits:
            raise ValueError("an OK verdict needs the scores that prove it")

    @property
    def inference_ms(self) -> float:
        return sum(score.latency_ms for score in self.exits)
