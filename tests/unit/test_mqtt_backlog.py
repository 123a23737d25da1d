"""The backlog: what is sent next, and that nothing is lost whatever a broker answers."""

from collections import deque
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.adapters.mqtt.backlog import PAGE, RETRY_MAX_S, Backlog
from inspector.domain.message import OutboxMessage
from inspector.testing import FakeOutbox


def messages(count: int, topic: str = "verdict", first: int = 1) -> list[OutboxMessage]:
    return [OutboxMessage(f"{topic}-{n}", topic, b"{}") for n in range(first, first + count)]


class Wire:
    """Sends what the backlog gives and answers as told."""

    def __init__(self, outbox: FakeOutbox, limit: int = 10) -> None:
        self.backlog = Backlog(outbox)
        self.sent: list[str] = []
        self.waiting: deque[tuple[int, OutboxMessage]] = deque()
        self.now = 0.0
        self._limit = limit
        self._packet_id = 0
        self.backlog.opened()

    def send(self) -> None:
        self.backlog.look()
        for _ in range(1000):
            more = self.backlog.fill()
            while self.backlog.in_flight < self.backlog.window(self._limit):
                message = self.backlog.take(self.now)
                if message is None:
                    break
                self._packet_id += 1
                self.backlog.sent(self._packet_id, message)
                self.sent.append(message.event_id)
                self.waiting.append((self._packet_id, message))
            if not more or self.backlog.in_flight >= self.backlog.window(self._limit):
                return

    def accept(self) -> None:
        self.backlog.accepted(self.waiting.popleft()[0])

    def refuse(self, reason: str = "Not authorized", *, whole_topic: bool = True) -> None:
        self.backlog.refused(self.waiting.popleft()[0], reason, whole_topic=whole_topic, now=self.now)

    def cut(self) -> None:
        self.waiting.clear()
        self.backlog.cut(self.now)
        self.backlog.give_back()
        self.backlog.opened()

    def accept_all(self) -> None:
        """A broker that takes everything from now on, for as long as it takes."""
        for _ in range(10_000):
            self.now += RETRY_MAX_S
            self.send()
            if not self.waiting:
                break
            while self.waiting:
                self.accept()
        self.backlog.give_back()


def test_the_window_holds() -> None:
    outbox = FakeOutbox()
    outbox.add(*messages(25))
    wire = Wire(outbox)
    wire.send()
    assert wire.sent == [f"verdict-{n}" for n in range(1, 11)]
    wire.accept()
    wire.send()
    assert len(wire.sent) == 11


def test_acknowledged_in_one_batch() -> None:
    outbox = FakeOutbox()
    outbox.add(*messages(3))
    wire = Wire(outbox)
    wire.send()
    for _ in range(3):
        wire.accept()
    assert outbox.acknowledged == []
    assert wire.backlog.give_back() == 3
    assert outbox.acknowledged == [1, 2, 3]
    assert wire.backlog.give_back() == 0


def test_acknowledgements_that_the_outbox_does_not_take_are_offered_again() -> None:
    outbox = FakeOutbox()
    outbox.add(*messages(1))
    wire = Wire(outbox)
    wire.send()
    wire.accept()
    outbox.failure = OSError("disk full")
    with pytest.raises(OSError, match="disk full"):
        wire.backlog.give_back()
    outbox.failure = None
    assert wire.backlog.give_back() == 1
    assert outbox.acknowledged == [1]


def test_many_pages_go_through_in_order() -> None:
    outbox = FakeOutbox()
    rows = messages(2 * PAGE + 7)
    outbox.add(*rows)
    wire = Wire(outbox, limit=100)
    wire.accept_all()
    assert wire.sent == [row.event_id for row in rows]
    assert outbox.is_empty
    assert wire.backlog.is_drained


def test_a_cut_sends_again_only_what_was_in_flight() -> None:
    outbox = FakeOutbox()
    outbox.add(*messages(20))
    wire = Wire(outbox)
    wire.send()
    for _ in range(4):
        wire.accept()
    wire.cut()
    wire.accept_all()
    assert wire.sent == [f"verdict-{n}" for n in [*range(1, 11), *range(5, 21)]]
    assert outbox.acknowledged == list(range(1, 21))


@pytest.mark.parametrize("count", [0, 1, 2, PAGE, PAGE + 1, 3 * PAGE + 17])
def test_historical_is_exactly_what_was_there_before(count: int) -> None:
    outbox = FakeOutbox()
    outbox.add(*messages(count + 1))
    outbox.acknowledge([1])  # ids need not start at 1
    wire = Wire(outbox)
    wire.backlog.fill()
    last, new = OutboxMessage("a", "t", b"", count + 1), OutboxMessage("b", "t", b"", count + 2)
    assert wire.backlog.is_historical(last) == (count > 0)
    assert not wire.backlog.is_historical(new)
    assert not wire.backlog.is_historical(OutboxMessage("birth", "t", b""))


def test_a_refused_topic_waits_while_others_pass() -> None:
    outbox = FakeOutbox()
    outbox.add(*messages(3), *messages(2, "alarm"), *messages(3, first=4))
    wire = Wire(outbox, limit=3)
    wire.send()
    for _ in range(3):
        wire.refuse()
    wire.send()
    assert wire.sent[3:] == ["alarm-1", "alarm-2"]
    assert wire.backlog.refused_reason == "Not authorized"
    wire.accept()
    wire.accept()
    wire.now += 1.0
    wire.send()
    assert wire.sent[5:] == ["verdict-1"], "the oldest alone is tried again"
    wire.accept()
    wire.accept_all()
    assert wire.sent[6:] == [f"verdict-{n}" for n in range(2, 7)], "then the rest, in order"
    assert wire.backlog.refused_reason is None
    assert outbox.is_empty


def test_what_is_in_flight_is_not_read_again_when_a_refusal_ends() -> None:
    outbox = FakeOutbox()
    outbox.add(*messages(1), *messages(3, "alarm"), *messages(1, first=2))
    wire = Wire(outbox, limit=4)
    wire.send()
    wire.refuse()
    wire.now += 1.0
    wire.send()  # the refused one goes out beside the alarms, which are still in flight
    wire.waiting.rotate(1)
    wire.accept()
    wire.accept_all()
    assert wire.sent == ["verdict-1", "alarm-1", "alarm-2", "alarm-3", "verdict-1", "verdict-2"]


def test_an_older_message_of_a_refused_topic_is_not_forgotten() -> None:
    outbox = FakeOutbox()
    outbox.add(*messages(3))
    wire = Wire(outbox)
    wire.send()
    wire.waiting.rotate(-1)  # a broker that answers out of order
    wire.refuse()
    wire.cut()
    wire.accept_all()
    assert sorted(outbox.acknowledged) == [1, 2, 3]


def test_a_message_refused_first_for_itself_and_then_for_its_topic() -> None:
    outbox = FakeOutbox()
    outbox.add(*messages(2))
    wire = Wire(outbox, limit=1)
    wire.send()
    for whole_topic in (False, True, False, True):
        wire.refuse(whole_topic=whole_topic)
        wire.now += RETRY_MAX_S
        wire.send()
    wire.accept_all()
    assert outbox.is_empty
    assert wire.backlog.refused_reason is None


def test_pauses_between_tries_grow_to_a_limit() -> None:
    outbox = FakeOutbox()
    outbox.add(*messages(1))
    wire = Wire(outbox)
    wire.send()
    wire.refuse()
    pauses = []
    for _ in range(9):
        at = wire.backlog.retry_at
        assert at is not None
        pauses.append(at - wire.now)
        wire.now = at
        wire.send()
        wire.refuse()
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_many_unfit_messages_hold_back_their_topic_in_the_end() -> None:
    outbox = FakeOutbox()
    outbox.add(*messages(300))
    wire = Wire(outbox, limit=300)
    wire.send()
    while wire.waiting:
        wire.refuse("Payload format invalid", whole_topic=False)
    outbox.add(*messages(1, first=301))
    wire.send()
    assert wire.sent[300:] == []
    wire.accept_all()
    assert outbox.is_empty


def test_a_new_announcement_replaces_a_refused_one() -> None:
    wire = Wire(FakeOutbox())
    wire.backlog.announce(OutboxMessage("birth-1", "birth", b""))
    wire.send()
    wire.refuse()
    wire.backlog.announce(OutboxMessage("birth-2", "birth", b""))
    wire.accept_all()
    assert wire.sent == ["birth-1", "birth-2"]
    assert wire.backlog.refused_reason is None


def test_what_could_not_be_sent_is_next() -> None:
    outbox = FakeOutbox()
    outbox.add(*messages(2))
    wire = Wire(outbox)
    wire.backlog.look()
    wire.backlog.fill()
    message = wire.backlog.take(0.0)
    assert message is not None
    wire.backlog.put_back(message)
    wire.accept_all()
    assert wire.sent == ["verdict-1", "verdict-2"]


Steps = Sequence[tuple[str, int]]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "send", "accept", "refuse", "unfit", "cut", "wait", "record"]), st.integers(1, 12)
    ),
    max_size=60,
)


@given(steps=STEPS, topics=st.lists(st.sampled_from(["verdict", "alarm"]), min_size=12, max_size=12))
def test_nothing_is_lost_whatever_happens(steps: Steps, topics: Sequence[str]) -> None:
    outbox = FakeOutbox(records_at_once=False)
    wire = Wire(outbox, limit=4)
    made: list[OutboxMessage] = []
    for action, count in steps:
        for n in range(count if action in ("add", "accept", "refuse", "unfit") else 1):
            match action:
                case "add":
                    made += messages(1, topics[n], first=len(made) + 1)
                    outbox.add(made[-1])
                case "send":
                    wire.send()
                case "accept" if wire.waiting:
                    wire.accept()
                case "refuse" if wire.waiting:
                    wire.refuse()
                case "unfit" if wire.waiting:
                    wire.refuse("Payload format invalid", whole_topic=False)
                case "cut":
                    wire.cut()
                case "wait":
                    wire.now += count
                case "record":
                    wire.backlog.give_back()
                    outbox.record()
    wire.accept_all()
    assert wire.backlog.refused_reason is None
    assert wire.backlog.is_drained
    assert sorted(outbox.acknowledged) == list(range(1, len(made) + 1)), "each row is acknowledged exactly once"
    assert {*wire.sent} == {message.event_id for message in made}
