"""SqlStore: the one writer.

    commit(unit) ─▶ rows ─▶ BEGIN IMMEDIATE ─▶ parts + scores + rollups + outbox + … ─▶ COMMIT ─ done ─▶ returns
                                 │ a row is known already          │ failed
                                 ▼                                 ▼
                      roll back, leave the known ones      roll back, raise StoreUnavailable; after anything but a
                      out, once more                       full disk or a lock the connection is opened anew

A COMMIT that fails may have been written all the same (connection cut after the server had it, sync failed after the
data had left). The caller holds those parts, so the next transaction first takes that unit out again, and until then
nobody is given its messages.
"""

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from inspector.adapters.store import database as settings
from inspector.adapters.store.database import Database, reason_of, unavailable
from inspector.adapters.store.doubt import take_out, unknown_rows
from inspector.adapters.store.migrate import migrate
from inspector.adapters.store.reading import StoreReader
from inspector.adapters.store.rollups import rollup_rows
from inspector.adapters.store.rows import GENESIS_HASH, UnitRows, audit_row, rows_of
from inspector.adapters.store.statements import Statements
from inspector.adapters.store.tables import (
    alarms,
    audit_trail,
    config_versions,
    misjudgements,
    outbox,
)
from inspector.domain.errors import StoreError, StoreUnavailable
from inspector.domain.message import OutboxMessage
from inspector.ports import Unit

log = logging.getLogger(__name__)

_PURGE_EVERY = 256
"""Acknowledged messages between two steps of the purge. A step deletes at most twice as many, so it catches up."""

_PURGE = delete(outbox).where(
    outbox.c.outbox_id.in_(
        select(outbox.c.outbox_id)
        .where(outbox.c.acknowledged_at.is_not(None), outbox.c.outbox_id <= bindparam("horizon"))
        .order_by(outbox.c.outbox_id)
        .limit(bindparam("step"))
    )
)
_LAST_AUDIT = select(audit_trail.c.seq, audit_trail.c.hash).order_by(audit_trail.c.seq.desc()).limit(1)


class SqlStore:
    """A VerdictStore on SQLite or PostgreSQL; made by `open_store`. `reader` answers questions from any thread."""

    def __init__(self, database: Database, writer: Connection, *, keep_acknowledged: int) -> None:
        self._database = database
        self._writer: Connection | None = writer
        self._statements = Statements.of(writer.dialect)
        self._keep_acknowledged = keep_acknowledged
        self._lock = threading.Lock()  # commit comes from one thread, close from another
        self._closed = False
        self._doubtful: UnitRows | None = None
        self._doubts = 0
        self._highest_given = 0
        self._last_audit: tuple[int, str] | None = None
        self._acknowledged_to = 0
        self._acknowledged_since_purge = 0
        self.reader = StoreReader(database.readers, database.name)

    def commit(self, unit: Unit) -> None:
        """See VerdictStore. Beyond it: StoreError for a unit that no database takes (an error of ours)."""
        try:
            rows = rows_of(unit, datetime.now(UTC))
        except (TypeError, ValueError, AttributeError) as error:
            raise self._refused(error) from error
        with self._lock:
            if self._closed:
                raise StoreUnavailable(f"database {self._database.name} was closed; start the station again")
            try:
                self._write(rows, known_may_be_there=False)
            except IntegrityError:
                self._write_again(rows)

    def pending(self, after: int, limit: int) -> Sequence[OutboxMessage]:
        doubts = self._doubts
        found = self.reader.pending(after, limit)
        if not found:
            return found
        # They may be of the commit that runs: only its end tells whether they stay.
        if not self._lock.acquire(timeout=settings.BUSY_TIMEOUT_S):
            raise StoreUnavailable(f"database {self._database.name} is being written to; wait until it is done")
        try:
            if doubts != self._doubts:
                raise StoreUnavailable(
                    f"database {self._database.name} did not say whether it has the newest records; "
                    "messages wait until it does"
                )
            if self._doubtful is not None:
                unsure = {row["event_id"] for row in self._doubtful.outbox}
                found = tuple(message for message in found if message.event_id not in unsure)
            self._highest_given = max(self._highest_given, *(message.outbox_id or 0 for message in found), 0)
        finally:
            self._lock.release()
        return found

    def pending_count(self) -> int:
        return self.reader.pending_count()

    def close(self) -> None:
        """Idempotent, any thread; waits for the commit that runs. Frees the database for another station."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._settle_at_last()
            self.reader.close()
            self._drop_writer()
            self._database.close()

    def _write_again(self, rows: UnitRows) -> None:
        """Some row is known already. Rare (a unit repeated), so that only this way pays for looking."""
        try:
            self._write(rows, known_may_be_there=True)
        except IntegrityError as error:
            raise self._refused(error) from error

    def _write(self, rows: UnitRows, *, known_may_be_there: bool) -> None:
        committing = False
        try:
            connection = self._open_writer()
            self._settle(connection)
            with connection.begin():
                if known_may_be_there:
                    rows = unknown_rows(connection, rows)
                rows = self._chained(connection, rows)
                purged = self._insert(connection, rows)
                committing = True
        except IntegrityError:
            raise
        except DataError as error:
            raise self._refused(error) from error
        except SQLAlchemyError as error:
            if committing:
                self._doubtful = rows
                self._doubts += 1
            if not self._database.survives(error):
                self._drop_writer()
            raise unavailable("cannot write to", self._database.name, error) from error
        except (TypeError, ValueError, OverflowError) as error:  # a value that the driver cannot bind
            raise self._refused(error) from error
        if rows.audit_rows:
            self._last_audit = (rows.audit_rows[-1]["seq"], rows.audit_rows[-1]["hash"])
        if purged:
            self._acknowledged_since_purge = 0

    def _settle(self, connection: Connection) -> None:
        """In a transaction of its own: nothing else is written before it is done, so only one unit can be in doubt."""
        if self._doubtful is not None:
            with connection.begin():
                take_out(connection, self._doubtful, self._statements.add_rate)
            self._doubtful = None

    def _settle_at_last(self) -> None:
        if self._doubtful is None:
            return
        try:
            self._settle(self._open_writer())
        except (StoreError, SQLAlchemyError) as error:
            log.error(
                "database %s may hold verdicts of the last parts, which were held: %s; inspect those parts again",
                self._database.name,
                reason_of(error),
            )

    def _refused(self, error: Exception) -> StoreError:
        return StoreError(
            f"database {self._database.name} refuses these records: {reason_of(error)}; "
            "report this as an error of Inspector"
        )

    def _open_writer(self) -> Connection:
        if self._writer is not None:
            try:
                self._database.check_present()
            except StoreError as error:
                self._drop_writer()
                raise StoreUnavailable(str(error)) from error
            return self._writer
        try:
            connection = self._database.connect_writer()
            try:
                migrate(connection, self._database.name)
                if self._highest_given:
                    # A new database, or an older copy, would give ids again that the publisher knows as sent.
                    with connection.begin():
                        self._database.skip_ids(connection, self._highest_given)
            except BaseException:
                connection.close()
                raise
        except OSError as error:
            raise unavailable("cannot open", self._database.name, error) from error
        except StoreError as error:  # another station took it meanwhile, or replaced its tables
            raise StoreUnavailable(str(error)) from error
        self._last_audit = None
        self._writer = connection
        log.info("database %s was opened anew", self._database.name)
        return connection

    def _drop_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.invalidate()
                writer.close()
            except Exception as error:
                log.warning("database %s did not close cleanly: %s", self._database.name, reason_of(error))
        # The readers' connections go, too: SQLite then reads its files anew instead of from shared memory.
        self._database.readers.dispose()

    def _chained(self, connection: Connection, rows: UnitRows) -> UnitRows:
        if not rows.audits:
            return rows
        last = self._last_audit
        if last is None:
            found = connection.execute(_LAST_AUDIT).first()
            last = (found.seq, found.hash) if found is not None else (0, GENESIS_HASH)
        chained = []
        for entry in rows.audits:
            chained.append(audit_row(entry, last[0] + 1, last[1]))
            last = (chained[-1]["seq"], chained[-1]["hash"])
        return replace(rows, audit_rows=chained)

    def _insert(self, connection: Connection, rows: UnitRows) -> bool:
        """All inserts of one unit; True when a step of the purge was done, too."""
        do = self._statements
        do.new_part.run(connection, rows.parts)
        do.new_exit_score.run(connection, rows.exit_scores)
        do.new_message.run(connection, rows.outbox)
        do.add_rate.run(connection, rollup_rows(rows.parts, rows.exit_scores))
        for table, values in (
            (misjudgements, rows.misjudgements),
            (alarms, rows.alarms),
            (config_versions, rows.configs),
            (audit_trail, rows.audit_rows),
        ):
            if values:
                connection.execute(table.insert(), values)
        if not rows.acknowledged:
            return False
        now = datetime.now(UTC)
        do.acknowledge.run(connection, [{"b_id": outbox_id, "b_at": now} for outbox_id in rows.acknowledged])
        self._acknowledged_to = max(self._acknowledged_to, *rows.acknowledged)
        self._acknowledged_since_purge += len(rows.acknowledged)
        horizon = self._acknowledged_to - self._keep_acknowledged
        if self._acknowledged_since_purge < _PURGE_EVERY or horizon <= 0:
            return False
        step = 2 * max(_PURGE_EVERY, self._acknowledged_since_purge)
        connection.execute(_PURGE, {"horizon": horizon, "step": step})
        return True
