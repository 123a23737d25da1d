"""The demo's MES and its embedded broker, and the MES on a real mosquitto, killed and all."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from inspector.adapters.mqtt import MqttLink, MqttPublisher
from inspector.adapters.mqtt.embedded_broker import EmbeddedBroker
from inspector.adapters.mqtt.link import Backoff, MqttProtocol
from inspector.adapters.mqtt.mes_receiver import MesReceiver
from inspector.adapters.system_clock import SystemClock
from inspector.domain.errors import PublishError
from inspector.domain.events import alarm_message
from inspector.domain.message import OutboxMessage
from inspector.testing import FakeOutbox
from tests.support.mosquitto import Mosquitto, free_port
from tests.support.mqtt import TOPICS, eventually, verdicts
from tests.support.station_values import an_alarm

REPOSITORY = Path(__file__).parents[2]
Broker = Mosquitto | EmbeddedBroker


@pytest.fixture(params=["mosquitto-5", "mosquitto-3.1.1", "embedded-5", "embedded-3.1.1"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Broker, MqttProtocol]]:
    kind, _, protocol = request.param.partition("-")
    made: Broker = Mosquitto(tmp_path / "broker") if kind == "mosquitto" else EmbeddedBroker(protocol=protocol)
    made.start()
    yield made, protocol
    made.stop()


def a_link(port: int, client_id: str, protocol: MqttProtocol = "5") -> MqttLink:
    return MqttLink(host="127.0.0.1", port=port, client_id=client_id, protocol=protocol)


def publish(link: MqttLink, messages: Sequence[OutboxMessage]) -> None:
    outbox = FakeOutbox()
    outbox.add(*messages)
    publisher = MqttPublisher(link, TOPICS, SystemClock(), backoff=Backoff(0.05, 0.2))
    publisher.start(outbox)
    publisher.close(30)
    assert outbox.is_empty


def test_counts_parts_repeats_and_alarms(broker: tuple[Broker, MqttProtocol]) -> None:
    peer, protocol = broker
    receiver = MesReceiver(a_link(peer.port, "mes", protocol), TOPICS.all)
    receiver.start()
    eventually(lambda: receiver.is_subscribed, "it subscribes")
    station = a_link(peer.port, "station-3", protocol)
    stray = OutboxMessage("stray", f"{TOPICS.base}/other", b"no event")
    publish(station, [*verdicts(30), *verdicts(4), alarm_message(an_alarm(), TOPICS), stray])
    assert receiver.wait_for(30, 20)
    eventually(lambda: receiver.stations_online() == {TOPICS.base: False}, "birth and goodbye arrive")
    counts = receiver.received()
    receiver.stop()
    receiver.stop()
    assert (counts.verdicts, counts.duplicates, counts.alarms, counts.unreadable) == (30, 4, 1, 1)
    assert counts.by_disposition == {"PASS": 10, "REJECT": 10, "HOLD": 10}
    assert counts.announcements == 2
    assert receiver.parts()["R1-0000001"] in {"PASS", "REJECT", "HOLD"}
    assert len(receiver.parts()) == 30


def test_what_came_while_it_was_away_is_delivered_later(broker: tuple[Broker, MqttProtocol]) -> None:
    peer, protocol = broker
    link = a_link(peer.port, "mes", protocol)
    first = MesReceiver(link, TOPICS.all)
    first.start()
    eventually(lambda: first.is_subscribed, "it subscribes")
    first.stop()
    publish(a_link(peer.port, "station-3", protocol), verdicts(50))
    second = MesReceiver(link, TOPICS.all)
    second.start()
    assert second.wait_for(50, 20)
    second.stop()


def test_it_waits_for_a_broker_that_comes_later() -> None:
    port = free_port()
    receiver = MesReceiver(a_link(port, "mes"), TOPICS.all)
    receiver.start()
    with EmbeddedBroker(port):
        eventually(lambda: receiver.is_subscribed, "it connects once the broker is up")
        publish(a_link(port, "station-3"), verdicts(5))
        assert receiver.wait_for(5, 20)
        receiver.stop()


def test_memory_is_bounded_and_counts_go_on() -> None:
    with EmbeddedBroker() as peer:
        receiver = MesReceiver(a_link(peer.port, "mes"), TOPICS.all, keep=10)
        receiver.start()
        eventually(lambda: receiver.is_subscribed, "it subscribes")
        publish(a_link(peer.port, "station-3"), verdicts(40))
        assert receiver.wait_for(40, 20)
        receiver.stop()
        assert len(receiver.parts()) == 10
        assert sum(receiver.received().by_disposition.values()) == 40


def test_a_refused_login_shows(tmp_path: Path) -> None:
    peer = Mosquitto(tmp_path / "broker", users={"mes": "right-1"}).start()
    try:
        receiver = MesReceiver(a_link(peer.port, "mes"), TOPICS.all)
        receiver.start()
        eventually(lambda: bool(receiver.refusal), "the refusal shows")
        assert not receiver.is_subscribed
        receiver.stop()
    finally:
        peer.stop()


def a_receiver(port: int, log: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "inspector.adapters.mqtt.mes_receiver", "--port", str(port)]
    command += ["--topic", TOPICS.all, "--json", str(log), *options]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def lines_of(log: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_alone_killed_and_started_again_it_misses_nothing(tmp_path: Path) -> None:
    peer = Mosquitto(tmp_path / "broker").start()
    log = tmp_path / "received.jsonl"
    messages = verdicts(200)
    try:
        with a_receiver(peer.port, log) as first:
            # A session that was never opened keeps nothing, so wait until it is subscribed.
            assert first.stdout is not None
            said = ""
            while "(subscribed)" not in said:
                said += first.stdout.read(1)
            publish(a_link(peer.port, "station-3"), messages[:100])
            eventually(lambda: len(lines_of(log)) >= 10, "it writes")
            first.kill()
        with log.open("a") as torn:
            torn.write('{"part_id": "R1-00')
        publish(a_link(peer.port, "station-3"), messages[100:])
        with a_receiver(peer.port, log, "--count", "200", "--seconds", "60") as second:
            said, _ = second.communicate(timeout=90)
        assert second.returncode == 0
    finally:
        peer.stop()
    assert json.loads(said.splitlines()[-1])["verdicts"] == 200
    by_event = {line["event_id"]: line for line in lines_of(log)}
    assert set(by_event) == {message.event_id for message in messages}
    assert {line["part_id"] for line in by_event.values()} == {f"R1-{n:07d}" for n in range(1, 201)}
    assert {line["disposition"] for line in by_event.values()} == {"PASS", "REJECT", "HOLD"}


def test_alone_it_ends_as_told_and_refuses_nonsense(tmp_path: Path) -> None:
    with a_receiver(free_port(), tmp_path / "log", "--count", "1", "--seconds", "0.3") as late:
        assert late.wait(30) == 1, "time ran out"
        late.communicate()
    with a_receiver(0, tmp_path / "log") as wrong:
        _, complaint = wrong.communicate(timeout=30)
    assert wrong.returncode == 2
    assert "port" in complaint
    with a_receiver(free_port(), tmp_path / "log") as stopped:
        eventually((tmp_path / "log").exists, "it starts")
        assert stopped.stdout is not None
        stopped.stdout.read(1)  # it handles signals from here on
        stopped.send_signal(signal.SIGTERM)
        assert stopped.wait(30) == 0
        stopped.communicate()


# -- the embedded broker ---------------------------------------------------------------------------------------------


def test_the_embedded_broker_listens_on_this_machine_alone_and_stops() -> None:
    broker = EmbeddedBroker()
    broker.start()
    assert broker.is_running
    assert broker.start().port == broker.port, "starting twice is harmless"
    assert broker.pid is not None
    listening = [c.laddr.ip for c in psutil.Process(broker.pid).net_connections("inet") if c.status == "LISTEN"]
    assert listening == ["127.0.0.1"]
    broker.stop()
    broker.stop()
    assert not broker.is_running
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((broker.host, broker.port), timeout=1)


def test_the_embedded_broker_says_that_its_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(PublishError, match="is taken"):
        EmbeddedBroker(taken.getsockname()[1]).start()


def test_the_embedded_broker_goes_with_a_killed_parent() -> None:
    program = (
        "import time; from inspector.adapters.mqtt.embedded_broker import EmbeddedBroker;"
        "print(EmbeddedBroker().start().pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert psutil.pid_exists(pid)
        os.kill(parent.pid, signal.SIGKILL)
    eventually(lambda: not _runs(pid), "the broker ends by itself")


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_the_embedded_broker_does_not_mind_interrupts_of_the_terminal() -> None:
    with EmbeddedBroker() as broker:
        assert broker.pid is not None
        assert os.getpgid(broker.pid) != os.getpgid(0)
        assert broker.is_running
