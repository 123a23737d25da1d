"""The bridge against a real feed: what comes, what stops, what comes back."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from PySide6.QtCore import QCoreApplication
from pytestqt.qtbot import QtBot

from inspector.domain.alarm import AlarmCode
from inspector.domain.disposition import Action
from inspector.domain.errors import ConfigError
from inspector.domain.inspection import InspectedPart
from inspector.domain.state import Phase
from tests.support.fake_station import FakeStation
from tests.support.station_values import a_part, a_state
from ui.bridge import Bridge, picture_in
from ui.mailbox import MAX_PARTS, Answer, Mailbox
from ui.shown import LinkState

WAIT_MS = 15_000


class Listener:
    """Collects what a bridge says."""

    def __init__(self, bridge: Bridge) -> None:
        self.links: list[LinkState] = []
        self.states: list[Any] = []
        self.parts: list[InspectedPart] = []
        self.pictures: list[Any] = []
        self.thumbnails: list[Any] = []
        self.films: list[Any] = []
        self.answers: list[Answer] = []
        self.restarts = 0
        bridge.link_changed.connect(self.links.append)
        bridge.state.connect(self.states.append)
        bridge.parts.connect(self.parts.extend)
        bridge.picture.connect(self.pictures.append)
        bridge.thumbnail.connect(self.thumbnails.append)
        bridge.film.connect(self.films.append)
        bridge.answered.connect(self.answers.append)
        bridge.restarted.connect(self._count_restart)

    def _count_restart(self) -> None:
        self.restarts += 1


@pytest.fixture
def make_bridge(tmp_path: Path) -> Iterator[Callable[..., Bridge]]:
    made: list[Bridge] = []

    def make(endpoint: str | None = None, command_endpoint: str | None = None) -> Bridge:
        bridge = Bridge(endpoint or f"ipc://{tmp_path}/feed", command_endpoint or f"ipc://{tmp_path}/commands")
        made.append(bridge)
        bridge.start()
        return bridge

    yield make
    for bridge in made:
        bridge.close()


class Heart:
    """Beats for a station in a thread, as its supervisor does."""

    def __init__(self, station: FakeStation) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(station,))
        self._thread.start()

    def _run(self, station: FakeStation) -> None:
        while not self._stop.wait(0.1):
            station.feed.state(station.state())

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture
def beat(request: pytest.FixtureRequest) -> Callable[[FakeStation], Heart]:
    def make(station: FakeStation) -> Heart:
        heart = Heart(station)
        request.addfinalizer(heart.stop)
        return heart

    return make


def test_everything_of_a_station_arrives(
    station: FakeStation, make_bridge: Callable[..., Bridge], beat: Callable[[FakeStation], Heart], qtbot: QtBot
) -> None:
    before = [station.play_part() for _ in range(3)]
    beat(station)
    bridge = make_bridge()
    heard = Listener(bridge)
    qtbot.waitUntil(lambda: bridge.link_state is LinkState.LIVE and bool(heard.films), timeout=WAIT_MS)
    assert heard.parts[-1] == before[-1], "the newest of those that came before"
    played = [station.play_part() for _ in range(40)]
    qtbot.waitUntil(lambda: heard.parts[-40:] == played, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: bool(heard.pictures) and bool(heard.thumbnails), timeout=WAIT_MS)
    picture = heard.pictures[-1]
    assert (picture.image.width(), picture.image.height()) == (picture.width, picture.height) == (640, 480)
    assert heard.thumbnails[-1].image.width() == 320
    assert heard.states[-1].counts.is_conserved
    assert heard.links == [LinkState.LIVE]


def test_a_station_that_stops_is_said_to_be_lost_and_found_again_after_its_restart(
    tmp_path: Path, make_bridge: Callable[..., Bridge], beat: Callable[[FakeStation], Heart], qtbot: QtBot
) -> None:
    bridge = make_bridge()
    heard = Listener(bridge)
    first = FakeStation(tmp_path, start_at=0)
    first.start()
    try:
        heart = beat(first)
        qtbot.waitUntil(lambda: heard.links == [LinkState.LIVE], timeout=WAIT_MS)
        heart.stop()
    finally:
        first.close()
    qtbot.waitUntil(lambda: heard.links == [LinkState.LIVE, LinkState.LOST], timeout=WAIT_MS)
    second = FakeStation(tmp_path, start_at=0)
    second.start()
    try:
        beat(second)
        qtbot.waitUntil(lambda: heard.links[-1] is LinkState.LIVE, timeout=WAIT_MS)
        assert heard.restarts == 1
        part = second.play_part()
        qtbot.waitUntil(lambda: part in heard.parts, timeout=WAIT_MS)
    finally:
        second.close()


def test_a_station_that_hangs_is_lost_though_its_socket_lives(
    station: FakeStation, make_bridge: Callable[..., Bridge], beat: Callable[[FakeStation], Heart], qtbot: QtBot
) -> None:
    bridge = make_bridge()
    heard = Listener(bridge)
    heart = beat(station)
    qtbot.waitUntil(lambda: bridge.link_state is LinkState.LIVE, timeout=WAIT_MS)
    heart.stop()
    qtbot.waitUntil(lambda: bridge.link_state is LinkState.LOST, timeout=WAIT_MS)
    request_id = bridge.request("acknowledge", {"alarm_id": "none", "who": "operator"})
    qtbot.waitUntil(lambda: bool(heard.answers), timeout=WAIT_MS)
    assert heard.answers[0].request_id == request_id, "commands are still answered"
    assert bridge.link_state is LinkState.LOST, "an answer is no heartbeat"
    beat(station)
    qtbot.waitUntil(lambda: bridge.link_state is LinkState.LIVE, timeout=WAIT_MS)
    assert heard.restarts == 0


def test_a_dead_link_thread_is_a_lost_station(
    station: FakeStation, make_bridge: Callable[..., Bridge], beat: Callable[[FakeStation], Heart], qtbot: QtBot
) -> None:
    bridge = make_bridge()
    beat(station)
    qtbot.waitUntil(lambda: bridge.link_state is LinkState.LIVE, timeout=WAIT_MS)
    bridge._link._stop.set()
    qtbot.waitUntil(lambda: bridge.link_state is LinkState.LOST, timeout=WAIT_MS)


def test_while_no_station_is_there_the_bridge_connects(make_bridge: Callable[..., Bridge], qtbot: QtBot) -> None:
    bridge = make_bridge()
    heard = Listener(bridge)
    request_id = bridge.request("acknowledge", {"alarm_id": "a", "who": "operator"})
    qtbot.waitUntil(lambda: bool(heard.answers), timeout=WAIT_MS)
    assert heard.answers == [Answer(request_id, False, {}, None)]
    assert bridge.link_state is LinkState.CONNECTING
    assert heard.links == []


def test_commands_are_answered_and_refused_in_the_stations_words(
    station: FakeStation, make_bridge: Callable[..., Bridge], qtbot: QtBot
) -> None:
    bridge = make_bridge()
    heard = Listener(bridge)
    part = next(p for p in iter(station.play_part, None) if p.disposition.action is Action.REJECT)
    alarm = station.raise_alarm(AlarmCode.CAMERA_STALLED)
    first = bridge.request("acknowledge", {"alarm_id": alarm.alarm_id, "who": "operator"})
    second = bridge.request("nonsense", {})
    qtbot.waitUntil(lambda: len(heard.answers) == 2, timeout=WAIT_MS)
    assert heard.answers[0] == Answer(first, True, {"state": "ACKNOWLEDGED"})
    assert heard.answers[1].request_id == second
    assert heard.answers[1].error == "there is no command 'nonsense': see docs/feed.md"

    def has_picture() -> bool:
        bridge.request("picture", {"part_id": part.part_id})
        return heard.answers[-1].ok and picture_in(heard.answers[-1]) is not None

    qtbot.waitUntil(has_picture, timeout=WAIT_MS)
    found = picture_in(heard.answers[-1])
    assert found is not None
    assert (found[0].width(), *found[1:]) == (640, 640, 480)


def test_too_many_commands_at_once_are_refused_at_once(make_bridge: Callable[..., Bridge], qtbot: QtBot) -> None:
    bridge = make_bridge()
    heard = Listener(bridge)
    asked = [bridge.request("acknowledge", {}) for _ in range(40)]
    qtbot.waitUntil(lambda: len(heard.answers) >= 20, timeout=WAIT_MS)
    assert {answer.request_id for answer in heard.answers} <= set(asked)


@pytest.mark.parametrize("answer", [{}, {"jpeg": "%%%"}, {"jpeg": "AAAA", "width": 1, "height": 1}, {"jpeg": 7}])
def test_an_answer_without_a_picture_has_none(answer: dict[str, Any]) -> None:
    assert picture_in(Answer(1, True, answer)) is None


class OddStation:
    """Speaks as a station of another version would, or talks rubbish."""

    def __init__(self, directory: Path) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._pub = self._context.socket(zmq.PUB)
        self._pub.bind(f"ipc://{directory}/feed")
        self._seq = 0

    def says(self, topic: str, body: bytes, *, version: int = 1, seq: int | None = None) -> None:
        self._seq = seq or self._seq + 1
        header = {"v": version, "boot": "b", "seq": self._seq, "sent_at": "", "sent_ns": time.monotonic_ns()}
        self._pub.send_multipart([topic.encode(), json.dumps(header).encode(), body])

    def sends(self, *frames: bytes) -> None:
        self._pub.send_multipart(list(frames))

    def close(self) -> None:
        self._context.destroy(linger=0)


@pytest.fixture
def odd_station(tmp_path: Path) -> Iterator[OddStation]:
    odd = OddStation(tmp_path)
    yield odd
    odd.close()


@pytest.mark.parametrize(
    "rubbish",
    [
        lambda odd: odd.says("state", b'{"station_id": "x"}', version=2),
        lambda odd: odd.says("state", b'{"station_id": "of the next year"}'),
        lambda odd: odd.says("part", b"\xff"),
        lambda odd: odd.sends(b"state"),
        lambda odd: odd.sends(b"state", b"[]", b"{}"),
        lambda odd: odd.sends(b"state", b'{"v": 1, "boot": 3, "seq": "x"}', b"{}"),
    ],
)
def test_a_station_that_cannot_be_understood_is_said_to_be_unreadable(
    odd_station: OddStation, make_bridge: Callable[..., Bridge], qtbot: QtBot, rubbish: Callable[[OddStation], None]
) -> None:
    bridge = make_bridge()

    def is_unreadable() -> bool:
        rubbish(odd_station)
        return bridge.link_state is LinkState.UNREADABLE

    qtbot.waitUntil(is_unreadable, timeout=WAIT_MS)


def test_old_messages_are_no_sign_of_life(
    odd_station: OddStation, make_bridge: Callable[..., Bridge], qtbot: QtBot
) -> None:
    """A backlog that arrives after a pause: fresh on the wire, old in truth."""
    from inspector.domain.wire import STATE

    bridge = make_bridge()
    body = STATE.dump_json(a_state())

    def is_live() -> bool:
        odd_station.says("state", body)
        return bridge.link_state is LinkState.LIVE

    qtbot.waitUntil(is_live, timeout=WAIT_MS)
    old = {"v": 1, "boot": "b", "seq": 9999, "sent_at": "", "sent_ns": time.monotonic_ns() - 60_000_000_000}

    def is_lost() -> bool:
        odd_station.sends(b"state", json.dumps(old).encode(), body)
        return bridge.link_state is LinkState.LOST

    qtbot.waitUntil(is_lost, timeout=WAIT_MS)


def test_a_gap_in_the_numbers_asks_for_a_snapshot(
    odd_station: OddStation, make_bridge: Callable[..., Bridge], qtbot: QtBot, tmp_path: Path
) -> None:
    from inspector.domain.wire import PART

    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    commands = context.socket(zmq.REP)
    commands.bind(f"ipc://{tmp_path}/commands")
    try:
        bridge = make_bridge()
        asked = 0

        def snapshots(part_seq: int) -> bool:
            nonlocal asked
            if commands.poll(0):
                assert json.loads(commands.recv())["command"] == "snapshot"
                asked += 1
                snapshot = {
                    "v": 1,
                    "boot": "b",
                    "pictures": f"ipc://{tmp_path}/p",
                    "part_seq": part_seq,
                    "state_seq": 0,
                }
                snapshot |= {"state": None, "last_part": None, "film": []}
                commands.send(json.dumps({"ok": True, "result": snapshot}).encode())
            return asked > 0

        qtbot.waitUntil(lambda: snapshots(5), timeout=WAIT_MS)
        asked = 0
        heard = Listener(bridge)

        def hears(seq: int) -> bool:
            odd_station.says("part", PART.dump_json(a_part(seq)), seq=seq)
            return any(part.sequence == seq for part in heard.parts)

        qtbot.waitUntil(lambda: hears(6), timeout=WAIT_MS)
        qtbot.wait(100)
        assert not snapshots(6), "nothing was missed"
        qtbot.waitUntil(lambda: hears(9), timeout=WAIT_MS)
        qtbot.waitUntil(lambda: snapshots(9), timeout=WAIT_MS)
    finally:
        context.destroy(linger=0)


def test_a_screen_that_hangs_costs_no_memory_and_gets_the_newest() -> None:
    mailbox = Mailbox()
    for n in range(1, 5001):
        mailbox.part(a_part(n))
        mailbox.state(a_state(parts_per_s=float(n)), float(n))
    assert mailbox.announce()
    assert not mailbox.announce(), "told once"
    mail = mailbox.take()
    assert len(mail.parts) == MAX_PARTS
    assert mail.parts[-1].sequence == 5000
    assert mail.state is not None
    assert mail.state.parts_per_s == 5000.0
    assert not mailbox.announce(), "nothing waits"


def test_what_waited_of_a_former_station_is_dropped() -> None:
    mailbox = Mailbox()
    mailbox.part(a_part(1))
    mailbox.answer(Answer(7, True, {}))
    mailbox.restarted()
    mail = mailbox.take()
    assert mail.is_restart
    assert not mail.parts
    assert list(mail.answers) == [Answer(7, True, {})], "an answer is this dashboard's own"


def test_an_endpoint_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"see \[feed\]"):
        Bridge("nonsense", f"ipc://{tmp_path}/commands")


def test_a_killed_dashboard_does_not_disturb_the_station(
    station: FakeStation, make_bridge: Callable[..., Bridge], beat: Callable[[FakeStation], Heart], qtbot: QtBot
) -> None:
    """kill -9 of one dashboard process; the station goes on and another dashboard misses nothing."""
    beat(station)
    bridge = make_bridge()
    heard = Listener(bridge)
    program = (
        "import sys; from PySide6.QtCore import QCoreApplication; from ui.bridge import Bridge\n"
        "app = QCoreApplication([]); bridge = Bridge(*sys.argv[1:])\n"
        "bridge.link_changed.connect(lambda s: print(s, flush=True)); bridge.start(); app.exec()\n"
    )
    endpoints = [station.feed.endpoint, station.feed.command_endpoint]
    child = subprocess.Popen([sys.executable, "-c", program, *endpoints], stdout=subprocess.PIPE)
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == b"LIVE\n"
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
    qtbot.waitUntil(lambda: bool(heard.films), timeout=WAIT_MS)
    played = [station.play_part() for _ in range(30)]
    qtbot.waitUntil(lambda: heard.parts[-30:] == played, timeout=WAIT_MS)
    assert station.state().phase is Phase.RUNNING
    QCoreApplication.processEvents()
