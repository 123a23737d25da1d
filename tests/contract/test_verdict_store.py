"""What every VerdictStore promises: run on the fake, on SQLite and on a real PostgreSQL."""

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url

from inspector.adapters.store import SqlStore, database, open_store
from inspector.adapters.store.sqlite import sqlite_driver
from inspector.domain.audit import AuditEntry
from inspector.domain.disposition import Action, Disposition, HoldReason
from inspector.domain.errors import StoreUnavailable
from inspector.domain.events import Topics, verdict_message
from inspector.domain.exits import ExitScore
from inspector.domain.inspection import InspectedPart
from inspector.domain.message import OutboxMessage
from inspector.domain.misjudgement import FoundBy, Misjudgement, MisjudgementKind
from inspector.domain.truth import Label, Truth
from inspector.domain.verdict import Outcome, Verdict
from inspector.ports import ConfigVersion, Unit, VerdictStore
from inspector.testing import FakeStore
from tests.support.postgres import PostgresServer
from tests.support.station_values import START, a_part, an_alarm

TOPICS = Topics(["acme", "station-3"])


@dataclass
class Rig:
    """A store under test and a look behind it. `blocked`: another program holds the database meanwhile."""

    store: VerdictStore
    part: Callable[[str], InspectedPart | None]
    audits: Callable[[], int]
    blocked: Callable[[], AbstractContextManager[None]]
    reopen: Callable[[], VerdictStore]


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        yield server.start()
    finally:
        server.remove()


@pytest.fixture(params=["fake", "sqlite", "postgres"])
def rig(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    if request.param == "fake":
        yield _fake_rig()
        return
    # Short for the test that waits it out, long enough for a busy machine: it limits every PostgreSQL statement, too.
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 1.5)
    if request.param == "sqlite":
        file = tmp_path / "station.db"
        url, blocked = f"sqlite:///{file}", lambda: _sqlite_held(file)
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.emptied_database()
        name = make_url(url).database or ""

        def blocked() -> AbstractContextManager[None]:
            return _postgres_held(server, name)

    opened: list[SqlStore] = []

    def reopen() -> SqlStore:
        if opened:
            opened[-1].close()
        opened.append(open_store(url, station_id="station-3", keep_acknowledged=0))
        return opened[-1]

    store = reopen()
    yield Rig(
        store,
        lambda part_id: opened[-1].reader.part(part_id),
        lambda: opened[-1].reader.verify_audit().entries,
        blocked,
        reopen,
    )
    opened[-1].close()


def _fake_rig() -> Rig:
    store = FakeStore()

    @contextmanager
    def blocked() -> Iterator[None]:
        store.failure = StoreUnavailable("another program writes to it")
        yield
        store.failure = None

    return Rig(store, store.parts.get, lambda: len(store.audits), blocked, lambda: store)


@contextmanager
def _sqlite_held(file: Path) -> Iterator[None]:
    driver, _ = sqlite_driver()
    other = driver.connect(str(file), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


@contextmanager
def _postgres_held(server: PostgresServer, name: str) -> Iterator[None]:
    with server.connected(name) as other, other.transaction():
        other.execute("LOCK TABLE parts IN EXCLUSIVE MODE")
        yield


def unit_of(*parts: InspectedPart) -> Unit:
    return Unit(parts=parts, messages=[verdict_message(part, TOPICS) for part in parts])


def messages(*names: str) -> list[OutboxMessage]:
    return [OutboxMessage(name, "acme/x", name.encode()) for name in names]


def names(found: Sequence[OutboxMessage]) -> list[str]:
    return [message.event_id for message in found]


@pytest.mark.parametrize("action", list(Action))
def test_a_part_comes_back_as_it_was_written(rig: Rig, action: Action) -> None:
    part = a_part(7, action, truth=Truth(Label.NG, "dent", 0.25, (1, 2, 30, 40)))
    rig.store.commit(unit_of(part))
    assert rig.part(part.part_id) == part


def test_a_message_is_pending_until_it_is_acknowledged(rig: Rig) -> None:
    part = a_part(1)
    rig.store.commit(unit_of(part))
    (message,) = rig.store.pending(0, 10)
    sent = verdict_message(part, TOPICS)
    assert (message.event_id, message.topic, message.payload) == (sent.event_id, sent.topic, sent.payload)
    assert message.outbox_id is not None
    assert rig.store.pending_count() == 1
    rig.store.commit(Unit(acknowledged=[message.outbox_id]))
    assert list(rig.store.pending(0, 10)) == []
    assert rig.store.pending_count() == 0


def test_pending_is_oldest_first_after_an_id_and_limited(rig: Rig) -> None:
    rig.store.commit(Unit(messages=messages("a", "b")))
    rig.store.commit(Unit(messages=messages("c", "d")))
    everything = rig.store.pending(0, 10)
    assert names(everything) == ["a", "b", "c", "d"]
    ids = [message.outbox_id for message in everything if message.outbox_id is not None]
    assert ids == sorted(set(ids))
    assert names(rig.store.pending(ids[0], 2)) == ["b", "c"]
    rig.store.commit(Unit(acknowledged=[ids[1]]))
    assert names(rig.store.pending(0, 10)) == ["a", "c", "d"]


def test_acknowledging_twice_or_the_unknown_is_harmless(rig: Rig) -> None:
    rig.store.commit(Unit(messages=messages("a")))
    (message,) = rig.store.pending(0, 10)
    assert message.outbox_id is not None
    rig.store.commit(Unit(acknowledged=[message.outbox_id, message.outbox_id, 999_999]))
    rig.store.commit(Unit(acknowledged=[message.outbox_id]))
    rig.store.commit(Unit(messages=messages("b")))
    assert names(rig.store.pending(0, 10)) == ["b"]


def test_repeats_change_nothing_and_what_is_new_beside_them_is_written(rig: Rig) -> None:
    first, second = a_part(1), a_part(2)
    found = Misjudgement(first.part_id, MisjudgementKind.ESCAPE, FoundBy.MES, START)
    rig.store.commit(replace(unit_of(first), misjudgements=[found]))
    again = first.held(Disposition.hold(HoldReason.STORE_UNAVAILABLE))
    rig.store.commit(
        replace(unit_of(again, second, second), misjudgements=[found, replace(found, found_by=FoundBy.AUDIT)])
    )
    assert rig.part(first.part_id) == first
    assert rig.part(second.part_id) == second
    assert rig.store.pending_count() == 2


def test_a_failed_commit_leaves_nothing_and_the_same_unit_succeeds_later(rig: Rig) -> None:
    rig.store.commit(Unit(messages=messages("before")))
    unit = replace(unit_of(a_part(1), a_part(2)), audits=[AuditEntry(START, "anna", "x", "y", None, "1", "test")])
    with rig.blocked(), pytest.raises(StoreUnavailable):
        rig.store.commit(unit)
    assert rig.part(a_part(1).part_id) is None
    assert names(rig.store.pending(0, 10)) == ["before"]
    assert rig.audits() == 0
    rig.store.commit(unit)
    assert rig.part(a_part(1).part_id) == a_part(1)
    assert rig.store.pending_count() == 3
    assert rig.audits() == 1


def test_scores_that_are_no_numbers_are_kept(rig: Rig) -> None:
    scores = ExitScore("front", math.nan, (math.nan, math.inf, 0.5), math.nan)
    verdict = Verdict(Outcome.UNDECIDED, None, None, (scores,), "h", None)
    part = replace(
        a_part(1, Action.HOLD), verdict=verdict, latency_ms=math.inf, truth=Truth(Label.OK, severity=math.nan)
    )
    rig.store.commit(Unit(parts=[part]))
    kept = rig.part(part.part_id)
    assert kept is not None
    assert kept.verdict is not None
    assert math.isnan(kept.verdict.exits[0].p_defect)
    assert kept.verdict.exits[0].scores[2] == 0.5


def test_a_file_name_that_is_no_text_does_not_stop_the_group(rig: Rig) -> None:
    odd = replace(a_part(1), origin="p/\udcff\x00.png", frame_id="\udcff")
    rig.store.commit(Unit(parts=[odd, a_part(2)]))
    assert rig.part(odd.part_id) is not None
    assert rig.part(a_part(2).part_id) == a_part(2)


def test_a_recurring_alarm_and_a_configuration_applied_again_are_both_kept(rig: Rig) -> None:
    alarm, config = an_alarm(), ConfigVersion("v1", START, "{}")
    later = START + timedelta(hours=1)
    unit = Unit(alarms=[alarm, replace(alarm, changed_at=later)], configs=[config, replace(config, applied_at=later)])
    rig.store.commit(unit)
    rig.store.commit(unit)
    rig.store.commit(Unit())


def test_reading_goes_on_from_other_threads_while_units_are_written(rig: Rig) -> None:
    errors: list[Exception] = []
    counts: list[int] = []
    writing = threading.Event()
    writing.set()

    def read() -> None:
        try:
            while writing.is_set():
                counts.append(rig.store.pending_count())
                rig.store.pending(0, 5)
        except Exception as error:
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for sequence in range(1, 31):
        rig.store.commit(unit_of(a_part(sequence)))
    writing.clear()
    for reader in readers:
        reader.join()
    assert not errors
    assert counts
    assert rig.store.pending_count() == 30


def test_what_was_written_is_there_after_reopening_and_ids_are_never_given_again(rig: Rig) -> None:
    rig.store.commit(unit_of(*(a_part(sequence) for sequence in range(1, 301))))
    ids = [message.outbox_id for message in rig.store.pending(0, 1000) if message.outbox_id is not None]
    rig.store.commit(Unit(acknowledged=ids))  # enough for a purge where there is one
    store = rig.reopen()
    assert rig.part(a_part(300).part_id) == a_part(300)
    assert store.pending_count() == 0
    store.commit(Unit(messages=messages("new")))
    (message,) = store.pending(0, 10)
    assert message.outbox_id is not None
    assert message.outbox_id > max(ids)
    assert names(store.pending(max(ids), 10)) == ["new"]


def test_closing_twice_is_harmless_and_a_closed_store_says_so(rig: Rig) -> None:
    rig.store.close()
    rig.store.close()
    with pytest.raises(StoreUnavailable):
        rig.store.commit(Unit(messages=messages("late")))
    with pytest.raises(StoreUnavailable):
        rig.store.pending(0, 1)
    with pytest.raises(StoreUnavailable):
        rig.store.pending_count()
