"""The disposition: what happens to the part. HOLD is the default of everything."""

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    PASS = "PASS"  # noqa: S105  # a disposition, not a password
    REJECT = "REJECT"
    HOLD = "HOLD"


class HoldReason(StrEnum):
    """Why a part was neither passed nor rejected. Each is shown to people, so each is translated in `ui/i18n`."""

    NO_PICTURE = "NO_PICTURE"
    """The trigger's picture never came, or cannot be read (camera stopped, damaged file)."""
    WRONG_FORMAT = "WRONG_FORMAT"
    """Not the size, bit depth or colour that the bundle takes."""
    BLACK = "BLACK"
    SATURATED = "SATURATED"
    BLURRED = "BLURRED"
    FLAT = "FLAT"
    """A large share of the rows is constant: half a picture, or a dead sensor."""
    FROZEN = "FROZEN"
    """Pixel for pixel the picture before."""
    BAD_SCORE = "BAD_SCORE"
    """A stage answered with something that is no probability (NaN, out of range, wrong shape)."""
    UNDECIDED = "UNDECIDED"
    """Even the last stage was not sure."""
    STAGE_FAILED = "STAGE_FAILED"
    """A stage raised an error."""
    OVERLOAD = "OVERLOAD"
    """The part came while the queue was full."""
    DEADLINE = "DEADLINE"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    """The verdict could not be made durable."""
    INTERNAL = "INTERNAL"
    """An error nobody foresaw."""


@dataclass(frozen=True, slots=True)
class Disposition:
    """PASS, REJECT or HOLD(reason). `detail` is a sentence for a person."""

    action: Action
    hold_reason: HoldReason | None = None
    detail: str = ""

    def __post_init__(self) -> None:
        if (self.action is Action.HOLD) != (self.hold_reason is not None):
            raise ValueError("HOLD needs a reason, and only HOLD has one")

    @classmethod
    def hold(cls, reason: HoldReason, detail: str = "") -> "Disposition":
        return cls(Action.HOLD, reason, detail)


PASS = Disposition(Action.PASS)
REJECT = Disposition(Action.REJECT)
