"""Statements of the commit path, compiled once for a database and then only fed with tuples.

SQLAlchemy's own executemany prepares every value of every row anew, which costs more than SQLite's part of the work.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Table, bindparam, update
from sqlalchemy.dialects import postgresql, sqlite

from inspector.adapters.store.tables import UtcDateTime, exit_rates, exit_scores, outbox, parts, utc

RATE_KEY = ("station_id", "recipe_id", "exit", "interval_start")
RATE_SUMS = ("parts", "passed", "rejected", "held", "inference_ms", "latency_ms")


class Prepared:
    """One statement for many rows; a row names every bound value (two or more)."""

    def __init__(self, statement: Any, dialect: Dialect, columns: Sequence[str] | None = None) -> None:
        # Positional values in both databases: the engine's own psycopg dialect would name them.
        kind: Any = type(dialect)
        positional = kind(paramstyle="format") if dialect.name == "postgresql" else dialect
        compiled = statement.compile(dialect=positional, column_keys=columns)
        names: list[str] = compiled.positiontup
        self._sql = str(compiled)
        self._values: Callable[[Mapping[str, Any]], tuple[Any, ...]] = itemgetter(*names)
        self._times = [i for i, name in enumerate(names) if isinstance(compiled.binds[name].type, UtcDateTime)]
        self._time_as_text = dialect.name == "sqlite"

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            connection.exec_driver_sql(self._sql, [self._bound(row) for row in rows])

    def _bound(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        if not self._times:
            return self._values(row)
        values = list(self._values(row))
        for i in self._times:
            values[i] = _time_text(values[i]) if self._time_as_text else utc(values[i])
        return tuple(values)


@lru_cache(maxsize=8)  # one group shares its time of writing
def _time_text(at: datetime) -> str:
    return utc(at).isoformat(timespec="microseconds")


@dataclass(frozen=True, slots=True)
class Statements:
    """What nearly every commit runs."""

    new_part: Prepared
    new_exit_score: Prepared
    new_message: Prepared
    add_rate: Prepared
    acknowledge: Prepared

    @classmethod
    def of(cls, dialect: Dialect) -> "Statements":
        return cls(
            new_part=_insert(parts, dialect),
            new_exit_score=_insert(exit_scores, dialect),
            new_message=_insert(outbox, dialect, without=("outbox_id", "acknowledged_at")),
            add_rate=_add_rate(dialect),
            acknowledge=Prepared(
                update(outbox)
                .where(outbox.c.outbox_id == bindparam("b_id"), outbox.c.acknowledged_at.is_(None))
                .values(acknowledged_at=bindparam("b_at", type_=UtcDateTime)),
                dialect,
            ),
        )


def _insert(table: Table, dialect: Dialect, without: tuple[str, ...] = ()) -> Prepared:
    return Prepared(table.insert().inline(), dialect, [column.name for column in table.c if column.name not in without])


def _add_rate(dialect: Dialect) -> Prepared:
    new = postgresql.insert(exit_rates) if dialect.name == "postgresql" else sqlite.insert(exit_rates)
    sums = {name: exit_rates.c[name] + new.excluded[name] for name in RATE_SUMS}
    statement = new.on_conflict_do_update(index_elements=RATE_KEY, set_=sums).inline()
    return Prepared(statement, dialect, exit_rates.c.keys())
