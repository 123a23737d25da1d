"""The order in which policies are tried for a certificate, from "every exit closed" to bold, made from tuning frames only.

    p_defect of one exit in logits, tuning frames
    sure OK                                                                                       sure NG
     ├──────────▶ margins shrink ──▶┤1st disagreement                  1st disagreement├◀─ margins ───┤
                                    ├▶ 2nd ▶ 3rd …          middle            … 3rd ◀ 2nd ◀┤

All exits and both sides move together, so a path is one line of policies and each holds the one before it. A
disagreement is a frame on which the exit, if it decided, would differ from the full model: the path is fixed before
calibration frames are seen, which is what the test behind a certificate needs. Whether it is a clever order decides how
much is certified, never whether it is valid.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspector.domain.exits import CLOSED, ExitBand
from inspector.workshop.bands import Scores, full_band, named_class, p_defect

Policy = tuple[ExitBand, ...]
"""One band per early exit, in order of the stages."""

_SMALLEST = 1e-7  # as in `bands`: scores come as f32
_FARTHEST = math.log1p(-_SMALLEST) - math.log(_SMALLEST) - 1e-9
_DIGITS = 7


@dataclass(frozen=True, slots=True, eq=False)
class EarlyExit:
    """What an exit said of the tuning frames: `scores` (n, classes); `names_class` as in the bundle."""

    scores: Scores
    names_class: bool = True


@dataclass(frozen=True, slots=True)
class PathShape:
    """`margins` steps from closed to the first disagreement, evenly in logits; then `allowed` disagreements, one each.

    Finer steps cost nothing in confidence (each test runs at the full level), only time.
    """

    margins: int = 45
    allowed: int = 15

    def __post_init__(self) -> None:
        if self.margins < 1 or self.allowed < 0:
            raise ValueError(f"a path has at least one margin and no negative allowance, got {self}")


DEFAULT_SHAPE = PathShape()


def policy_path(
    exits: Sequence[EarlyExit],
    full_answers: NDArray[np.int64],
    ok_index: int,
    *,
    names_matter: bool,
    shape: PathShape = DEFAULT_SHAPE,
) -> tuple[Policy, ...]:
    """The policies, safest first: the first has every exit closed, repeated ones are left out.

    `full_answers` is `bands.answers` of the full model on the same frames, shape (n,), -1 where it is unsure.
    `names_matter`: an exit that says NG must also name the class as the full model does.
    """
    if len(full_answers) == 0:
        raise ValueError("a path of policies needs at least one tuning frame")
    ends = [_ends(exit_, full_answers, ok_index, names_matter, shape) for exit_ in exits]
    path: list[Policy] = [(CLOSED,) * len(exits)]
    for step in range(shape.margins + shape.allowed):
        policy = tuple(_band(ok[step], ng[step]) for ok, ng in ends)
        if policy != path[-1]:
            path.append(policy)
    return tuple(path)


Ends = NDArray[np.float64]
"""Where one side of one exit ends at each step, in logits."""


def _ends(
    exit_: EarlyExit, full_answers: NDArray[np.int64], ok_index: int, names_matter: bool, shape: PathShape
) -> tuple[Ends, Ends]:
    level = _logit(p_defect(exit_.scores, ok_index))
    full_ok, unsure = full_answers == ok_index, full_answers < 0
    wrong_if_ng = full_ok | unsure
    if names_matter:
        named = named_class(exit_.scores, ok_index) if exit_.names_class else np.full(len(level), -1, np.int64)
        wrong_if_ng = wrong_if_ng | (named != full_answers)
    middle = _middle(exit_, full_answers, ok_index)
    ok = _side(level, level[~full_ok], middle, shape)
    ng = -_side(-level, -level[wrong_if_ng], -middle, shape)
    return ok, ng


def _side(level: Ends, disagreements: Ends, middle: float, shape: PathShape) -> Ends:
    """The OK side; the NG side is its mirror image. Rising, and never beyond `middle`."""
    in_order = np.sort(disagreements)
    # Beyond the last disagreement nothing is known against the side but the middle, where the other one begins.
    stops = np.minimum(np.append(in_order, np.inf)[: shape.allowed + 1], middle)
    stops = np.append(stops, np.full(shape.allowed + 1 - len(stops), stops[-1]))
    surest = min(float(level.min()), float(stops[0]))
    return np.concatenate([np.linspace(surest, stops[0], shape.margins), stops[1:]])


def _middle(exit_: EarlyExit, full_answers: NDArray[np.int64], ok_index: int) -> float:
    """The threshold with the fewest disagreements, in logits: a network's own need not stand at 0.5."""
    threshold = full_band(exit_.scores, full_answers, ok_index, escape_cost=1.0).ok_below
    return float(_logit(np.array([threshold]))[0])


def _band(ok_end: float, ng_end: float) -> ExitBand:
    """Rounded towards the closed side, so that the written figures never decide more than was meant. An end beyond which
    scores cannot be told apart is closed: a frame further out may be the one that disagreed."""
    scale = 10.0**_DIGITS
    ok_below = math.floor(_sigmoid(ok_end) * scale) / scale if ok_end > -_FARTHEST else 0.0
    ng_above = math.ceil(_sigmoid(ng_end) * scale) / scale if ng_end < _FARTHEST else 1.0
    return ExitBand(ok_below, max(ok_below, ng_above))


def _logit(p: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped = np.clip(p, _SMALLEST, 1.0 - _SMALLEST)
    return np.asarray(np.log(clipped) - np.log1p(-clipped), np.float64)


def _sigmoid(level: float) -> float:
    return 1.0 / (1.0 + math.exp(-level))
