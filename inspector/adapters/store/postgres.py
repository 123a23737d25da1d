"""PostgreSQL through psycopg: one writer session that also holds the station's advisory lock, read-only readers.

The lock lives in the writer's own session: who has lost the connection has lost the lock, and must win it again before
the next write. So two stations can never write alternately.
"""

import time
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool, QueuePool

from inspector.adapters.store import database as settings
from inspector.domain.errors import StoreError

_LOCK_KEY = 0x696E7370656374  # "inspect": the same for every version of the program
_LOCK_WAIT_S = 3.0
"""A station that was just killed is still being cleared away by the server."""

_SEQUENCE = "outbox_outbox_id_seq"

_TRY_LOCK = text("SELECT pg_try_advisory_lock(:key)").bindparams(key=_LOCK_KEY)
_HOLDER = text(
    "SELECT a.pid, a.application_name, coalesce(host(a.client_addr), 'this machine') AS address"
    " FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
    " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
    " AND (l.classid::bigint << 32) + l.objid::bigint = :key"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
).bindparams(key=_LOCK_KEY)


class PostgresDatabase:
    def __init__(self, url: URL, station_id: str) -> None:
        self._url = url.set(drivername="postgresql+psycopg")
        self._backend: int | None = None
        self._writer = self._engine(f"inspector {station_id}", "", poolclass=NullPool)
        self._readers = self._engine(
            f"inspector reader {station_id}",
            " -c default_transaction_read_only=on",
            poolclass=QueuePool,
            pool_size=settings.READER_CONNECTIONS,
            max_overflow=0,
            pool_timeout=settings.BUSY_TIMEOUT_S,
            pool_pre_ping=True,
            isolation_level="AUTOCOMMIT",
        )

    def _engine(self, application: str, options: str, **arguments: Any) -> Engine:
        busy_ms = round(settings.BUSY_TIMEOUT_S * 1000)
        given: Any = self._url.query.get("options", "")
        connect_args: dict[str, Any] = {
            "application_name": application[:63],  # the server cuts there
            "connect_timeout": 5,
            "tcp_user_timeout": 10_000,  # ms: a dead network ends a write instead of stopping the line
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        }
        for name in self._url.query:
            connect_args.pop(name, None)  # what the URL says wins
        # The server's own keepalives free the lock of a station that lost its power within half a minute.
        connect_args["options"] = (
            f"-c lock_timeout={busy_ms} -c statement_timeout={2 * busy_ms} -c tcp_keepalives_idle=10"
            f" -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3{options} {given}"
        )
        try:
            return create_engine(self._url, connect_args=connect_args, **arguments)
        except ModuleNotFoundError as error:
            raise StoreError(
                f"database {self.name} needs the PostgreSQL driver; install it with `pip install inspector[postgres]`"
            ) from error

    @property
    def name(self) -> str:
        return self._url.set(query={}).render_as_string(hide_password=True)

    @property
    def readers(self) -> Engine:
        return self._readers

    def lock(self) -> None:
        """The lock is taken with the writer's connection."""

    def connect_writer(self) -> Connection:
        connection = self._writer.connect()
        try:
            self._take_lock(connection)
            # A server may be set to acknowledge before it has written; stronger settings than 'on' are kept.
            connection.exec_driver_sql(
                "SELECT set_config('synchronous_commit', 'on', false)"
                " WHERE current_setting('synchronous_commit') IN ('off', 'local')"
            )
            connection.commit()
        except BaseException:
            connection.close()
            raise
        return connection

    def _take_lock(self, connection: Connection) -> None:
        give_up_at = time.monotonic() + _LOCK_WAIT_S
        while not connection.execute(_TRY_LOCK).scalar_one():
            holder = connection.execute(_HOLDER).first()
            if holder is not None and holder.pid == self._backend:
                # Our own earlier session, cut off: the server has not noticed yet.
                connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": holder.pid})
            if time.monotonic() >= give_up_at:
                who = f"{holder.application_name!r} from {holder.address}" if holder else "another station"
                raise StoreError(
                    f"database {self.name} is in use by {who}; stop that station, or give this one its own database"
                )
            connection.rollback()
            time.sleep(0.05)
        self._backend = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()

    def check_present(self) -> None:
        """The server sees to that."""

    def skip_ids(self, connection: Connection, up_to: int) -> None:
        connection.exec_driver_sql("SELECT setval(%s, greatest(%s, nextval(%s)))", (_SEQUENCE, up_to, _SEQUENCE))

    def survives(self, error: SQLAlchemyError) -> bool:
        return False

    def close(self) -> None:
        self._readers.dispose()
        self._writer.dispose()
