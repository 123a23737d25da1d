"""The cascade computes as far as a part needs and no further, and nothing but a probability decides."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.domain.certificate import CertificateStatus, VoidReason
from inspector.domain.disposition import PASS, REJECT, Action, HoldReason
from inspector.domain.errors import ModelError
from inspector.domain.exits import CLOSED, EscalationReason, ExitBand
from inspector.domain.model import ModelInfo
from inspector.domain.recipe import PictureLimits, Recipe
from inspector.domain.verdict import Outcome, Verdict
from inspector.pipeline.cascade import BadScoreError, Cascade, ExitPolicy, checked_scores
from inspector.pipeline.disposition import disposition_of
from inspector.pipeline.rules import Rules
from inspector.testing import FakeClassifier, fake_model_info

INFO = replace(
    fake_model_info(
        classes=("scratch", "ok", "stain"),
        bands={"front": ExitBand(0.1, 0.9), "middle": ExitBand(0.2, 0.8), "full": ExitBand(0.4, 0.6)},
    ),
    certificate=CertificateStatus("c" * 64, "certified: added escapes ≤ 0.1 % (95 %), labels"),
)
IMAGE = np.full(INFO.input.shape, 100, np.uint8)
RECIPE = Recipe("r", "Bracket", "bundle")

OK, NG, UNSURE = (0.02, 0.95, 0.03), (0.9, 0.03, 0.07), (0.3, 0.5, 0.2)


def classifier(*scores: Sequence[float] | Exception, info: ModelInfo = INFO) -> FakeClassifier:
    return FakeClassifier(lambda image: scores, info=info)


def judged(model: FakeClassifier, recipe: Recipe = RECIPE) -> Verdict:
    return Cascade(model.info).judge(model.session(), IMAGE, ExitPolicy.of(recipe, model.info))


@pytest.mark.parametrize(
    ("scores", "outcome", "exit_name", "runs"),
    [
        ((OK, OK, OK), Outcome.OK, "front", [1, 0, 0]),
        ((NG, OK, OK), Outcome.NG, "front", [1, 0, 0]),
        ((UNSURE, OK, NG), Outcome.OK, "middle", [1, 1, 0]),
        ((UNSURE, NG, OK), Outcome.NG, "middle", [1, 1, 0]),
        ((UNSURE, UNSURE, OK), Outcome.OK, "full", [1, 1, 1]),
        ((UNSURE, UNSURE, NG), Outcome.NG, "full", [1, 1, 1]),
        ((UNSURE, UNSURE, UNSURE), Outcome.UNDECIDED, None, [1, 1, 1]),
    ],
)
def test_a_stage_that_is_not_needed_is_never_computed(
    scores: Sequence[Sequence[float]], outcome: Outcome, exit_name: str | None, runs: list[int]
) -> None:
    model = classifier(*scores)
    verdict = judged(model)
    assert (verdict.outcome, verdict.exit) == (outcome, exit_name)
    assert model.runs == runs
    assert [score.exit for score in verdict.exits] == list(INFO.exits[: sum(runs)])


def test_the_verdict_says_why_each_stage_was_left() -> None:
    verdict = judged(classifier(UNSURE, UNSURE, NG))
    assert [s.escalated for s in verdict.exits] == [EscalationReason.UNSURE, EscalationReason.UNSURE, None]
    assert verdict.exits[0].scores == pytest.approx(UNSURE)
    assert verdict.exits[0].p_defect == pytest.approx(0.5)
    assert (verdict.model_hash, verdict.certificate_hash) == (INFO.model_hash, "c" * 64)
    assert verdict.inference_ms == 3.0


def test_the_defect_is_the_likeliest_class_but_never_ok() -> None:
    assert judged(classifier(NG)).defect_class == "scratch"
    assert judged(classifier((0.1, 0.05, 0.85))).defect_class == "stain"
    close = replace(INFO, stages=(replace(INFO.stages[0], band=ExitBand(0.1, 0.5)), *INFO.stages[1:]))
    assert judged(classifier((0.25, 0.45, 0.3), info=close)).defect_class == "stain", (
        "OK has the most, yet is no defect"
    )
    assert judged(classifier(OK)).defect_class is None


def test_a_stage_that_knows_no_classes_names_none() -> None:
    info = replace(INFO, stages=(replace(INFO.stages[0], names_class=False), *INFO.stages[1:]))
    verdict = judged(classifier(NG, info=info))
    assert (verdict.outcome, verdict.defect_class) == (Outcome.NG, None)


# --- Scores that are none --------------------------------------------------------------------------------------------

BAD = {
    "nan": (math.nan, 0.5, 0.5),
    "all nan": (math.nan,) * 3,
    "infinite": (0.0, math.inf, 0.0),
    "negative": (-0.01, 1.0, 0.01),
    "above one": (0.0, 1.03, 0.0),
    "sum too small": (0.3, 0.3, 0.3),
    "sum too large": (0.4, 0.4, 0.4),
    "all zero": (0.0, 0.0, 0.0),
    "logits": (-3.1, 8.2, 0.4),
    "huge": (3.4e38, 3.4e38, 0.0),
    "one short": (0.5, 0.5),
    "one more": (0.25, 0.25, 0.25, 0.25),
    "a batch": ((0.02, 0.95, 0.03),),
    "nothing": (),
}


@pytest.mark.parametrize("scores", BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("stage", [0, 2])
def test_what_is_no_probability_decides_nothing(scores: Any, stage: int) -> None:
    model = classifier(*[UNSURE] * stage, scores, OK, OK)
    with pytest.raises(BadScoreError, match=INFO.stages[stage].name):
        judged(model)
    assert sum(model.runs) == stage + 1, "nothing is computed after it"


def test_softmax_in_half_precision_passes() -> None:
    half = np.array([0.0003, 0.9993, 0.0008], np.float16)
    assert sum(checked_scores(half, 3, "front")) == pytest.approx(1.0, abs=0.02)
    assert checked_scores(np.array([0.0, 1.005, 0.0], np.float32), 3, "front") == (0.0, 1.0, 0.0)


@given(st.lists(st.floats(width=32), min_size=0, max_size=4))
def test_scores_are_probabilities_or_refused(values: list[float]) -> None:
    try:
        scores = checked_scores(np.array(values, np.float32), 3, "front")
    except BadScoreError:
        return
    assert len(scores) == 3
    assert all(0.0 <= score <= 1.0 for score in scores)
    assert abs(sum(scores) - 1.0) < 0.03


def test_an_error_of_the_runtime_reaches_the_caller() -> None:
    with pytest.raises(ModelError, match="device lost"):
        judged(classifier(UNSURE, ModelError("device lost")))


# --- Policy ----------------------------------------------------------------------------------------------------------


def test_full_model_only_closes_every_exit_but_the_last() -> None:
    model = classifier(OK, OK, NG)
    verdict = judged(model, replace(RECIPE, full_model_only=True))
    assert (verdict.outcome, verdict.exit) == (Outcome.NG, "full")
    assert [s.escalated for s in verdict.exits] == [None]
    assert model.runs == [0, 0, 1], "a stage that neither decides nor feeds another costs nothing"
    assert verdict.certificate_hash == "c" * 64


@pytest.mark.parametrize(
    ("feeds", "runs"),
    [({2: 1, 1: 0}, [1, 1, 1]), ({2: 0}, [1, 0, 1]), ({2: 1}, [0, 1, 1]), ({1: 0}, [0, 0, 1])],
)
def test_a_closed_exit_whose_features_are_needed_is_computed_and_decides_nothing(
    feeds: dict[int, int], runs: list[int]
) -> None:
    model = FakeClassifier(lambda image: (OK, OK, NG), info=INFO, feeds=feeds)
    verdict = judged(model, replace(RECIPE, full_model_only=True))
    assert (verdict.outcome, verdict.exit) == (Outcome.NG, "full")
    assert model.runs == runs
    assert [s.exit for s in verdict.exits] == [exit_ for exit_, ran in zip(INFO.exits, runs, strict=True) if ran]
    assert [s.escalated for s in verdict.exits[:-1]] == [EscalationReason.GUARDRAIL] * (sum(runs) - 1)


def test_an_audited_part_gets_the_answer_of_the_exit_that_does_not_decide() -> None:
    model = classifier(OK, OK, NG)
    closed = (EscalationReason.AUDIT, EscalationReason.GUARDRAIL, None)
    policy = replace(ExitPolicy.of(RECIPE, INFO), closed=closed)
    verdict = Cascade(INFO).judge(model.session(), IMAGE, policy)
    assert (verdict.outcome, verdict.exit) == (Outcome.NG, "full")
    assert model.runs == [1, 0, 1]
    assert [(s.exit, s.escalated) for s in verdict.exits] == [("front", EscalationReason.AUDIT), ("full", None)]


def test_full_model_only_of_a_single_stage_closes_nothing() -> None:
    info = fake_model_info(bands={"full": ExitBand(0.5, 0.5)})
    assert ExitPolicy.of(replace(RECIPE, full_model_only=True), info).closed == (None,)


def test_a_band_set_by_hand_holds_and_voids_the_certificate() -> None:
    by_hand = replace(RECIPE, bands={"front": CLOSED})
    model = classifier(OK, OK, OK)
    verdict = judged(model, by_hand)
    assert verdict.exit == "middle"
    assert verdict.certificate_hash is None
    voided = ExitPolicy.of(by_hand, INFO).certificate
    assert voided.void is VoidReason.BANDS
    assert voided.sentence == "uncertified: the certificate is void, because a band was set by hand (front)"
    uncertified = replace(INFO, certificate=CertificateStatus.none())
    assert ExitPolicy.of(by_hand, uncertified).certificate == CertificateStatus.none()
    assert ExitPolicy.of(by_hand, INFO).bands == (CLOSED, INFO.stages[1].band, INFO.stages[2].band)


def test_rules_take_all_of_a_recipe_that_may_change() -> None:
    recipe = replace(RECIPE, deadline_ms=40.0, picture=PictureLimits(black_below_mean=3.0))
    rules = Rules.of(recipe, INFO, "v1")
    assert rules == Rules("r", "v1", ExitPolicy.of(recipe, INFO), recipe.picture, 40.0)


@given(st.lists(st.tuples(*[st.floats(0.0, 1.0)] * 2), min_size=1, max_size=4), st.data())
def test_no_part_is_ok_without_a_stage_below_its_band(bands: list[tuple[float, float]], data: st.DataObject) -> None:
    info = fake_model_info(bands={f"e{n}": ExitBand(min(b), max(b)) for n, b in enumerate(bands)})
    p_ok = data.draw(st.lists(st.floats(0.0, 1.0), min_size=len(bands), max_size=len(bands)))
    verdict = judged(classifier(*[(p, 1.0 - p) for p in p_ok], info=info))
    last = verdict.exits[-1]
    band = info.stages[len(verdict.exits) - 1].band
    if verdict.outcome is Outcome.OK:
        assert last.p_defect < band.ok_below
    elif verdict.outcome is Outcome.NG:
        assert last.p_defect > band.ng_above
    else:
        assert len(verdict.exits) == len(bands)


# --- Disposition -----------------------------------------------------------------------------------------------------


def test_only_a_clear_verdict_moves_a_part() -> None:
    assert disposition_of(judged(classifier(OK))) is PASS
    assert disposition_of(judged(classifier(NG))) is REJECT
    held = disposition_of(judged(classifier(UNSURE, UNSURE, UNSURE)))
    assert (held.action, held.hold_reason) == (Action.HOLD, HoldReason.UNDECIDED)
    assert "full gave p_defect 0.500" in held.detail


def test_a_model_without_stages_decides_nothing() -> None:
    verdict = Verdict(Outcome.UNDECIDED, None, None, (), "0" * 64, None)
    assert disposition_of(verdict).hold_reason is HoldReason.UNDECIDED
