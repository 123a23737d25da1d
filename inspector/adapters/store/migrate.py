"""Brings a database to the schema of this program. The steps are in `migrations/versions`, packaged with it."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from inspector.adapters.store.tables import metadata
from inspector.domain.errors import StoreError

VERSION_TABLE = "inspector_schema"

_FOLDER = Path(__file__).with_name("migrations")


def migration_config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def schema_of(connection: Connection) -> str | None:
    """The revision that the database is at; None for one without our tables."""
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


def head_schema() -> str:
    head = ScriptDirectory.from_config(migration_config()).get_current_head()
    assert head is not None
    return head


def migrate(connection: Connection, name: str) -> None:
    """All steps in one transaction, so a cut in the middle leaves the old schema.

    Raises StoreError when the database belongs to a newer program or to another one."""
    with connection.begin():
        current = schema_of(connection)
        scripts = ScriptDirectory.from_config(migration_config())
        head = scripts.get_current_head()
        if current == head:
            return
        if current is None:
            foreign = sorted(set(inspect(connection).get_table_names()) & set(metadata.tables))
            if foreign:
                raise StoreError(
                    f"database {name} holds a table {foreign[0]!r} that this program did not make; "
                    "name another database"
                )
        elif current not in {script.revision for script in scripts.walk_revisions()}:
            raise newer_schema(name, current, head)
        command.upgrade(migration_config(connection), "head")


def newer_schema(name: str, current: str, head: str | None) -> StoreError:
    return StoreError(
        f"database {name} has schema {current}, which is newer than this program's ({head}); "
        "install the newer program again, or name another database"
    )
