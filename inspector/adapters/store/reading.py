"""Read-only questions to the store: for the publisher, the dashboard, reports and tests. Any thread, any process."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, Select, bindparam, func, select, true
from sqlalchemy.exc import SQLAlchemyError

from inspector.adapters.store.database import unavailable
from inspector.adapters.store.rows import GENESIS_HASH, audit_entry_of, message_of, misjudgement_of, part_of
from inspector.adapters.store.tables import (
    alarms,
    audit_trail,
    config_versions,
    exit_rates,
    exit_scores,
    misjudgements,
    outbox,
    parts,
)
from inspector.domain.alarm import Alarm, AlarmCode, AlarmState, Priority
from inspector.domain.audit import AuditEntry
from inspector.domain.disposition import Action
from inspector.domain.errors import StoreUnavailable
from inspector.domain.inspection import InspectedPart
from inspector.domain.message import OutboxMessage
from inspector.domain.misjudgement import Misjudgement
from inspector.domain.state import Counts, ExitCount, Fraction
from inspector.domain.truth import Label
from inspector.ports import ConfigVersion


@dataclass(frozen=True, slots=True)
class ExitRate:
    """One rollup: what one exit decided in one interval. `exit` is '' where no exit decided. Times are sums in ms."""

    station_id: str
    recipe_id: str
    exit: str
    interval_start: datetime
    parts: int
    passed: int
    rejected: int
    held: int
    inference_ms: float
    latency_ms: float


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """The result of following the hash chain. `broken_at` is the first entry that does not fit, None when all do.

    The chain shows an edit, an insertion or a removal in the middle; that the newest entries were cut off shows only
    against a `last_hash` that was noted elsewhere.
    """

    entries: int
    broken_at: int | None
    last_hash: str

    @property
    def is_intact(self) -> bool:
        return self.broken_at is None


_PENDING = (
    select(outbox)
    .where(outbox.c.acknowledged_at.is_(None), outbox.c.outbox_id > bindparam("after"))
    .order_by(outbox.c.outbox_id)
    .limit(bindparam("limit"))
)
_PENDING_COUNT = select(func.count()).select_from(outbox).where(outbox.c.acknowledged_at.is_(None))


class StoreReader:
    """Every method raises StoreUnavailable when the database cannot be read. `run_id` None means all runs."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._name = name
        self._closed = False

    def close(self) -> None:
        """Idempotent."""
        self._closed = True
        self._engine.dispose()

    def pending(self, after: int, limit: int) -> tuple[OutboxMessage, ...]:
        rows = self._rows(_PENDING, {"after": after, "limit": limit})
        return tuple(message_of(row._mapping) for row in rows)

    def pending_count(self) -> int:
        return int(self._rows(_PENDING_COUNT)[0][0])

    def messages(self, *, acknowledged: bool, limit: int = 1000) -> tuple[OutboxMessage, ...]:
        """The newest messages of the outbox, oldest of them first."""
        is_none = outbox.c.acknowledged_at.is_(None)
        wanted = select(outbox).where(~is_none if acknowledged else is_none)
        rows = self._rows(wanted.order_by(outbox.c.outbox_id.desc()).limit(limit))
        return tuple(message_of(row._mapping) for row in reversed(rows))

    def runs(self) -> Mapping[str, int]:
        """Parts by run, oldest run first."""
        grouped = select(parts.c.run_id, func.count()).group_by(parts.c.run_id)
        return {run: int(count) for run, count in self._rows(grouped.order_by(func.min(parts.c.captured_at)))}

    def part(self, part_id: str) -> InspectedPart | None:
        found = self._parts(select(parts).where(parts.c.part_id == part_id))
        return found[0] if found else None

    def parts(self, run_id: str, *, after_sequence: int = 0, limit: int = 1000) -> tuple[InspectedPart, ...]:
        """The parts of a run in the order of their triggers; go on with the last one's `sequence`."""
        wanted = select(parts).where(parts.c.run_id == run_id, parts.c.sequence > after_sequence)
        return self._parts(wanted.order_by(parts.c.sequence).limit(limit))

    def latest(self, limit: int = 100) -> tuple[InspectedPart, ...]:
        """Newest first."""
        return self._parts(select(parts).order_by(parts.c.captured_at.desc(), parts.c.part_id.desc()).limit(limit))

    def part_ids(self, run_id: str | None = None) -> tuple[str, ...]:
        wanted = select(parts.c.part_id).where(_of_run(run_id)).order_by(parts.c.captured_at, parts.c.sequence)
        return tuple(row[0] for row in self._rows(wanted))

    def counts(self, run_id: str | None = None) -> Counts:
        """Dispositions of stored parts: nothing is in flight here."""
        grouped = select(parts.c.action, parts.c.hold_reason, func.count()).where(_of_run(run_id))
        rows = self._rows(grouped.group_by(parts.c.action, parts.c.hold_reason))
        by_action = dict.fromkeys(Action, 0)
        hold: dict[str, int] = {}
        for action, reason, count in rows:
            by_action[Action(action)] += count
            if reason is not None:
                hold[reason] = hold.get(reason, 0) + count
        return Counts(sum(by_action.values()), by_action[Action.PASS], by_action[Action.REJECT], hold, in_flight=0)

    def exit_shares(self, run_id: str | None = None) -> tuple[ExitCount, ...]:
        """Which exit decided how many of the decided parts, most first."""
        decided = select(parts.c.exit, func.count()).where(_of_run(run_id), parts.c.exit.is_not(None))
        rows = self._rows(decided.group_by(parts.c.exit).order_by(func.count().desc(), parts.c.exit))
        total = sum(count for _, count in rows)
        return tuple(ExitCount(name, count, count / total) for name, count in rows)

    def escape(self, run_id: str | None = None) -> Fraction:
        """Defective parts passed, of the defective parts whose truth is known."""
        return self._fraction(run_id, Label.NG, Action.PASS)

    def overkill(self, run_id: str | None = None) -> Fraction:
        """Good parts rejected, of the good parts whose truth is known."""
        return self._fraction(run_id, Label.OK, Action.REJECT)

    def misjudgements(self, part_id: str | None = None) -> tuple[Misjudgement, ...]:
        mine = true() if part_id is None else misjudgements.c.part_id == part_id
        wanted = select(misjudgements).where(mine).order_by(misjudgements.c.found_at, misjudgements.c.part_id)
        return tuple(misjudgement_of(row._mapping) for row in self._rows(wanted))

    def exit_rates(self, start: datetime, end: datetime, *, recipe_id: str | None = None) -> tuple[ExitRate, ...]:
        """Rollups of the intervals that begin in [start, end), in time order."""
        mine = true() if recipe_id is None else exit_rates.c.recipe_id == recipe_id
        within = (exit_rates.c.interval_start >= start, exit_rates.c.interval_start < end, mine)
        ordered = select(exit_rates).where(*within).order_by(exit_rates.c.interval_start, exit_rates.c.exit)
        return tuple(ExitRate(**row._mapping) for row in self._rows(ordered))

    def alarm_changes(self, limit: int = 1000) -> tuple[Alarm, ...]:
        """The newest changes of alarms, oldest of them first."""
        rows = self._rows(select(alarms).order_by(alarms.c.changed_at.desc()).limit(limit))
        return tuple(_alarm_of(row) for row in reversed(rows))

    def configs(self) -> tuple[ConfigVersion, ...]:
        """As they were applied, in time order."""
        rows = self._rows(select(config_versions).order_by(config_versions.c.applied_at))
        return tuple(ConfigVersion(row.version, row.applied_at, row.content) for row in rows)

    def audit_entries(self, *, after: int = 0, limit: int = 1000) -> tuple[AuditEntry, ...]:
        wanted = select(audit_trail).where(audit_trail.c.seq > after).order_by(audit_trail.c.seq).limit(limit)
        return tuple(audit_entry_of(row._mapping) for row in self._rows(wanted))

    def verify_audit(self) -> AuditCheck:
        """Follow the hash chain from the first entry to the last."""
        count, last_hash = 0, GENESIS_HASH
        with self._connected() as connection:
            for row in connection.execute(select(audit_trail).order_by(audit_trail.c.seq)).yield_per(1000):
                expected = _hash_of(row, last_hash)
                if row.seq != count + 1 or row.hash != expected:
                    return AuditCheck(count, count + 1, last_hash)
                count, last_hash = row.seq, row.hash
        return AuditCheck(count, None, last_hash)

    def _fraction(self, run_id: str | None, label: Label, action: Action) -> Fraction:
        known = select(parts.c.action, func.count()).where(_of_run(run_id), parts.c.truth_label == label.value)
        by_action = {name: int(count) for name, count in self._rows(known.group_by(parts.c.action))}
        return Fraction(by_action.get(action.value, 0), sum(by_action.values()))

    def _parts(self, wanted: Select[Any]) -> tuple[InspectedPart, ...]:
        with self._connected() as connection:
            found = connection.execute(wanted).all()
            scores: dict[str, list[Any]] = {}
            for start in range(0, len(found), 500):  # databases limit the values of one question
                ids = [row.part_id for row in found[start : start + 500]]
                of_some = select(exit_scores).where(exit_scores.c.part_id.in_(ids))
                for row in connection.execute(of_some.order_by(exit_scores.c.part_id, exit_scores.c.position)):
                    scores.setdefault(row.part_id, []).append(row._mapping)
        return tuple(part_of(row._mapping, scores.get(row.part_id, ())) for row in found)

    def _rows(self, wanted: Select[Any], values: Mapping[str, Any] | None = None) -> Sequence[Any]:
        with self._connected() as connection:
            return connection.execute(wanted, values or {}).all()

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        if self._closed:
            raise StoreUnavailable(f"database {self._name} was closed; open it again")
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise unavailable("cannot read", self._name, error) from error


def _of_run(run_id: str | None) -> ColumnElement[bool]:
    return true() if run_id is None else parts.c.run_id == run_id


def _hash_of(row: Row[Any], previous: str) -> str | None:
    try:
        return audit_entry_of(row._mapping).chained_hash(previous)
    except (ValueError, TypeError):  # edited into something that is no time, or no text
        return None


def _alarm_of(row: Row[Any]) -> Alarm:
    return Alarm(
        alarm_id=row.alarm_id,
        code=AlarmCode(row.code),
        priority=Priority(row.priority),
        message=row.message,
        remedy=row.remedy,
        state=AlarmState(row.state),
        raised_at=row.raised_at,
        changed_at=row.changed_at,
        acknowledged_by=row.acknowledged_by,
    )
