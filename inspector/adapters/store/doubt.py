"""Rows of a unit as keys: which of them the database has already, and how to take a unit out again."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace

from sqlalchemy import Connection, Table, and_, bindparam, delete, select

from inspector.adapters.store.rollups import rollup_rows
from inspector.adapters.store.rows import Row, UnitRows
from inspector.adapters.store.statements import Prepared
from inspector.adapters.store.tables import (
    alarms,
    audit_trail,
    config_versions,
    exit_rates,
    misjudgements,
    outbox,
    parts,
)

_KEYS: tuple[tuple[str, Table, tuple[str, ...]], ...] = (
    ("parts", parts, ("part_id",)),
    ("outbox", outbox, ("event_id",)),
    ("misjudgements", misjudgements, ("part_id", "kind", "found_by")),
    ("alarms", alarms, ("alarm_id", "changed_at", "state")),
    ("configs", config_versions, ("version", "applied_at")),
)


def unknown_rows(connection: Connection, rows: UnitRows) -> UnitRows:
    """`rows` without those that are stored already or stand in it twice: repeats change nothing."""
    fresh: dict[str, list[Row]] = {}
    for name, table, keys in _KEYS:
        fresh[name] = _unknown(connection, getattr(rows, name), table, keys)
    ids = {part["part_id"] for part in fresh["parts"]}
    scores = {(s["part_id"], s["position"]): s for s in rows.exit_scores if s["part_id"] in ids}
    return replace(
        rows,
        parts=fresh["parts"],
        exit_scores=list(scores.values()),
        outbox=fresh["outbox"],
        misjudgements=fresh["misjudgements"],
        alarms=fresh["alarms"],
        configs=fresh["configs"],
    )


def _unknown(connection: Connection, rows: list[Row], table: Table, keys: tuple[str, ...]) -> list[Row]:
    if not rows:
        return rows
    key_of = _key_reader(keys)
    by_key: dict[Hashable, Row] = {}
    for row in rows:
        by_key.setdefault(key_of(row), row)
    first = table.c[keys[0]]
    known = connection.execute(
        select(*(table.c[key] for key in keys)).where(first.in_(sorted({row[keys[0]] for row in rows})))
    )
    stored = {tuple(found) for found in known}
    return [row for key, row in by_key.items() if key not in stored]


def _key_reader(keys: Iterable[str]) -> Callable[[Row], Hashable]:
    names = tuple(keys)
    return lambda row: tuple(row[name] for name in names)


def take_out(connection: Connection, rows: UnitRows, add_rate: Prepared) -> None:
    """Remove a unit whose commit ended without an answer, if it was written after all.

    Its parts were released as HOLD meanwhile and will be written again as such. `acknowledged` stays: it is true.
    """
    landed = 0
    for name, table, keys in _KEYS:
        doubtful: list[Row] = getattr(rows, name)
        if doubtful:
            statement = delete(table).where(and_(*(table.c[key] == bindparam(f"b_{key}") for key in keys)))
            result = connection.execute(statement, [{f"b_{key}": row[key] for key in keys} for row in doubtful])
            landed += result.rowcount if name == "parts" else 0
    if landed:
        add_rate.run(connection, rollup_rows(rows.parts, rows.exit_scores, sign=-1))
        connection.execute(delete(exit_rates).where(exit_rates.c.parts == 0))
    for row in rows.audit_rows:
        connection.execute(
            delete(audit_trail).where(audit_trail.c.seq == row["seq"], audit_trail.c.hash == row["hash"])
        )
