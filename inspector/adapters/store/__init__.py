"""The durable log, outbox and audit trail in SQL: SQLite by default, PostgreSQL by URL.

    open_store(url) ─▶ lock (one station a database) ─▶ migrate to head ─▶ SqlStore.commit(unit) ─▶ one transaction
    open_reader(url) ─▶ StoreReader: read-only questions, from any process, beside a running station

Read `tables` first, then `store`. SQLAlchemy and Alembic are imported nowhere else.
"""

from inspector.adapters.store.opening import open_reader, open_store
from inspector.adapters.store.reading import StoreReader
from inspector.adapters.store.store import SqlStore

__all__ = ["SqlStore", "StoreReader", "open_reader", "open_store"]
