"""From a database URL to an open store or reader."""

from pathlib import Path

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from inspector.adapters.store.database import Database, reason_of, remedy_of
from inspector.adapters.store.migrate import head_schema, migrate, newer_schema, schema_of
from inspector.adapters.store.postgres import PostgresDatabase
from inspector.adapters.store.reading import StoreReader
from inspector.adapters.store.sqlite import SqliteDatabase
from inspector.adapters.store.store import SqlStore
from inspector.domain.errors import StoreError


def open_store(url: str, *, station_id: str, keep_acknowledged: int = 10_000) -> SqlStore:
    """The store of one station: makes the folder, takes the lock, brings the schema up to date.

    `url` is sqlite:///relative.db, sqlite:////absolute.db or postgresql://user:password@host/database.
    Of the messages that the broker has taken, about the newest `keep_acknowledged` are kept.
    Raises StoreError: wrong URL, unwritable, no database, newer schema, in use by another station, unreachable.
    """
    if keep_acknowledged < 0:
        raise StoreError(f"keep_acknowledged is {keep_acknowledged}; use 0 or more messages")
    database = _database(url, station_id)
    try:
        database.lock()
        return SqlStore(database, _open_writer(database), keep_acknowledged=keep_acknowledged)
    except BaseException:
        database.close()
        raise


def open_reader(url: str) -> StoreReader:
    """Read-only, beside a running station or without one. Raises StoreError, also for a database never used."""
    database = _database(url, "report")
    try:
        with database.readers.connect() as connection:
            schema = schema_of(connection)
    except (SQLAlchemyError, OSError) as error:
        database.close()
        raise _cannot_open(database, error) from error
    head = head_schema()
    if schema == head:
        return StoreReader(database.readers, database.name)
    database.close()
    if schema is None:
        raise StoreError(f"database {database.name} holds no records of a station yet; run the station on it once")
    if schema < head:
        raise StoreError(
            f"database {database.name} has the older schema {schema}; start the station on it to bring it to {head}"
        )
    raise newer_schema(database.name, schema, head)


def _open_writer(database: Database) -> Connection:
    try:
        connection = database.connect_writer()
        try:
            migrate(connection, database.name)
        except BaseException:
            connection.close()
            raise
    except (SQLAlchemyError, OSError) as error:
        raise _cannot_open(database, error) from error
    return connection


def _cannot_open(database: Database, error: BaseException) -> StoreError:
    reason = reason_of(error)
    return StoreError(f"cannot open database {database.name}: {reason}; {remedy_of(reason)}")


def _database(text: str, station_id: str) -> Database:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        raise StoreError(
            "the database URL cannot be read; write it as sqlite:////var/lib/inspector/station.db"
        ) from None  # a mistyped URL may hold a password, so it is not repeated
    backend = url.get_backend_name()
    if backend == "sqlite":
        return SqliteDatabase(_file_of(text, url), station_id)
    if backend == "postgresql":
        return PostgresDatabase(url, station_id)
    raise StoreError(
        f"{backend} databases are not supported: a second station could not be kept off; use sqlite:/// or postgresql://"
    )


def _file_of(text: str, url: URL) -> Path:
    path = text.partition(":///")[2]  # as it stands there: SQLAlchemy makes another file of a name with '%41' in it
    if not path or path == ":memory:":
        raise StoreError(
            "the database URL names no file, and a database in memory forgets every verdict; "
            "write it as sqlite:////var/lib/inspector/station.db"
        )
    if url.query:
        raise StoreError(f"sqlite database URLs take no options here; remove '?{next(iter(url.query))}=…'")
    return Path(path)
