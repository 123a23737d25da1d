"""Exit bands: an exit that is calibrated never disagrees with the full model more often than allowed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from inspector.domain.exits import CLOSED, ExitBand
from inspector.workshop.bands import (
    THRESHOLD_WITHIN,
    Allowance,
    BandRule,
    answers,
    exit_band,
    full_band,
    named_class,
    p_defect,
)
from inspector.workshop.quality import Rate, auroc, cascade, exit_use, quality

OK = 0


def binary(*p: float) -> NDArray[np.float64]:
    """Scores of two classes (ok, defect) from p_defect."""
    return np.stack([1 - np.array(p), np.array(p)], axis=1)


def ints(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def test_an_exit_stops_a_margin_before_its_first_disagreement() -> None:
    scores = binary(0.001, 0.02, 0.10, 0.60, 0.90, 0.999)
    full = ints(0, 0, 1, 0, 1, 1)
    tight = exit_band(scores, full, OK, BandRule(margin=0.0))
    assert tight.ok_below == pytest.approx(0.10, abs=1e-6)
    assert tight.ng_above == pytest.approx(0.60, abs=1e-6)
    assert answers(scores, OK, tight).tolist() == [0, 0, -1, -1, 1, 1]
    kept = exit_band(scores, full, OK, BandRule(margin=1.0))
    assert kept.ok_below == pytest.approx(1 / (1 + 9 * np.e), abs=1e-6)  # odds 1:9, one logit further
    assert kept.ng_above == pytest.approx(1 / (1 + np.exp(-1) * 4 / 6), abs=1e-6)


def test_an_allowance_moves_the_end_to_the_next_disagreement() -> None:
    scores = binary(0.01, 0.2, 0.3, 0.4, 0.95)
    full = ints(1, 1, 0, 0, 1)
    rule = BandRule(Allowance(escapes=1), margin=0.0)
    assert exit_band(scores, full, OK, rule).ok_below == pytest.approx(0.2, abs=1e-6)
    assert exit_band(scores, full, OK, BandRule(margin=0.0)).ok_below == pytest.approx(0.01, abs=1e-6)


def test_without_any_disagreement_a_side_ends_in_the_middle() -> None:
    band = exit_band(binary(0.1, 0.9), ints(0, 1), OK, BandRule(margin=0.0))
    assert band == ExitBand(0.5, 0.5)


def test_a_part_on_which_the_full_model_is_unsure_closes_both_sides() -> None:
    band = exit_band(binary(0.2, 0.7), ints(-1, -1), OK, BandRule(margin=0.0))
    assert band.ok_below == pytest.approx(0.2, abs=1e-6)
    assert band.ng_above == pytest.approx(0.7, abs=1e-6)


def test_an_exit_must_name_the_class_as_the_full_model_does() -> None:
    scores = np.array([[0.05, 0.90, 0.05], [0.01, 0.09, 0.90], [0.002, 0.990, 0.008]])
    assert named_class(scores, OK).tolist() == [1, 2, 1]
    named_alike = exit_band(scores, ints(1, 2, 1), OK, BandRule(margin=0.0))
    assert named_alike.ng_above == 0.5
    second_differs = exit_band(scores, ints(1, 1, 1), OK, BandRule(margin=0.0))
    assert answers(scores, OK, second_differs).tolist() == [-1, -1, 1]
    allowed = exit_band(scores, ints(1, 1, 1), OK, BandRule(Allowance(misnamed=1), margin=0.0))
    assert allowed.ng_above == 0.5


def test_certain_scores_do_not_break_the_arithmetic() -> None:
    band = exit_band(binary(0.0, 1.0, 0.0, 1.0), ints(0, 1, 1, 0), OK, BandRule(margin=1.0))
    assert answers(binary(0.0, 1.0), OK, band).tolist() in ([-1, -1], [0, 1], [0, -1], [-1, 1])
    assert band.ok_below < 1e-6
    assert band.ng_above > 1 - 1e-6


def test_a_negative_margin_is_refused() -> None:
    for margin in (-0.1, float("nan")):
        with pytest.raises(ValueError, match="margin"):
            BandRule(margin=margin)


@given(
    parts=st.lists(st.tuples(st.floats(1e-6, 1 - 1e-6), st.booleans()), min_size=1, max_size=60),
    escapes=st.integers(0, 3),
    overkill=st.integers(0, 3),
    margin=st.floats(0, 3),
)
def test_no_calibrated_exit_exceeds_its_allowance(
    parts: list[tuple[float, bool]], escapes: int, overkill: int, margin: float
) -> None:
    scores = binary(*(p for p, _ in parts)).astype(np.float32)
    full = ints(*(int(ng) for _, ng in parts))
    band = exit_band(scores, full, OK, BandRule(Allowance(escapes, overkill), margin))
    said = answers(scores, OK, band)
    assert int(((said == 0) & (full == 1)).sum()) <= escapes
    assert int(((said == 1) & (full == 0)).sum()) <= overkill


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40), st.floats(0.1, 20))
def test_the_last_threshold_is_the_cheapest(parts: list[tuple[float, bool]], escape_cost: float) -> None:
    scores = binary(*(p for p, _ in parts))
    labels = ints(*(int(ng) for _, ng in parts))

    def cost(threshold: float) -> float:
        found = quality(answers(scores, OK, ExitBand(threshold, threshold)), labels, OK)
        return escape_cost * (found.escape.count) + found.overkill.count

    band = full_band(scores, labels, OK, escape_cost=escape_cost)
    assert band.ok_below == band.ng_above
    low, high = THRESHOLD_WITHIN
    ends = [low, high, *(float(p) for p in p_defect(scores, OK) if low < p < high)]
    between = [(a + b) / 2 for a, b in zip(sorted(ends), sorted(ends)[1:], strict=False) if b - a > 1e-4]
    assert cost(band.ok_below) <= min(cost(t) for t in between) + 1e-9


def test_the_last_threshold_stands_far_from_the_parts_and_leans_with_the_cost() -> None:
    assert full_band(binary(0.1, 0.9), ints(0, 1), OK).ok_below == pytest.approx(0.5)
    overlapping, labels = binary(0.1, 0.4, 0.6, 0.9), ints(0, 1, 0, 1)
    assert full_band(overlapping, labels, OK, escape_cost=5).ok_below < 0.4
    assert full_band(overlapping, labels, OK, escape_cost=0.2).ok_below > 0.6
    odd_one_out = full_band(binary(0.01, 0.02, 0.03, 0.9), ints(0, 1, 0, 1), OK, escape_cost=50)
    assert odd_one_out.ok_below == pytest.approx(0.5)  # not below 0.02, though that were cheaper
    with pytest.raises(ValueError, match="at least one"):
        full_band(np.zeros((0, 2)), ints(), OK)


def test_a_cascade_takes_the_first_sure_answer() -> None:
    front, full = binary(0.01, 0.5, 0.99, 0.5), binary(0.9, 0.9, 0.1, 0.5)
    result = cascade([(front, ExitBand(0.1, 0.9)), (full, ExitBand(0.4, 0.6))], OK)
    assert result.answers.tolist() == [0, 1, 1, -1]
    assert result.exit_of.tolist() == [0, 1, 0, -1]
    labels = ints(1, 1, 0, 0)
    found = quality(result.answers, labels, OK)
    assert (found.right, found.escape, found.overkill, found.undecided) == (Rate(1, 4), Rate(1, 2), Rate(1, 2), 1)
    uses = exit_use(result, labels, OK, ["front", "full"])
    assert [(use.share.count, use.escapes, use.overkill) for use in uses] == [(2, 1, 1), (1, 0, 0)]
    closed = cascade([(front, CLOSED), (full, ExitBand(0.4, 0.6))], OK)
    assert (closed.exit_of != 0).all()


def test_clopper_pearson_agrees_with_the_closed_forms() -> None:
    assert Rate(0, 100).interval() == (0.0, pytest.approx(1 - 0.025 ** (1 / 100)))
    assert Rate(100, 100).interval() == (pytest.approx(0.025 ** (1 / 100)), 1.0)
    assert Rate(5, 50).interval() == (pytest.approx(0.033275, abs=1e-5), pytest.approx(0.218135, abs=1e-5))
    assert Rate(0, 0).interval() == (0.0, 1.0)


def test_auroc_counts_pairs_and_halves_ties() -> None:
    scores = binary(0.1, 0.4, 0.4, 0.8)
    assert auroc(scores, ints(0, 0, 1, 1), OK) == pytest.approx(3.5 / 4)
    assert np.isnan(auroc(scores, ints(0, 0, 0, 0), OK))
