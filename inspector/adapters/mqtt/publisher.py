"""The publisher: one thread that carries the outbox to the broker.

    OFFLINE ──connect──▶ CONNECTED: birth, then the backlog oldest first, then what comes ──close──▶ death, DISCONNECT
       ▲                     │ cut, or no PUBACK for 20 s
       └──pause with jitter──┘

The database is the queue: a message leaves it only after the broker's PUBACK said yes. Nothing here raises into the
line: what goes wrong shows in `health` and is tried again.
"""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from inspector.adapters.mqtt.announcement import CONNECTION_LOST, STOPPED, Announcer
from inspector.adapters.mqtt.backlog import Backlog
from inspector.adapters.mqtt.connection import Connection, LoginRefusedError, Puback
from inspector.adapters.mqtt.link import CONNECT_TIMEOUT_S, Backoff, MqttLink
from inspector.domain.errors import PublishError
from inspector.domain.events import Topics
from inspector.domain.message import OutboxMessage, PublisherHealth
from inspector.ports import Clock, Outbox

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 1.0
"""The outbox is looked into this often even when nobody called `notify`."""
_PUBACK_TIMEOUT_S = 20.0
_GOODBYE_S = 2.0
_STEADY_S = 5.0
"""A connection that stood this long, or moved something, starts the pauses from the shortest again."""
_HEADROOM = 512
"""Bytes of an MQTT packet beside topic and payload, generously."""


class MqttPublisher:
    """`ports.Publisher` on MQTT.

    `birth` gives the station's facts for the retained birth message; it is called from the publisher's thread with
    every connection and after `announce`. Raises ConfigError when `topics` cannot be published to.
    """

    def __init__(
        self,
        link: MqttLink,
        topics: Topics,
        clock: Clock,
        birth: Callable[[], Mapping[str, Any]] = dict,
        backoff: Backoff | None = None,
    ) -> None:
        self._link = link
        self._clock = clock
        self._backoff = backoff or Backoff()
        self._announcer = Announcer(topics, clock, birth)
        self._thread: threading.Thread | None = None
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._announcing = threading.Event()
        self._notified = threading.Event()
        self._drain_until = float("inf")
        self._health = PublisherHealth(False, "not started")
        self._acknowledged = 0
        self._sequence = 0
        self._connections = 0
        self._nobody_listens = False

    # -- the port ------------------------------------------------------------------------------------------------

    def start(self, outbox: Outbox) -> None:
        """Raises PublishError when it was started or closed before."""
        with self._lock:
            if self._thread is not None or self._closing.is_set():
                raise PublishError("an MQTT publisher starts once: make a new one")
            self._health = PublisherHealth(False, f"connecting to {self._link.address}")
            self._thread = threading.Thread(
                target=self._run, args=(Backlog(outbox),), name="mqtt-publisher", daemon=True
            )
            self._thread.start()

    def notify(self) -> None:
        if not self._notified.is_set():
            self._notified.set()
            self._wake()

    def announce(self) -> None:
        """The station's facts have changed: publish its birth again. Any thread, never blocks."""
        self._announcing.set()
        self._wake()

    def health(self) -> PublisherHealth:
        return self._health

    def close(self, drain_s: float) -> None:
        with self._lock:
            first = not self._closing.is_set()
            if first:
                self._drain_until = self._now() + max(0.0, drain_s)
                self._closing.set()
                self._wake()
        if self._thread is not None:
            # beside draining and goodbye, a connection attempt under way may take its full time
            self._thread.join(max(0.0, drain_s) + _GOODBYE_S + 2 * CONNECT_TIMEOUT_S + 1.0)
            if self._thread.is_alive():
                log.error("the MQTT publisher does not end (name server or network hang): left behind")
                return
        if first:
            self._wake_read.close()
            self._wake_write.close()

    # -- its thread ----------------------------------------------------------------------------------------------

    def _run(self, backlog: Backlog) -> None:
        attempt = 0
        is_done = False
        while not is_done:
            since, moved = self._now(), self._acknowledged
            try:
                is_done = self._connect_and_serve(backlog)
            except PublishError as error:
                text = str(error)
                if self._health.connected and attempt >= 3:  # some brokers do not say why
                    text += f"; it ends again and again: does another client use the name {self._link.client_id}?"
                self._report(backlog, False, text, isinstance(error, LoginRefusedError))
            except Exception as error:
                log.exception("the MQTT publisher met an error nobody foresaw; it goes on")
                self._report(backlog, False, self._link.redacted(f"internal error: {error}"))
            backlog.cut(self._now())
            self._give_back(backlog)
            is_done = is_done or self._is_over() or (self._closing.is_set() and not self._has_work(backlog))
            if not is_done:
                steady = self._now() - since >= _STEADY_S + CONNECT_TIMEOUT_S or self._acknowledged > moved
                attempt = 0 if steady else attempt + 1
                self._pause(self._backoff.pause_s(attempt))
        self._health = PublisherHealth(False, "stopped", self._acknowledged, backlog.refused_reason)

    def _connect_and_serve(self, backlog: Backlog) -> bool:
        """True when the station has said goodbye. Raises PublishError when the connection fails or ends otherwise."""
        self._connections += 1
        will = self._announcer.death(self._connections, CONNECTION_LOST)
        connection = Connection(self._link, self._wake_read, will)
        try:
            connection.open(self._is_over)
            if self._serve(connection, backlog):
                return True
        finally:
            connection.close(politely=False)
        raise PublishError(connection.end)

    def _serve(self, connection: Connection, backlog: Backlog) -> bool:
        """Send until the connection ends (False) or everything is said (True)."""
        window = min(self._link.max_in_flight, connection.receive_maximum)
        backlog.opened()
        self._announcing.set()
        is_closing = False
        look_at = answered_at = self._now()
        while connection.is_open:
            now = self._now()
            if self._announcing.is_set():
                self._announcing.clear()
                backlog.announce(self._announcer.birth(self._connections))
            if self._notified.is_set() or (self._closing.is_set() and not is_closing):
                self._notified.clear()  # before reading: what is committed after this notifies again
                is_closing = self._closing.is_set()
                look_at = now
            trouble = ""
            more = False
            try:
                if now >= look_at:
                    look_at = now + _LOOK_EVERY_S
                    backlog.look()
                more = backlog.fill()
            except Exception as error:
                look_at = now + _LOOK_EVERY_S
                trouble = f"; the outbox cannot be read: {error}"
            if is_closing and (now >= self._drain_until or backlog.is_drained):
                self._say_goodbye(connection, backlog, window)
                return True
            self._send_window(connection, backlog, window)
            if not backlog.in_flight:
                answered_at = now
            pubacks = connection.poll(0.0 if more else self._idle_s(backlog, look_at))
            if pubacks:
                answered_at = self._now()
            elif backlog.in_flight and self._now() - answered_at > _PUBACK_TIMEOUT_S:
                raise PublishError(f"the broker at {self._link.address} confirms nothing for {_PUBACK_TIMEOUT_S:.0f} s")
            self._settle(pubacks, backlog)
            trouble += self._give_back(backlog)
            if self._nobody_listens:
                trouble += "; nobody subscribes to its messages"
            self._report(backlog, True, f"connected to {self._link.address}{trouble}")
        return False

    def _send_window(self, connection: Connection, backlog: Backlog, limit: int) -> None:
        """Publish until the window is full or nothing is left."""
        now = self._now()
        while backlog.in_flight < backlog.window(limit) and connection.is_open:
            message = backlog.take(now)
            if message is None:
                return
            if len(message.payload) + len(message.topic.encode()) + _HEADROOM > connection.packet_maximum:
                backlog.unsendable(
                    message, f"larger than the {connection.packet_maximum} bytes that the broker takes", now
                )
                continue
            try:
                packet_id = connection.publish(message, self._marks(message, backlog), retain=message.outbox_id is None)
            except ValueError as error:
                backlog.unsendable(message, f"{message.topic} is no MQTT topic ({error})", now)
                continue
            if packet_id is None:
                backlog.put_back(message)
                return
            backlog.sent(packet_id, message)

    def _settle(self, pubacks: list[Puback], backlog: Backlog) -> None:
        """Take the broker's answers."""
        for puback in pubacks:
            if puback.refusal is None:
                message = backlog.accepted(puback.packet_id)
                if message is not None and message.outbox_id is not None:
                    self._nobody_listens = puback.nobody_listens
                continue
            message = backlog.refused(puback.packet_id, puback.refusal, whole_topic=puback.whole_topic, now=self._now())
            if message is not None:
                log.warning("the broker refused %s on %s: %s", message.event_id, message.topic, puback.refusal)

    def _give_back(self, backlog: Backlog) -> str:
        """Acknowledge in the outbox; returns what is wrong with it, empty when nothing."""
        try:
            self._acknowledged += backlog.give_back()
        except Exception as error:
            return f"; the outbox takes no acknowledgements: {error}"
        return ""

    def _has_work(self, backlog: Backlog) -> bool:
        try:
            return backlog.has_work()
        except Exception:
            return True

    def _say_goodbye(self, connection: Connection, backlog: Backlog, window: int) -> None:
        """Publish the death as soon as the window has room, and wait for the answers that are still due.

        A broker that confirms it need not publish the will; any other shall.
        """
        deadline = self._now() + _GOODBYE_S
        death: int | None = None
        while connection.is_open and self._now() < deadline:
            if death is None and backlog.in_flight < window:
                death = connection.publish(self._announcer.death(self._connections, STOPPED), (), retain=True)
            pubacks = connection.poll(0.1)
            self._settle(pubacks, backlog)
            self._give_back(backlog)
            if any(puback.packet_id == death for puback in pubacks):
                connection.close(politely=True)
                return

    # -- small things --------------------------------------------------------------------------------------------

    def _marks(self, message: OutboxMessage, backlog: Backlog) -> tuple[tuple[str, str], ...]:
        """User properties: the number of this sending since the boot, and whether the message had to wait."""
        self._sequence += 1
        sequence = (("boot", self._announcer.boot_id), ("sequence", str(self._sequence)))
        return (*sequence, ("historical", "true")) if backlog.is_historical(message) else sequence

    def _idle_s(self, backlog: Backlog, look_at: float) -> float:
        """How long the network may be waited for."""
        until = min(look_at, self._drain_until, backlog.retry_at or look_at)
        return min(_LOOK_EVERY_S, max(0.0, until - self._now()))

    def _pause(self, seconds: float) -> None:
        if self._closing.is_set():
            time.sleep(min(seconds, 0.1, max(0.0, self._drain_until - self._now())))
        else:
            self._closing.wait(seconds)

    def _is_over(self) -> bool:
        return self._closing.is_set() and self._now() >= self._drain_until

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it wakes anyhow; closed: nobody is left to wake
            self._wake_write.send(b"\0")

    def _report(self, backlog: Backlog, connected: bool, detail: str, login_refused: bool = False) -> None:
        refused = detail if login_refused else backlog.refused_reason
        if connected != self._health.connected or (not connected and detail != self._health.detail):
            log.log(logging.INFO if connected else logging.WARNING, "MQTT: %s", detail)
        self._health = PublisherHealth(connected, detail, self._acknowledged, refused)

    def _now(self) -> float:
        return self._clock.monotonic_ns() / 1e9
