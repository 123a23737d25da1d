"""The SQLite store where files, disks and versions of SQLite play a part."""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inspector.adapters.store import SqlStore, open_reader, open_store, sqlite
from inspector.adapters.store.sqlite import has_wal_reset_bug, sqlite_driver
from inspector.domain.audit import AuditEntry
from inspector.domain.disposition import Disposition, HoldReason
from inspector.domain.errors import StoreError, StoreUnavailable
from inspector.domain.events import Topics, verdict_message
from inspector.domain.inspection import InspectedPart
from inspector.domain.message import OutboxMessage
from inspector.ports import Unit
from tests.support.station_values import START, a_part
from tests.support.tmpfs import fill, remount, tmpfs

TOPICS = Topics(["acme", "station-3"])
NOBODY = 65534

OpenStore = Callable[..., SqlStore]


@pytest.fixture
def opened() -> Iterator[OpenStore]:
    """Opens stores by file; all are closed in the end."""
    stores: list[SqlStore] = []

    def open_file(file: Path, **options: Any) -> SqlStore:
        stores.append(open_store(f"sqlite:///{file}", station_id="station-3", **options))
        return stores[-1]

    yield open_file
    for store in stores:
        store.close()


def unit_of(*parts: InspectedPart) -> Unit:
    return Unit(parts=parts, messages=[verdict_message(part, TOPICS) for part in parts])


def sequences(store: SqlStore) -> list[int]:
    return [part.sequence for part in store.reader.parts("R1", limit=100_000)]


def pragma(store: SqlStore, name: str) -> Any:
    assert store._writer is not None
    with store._writer.begin():
        return store._writer.exec_driver_sql(f"PRAGMA {name}").scalar_one()


# --- Settings of SQLite ----------------------------------------------------------------------------------------------

FULL, EXTRA = 2, 3


def test_the_write_ahead_log_is_synced_at_every_commit(opened: OpenStore, tmp_path: Path) -> None:
    driver, wal_is_safe = sqlite_driver()
    assert wal_is_safe, "the locked dependencies bring a SQLite without the WAL-reset bug"
    store = opened(tmp_path / "a.db")
    assert pragma(store, "journal_mode") == "wal"
    assert pragma(store, "synchronous") == FULL
    assert pragma(store, "foreign_keys") == 1
    assert pragma(store, "mmap_size") == 0
    assert store._writer is not None
    with store._writer.begin():
        assert store._writer.exec_driver_sql("SELECT sqlite_version()").scalar_one() == driver.sqlite_version


def test_after_a_failed_sync_nothing_is_appended_to_the_old_log(opened: OpenStore, tmp_path: Path) -> None:
    store = opened(tmp_path / "a.db")
    store.commit(unit_of(*(a_part(n) for n in range(1, 300))))
    reader = open_reader(f"sqlite:///{tmp_path}/a.db")  # otherwise closing the writer would empty the log
    assert len(reader.part_ids()) == 299
    log = tmp_path / "a.db-wal"
    before = log.stat().st_size
    dialect: Any = store._database._writer.dialect  # type: ignore[attr-defined]

    def failing_sync(connection: Any) -> None:
        raise dialect.loaded_dbapi.OperationalError("disk I/O error")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dialect, "do_commit", failing_sync)
        with pytest.raises(StoreUnavailable, match="check the disk"):
            store.commit(unit_of(a_part(300)))
    store.commit(unit_of(a_part(301)))
    assert log.stat().st_size < before / 4
    assert len(reader.part_ids()) == 300
    reader.close()


def test_a_sqlite_with_the_bug_keeps_a_rollback_journal(
    opened: OpenStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.db"
    before = opened(file)
    before.commit(unit_of(a_part(1)))
    before.close()
    driver, _ = sqlite_driver()
    monkeypatch.setattr(sqlite, "sqlite_driver", lambda: (driver, False))
    store = opened(file)  # one that was a WAL database until now
    assert pragma(store, "journal_mode") == "delete"
    assert pragma(store, "synchronous") == EXTRA
    store.commit(unit_of(a_part(2)))
    assert sequences(store) == [1, 2]
    assert not file.with_name("a.db-wal").exists()


@pytest.mark.parametrize(
    ("version", "has_bug"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 0), False),
    ],
)
def test_which_versions_have_the_bug(version: tuple[int, ...], has_bug: bool) -> None:
    assert has_wal_reset_bug(version) is has_bug


@pytest.mark.parametrize(
    ("own", "other", "taken"),
    [
        ((3, 53, 0), (3, 53, 0), ("sqlite3.dbapi2", True)),
        ((3, 40, 1), (3, 53, 0), ("pysqlite3.dbapi2", True)),
        ((3, 40, 1), (3, 51, 2), ("sqlite3.dbapi2", False)),
        ((3, 40, 1), None, ("sqlite3.dbapi2", False)),
    ],
)
def test_the_driver_without_the_bug_is_taken(
    own: tuple[int, ...], other: tuple[int, ...] | None, taken: tuple[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Driver:
        def __init__(self, name: str, version: tuple[int, ...]) -> None:
            self.name, self.sqlite_version_info = name, version

    def import_module(name: str) -> Driver:
        version = own if name == "sqlite3.dbapi2" else other
        if version is None:
            raise ImportError(name)
        return Driver(name, version)

    monkeypatch.setattr(sqlite.importlib, "import_module", import_module)  # type: ignore[attr-defined]
    driver, wal = sqlite_driver()
    assert (driver.name, wal) == taken


def test_a_transaction_takes_the_write_lock_before_it_reads(opened: OpenStore, tmp_path: Path) -> None:
    """A deferred one fails at once, whatever the time-out, when another program wrote between its read and its write."""
    store = opened(tmp_path / "a.db")
    assert store._writer is not None
    driver, _ = sqlite_driver()
    with closing(driver.connect(str(tmp_path / "a.db"), timeout=0, isolation_level=None)) as other:
        with store._writer.begin(), pytest.raises(driver.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")


def test_another_program_that_writes_is_waited_for(opened: OpenStore, tmp_path: Path) -> None:
    store = opened(tmp_path / "a.db")
    driver, _ = sqlite_driver()
    with closing(driver.connect(str(tmp_path / "a.db"), isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        end = threading.Timer(0.2, lambda: other.execute("ROLLBACK"))
        end.start()
        store.commit(unit_of(a_part(1)))
        end.join()
    assert sequences(store) == [1]


# --- Places that cannot be used --------------------------------------------------------------------------------------


@contextmanager
def _unprivileged() -> Iterator[Path]:
    """An empty folder of a user who may not do everything, as whom the block runs: root is never refused."""
    sqlite_driver()  # loaded while every file may be read
    with tempfile.TemporaryDirectory(prefix="inspector-") as name:
        folder = Path(name)
        if os.geteuid() != 0:
            yield folder
            return
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            os.seteuid(0)


def _refusal(url: str) -> str:
    with pytest.raises(StoreError) as refusal:
        open_store(url, station_id="s").close()
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_a_folder_that_cannot_be_written(opened: OpenStore) -> None:
    with _unprivileged() as folder:
        folder.chmod(0o555)
        try:
            message = _refusal(f"sqlite:///{folder}/a.db")
            deeper = _refusal(f"sqlite:///{folder}/new/a.db")
        finally:
            folder.chmod(0o755)
    assert f"{folder}/a.db: Permission denied" in message
    assert "make its folder writable" in message
    assert "cannot make the folder" in deeper
    assert "writable for this user" in deeper


def test_a_file_that_cannot_be_written(opened: OpenStore) -> None:
    with _unprivileged() as folder:
        file = folder / "a.db"
        driver, _ = sqlite_driver()
        with closing(driver.connect(str(file))) as connection:
            connection.execute("PRAGMA journal_mode=wal")
            connection.execute("CREATE TABLE x (y)")
        file.chmod(0o444)
        message = _refusal(f"sqlite:///{file}")
    assert str(file) in message
    assert "readonly" in message
    assert "writable for this user" in message


def test_a_disk_that_is_mounted_read_only(opened: OpenStore, tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", 2000) as disk:
        store = opened(disk / "a.db")
        store.commit(unit_of(a_part(1)))
        store.close()
        remount(disk, "ro")
        assert "Read-only file system" in _refusal(f"sqlite:///{disk}/a.db")
        remount(disk, "rw")
        assert sequences(opened(disk / "a.db")) == [1]


def test_a_folder_where_the_file_should_be(tmp_path: Path) -> None:
    (tmp_path / "a.db").mkdir()
    assert "is a folder; name a file in it" in _refusal(f"sqlite:///{tmp_path}/a.db")


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    assert "cannot make the folder" in _refusal(f"sqlite:///{tmp_path}/a/b.db")


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    file.write_bytes(b"not a database at all" * 500)
    for _ in range(2):  # the first refusal let go of the lock
        assert "move the file away, or name another one" in _refusal(f"sqlite:///{file}")
    with pytest.raises(StoreError, match="not a database"):
        open_reader(f"sqlite:///{file}")
    assert file.read_bytes() == b"not a database at all" * 500


def test_a_reader_of_a_file_that_is_not_there_makes_none(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open"):
        open_reader(f"sqlite:///{tmp_path}/none.db")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_of_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.db").touch()
    with pytest.raises(StoreError, match="run the station on it once"):
        open_reader(f"sqlite:///{tmp_path}/a.db")


@pytest.mark.parametrize("name", ["with space.db", "100%41#1.db", "検査.db", "deep/er/a.db"])
def test_any_file_name_will_do(opened: OpenStore, tmp_path: Path, name: str) -> None:
    store = opened(tmp_path / name)
    store.commit(unit_of(a_part(1)))
    assert sequences(store) == [1]
    assert (tmp_path / name).is_file()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "cannot be read"),
        ("postgresql://user:hunter2@host:hunter2/db", "cannot be read"),
        ("mysql://user:hunter2@host/db", "mysql databases are not supported"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:///a.db?mode=hunter2", "take no options"),
    ],
)
def test_a_url_that_is_none_of_ours(url: str, words: str) -> None:
    message = _refusal(url)
    assert words in message
    assert "hunter2" not in message


def test_fewer_than_no_messages_cannot_be_kept(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="keep_acknowledged is -1"):
        open_store(f"sqlite:///{tmp_path}/a.db", station_id="s", keep_acknowledged=-1)


# --- One station -----------------------------------------------------------------------------------------------------


def test_two_names_of_one_file_are_one_database(opened: OpenStore, tmp_path: Path) -> None:
    opened(tmp_path / "a.db")
    (tmp_path / "other").symlink_to(tmp_path)
    assert "in use by this process" in _refusal(f"sqlite:///{tmp_path}/other/a.db")


def test_a_deleted_lock_file_is_put_back_with_the_next_commit(opened: OpenStore, tmp_path: Path) -> None:
    store = opened(tmp_path / "a.db")
    (tmp_path / "a.db.lock").unlink()
    store.commit(unit_of(a_part(1)))
    assert (tmp_path / "a.db.lock").exists()
    assert sequences(store) == [1]


_OTHER_STATION = """
import fcntl, os, signal, sys
descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.lockf(descriptor, fcntl.LOCK_EX)
os.write(descriptor, b"the other one")
print("locked", flush=True)
signal.pause()
"""


def test_a_station_whose_lock_another_one_took_stops_writing(opened: OpenStore, tmp_path: Path) -> None:
    """After its lock file was deleted nothing kept the other one off."""
    store = opened(tmp_path / "a.db")
    lock = tmp_path / "a.db.lock"
    lock.unlink()
    with subprocess.Popen([sys.executable, "-c", _OTHER_STATION, str(lock)], stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline()
            with pytest.raises(StoreUnavailable, match="in use by the other one"):
                store.commit(unit_of(a_part(1)))
        finally:
            other.kill()
    store.commit(unit_of(a_part(2)))
    assert sequences(store) == [2]


# --- Files that vanish -----------------------------------------------------------------------------------------------


def test_a_database_deleted_while_the_station_runs_is_begun_anew(opened: OpenStore, tmp_path: Path) -> None:
    store = opened(tmp_path / "a.db")
    store.commit(replace(unit_of(a_part(1), a_part(2)), audits=[AuditEntry(START, "a", "b", "c", None, None, "d")]))
    given = [message.outbox_id or 0 for message in store.pending(0, 10)]
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(StoreUnavailable, match="deleted or replaced"):
        store.commit(unit_of(a_part(3)))
    store.commit(replace(unit_of(a_part(3)), audits=[AuditEntry(START, "a", "b", "c", None, None, "d")]))
    assert sequences(store) == [3]
    assert store.reader.verify_audit().is_intact
    (message,) = store.pending(0, 10)
    assert (message.outbox_id or 0) > max(given), "the publisher skips what it takes for sent"
    assert "in use by this process" in _refusal(f"sqlite:///{tmp_path}/a.db")
    store.close()
    assert sequences(opened(tmp_path / "a.db")) == [3], "what was acknowledged is in the file of that name"


def test_a_database_replaced_by_a_backup_is_used_from_then_on(opened: OpenStore, tmp_path: Path) -> None:
    backup = tmp_path / "backup.db"
    with closing(open_store(f"sqlite:///{backup}", station_id="s")) as old:
        old.commit(unit_of(a_part(1)))
    store = opened(tmp_path / "a.db")
    store.commit(unit_of(a_part(2)))
    for ending in ("-wal", "-shm"):
        (tmp_path / f"a.db{ending}").unlink()
    backup.replace(tmp_path / "a.db")
    with pytest.raises(StoreUnavailable, match="deleted or replaced"):
        store.commit(unit_of(a_part(3)))
    store.commit(unit_of(a_part(3)))
    assert sequences(store) == [1, 3]


def test_a_folder_that_vanishes_is_waited_for(opened: OpenStore, tmp_path: Path) -> None:
    folder = tmp_path / "mounted"
    store = opened(folder / "a.db")
    store.commit(unit_of(a_part(1)))
    folder.rename(tmp_path / "away")
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match=r"mounted/a\.db"):
            store.commit(unit_of(a_part(2)))
    with pytest.raises(StoreUnavailable):
        store.reader.part_ids()
    (tmp_path / "away").rename(folder)
    store.commit(unit_of(a_part(2)))
    assert sequences(store) == [1, 2]


# --- A full disk -----------------------------------------------------------------------------------------------------


def test_on_a_full_disk_nothing_of_a_unit_is_written_and_it_resumes_with_space(
    opened: OpenStore, tmp_path: Path
) -> None:
    with tmpfs(tmp_path / "disk", 3000) as disk:
        store = opened(disk / "a.db")
        store.commit(unit_of(a_part(1)))
        # From 'no page at all' to 'one page short': the failure wanders from the first write to the last.
        failures = 0
        for pages in range(12):
            ballast = fill(disk, leave_bytes=4096 * pages)
            before = sequences(store)
            group = [a_part(n) for n in range(100 * (pages + 1), 100 * (pages + 1) + 40)]
            try:
                store.commit(unit_of(*group))
                written = group
            except StoreUnavailable as error:
                assert "space" in str(error)
                failures += 1
                written = []
            assert sequences(store) == before + [part.sequence for part in written]
            assert store.pending_count() == len(before) + len(written)
            ballast.unlink()
            if not written:
                store.commit(unit_of(*(part.held(Disposition.hold(HoldReason.STORE_UNAVAILABLE)) for part in group)))
            assert store.pending_count() == len(before) + len(group) == len(store.pending(0, 10_000))
        assert failures >= 3
        rates = store.reader.exit_rates(START.replace(year=2000), START.replace(year=2100))
        assert sum(rate.parts for rate in rates) == 1 + 12 * 40
        store.close()
        assert len(sequences(opened(disk / "a.db"))) == 1 + 12 * 40


def test_opening_on_a_full_disk_says_so_and_leaves_no_half_schema(opened: OpenStore, tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", 400) as disk:
        ballast = fill(disk)
        message = _refusal(f"sqlite:///{disk}/a.db")
        assert "space" in message
        ballast.unlink()
        ballast = fill(disk, leave_bytes=60_000)  # begun, but not to its end
        assert "space" in _refusal(f"sqlite:///{disk}/a.db")
        ballast.unlink()
        with closing(open_store(f"sqlite:///{disk}/a.db", station_id="s")) as store:
            store.commit(unit_of(a_part(1)))
            assert sequences(store) == [1]


# --- Reading meanwhile -----------------------------------------------------------------------------------------------


def test_a_reader_sees_parts_and_messages_of_a_unit_together(opened: OpenStore, tmp_path: Path) -> None:
    store = opened(tmp_path / "a.db")
    reader = open_reader(f"sqlite:///{tmp_path}/a.db")
    odd: list[tuple[int, int]] = []
    done = threading.Event()

    def watch() -> None:
        both = "SELECT (SELECT count(*) FROM parts), (SELECT count(*) FROM outbox)"
        while not done.is_set():
            with reader._engine.connect() as connection:
                parts, rows = connection.exec_driver_sql(both).one()
            if parts != rows or parts % 5:
                odd.append((parts, rows))

    watcher = threading.Thread(target=watch)
    watcher.start()
    for start in range(0, 200, 5):
        store.commit(unit_of(*(a_part(n) for n in range(start, start + 5))))
    done.set()
    watcher.join()
    reader.close()
    assert odd == []


def test_more_readers_than_connections_take_turns(opened: OpenStore, tmp_path: Path) -> None:
    store = opened(tmp_path / "a.db")
    store.commit(Unit(messages=[OutboxMessage(str(n), "t", b"") for n in range(300)]))
    counts: list[int] = []
    readers = [threading.Thread(target=lambda: counts.append(len(store.pending(0, 1000)))) for _ in range(12)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert counts == [300] * 12
