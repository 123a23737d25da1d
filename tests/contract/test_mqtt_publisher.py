"""What MqttPublisher does beyond the port: birth and death, refusals, logins, TLS, kills. On a real mosquitto wherever
one can be made to behave that way."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from inspector.adapters.mqtt import MqttLink, MqttPublisher, MqttTls
from inspector.adapters.mqtt import publisher as publisher_module
from inspector.adapters.mqtt.link import Backoff
from inspector.adapters.system_clock import SystemClock
from inspector.domain.errors import ConfigError, PublishError
from inspector.domain.events import Topics
from inspector.domain.message import OutboxMessage
from inspector.testing import FakeOutbox
from tests.support.json_schema import check
from tests.support.mosquitto import Mosquitto, free_port, make_certificates
from tests.support.mqtt import TOPICS, Subscriber, eventually, on_topic, verdicts
from tests.support.publishing_station import FileOutbox
from tests.support.scripted_broker import CUT, SILENCE, TAKEN_OVER, Published, ScriptedBroker

REPOSITORY = Path(__file__).parents[2]

StartPublisher = Callable[..., MqttPublisher]


@pytest.fixture
def start() -> Iterator[StartPublisher]:
    """Starts publishers on a port or link; all are closed at the end."""
    started: list[MqttPublisher] = []

    def start_one(port: int, outbox: FakeOutbox, **link: object) -> MqttPublisher:
        birth = link.pop("birth", None) or (lambda: {"StationId": "station-3", "BootSequence": 7})
        base = MqttLink(host="127.0.0.1", port=port, client_id="station-3")
        made = MqttPublisher(
            replace(base, **link),  # type: ignore[arg-type]
            TOPICS,
            SystemClock(),
            birth=birth,  # type: ignore[arg-type]
            backoff=Backoff(0.05, 0.2),
        )
        started.append(made)
        made.start(outbox)
        return made

    yield start_one
    for publisher in started:
        publisher.close(0)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    made = Mosquitto(tmp_path / "broker").start()
    yield made
    made.stop()


def a_station(outbox: Path, port: int, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.support.publishing_station", str(outbox), str(port), "5", *options]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)


# -- birth, death, marks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_birth_is_retained_and_a_goodbye_leaves_a_death(
    broker: Mosquitto, start: StartPublisher, protocol: str
) -> None:
    publisher = start(broker.port, FakeOutbox(), protocol=protocol)
    eventually(lambda: publisher.health().connected, "it connects")
    with Subscriber(broker.port, client_id="late-1", protocol=protocol) as late:
        eventually(lambda: bool(late.of(TOPICS.birth)), "a late subscriber finds the birth")
        birth = late.of(TOPICS.birth)[0]
        assert birth.is_retained
        facts = birth.event["data"]
        assert (facts["Online"], facts["StationId"], facts["BootSequence"]) == (True, "station-3", 7)
        publisher.close(1)
        eventually(lambda: len(late.of(TOPICS.birth)) == 2, "the death is published")
    with Subscriber(broker.port, client_id="late-2", protocol=protocol) as later:
        eventually(lambda: bool(later.of(TOPICS.birth)), "an even later one finds the death")
        death = later.of(TOPICS.birth)[0].event["data"]
    assert (death["Online"], death["Reason"]) == (False, "STOPPED")
    assert (death["BootId"], death["Connection"]) == (facts["BootId"], facts["Connection"])


def test_a_killed_station_leaves_its_will(broker: Mosquitto, tmp_path: Path) -> None:
    with Subscriber(broker.port) as subscriber, a_station(tmp_path / "outbox.db", broker.port, "--stay") as station:
        eventually(lambda: bool(subscriber.of(TOPICS.birth)), "the birth arrives")
        station.kill()
        eventually(lambda: len(subscriber.of(TOPICS.birth)) == 2, "the broker publishes the will")
    birth, will = (arrival.event["data"] for arrival in subscriber.of(TOPICS.birth))
    assert birth["Online"]
    assert (will["Online"], will["Reason"], will["BootId"]) == (False, "CONNECTION_LOST", birth["BootId"])


def test_a_killed_publisher_resumes_with_the_same_ids(broker: Mosquitto, tmp_path: Path) -> None:
    messages = verdicts(300)
    outbox = FileOutbox(tmp_path / "outbox.db")
    outbox.add(messages)
    with Subscriber(broker.port) as subscriber:
        for kill_at in (20, 80):
            with a_station(tmp_path / "outbox.db", broker.port) as station:
                eventually(lambda at=kill_at: outbox.acknowledged() >= at, "it sends")  # type: ignore[misc]
                station.kill()
        assert outbox.acknowledged() < len(messages), "it was killed in the middle"
        with a_station(tmp_path / "outbox.db", broker.port) as station:
            station.communicate(timeout=60)
        assert outbox.acknowledged() == len(messages)
        expected = [message.event_id for message in messages]
        eventually(lambda: len(subscriber.ids()) >= len(expected), "all arrive")
        assert subscriber.ids() == expected
    outbox.close()


def test_changed_facts_are_announced_again(broker: Mosquitto, start: StartPublisher) -> None:
    model = ["first"]
    with Subscriber(broker.port) as subscriber:
        publisher = start(broker.port, FakeOutbox(), birth=lambda: {"ModelHash": model[0]})
        eventually(lambda: len(subscriber.of(TOPICS.birth)) == 1, "the birth arrives")
        model[0] = "second"
        publisher.announce()
        eventually(lambda: len(subscriber.of(TOPICS.birth)) == 2, "the second birth arrives")
        assert subscriber.of(TOPICS.birth)[1].event["data"]["ModelHash"] == "second"


def test_facts_that_cannot_be_had_do_not_stop_it(broker: Mosquitto, start: StartPublisher) -> None:
    outbox = FakeOutbox()
    outbox.add(*verdicts(3))
    with Subscriber(broker.port) as subscriber:
        start(broker.port, outbox, birth=lambda: {"Version": object()})
        eventually(lambda: outbox.is_empty and bool(subscriber.of(TOPICS.birth)), "it works all the same")
        assert subscriber.of(TOPICS.birth)[0].event["data"]["Online"] is True


def test_only_what_waited_for_the_connection_is_marked_historical(broker: Mosquitto, start: StartPublisher) -> None:
    outbox = FakeOutbox()
    outbox.add(*verdicts(60))
    with Subscriber(broker.port) as subscriber:
        publisher = start(broker.port, outbox)
        eventually(lambda: outbox.is_empty, "the backlog is sent")
        outbox.add(*verdicts(5, first=61))
        publisher.notify()
        eventually(lambda: len(subscriber.of(TOPICS.verdict)) == 65, "all arrives")
        arrivals = subscriber.of(TOPICS.verdict)
    assert [arrival.marks.get("historical") for arrival in arrivals] == ["true"] * 60 + [None] * 5
    numbers = [int(arrival.marks["sequence"]) for arrival in arrivals]
    assert numbers == list(range(numbers[0], numbers[0] + 65)), (
        "a gap would tell the subscriber that it missed something"
    )
    assert len({arrival.marks["boot"] for arrival in arrivals}) == 1
    assert {arrival.content_type for arrival in arrivals} == {"application/cloudevents+json"}
    document = json.loads((REPOSITORY / "docs" / "asyncapi.json").read_text("utf-8"))
    for arrival in arrivals:
        check(dict(arrival.marks), document["components"]["schemas"]["Marks"], document)


# -- refusals --------------------------------------------------------------------------------------------------------

ALLOWED = "user station\ntopic readwrite #\n"
NO_VERDICTS = f"user station\ntopic readwrite {TOPICS.birth}\ntopic readwrite {TOPICS.alarm}\n"


def test_a_denied_topic_waits_and_blocks_no_other(
    tmp_path: Path, start: StartPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = Mosquitto(tmp_path / "broker", users={"station": "secret-7"}, acl=NO_VERDICTS).start()
    try:
        outbox = FakeOutbox()
        refused = verdicts(30)
        alarms = [on_topic(message, TOPICS.alarm) for message in verdicts(5, first=101)]
        outbox.add(*refused[:20], *alarms, *refused[20:])
        publisher = start(broker.port, outbox, username="station", password="secret-7")
        eventually(lambda: len(outbox.acknowledged) == 5, "the alarms pass")
        eventually(lambda: publisher.health().refused_reason == "Not authorized", "the reason shows")
        assert sorted(outbox.acknowledged) == [21, 22, 23, 24, 25]
        assert publisher.health().connected
        broker.kill()
        broker.set_acl(ALLOWED)
        broker.start()
        eventually(lambda: outbox.is_empty, "once allowed, all is sent")
        eventually(lambda: publisher.health().refused_reason is None, "and nothing is refused any more")
        assert outbox.acknowledged[5:] == [*range(1, 21), *range(26, 36)], "in the order they were made"
        assert len(outbox.acknowledged) == 35
    finally:
        broker.stop()


def test_a_quota_that_is_full_for_a_while(start: StartPublisher) -> None:
    answers = iter([0x97, 0x97, 0x97])

    def answer(published: Published) -> int:
        return 0 if published.topic == TOPICS.birth else next(answers, 0)

    outbox = FakeOutbox()
    outbox.add(*verdicts(10))
    with ScriptedBroker(answer) as broker:
        publisher = start(broker.port, outbox)
        eventually(lambda: publisher.health().refused_reason == "Quota exceeded", "the reason shows")
        eventually(lambda: outbox.is_empty, "all is taken in the end")
        publisher.close(0)
    assert sorted(outbox.acknowledged) == list(range(1, 11))


def test_one_unfit_message_does_not_hold_back_its_topic(start: StartPublisher) -> None:
    outbox = FakeOutbox()
    messages = verdicts(10)
    outbox.add(*messages)
    with ScriptedBroker(lambda published: 0x99 if published.payload == messages[3].payload else 0) as broker:
        publisher = start(broker.port, outbox)
        eventually(lambda: len(outbox.acknowledged) == 9, "the others pass")
        assert 4 not in outbox.acknowledged
        eventually(lambda: publisher.health().refused_reason == "Payload format invalid", "the reason shows")
        publisher.close(0)


def test_a_message_that_makes_the_broker_hang_up_is_set_aside(start: StartPublisher) -> None:
    outbox = FakeOutbox()
    messages = verdicts(10)
    outbox.add(*messages)
    with ScriptedBroker(lambda published: CUT if published.payload == messages[3].payload else 0) as broker:
        publisher = start(broker.port, outbox)
        eventually(lambda: len(outbox.acknowledged) == 9, "the others pass")
        assert 4 not in outbox.acknowledged
        eventually(lambda: "closes the connection" in (publisher.health().refused_reason or ""), "the reason shows")
        publisher.close(0)


def test_a_message_larger_than_the_broker_takes_is_not_sent(tmp_path: Path, start: StartPublisher) -> None:
    broker = Mosquitto(tmp_path / "broker", options=["max_packet_size 4000"]).start()
    try:
        outbox = FakeOutbox()
        large = OutboxMessage("large", TOPICS.verdict, json.dumps({"x": "y" * 9000}).encode())
        outbox.add(large, *verdicts(3))
        publisher = start(broker.port, outbox)
        eventually(lambda: outbox.acknowledged == [2, 3, 4], "the others pass")
        eventually(lambda: "4000 bytes" in (publisher.health().refused_reason or ""), "the reason shows")
        assert publisher.health().connected
    finally:
        broker.stop()


def test_nothing_is_acknowledged_without_a_puback(start: StartPublisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher_module, "_PUBACK_TIMEOUT_S", 0.3)
    outbox = FakeOutbox()
    outbox.add(*verdicts(5))
    silent = threading.Event()
    silent.set()
    with ScriptedBroker(lambda _: SILENCE if silent.is_set() else 0) as broker:
        publisher = start(broker.port, outbox)
        eventually(lambda: len(broker.published) >= 6, "all is sent")
        eventually(lambda: broker.connections >= 3, "a broker that confirms nothing is left and tried again")
        assert outbox.acknowledged == []
        silent.clear()
        eventually(lambda: outbox.is_empty, "confirmed at last")
        publisher.close(0)
    assert outbox.acknowledged == [1, 2, 3, 4, 5]


def test_the_window_is_never_larger_than_the_broker_allows(start: StartPublisher) -> None:
    waiting: list[int] = []
    receive_maximum_4 = b"\x00\x00\x03\x21\x00\x04"
    outbox = FakeOutbox()
    outbox.add(*verdicts(50))
    with ScriptedBroker(lambda _: waiting.append(1) or SILENCE, connack=receive_maximum_4) as broker:  # type: ignore[func-returns-value]
        publisher = start(broker.port, outbox)
        eventually(lambda: len(waiting) >= 4, "a window is sent")
        publisher.close(0)
    assert len(waiting) == 4


# -- logins, TLS, settings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_wrong_password_shows_and_is_not_repeated(tmp_path: Path, start: StartPublisher, protocol: str) -> None:
    broker = Mosquitto(tmp_path / "broker", users={"station": "right-1"}).start()
    try:
        outbox = FakeOutbox()
        outbox.add(*verdicts(2))
        publisher = start(broker.port, outbox, protocol=protocol, username="station", password="wrong-password-7")
        eventually(lambda: publisher.health().refused_reason is not None, "the refusal shows")
        health = publisher.health()
        assert not health.connected
        assert "user station" in health.detail
        assert "wrong-password-7" not in repr(health) + broker.log.read_text()
        assert outbox.acknowledged == []
    finally:
        broker.stop()


def test_tls_with_client_certificate(tmp_path: Path, start: StartPublisher) -> None:
    files = make_certificates(tmp_path / "certificates")
    broker = Mosquitto(tmp_path / "broker", certificates=files, require_client_certificate=True).start()
    try:
        outbox = FakeOutbox()
        outbox.add(*verdicts(40))
        tls = MqttTls(ca=files.ca, cert=files.client_cert, key=files.client_key)
        publisher = start(broker.port, outbox, tls=tls)
        eventually(lambda: outbox.is_empty, "all is sent")
        publisher.close(1)
        nameless = start(broker.port, FakeOutbox(), tls=MqttTls(ca=files.ca))
        eventually(lambda: "connecting" not in nameless.health().detail, "without a certificate it is not let in")
        assert not nameless.health().connected
    finally:
        broker.stop()


def test_a_broker_that_cannot_prove_itself_gets_nothing(tmp_path: Path, start: StartPublisher) -> None:
    files = make_certificates(tmp_path / "certificates")
    stranger = make_certificates(tmp_path / "stranger")
    broker = Mosquitto(tmp_path / "broker", certificates=files).start()
    try:
        publisher = start(broker.port, FakeOutbox(), tls=MqttTls(ca=stranger.ca))
        eventually(lambda: "is not trusted" in publisher.health().detail, "the reason shows")
        plain = start(broker.port, FakeOutbox())
        eventually(lambda: "connecting" not in plain.health().detail, "without TLS it does not connect")
        assert not plain.health().connected
    finally:
        broker.stop()


def test_a_certificate_that_is_missing_may_come_later(tmp_path: Path, start: StartPublisher) -> None:
    files = make_certificates(tmp_path / "certificates")
    broker = Mosquitto(tmp_path / "broker", certificates=files).start()
    try:
        outbox = FakeOutbox()
        outbox.add(*verdicts(1))
        later = tmp_path / "later.pem"
        publisher = start(broker.port, outbox, tls=MqttTls(ca=later))
        eventually(lambda: str(later) in publisher.health().detail, "the missing file is named")
        later.write_text("no certificate")
        eventually(lambda: "holds no certificate" in publisher.health().detail, "so is a wrong one")
        later.write_bytes(files.ca.read_bytes())
        eventually(lambda: outbox.is_empty, "it is taken as soon as it is there")
    finally:
        broker.stop()


def test_a_host_without_address_shows(start: StartPublisher) -> None:
    publisher = start(1883, FakeOutbox(), host="broker.invalid")
    eventually(lambda: "broker.invalid has no known address" in publisher.health().detail, "the reason shows")
    unspeakable = start(1883, FakeOutbox(), host="a" * 70 + ".example")
    eventually(lambda: "no known address" in unspeakable.health().detail, "a label longer than DNS allows, too")


def test_a_port_that_speaks_something_else_shows(start: StartPublisher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def greet() -> None:
            client, _ = listener.accept()
            client.sendall(b"220 mail.example ESMTP\r\n")
            client.close()

        greeter = threading.Thread(target=greet)
        greeter.start()
        publisher = start(port, FakeOutbox())
        eventually(lambda: "connecting" not in publisher.health().detail, "the first attempt fails")
        greeter.join(10)
        assert not publisher.health().connected
        publisher.close(0)


def test_two_stations_with_one_name_are_told(broker: Mosquitto, start: StartPublisher) -> None:
    """This mosquitto cuts the first without a word, so the publisher has to guess."""
    first, second = start(broker.port, FakeOutbox()), start(broker.port, FakeOutbox())

    def is_told() -> bool:
        hint = "does another client use the name station-3?"
        return hint in first.health().detail or hint in second.health().detail

    eventually(is_told, "the likely reason shows")


def test_a_broker_that_tells_of_a_second_station_is_quoted(start: StartPublisher) -> None:
    with ScriptedBroker(lambda _: TAKEN_OVER) as broker:
        publisher = start(broker.port, FakeOutbox())
        eventually(lambda: "another client uses the name station-3" in publisher.health().detail, "the reason shows")
        publisher.close(0)


def test_a_store_that_fails_for_a_while_does_not_end_it(broker: Mosquitto, start: StartPublisher) -> None:
    outbox = FakeOutbox()
    publisher = start(broker.port, outbox)
    eventually(lambda: publisher.health().connected, "it connects")
    outbox.failure = OSError("disk I/O error")
    publisher.notify()
    eventually(lambda: "disk I/O error" in publisher.health().detail, "the failure shows")
    assert publisher.health().connected
    outbox.failure = None
    outbox.add(*verdicts(3))
    eventually(lambda: outbox.is_empty, "it goes on by itself")


def test_nobody_subscribing_shows(broker: Mosquitto, start: StartPublisher) -> None:
    outbox = FakeOutbox()
    outbox.add(*verdicts(1))
    publisher = start(broker.port, outbox)
    eventually(lambda: "nobody subscribes" in publisher.health().detail, "taken by the broker, heard by nobody")


def test_it_starts_once_and_refuses_topics_that_cannot_be() -> None:
    link = MqttLink(host="127.0.0.1", port=free_port(), client_id="station-3")
    publisher = MqttPublisher(link, TOPICS, SystemClock())
    publisher.start(FakeOutbox())
    with pytest.raises(PublishError):
        publisher.start(FakeOutbox())
    publisher.close(0)
    assert "mqtt-publisher" not in [thread.name for thread in threading.enumerate()]
    publisher.notify()  # harmless
    with pytest.raises(PublishError):
        publisher.start(FakeOutbox())
    for path in ([], ["a\0b"], ["x" * 65_000]):
        with pytest.raises(ConfigError, match=r"\[station\] path"):
            MqttPublisher(link, Topics(path), SystemClock())
