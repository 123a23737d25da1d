"""The feed: state and verdicts complete and numbered, pictures newest-only, commands answered.

    line ──part()──▶ bounded deque ──┐                ┌─▶ PUB  `state`, `part`           every one, numbered
         ──state()─▶ bounded deque ──┼─▶ feed thread ─┤
         ──part()──▶ newest picture ─┘                └─▶ XPUB `picture`, `thumbnail`    newest only, at most picture_hz
    dashboard ──request──▶ REP ──▶ command thread ──▶ `snapshot` and `picture` here, all else to the station's handler

The line only ever appends to a deque. Serialising, JPEG and sockets are the feed thread's, and who reads too slowly
loses messages (and can tell by the numbers) without anyone else noticing.
"""

import logging
import uuid
from collections import deque
from collections.abc import Mapping
from threading import Event, Lock, Thread
from typing import Any

import zmq

from inspector.adapters.feed.commands import MAX_REQUEST_BYTES, CommandServer
from inspector.adapters.feed.endpoints import bind, pictures_endpoint
from inspector.adapters.feed.messages import WIRE_VERSION, Stamp, base64_text, body, header, plain
from inspector.adapters.feed.pictures import PICTURE_MAX_WIDTH, Encoded, Film, JpegEncode, encoded
from inspector.domain.disposition import Action
from inspector.domain.errors import InspectorError
from inspector.domain.frame import Frame
from inspector.domain.inspection import InspectedPart
from inspector.domain.state import StationState
from inspector.ports import Clock, CommandHandler

_log = logging.getLogger(__name__)

_BATCH_S = 0.01  # pause after each round: a fast line costs 100 wake-ups a second, not one a part
_PICTURE_BACKLOG = 2  # pictures queued for one dashboard: more would only be old
_THUMBNAIL_BACKLOG = 2 * 10
_LINGER_MS = 300  # at close: time for the last verdicts to reach who reads


class ZmqFeed:
    """`ports.Feed` over ZeroMQ.

    `jpeg_encode` takes u8 (height, width, 1 or 3 channels BGR); it runs in the feed thread. `picture_hz` caps live
    pictures, 0 sends none; up to 2 thumbnails go with each. `backlog` bounds both what waits for the feed thread
    (oldest fall out) and what waits for one slow dashboard (newest fall out): 20 000 verdicts are 10 s of the fastest
    line and about 20 MB. Every loss shows as a gap in the sequence numbers.
    """

    def __init__(
        self,
        endpoint: str,
        command_endpoint: str,
        *,
        picture_hz: float,
        jpeg_encode: JpegEncode,
        clock: Clock,
        backlog: int = 20_000,
    ) -> None:
        self.endpoint = endpoint
        self.command_endpoint = command_endpoint
        self.pictures_endpoint = pictures_endpoint(endpoint)
        self.boot_id = uuid.uuid4().hex
        self._sends_pictures = picture_hz > 0
        self._picture_s = 1.0 / picture_hz if picture_hz > 0 else 1.0
        self._jpeg_encode = jpeg_encode
        self._clock = clock
        self._backlog = backlog
        self._waiting: deque[tuple[str, Stamp, InspectedPart | StationState]] = deque(maxlen=backlog)
        self._lock = Lock()  # over numbering + appending only: held for a microsecond
        self._numbers = {"part": 0, "state": 0, "picture": 0, "thumbnail": 0}
        self._newest: tuple[InspectedPart, Frame] | None = None
        self._newest_bad: tuple[InspectedPart, Frame] | None = None  # since the last picture: it goes first
        self._last_part: InspectedPart | None = None
        self._last_state: StationState | None = None
        self._film = Film()
        self._wake = Event()
        self._stop = Event()
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._thread: Thread | None = None
        self._commands: CommandServer | None = None
        self._handler: CommandHandler | None = None
        self._subscriptions: set[bytes] = set()

    def start(self, handler: CommandHandler) -> None:
        """Bind the sockets and begin to send. Raises ConfigError or InspectorError when an endpoint cannot be used."""
        self._handler = handler
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            facts, pictures, commands = (context.socket(kind) for kind in (zmq.PUB, zmq.XPUB, zmq.REP))
            facts.setsockopt(zmq.SNDHWM, self._backlog)
            pictures.setsockopt(zmq.SNDHWM, _PICTURE_BACKLOG + _THUMBNAIL_BACKLOG)
            commands.setsockopt(zmq.MAXMSGSIZE, MAX_REQUEST_BYTES)
            self.endpoint = bind(facts, self.endpoint)
            self.pictures_endpoint = bind(pictures, self.pictures_endpoint)
            self.command_endpoint = bind(commands, self.command_endpoint)
        except BaseException:
            context.destroy(linger=0)
            raise
        self._context = context
        self._thread = Thread(target=self._run, args=(facts, pictures), name="feed", daemon=True)
        self._commands = CommandServer(commands, self._command)
        self._thread.start()
        self._commands.start()

    def part(self, part: InspectedPart, frame: Frame | None) -> None:
        shown = frame if self._sends_pictures else None
        if part.disposition.action is not Action.PASS:
            self._film.add(part, shown)
        if shown is not None:
            with self._lock:
                self._newest = (part, shown)
                if part.disposition.action is not Action.PASS:
                    self._newest_bad = self._newest
        self._append("part", part)

    def state(self, state: StationState) -> None:
        self._append("state", state)

    def close(self) -> None:
        """Send what waits and say goodbye. Idempotent."""
        thread, commands, context = self._thread, self._commands, self._context
        self._thread = self._commands = self._context = None
        if thread is None or commands is None or context is None:
            return
        self._stop.set()
        self._wake.set()
        answers_all = commands.close()
        thread.join()
        if answers_all:  # term waits for every socket to be closed
            context.term()

    def _append(self, topic: str, value: InspectedPart | StationState) -> None:
        with self._lock:
            self._waiting.append((topic, self._next(topic), value))
            if isinstance(value, InspectedPart):
                self._last_part = value
            else:
                self._last_state = value
        self._wake.set()

    def _next(self, topic: str) -> Stamp:
        self._numbers[topic] += 1
        return Stamp(self._numbers[topic], self._clock.now(), self._clock.monotonic_ns())

    # --- feed thread -------------------------------------------------------------------------------------------------

    def _run(self, facts: "zmq.Socket[bytes]", pictures: "zmq.Socket[bytes]") -> None:
        next_picture_ns = 0
        try:
            while not self._stop.is_set():
                self._wake.wait(self._picture_s)
                self._wake.clear()
                self._send_waiting(facts)
                now = self._clock.monotonic_ns()
                if self._sends_pictures and now >= next_picture_ns:
                    next_picture_ns = now + int(self._picture_s * 1e9)
                    self._send_pictures(pictures)
                self._stop.wait(_BATCH_S)
            self._send_waiting(facts)
        except Exception:  # the line must not notice: dashboards see the feed stop and say so
            _log.exception("the feed failed and is silent: dashboards will show NOT INSPECTED, restart the station")
        finally:
            facts.close(linger=_LINGER_MS)
            pictures.close(linger=0)

    def _send_waiting(self, facts: "zmq.Socket[bytes]") -> None:
        for _ in range(len(self._waiting)):  # those here now: what comes meanwhile waits for the next round
            topic, stamp, value = self._waiting.popleft()
            try:
                message = body(value)
            except Exception:  # one value that JSON cannot hold costs itself, and shows as a gap in the numbers
                _log.exception("a %s could not be written as JSON and is missing in the feed", topic)
                continue
            facts.send_multipart([topic.encode(), header(self.boot_id, stamp), message])

    def _send_pictures(self, pictures: "zmq.Socket[bytes]") -> None:
        self._note_subscriptions(pictures)
        is_watched = any(b"picture".startswith(prefix) for prefix in self._subscriptions)
        with self._lock:
            newest = self._newest_bad or self._newest
            self._newest_bad = None
            if is_watched:  # else the newest waits for the one who comes
                self._newest = None
        if is_watched:  # nobody looks: no JPEG is made
            picture = encoded(newest[1], self._jpeg_encode, PICTURE_MAX_WIDTH) if newest else None
            if newest is not None and picture is not None:
                self._send_picture(pictures, "picture", newest[0], picture)
        for _ in range(2):
            item = self._film.encode_next(self._jpeg_encode)
            if item is None:
                break
            self._send_picture(pictures, "thumbnail", *item)

    def _send_picture(self, socket: "zmq.Socket[bytes]", topic: str, part: InspectedPart, picture: Encoded) -> None:
        about = {"part": plain(part), "width": picture.width, "height": picture.height}
        socket.send_multipart([topic.encode(), header(self.boot_id, self._next(topic), **about), picture.jpeg])

    def _note_subscriptions(self, pictures: "zmq.Socket[bytes]") -> None:
        """XPUB tells of the first subscriber of a prefix and of the last one's leaving, killed ones included."""
        while pictures.poll(0):
            message = pictures.recv()
            if message[:1] == b"\x01":
                self._subscriptions.add(message[1:])
            elif message[:1] == b"\x00":
                self._subscriptions.discard(message[1:])

    # --- command thread ----------------------------------------------------------------------------------------------

    def _command(self, command: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        if command == "snapshot":
            return self._snapshot()
        if command == "picture":
            return self._film_picture(args)
        if self._handler is None:
            raise InspectorError("the station takes no commands now: try again in a moment")
        return self._handler(command, args)

    def _snapshot(self) -> Mapping[str, Any]:
        with self._lock:
            state, part, part_seq, state_seq = (
                self._last_state,
                self._last_part,
                self._numbers["part"],
                self._numbers["state"],
            )
        return {
            "v": WIRE_VERSION,
            "boot": self.boot_id,
            "pictures": self.pictures_endpoint,
            "part_seq": part_seq,
            "state_seq": state_seq,
            "state": plain(state) if state else None,
            "last_part": plain(part) if part else None,
            "film": [
                {"part": plain(p), "thumbnail": base64_text(t.jpeg) if t else None} for p, t in self._film.items()
            ],
        }

    def _film_picture(self, args: Mapping[str, Any]) -> Mapping[str, Any]:
        part_id = args.get("part_id")
        picture = self._film.picture(part_id) if isinstance(part_id, str) else None
        if picture is None:
            raise InspectorError(
                f"the picture of part {part_id!r} is not kept: only the last NG and HOLD parts have one here"
            )
        return {"part_id": part_id, "jpeg": base64_text(picture.jpeg), "width": picture.width, "height": picture.height}
