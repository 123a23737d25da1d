"""What a part really is, where that is known (simulated line, labelled folder, a person's word)."""

from dataclasses import dataclass
from enum import StrEnum


class Label(StrEnum):
    OK = "OK"
    NG = "NG"


@dataclass(frozen=True, slots=True)
class Truth:
    """Ground truth of one part. It travels beside the picture and never reaches a stage.

    `severity` is 0 (barely visible) to 1 (blatant); `box` is (x, y, width, height) in px of the frame.
    """

    label: Label
    defect_class: str | None = None
    severity: float | None = None
    box: tuple[int, int, int, int] | None = None
