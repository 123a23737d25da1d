"""Exit bands, first form: plainly calibrated and *uncertified*.

An exit may decide where, on the calibration split, it agreed with the full model, and then a margin is kept. That is
a choice, not a promise: how often it errs on new parts is bounded only by a certificate (`inspector certify`).

Truth for an exit is the full model's own answer, in the precision that is deployed: an exit must not add mistakes.
The margin is taken in logits, ln(p / (1 - p)), where a network's scores are spread evenly.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspector.domain.exits import ExitBand

Scores = NDArray[np.floating]
"""Softmax probabilities, shape (n, classes)."""

THRESHOLD_WITHIN = (0.2, 0.8)
"""The last stage's threshold stays in here: beyond, it would follow a few odd parts into the crowd of sure ones."""

_SMALLEST = 1e-7  # scores come as f32: nearer to 0 or 1 they no longer tell parts apart
_DIGITS = 7


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many disagreements with the full model an exit may show on the calibration split.

    `escapes`: OK where the full model says NG. `overkill`: NG where it says OK. `misnamed`: NG with another class.
    """

    escapes: int = 0
    overkill: int = 0
    misnamed: int = 0


@dataclass(frozen=True, slots=True)
class BandRule:
    """`margin` in logits is kept from the first disagreement too many; 1.0 means odds 2.7 times as sure."""

    allowance: Allowance = Allowance()
    margin: float = 1.0

    def __post_init__(self) -> None:
        if not self.margin >= 0:
            raise ValueError(f"margin must be 0 or more logits, got {self.margin}")


def p_defect(scores: Scores, ok_index: int) -> NDArray[np.float64]:
    """1 - p(ok) per part, in f64, shape (n,)."""
    return np.asarray(1.0 - scores[:, ok_index].astype(np.float64), np.float64)


def named_class(scores: Scores, ok_index: int) -> NDArray[np.int64]:
    """The likeliest defect class per part, as a column index, whether or not the part is good. Shape (n,)."""
    defects = scores.astype(np.float64)
    defects[:, ok_index] = -1.0
    return np.asarray(defects.argmax(axis=1), np.int64)


def answers(scores: Scores, ok_index: int, band: ExitBand) -> NDArray[np.int64]:
    """What a stage with `band` answers per part: `ok_index`, a defect column, or -1 where it is unsure. Shape (n,)."""
    p = p_defect(scores, ok_index)
    sure_of = np.where(p > band.ng_above, named_class(scores, ok_index), -1)
    return np.asarray(np.where(p < band.ok_below, ok_index, sure_of), np.int64)


def full_band(scores: Scores, labels: NDArray[np.int64], ok_index: int, *, escape_cost: float = 5.0) -> ExitBand:
    """One threshold for the last stage (ok_below == ng_above): the cheapest on labelled parts, shape (n,).

    An escape costs `escape_cost` times as much as an overkill. Of all equally cheap thresholds the middle (in logits)
    of the widest run is taken: it is the farthest from any part. It lies within `THRESHOLD_WITHIN`.
    """
    if len(scores) == 0:
        raise ValueError("the threshold of the last stage needs at least one labelled part")
    level = _logit(p_defect(scores, ok_index))
    order = np.argsort(level, kind="stable")
    level, is_ng = level[order], (labels != ok_index)[order]
    # Threshold i stands before part i: parts below pass, so NG parts below escape, and OK parts from i on are overkill.
    escapes = np.concatenate([[0], np.cumsum(is_ng)])
    overkill = np.concatenate([[0], np.cumsum(~is_ng)])
    cost = escape_cost * escapes + (overkill[-1] - overkill)
    end = _logit(np.array(THRESHOLD_WITHIN))
    left = np.clip(np.concatenate([[-np.inf], level]), *end)
    right = np.clip(np.concatenate([level, [np.inf]]), *end)
    width = np.where(cost == cost[right > left].min(), right - left, -1.0) if (right > left).any() else right - left
    best = int(width.argmax())
    threshold = round(_sigmoid((left[best] + right[best]) / 2), _DIGITS)
    return ExitBand(threshold, threshold)


def exit_band(scores: Scores, full_answers: NDArray[np.int64], ok_index: int, rule: BandRule) -> ExitBand:
    """The widest band of an exit that keeps `rule` on these parts. `full_answers` is `answers` of the full model.

    A part on which the full model itself is unsure (-1) counts as a disagreement on both sides. Without any
    disagreement a side still ends at 0.5.
    """
    level = _logit(p_defect(scores, ok_index))
    allowed, named = rule.allowance, named_class(scores, ok_index)
    is_ok = full_answers == ok_index
    unsure = full_answers < 0
    wrong_if_ok = level[~is_ok]
    overkill = level[is_ok | unsure]
    misnamed = level[~is_ok & ~unsure & (named != full_answers)]
    ok_end = min(0.0, _nth(wrong_if_ok, allowed.escapes, math.inf) - rule.margin)
    ng_end = max(
        0.0,
        -_nth(-overkill, allowed.overkill, math.inf) + rule.margin,
        -_nth(-misnamed, allowed.misnamed, math.inf) + rule.margin,
    )
    # Rounded towards the closed side, so that the written figure never decides more than the chosen one.
    scale = 10.0**_DIGITS
    return ExitBand(
        ok_below=math.floor(_sigmoid(ok_end) * scale) / scale, ng_above=math.ceil(_sigmoid(ng_end) * scale) / scale
    )


def _nth(values: NDArray[np.float64], n: int, otherwise: float) -> float:
    """The n-th smallest (from 0) of `values`; `otherwise` when there are not so many."""
    return float(np.sort(values)[n]) if len(values) > n else otherwise


def _logit(p: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped = np.clip(p, _SMALLEST, 1.0 - _SMALLEST)
    return np.asarray(np.log(clipped) - np.log1p(-clipped), np.float64)


def _sigmoid(level: float) -> float:
    return 1.0 / (1.0 + math.exp(-level))
