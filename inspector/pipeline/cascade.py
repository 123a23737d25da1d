"""The cascade: stages run one after the other, and only as far as the part needs.

begin ─▶ stage 1 ─ sure ─▶ verdict
            │ unsure, or the exit is closed
            ▼
         stage 2 ─ sure ─▶ verdict
            ⋮
         last stage ─ sure ─▶ verdict
            │ unsure
            ▼
         UNDECIDED (the part is held)

A stage behind a closed exit is passed over altogether, unless an audit wants its answer or a stage that runs takes its
features: "full model only" costs what the full model costs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.domain.certificate import CertificateStatus
from inspector.domain.errors import InspectorError
from inspector.domain.exits import EscalationReason, ExitBand, ExitDecision, ExitScore
from inspector.domain.frame import Image
from inspector.domain.model import ModelInfo
from inspector.domain.recipe import Recipe
from inspector.domain.verdict import Outcome, Verdict
from inspector.ports import StagedSession

_SUM_TOLERANCE = 0.02
"""Softmax in reduced precision may miss 1 by a little; more than this is no probability."""


class BadScoreError(InspectorError):
    """A stage answered with something that is no probability."""


@dataclass(frozen=True, slots=True)
class ExitPolicy:
    """The bands in force, in stage order, and which exits are closed. Replaced as a whole, never edited.

    `closed` says why an exit decides nothing. GUARDRAIL: its answer is not wanted, so its stage need not run. AUDIT: it
    is wanted, to be compared with the full model's. The last exit is never closed: it is what everything falls back to.
    A band set by hand voids the certificate.
    """

    bands: tuple[ExitBand, ...]
    closed: tuple[EscalationReason | None, ...]
    certificate: CertificateStatus

    @classmethod
    def of(cls, recipe: Recipe, info: ModelInfo) -> "ExitPolicy":
        """The bundle's bands with the recipe's overrides. `full_model_only` closes every exit but the last."""
        bands = tuple(recipe.bands.get(stage.exit, stage.band) for stage in info.stages)
        early = EscalationReason.GUARDRAIL if recipe.full_model_only else None
        certificate = info.certificate.with_hand_set(tuple(recipe.bands))
        return cls(bands, (early,) * (len(bands) - 1) + (None,), certificate)


def checked_scores(scores: NDArray[np.floating[Any]], n_classes: int, stage: str) -> tuple[float, ...]:
    """`scores` as floats in [0, 1], or BadScoreError. f32, shape (n_classes,), softmax."""
    if scores.shape != (n_classes,):
        raise BadScoreError(f"stage {stage} answered with shape {scores.shape}, the bundle has {n_classes} classes")
    values: list[float] = scores.tolist()  # plain floats: numpy's own checks cost more than the few numbers are worth
    if not all(map(math.isfinite, values)):  # first: every comparison with NaN below would be False
        raise BadScoreError(f"stage {stage} answered with a score that is not finite")
    if min(values) < 0.0 or max(values) > 1.0 + _SUM_TOLERANCE or abs(sum(values) - 1.0) > _SUM_TOLERANCE:
        told = [round(value, 3) for value in values]
        raise BadScoreError(f"stage {stage} answered with {told}, which are no probabilities")
    return tuple(min(value, 1.0) for value in values)


class Cascade:
    """Judges one picture after another for one model. Stateless, shared by all workers."""

    def __init__(self, info: ModelInfo) -> None:
        self._info = info
        self._ok = info.classes.index(info.ok_class)
        names = [stage.name for stage in info.stages]
        self._giver = [None if stage.feeds_on is None else names.index(stage.feeds_on) for stage in info.stages]

    def judge(self, session: StagedSession, image: Image, policy: ExitPolicy) -> Verdict:
        """The verdict on `image`. Raises BadScoreError, or whatever the runtime raises: the caller holds the part."""
        session.begin(image)
        done: list[ExitScore] = []
        needed = self._needed(policy)
        for index, stage in enumerate(self._info.stages):
            if not needed[index]:
                continue
            output = session.run(index)
            scores = checked_scores(output.scores, len(self._info.classes), stage.name)
            p_defect = min(max(1.0 - scores[self._ok], 0.0), 1.0)
            reason = policy.closed[index]
            decision = policy.bands[index].decide(p_defect) if reason is None else ExitDecision.UNSURE
            if decision is not ExitDecision.UNSURE:
                done.append(ExitScore(stage.exit, p_defect, scores, output.latency_ms))
                defect = self._defect(scores) if decision is ExitDecision.NG and stage.names_class else None
                outcome = Outcome.OK if decision is ExitDecision.OK else Outcome.NG
                return self._verdict(outcome, stage.exit, defect, done, policy)
            done.append(ExitScore(stage.exit, p_defect, scores, output.latency_ms, reason or EscalationReason.UNSURE))
        return self._verdict(Outcome.UNDECIDED, None, None, done, policy)

    def _needed(self, policy: ExitPolicy) -> tuple[bool, ...]:
        """Per stage: whether a part that reaches it has it computed."""
        needed = [reason is not EscalationReason.GUARDRAIL for reason in policy.closed]
        for index in range(len(needed) - 1, 0, -1):  # from the end: a giver stands before its taker
            giver = self._giver[index]
            if needed[index] and giver is not None:
                needed[giver] = True
        return tuple(needed)

    def _defect(self, scores: Sequence[float]) -> str:
        """The likeliest of the classes that are not OK."""
        defects = [i for i in range(len(scores)) if i != self._ok]
        return self._info.classes[max(defects, key=scores.__getitem__)]

    def _verdict(
        self, outcome: Outcome, exit_name: str | None, defect: str | None, done: Sequence[ExitScore], policy: ExitPolicy
    ) -> Verdict:
        return Verdict(outcome, exit_name, defect, tuple(done), self._info.model_hash, policy.certificate.hash)
