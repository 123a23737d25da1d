"""The path of policies only ever opens, starts closed, and what is certified along it keeps its bounds."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapie.risk_control.fwer_control import FWERFixedSequenceTesting
from mapie.risk_control.methods import compute_hoeffding_bentkus_p_value
from numpy.typing import NDArray

from inspector.assurance.binomial import lower_tail
from inspector.assurance.learn_then_test import Bound, Seen, last_certified, p_value
from inspector.domain.certificate import Risk
from inspector.domain.exits import CLOSED, ExitBand
from inspector.workshop.added_errors import AddedErrors, StageScores
from inspector.workshop.bands import answers
from inspector.workshop.policy_path import EarlyExit, PathShape, Policy, policy_path

OK = 0
HALF = ExitBand(0.5, 0.5)


def binary(*p: float) -> NDArray[np.float64]:
    return np.stack([1 - np.array(p), np.array(p)], axis=1)


def ints(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def contains(bold: Policy, safe: Policy) -> bool:
    return all(b.ok_below >= s.ok_below and b.ng_above <= s.ng_above for b, s in zip(bold, safe, strict=True))


# --- Its shape -------------------------------------------------------------------------------------------------------


def test_it_goes_from_closed_over_the_first_disagreement_to_the_last() -> None:
    scores = binary(0.001, 0.1, 0.2, 0.3, 0.7, 0.8, 0.999)
    full = ints(0, 1, 0, 0, 1, 0, 1)  # 0.1 is NG, 0.8 is OK
    path = policy_path([EarlyExit(scores)], full, OK, names_matter=False, shape=PathShape(5, 1))
    assert path[0] == (CLOSED,)
    assert answers(scores, OK, path[1][0]).tolist() == [-1] * 7
    first_disagreement = path[5][0]
    assert first_disagreement.ok_below == pytest.approx(0.1, abs=1e-6)
    assert first_disagreement.ng_above == pytest.approx(0.8, abs=1e-6)
    assert answers(scores, OK, path[-1][0]).tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert path[-1][0].ok_below == path[-1][0].ng_above, "the whole of the exit is open, up to its own middle"


def test_without_a_disagreement_the_sides_meet_between_the_classes() -> None:
    scores = binary(0.001, 0.01, 0.3, 0.35, 0.4)
    (band,) = policy_path([EarlyExit(scores)], ints(0, 0, 0, 1, 1), OK, names_matter=False)[-1]
    assert 0.3 < band.ok_below <= band.ng_above < 0.35


def test_an_exit_that_names_otherwise_opens_later() -> None:
    scores = np.array([[0.9, 0.05, 0.05], [0.02, 0.97, 0.01], [0.10, 0.85, 0.05], [0.2, 0.1, 0.7]])
    full = ints(0, 2, 1, 2)
    shape = PathShape(10, 0)
    free = policy_path([EarlyExit(scores)], full, OK, names_matter=False, shape=shape)[-1][0]
    bound = policy_path([EarlyExit(scores)], full, OK, names_matter=True, shape=shape)[-1][0]
    mute = policy_path([EarlyExit(scores, names_class=False)], full, OK, names_matter=True, shape=shape)[-1][0]
    assert answers(scores, OK, free).tolist() == [0, 1, 1, 2]
    assert answers(scores, OK, bound).tolist() == [0, -1, -1, -1]
    assert answers(scores, OK, mute).tolist() == [0, -1, -1, -1]
    assert bound.ok_below == free.ok_below


def test_where_the_full_model_is_unsure_no_side_is_free() -> None:
    scores = binary(0.01, 0.2, 0.8, 0.99)
    (band,) = policy_path([EarlyExit(scores)], ints(0, -1, -1, 1), OK, names_matter=False, shape=PathShape(9, 0))[-1]
    assert answers(scores, OK, band).tolist() == [0, -1, -1, 1]


def test_a_path_needs_frames() -> None:
    with pytest.raises(ValueError, match="at least one tuning frame"):
        policy_path([EarlyExit(binary())], ints(), OK, names_matter=False)
    with pytest.raises(ValueError, match="at least one margin"):
        PathShape(0)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_bolder_policy_holds_every_safer_one(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 12))
    classes = data.draw(st.integers(2, 3))
    levels = st.lists(st.floats(-20, 20), min_size=n * classes, max_size=n * classes)
    exits = []
    for _ in range(data.draw(st.integers(1, 3))):
        raw = np.exp(np.array(data.draw(levels)).reshape(n, classes))
        exits.append(EarlyExit(raw / raw.sum(axis=1, keepdims=True), data.draw(st.booleans())))
    full = np.array(data.draw(st.lists(st.integers(-1, classes - 1), min_size=n, max_size=n)), np.int64)
    names = data.draw(st.booleans())
    path = policy_path(exits, full, OK, names_matter=names, shape=PathShape(12, 5))
    assert path[0] == (CLOSED,) * len(exits)
    assert all(contains(bold, safe) for safe, bold in pairwise(path))
    assert len(set(path)) == len(path) <= 18
    # Up to the first disagreement an exit differs nowhere from the full model on the tuning frames.
    agreeing = policy_path(exits, full, OK, names_matter=names, shape=PathShape(12, 0))[-1]
    for exit_, band in zip(exits, agreeing, strict=True):
        said = answers(exit_.scores, OK, band)
        differs = (said == OK) != (full == OK) if not names else said != full
        assert not (differs & (said >= 0)).any()


# --- Counting --------------------------------------------------------------------------------------------------------


def scored(front: NDArray[np.float64], full: NDArray[np.float64], band: ExitBand = HALF) -> StageScores:
    return StageScores([front, full], [True, True], band, OK)


def test_added_errors_of_two_classes() -> None:
    front = binary(0.01, 0.01, 0.01, 0.99, 0.99, 0.99, 0.5, 0.01, 0.99)
    full = binary(0.10, 0.90, 0.10, 0.90, 0.10, 0.10, 0.9, 0.50, 0.50)
    labels_ng = np.array([0, 1, 1, 1, 0, 1, 1, 1, 0], np.bool_)
    counted = AddedErrors(scored(front, full, ExitBand(0.4, 0.6)), labels_ng)
    policy = (ExitBand(0.1, 0.9),)
    # Escapes: part 1 (full rejects) and part 7 (full holds). Part 2 the full model passes, too.
    assert counted.events(policy)[Risk.ADDED_ESCAPE].nonzero()[0].tolist() == [1, 7]
    # Overkill: part 4 (full passes) and part 8 (full holds). Part 5 is NG: its rejection is right.
    assert counted.events(policy)[Risk.ADDED_OVERKILL].nonzero()[0].tolist() == [4, 8]
    assert counted.seen(policy) == (Seen(2, 6), Seen(2, 3))
    assert counted.seen((CLOSED,)) == (Seen(0, 6), Seen(0, 3))
    free = AddedErrors(counted.scored)
    assert free.seen(policy) == (Seen(2, 5), Seen(2, 4)), "what the full model does not pass counts as NG"
    assert free.risks == (Risk.ADDED_ESCAPE, Risk.ADDED_OVERKILL)


def test_added_misnaming() -> None:
    front = np.array([[0.01, 0.9, 0.09], [0.01, 0.9, 0.09], [0.01, 0.9, 0.09], [0.3, 0.3, 0.4]])
    full = np.array([[0.01, 0.9, 0.09], [0.01, 0.09, 0.9], [0.9, 0.05, 0.05], [0.1, 0.8, 0.1]])
    counted = AddedErrors(scored(front, full), np.array([1, 1, 1, 1], np.bool_))
    policy = (ExitBand(0.1, 0.9),)
    assert counted.seen(policy) == (Seen(0, 4), Seen(0, 0), Seen(1, 4))
    mute = AddedErrors(StageScores([front, full], [False, True], HALF, OK), counted.is_ng)
    assert mute.seen(policy)[2] == Seen(2, 4), "an exit that names nothing does not name it as the full model does"
    nobody = AddedErrors(StageScores([front, full], [True, False], HALF, OK), counted.is_ng)
    assert Risk.ADDED_MISNAMING not in nobody.risks


# --- The promise -----------------------------------------------------------------------------------------------------


class World:
    """A line of parts: two exits and a full model, each seeing the truth through noise of its own."""

    def __init__(self, seed: int, parts: int, noise: tuple[float, float, float], defects: float) -> None:
        rng = np.random.default_rng(seed)
        self.is_ng = rng.random(parts) < defects
        hardness = rng.gamma(2.0, 0.7, parts)
        self.scores = []
        for sigma in noise:
            level = np.where(self.is_ng, 1.0, -1.0) * 4.0 + hardness * sigma * rng.standard_normal(parts)
            p = 1 / (1 + np.exp(-level))
            self.scores.append(np.stack([1 - p, p], axis=1))

    def counted(self, rows: NDArray[np.int64] | slice, labelled: bool) -> AddedErrors:
        scores = StageScores([s[rows] for s in self.scores], [True] * 3, ExitBand(0.4, 0.4), OK)
        return AddedErrors(scores, self.is_ng[rows] if labelled else None)

    def path(self, rows: NDArray[np.int64]) -> tuple[Policy, ...]:
        scored = self.counted(rows, True).scored
        exits = [EarlyExit(s) for s in scored.scores[:-1]]
        return policy_path(exits, scored.full_answers, OK, names_matter=False)


@pytest.mark.parametrize(
    ("noise", "labelled", "tuning"),
    [((1.8, 1.2, 0.5), True, 60), ((1.8, 1.2, 0.5), False, 300), ((1.4, 1.4, 1.0), True, 300)],
)
def test_at_most_delta_of_the_certificates_are_broken(
    noise: tuple[float, float, float], labelled: bool, tuning: int
) -> None:
    """5,000 calibrations over 25 paths, each from tuning frames of its own. True risks are those of the whole line."""
    delta, calib, lines, each = 0.05, 1200, 25, 200
    bounds = [Bound(Risk.ADDED_ESCAPE, 0.01), Bound(Risk.ADDED_OVERKILL, 0.01)]
    world = World(1, 8_000, noise, 0.4)
    whole = world.counted(slice(None), labelled)
    is_ng = whole.ng
    rng = np.random.default_rng(20261125)
    broken = certified = bold = 0
    for _ in range(lines):
        path = world.path(rng.choice(len(is_ng), tuning, replace=False))
        events = [whole.events(policy) for policy in path]
        wrong = np.array([[e[Risk.ADDED_ESCAPE], e[Risk.ADDED_OVERKILL]] for e in events])  # (policies, 2, parts)
        ever = wrong.any(axis=(0, 1))  # few parts go wrong under any policy: only they need counting
        true = wrong.sum(axis=2) / np.array([is_ng.sum(), (~is_ng).sum()])
        for _ in range(each):
            drawn = rng.integers(0, len(is_ng), calib)
            counts, ng = wrong[:, :, drawn[ever[drawn]]].sum(axis=2), int(is_ng[drawn].sum())
            seen = ([Seen(int(e), ng), Seen(int(o), calib - ng)] for e, o in counts)
            last = last_certified(seen, bounds, 1 - delta)
            certified += last is not None
            bold += last is not None and last > 0
            broken += last is not None and bool((true[last] > 0.01).any())
    assert certified == lines * each, "the closed policy adds nothing, and there are frames enough"
    assert bold > 0.25 * certified, "a path along which nothing is gained would keep any promise"
    assert lower_tail(broken, lines * each, delta) < 0.99, f"{broken} of {lines * each} certificates were broken"


# --- An independent implementation -----------------------------------------------------------------------------------


def test_mapie_certifies_the_same_policy() -> None:
    """MAPIE's Hoeffding-Bentkus p-values of 0/1 losses are exact tails, where its ceil(n * (k / n)) is exact: n = 2^m."""
    world, n = World(2, 20_000, (1.8, 1.2, 0.5), 0.5), 1024
    rng = np.random.default_rng(3)
    ng_rows, ok_rows = np.flatnonzero(world.is_ng), np.flatnonzero(~world.is_ng)
    found = set()
    for bound in (0.005, 0.01, 0.02):
        for _ in range(20):
            path = world.path(rng.choice(20_000, 200, replace=False))
            counted = world.counted(np.concatenate([rng.choice(ng_rows, n), rng.choice(ok_rows, n)]), True)
            seen = [counted.seen(policy) for policy in path]
            bounds = [Bound("escape", bound), Bound("overkill", bound)]
            ours = last_certified(seen, bounds, 0.95)
            theirs = [
                compute_hoeffding_bentkus_p_value(
                    np.array([s[risk].count / n for s in seen]), n, bound, binary=True
                ).ravel()
                for risk in (0, 1)
            ]
            assert np.max(theirs, axis=0) == pytest.approx([p_value(s, bounds) for s in seen], rel=1e-7, abs=1e-12)
            rejected = FWERFixedSequenceTesting().run(np.max(theirs, axis=0), 0.05)
            assert ours == (int(rejected[-1]) if len(rejected) else None)
            found.add(ours)
    assert len(found) > 5
