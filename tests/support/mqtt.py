"""What the MQTT tests share: messages as the station makes them, an independent subscriber, and waiting."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from inspector.domain.disposition import Action
from inspector.domain.events import Topics, verdict_message
from inspector.domain.message import OutboxMessage
from tests.support.station_values import a_part

TOPICS = Topics(["plant", "site 1", "area", "line-2", "cell", "station-3"])


def verdicts(count: int, first: int = 1, topics: Topics = TOPICS) -> list[OutboxMessage]:
    actions = list(Action)
    return [verdict_message(a_part(n, actions[n % len(actions)]), topics) for n in range(first, first + count)]


def on_topic(message: OutboxMessage, topic: str) -> OutboxMessage:
    return replace(message, topic=topic)


def eventually(condition: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    """Wait until `condition` holds, and fail with `what` when it never does."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.01)


@dataclass(frozen=True)
class Arrival:
    topic: str
    payload: bytes
    is_retained: bool
    marks: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = None

    @property
    def event(self) -> dict[str, Any]:
        decoded: dict[str, Any] = json.loads(self.payload)
        return decoded

    @property
    def event_id(self) -> str:
        return str(self.event["id"])


class Subscriber:
    """Shares no code with the adapter. The broker keeps its session, so it misses nothing while either is away."""

    def __init__(
        self,
        port: int,
        topic: str = TOPICS.all,
        *,
        protocol: str = "5",
        client_id: str = "test-subscriber",
        login: tuple[str, str] | None = None,
    ) -> None:
        self.arrivals: list[Arrival] = []
        self._topic = topic
        self._subscribed = threading.Event()
        if protocol == "5":
            self._client = Client(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5)
        else:
            self._client = Client(CallbackAPIVersion.VERSION2, client_id, clean_session=False)
        self._client.on_connect = lambda client, *_: client.subscribe(topic, 1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_disconnect = lambda *_: self._subscribed.clear()
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        if login is not None:
            self._client.username_pw_set(*login)
        if protocol == "5":
            session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho
            session.SessionExpiryInterval = 3600
            self._client.connect_async("127.0.0.1", port, clean_start=False, properties=session)
        else:
            self._client.connect_async("127.0.0.1", port)

    def __enter__(self) -> "Subscriber":
        self._client.loop_start()
        self.wait_until_subscribed()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def wait_until_subscribed(self) -> None:
        assert self._subscribed.wait(30), "the test's subscriber could not subscribe"

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        marks = dict(getattr(message.properties, "UserProperty", ()))
        content_type = getattr(message.properties, "ContentType", None)
        self.arrivals.append(Arrival(message.topic, bytes(message.payload), message.retain, marks, content_type))

    def of(self, topic: str) -> list[Arrival]:
        return [arrival for arrival in list(self.arrivals) if arrival.topic == topic]

    def ids(self, topic: str = TOPICS.verdict) -> list[str]:
        """Event ids in the order of their first arrival."""
        return list(dict.fromkeys(arrival.event_id for arrival in self.of(topic)))
