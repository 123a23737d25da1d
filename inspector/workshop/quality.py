"""How good a cascade is on labelled parts: counts with exact intervals, per exit and as a whole."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, rankdata

from inspector.domain.exits import ExitBand
from inspector.workshop.bands import Scores, answers, p_defect


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` events in `of` trials."""

    count: int
    of: int

    @property
    def value(self) -> float:
        return self.count / self.of if self.of else math.nan

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Clopper-Pearson, two-sided (Biometrika 26, 1934). (0, 1) without trials."""
        if self.of == 0:
            return (0.0, 1.0)
        tail = (1.0 - confidence) / 2
        low = 0.0 if self.count == 0 else float(beta.ppf(tail, self.count, self.of - self.count + 1))
        high = 1.0 if self.count == self.of else float(beta.ppf(1 - tail, self.count + 1, self.of - self.count))
        return (low, high)


@dataclass(frozen=True, slots=True)
class Quality:
    """`escape`: NG parts passed, of all NG parts. `overkill`: OK parts rejected, of all OK parts. `right`: parts whose
    OK/NG answer is right; an undecided part counts as wrong here and is listed in `undecided`. `named`: NG parts
    rejected under their own class, of those rejected."""

    right: Rate
    escape: Rate
    overkill: Rate
    undecided: int
    named: Rate


@dataclass(frozen=True, slots=True)
class ExitUse:
    """What one stage of a cascade decided: `share` of all parts, and its own mistakes."""

    name: str
    share: Rate
    escapes: int
    overkill: int


@dataclass(frozen=True, slots=True, eq=False)
class CascadeResult:
    """`answers` per part: class index, or -1 undecided; `exit_of` the index of the deciding stage, or -1."""

    answers: NDArray[np.int64]
    exit_of: NDArray[np.int64]


def cascade(stages: Sequence[tuple[Scores, ExitBand]], ok_index: int) -> CascadeResult:
    """Run the parts through the stages' bands, in order, as the station does."""
    n = len(stages[0][0])
    final = np.full(n, -1, np.int64)
    exit_of = np.full(n, -1, np.int64)
    for index, (scores, band) in enumerate(stages):
        said = answers(scores, ok_index, band)
        decides = (exit_of < 0) & (said >= 0)
        final[decides] = said[decides]
        exit_of[decides] = index
    return CascadeResult(final, exit_of)


def quality(said: NDArray[np.int64], labels: NDArray[np.int64], ok_index: int) -> Quality:
    """Compare answers (-1 undecided) with labels, both shape (n,)."""
    is_ng = labels != ok_index
    passed, rejected = said == ok_index, (said >= 0) & (said != ok_index)
    right = (passed & ~is_ng) | (rejected & is_ng)
    caught = rejected & is_ng
    return Quality(
        right=_rate(right, np.ones_like(right)),
        escape=_rate(passed, is_ng),
        overkill=_rate(rejected, ~is_ng),
        undecided=int((said < 0).sum()),
        named=_rate(said == labels, caught),
    )


def exit_use(result: CascadeResult, labels: NDArray[np.int64], ok_index: int, names: Sequence[str]) -> list[ExitUse]:
    is_ng = labels != ok_index
    uses = []
    for index, name in enumerate(names):
        mine = result.exit_of == index
        passed = result.answers == ok_index
        uses.append(
            ExitUse(
                name=name,
                share=_rate(mine, np.ones_like(mine)),
                escapes=int((mine & passed & is_ng).sum()),
                overkill=int((mine & ~passed & ~is_ng).sum()),
            )
        )
    return uses


def auroc(scores: Scores, labels: NDArray[np.int64], ok_index: int) -> float:
    """Area under the ROC curve of p_defect for NG against OK (Mann-Whitney); nan when one side is missing."""
    return auroc_of(p_defect(scores, ok_index), np.asarray(labels != ok_index, np.bool_))


def auroc_of(p: NDArray[np.float64], is_ng: NDArray[np.bool_]) -> float:
    """As `auroc`, of any score `p` (n,) that should be higher for NG parts."""
    n_ng, n_ok = int(is_ng.sum()), int((~is_ng).sum())
    if n_ng == 0 or n_ok == 0:
        return math.nan
    ranks = rankdata(p)
    return float((ranks[is_ng].sum() - n_ng * (n_ng + 1) / 2) / (n_ng * n_ok))


def _rate(event: NDArray[np.bool_], among: NDArray[np.bool_]) -> Rate:
    return Rate(int((event & among).sum()), int(among.sum()))
