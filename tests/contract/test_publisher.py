"""The contract of `ports.Publisher`, on the fake and on MQTT with three real brokers."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from inspector.adapters.mqtt import MqttLink, MqttPublisher
from inspector.adapters.mqtt.embedded_broker import EmbeddedBroker
from inspector.adapters.mqtt.link import Backoff, MqttProtocol
from inspector.adapters.system_clock import SystemClock
from inspector.domain.message import OutboxMessage
from inspector.ports import Publisher
from inspector.testing import FakeOutbox, FakePublisher
from tests.support.mosquitto import Mosquitto, free_port
from tests.support.mqtt import TOPICS, Subscriber, eventually, on_topic, verdicts

FAST = Backoff(0.05, 0.2)


class Peer(Protocol):
    """A broker with a subscriber behind it. `keeps` tells whether it remembers anything after a kill; `many` is how
    many messages it takes in about a second (mosquitto saves its whole memory after every change here).
    """

    keeps: bool
    many: int

    def publisher(self) -> Publisher: ...

    def start_broker(self) -> None: ...

    def kill_broker(self) -> None: ...

    def arrived(self) -> Sequence[str]:
        """Ids of all verdicts that the subscriber got, repeats included, in order."""
        ...

    def payloads(self) -> Sequence[bytes]: ...

    def close(self) -> None: ...


class FakePeer:
    keeps = True
    many = 1500

    def __init__(self) -> None:
        self._fakes: list[FakePublisher] = []
        self._is_up = False

    def publisher(self) -> FakePublisher:
        self._fakes.append(FakePublisher(is_online=self._is_up))
        return self._fakes[-1]

    def start_broker(self) -> None:
        self._is_up = True
        for fake in self._fakes:
            fake.go_online()

    def kill_broker(self) -> None:
        self._is_up = False
        for fake in self._fakes:
            fake.go_offline()

    def arrived(self) -> list[str]:
        return [message.event_id for fake in self._fakes for message in fake.delivered]

    def payloads(self) -> list[bytes]:
        return [message.payload for fake in self._fakes for message in fake.delivered]

    def close(self) -> None:
        for fake in self._fakes:
            fake.close(0)


class MqttPeer:
    def __init__(self, broker: Mosquitto | EmbeddedBroker, protocol: MqttProtocol) -> None:
        self.keeps = isinstance(broker, Mosquitto)
        self.many = 150 if self.keeps else 1500
        self._broker = broker
        self._protocol = protocol
        self._publishers: list[MqttPublisher] = []
        self._subscriber: Subscriber | None = None

    def publisher(self) -> MqttPublisher:
        link = MqttLink(
            host="127.0.0.1", port=self._broker.port, client_id="station-3", protocol=self._protocol, max_in_flight=20
        )
        self._publishers.append(MqttPublisher(link, TOPICS, SystemClock(), backoff=FAST))
        return self._publishers[-1]

    def start_broker(self) -> None:
        self._broker.start()
        if self._subscriber is None:
            self._subscriber = Subscriber(self._broker.port, TOPICS.verdict, protocol=self._protocol)
            self._subscriber.__enter__()

    def kill_broker(self) -> None:
        self._broker.kill()

    def arrived(self) -> list[str]:
        return [arrival.event_id for arrival in list(self._subscriber.arrivals)] if self._subscriber else []

    def payloads(self) -> list[bytes]:
        return [arrival.payload for arrival in list(self._subscriber.arrivals)] if self._subscriber else []

    def close(self) -> None:
        for publisher in self._publishers:
            publisher.close(0)
        if self._subscriber is not None:
            self._subscriber.__exit__()
        self._broker.stop()


@pytest.fixture(params=["fake", "mosquitto-5", "mosquitto-3.1.1", "embedded"])
def peer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Peer]:
    made: Peer
    match request.param:
        case "fake":
            made = FakePeer()
        case "mosquitto-5":
            made = MqttPeer(Mosquitto(tmp_path / "broker"), "5")
        case "mosquitto-3.1.1":
            made = MqttPeer(Mosquitto(tmp_path / "broker"), "3.1.1")
        case _:
            made = MqttPeer(EmbeddedBroker(free_port()), "5")
    try:
        yield made
    finally:
        made.close()


def ids_of(messages: Sequence[OutboxMessage]) -> list[str]:
    return [message.event_id for message in messages]


def test_all_that_waits_arrives_in_order_and_unchanged(peer: Peer) -> None:
    peer.start_broker()
    outbox = FakeOutbox()
    early, late = verdicts(peer.many), verdicts(10, first=peer.many + 1)
    outbox.add(*early)
    publisher = peer.publisher()
    publisher.start(outbox)
    eventually(lambda: len(peer.arrived()) >= len(early), "the backlog arrives")
    outbox.add(*late)
    publisher.notify()
    total = len(early + late)
    eventually(lambda: len(peer.arrived()) >= total and outbox.is_empty, "what came later arrives too")
    assert peer.arrived() == ids_of(early + late)
    assert peer.payloads() == [message.payload for message in early + late]
    assert outbox.acknowledged == list(range(1, total + 1)), "each row is acknowledged once"
    eventually(lambda: publisher.health().acknowledged == total, "the health counts them")
    assert publisher.health().connected
    assert publisher.health().refused_reason is None


def test_broker_down_at_start_then_up(peer: Peer) -> None:
    outbox = FakeOutbox()
    publisher = peer.publisher()
    publisher.start(outbox)
    outbox.add(*verdicts(30))
    publisher.notify()
    eventually(lambda: "connecting" not in publisher.health().detail, "the first attempt fails")
    assert not publisher.health().connected
    assert publisher.health().detail
    assert outbox.acknowledged == [], "nothing is acknowledged that no broker has"
    peer.start_broker()
    eventually(lambda: outbox.is_empty and len(peer.arrived()) >= 30, "all arrives once the broker is up")
    assert publisher.health().connected
    assert sorted(set(peer.arrived())) == sorted(ids_of(verdicts(30)))


def test_broker_killed_in_the_middle(peer: Peer) -> None:
    peer.start_broker()
    outbox = FakeOutbox()
    messages = verdicts(2 * peer.many)
    outbox.add(*messages[: peer.many])
    publisher = peer.publisher()
    publisher.start(outbox)
    eventually(lambda: publisher.health().acknowledged >= 20, "the first messages are taken")
    peer.kill_broker()
    eventually(lambda: not publisher.health().connected, "the cut is noticed")
    outbox.add(*messages[peer.many :])
    publisher.notify()
    peer.start_broker()
    eventually(lambda: outbox.is_empty, "all is taken after the cut", 60)
    known = set(ids_of(messages))
    if peer.keeps:
        eventually(lambda: set(peer.arrived()) == known, "the subscriber has every message")
    assert set(peer.arrived()) <= known, "repeats carry the ids they had"


def test_rows_that_the_store_has_not_recorded_yet_are_not_sent_again(peer: Peer) -> None:
    peer.start_broker()
    outbox = FakeOutbox(records_at_once=False)
    outbox.add(*verdicts(40))
    publisher = peer.publisher()
    publisher.start(outbox)
    eventually(lambda: len(outbox.acknowledged) == 40, "all is taken")
    outbox.add(*verdicts(5, first=41))
    publisher.notify()
    eventually(lambda: len(outbox.acknowledged) == 45, "the rest is taken")
    publisher.close(10)
    assert outbox.acknowledged == list(range(1, 46))
    eventually(lambda: len(peer.arrived()) == 45, "each arrives once")


def test_close_sends_what_waits_and_says_goodbye(peer: Peer) -> None:
    peer.start_broker()
    outbox = FakeOutbox()
    publisher = peer.publisher()
    publisher.start(outbox)
    eventually(lambda: publisher.health().connected, "it connects")
    outbox.add(*verdicts(peer.many))  # and nobody notifies
    publisher.close(30)
    assert outbox.is_empty
    assert not publisher.health().connected
    publisher.close(30)  # once more does no harm
    eventually(lambda: len(peer.arrived()) == peer.many, "all arrives")


def test_close_without_a_broker_keeps_everything_for_the_next_start(peer: Peer) -> None:
    outbox = FakeOutbox()
    outbox.add(*verdicts(10))
    first = peer.publisher()
    first.start(outbox)
    first.close(0.3)
    assert outbox.acknowledged == []
    peer.start_broker()
    second = peer.publisher()
    second.start(outbox)
    eventually(lambda: outbox.is_empty and len(peer.arrived()) == 10, "the next start sends it")
    assert peer.arrived() == ids_of(verdicts(10))


def test_a_message_of_another_topic_keeps_its_topic(peer: Peer) -> None:
    """Topics are the message's own: nothing is rewritten on the way."""
    peer.start_broker()
    outbox = FakeOutbox()
    outbox.add(on_topic(verdicts(1)[0], TOPICS.alarm), *verdicts(1, first=2))
    publisher = peer.publisher()
    publisher.start(outbox)
    eventually(lambda: outbox.is_empty and bool(peer.arrived()), "both are taken")
    verdict_ids = ids_of(verdicts(1, first=2))
    if isinstance(peer, FakePeer):
        assert peer.arrived()[1:] == verdict_ids
    else:
        assert peer.arrived() == verdict_ids, "the subscriber asked for verdicts only"
