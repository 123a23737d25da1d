"""The cheapest chain of stages: which front, which exit inside the network, judged by measured milliseconds.

    candidates: a front [image] · an exit at a cut [image ─▶ features] · the full model
    chain = (front | none) ─▶ (exit | none) ─▶ full

For each chain the boldest policy of its path that keeps the bounds on the tuning frames is taken, and the expected time
of a part under it. That is an estimate, good for choosing; what is promised is proven afterwards on frames that nothing
here has seen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inspector.assurance.learn_then_test import Bound
from inspector.domain.certificate import Risk
from inspector.domain.exits import ExitBand
from inspector.workshop.added_errors import AddedErrors, StageScores
from inspector.workshop.bands import Scores
from inspector.workshop.policy_path import EarlyExit, Policy, policy_path

_SAFETY = 0.5
"""A chain is judged by the policy that stays below this share of each bound on the tuning frames: certifying takes room."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A stage that may decide early: `scores` (n, classes) on the tuning frames, `ms` of its own call.

    `rest_ms` is the time of the rest of the network behind a cut; a front has none, the whole full model follows it.
    """

    name: str
    scores: Scores
    ms: float
    rest_ms: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """One chain at one policy. `expected_ms` a part; `shares` of parts that each stage decides, the full model last."""

    front: str | None
    cut: str | None
    policy: Policy
    expected_ms: float
    shares: tuple[float, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in (self.front, self.cut) if name is not None)


@dataclass(frozen=True, slots=True, eq=False)
class Tuning:
    """What every chain is judged on: the full model's scores and band, its time, and the bounds."""

    full_scores: Scores
    full_band: ExitBand
    full_ms: float
    ok_index: int
    bounds: Mapping[Risk, Bound]


def choices(fronts: Sequence[Candidate], cuts: Sequence[Candidate], tuning: Tuning) -> list[Choice]:
    """Every chain at its boldest policy within the bounds, fastest first; the full model alone is among them."""
    found = [Choice(None, None, (), tuning.full_ms, (1.0,))]
    for front in (None, *fronts):
        for cut in (None, *cuts):
            chain = [stage for stage in (front, cut) if stage is not None]
            if chain:
                found.append(_boldest(front, cut, chain, tuning))
    return sorted(found, key=lambda choice: choice.expected_ms)


def pareto(found: Sequence[Choice]) -> list[Choice]:
    """Of `found` those with fewer stages than every faster one: what more stages buy."""
    kept: list[Choice] = []
    for choice in sorted(found, key=lambda choice: (len(choice.names), choice.expected_ms)):
        if not kept or choice.expected_ms < kept[-1].expected_ms:
            kept.append(choice)
    return kept


def _boldest(front: Candidate | None, cut: Candidate | None, chain: Sequence[Candidate], tuning: Tuning) -> Choice:
    scored = StageScores(
        scores=[*(stage.scores for stage in chain), tuning.full_scores],
        names_class=[True] * (len(chain) + 1),
        full_band=tuning.full_band,
        ok_index=tuning.ok_index,
    )
    counted = AddedErrors(scored)
    exits = [EarlyExit(stage.scores) for stage in chain]
    path = policy_path(exits, scored.full_answers, tuning.ok_index, names_matter=scored.names_matter)
    # Behind the policy that still keeps the bounds, a cheaper one may stand before it: closing an exit is never wrong.
    best: Choice | None = None
    for policy in path:
        seen = counted.seen(policy)
        if any(
            s.count > _SAFETY * tuning.bounds[risk].rate * s.of for risk, s in zip(counted.risks, seen, strict=True)
        ):
            break
        choice = _timed(front, cut, policy, scored, tuning)
        if best is None or choice.expected_ms <= best.expected_ms:
            best = choice
    return best if best is not None else _timed(front, cut, path[0], scored, tuning)


def _timed(
    front: Candidate | None, cut: Candidate | None, policy: Policy, scored: StageScores, tuning: Tuning
) -> Choice:
    exit_of = scored.dynamic(policy).exit_of
    stages = len(scored.scores)
    shares = tuple(float(np.mean(exit_of == index)) for index in range(stages - 1))
    reaching, expected = 1.0, 0.0
    times = [stage.ms for stage in (front, cut) if stage is not None]
    times.append(tuning.full_ms if cut is None or cut.rest_ms is None else cut.rest_ms)
    for index, ms in enumerate(times):
        expected += reaching * ms
        if index < stages - 1:
            reaching -= shares[index]
    return Choice(
        front.name if front else None, cut.name if cut else None, policy, expected, (*shares, 1.0 - sum(shares))
    )
