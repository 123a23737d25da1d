"""The tables. `migrations/versions` builds the same ones; a test compares the two.

Times are UTC: ISO 8601 text of fixed width on SQLite (sorts as time and reads as time), timestamptz on PostgreSQL.
A score, time or severity that is not a finite number is stored as NULL.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

metadata = MetaData()


def utc(at: datetime) -> datetime:
    """`at` in UTC. A naive one is taken as UTC: the domain has no other."""
    if at.tzinfo is UTC:
        return at
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return Text() if dialect.name == "sqlite" else DateTime(timezone=True)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        value = utc(value)
        return value.isoformat(timespec="microseconds") if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        at: datetime = datetime.fromisoformat(value) if isinstance(value, str) else value
        return utc(at)


# SQLite gives ids by itself only to a column of type INTEGER.
_RowId = BigInteger().with_variant(Integer(), "sqlite")

parts = Table(
    "parts",
    metadata,
    Column("part_id", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("station_id", Text, nullable=False),
    Column("recipe_id", Text, nullable=False),
    Column("config_version", Text, nullable=False),
    Column("frame_id", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("captured_at", UtcDateTime, nullable=False),
    Column("captured_ns", BigInteger, nullable=False),
    Column("is_simulated", Boolean, nullable=False),
    Column("truth_label", Text),
    Column("truth_class", Text),
    Column("truth_severity", Double),
    Column("truth_box", Text),  # JSON [x, y, width, height], px
    Column("outcome", Text),  # NULL: no stage has seen the part
    Column("exit", Text),
    Column("defect_class", Text),
    Column("model_hash", Text),
    Column("certificate_hash", Text),
    Column("action", Text, nullable=False),
    Column("hold_reason", Text),
    Column("hold_detail", Text, nullable=False),
    Column("latency_ms", Double),
    Index("parts_by_run", "run_id", "sequence"),
    Index("parts_by_time", "captured_at"),
)

exit_scores = Table(
    "exit_scores",
    metadata,
    Column("part_id", Text, ForeignKey("parts.part_id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("exit", Text, nullable=False),
    Column("p_defect", Double),
    Column("scores", Text, nullable=False),  # JSON array in the order of the bundle's classes
    Column("latency_ms", Double),
    Column("escalated", Text),
    sqlite_with_rowid=False,
)

exit_rates = Table(
    "exit_rates",
    metadata,
    Column("station_id", Text, primary_key=True),
    Column("recipe_id", Text, primary_key=True),
    Column("exit", Text, primary_key=True),  # '' : no exit decided
    Column("interval_start", UtcDateTime, primary_key=True),
    Column("parts", BigInteger, nullable=False),
    Column("passed", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("inference_ms", Double, nullable=False),  # sums, so that intervals can be added
    Column("latency_ms", Double, nullable=False),
    Index("exit_rates_by_time", "interval_start"),
)

misjudgements = Table(
    "misjudgements",
    metadata,
    # No foreign key: the MES may report a part whose row was archived.
    Column("part_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("found_by", Text, primary_key=True),
    Column("found_at", UtcDateTime, nullable=False),
    Column("defect_class", Text),
    Column("comment", Text, nullable=False),
)

alarms = Table(
    "alarms",
    metadata,
    Column("alarm_id", Text, primary_key=True),
    Column("changed_at", UtcDateTime, primary_key=True),
    Column("state", Text, primary_key=True),
    Column("code", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("remedy", Text, nullable=False),
    Column("raised_at", UtcDateTime, nullable=False),
    Column("acknowledged_by", Text),
)

audit_trail = Table(
    "audit_trail",
    metadata,
    Column("seq", _RowId, primary_key=True, autoincrement=False),  # 1, 2, 3 … without gaps
    Column("at", Text, nullable=False),  # ISO 8601 exactly as hashed
    Column("who", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("old", Text),
    Column("new", Text),
    Column("reason", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

config_versions = Table(
    "config_versions",
    metadata,
    Column("version", Text, primary_key=True),
    Column("applied_at", UtcDateTime, primary_key=True),
    Column("content", Text, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("outbox_id", _RowId, primary_key=True, autoincrement=True),
    Column("event_id", Text, nullable=False, unique=True),
    Column("topic", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("acknowledged_at", UtcDateTime),
    sqlite_autoincrement=True,  # an id is never given twice, not even after the newest row was purged
)

Index(
    "outbox_pending",
    outbox.c.outbox_id,
    sqlite_where=outbox.c.acknowledged_at.is_(None),
    postgresql_where=outbox.c.acknowledged_at.is_(None),
)
# For the purge: without it every step would walk over the whole backlog.
Index(
    "outbox_acknowledged",
    outbox.c.outbox_id,
    sqlite_where=outbox.c.acknowledged_at.is_not(None),
    postgresql_where=outbox.c.acknowledged_at.is_not(None),
)
