"""Pictures and triggers: what a source delivers."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from inspector.domain.truth import Truth

Image = NDArray[np.uint8]
"""u8 picture, shape (height, width, channels): 1 channel GREY or 3 channels BGR. Anything else is held."""


class ColorSpace(StrEnum):
    GREY = "GREY"
    BGR = "BGR"

    @property
    def channels(self) -> int:
        return 1 if self is ColorSpace.GREY else 3


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture as the source delivered it, not yet judged fit for inspection.

    `image` may have any dtype and shape here; `pipeline.picture` refuses what a bundle does not take.
    `captured_at` is UTC, `captured_ns` the monotonic clock; both are stamped after the read returned.
    """

    frame_id: str
    image: NDArray[np.generic]
    captured_at: datetime
    captured_ns: int
    origin: str
    is_simulated: bool = False
    truth: Truth | None = None


@dataclass(frozen=True, slots=True)
class MissedFrame:
    """A trigger whose picture never came or cannot be read. The part exists all the same, so it is held."""

    frame_id: str
    captured_at: datetime
    captured_ns: int
    origin: str
    detail: str
    is_simulated: bool = False
    truth: Truth | None = None


Trigger = Frame | MissedFrame


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """How a source is doing: `ok` is False while it stalls or reconnects; `detail` says why, for a person."""

    ok: bool
    detail: str
    frames: int = 0
    dropped: int = 0
