"""Exit rates per recipe, exit and minute, kept up to date in the transaction that writes the parts.

So the dashboard draws a month of history from thousands of rows instead of millions of parts.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from inspector.adapters.store.rows import Row
from inspector.adapters.store.tables import exit_rates
from inspector.domain.disposition import Action

INTERVAL_S = 60
NO_EXIT = ""
"""Stands in `exit` for parts that no exit decided."""

_KEY = ("station_id", "recipe_id", "exit", "interval_start")
_SUMS = ("parts", "passed", "rejected", "held", "inference_ms", "latency_ms")
_COUNTED = {Action.PASS.value: "passed", Action.REJECT.value: "rejected", Action.HOLD.value: "held"}


def interval_start(at: datetime) -> datetime:
    """The start of the interval that `at` falls into."""
    seconds = int(at.replace(tzinfo=UTC).timestamp() if at.tzinfo is None else at.timestamp())
    return datetime.fromtimestamp(seconds - seconds % INTERVAL_S, UTC)


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
            row = rows[key] = dict.fromkeys(_SUMS, 0) | dict(zip(_KEY, key, strict=True))
        row["parts"] += sign
        row[_COUNTED[part["action"]]] += sign
        row["inference_ms"] += sign * inference.get(part["part_id"], 0.0)
        row["latency_ms"] += sign * (part["latency_ms"] or 0.0)
    return list(rows.values())


_NEW_SQLITE = sqlite.insert(exit_rates)
_NEW_POSTGRES = postgresql.insert(exit_rates)
_ADD = {
    "sqlite": _NEW_SQLITE.on_conflict_do_update(
        index_elements=_KEY, set_={name: exit_rates.c[name] + _NEW_SQLITE.excluded[name] for name in _SUMS}
    ),
    "postgresql": _NEW_POSTGRES.on_conflict_do_update(
        index_elements=_KEY, set_={name: exit_rates.c[name] + _NEW_POSTGRES.excluded[name] for name in _SUMS}
    ),
}


def add_rollups(connection: Connection, rows: Sequence[Row]) -> None:
    if rows:
        connection.execute(_ADD[connection.dialect.name], list(rows))
