"""The closing summary keeps the contract of the command line: scripts read these keys."""

import json

from inspector.domain.state import Counts, ExitCount, Fraction
from inspector.pipeline.summary import hold_total, summary_of
from tests.support.station_values import a_state


def test_the_keys_that_scripts_rely_on() -> None:
    summary = summary_of(a_state(mqtt_queued=13, mqtt_acknowledged=48_200, mes_received=48_000))
    assert summary["triggers"] == 48_213
    assert summary["pass"] == 47_604
    assert summary["reject"] == 571
    assert summary["hold"] == {"DEADLINE": 30, "BLURRED": 8}
    assert [(e["name"], e["share"]) for e in summary["exits"]] == [("front", 0.881), ("middle", 0.067), ("full", 0.052)]
    assert summary["escape"] == {"count": 3, "of": 574}
    assert summary["overkill"] == {"count": 12, "of": 47_613}
    assert summary["latency_ms"] == {"p50": 0.6, "p99": 23.0}
    assert summary["mqtt"] == {
        "queued": 48_213,
        "acknowledged": 48_200,
        "waiting": 13,
        "received_by_mes": 48_000,
    }
    assert summary["conserved"] is True
    assert summary["accuracy"] == round(48_170 / 48_187, 6)


def test_it_is_plain_json() -> None:
    summary = summary_of(a_state())
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert summary["mqtt"]["received_by_mes"] is None


def test_a_run_of_nothing_has_a_summary() -> None:
    empty = a_state(
        counts=Counts(0, 0, 0, {}, 0),
        exits=(ExitCount("front", 0, 0.0),),
        defects={},
        escape=Fraction(0, 0),
        overkill=Fraction(0, 0),
        correct=0,
        latency_p50_ms=0.0,
        latency_p99_ms=0.0,
    )
    summary = summary_of(empty)
    assert summary["accuracy"] is None
    assert summary["conserved"] is True
    assert hold_total(summary) == 0


def test_a_part_still_inside_or_lost_is_not_conserved() -> None:
    assert summary_of(a_state(counts=Counts(2, 1, 0, {}, 1)))["conserved"] is False
    assert summary_of(a_state(counts=Counts(2, 1, 0, {}, 0)))["conserved"] is False
    assert summary_of(a_state(counts=Counts(2, 1, 0, {"BLACK": 1}, 0)))["conserved"] is True


def test_the_parts_add_up() -> None:
    summary = summary_of(a_state())
    assert summary["triggers"] == summary["pass"] + summary["reject"] + hold_total(summary)
