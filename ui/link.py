"""The way to the station: one thread that owns every socket and puts what comes into the mailbox.

    start ──snapshot──▶ knows where pictures are ──▶ reads state, part, picture, thumbnail
      ▲                                                     │
      └── new boot id, gap in the numbers, no answer ◀──────┘

ZeroMQ reconnects by itself; a snapshot is asked for again whenever something may have been missed. `docs/feed.md`
describes the messages.
"""

import base64
import json
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import Any

import zmq
from PySide6.QtGui import QImage

from inspector.domain.disposition import HoldReason
from inspector.domain.errors import ConfigError
from inspector.domain.wire import PART, STATE
from ui.mailbox import Answer, FilmItem, Mailbox, PartPicture

_log = logging.getLogger(__name__)

WIRE_VERSION = 1
_POLL_MS = 40  # how soon a command is sent and `close` is noticed
_REST_S = 0.015  # after each round: the screen gets at most 60 deliveries a second, however fast the line
_ANSWER_S = 3.0  # a command without an answer for so long has failed
_SNAPSHOT_S = 1.0  # how long until the snapshot is asked for again
_FACTS_BACKLOG = 20_000  # messages: what a short pause of this process may pile up before some are missed
_PICTURE_BACKLOG = 24
_MAX_WAITING = 16  # commands that wait; more are refused at once
_MAX_LOOKS = 3  # snapshots in a row for thumbnails that are not made yet
_SNAPSHOT_ID = 0


class StationClock:
    """The station's monotonic times in this machine's, from the fastest of the last messages.

    The smallest difference between received and sent belongs to a message that did not wait on the way. Minima of
    two periods are kept, so that a clock which stood still in a suspend is forgotten after 20 s.
    """

    PERIOD_S = 10.0

    def __init__(self) -> None:
        self._now = self._before = float("inf")
        self._period_end = float("-inf")

    def sent_at(self, sent_s: float, received_s: float) -> float:
        if received_s >= self._period_end:
            self._before, self._now = self._now, float("inf")
            self._period_end = received_s + self.PERIOD_S
        self._now = min(self._now, received_s - sent_s)
        return sent_s + min(self._now, self._before)


@dataclass(frozen=True, slots=True)
class _Request:
    request_id: int
    content: bytes
    until_s: float  # monotonic; without an answer then, it has failed


class FeedLink:
    """Reads the feed into `mailbox` and calls `on_mail` (from its thread) when the screen should look."""

    def __init__(self, endpoint: str, command_endpoint: str, mailbox: Mailbox, on_mail: Callable[[], None]) -> None:
        self._endpoint = endpoint
        self._command_endpoint = command_endpoint
        self._mailbox = mailbox
        self._on_mail = on_mail
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._stop = Event()
        self._lock = Lock()
        self._waiting: deque[_Request] = deque()
        self._under_way: _Request | None = None
        self._next_id = _SNAPSHOT_ID
        self._boot: str | None = None
        self._part_seq: int | None = None
        self._pictures_at: str | None = None
        self._needs_snapshot = True
        self._snapshot_due_s = float("-inf")
        self._looks = 0
        self._clock = StationClock()
        try:
            self._facts = self._subscriber(_FACTS_BACKLOG, endpoint, "state", "part")
            self._pictures: zmq.Socket[bytes] | None = None
            self._commands = self._requester()
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise ConfigError(
                f"feed endpoint {endpoint!r} or {command_endpoint!r} is no address ({error}): see [feed] of the station"
            ) from error
        self._thread = Thread(target=self._run, name="dashboard-link", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._context.destroy(linger=0)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def request(self, command: str, args: Mapping[str, Any]) -> int:
        """Queue a command and give the id of its answer. Any thread."""
        content = json.dumps({"command": command, "args": dict(args)}, ensure_ascii=False).encode()
        with self._lock:
            self._next_id += 1
            request_id = self._next_id
            is_full = len(self._waiting) >= _MAX_WAITING
            if not is_full:
                self._waiting.append(_Request(request_id, content, time.monotonic() + _ANSWER_S))
        if is_full:
            self._mailbox.answer(Answer(request_id, False, {}))
        return request_id

    # --- thread ------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._wait()
                self._read_facts()
                self._read_pictures()
                self._talk()
                if self._mailbox.announce():
                    self._on_mail()
                self._stop.wait(_REST_S)
        except Exception:  # the bridge sees that the thread is gone and shows the feed as lost
            _log.exception("the dashboard's link to the station failed: restart the dashboard")

    def _wait(self) -> None:
        poller = zmq.Poller()
        for socket in (self._facts, self._pictures, self._commands if self._under_way else None):
            if socket is not None:
                poller.register(socket, zmq.POLLIN)
        poller.poll(_POLL_MS)

    def _read_facts(self) -> None:
        for _ in range(_FACTS_BACKLOG):  # not for ever: the other sockets want their turn
            if not self._facts.poll(0):
                return
            frames = self._facts.recv_multipart()
            try:
                self._read_fact(frames)
            except ValueError:  # JSON or a value that this version does not know
                _log.warning("a message of the station could not be read: %.200r", frames)
                self._mailbox.unreadable(time.monotonic())

    def _read_fact(self, frames: list[bytes]) -> None:
        topic, header, body = _opened(frames)
        self._note_boot(header["boot"])
        sent_at = self._clock.sent_at(header["sent_ns"] / 1e9, time.monotonic())
        if topic == b"state":
            self._mailbox.state(STATE.validate_json(body), sent_at)
        elif topic == b"part":
            if self._part_seq is not None and header["seq"] > self._part_seq + 1:
                self._needs_snapshot = True
            self._part_seq = max(header["seq"], self._part_seq or 0)
            self._mailbox.part(PART.validate_json(body))

    def _read_pictures(self) -> None:
        """Everything that waits is read, the newest live picture alone is decoded."""
        newest: tuple[dict[str, Any], bytes] | None = None
        while self._pictures is not None and self._pictures.poll(0):
            try:
                topic, header, body = _opened(self._pictures.recv_multipart())
                if header["boot"] != self._boot:
                    continue
                if topic == b"picture":
                    newest = (header, body)
                elif topic == b"thumbnail" and (thumbnail := _picture(header, body)) is not None:
                    self._mailbox.thumbnail(thumbnail)
            except ValueError:
                _log.warning("a picture of the station could not be read")
        if newest is not None:
            picture = _picture(*newest)
            if picture is not None:
                self._mailbox.picture(picture)

    def _note_boot(self, boot: str) -> None:
        if boot != self._boot:
            if self._boot is not None:
                self._mailbox.restarted()
            self._boot, self._part_seq, self._needs_snapshot, self._looks = boot, None, True, 0
            self._snapshot_due_s = float("-inf")
            self._clock = StationClock()

    # --- commands ----------------------------------------------------------------------------------------------------

    def _talk(self) -> None:
        now = time.monotonic()
        if self._under_way is not None:
            request = self._under_way
            if self._commands.poll(0):
                self._under_way = None
                self._answered(request, self._commands.recv())
            elif now > request.until_s:
                self._commands.close(linger=0)  # REQ is stuck until its answer comes: a new one is not
                self._commands = self._requester()
                self._under_way = None
                self._failed(request)
            return
        next_ = self._next_request(now)
        if next_ is not None:
            try:
                self._commands.send(next_.content, zmq.DONTWAIT)
                self._under_way = next_
            except zmq.Again:  # not connected
                self._failed(next_)

    def _failed(self, request: _Request) -> None:
        if request.request_id != _SNAPSHOT_ID:
            self._mailbox.answer(Answer(request.request_id, False, {}))

    def _next_request(self, now: float) -> _Request | None:
        if self._needs_snapshot and now >= self._snapshot_due_s:
            self._snapshot_due_s = now + 2 * _SNAPSHOT_S  # between two attempts commands have their turn
            return _Request(_SNAPSHOT_ID, b'{"command": "snapshot", "args": {}}', now + _SNAPSHOT_S)
        while True:
            with self._lock:
                request = self._waiting.popleft() if self._waiting else None
            if request is None or now < request.until_s:
                return request
            self._failed(request)

    def _answered(self, request: _Request, reply: bytes) -> None:
        try:
            content = json.loads(reply)
            ok, result, error = bool(content["ok"]), content.get("result", {}), content.get("error")
            if request.request_id == _SNAPSHOT_ID:
                if ok:
                    self._take_snapshot(result)
                return
        except (ValueError, KeyError, TypeError, AttributeError):
            _log.warning("an answer of the station could not be read: %.200r", reply)
            if request.request_id == _SNAPSHOT_ID:
                return
            ok, result, error = False, {}, None
        self._mailbox.answer(Answer(request.request_id, ok, result, error))

    def _take_snapshot(self, snapshot: Mapping[str, Any]) -> None:
        if snapshot["v"] != WIRE_VERSION:
            self._mailbox.unreadable(time.monotonic())
            return
        self._note_boot(snapshot["boot"])
        if snapshot["state"] is not None:
            self._mailbox.snapshot_state(STATE.validate_python(snapshot["state"]))
        if snapshot["last_part"] is not None and self._part_seq is None:
            self._mailbox.part(PART.validate_python(snapshot["last_part"]))
        self._part_seq = max(snapshot["part_seq"], self._part_seq or 0)
        film = [_film_item(item) for item in snapshot["film"]]
        self._mailbox.film(film)
        # A thumbnail may have been sent between the snapshot and the subscription: look again, but not for ever.
        is_complete = all(i.thumbnail or i.part.disposition.hold_reason is HoldReason.NO_PICTURE for i in film)
        self._looks = 0 if is_complete else self._looks + 1
        self._needs_snapshot = 0 < self._looks < _MAX_LOOKS
        if snapshot["pictures"] != self._pictures_at:
            if self._pictures is not None:
                self._pictures.close(linger=0)
            self._pictures_at = snapshot["pictures"]
            self._pictures = self._subscriber(_PICTURE_BACKLOG, snapshot["pictures"], "picture", "thumbnail")

    def _subscriber(self, backlog: int, endpoint: str, *topics: str) -> "zmq.Socket[bytes]":
        socket = self._context.socket(zmq.SUB)
        socket.setsockopt(zmq.RCVHWM, backlog)
        for topic in topics:
            socket.subscribe(topic)
        return self._connected(socket, endpoint)

    def _requester(self) -> "zmq.Socket[bytes]":
        return self._connected(self._context.socket(zmq.REQ), self._command_endpoint)

    def _connected(self, socket: "zmq.Socket[bytes]", endpoint: str) -> "zmq.Socket[bytes]":
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RECONNECT_IVL, 100)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
        # A peer whose machine lost power says no goodbye: without a heartbeat its connection would look alive for ever.
        socket.setsockopt(zmq.HEARTBEAT_IVL, 1000)
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 3000)
        socket.connect(endpoint)
        return socket


def _opened(frames: list[bytes]) -> tuple[bytes, dict[str, Any], bytes]:
    """Topic, header and body. Raises ValueError for anything but a message of this version."""
    if len(frames) != 3:
        raise ValueError("not three frames")
    header = json.loads(frames[1])
    if not isinstance(header, dict) or header.get("v") != WIRE_VERSION:
        raise ValueError("not this version")
    if not isinstance(header.get("boot"), str) or not all(isinstance(header.get(k), int) for k in ("seq", "sent_ns")):
        raise ValueError("header is incomplete")
    return frames[0], header, frames[2]


def _picture(header: Mapping[str, Any], jpeg: bytes) -> PartPicture | None:
    image = QImage.fromData(jpeg)
    if image.isNull():
        return None
    return PartPicture(PART.validate_python(header["part"]), image, int(header["width"]), int(header["height"]))


def _film_item(item: Mapping[str, Any]) -> FilmItem:
    image = QImage.fromData(base64.b64decode(item["thumbnail"])) if item["thumbnail"] else None
    return FilmItem(PART.validate_python(item["part"]), image if image and not image.isNull() else None)
