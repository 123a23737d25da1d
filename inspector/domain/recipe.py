"""The recipe: what one product needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from inspector.domain.exits import ExitBand


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """When a picture is unfit for inspection. Grey levels are 0 to 255, shares 0 to 1.

    `blurred_below` is the mean absolute difference of neighbouring pixels (grey levels), 0 switches the check off.
    """

    black_below_mean: float = 8.0
    saturated_level: int = 250
    saturated_above_share: float = 0.6
    flat_rows_above_share: float = 0.25
    blurred_below: float = 0.4
    frozen_after: int = 1


@dataclass(frozen=True, slots=True)
class StageChoice:
    """Where and how one stage runs: an OpenVINO device name and a precision that the bundle offers."""

    device: str = "CPU"
    precision: str | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """What one product needs. `bands` override the bundle's own, by exit name, and are uncertified.

    `full_model_only` closes every exit but the last: what the last stage does not feed on is not computed. A part not decided `deadline_ms` after its picture was taken is
    held (0: no deadline).
    """

    recipe_id: str
    product: str
    bundle: str
    bands: Mapping[str, ExitBand] = field(default_factory=lambda: MappingProxyType({}))
    stages: Mapping[str, StageChoice] = field(default_factory=lambda: MappingProxyType({}))
    picture: PictureLimits = PictureLimits()
    full_model_only: bool = False
    deadline_ms: float = 0.0
