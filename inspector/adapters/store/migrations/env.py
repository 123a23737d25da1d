"""Alembic's entry: runs the steps on the connection that `migrate` opened."""

from alembic import context

from inspector.adapters.store.migrate import VERSION_TABLE
from inspector.adapters.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    # SQLite can do this, too, once BEGIN is said by us: a step is done whole or not at all.
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
