"""Running figures: exact counts, quantiles within the documented 1 %, and a rate that groups do not distort."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.domain.disposition import Action, Disposition, HoldReason
from inspector.domain.state import ExitCount, Fraction
from inspector.domain.truth import Label, Truth
from inspector.pipeline.tally import LatencyHistogram, Tally
from tests.support.station_values import a_part

LATENCIES = st.lists(st.floats(0.01, 100_000.0), min_size=1, max_size=60)


@settings(deadline=None)
@given(LATENCIES, st.sampled_from([0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_at_most_one_per_cent_off(values: list[float], q: float) -> None:
    histogram = LatencyHistogram()
    for value in values:
        histogram.add(value)
    exact = float(np.quantile(values, q, method="inverted_cdf"))
    assert histogram.quantile(q) == pytest.approx(exact, rel=0.01)


def test_half_of_two_is_the_faster_and_the_slowest_of_a_hundred_is_no_p99() -> None:
    histogram = LatencyHistogram()
    assert histogram.quantile(0.5) == 0.0
    histogram.add(1.0)
    histogram.add(100.0)
    assert histogram.quantile(0.5) == pytest.approx(1.0, rel=0.01)
    many = LatencyHistogram()
    for _ in range(99):
        many.add(2.0)
    many.add(500.0)
    assert many.quantile(0.99) == pytest.approx(2.0, rel=0.01)
    assert many.quantile(1.0) == pytest.approx(500.0, rel=0.01)


@pytest.mark.parametrize("latency_ms", [-5.0, 0.0, 1e-9, 1e9])
def test_latencies_beyond_the_buckets_fall_into_the_last(latency_ms: float) -> None:
    histogram = LatencyHistogram()
    histogram.add(latency_ms)
    assert histogram.quantile(0.5) == pytest.approx(0.01 if latency_ms < 1 else 100_000, rel=0.05)
    assert math.isfinite(histogram.quantile(1.0))


def test_exits_keep_their_order_and_unused_ones_show() -> None:
    tally = Tally(("front", "middle", "full"))
    assert tally.exits() == (ExitCount("front", 0, 0.0), ExitCount("middle", 0, 0.0), ExitCount("full", 0, 0.0))
    for sequence in range(3):
        tally.add(a_part(sequence))
    tally.add(a_part(3, Action.REJECT))
    tally.add(a_part(4, Action.HOLD))
    assert tally.exits() == (ExitCount("front", 3, 0.75), ExitCount("middle", 0, 0.0), ExitCount("full", 1, 0.25))


def test_defects_are_those_of_rejected_parts_most_frequent_first() -> None:
    tally = Tally(("front", "full"))
    for name in ("stain", "scratch", "scratch"):
        tally.add(a_part(action=Action.REJECT, defect_class=name))
    unnamed = a_part(action=Action.REJECT)
    assert unnamed.verdict is not None
    tally.add(replace(unnamed, verdict=replace(unnamed.verdict, defect_class=None)))
    tally.add(a_part(action=Action.REJECT, defect_class="burr").held(Disposition.hold(HoldReason.DEADLINE)))
    assert list(tally.defects().items()) == [("scratch", 2), ("stain", 1), ("NG", 1)]


def test_escapes_and_overkill_count_only_where_truth_is_known() -> None:
    tally = Tally(("front", "full"))
    tally.add(a_part(action=Action.PASS, truth=Truth(Label.NG)))
    tally.add(a_part(action=Action.REJECT, truth=Truth(Label.NG)))
    tally.add(a_part(action=Action.HOLD, truth=Truth(Label.NG)))
    tally.add(a_part(action=Action.REJECT, truth=Truth(Label.OK)))
    tally.add(a_part(action=Action.PASS, truth=Truth(Label.OK)))
    tally.add(replace(a_part(action=Action.PASS), truth=None))
    assert tally.escape() == Fraction(1, 3)
    assert tally.overkill() == Fraction(1, 2)
    assert tally.correct == 2


def test_a_part_that_nothing_judged_has_no_latency() -> None:
    tally = Tally(("front", "full"))
    tally.add(replace(a_part(action=Action.HOLD), latency_ms=5000.0))
    assert tally.latency_ms(0.99) == 0.0
    tally.add(replace(a_part(), latency_ms=8.0))
    assert tally.latency_ms(0.99) == pytest.approx(8.0, rel=0.01)


def test_the_streak_of_holds_ends_with_any_other_part() -> None:
    tally = Tally(("front", "full"))
    for action, streak in [("HOLD", 1), ("HOLD", 2), ("REJECT", 0), ("HOLD", 1), ("PASS", 0)]:
        tally.add(a_part(action=Action(action)))
        assert tally.hold_streak == streak


# --- Rate ------------------------------------------------------------------------------------------------------------


class Time:
    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


def test_the_rate_is_that_of_the_last_five_seconds() -> None:
    time = Time()
    tally = Tally(("front",), time)
    assert tally.parts_per_s() == 0.0
    for n in range(200):
        time.s = 1000.0 + n / 20
        tally.add(a_part())
    assert tally.parts_per_s() == pytest.approx(20.0, rel=0.05)
    time.s += 2.5
    assert tally.parts_per_s() == pytest.approx(10.0, rel=0.1)
    time.s += 5
    assert tally.parts_per_s() == 0.0


def test_a_fast_line_is_counted_in_full() -> None:
    time = Time()
    tally = Tally(("front",), time)
    for n in range(12_000):
        time.s = 1000.0 + n / 2000
        tally.add(a_part())
    assert tally.parts_per_s() == pytest.approx(2000.0, rel=0.03)


def test_a_group_released_at_once_is_no_thousands_a_second() -> None:
    time = Time()
    tally = Tally(("front",), time)
    for _ in range(64):
        tally.add(a_part())
        time.s += 1e-6
    assert tally.parts_per_s() <= 64.0
    time.s += 4.0
    assert tally.parts_per_s() == pytest.approx(16.0, rel=0.05)


def test_a_slow_line_has_a_rate_too() -> None:
    time = Time()
    tally = Tally(("front",), time)
    for n in range(10):
        time.s = 1000.0 + 2 * n
        tally.add(a_part())
    assert 0.3 <= tally.parts_per_s() <= 0.7
