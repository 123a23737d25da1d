"""Exact tails against scipy, and the promise itself: violations stay below delta in thousands of calibrations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom

from inspector.assurance.binomial import lower_tail, trials_needed, upper_limit
from inspector.assurance.learn_then_test import Bound, Missing, Seen, claims, last_certified, missing, p_value

ESCAPE, OVERKILL = Bound("added escape", 0.01), Bound("added overkill", 0.02)


@given(of=st.integers(1, 30_000), share=st.floats(0, 1), rate=st.floats(1e-5, 0.9999))
def test_the_tail_is_scipys(of: int, share: float, rate: float) -> None:
    count = int(share * of)
    assert lower_tail(count, of, rate) == pytest.approx(float(binom.cdf(count, of, rate)), rel=1e-7, abs=1e-300)


@given(of=st.integers(1, 20_000), share=st.floats(0, 0.999), confidence=st.floats(0.5, 0.999))
def test_the_limit_is_clopper_pearsons(of: int, share: float, confidence: float) -> None:
    count = int(share * of)
    limit = upper_limit(count, of, confidence)
    assert limit == pytest.approx(float(beta.ppf(confidence, count + 1, of - count)), rel=1e-6)
    assert lower_tail(count, of, limit) <= 1 - confidence + 1e-12, "never on the unsafe side"


@pytest.mark.parametrize(
    ("rate", "count", "needed"),
    [(0.01, 0, 299), (0.005, 0, 598), (0.002, 0, 1497), (0.001, 0, 2995), (0.01, 1, 473), (0.01, 3, 773), (0.01, 10, 1693)],
)  # fmt: skip
def test_how_many_parts_a_bound_takes(rate: float, count: int, needed: int) -> None:
    assert trials_needed(rate, 0.95, count) == needed
    assert lower_tail(count, needed, rate) <= 0.05 < lower_tail(count, needed - 1, rate)


def test_edges() -> None:
    assert lower_tail(0, 0, 0.5) == 1.0
    assert lower_tail(3, 10, 0.0) == 1.0
    assert lower_tail(9, 10, 1.0) == 0.0
    assert upper_limit(0, 0, 0.95) == upper_limit(5, 5, 0.95) == 1.0
    for wrong in (lambda: lower_tail(2, 1, 0.5), lambda: lower_tail(-1, 1, 0.5), lambda: lower_tail(0, 1, 1.5)):
        with pytest.raises(ValueError):
            wrong()
    with pytest.raises(ValueError, match="whole numbers"):
        lower_tail(1.0, 100, 0.5)  # type: ignore[arg-type]  # the very mistake that is to be refused
    with pytest.raises(ValueError, match="added escape"):
        Bound("added escape", 0.0)


def test_the_last_policy_that_passed_is_taken_and_nothing_behind_the_first_failure() -> None:
    looked_at = []

    def path():  # type: ignore[no-untyped-def]
        for count in (0, 0, 1, 30, 0):
            looked_at.append(count)
            yield [Seen(count, 500)]

    assert last_certified(path(), [ESCAPE], 0.95) == 2
    assert looked_at == [0, 0, 1, 30], "the fifth, safe again, is never tested"
    assert last_certified([[Seen(0, 298)]], [ESCAPE], 0.95) is None
    assert last_certified([[Seen(0, 299)]], [ESCAPE], 0.95) == 0
    assert last_certified([], [ESCAPE], 0.95) is None


def test_the_worst_risk_decides() -> None:
    assert p_value([Seen(0, 300), Seen(0, 100)], [ESCAPE, OVERKILL]) == lower_tail(0, 100, 0.02)
    assert last_certified([[Seen(0, 300), Seen(0, 100)]], [ESCAPE, OVERKILL], 0.95) is None
    assert last_certified([[Seen(0, 300), Seen(0, 149)]], [ESCAPE, OVERKILL], 0.95) == 0
    found = claims([Seen(0, 300), Seen(1, 400)], [ESCAPE, OVERKILL], 0.95)
    assert [claim.upper < claim.bound.rate for claim in found] == [True, True]


def test_too_few_parts_are_counted() -> None:
    seen = [Seen(0, 200), Seen(0, 149)]
    assert missing(seen, [ESCAPE, OVERKILL], 0.95) == (Missing(ESCAPE, seen[0], 99),)
    assert missing([Seen(1, 400), Seen(0, 149)], [ESCAPE, OVERKILL], 0.95)[0].parts == 73


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_violations_stay_below_delta(correlation: float) -> None:
    """Acceptance C: true risks rise along the path; the certified policy may break a bound in at most 5 % of cases."""
    rng = np.random.default_rng(20261125)
    trials, n, delta = 5000, 700, 0.05
    risks = np.linspace(0.0, 0.02, 41)  # the bound, 1 %, is crossed in the middle
    bound = Bound("risk", 0.01)
    violations = 0
    for _ in range(trials):
        # One uniform number a part: with it, bolder policies fail on a superset (correlation 1) or partly anew.
        own = rng.random(n)
        counts = [int((np.where(rng.random(n) < correlation, own, rng.random(n)) < risk).sum()) for risk in risks]
        last = last_certified(([Seen(count, n)] for count in counts), [bound], 1 - delta)
        violations += last is not None and risks[last] > bound.rate
    assert lower_tail(violations, trials, delta) < 0.99, f"{violations} of {trials} certificates were broken"
