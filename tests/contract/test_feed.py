"""ports.Feed: one suite on the fake and on ZeroMQ, then what only a wire can get wrong."""

import base64
import itertools
import json
import math
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
import zmq

from inspector.adapters.feed import ZmqFeed
from inspector.adapters.feed.commands import answer
from inspector.adapters.feed.pictures import displayable, shrunk
from inspector.adapters.system_clock import SystemClock
from inspector.domain.disposition import Action, HoldReason
from inspector.domain.errors import ConfigError, InspectorError
from inspector.domain.exits import ExitScore
from inspector.domain.frame import Image
from inspector.domain.inspection import InspectedPart
from inspector.domain.state import StationState
from inspector.domain.verdict import Outcome, Verdict
from inspector.domain.wire import PART, STATE
from inspector.ports import Feed
from inspector.testing import FakeFeed
from tests.support.station_values import HASH, a_frame, a_part, a_state

WAIT_S = 10.0


def fake_jpeg(image: Image) -> bytes:
    """Shape and first grey level: enough to tell which picture came."""
    return json.dumps([*image.shape, int(image.flat[0])]).encode()


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.005)


class Reader:
    """A dashboard's receiving end: reads everything in a thread."""

    def __init__(self, endpoint: str, *topics: str) -> None:
        self.messages: list[tuple[str, dict[str, Any], bytes]] = []
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.RCVHWM, 0)
        for topic in topics:
            self._socket.subscribe(topic)
        self._socket.connect(endpoint)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._socket.poll(50):
                topic, header, body = self._socket.recv_multipart()
                self.messages.append((topic.decode(), json.loads(header), body))
        self._socket.close(linger=0)

    def of(self, topic: str) -> list[tuple[dict[str, Any], bytes]]:
        return [(header, body) for name, header, body in list(self.messages) if name == topic]

    def numbers(self, topic: str) -> list[int]:
        return [header["seq"] for header, _ in self.of(topic)]

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._context.term()


def request(endpoint: str, content: bytes | list[bytes]) -> dict[str, Any]:
    with zmq.Context() as context, context.socket(zmq.REQ) as req:
        req.setsockopt(zmq.LINGER, 0)
        req.connect(endpoint)
        req.send_multipart(content if isinstance(content, list) else [content])
        assert req.poll(int(WAIT_S * 1000)), "no answer"
        reply: dict[str, Any] = json.loads(req.recv())
        return reply


def command(feed: ZmqFeed, name: str, **args: Any) -> dict[str, Any]:
    return request(feed.command_endpoint, json.dumps({"command": name, "args": args}).encode())


def handle(name: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
    if name == "echo":
        return dict(args)
    if name == "broken":
        raise ZeroDivisionError
    raise InspectorError(f"there is no command {name!r}: see docs/feed.md")


@pytest.fixture
def make_feed(tmp_path: Path) -> Iterator[Callable[..., ZmqFeed]]:
    feeds: list[ZmqFeed] = []

    def make(*, picture_hz: float = 50.0, start: bool = True, **options: Any) -> ZmqFeed:
        endpoints = {"endpoint": f"ipc://{tmp_path}/feed", "command_endpoint": f"ipc://{tmp_path}/commands"}
        settings: dict[str, Any] = endpoints | {"jpeg_encode": fake_jpeg, "clock": SystemClock()} | options
        feed = ZmqFeed(settings.pop("endpoint"), settings.pop("command_endpoint"), picture_hz=picture_hz, **settings)
        if start:
            feed.start(handle)
        feeds.append(feed)
        return feed

    yield make
    for feed in feeds:
        feed.close()


@pytest.fixture
def read(request: pytest.FixtureRequest) -> Callable[..., Reader]:
    def make(endpoint: str, *topics: str) -> Reader:
        reader = Reader(endpoint, *topics)
        request.addfinalizer(reader.close)
        return reader

    return make


def connected(feed: ZmqFeed, reader: Reader) -> int:
    """Send states until the reader has one: who has just subscribed misses what was sent before. Gives the last seq."""
    sent = 0

    def has_come() -> bool:
        nonlocal sent
        feed.state(a_state())
        sent += 1
        time.sleep(0.02)
        return bool(reader.of("state"))

    wait_until(has_come)
    wait_until(lambda: reader.numbers("state")[-1] == sent)
    return sent


# --- the contract ----------------------------------------------------------------------------------------------------


class Probe(Protocol):
    """What a dashboard sees of any feed."""

    feed: Feed

    def parts(self) -> list[InspectedPart]: ...

    def states(self) -> list[StationState]: ...

    def command(self, name: str, args: Mapping[str, Any]) -> Mapping[str, Any]: ...


class FakeProbe:
    def __init__(self) -> None:
        self.feed = FakeFeed()
        self.feed.start(handle)

    def parts(self) -> list[InspectedPart]:
        return [part for part, _ in self.feed.parts]

    def states(self) -> list[StationState]:
        return self.feed.states

    def command(self, name: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        return self.feed.command(name, args)


class ZmqProbe:
    def __init__(self, feed: ZmqFeed, reader: Reader) -> None:
        self.feed, self._reader = feed, reader
        self._greetings = connected(feed, reader)

    def parts(self) -> list[InspectedPart]:
        return [PART.validate_json(body) for _, body in self._reader.of("part")]

    def states(self) -> list[StationState]:
        return [
            STATE.validate_json(body) for header, body in self._reader.of("state") if header["seq"] > self._greetings
        ]

    def command(self, name: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        reply = command(self.feed, name, **args)
        if not reply["ok"]:
            raise InspectorError(reply["error"])
        result: Mapping[str, Any] = reply["result"]
        return result


@pytest.fixture(params=["fake", "zmq"])
def probe(request: pytest.FixtureRequest, make_feed: Callable[..., ZmqFeed], read: Callable[..., Reader]) -> Probe:
    if request.param == "fake":
        return FakeProbe()
    feed = make_feed()
    return ZmqProbe(feed, read(feed.endpoint, "part", "state"))


def test_parts_and_states_arrive_whole_and_in_order(probe: Probe) -> None:
    parts = [a_part(n, (Action.PASS, Action.REJECT, Action.HOLD)[n % 3]) for n in range(30)]
    for part in parts:
        probe.feed.part(part, a_frame(part.sequence))
    probe.feed.state(a_state(parts_per_s=1.5))
    wait_until(lambda: len(probe.parts()) == 30 and bool(probe.states()))
    assert probe.parts() == parts
    assert probe.states() == [a_state(parts_per_s=1.5)]


def test_commands_are_answered_or_refused_with_the_handlers_words(probe: Probe) -> None:
    assert probe.command("echo", {"who": "操作員"}) == {"who": "操作員"}
    with pytest.raises(InspectorError, match="there is no command 'nonsense'"):
        probe.command("nonsense", {})


def test_closing_twice_and_feeding_afterwards_disturbs_nobody(probe: Probe) -> None:
    probe.feed.close()
    probe.feed.close()
    probe.feed.part(a_part(), None)
    probe.feed.state(a_state())


# --- numbers and snapshot --------------------------------------------------------------------------------------------


def test_headers_carry_version_boot_number_and_time(
    make_feed: Callable[..., ZmqFeed], read: Callable[..., Reader]
) -> None:
    feed = make_feed()
    reader = read(feed.endpoint, "state")
    connected(feed, reader)
    header, _ = reader.of("state")[-1]
    assert (header["v"], header["boot"]) == (1, feed.boot_id)
    assert 0 < header["sent_ns"] <= time.monotonic_ns()
    assert header["sent_at"].endswith("+00:00")


def test_two_thousand_verdicts_a_second_reach_a_reader_without_a_gap(
    make_feed: Callable[..., ZmqFeed], read: Callable[..., Reader]
) -> None:
    feed = make_feed()
    reader = read(feed.endpoint, "part", "state")
    connected(feed, reader)
    part, frame = a_part(1, Action.REJECT), a_frame()
    start = time.monotonic()
    for n in range(4000):
        if n % 20 == 0:  # 20 in 10 ms are 2000 in a second
            time.sleep(max(0.0, start + n / 2000 - time.monotonic()))
        feed.part(replace(part, sequence=n), frame)
    wait_until(lambda: len(reader.of("part")) == 4000)
    assert reader.numbers("part") == list(range(1, 4001))
    assert [json.loads(body)["sequence"] for _, body in reader.of("part")] == list(range(4000))


def test_snapshot_holds_what_a_newcomer_missed(make_feed: Callable[..., ZmqFeed]) -> None:
    feed = make_feed()
    for n in range(1, 16):
        feed.part(a_part(n, Action.REJECT), a_frame(n, width=640, height=480))
    missed = a_part(16, Action.HOLD, hold_reason=HoldReason.NO_PICTURE)
    feed.part(missed, None)
    passed = a_part(17)
    feed.part(passed, a_frame(17))
    feed.state(a_state())
    wait_until(lambda: all(item["thumbnail"] for item in command(feed, "snapshot")["result"]["film"][:-1]))
    snapshot = command(feed, "snapshot")["result"]
    assert (snapshot["boot"], snapshot["part_seq"], snapshot["state_seq"]) == (feed.boot_id, 17, 1)
    assert STATE.validate_python(snapshot["state"]) == a_state()
    assert PART.validate_python(snapshot["last_part"]) == passed
    film = [PART.validate_python(item["part"]) for item in snapshot["film"]]
    assert film == [a_part(n, Action.REJECT) for n in range(7, 16)] + [missed]
    assert snapshot["film"][-1]["thumbnail"] is None
    assert json.loads(base64.b64decode(snapshot["film"][0]["thumbnail"]))[:2] == [240, 320]


def test_empty_snapshot(make_feed: Callable[..., ZmqFeed]) -> None:
    snapshot = command(make_feed(), "snapshot")["result"]
    assert (snapshot["state"], snapshot["last_part"], snapshot["film"], snapshot["part_seq"]) == (None, None, [], 0)


def test_what_never_became_a_message_shows_as_a_gap(
    make_feed: Callable[..., ZmqFeed], read: Callable[..., Reader]
) -> None:
    """More parts than the bounded backlog in one go, before the feed thread has run: the oldest fall out."""
    feed = make_feed(backlog=50, start=False)
    for n in range(1, 201):
        feed.part(a_part(n), None)
    feed.start(handle)
    reader = read(feed.endpoint, "part", "state")
    connected(feed, reader)
    feed.part(a_part(201), None)
    wait_until(lambda: bool(reader.of("part")) and reader.numbers("part")[-1] == 201)
    assert command(feed, "snapshot")["result"]["part_seq"] == 201
    seen = reader.numbers("part")
    assert len(seen) <= 51
    assert seen == list(range(202 - len(seen), 202)), "what is left is the newest, without holes"


# --- slow, dead and restarted peers ----------------------------------------------------------------------------------


def test_a_slow_subscriber_loses_messages_and_can_tell_while_another_loses_none(
    make_feed: Callable[..., ZmqFeed], read: Callable[..., Reader]
) -> None:
    feed = make_feed(backlog=100)
    reader = read(feed.endpoint, "part", "state")
    with zmq.Context() as context, context.socket(zmq.SUB) as slow:
        slow.setsockopt(zmq.RCVHWM, 10)
        slow.setsockopt(zmq.RCVBUF, 4096)
        slow.setsockopt(zmq.LINGER, 0)
        slow.subscribe("")
        slow.connect(feed.endpoint)
        connected(feed, reader)
        wait_until(lambda: bool(feed.state(a_state()) or slow.poll(20)))
        padded = replace(a_part(1), origin="x" * 20_000)  # fills the kernel's buffers sooner
        for n in range(1, 601):
            feed.part(padded, None)
            if n % 25 == 0:  # the reading subscriber keeps pace, the slow one reads nothing at all
                wait_until(lambda n=n: len(reader.of("part")) == n)  # type: ignore[misc]
        assert reader.numbers("part") == list(range(1, 601))
        seen = []
        while slow.poll(200):
            topic, header, _ = slow.recv_multipart()
            if topic == b"part":
                seen.append(json.loads(header)["seq"])
            if len(seen) % 50 == 0:
                feed.part(padded, None)  # there is room again: later parts arrive with their numbers
            if len(seen) > 1000:
                break
        assert seen == sorted(seen)
        assert any(b - a > 1 for a, b in itertools.pairwise(seen)), "the loss shows as a gap"


def test_a_killed_subscriber_is_forgotten(make_feed: Callable[..., ZmqFeed], read: Callable[..., Reader]) -> None:
    feed = make_feed()
    reader = read(feed.endpoint, "part", "state")
    connected(feed, reader)
    program = (
        "import sys, zmq\n"
        "s = zmq.Context().socket(zmq.SUB); s.subscribe(''); s.connect(sys.argv[1]); s.connect(sys.argv[2])\n"
        "r = zmq.Context().socket(zmq.REQ); r.connect(sys.argv[3])\n"
        's.recv_multipart(); r.send(b\'{"command": "snapshot"}\')\n'  # dies with a request under way
        "print('up', flush=True); s.poll(60000); import time; time.sleep(60)\n"
    )
    endpoints = [feed.endpoint, feed.pictures_endpoint, feed.command_endpoint]
    child = subprocess.Popen([sys.executable, "-c", program, *endpoints], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        stop = threading.Event()
        beat = threading.Thread(target=lambda: [feed.state(a_state()) for _ in iter(lambda: stop.wait(0.02), True)])
        beat.start()
        assert child.stdout.readline() == b"up\n"
        stop.set()
        beat.join()
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert child.stdout is not None
        child.stdout.close()
    for n in range(1, 301):
        feed.part(a_part(n, Action.REJECT), a_frame(n))
    wait_until(lambda: len(reader.of("part")) == 300)
    assert reader.numbers("part") == list(range(1, 301))
    assert command(feed, "echo", a=1) == {"ok": True, "result": {"a": 1}}


def test_a_reader_finds_a_restarted_station_again(
    make_feed: Callable[..., ZmqFeed], read: Callable[..., Reader]
) -> None:
    first = make_feed()
    reader = read(first.endpoint, "state")
    connected(first, reader)
    first.close()
    second = make_feed()

    def beats() -> bool:
        second.state(a_state())
        time.sleep(0.02)
        return reader.of("state")[-1][0]["boot"] == second.boot_id

    wait_until(beats)
    assert first.boot_id != second.boot_id


# --- pictures --------------------------------------------------------------------------------------------------------


def test_pictures_are_the_newest_only_and_thumbnails_those_of_ng_and_hold(
    make_feed: Callable[..., ZmqFeed], read: Callable[..., Reader]
) -> None:
    feed = make_feed(picture_hz=20.0)
    reader = read(feed.pictures_endpoint, "picture", "thumbnail")
    sequence = 0

    def line_runs() -> bool:
        nonlocal sequence
        sequence += 1
        feed.part(a_part(sequence, Action.REJECT if sequence % 40 == 0 else Action.PASS), a_frame(sequence, width=1920))
        time.sleep(0.002)
        return len(reader.of("picture")) >= 5 and len(reader.of("thumbnail")) >= 2

    wait_until(line_runs)
    for header, body in reader.of("picture"):
        part = PART.validate_python(header["part"])
        assert json.loads(body) == [24, 960, 3, part.sequence % 200 + 20], "the picture of the part it names"
        assert (header["width"], header["height"]) == (1920, 48)
    shown = [PART.validate_python(header["part"]).sequence for header, _ in reader.of("picture")]
    assert shown == sorted(set(shown))
    assert len(shown) < sequence, "older pictures were skipped"
    thumbnails = [PART.validate_python(header["part"]) for header, _ in reader.of("thumbnail")]
    assert thumbnails
    assert all(part.disposition.action is Action.REJECT for part in thumbnails)


def test_the_large_picture_of_a_part_on_the_film_can_be_asked_for(make_feed: Callable[..., ZmqFeed]) -> None:
    feed = make_feed()
    feed.part(a_part(7, Action.REJECT), a_frame(7, width=640, height=480))
    wait_until(lambda: bool(command(feed, "picture", part_id=a_part(7).part_id)["ok"]))
    result = command(feed, "picture", part_id=a_part(7).part_id)["result"]
    assert json.loads(base64.b64decode(result["jpeg"])) == [480, 640, 3, 27]
    refused = command(feed, "picture", part_id="R9-1")
    assert not refused["ok"]
    assert "'R9-1' is not kept" in refused["error"]
    assert not command(feed, "picture", part_id=[1])["ok"]


def test_no_jpeg_is_made_while_nobody_watches(make_feed: Callable[..., ZmqFeed], read: Callable[..., Reader]) -> None:
    made: list[int] = []

    def encode(image: Image) -> bytes:
        made.append(1)
        return b"jpeg"

    feed = make_feed(jpeg_encode=encode)
    reader = read(feed.endpoint, "part", "state")
    connected(feed, reader)
    for n in range(1, 101):
        feed.part(a_part(n), a_frame(n))
        time.sleep(0.002)
    wait_until(lambda: len(reader.of("part")) == 100)
    assert made == []
    pictures = read(feed.pictures_endpoint, "picture")
    wait_until(lambda: bool(pictures.of("picture")))
    assert PART.validate_python(pictures.of("picture")[0][0]["part"]).sequence == 100, "the newest was kept for him"


def test_an_ng_among_many_good_parts_is_the_one_that_is_shown(
    make_feed: Callable[..., ZmqFeed], read: Callable[..., Reader]
) -> None:
    feed = make_feed(picture_hz=5.0)
    pictures = read(feed.pictures_endpoint, "picture")

    def is_watched() -> bool:
        feed.part(a_part(1), a_frame(1))
        time.sleep(0.02)
        return bool(pictures.of("picture"))

    wait_until(is_watched)
    feed.part(a_part(2, Action.REJECT), a_frame(2))
    for n in range(3, 13):
        feed.part(a_part(n), a_frame(n))
    wait_until(lambda: PART.validate_python(pictures.of("picture")[-1][0]["part"]).sequence > 1)
    shown = [PART.validate_python(header["part"]).sequence for header, _ in pictures.of("picture")]
    assert 2 in shown


def test_an_ng_that_nobody_watched_is_not_kept_for_the_next_watcher(
    make_feed: Callable[..., ZmqFeed], read: Callable[..., Reader]
) -> None:
    feed = make_feed()
    feed.part(a_part(1, Action.REJECT), a_frame(1))
    wait_until(lambda: command(feed, "snapshot")["result"]["film"][0]["thumbnail"] is not None)
    feed.part(a_part(2), a_frame(2))
    pictures = read(feed.pictures_endpoint, "picture")
    wait_until(lambda: bool(pictures.of("picture")))
    assert PART.validate_python(pictures.of("picture")[0][0]["part"]).sequence == 2


def test_a_failing_encoder_costs_its_picture_only(
    make_feed: Callable[..., ZmqFeed], read: Callable[..., Reader]
) -> None:
    def encode(image: Image) -> bytes:
        if image.flat[0] == 21:
            raise RuntimeError("damaged")
        return b"jpeg"

    feed = make_feed(jpeg_encode=encode)
    feed.part(a_part(1, Action.REJECT), a_frame(1))
    feed.part(a_part(2, Action.REJECT), a_frame(2))
    wait_until(lambda: command(feed, "snapshot")["result"]["film"][1]["thumbnail"] is not None)
    assert command(feed, "snapshot")["result"]["film"][0]["thumbnail"] is None


def test_picture_rate_zero_sends_none(make_feed: Callable[..., ZmqFeed], read: Callable[..., Reader]) -> None:
    feed = make_feed(picture_hz=0.0)
    reader = read(feed.endpoint, "part", "state")
    pictures = read(feed.pictures_endpoint, "")
    connected(feed, reader)
    for n in range(1, 51):
        feed.part(a_part(n, Action.REJECT), a_frame(n))
        time.sleep(0.005)
    wait_until(lambda: len(reader.of("part")) == 50)
    assert pictures.messages == []


@pytest.mark.parametrize(
    ("dtype", "channels", "shape"), [(np.uint8, 4, 3), (np.uint16, 1, 1), (np.uint16, 3, 3), (np.uint8, 1, 1)]
)
def test_odd_pictures_of_held_parts_are_shown_all_the_same(dtype: Any, channels: int, shape: int) -> None:
    shown = displayable(a_frame(5, dtype=dtype, channels=channels).image)
    assert shown is not None
    assert shown.dtype == np.uint8
    assert shown.shape == (48, 64, shape)


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8), np.zeros(7, np.uint8)]
)
def test_what_is_no_picture_is_not_shown(image: Any) -> None:
    assert displayable(image) is None


def test_shrinking_keeps_grey_levels_and_small_pictures() -> None:
    image = np.full((480, 1921, 3), 200, np.uint8)
    assert shrunk(image, 1280).shape == (240, 960, 3)
    assert (shrunk(image, 1280) == 200).all()
    assert shrunk(image, 4000) is image
    assert shrunk(np.full((1, 5000, 1), 9, np.uint8), 320).shape == (1, 5000, 1)


# --- values that JSON has no words for -------------------------------------------------------------------------------


def test_a_nan_score_and_a_file_name_that_is_no_text_arrive(
    make_feed: Callable[..., ZmqFeed], read: Callable[..., Reader]
) -> None:
    feed = make_feed()
    reader = read(feed.endpoint, "part", "state")
    connected(feed, reader)
    held = a_part(1, Action.HOLD, hold_reason=HoldReason.BAD_SCORE)
    bad = Verdict(Outcome.UNDECIDED, None, None, (ExitScore("front", math.nan, (math.nan, 1.0), 1.0),), HASH, None)
    feed.part(replace(held, verdict=bad, origin=os.fsdecode(b"p\xe4rt.png")), a_frame(1))
    wait_until(lambda: bool(reader.of("part")))
    part = PART.validate_json(reader.of("part")[0][1])
    assert part.verdict is not None
    assert math.isnan(part.verdict.exits[0].p_defect)
    assert part.origin == "p?rt.png"
    assert command(feed, "snapshot")["ok"]


# --- commands --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"command": NaN}', "NaN"),
        (b"[1]", "not a JSON object"),
        (b"{}", "names no command"),
        (b'{"command": 3}', "names no command"),
        (b'{"command": "echo", "args": [1]}', "args of command 'echo'"),
        (b'{"command": "broken"}', "internal error"),
        (b'{"command": "nonsense"}', "there is no command"),
    ],
)
def test_any_request_is_answered_and_the_channel_lives_on(
    make_feed: Callable[..., ZmqFeed], content: bytes, error: str
) -> None:
    feed = make_feed()
    reply = request(feed.command_endpoint, content)
    assert reply["ok"] is False
    assert error in reply["error"]
    assert command(feed, "echo", a=1) == {"ok": True, "result": {"a": 1}}


def test_a_request_in_several_parts_is_answered(make_feed: Callable[..., ZmqFeed]) -> None:
    feed = make_feed()
    assert request(feed.command_endpoint, [b"{", b"nonsense"])["ok"] is False
    assert command(feed, "echo")["ok"]


def test_an_oversized_request_is_cut_off_and_the_channel_lives_on(make_feed: Callable[..., ZmqFeed]) -> None:
    feed = make_feed()
    with zmq.Context() as context, context.socket(zmq.REQ) as req:
        req.setsockopt(zmq.LINGER, 0)
        req.connect(feed.command_endpoint)
        req.send(b"x" * (2 << 20))
        assert not req.poll(100)
    assert command(feed, "echo")["ok"]


def test_a_result_that_is_no_json_is_an_error_in_the_answer() -> None:
    assert json.loads(answer(b'{"command": "c"}', lambda name, args: {"x": object()}))["ok"] is False


def test_a_slow_command_does_not_hold_up_the_feed(
    make_feed: Callable[..., ZmqFeed], read: Callable[..., Reader]
) -> None:
    feed = make_feed(start=False)
    let_go = threading.Event()
    entered = threading.Event()

    def slow(name: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        entered.set()
        let_go.wait(WAIT_S)
        return {}

    feed.start(slow)
    reader = read(feed.endpoint, "part", "state")
    connected(feed, reader)
    asking = threading.Thread(target=command, args=(feed, "slow"))
    asking.start()
    assert entered.wait(WAIT_S)
    feed.part(a_part(), None)
    wait_until(lambda: bool(reader.of("part")))
    let_go.set()
    asking.join()


# --- endpoints -------------------------------------------------------------------------------------------------------


def test_ipc_sockets_are_private(make_feed: Callable[..., ZmqFeed], tmp_path: Path) -> None:
    make_feed(endpoint=f"ipc://{tmp_path}/run/feed", command_endpoint=f"ipc://{tmp_path}/run/commands")
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o700
    assert {p.name for p in (tmp_path / "run").iterdir()} == {"feed", "feed.pictures", "commands"}
    for path in (tmp_path / "run").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_dead_stations_socket_is_replaced(make_feed: Callable[..., ZmqFeed], tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "feed"))
    assert (tmp_path / "feed").exists()
    feed = make_feed()
    assert command(feed, "echo")["ok"]


def test_a_living_stations_socket_is_refused(make_feed: Callable[..., ZmqFeed]) -> None:
    first = make_feed()
    with pytest.raises(InspectorError, match="in use by another running station"):
        make_feed()
    assert command(first, "echo")["ok"]


def test_a_file_that_is_no_socket_is_not_removed(make_feed: Callable[..., ZmqFeed], tmp_path: Path) -> None:
    (tmp_path / "feed").write_text("precious")
    with pytest.raises(ConfigError, match="is no socket"):
        make_feed()
    assert (tmp_path / "feed").read_text() == "precious"


def test_tcp_on_loopback_with_any_free_port(make_feed: Callable[..., ZmqFeed], read: Callable[..., Reader]) -> None:
    feed = make_feed(endpoint="tcp://127.0.0.1:*", command_endpoint="tcp://127.0.0.1:0")
    reader = read(feed.endpoint, "state")
    connected(feed, reader)
    assert command(feed, "snapshot")["result"]["pictures"] == feed.pictures_endpoint
    assert feed.pictures_endpoint.rpartition(":")[2].isdigit()
    with pytest.raises(InspectorError, match="cannot be used"):
        make_feed(endpoint=feed.endpoint, command_endpoint="tcp://127.0.0.1:0")


@pytest.mark.parametrize(
    "endpoint",
    [
        "tcp://0.0.0.0:5555",
        "tcp://*:5555",
        "tcp://192.168.1.4:5555",
        "tcp://[::]:5555",
        "pgm://x",
        "ipc://feed",
        "ipc:///",
        "ipc:///tmp/" + "x" * 120,
    ],
)
def test_endpoints_open_to_others_or_malformed_are_refused(make_feed: Callable[..., ZmqFeed], endpoint: str) -> None:
    with pytest.raises(InspectorError):
        make_feed(endpoint=endpoint)
