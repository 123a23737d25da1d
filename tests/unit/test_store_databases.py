"""What the store promises beyond its port, on SQLite and on a real PostgreSQL alike."""

import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from inspector.adapters.store import SqlStore, open_reader, open_store
from inspector.adapters.store.migrate import VERSION_TABLE
from inspector.adapters.store.sqlite import sqlite_driver
from inspector.adapters.store.tables import metadata
from inspector.domain.alarm import AlarmCode, AlarmState
from inspector.domain.audit import AuditEntry
from inspector.domain.disposition import Action, Disposition, HoldReason
from inspector.domain.errors import StoreError, StoreUnavailable
from inspector.domain.events import Topics, verdict_message
from inspector.domain.inspection import InspectedPart, event_id_of
from inspector.domain.message import OutboxMessage
from inspector.domain.misjudgement import FoundBy, Misjudgement, MisjudgementKind
from inspector.domain.state import Fraction
from inspector.domain.truth import Label, Truth
from inspector.ports import ConfigVersion, Unit
from tests.support.postgres import PostgresServer
from tests.support.station_values import START, a_part, an_alarm

ROOT = Path(__file__).parents[2]
TOPICS = Topics(["acme", "station-3"])
ALWAYS = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


@dataclass
class Place:
    """An empty database and a way behind the store's back."""

    kind: str
    url: str
    execute: Callable[[str], list[tuple[Any, ...]]]
    opened: list[SqlStore]

    def open(self, **options: Any) -> SqlStore:
        self.opened.append(open_store(self.url, station_id="station-3", **options))
        return self.opened[-1]


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        yield server.start()
    finally:
        server.remove()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        file = tmp_path / "station.db"
        yielded = Place("sqlite", f"sqlite:///{file}", lambda statement: _on_file(file, statement), [])
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.emptied_database()
        name = make_url(url).database or ""
        yielded = Place("postgres", url, lambda statement: server.execute(statement, name), [])
    yield yielded
    for store in yielded.opened:
        store.close()


def _on_file(file: Path, statement: str) -> list[tuple[Any, ...]]:
    driver, _ = sqlite_driver()
    connection = driver.connect(str(file), isolation_level=None)
    try:
        return list(connection.execute(statement).fetchall())
    finally:
        connection.close()


def unit_of(*parts: InspectedPart) -> Unit:
    return Unit(parts=parts, messages=[verdict_message(part, TOPICS) for part in parts])


def messages(*names: str) -> list[OutboxMessage]:
    return [OutboxMessage(name, "acme/x", name.encode()) for name in names]


def entries(count: int) -> list[AuditEntry]:
    return [AuditEntry(START, "anna", "threshold", "front", None, f'"{i} µ"', "test") for i in range(count)]


def ids(store: SqlStore) -> list[int]:
    return [message.outbox_id or 0 for message in store.pending(0, 100_000)]


def recomputed(parts: list[InspectedPart]) -> dict[tuple[str, str, datetime], Counter[str]]:
    """The rollups as they must be, counted the slow way."""
    rates: dict[tuple[str, str, datetime], Counter[str]] = {}
    for part in parts:
        minute = part.captured_at.astimezone(UTC).replace(second=0, microsecond=0)
        name = part.verdict.exit or "" if part.verdict else ""
        rates.setdefault((part.recipe_id, name, minute), Counter())[part.disposition.action.value] += 1
    return rates


def rolled_up(store: SqlStore) -> dict[tuple[str, str, datetime], Counter[str]]:
    found = {}
    for rate in store.reader.exit_rates(*ALWAYS):
        assert rate.parts == rate.passed + rate.rejected + rate.held
        counts = {"PASS": rate.passed, "REJECT": rate.rejected, "HOLD": rate.held}
        found[rate.recipe_id, rate.exit, rate.interval_start] = Counter({k: n for k, n in counts.items() if n})
    return found


# --- A process that dies ---------------------------------------------------------------------------------------------

# Says what is durable: a line is printed only once `commit` has returned.
_WRITER = """
import sys
from inspector.adapters.store import open_store
from inspector.domain.audit import AuditEntry
from inspector.domain.disposition import Action
from inspector.domain.events import Topics, verdict_message
from inspector.ports import Unit
from tests.support.station_values import START, a_part
topics = Topics(["acme", "station-3"])
audit = AuditEntry(START, "anna", "threshold", "front", None, "1", "test")
store = open_store(sys.argv[1], station_id="station-3")
sequence = int(sys.argv[2])
while True:
    group = [a_part(n, list(Action)[n % 3]) for n in range(sequence, sequence + 1 + sequence % 7)]
    sequence += len(group)
    store.commit(Unit(parts=group, messages=[verdict_message(part, topics) for part in group], audits=[audit]))
    print(sequence - 1, flush=True)
"""


def _killed_while_writing(url: str, first: int, after_lines: int) -> int:
    """Start a writer, let it acknowledge some groups and kill it amid the next; returns the last number acknowledged."""
    command = [sys.executable, "-c", _WRITER, url, str(first)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(after_lines)]
        writer.kill()
        lines += writer.stdout.readlines()  # what it said before it was gone counts as well
    return int([line for line in lines if line.endswith("\n")][-1])


@pytest.mark.timeout(300)  # seven processes start here, which takes its time on a busy machine
def test_kill_minus_9_loses_no_acknowledged_part_and_parts_no_message(place: Place) -> None:
    chance = random.Random(20)
    first = 1
    given: set[int] = set()
    for _ in range(5 if place.kind == "sqlite" else 2):
        acknowledged = _killed_while_writing(place.url, first, chance.randint(1, 60))
        store = place.open()  # the dead one's lock is free
        parts = store.reader.parts("R1", limit=100_000)
        sequences = [part.sequence for part in parts]
        assert sequences == list(range(1, len(parts) + 1))
        assert len(parts) >= acknowledged
        for part in parts:
            assert part == a_part(part.sequence, list(Action)[part.sequence % 3])
        pending = store.pending(0, 100_000)
        assert [message.event_id for message in pending] == [part.event_id for part in parts]
        now = {message.outbox_id or 0 for message in pending}
        assert len(now) == len(pending)
        assert given <= now
        given = now
        assert rolled_up(store) == recomputed(list(parts))
        assert store.reader.verify_audit().is_intact
        first = len(parts) + 1
        store.close()


# --- One station a database ------------------------------------------------------------------------------------------


def _refusal(url: str) -> str:
    """What a second station is told, without the wait for one that was just killed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("inspector.adapters.store.postgres._LOCK_WAIT_S", 0.0)
        with pytest.raises(StoreError) as refusal:
            open_store(url, station_id="other")
    assert "secret" not in str(refusal.value)
    return str(refusal.value)


def test_a_second_station_is_refused_until_the_first_ends(place: Place) -> None:
    first = place.open()
    assert "in use by" in _refusal(place.url)
    first.commit(unit_of(a_part(1)))
    first.close()
    second = place.open()
    assert second.reader.part_ids() == (a_part(1).part_id,)


def test_a_station_in_another_process_is_named(place: Place) -> None:
    command = [sys.executable, "-c", _WRITER, place.url, "1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline()
            assert re.search(r"in use by .*station-3", _refusal(place.url))
        finally:
            writer.kill()
    place.open()


# --- A commit of unknown outcome -------------------------------------------------------------------------------------


@contextmanager
def _commit_reported_failed(store: SqlStore, *, written: bool = True, after: int = 0) -> Iterator[None]:
    """The writer's COMMIT number `after` fails as a cut connection would let it, after (or before) it was written."""
    dialect: Any = store._database._writer.dialect  # type: ignore[attr-defined]
    real = dialect.do_commit
    left = after

    def do_commit(connection: Any) -> None:
        nonlocal left
        left -= 1
        if left != -1:
            return real(connection)
        if written:
            real(connection)
        raise dialect.loaded_dbapi.OperationalError("the connection is gone")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dialect, "do_commit", do_commit)
        yield


def held(part: InspectedPart) -> InspectedPart:
    return part.held(Disposition.hold(HoldReason.STORE_UNAVAILABLE))


@pytest.mark.parametrize("written", [True, False])
def test_a_commit_of_unknown_outcome_is_taken_out_before_anything_else_is_written(place: Place, written: bool) -> None:
    store = place.open()
    store.commit(replace(unit_of(a_part(1)), audits=entries(2)))
    doubtful = replace(
        unit_of(a_part(2), a_part(3, Action.REJECT)),
        audits=entries(1),
        misjudgements=[Misjudgement("R1-0000002", MisjudgementKind.ESCAPE, FoundBy.AUDIT, START)],
        alarms=[an_alarm()],
        configs=[ConfigVersion("v1", START, "{}")],
    )
    with _commit_reported_failed(store, written=written), pytest.raises(StoreUnavailable, match="connection is gone"):
        store.commit(doubtful)
    assert len(store.reader.part_ids()) == (3 if written else 1), "the test did what it says"
    # Nobody may learn of verdicts that do not hold: those parts were released as HOLD.
    assert [message.event_id for message in store.pending(0, 10)] == [a_part(1).event_id]
    as_held = (held(a_part(2)), held(a_part(3, Action.REJECT)))
    store.commit(unit_of(a_part(4)))
    assert store.reader.part_ids() == (a_part(1).part_id, a_part(4).part_id)
    assert store.reader.misjudgements() == ()
    assert store.reader.alarm_changes() == ()
    assert store.reader.configs() == ()
    store.commit(replace(doubtful, parts=as_held, messages=[verdict_message(part, TOPICS) for part in as_held]))
    assert store.reader.part(as_held[0].part_id) == as_held[0]
    assert rolled_up(store) == recomputed([a_part(1), a_part(4), *as_held])
    check = store.reader.verify_audit()
    assert (check.entries, check.is_intact) == (3, True)
    payloads = {message.event_id: message.payload for message in store.pending(0, 10)}
    assert payloads == {
        m.event_id: m.payload for m in (verdict_message(p, TOPICS) for p in (a_part(1), a_part(4), *as_held))
    }
    assert len(store.reader.alarm_changes()) == len(store.reader.configs()) == len(store.reader.misjudgements()) == 1


def test_taking_out_may_itself_end_in_doubt(place: Place) -> None:
    store = place.open()
    with _commit_reported_failed(store), pytest.raises(StoreUnavailable):
        store.commit(unit_of(a_part(1)))
    assert store.reader.part_ids() == (a_part(1).part_id,)
    # Opening anew commits once, for PostgreSQL's lock once more; then comes the taking out.
    opening = 1 if place.kind == "sqlite" else 2
    with _commit_reported_failed(store, after=opening), pytest.raises(StoreUnavailable):
        store.commit(unit_of(a_part(2)))
    assert store.reader.part_ids() == (), "the taking out landed, and the next unit was not begun"
    store.commit(unit_of(held(a_part(1))))
    assert store.reader.part(a_part(1).part_id) == held(a_part(1))
    assert rolled_up(store) == recomputed([held(a_part(1))])


def test_only_what_was_new_in_a_doubtful_unit_is_taken_out(place: Place) -> None:
    store = place.open()
    store.commit(unit_of(a_part(1)))
    with _commit_reported_failed(store), pytest.raises(StoreUnavailable):
        store.commit(unit_of(a_part(1), a_part(2)))
    store.commit(Unit())
    assert store.reader.part_ids() == (a_part(1).part_id,)
    assert rolled_up(store) == recomputed([a_part(1)])


def test_closing_takes_a_doubtful_unit_out(place: Place) -> None:
    store = place.open()
    with _commit_reported_failed(store), pytest.raises(StoreUnavailable):
        store.commit(unit_of(a_part(1)))
    store.close()
    with closing(open_reader(place.url)) as reader:
        assert reader.part_ids() == ()
        assert reader.pending_count() == 0


def test_a_message_read_while_its_commit_ends_in_doubt_is_not_given_out(place: Place) -> None:
    store = place.open()
    read = store.reader.pending

    def read_then_doubt(after: int, limit: int) -> Any:
        with _commit_reported_failed(store), pytest.raises(StoreUnavailable):
            store.commit(unit_of(a_part(1)))
        found = read(after, limit)
        store.commit(Unit())  # the doubt is over again before the reader gets to look
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store.reader, "pending", read_then_doubt)
        with pytest.raises(StoreUnavailable, match="messages wait"):
            store.pending(0, 10)
    assert store.pending(0, 10) == ()


# --- Schema ----------------------------------------------------------------------------------------------------------


def _names(place: Place) -> set[str]:
    if place.kind == "sqlite":
        found = place.execute("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
    else:
        found = place.execute(
            "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'public'"
        )
    return {name for (name,) in found}


def test_the_migrations_build_the_tables_of_the_program(place: Place) -> None:
    place.open().close()
    engine = create_engine(place.url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        differences = compare_metadata(context, metadata)
    engine.dispose()
    assert differences == []


def test_a_migration_that_fails_halfway_leaves_nothing(place: Place) -> None:
    place.execute("CREATE TABLE mine (x INTEGER)")
    place.execute("CREATE INDEX parts_by_run ON mine (x)")  # taken: the step fails after it has made seven tables
    before = _names(place)
    with pytest.raises(StoreError, match="parts_by_run"):
        open_store(place.url, station_id="s")
    assert _names(place) == before
    place.execute("DROP TABLE mine")
    place.open().commit(unit_of(a_part(1)))


def test_a_newer_schema_and_foreign_tables_are_refused_and_left_as_they_are(place: Place) -> None:
    place.execute("CREATE TABLE outbox (x INTEGER)")
    with pytest.raises(StoreError, match="'outbox' that this program did not make"):
        open_store(place.url, station_id="s")
    assert _names(place) == {"outbox"}
    place.execute("DROP TABLE outbox")
    place.open().close()
    place.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    before = _names(place)
    for opening in (lambda: open_store(place.url, station_id="s"), lambda: open_reader(place.url)):
        with pytest.raises(StoreError, match="9999, which is newer"):
            opening()
    assert _names(place) == before
    assert place.execute(f"SELECT version_num FROM {VERSION_TABLE}") == [("9999",)]


def test_a_reader_of_an_unused_or_older_database_says_what_to_do(place: Place) -> None:
    if place.kind == "postgres":
        with pytest.raises(StoreError, match="holds no records of a station yet"):
            open_reader(place.url)
    place.open().close()
    place.execute(f"UPDATE {VERSION_TABLE} SET version_num = '0000'")
    with pytest.raises(StoreError, match="older schema 0000; start the station"):
        open_reader(place.url)


# --- Audit trail -----------------------------------------------------------------------------------------------------


_TAMPERINGS = {
    "UPDATE audit_trail SET new = '\"0.9\"' WHERE seq = 3": 3,
    "UPDATE audit_trail SET old = '' WHERE seq = 1": 1,
    "UPDATE audit_trail SET at = 'yesterday' WHERE seq = 2": 2,
    "DELETE FROM audit_trail WHERE seq = 1": 1,
    "DELETE FROM audit_trail WHERE seq = 4": 4,
    "UPDATE audit_trail SET seq = 50 WHERE seq = 5": 5,
    "INSERT INTO audit_trail SELECT 6, at, who, action, subject, old, new, reason, hash FROM kept WHERE seq = 5": 6,
}


def test_the_audit_trail_shows_an_edit_a_removal_and_an_insertion(place: Place) -> None:
    store = place.open()
    store.commit(Unit(audits=entries(2)))
    store.commit(Unit(audits=entries(3)))
    place.execute("CREATE TABLE kept AS SELECT * FROM audit_trail")
    tamperings = dict(_TAMPERINGS)
    if place.kind == "sqlite":  # it takes any kind of value for text
        tamperings["UPDATE audit_trail SET who = x'00ff' WHERE seq = 2"] = 2
    for tampering, broken_at in tamperings.items():
        assert (store.reader.verify_audit().entries, store.reader.verify_audit().broken_at) == (5, None)
        place.execute(tampering)
        check = store.reader.verify_audit()
        assert (check.entries, check.broken_at) == (broken_at - 1, broken_at), tampering
        place.execute("DELETE FROM audit_trail")
        place.execute("INSERT INTO audit_trail SELECT * FROM kept")


def test_cutting_the_end_off_shows_against_a_noted_hash(place: Place) -> None:
    store = place.open()
    store.commit(Unit(audits=entries(3)))
    noted = store.reader.verify_audit().last_hash
    place.execute("DELETE FROM audit_trail WHERE seq = 3")
    assert store.reader.verify_audit().last_hash != noted


def test_the_chain_goes_on_after_a_restart_and_after_a_failed_unit(place: Place) -> None:
    store = place.open()
    store.commit(Unit(audits=entries(2)))
    with _commit_reported_failed(store, written=False), pytest.raises(StoreUnavailable):
        store.commit(Unit(audits=entries(4)))
    store.commit(Unit(audits=entries(1)))
    store.close()
    again = place.open()
    again.commit(Unit(audits=entries(2)))
    assert again.reader.verify_audit().entries == 5
    assert again.reader.verify_audit().is_intact
    assert again.reader.audit_entries() == tuple(entries(2) + entries(1) + entries(2))
    assert again.reader.audit_entries(after=4) == (entries(2)[1],)


# --- What was written is what is read --------------------------------------------------------------------------------


def _mixed_parts() -> list[InspectedPart]:
    chance = random.Random(3)
    made = []
    for sequence in range(1, 201):
        truth = Truth(chance.choice(list(Label)))
        part = a_part(sequence, chance.choice(list(Action)), hold_reason=chance.choice(list(HoldReason)), truth=truth)
        made.append(
            replace(
                part,
                recipe_id=chance.choice(["bracket-a", "bracket-b"]),
                run_id=f"R{1 + sequence // 120}",
                captured_at=START + timedelta(seconds=sequence),
            )
        )
    return made


def test_rollups_and_counts_equal_what_the_parts_add_up_to(place: Place) -> None:
    store = place.open()
    parts = _mixed_parts()
    for start in range(0, 200, 23):
        store.commit(unit_of(*parts[start : start + 23]))
    store.commit(unit_of(*parts[50:60]))  # a repeat counts once
    reader = store.reader
    expected = recomputed(parts)
    assert len(expected) > 12
    assert rolled_up(store) == expected
    a_only = {key: count for key, count in expected.items() if key[0] == "bracket-a"}
    assert sum(rate.parts for rate in reader.exit_rates(*ALWAYS, recipe_id="bracket-a")) == sum(
        count.total() for count in a_only.values()
    )
    minute = START.replace(second=0, microsecond=0) + timedelta(minutes=1)
    within = reader.exit_rates(minute, minute + timedelta(minutes=1))
    assert {rate.interval_start for rate in within} == {minute}
    inference = sum(part.verdict.inference_ms for part in parts if part.verdict)
    assert sum(rate.inference_ms for rate in reader.exit_rates(*ALWAYS)) == pytest.approx(inference)
    assert sum(rate.latency_ms for rate in reader.exit_rates(*ALWAYS)) == pytest.approx(200 * 21.0)
    for run in (None, "R1", "R2"):
        mine = [part for part in parts if run in (None, part.run_id)]
        counts = reader.counts(run)
        reasons = Counter(part.disposition.hold_reason for part in mine if part.disposition.hold_reason)
        actions = Counter(part.disposition.action for part in mine)
        assert (counts.triggers, counts.in_flight) == (len(mine), 0)
        assert (counts.passed, counts.rejected) == (actions[Action.PASS], actions[Action.REJECT])
        assert dict(counts.hold) == dict(reasons)
        bad = [part for part in mine if part.truth and part.truth.label is Label.NG]
        assert reader.escape(run) == Fraction(sum(part.is_escape for part in bad), len(bad))
        good = len(mine) - len(bad)
        assert reader.overkill(run) == Fraction(sum(part.is_overkill for part in mine), good)
        exits = Counter(part.verdict.exit for part in mine if part.verdict and part.verdict.exit)
        assert {share.name: share.count for share in reader.exit_shares(run)} == dict(exits)
        assert sum(share.share for share in reader.exit_shares(run)) == pytest.approx(1.0)
    assert reader.runs() == Counter(part.run_id for part in parts)


def test_parts_are_paged_in_order(place: Place) -> None:
    store = place.open()
    parts = [part for part in _mixed_parts() if part.run_id == "R1"]
    store.commit(unit_of(*reversed(parts)))
    read: list[InspectedPart] = []
    while page := store.reader.parts("R1", after_sequence=read[-1].sequence if read else 0, limit=50):
        read += page
    assert read == parts
    assert store.reader.latest(3) == tuple(reversed(parts[-3:]))
    assert store.reader.part("unknown") is None


def test_misjudgements_alarms_and_configurations_come_back_as_they_were(place: Place) -> None:
    store = place.open()
    found = [
        Misjudgement("R1-1", MisjudgementKind.ESCAPE, FoundBy.MES, START, "scratch", "seen at „assembly“ 検査"),
        Misjudgement("R1-1", MisjudgementKind.ESCAPE, FoundBy.OPERATOR, START + timedelta(seconds=1)),
        Misjudgement("R1-2", MisjudgementKind.OVERKILL, FoundBy.AUDIT, START + timedelta(seconds=2)),
    ]
    raised = an_alarm(AlarmCode.DISK_LOW)
    changes = [raised, raised.acknowledged("anna", START), raised.returned(START + timedelta(minutes=1))]
    configs = [ConfigVersion("v1", START, '{"a": "µ"}'), ConfigVersion("v2", START + timedelta(seconds=5), "{}")]
    store.commit(Unit(misjudgements=found, alarms=changes, configs=configs))
    store.close()
    with closing(open_reader(place.url)) as reader:
        assert reader.misjudgements() == tuple(found)
        assert reader.misjudgements("R1-2") == (found[2],)
        assert reader.alarm_changes() == tuple(changes)
        assert reader.alarm_changes(limit=1) == (changes[2],)
        assert changes[1].state is AlarmState.ACKNOWLEDGED
        assert reader.configs() == tuple(configs)


def test_times_keep_their_moment_and_come_back_in_utc(place: Place) -> None:
    store = place.open()
    tokyo = timezone(timedelta(hours=9))
    local = datetime(2026, 1, 1, 3, 4, 5, 678901, tzinfo=tokyo)
    even = datetime(2025, 12, 31, 18, 4, 5, 0, tzinfo=UTC)  # no microseconds: text of the same width all the same
    store.commit(Unit(parts=[replace(a_part(1), captured_at=local), replace(a_part(2), captured_at=even)]))
    first, second = (store.reader.part(a_part(n).part_id) for n in (1, 2))
    assert first is not None
    assert second is not None
    assert first.captured_at == local
    assert first.captured_at.tzinfo is UTC
    assert second.captured_at == even
    assert [part.sequence for part in store.reader.latest()] == [1, 2]
    (rate,) = store.reader.exit_rates(*ALWAYS)
    assert rate.interval_start == datetime(2025, 12, 31, 18, 4, tzinfo=UTC)
    assert rate.interval_start.tzinfo is UTC


def test_words_that_no_database_takes_do_not_stop_their_group(place: Place) -> None:
    store = place.open()
    odd = "kratz\udcff\x00er"
    part = a_part(1, Action.REJECT, defect_class=odd, truth=Truth(Label.OK, odd))
    found = Misjudgement("R1-\x00", MisjudgementKind.OVERKILL, FoundBy.MES, START, odd, odd)
    entry = replace(entries(1)[0], who=odd, old=odd, reason=odd)
    alarm = replace(an_alarm(), message=odd, acknowledged_by=odd)
    store.commit(replace(unit_of(part), misjudgements=[found], audits=[entry], alarms=[alarm]))
    kept = store.reader.part(part.part_id)
    assert kept is not None
    assert kept.verdict is not None
    assert kept.verdict.defect_class == "kratz?\ufffder"
    assert store.reader.misjudgements()[0].defect_class == "kratz?\ufffder"
    assert store.reader.verify_audit().is_intact


def test_a_unit_of_nonsense_is_refused_as_our_error_and_leaves_nothing(place: Place) -> None:
    store = place.open()
    for nonsense in (replace(a_part(2), sequence=None), replace(a_part(2), sequence=2**70)):  # type: ignore[arg-type]
        with pytest.raises(StoreError, match="report this") as refusal:
            store.commit(unit_of(a_part(1), nonsense))
        assert not isinstance(refusal.value, StoreUnavailable)
    assert store.reader.part_ids() == ()
    assert store.pending_count() == 0
    store.commit(unit_of(a_part(1)))
    assert store.reader.part_ids() == (a_part(1).part_id,)


# --- Outbox ----------------------------------------------------------------------------------------------------------


def test_the_purge_keeps_what_waits_and_the_newest_of_what_was_taken(place: Place) -> None:
    store = place.open(keep_acknowledged=50)
    waiting: list[int] = []
    for group in range(20):
        store.commit(Unit(messages=messages(*(f"{group}-{n}" for n in range(50)))))
        new = [row for row in ids(store) if row not in waiting]
        waiting.append(new.pop(7))
        store.commit(Unit(acknowledged=new))
    assert ids(store) == waiting
    kept = [message.outbox_id or 0 for message in store.reader.messages(acknowledged=True, limit=10_000)]
    everything = 20 * 50
    assert set(range(everything - 49, everything + 1)) <= {*kept, *waiting}
    assert len(kept) < everything // 2, "some were purged"


def test_without_a_purge_nothing_acknowledged_is_lost(place: Place) -> None:
    store = place.open(keep_acknowledged=10_000)
    store.commit(Unit(messages=messages(*map(str, range(600)))))
    store.commit(Unit(acknowledged=ids(store)))
    assert len(store.reader.messages(acknowledged=True, limit=10_000)) == 600
    assert store.reader.messages(acknowledged=True, limit=2)[-1].event_id == "599"


def test_ids_are_never_given_again_not_even_by_an_older_copy_of_the_database(place: Place) -> None:
    store = place.open()
    store.commit(Unit(messages=messages("a", "b", "c")))
    given = ids(store)
    # The newest rows are gone and the counter stands where it stood: a backup that was put back.
    place.execute("DELETE FROM outbox")
    if place.kind == "sqlite":
        place.execute("DELETE FROM sqlite_sequence")
    else:
        place.execute("SELECT setval('outbox_outbox_id_seq', 1, false)")
    with _commit_reported_failed(store, written=False), pytest.raises(StoreUnavailable):
        store.commit(Unit())
    store.commit(Unit(messages=messages("d", "e")))
    assert min(ids(store)) > max(given)
    assert all(later == earlier + 1 for earlier, later in pairwise(ids(store)))


# --- Readers ---------------------------------------------------------------------------------------------------------


def test_a_reader_beside_the_writer_sees_whole_units_and_cannot_write(place: Place) -> None:
    store = place.open()
    store.commit(unit_of(a_part(1)))
    reader = open_reader(place.url)
    assert reader.part(a_part(1).part_id) == a_part(1)
    store.commit(unit_of(a_part(2), a_part(3)))
    assert len(reader.part_ids()) == 3
    assert [m.event_id for m in reader.pending(0, 10)] == [event_id_of("verdict", f"R1-{n:07d}") for n in (1, 2, 3)]
    with reader._engine.connect() as connection, pytest.raises(SQLAlchemyError, match=r"(?i)read-?only"):
        connection.exec_driver_sql("DELETE FROM parts")
    store.commit(unit_of(a_part(4)))
    assert len(reader.part_ids()) == 4
    reader.close()
    reader.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        reader.part_ids()


def test_a_reader_that_lingers_does_not_stop_the_writer(place: Place) -> None:
    store = place.open()
    store.commit(unit_of(*(a_part(n) for n in range(1, 50))))
    reader = open_reader(place.url)
    with reader._engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT part_id FROM parts")
        assert rows.fetchone() is not None
        store.commit(unit_of(a_part(50)))
    reader.close()
    assert len(store.reader.part_ids()) == 50


# --- PostgreSQL's own ------------------------------------------------------------------------------------------------


def test_a_server_that_goes_away_and_comes_back(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    store = open_store(url, station_id="station-3")
    try:
        store.commit(unit_of(a_part(1)))
        postgres.stop()
        try:
            for call in (lambda: store.commit(unit_of(a_part(2))), store.pending_count, lambda: store.pending(0, 1)):
                with pytest.raises(StoreUnavailable) as error:
                    call()
                assert "secret" not in str(error.value)
            with pytest.raises(StoreError) as refusal:
                open_store(url, station_id="other")
            assert "secret" not in str(refusal.value)
        finally:
            postgres.start()
        store.commit(unit_of(held(a_part(2))))
        assert store.reader.part_ids() == (a_part(1).part_id, a_part(2).part_id)
        assert store.pending_count() == 2
        assert "in use by" in _refusal(url), "the new connection holds the lock again"
    finally:
        store.close()


def test_a_server_set_to_acknowledge_early_is_overruled(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    name = make_url(url).database
    postgres.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    store = open_store(url, station_id="station-3")
    try:
        assert store._writer is not None
        with store._writer.begin():
            assert store._writer.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"
    finally:
        store.close()
