"""What the store needs of a database product, and how its errors read to a person."""

from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from inspector.domain.errors import StoreUnavailable

BUSY_TIMEOUT_S = 5.0
"""How long a write waits for another program that holds the database before the parts are held."""
READER_CONNECTIONS = 4
"""Readers at the same time: publisher, state and two to spare. A fifth waits at most BUSY_TIMEOUT_S."""


class Database(Protocol):
    """One database: one writer connection, a few read-only ones, one station."""

    @property
    def name(self) -> str:
        """For people: the path, or the URL without its password."""
        ...

    @property
    def readers(self) -> Engine: ...

    def lock(self) -> None:
        """Refuse a second station before anything is written. Raises StoreError."""
        ...

    def connect_writer(self) -> Connection:
        """A new writer connection. Raises StoreError (a second station) or SQLAlchemyError."""
        ...

    def check_present(self) -> None:
        """Raises StoreError when what is written to is not what the next reader would open, or is another's by now."""
        ...

    def skip_ids(self, connection: Connection, up_to: int) -> None:
        """Give no message an id of `up_to` or less any more."""
        ...

    def survives(self, error: SQLAlchemyError) -> bool:
        """True when the writer connection may be used again after `error`."""
        ...

    def close(self) -> None: ...


def reason_of(error: BaseException) -> str:
    """The driver's own words, first line only: SQLAlchemy's text would add the statement and its values."""
    original = error.orig if isinstance(error, DBAPIError) else error
    lines = str(original).strip().splitlines()
    return lines[0] if lines else type(original).__name__


_REMEDIES = (
    ("is full", "free space on its disk"),
    ("no space left", "free space on its disk"),
    ("locked", "end the other program that is writing to it"),
    ("lock timeout", "end the other session that holds its tables"),
    ("readonly", "make the file and its folder writable for this user"),
    ("read-only", "make it writable for this user"),
    ("i/o error", "check the disk (`dmesg`) and its free space"),
    ("unable to open", "check that its folder exists, is writable for this user and has free space"),
    ("not a database", "move the file away, or name another one"),
    ("malformed", "move the file away and restore it from a backup"),
    ("password", "check user and password in the database URL"),
)


def remedy_of(reason: str) -> str:
    lowered = reason.lower()
    for sign, remedy in _REMEDIES:
        if sign in lowered:
            return remedy
    return "check that the database is there and can be reached"


def unavailable(what: str, name: str, error: BaseException) -> StoreUnavailable:
    reason = reason_of(error)
    return StoreUnavailable(f"{what} database {name}: {reason}; {remedy_of(reason)}")
