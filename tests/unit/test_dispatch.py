"""Durable first, then released, then told; and while the store is down: held at once, kept, written later."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from inspector.domain.alarm import Alarm, AlarmCode, AlarmState
from inspector.domain.audit import AuditEntry
from inspector.domain.disposition import Action, HoldReason
from inspector.domain.errors import InspectorError, StoreError, StoreUnavailable
from inspector.domain.events import Topics
from inspector.domain.frame import Frame
from inspector.domain.inspection import InspectedPart
from inspector.domain.misjudgement import FoundBy, MisjudgementKind
from inspector.domain.truth import Label, Truth
from inspector.pipeline import dispatch
from inspector.pipeline.alarms import AlarmBook
from inspector.pipeline.dispatch import Dispatcher, PartSink
from inspector.pipeline.ledger import Ledger
from inspector.pipeline.tally import Tally
from inspector.ports import ConfigVersion, Unit
from inspector.testing import FakeStore
from tests.support.station_values import START, a_frame, a_part, an_alarm

TOPICS = Topics(["plant", "station-3"])
DOWN = StoreUnavailable("the disk is full; free space on it")
PART_WORDS = (Action.PASS, Action.REJECT, Action.HOLD)


class ManualClock:
    def __init__(self) -> None:
        self.ns = 0
        self._now = START

    def now(self) -> datetime:
        self._now += timedelta(milliseconds=1)  # no two changes of an alarm at the same moment
        return self._now

    def monotonic_ns(self) -> int:
        return self.ns


class WatchedStore(FakeStore):
    """Keeps the units as they came, can be stopped in the middle of a commit, and can fail in any way."""

    def __init__(self) -> None:
        super().__init__()
        self.units: list[Unit] = []
        self.tries = 0
        self.breaks: Callable[[Unit], Exception | None] = lambda unit: None
        self.open = threading.Event()
        self.open.set()

    def commit(self, unit: Unit) -> None:
        self.tries += 1
        assert self.open.wait(30)
        if (error := self.breaks(unit)) is not None:
            raise error
        super().commit(unit)
        self.units.append(unit)


def until(condition: Callable[[], object], what: str = "") -> None:
    """Polls: what is waited for comes from another thread."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain {what}"
        time.sleep(0.002)


class Rig:
    """A dispatcher with all that it writes to."""

    def __init__(self, *sinks: PartSink, topics: Topics | None = TOPICS, group_parts: int = 8, may_wait: bool = True):
        self.store = WatchedStore()
        self.clock = ManualClock()
        self.ledger = Ledger()
        self.released: list[tuple[InspectedPart, Frame | None]] = []
        self.commits_told = 0
        self.on_committed: Callable[[], None] = lambda: None
        self.dispatcher = Dispatcher(
            self.store,
            topics,
            self.clock,
            self.ledger,
            Tally(("front", "full")),
            [*sinks, lambda part, frame: self.released.append((part, frame))],
            self._committed,
            group_parts=group_parts,
            group_wait_s=0.0,
            may_wait=may_wait,
        )
        self.alarms = AlarmBook(self.clock, self.dispatcher.record_alarm)

    def _committed(self) -> None:
        self.commits_told += 1
        self.on_committed()

    def start(self) -> None:
        self.dispatcher.start(self.alarms)

    def submit(self, *parts: InspectedPart, due_ns: int | None = None) -> None:
        for part in parts:
            self.ledger.enter(part.part_id)
            self.dispatcher.submit(part, a_frame(part.sequence), due_ns)

    def reason(self, n: int = -1) -> HoldReason | None:
        return self.released[n][0].disposition.hold_reason

    def go_down(self) -> None:
        self.store.failure = DOWN

    def come_back(self) -> None:
        self.store.failure = None

    def stored(self) -> dict[str, Action]:
        return {part_id: part.disposition.action for part_id, part in self.store.parts.items()}


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_RETRY_S", 0.02)


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    made.start()
    yield made
    made.come_back()
    made.store.breaks = lambda unit: None
    made.store.open.set()
    made.dispatcher.close(10)


def some_parts(n: int, first: int = 1) -> list[InspectedPart]:
    return [a_part(k, PART_WORDS[k % 3]) for k in range(first, first + n)]


# --- Durable, released, told -----------------------------------------------------------------------------------------


def test_a_part_and_its_message_are_one_transaction() -> None:
    rig = Rig()
    rig.submit(*some_parts(6))  # not started yet: one group
    rig.start()
    until(lambda: len(rig.released) == 6)
    rig.dispatcher.close(10)
    (unit,) = rig.store.units
    assert [p.part_id for p in unit.parts] == [p.part_id for p, _ in rig.released]
    assert [m.event_id for m in unit.messages] == [p.event_id for p in unit.parts]
    assert rig.commits_told == 1
    counts = rig.ledger.close()
    assert (counts.passed, counts.rejected, counts.held) == (2, 2, 2)


def test_a_group_has_its_limit() -> None:
    rig = Rig(group_parts=4)
    rig.submit(*some_parts(8))
    rig.start()
    until(lambda: len(rig.released) == 8)
    rig.dispatcher.close(10)
    assert [len(unit.parts) for unit in rig.store.units] == [4, 4]


def test_nothing_is_released_before_it_is_durable(rig: Rig) -> None:
    rig.store.open.clear()
    rig.submit(a_part(1))
    until(lambda: rig.store.tries == 1)
    assert rig.released == []
    assert rig.ledger.counts().in_flight == 1
    assert rig.commits_told == 0
    rig.store.open.set()
    until(lambda: rig.released)
    assert rig.released[0][0].disposition.action is Action.PASS
    assert rig.released[0][1] is not None, "the sinks get the picture, too"


def test_the_publisher_is_told_after_the_commit_and_only_of_messages(rig: Rig) -> None:
    stored: list[int] = []
    rig.on_committed = lambda: stored.append(len(rig.store.messages))
    rig.dispatcher.record(an_audit(1))
    until(lambda: rig.store.audits)
    rig.submit(a_part(1))
    until(lambda: rig.released)
    assert stored == [1]


def test_without_topics_nobody_is_told_and_nothing_piles_up() -> None:
    rig = Rig(topics=None)
    rig.start()
    rig.submit(*some_parts(3))
    rig.dispatcher.record_alarm(an_alarm())
    until(lambda: len(rig.released) == 3)
    rig.dispatcher.close(10)
    assert len(rig.store.parts) == 3
    assert len(rig.store.alarms) == 1
    assert rig.store.messages == {}
    assert rig.commits_told == 0


def test_escapes_and_overkill_are_written_with_their_part(rig: Rig) -> None:
    ng = Truth(Label.NG, "burr")
    rig.submit(a_part(1, truth=ng), a_part(2, Action.REJECT, truth=Truth(Label.OK)), a_part(3, Action.HOLD, truth=ng))
    rig.submit(replace(a_part(4, truth=ng), is_simulated=False))
    until(lambda: len(rig.released) == 4)
    found = {(m.part_id[-1], m.kind, m.found_by, m.defect_class) for m in rig.store.misjudgements.values()}
    assert found == {
        ("1", MisjudgementKind.ESCAPE, FoundBy.SIMULATION, "burr"),
        ("2", MisjudgementKind.OVERKILL, FoundBy.SIMULATION, None),
        ("4", MisjudgementKind.ESCAPE, FoundBy.LABEL, "burr"),
    }


def test_one_failing_sink_silences_none_of_the_others(caplog: pytest.LogCaptureFixture) -> None:
    def broken(part: InspectedPart, frame: Frame | None) -> None:
        raise OSError("the dashboard is gone")

    rig = Rig(broken)
    rig.start()
    rig.submit(*some_parts(3))
    until(lambda: len(rig.released) == 3)
    rig.dispatcher.close(10)
    assert rig.ledger.close().triggers == 3
    assert "a sink failed for part R1-0000001" in caplog.text


def test_a_publisher_that_fails_does_not_hold_what_is_durable(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise RuntimeError("no thread")

    rig.on_committed = broken
    rig.submit(a_part(1))
    until(lambda: rig.released)
    assert rig.released[0][0].disposition.action is Action.PASS
    assert rig.dispatcher.outage == ""
    assert "telling the publisher" in caplog.text


def test_records_without_a_part_are_written_in_their_order(rig: Rig) -> None:
    for n in range(5):
        rig.dispatcher.record(an_audit(n))
    rig.dispatcher.record_config(a_config(1))
    rig.dispatcher.acknowledge([1, 2])
    until(lambda: len(rig.store.audits) == 5 and rig.store.configs and rig.store.acknowledged)
    assert [entry.subject for entry in rig.store.audits] == ["0", "1", "2", "3", "4"]


def an_audit(n: int) -> AuditEntry:
    return AuditEntry(datetime(2026, 1, 1, tzinfo=UTC), "Ann", "note", str(n), None, None, "")


def a_config(n: int) -> ConfigVersion:
    return ConfigVersion(str(n), datetime(2026, 1, n, tzinfo=UTC), "{}")


# --- A deadline that passes while the part waits for the store -------------------------------------------------------


def test_a_verdict_that_waited_too_long_for_the_store_is_no_pass(rig: Rig) -> None:
    rig.store.open.clear()
    rig.submit(a_part(1))  # holds up the store
    until(lambda: rig.store.tries == 1)
    rig.submit(a_part(3), a_part(4, Action.REJECT), due_ns=50_000_000)
    rig.submit(a_part(5), due_ns=90_000_000)
    rig.submit(a_part(6, Action.HOLD), due_ns=50_000_000)
    rig.clock.ns = 80_000_000
    rig.store.open.set()
    until(lambda: len(rig.released) == 5)
    assert [rig.reason(n) for n in range(5)] == [
        None,
        HoldReason.DEADLINE,
        HoldReason.DEADLINE,
        None,
        HoldReason.BLURRED,
    ]
    assert "30 ms too long" in rig.released[1][0].disposition.detail
    for part, _ in rig.released:
        assert rig.store.parts[part.part_id].disposition == part.disposition, "recorded as released"


# --- The store is down -----------------------------------------------------------------------------------------------


def test_while_the_store_is_down_parts_are_held_at_once_and_recorded_later(rig: Rig) -> None:
    rig.go_down()
    rig.submit(a_part(1), a_part(2, Action.REJECT), a_part(3, Action.HOLD))
    until(lambda: len(rig.released) == 3)
    assert [rig.reason(n) for n in range(3)] == [
        HoldReason.STORE_UNAVAILABLE,
        HoldReason.STORE_UNAVAILABLE,
        HoldReason.BLURRED,
    ]
    assert rig.released[0][1] is not None
    assert rig.ledger.counts().in_flight == 0
    assert rig.stored() == {}
    assert rig.dispatcher.outage == str(DOWN)
    assert rig.dispatcher.unwritten == 3
    (alarm,) = rig.alarms.standing()
    assert (alarm.code, alarm.state) == (AlarmCode.STORE_UNAVAILABLE, AlarmState.UNACKNOWLEDGED)
    assert str(DOWN) in alarm.message

    rig.come_back()
    until(lambda: rig.dispatcher.outage == "")
    assert rig.dispatcher.unwritten == 0
    assert rig.stored() == dict.fromkeys(("R1-0000001", "R1-0000002", "R1-0000003"), Action.HOLD)
    assert not any(alarm.is_active for alarm in rig.alarms.standing())
    until(lambda: len(rig.store.alarms) == 2)
    assert [a.state for a in rig.store.alarms.values()] == [
        AlarmState.UNACKNOWLEDGED,
        AlarmState.RETURNED_UNACKNOWLEDGED,
    ]
    events = [message.event_id for message in rig.store.messages.values()]
    assert [part.event_id for part, _ in rig.released] == events[:3]

    rig.submit(a_part(4))
    until(lambda: len(rig.released) == 4)
    assert rig.released[3][0].disposition.action is Action.PASS, "it resumes by itself"


def test_parts_decided_during_an_outage_are_held_although_the_store_is_back(rig: Rig) -> None:
    rig.go_down()
    rig.submit(a_part(1))
    until(lambda: rig.released)
    rig.submit(*[a_part(n) for n in range(2, 6)])
    until(lambda: len(rig.released) == 5)
    assert {rig.reason(n) for n in range(5)} == {HoldReason.STORE_UNAVAILABLE}


def test_records_stay_in_order_over_a_failed_commit(rig: Rig) -> None:
    rig.store.open.clear()
    rig.store.breaks = lambda unit: DOWN
    rig.dispatcher.record(an_audit(0))
    rig.dispatcher.record_config(a_config(1))
    rig.dispatcher.acknowledge([1])
    rig.dispatcher.record_alarm(replace(an_alarm(), message="0"))
    until(lambda: rig.store.tries == 1)
    rig.dispatcher.record(an_audit(1))  # while the commit that fails is under way
    rig.dispatcher.record_config(a_config(2))
    rig.dispatcher.acknowledge([2])
    rig.dispatcher.record_alarm(replace(an_alarm(AlarmCode.DISK_LOW), message="1"))
    rig.store.open.set()
    until(lambda: rig.dispatcher.outage)
    rig.dispatcher.record(an_audit(2))
    rig.store.breaks = lambda unit: None
    until(lambda: not rig.dispatcher.outage)
    unit = rig.store.units[0]
    assert [entry.subject for entry in unit.audits] == ["0", "1", "2"]
    assert [config.version for config in unit.configs] == ["1", "2"]
    assert unit.acknowledged == [1, 2]
    assert [a.message for a in unit.alarms if a.code is not AlarmCode.STORE_UNAVAILABLE] == ["0", "1"]


def test_an_error_that_the_store_never_announced_is_an_outage_too(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.store.breaks = lambda unit: ZeroDivisionError()
    rig.submit(a_part(1))
    until(lambda: rig.released)
    assert rig.reason() is HoldReason.STORE_UNAVAILABLE
    until(lambda: rig.dispatcher.outage == "ZeroDivisionError")
    assert "unforeseen" in caplog.text
    tried = rig.store.tries
    until(lambda: rig.store.tries > tried + 3)
    assert rig.dispatcher.unwritten == 1, "while nothing at all can be written, the part is not at fault"
    rig.store.breaks = lambda unit: None
    until(lambda: not rig.dispatcher.outage)
    assert rig.stored() == {"R1-0000001": Action.HOLD}
    assert rig.store.audits == []


def test_a_part_that_no_store_takes_keeps_no_other_from_the_record(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()

    def refuses_the_third(unit: Unit) -> Exception | None:
        return StoreError("refused: no number") if any(p.sequence == 3 for p in unit.parts) else None

    rig.store.breaks = refuses_the_third
    rig.submit(*[a_part(n) for n in range(1, 8)])
    rig.start()
    until(lambda: len(rig.released) == 7)
    until(lambda: not rig.dispatcher.outage)
    rig.submit(a_part(8))
    until(lambda: len(rig.released) == 8)
    rig.dispatcher.close(10)
    assert sorted(part.sequence for part in rig.store.parts.values()) == [1, 2, 4, 5, 6, 7, 8]
    assert rig.stored()["R1-0000008"] is Action.PASS
    (entry,) = rig.store.audits
    assert (entry.action, entry.subject, entry.new) == ("parts.held_unrecorded", "R1-0000003", "1")
    assert "refused: no number" in entry.reason
    assert not any(alarm.is_active for alarm in rig.alarms.standing())


# --- A live source cannot wait ---------------------------------------------------------------------------------------


def test_with_the_queue_full_a_live_part_is_held_and_counted() -> None:
    rig = Rig(group_parts=2, may_wait=False)
    for n in range(1, 8):  # not started: 4 fit
        part = a_part(n, Action.HOLD if n != 6 else Action.PASS)
        rig.ledger.enter(part.part_id)
        rig.dispatcher.submit_now(part, None)
    assert [part.sequence for part, _ in rig.released] == [5, 6, 7]
    assert rig.reason(0) is HoldReason.BLURRED
    assert rig.reason(1) is HoldReason.STORE_UNAVAILABLE, "what was not written is no PASS"
    assert rig.dispatcher.unwritten == 3
    rig.start()
    until(lambda: len(rig.released) == 7)
    rig.dispatcher.close(10)
    assert rig.ledger.close().triggers == 7
    (entry,) = rig.store.audits
    assert (entry.action, entry.subject, entry.new) == ("parts.held_unrecorded", "R1-0000005", "3")
    assert "from R1-0000005 to R1-0000007" in entry.reason


def test_counted_parts_outlive_a_failed_commit() -> None:
    rig = Rig(group_parts=1, may_wait=False)
    rig.go_down()
    for n in range(1, 5):
        rig.ledger.enter(a_part(n).part_id)
        rig.dispatcher.submit_now(a_part(n, Action.HOLD), None)
    rig.start()
    until(lambda: len(rig.released) == 4)
    until(lambda: rig.store.tries > 3)
    assert rig.dispatcher.unwritten == 4
    rig.come_back()
    rig.dispatcher.close(10)
    assert len(rig.store.parts) == 2
    assert [(entry.subject, entry.new) for entry in rig.store.audits] == [("R1-0000003", "2")]


def test_sinks_are_called_by_one_thread_at_a_time() -> None:
    inside: list[int] = []
    met: list[int] = []

    def sink(part: InspectedPart, frame: Frame | None) -> None:
        inside.append(part.sequence)
        time.sleep(0.001)
        met.append(len(inside))
        inside.pop()

    rig = Rig(sink, group_parts=1, may_wait=False)
    rig.start()
    for n in range(1, 100):
        rig.ledger.enter(a_part(n).part_id)
        rig.dispatcher.submit_now(a_part(n, Action.HOLD), None)
    rig.dispatcher.close(10)
    assert rig.ledger.close().triggers == 99
    assert rig.store.audits, "the intake's thread released some"
    assert set(met) == {1}


# --- Memory is bounded -----------------------------------------------------------------------------------------------


def test_beyond_its_limit_a_line_that_can_wait_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_UNWRITTEN_LIMIT", 4)
    rig = Rig(group_parts=2)
    rig.go_down()
    rig.start()
    feeder = threading.Thread(target=rig.submit, args=some_parts(30))
    feeder.start()
    until(lambda: rig.dispatcher.unwritten >= 4)
    tried = rig.store.tries
    until(lambda: rig.store.tries > tried + 3, "for the retries to go on")
    assert feeder.is_alive()
    assert len(rig.released) < 8
    rig.come_back()
    feeder.join(20)
    rig.dispatcher.close(10)
    assert rig.ledger.close().triggers == len(rig.store.parts) == 30
    assert rig.store.audits == []


def test_beyond_its_limit_a_line_that_cannot_wait_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A live part that stood still would be passed when the store is back, long after its gate."""
    monkeypatch.setattr(dispatch, "_UNWRITTEN_LIMIT", 4)
    rig = Rig(group_parts=2, may_wait=False)
    rig.go_down()
    rig.start()
    rig.submit(*[a_part(n) for n in range(1, 31)])
    until(lambda: len(rig.released) == 30)
    assert {part.disposition.hold_reason for part, _ in rig.released} == {HoldReason.STORE_UNAVAILABLE}
    assert rig.dispatcher.unwritten == 30
    rig.come_back()
    rig.dispatcher.close(10)
    assert len(rig.store.parts) == 4
    assert sum(int(entry.new or 0) for entry in rig.store.audits) == 26


# --- Closing ---------------------------------------------------------------------------------------------------------


def test_close_with_the_store_still_down_says_how_many_are_lost() -> None:
    rig = Rig()
    rig.go_down()
    rig.start()
    rig.submit(*some_parts(5))
    until(lambda: len(rig.released) == 5)
    with pytest.raises(StoreUnavailable, match=r"5 held parts and 1 alarms, .* \(the disk is full"):
        rig.dispatcher.close(0.05)


def test_close_waits_for_a_store_that_comes_back_in_time(rig: Rig) -> None:
    rig.go_down()
    rig.submit(*some_parts(5))
    until(lambda: len(rig.released) == 5)
    timer = threading.Timer(0.1, rig.come_back)
    timer.start()
    rig.dispatcher.close(20)
    timer.join()
    assert len(rig.store.parts) == 5


def test_close_ends_although_the_memory_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_UNWRITTEN_LIMIT", 4)
    rig = Rig(group_parts=2)
    rig.go_down()
    rig.start()
    feeder = threading.Thread(target=rig.submit, args=some_parts(20))
    feeder.start()
    until(lambda: rig.dispatcher.unwritten >= 4)
    rig.dispatcher.drain()
    feeder.join(20)
    assert not feeder.is_alive()
    with pytest.raises(StoreUnavailable, match="20 held parts"):
        rig.dispatcher.close(0.0)
    assert rig.ledger.close().triggers == 20


def test_an_audit_entry_that_cannot_be_written_is_not_lost_in_silence() -> None:
    rig = Rig()
    rig.go_down()
    rig.start()
    rig.dispatcher.record(an_audit(1))
    with pytest.raises(StoreUnavailable, match="0 held parts and 2 alarms, settings and audit entries"):
        rig.dispatcher.close(0.0)


def test_close_without_patience_still_writes_what_can_be_written() -> None:
    rig = Rig()
    rig.start()
    rig.store.open.clear()
    rig.submit(a_part(1))
    until(lambda: rig.store.tries == 1)
    closer = threading.Thread(target=rig.dispatcher.close, args=(0.0,))
    closer.start()
    rig.dispatcher.record(an_audit(1))
    rig.store.open.set()
    closer.join(20)
    assert len(rig.store.parts) == len(rig.store.audits) == 1


def test_what_was_recorded_before_a_start_that_failed_is_written() -> None:
    rig = Rig()
    rig.dispatcher.record(an_audit(1))
    rig.dispatcher.close(10)
    rig.dispatcher.close(10)
    assert len(rig.store.audits) == 1


def test_closing_twice_is_harmless(rig: Rig) -> None:
    rig.submit(a_part(1))
    rig.dispatcher.close(10)
    rig.dispatcher.close(10)
    assert len(rig.store.parts) == 1


# --- A defect of ours ------------------------------------------------------------------------------------------------


def test_a_part_released_twice_stops_the_dispatcher_and_then_everybody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "inspector")
    rig = Rig(group_parts=1)
    rig.start()
    rig.submit(a_part(1))
    rig.dispatcher.submit(a_part(1), None)  # never entered again
    until(lambda: rig.dispatcher.failure is not None)
    with pytest.raises(InspectorError, match="nothing can be released any more"):
        rig.dispatcher.submit(a_part(2), None)
    with pytest.raises(InspectorError, match="nothing can be released any more"):
        rig.dispatcher.submit_now(a_part(2), None)
    with pytest.raises(InspectorError, match="released twice"):
        rig.dispatcher.close(0)


def test_a_waiting_worker_learns_that_the_dispatcher_has_failed() -> None:
    rig = Rig(group_parts=1)
    rig.store.open.clear()
    rig.start()
    rig.submit(a_part(1))
    rig.dispatcher.submit(a_part(1), None)
    until(lambda: rig.store.tries == 1)
    refused: list[Exception] = []

    def feed() -> None:
        try:
            for n in range(2, 50):
                rig.submit(a_part(n))
        except InspectorError as error:
            refused.append(error)

    feeder = threading.Thread(target=feed)
    feeder.start()
    rig.store.open.set()
    feeder.join(20)
    assert refused
    with pytest.raises(InspectorError):
        rig.dispatcher.close(0)


def test_alarms_are_messages_too(rig: Rig) -> None:
    rig.alarms.raise_(AlarmCode.DISK_LOW, "m", "r")
    until(lambda: rig.store.messages)
    stored: Alarm = next(iter(rig.store.alarms.values()))
    assert stored.code is AlarmCode.DISK_LOW
    assert rig.store.messages[1].topic == TOPICS.alarm
    assert rig.commits_told == 1
