"""The closing summary of a run, as `demo --json` and `run --json` write it (the contract is DESIGN §6)."""

from collections.abc import Mapping
from typing import Any

from inspector.domain.state import Counts, StationState


def summary_of(state: StationState) -> dict[str, Any]:
    """Plain JSON values.

    `mqtt` follows the messages of this run, alarms and an earlier run's backlog included: all `queued` ones were
    `acknowledged` by the broker or are `waiting` in the database. `received_by_mes` counts verdicts, and is None where no
    MES receiver of ours listens.
    """
    counts = state.counts
    return {
        "run_id": state.run_id,
        "recipe": state.recipe_id,
        "model": state.model,
        "certificate": state.certificate,
        "triggers": counts.triggers,
        "pass": counts.passed,
        "reject": counts.rejected,
        "hold": dict(counts.hold),
        "conserved": _is_settled(counts),
        "exits": [{"name": e.name, "count": e.count, "share": round(e.share, 6)} for e in state.exits],
        "defects": dict(state.defects),
        "escape": {"count": state.escape.count, "of": state.escape.of},
        "overkill": {"count": state.overkill.count, "of": state.overkill.of},
        "accuracy": _accuracy(state),
        "latency_ms": {"p50": round(state.latency_p50_ms, 3), "p99": round(state.latency_p99_ms, 3)},
        "mqtt": {
            "queued": state.mqtt_acknowledged + state.mqtt_queued,
            "acknowledged": state.mqtt_acknowledged,
            "waiting": state.mqtt_queued,
            "received_by_mes": state.mes_received,
        },
    }


def _is_settled(counts: Counts) -> bool:
    return counts.is_conserved and counts.in_flight == 0


def _accuracy(state: StationState) -> float | None:
    """Share of the parts of known truth that went the right way; held parts count as not right. None without truth."""
    known = state.escape.of + state.overkill.of
    return round(state.correct / known, 6) if known else None


def hold_total(summary: Mapping[str, Any]) -> int:
    """All held parts of a summary."""
    return sum(summary["hold"].values())
