"""What a policy of early exits adds to the full model's errors, part by part.

                 full passes     full rejects            full is unsure (held)
    passes       –               added escape            added escape
    rejects      added overkill  added misnaming if it   added overkill
                                 names another class

With labels an added escape is counted among parts labelled NG, added overkill among parts labelled OK. Without them the
full model's own answer takes the label's place: what it does not pass counts as NG.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspector.assurance.learn_then_test import Seen
from inspector.domain.certificate import Risk
from inspector.domain.exits import ExitBand
from inspector.workshop.bands import Scores, answers
from inspector.workshop.quality import CascadeResult, cascade

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class StageScores:
    """Scores of all stages on the same frames: each (n, classes). The last stage is the full model under `full_band`."""

    scores: Sequence[Scores]
    names_class: Sequence[bool]
    full_band: ExitBand
    ok_index: int

    @property
    def full_answers(self) -> NDArray[np.int64]:
        """Shape (n,): class index, or -1 where the full model is unsure."""
        return answers(self.scores[-1], self.ok_index, self.full_band)

    @property
    def names_matter(self) -> bool:
        """Whether a defect class can be wrong: there are several, and the full model names one."""
        return self.scores[0].shape[1] > 2 and self.names_class[-1]

    def dynamic(self, policy: Sequence[ExitBand]) -> CascadeResult:
        """The parts under `policy`, one band per early exit, as the station judges them."""
        return cascade(list(zip(self.scores, (*policy, self.full_band), strict=True)), self.ok_index)


@dataclass(frozen=True, slots=True, eq=False)
class AddedErrors:
    """Counts added errors of policies on `scored` parts; `is_ng` (n,) is the labels' opinion, None: the full model's."""

    scored: StageScores
    is_ng: Flags | None = None

    @property
    def risks(self) -> tuple[Risk, ...]:
        """Which risks these parts have, in the order of everything else."""
        named = (Risk.ADDED_MISNAMING,) if self.scored.names_matter else ()
        return (Risk.ADDED_ESCAPE, Risk.ADDED_OVERKILL, *named)

    @property
    def ng(self) -> Flags:
        if self.is_ng is not None:
            return self.is_ng
        return np.asarray(self.scored.full_answers != self.scored.ok_index, np.bool_)

    def events(self, policy: Sequence[ExitBand]) -> Mapping[Risk, Flags]:
        """Which parts go wrong in each way under `policy`."""
        scored, full = self.scored, self.scored.full_answers
        result = scored.dynamic(policy)
        early = result.exit_of < len(scored.scores) - 1  # undecided parts (-1) are the full model's own
        passes, full_passes = result.answers == scored.ok_index, full == scored.ok_index
        rejects, full_rejects = (result.answers >= 0) & ~passes, (full >= 0) & ~full_passes
        speaks = np.array([*scored.names_class])[np.maximum(result.exit_of, 0)]
        misnames = early & rejects & full_rejects & (~speaks | (result.answers != full))
        ng = self.ng
        events = {
            Risk.ADDED_ESCAPE: ng & passes & ~full_passes,
            # Against the full model's own answer a held part is no good one, but its rejection is added all the same.
            Risk.ADDED_OVERKILL: ~ng & rejects & ~full_rejects,
            Risk.ADDED_MISNAMING: ng & misnames,
        }
        return {risk: events[risk] for risk in self.risks}

    def seen(self, policy: Sequence[ExitBand]) -> tuple[Seen, ...]:
        """Counts for `learn_then_test`, in the order of `risks`."""
        ng = int(self.ng.sum())
        of = {Risk.ADDED_ESCAPE: ng, Risk.ADDED_OVERKILL: len(self.ng) - ng, Risk.ADDED_MISNAMING: ng}
        return tuple(Seen(int(flags.sum()), of[risk]) for risk, flags in self.events(policy).items())
