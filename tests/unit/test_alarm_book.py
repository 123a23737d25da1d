"""One alarm a condition, every change told once and in order, nothing forgotten before a person has seen it."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.domain.alarm import Alarm, AlarmCode, AlarmState, Priority
from inspector.domain.errors import InspectorError
from inspector.pipeline.alarms import PRIORITY, AlarmBook


class TickingClock:
    """A second further at every look."""

    def __init__(self) -> None:
        self._now = datetime(2026, 3, 14, tzinfo=UTC)

    def now(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now

    def monotonic_ns(self) -> int:
        return 0


def a_book() -> tuple[AlarmBook, list[Alarm]]:
    told: list[Alarm] = []
    return AlarmBook(TickingClock(), told.append), told


def states(told: list[Alarm]) -> list[str]:
    return [alarm.state.value for alarm in told]


def test_a_condition_said_again_is_the_same_alarm() -> None:
    book, told = a_book()
    book.raise_(AlarmCode.DISK_LOW, "100 MB are free", "free some")
    book.raise_(AlarmCode.DISK_LOW, "99 MB are free", "free some")
    assert states(told) == ["UNACKNOWLEDGED"]
    assert book.standing() == (told[0],)
    assert (told[0].message, told[0].remedy, told[0].priority) == ("100 MB are free", "free some", Priority.MEDIUM)


def test_seen_and_gone_is_normal_and_leaves_the_book() -> None:
    book, told = a_book()
    book.raise_(AlarmCode.DISK_LOW, "m", "r")
    acknowledged = book.acknowledge(told[0].alarm_id, "Ann")
    assert (acknowledged.state, acknowledged.acknowledged_by) == (AlarmState.ACKNOWLEDGED, "Ann")
    assert book.standing() == (acknowledged,)
    book.clear(AlarmCode.DISK_LOW)
    book.clear(AlarmCode.DISK_LOW)
    assert states(told) == ["UNACKNOWLEDGED", "ACKNOWLEDGED", "NORMAL"]
    assert book.standing() == ()
    assert len({alarm.alarm_id for alarm in told}) == 1


def test_gone_before_it_was_seen_stands_until_it_is() -> None:
    book, told = a_book()
    book.raise_(AlarmCode.DISK_LOW, "m", "r")
    book.clear(AlarmCode.DISK_LOW)
    assert [a.state for a in book.standing()] == [AlarmState.RETURNED_UNACKNOWLEDGED]
    assert book.acknowledge(told[0].alarm_id, "Ann").state is AlarmState.NORMAL
    assert book.standing() == ()
    assert states(told) == ["UNACKNOWLEDGED", "RETURNED_UNACKNOWLEDGED", "NORMAL"]


def test_back_before_it_was_seen_is_the_old_alarm_with_new_words() -> None:
    book, told = a_book()
    book.raise_(AlarmCode.DISK_LOW, "m", "r")
    book.clear(AlarmCode.DISK_LOW)
    book.raise_(AlarmCode.DISK_LOW, "m2", "r2")
    assert told[2].alarm_id == told[0].alarm_id
    assert told[2].raised_at == told[0].raised_at
    assert (told[2].state, told[2].message, told[2].remedy) == (AlarmState.UNACKNOWLEDGED, "m2", "r2")
    assert told[2].changed_at > told[1].changed_at > told[0].changed_at


def test_back_after_it_was_over_is_a_new_alarm() -> None:
    book, told = a_book()
    book.raise_(AlarmCode.DISK_LOW, "m", "r")
    book.acknowledge(told[0].alarm_id, "Ann")
    book.clear(AlarmCode.DISK_LOW)
    book.raise_(AlarmCode.DISK_LOW, "m", "r")
    assert told[-1].alarm_id != told[0].alarm_id
    assert told[-1].acknowledged_by is None


def test_what_never_stood_is_cleared_without_a_word() -> None:
    book, told = a_book()
    book.clear(AlarmCode.OVERLOAD)
    assert told == []


def test_acknowledging_twice_tells_once_and_a_stranger_is_refused() -> None:
    book, told = a_book()
    book.raise_(AlarmCode.DISK_LOW, "m", "r")
    book.acknowledge(told[0].alarm_id, "Ann")
    assert book.acknowledge(told[0].alarm_id, "Bob").acknowledged_by == "Ann"
    assert len(told) == 2
    with pytest.raises(InspectorError, match="does not stand any more"):
        book.acknowledge("nobody", "Ann")


def test_the_most_urgent_comes_first_and_then_the_newest() -> None:
    book, _ = a_book()
    for code in (AlarmCode.CONFIG_REJECTED, AlarmCode.DISK_LOW, AlarmCode.CAMERA_STALLED, AlarmCode.STAGE_FAILED):
        book.raise_(code, "m", "r")
    codes = [alarm.code for alarm in book.standing()]
    assert codes == [
        AlarmCode.STAGE_FAILED,
        AlarmCode.CAMERA_STALLED,
        AlarmCode.DISK_LOW,
        AlarmCode.CONFIG_REJECTED,
    ]


def test_every_condition_has_a_priority() -> None:
    assert set(PRIORITY) == set(AlarmCode)


def test_the_last_change_told_is_how_things_are() -> None:
    """A raise that is told after the clear that followed it would stand for ever in the log and at the MES."""
    told: list[Alarm] = []
    entered, go_on = threading.Event(), threading.Event()

    def slow_to_tell(alarm: Alarm) -> None:
        if not told and not entered.is_set():
            entered.set()
            go_on.wait(0.2)  # meanwhile the other thread clears, if it can
        told.append(alarm)

    book = AlarmBook(TickingClock(), slow_to_tell)
    raiser = threading.Thread(target=book.raise_, args=(AlarmCode.DISK_LOW, "m", "r"))
    raiser.start()
    assert entered.wait(10)
    clearer = threading.Thread(target=book.clear, args=(AlarmCode.DISK_LOW,))
    clearer.start()
    raiser.join()
    clearer.join()
    assert states(told) == ["UNACKNOWLEDGED", "RETURNED_UNACKNOWLEDGED"]


def test_who_is_told_may_ask_the_book() -> None:
    seen: list[int] = []
    books: list[AlarmBook] = []
    ask: Callable[[Alarm], None] = lambda alarm: seen.append(len(books[0].standing()))  # noqa: E731
    books.append(AlarmBook(TickingClock(), ask))
    books[0].raise_(AlarmCode.DISK_LOW, "m", "r")
    assert seen == [1]


@given(st.lists(st.tuples(st.sampled_from(["raise", "clear", "ack"]), st.sampled_from(list(AlarmCode)[:2]))))
def test_the_book_is_what_was_told(steps: list[tuple[str, AlarmCode]]) -> None:
    book, told = a_book()
    holds: dict[AlarmCode, bool] = {}
    for step, code in steps:
        if step == "raise":
            book.raise_(code, "m", "r")
            holds[code] = True
        elif step == "clear":
            book.clear(code)
            holds[code] = False
        elif standing := [a for a in book.standing() if a.code is code]:
            book.acknowledge(standing[0].alarm_id, "Ann")
        newest = {alarm.alarm_id: alarm for alarm in told}
        expected = {a.alarm_id: a for a in newest.values() if a.state is not AlarmState.NORMAL}
        assert {a.alarm_id: a for a in book.standing()} == expected
        assert {a.code for a in book.standing() if a.is_active} == {c for c, active in holds.items() if active}
        assert len({a.code for a in book.standing()}) == len(book.standing())
