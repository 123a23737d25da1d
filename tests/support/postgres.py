"""A real PostgreSQL server for the tests: a throw-away cluster on a unix socket.

`apt-get install postgresql` provides it. Where it is absent the tests that need it are skipped by name, unless
INSPECTOR_REQUIRE_PEERS=1 says that they must not be.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

_USER = "inspector"


def _binaries() -> Path:
    """The folder with initdb and postgres; skips the test, or fails it, when there is none."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    reason = "PostgreSQL is not installed (apt-get install postgresql)"
    if os.environ.get("INSPECTOR_REQUIRE_PEERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def _unprivileged() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    raise RuntimeError("there is no unprivileged user to run PostgreSQL as")


class PostgresServer:
    """Its data lie under the system's temporary folder: pytest's own is closed to other users."""

    def __init__(self) -> None:
        binaries = _binaries()
        self._folder = Path(tempfile.mkdtemp(prefix="inspector-pg-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        self._has_emptied = False
        self._as_user = _unprivileged()
        if self._as_user:
            os.chown(self._folder, self._as_user["user"], self._as_user["group"])
        data = self._folder / "data"
        initdb = [str(binaries / "initdb"), "-D", str(data), "-U", _USER, "--auth=trust", "--no-sync", "-E", "UTF8"]
        made = subprocess.run(
            [*initdb, "--locale=C"], capture_output=True, text=True, cwd=self._folder, timeout=60, **self._as_user
        )
        if made.returncode != 0:
            self.remove()
            raise RuntimeError(f"initdb failed: {made.stderr[-2000:]}")
        self._command = [str(binaries / "postgres"), "-D", str(data), "-k", str(self._folder), "-c", "fsync=off"]
        self._command += ["-c", "listen_addresses=", "-c", "max_connections=40"]

    def start(self) -> "PostgresServer":
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, cwd=self._folder, **self._as_user)
        deadline = time.monotonic() + 30.0
        while True:
            try:
                self.execute("SELECT 1")
                return self
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self._folder / "log").read_text()[-2000:]) from None
                time.sleep(0.02)

    def stop(self) -> None:
        """At once, as in a power cut; `start` brings it back with what was committed."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(3)  # SIGQUIT: PostgreSQL's immediate shutdown
            process.wait(20)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def new_database(self) -> str:
        """The URL of an empty database."""
        self._databases += 1
        name = f"station_{self._databases}"
        self.execute(f"CREATE DATABASE {name}")
        return self._url(name)

    def emptied_database(self) -> str:
        """The URL of a database that is always the same one, emptied and rid of its sessions: ten times as fast."""
        if not self._has_emptied:
            self.execute("CREATE DATABASE emptied")
            self._has_emptied = True
        with self.connected("emptied") as connection:
            connection.execute(
                b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                b" WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            connection.execute(b"DROP SCHEMA public CASCADE")
            connection.execute(b"CREATE SCHEMA public")
        return self._url("emptied")

    def _url(self, name: str) -> str:
        return f"postgresql+psycopg://{_USER}:secret@/{name}?host={urllib.parse.quote(str(self._folder))}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        with self.connected(database) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def connected(self, database: str) -> Iterator[psycopg.Connection[Any]]:
        connection = psycopg.connect(host=str(self._folder), user=_USER, dbname=database, autocommit=True)
        try:
            yield connection
        finally:
            connection.close()
