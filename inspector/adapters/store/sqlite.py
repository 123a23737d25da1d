"""SQLite: one file, WAL with FULL sync, BEGIN IMMEDIATE, one writer connection, read-only readers.

SQLite 3.7.0 to 3.51.2 can damage a WAL database when several connections write or checkpoint at the same moment (the
"WAL-reset bug"). Python often links such a version, so a fixed one is looked for (pysqlite3 brings it). Where none is
found the file is kept with a rollback journal, which the bug cannot reach: slower, and readers wait for writers.
"""

import importlib
import os
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from inspector.adapters.store import database as settings
from inspector.adapters.store.lock import StationLock
from inspector.domain.errors import StoreError, StoreUnavailable

_JOURNAL_LIMIT_BYTES = 64 * 1024 * 1024  # what the WAL file shrinks back to after a burst
_CONNECTION_SURVIVES = {"SQLITE_FULL", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CONSTRAINT"}


def has_wal_reset_bug(version: tuple[int, ...]) -> bool:
    """Whether this SQLite has it. Fixed in 3.51.3 and, backported, in 3.50.7 and 3.44.6."""
    if version[:2] == (3, 44):
        return version < (3, 44, 6)
    if version[:2] == (3, 50):
        return version < (3, 50, 7)
    return (3, 7, 0) <= version < (3, 51, 3)


def sqlite_driver() -> tuple[Any, bool]:
    """(DB-API module, whether WAL is safe with it): Python's own if fixed, else pysqlite3, else Python's own."""
    own: Any = importlib.import_module("sqlite3.dbapi2")
    if not has_wal_reset_bug(own.sqlite_version_info):
        return own, True
    try:
        other: Any = importlib.import_module("pysqlite3.dbapi2")
    except ImportError:
        return own, False
    if has_wal_reset_bug(other.sqlite_version_info):
        return own, False
    return other, True


class SqliteDatabase:
    def __init__(self, path: Path, station_id: str) -> None:
        self._path = path.resolve()  # two names of one file must give one lock
        self._driver, self._wal = sqlite_driver()
        self._lock = StationLock(self._path, station_id)
        self._identity: tuple[int, int] | None = None
        self._writer = create_engine(
            "sqlite://",
            module=self._driver,
            creator=lambda: self._connect("rwc", self._prepare_writer),
            poolclass=NullPool,
        )
        event.listen(self._writer, "begin", _begin_immediate)
        self._readers = create_engine(
            "sqlite://",
            module=self._driver,
            creator=lambda: self._connect("ro", _prepare_reader),
            poolclass=QueuePool,
            pool_size=settings.READER_CONNECTIONS,
            max_overflow=0,
            pool_timeout=settings.BUSY_TIMEOUT_S,
        )

    @property
    def name(self) -> str:
        return str(self._path)

    @property
    def readers(self) -> Engine:
        return self._readers

    def lock(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot make the folder of database {self._path}: {error.strerror}; "
                "make it yourself, writable for this user, or name another one"
            ) from error
        if self._path.is_dir():
            raise StoreError(f"database {self._path} is a folder; name a file in it")
        self._lock.acquire()

    def connect_writer(self) -> Connection:
        self._lock.acquire()  # whoever deleted the database may have deleted the lock beside it
        connection = self._writer.connect()
        status = self._path.stat()
        self._identity = (status.st_dev, status.st_ino)
        return connection

    def check_present(self) -> None:
        """A deleted or replaced file would go on taking commits that nobody can ever read."""
        self._lock.acquire()
        try:
            status = os.stat(self._path)  # noqa: PTH116  (a third of the time of Path.stat, once a commit)
        except OSError:
            status = None
        if status is None or (status.st_dev, status.st_ino) != self._identity:
            raise StoreUnavailable(
                f"database {self._path} was deleted or replaced while the station ran; "
                "put it back, or leave it: a new one is begun with the next parts"
            )

    def skip_ids(self, connection: Connection, up_to: int) -> None:
        connection.exec_driver_sql(
            "INSERT INTO sqlite_sequence (name, seq) SELECT 'outbox', 0"
            " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'outbox')"
        )
        connection.exec_driver_sql("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'outbox'", (up_to,))

    def survives(self, error: SQLAlchemyError) -> bool:
        # After a failed write or sync only a fresh connection reads what the disk really holds.
        code = getattr(error.orig, "sqlite_errorname", "") if isinstance(error, DBAPIError) else ""
        return "_".join(str(code).split("_")[:2]) in _CONNECTION_SURVIVES

    def close(self) -> None:
        self._readers.dispose()
        self._writer.dispose()
        self._lock.release()

    def _connect(self, mode: str, prepare: Callable[[Any], None]) -> Any:
        connection = self._driver.connect(
            f"file:{urllib.parse.quote(str(self._path))}?mode={mode}",
            uri=True,
            timeout=settings.BUSY_TIMEOUT_S,
            isolation_level=None,  # transactions begin where we say
            check_same_thread=False,  # opened by the main thread, used by one other thread at a time
        )
        try:
            prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare_writer(self, connection: Any) -> None:
        wanted = "wal" if self._wal else "delete"
        (mode,) = connection.execute(f"PRAGMA journal_mode={wanted}").fetchone()
        if mode != wanted:
            raise StoreError(
                f"database {self._path} cannot use SQLite's {wanted} journal (it stays {mode}); "
                "put it on a local, writable disk"
            )
        # EXTRA also syncs the folder after a rollback journal is deleted; with WAL, FULL says the same.
        connection.execute(f"PRAGMA synchronous={'FULL' if self._wal else 'EXTRA'}")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA mmap_size=0")
        connection.execute(f"PRAGMA journal_size_limit={_JOURNAL_LIMIT_BYTES}")
        if self._wal:
            # After a failed sync the log may hold frames that only seem to be on the disk; a power cut would end the log
            # there. So nothing is appended to an old log: its rows are moved into the file first.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _prepare_reader(connection: Any) -> None:
    connection.execute("PRAGMA query_only=ON")
    connection.execute("PRAGMA mmap_size=0")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
