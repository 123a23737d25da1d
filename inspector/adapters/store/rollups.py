"""Exit rates per recipe, exit and minute, kept up to date in the transaction that writes the parts.

So the dashboard draws a month of history from thousands of rows instead of millions of parts.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from inspector.adapters.store.rows import Row
from inspector.adapters.store.statements import RATE_KEY, RATE_SUMS
from inspector.adapters.store.tables import utc
from inspector.domain.disposition import Action

INTERVAL_S = 60
NO_EXIT = ""
"""Stands in `exit` for parts that no exit decided."""

_COUNTED = {Action.PASS.value: "passed", Action.REJECT.value: "rejected", Action.HOLD.value: "held"}


def interval_start(at: datetime) -> datetime:
    """The start of the minute (INTERVAL_S) that `at` falls into."""
    return utc(at).replace(second=0, microsecond=0)


def rollup_rows(parts: Sequence[Row], exit_scores: Iterable[Row], sign: int = 1) -> list[Row]:
    """What `parts` add to the rollups, one row a key; `sign` = -1 takes them out again."""
    inference: dict[str, float] = {}
    for score in exit_scores:
        inference[score["part_id"]] = inference.get(score["part_id"], 0.0) + (score["latency_ms"] or 0.0)
    rows: dict[tuple[str, str, str, datetime], Row] = {}
    for part in parts:
        key = (part["station_id"], part["recipe_id"], part["exit"] or NO_EXIT, interval_start(part["captured_at"]))
        row = rows.get(key)
        if row is None:
            row = rows[key] = dict.fromkeys(RATE_SUMS, 0) | dict(zip(RATE_KEY, key, strict=True))
        row["parts"] += sign
        row[_COUNTED[part["action"]]] += sign
        row["inference_ms"] += sign * inference.get(part["part_id"], 0.0)
        row["latency_ms"] += sign * (part["latency_ms"] or 0.0)
    return list(rows.values())
