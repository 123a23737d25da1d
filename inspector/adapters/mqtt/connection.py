"""One connection to a broker, from CONNECT to its end, driven by the thread that owns it."""

import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from inspector.adapters.mqtt.link import CONNECT_TIMEOUT_S, MqttLink, advertised, explained, new_client, refused_login
from inspector.domain.errors import PublishError
from inspector.domain.message import OutboxMessage

# Reason codes of MQTT 5, chapter 2.4.
_NOBODY_LISTENS = 0x10
_TAKEN_OVER = 0x8E
_UNFIT_PAYLOAD = 0x99


class LoginRefusedError(PublishError):
    """The broker answered CONNECT with a refusal."""


@dataclass(frozen=True, slots=True)
class Puback:
    """The broker's answer to one message. `refusal` is None when it has it; `whole_topic` is False when it is this
    message that is unfit. MQTT 3.1.1 has no way to say no: there every answer reads as accepted.
    """

    packet_id: int
    refusal: str | None
    whole_topic: bool
    nobody_listens: bool


class Connection:
    """Wraps one paho client and is never reused, so what paho remembers never outlives the connection.

    Not thread-safe. `wake` is the read end of a socket pair: a byte in it makes `poll` return.
    """

    def __init__(self, link: MqttLink, wake: socket.socket, will: OutboxMessage) -> None:
        """Raises PublishError for certificate files that cannot be used."""
        self._link = link
        self._wake = wake
        self._client = new_client(link, clean_session=True)
        self._client.will_set(will.topic, will.payload, qos=1, retain=True, properties=self._properties((), will=True))
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._selector = selectors.DefaultSelector()
        self._registered: tuple[object, int] | None = None
        self._answer: ReasonCode | None = None
        self._pubacks: list[Puback] = []  # at most one window, emptied by every poll
        self._end: str | None = None
        self.receive_maximum = link.max_in_flight
        self.packet_maximum = 0xFFFF_FFFF

    def open(self, abandoned: Callable[[], bool]) -> None:
        """Connect and wait for the broker's answer, until `abandoned` says so.

        Raises PublishError (LoginRefusedError when the broker said no) with a sentence for a person.
        """
        self._selector.register(self._wake, selectors.EVENT_READ)
        try:
            if self._link.protocol == "5":
                self._client.connect(self._link.host, self._link.port, self._link.keepalive_s, clean_start=True)
            else:
                self._client.connect(self._link.host, self._link.port, self._link.keepalive_s)
        except (OSError, ValueError) as error:
            raise PublishError(explained(error, self._link)) from error
        deadline = time.monotonic() + CONNECT_TIMEOUT_S
        while self._answer is None and self._client.socket() is not None:
            if time.monotonic() > deadline or abandoned():
                raise PublishError(f"{self._link.address} does not answer as an MQTT broker: check port and [mqtt.tls]")
            self.poll(0.1)
        if self._answer is None:
            raise PublishError(f"{self._link.address} closed the connection at once: check port and [mqtt.tls]")
        if self._answer.is_failure:
            raise LoginRefusedError(refused_login(self._link, str(self._answer)))

    @property
    def is_open(self) -> bool:
        return self._client.socket() is not None and self._end is None

    @property
    def end(self) -> str:
        """Why the connection ended, for a person."""
        return self._link.redacted(self._end or f"the connection to {self._link.address} is lost")

    def publish(self, message: OutboxMessage, marks: tuple[tuple[str, str], ...], *, retain: bool) -> int | None:
        """Send `message` at QoS 1 with `marks` as user properties (MQTT 5 only). None when it could not be sent.

        Raises ValueError for a topic that no broker takes.
        """
        info = self._client.publish(
            message.topic, message.payload, qos=1, retain=retain, properties=self._properties(marks)
        )
        return info.mid if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def poll(self, timeout_s: float) -> list[Puback]:
        """Exchange what the network has, waiting at most `timeout_s`; returns the answers that came, in order."""
        sock = self._client.socket()
        if isinstance(sock, socket.socket):
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._client.want_write() else 0)
            if self._registered is None:
                self._selector.register(sock, events)
            elif self._registered != (sock, events):
                self._selector.modify(sock, events)
            self._registered = (sock, events)
            buffered = getattr(sock, "pending", int)()  # decrypted by TLS and no longer seen by the selector
            for key, ready in self._selector.select(0.0 if buffered else timeout_s):
                if key.fileobj is self._wake:
                    self._wake.recv(4096)
                elif ready & selectors.EVENT_WRITE and self._client.socket() is sock:
                    self._client.loop_write()
                if key.fileobj is sock and ready & selectors.EVENT_READ:
                    buffered = 1
            if buffered and self._client.socket() is sock:
                self._client.loop_read()
            self._client.loop_misc()
        pubacks, self._pubacks = self._pubacks, []
        return pubacks

    def close(self, *, politely: bool) -> None:
        """Politely with DISCONNECT, so that the broker drops the will; otherwise it publishes it. Idempotent."""
        sock = self._client.socket()
        if politely and sock is not None:
            self._client.disconnect()
            for _ in range(10):
                if self._client.socket() is None:
                    break
                self.poll(0.1)
            sock = self._client.socket()
        if sock is not None:
            sock.close()
        self._selector.close()

    # -- called by paho, in this same thread ---------------------------------------------------------------------

    def _on_connect(
        self, client: Client, userdata: object, flags: ConnectFlags, answer: ReasonCode, properties: Properties | None
    ) -> None:
        self._answer = answer
        self.receive_maximum = advertised(properties, "ReceiveMaximum", 65_535)
        self.packet_maximum = advertised(properties, "MaximumPacketSize", 0xFFFF_FFFF)

    def _on_disconnect(
        self,
        client: Client,
        userdata: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if self._end is not None:
            return  # paho tells of the closed socket after the broker's own words
        if not flags.is_disconnect_packet_from_server:
            self._end = f"the connection to {self._link.address} is lost"
        elif reason.value == _TAKEN_OVER:
            self._end = (
                f"another client uses the name {self._link.client_id}: give each station its own client_id in [mqtt]"
            )
        else:
            self._end = f"the broker at {self._link.address} closed the connection ({reason})"

    def _on_publish(
        self, client: Client, userdata: object, mid: int, reason: ReasonCode, properties: Properties | None
    ) -> None:
        text = str(reason)
        said = getattr(properties, "ReasonString", None)
        refusal = self._link.redacted(f"{text}: {said}" if said else text) if reason.is_failure else None
        self._pubacks.append(Puback(mid, refusal, reason.value != _UNFIT_PAYLOAD, reason.value == _NOBODY_LISTENS))

    def _properties(self, marks: tuple[tuple[str, str], ...], *, will: bool = False) -> Properties | None:
        if self._link.protocol != "5":
            return None
        properties = Properties(PacketTypes.WILLMESSAGE if will else PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho
        properties.PayloadFormatIndicator = 1  # UTF-8
        properties.ContentType = "application/cloudevents+json"
        if marks:
            properties.UserProperty = list(marks)
        return properties
