"""How to reach a broker: the settings, the paho client made of them, and what its errors mean to a person."""

import random
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties

from inspector.domain.errors import ConfigError, PublishError

MqttProtocol = Literal["5", "3.1.1"]

CONNECT_TIMEOUT_S = 5.0
"""For the TCP and TLS handshakes, and again for the broker's answer to CONNECT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttTls:
    """Encryption with the broker's certificate checked against its host name. All files are PEM.

    Without `ca` the system's authorities are trusted. `cert` and its `key` are the client's own. Raises ConfigError
    when only one of these two is given; whether the files are good is seen, again and again, when it connects.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if (self.cert is None) != (self.key is None):
            raise ConfigError("[mqtt.tls] cert and key belong together: give both or neither")


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttLink:
    """One client's way to one broker. Raises ConfigError for values that can never work.

    `protocol` "5" is to be preferred: only there does a broker say that it refused a message. The broker drops the
    client after 1.5 times `keepalive_s` of silence. `max_in_flight` messages wait for the broker's PUBACK at
    most. `session_expiry_s` is how long the broker keeps what an absent subscriber missed; a publisher has no use
    for it, the database is its memory.
    """

    host: str
    port: int
    client_id: str
    protocol: MqttProtocol = "5"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: MqttTls | None = None
    keepalive_s: int = 30
    max_in_flight: int = 100
    session_expiry_s: int = 86_400

    def __post_init__(self) -> None:
        if not self.host or any(character in self.host for character in "@/ \t\n"):
            # the value is not repeated: user:password@host is the usual mistake
            raise ConfigError(
                "[mqtt] host must be a bare host name or address; user and password have keys of their own"
            )
        if not 1 <= self.port <= 65_535:
            raise ConfigError(f"[mqtt] port must be 1 to 65535, not {self.port}")
        if not self.client_id or len(self.client_id.encode()) > 65_535 or "\0" in self.client_id:
            raise ConfigError("[mqtt] client_id must be a name of its own for each station, 1 to 65535 bytes long")
        if self.protocol not in ("5", "3.1.1"):
            raise ConfigError(f'[mqtt] protocol must be "5" or "3.1.1", not "{self.protocol}"')
        if self.password is not None and self.username is None:
            raise ConfigError("[mqtt] password is set without username: give both or neither")
        if not 5 <= self.keepalive_s <= 65_535:
            raise ConfigError(f"[mqtt] keepalive_s must be 5 to 65535 seconds, not {self.keepalive_s}")
        if not 1 <= self.max_in_flight <= 1_000:
            raise ConfigError(f"[mqtt] max_in_flight must be 1 to 1000 messages, not {self.max_in_flight}")
        if not 0 <= self.session_expiry_s < 0xFFFF_FFFF:
            raise ConfigError(f"[mqtt] session_expiry_s must be 0 to 4294967294 seconds, not {self.session_expiry_s}")

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def redacted(self, text: str) -> str:
        """`text` without the password, should a broker or a library repeat it."""
        return text.replace(self.password, "***") if self.password else text


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between attempts to connect: doubled from `first_s` to `max_s`, each cut by up to half at random, so that
    a plant's stations do not all come back in the same moment."""

    first_s: float = 0.5
    max_s: float = 10.0

    def pause_s(self, attempt: int) -> float:
        return min(self.max_s, self.first_s * 2.0 ** min(attempt, 30)) * random.uniform(0.5, 1.0)


class _TlsSocket(ssl.SSLSocket):
    """Closes itself when the handshake fails, which paho leaves to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def _tls_context(tls: MqttTls) -> ssl.SSLContext:
    """Read anew for every connection, so that renewed certificates are taken without a restart."""
    for key, path in (("ca", tls.ca), ("cert", tls.cert), ("key", tls.key)):
        try:
            if path is not None:
                path.open("rb").close()
        except OSError as error:
            raise PublishError(f"[mqtt.tls] {key}: {path} cannot be read ({error.strerror}): check the path") from error
    try:
        context = ssl.create_default_context(cafile=tls.ca)
    except ssl.SSLError as error:
        raise PublishError(f"[mqtt.tls] ca: {tls.ca} holds no certificate: give a PEM file") from error
    if tls.cert is not None:
        try:
            # an empty password instead of a prompt that would wait for ever where nobody sits
            context.load_cert_chain(tls.cert, tls.key, password="")
        except (ssl.SSLError, ValueError) as error:
            raise PublishError(
                f"[mqtt.tls] cert: {tls.cert} and key: {tls.key} do not fit together: "
                "give a PEM certificate and its key without a password"
            ) from error
    context.sslsocket_class = _TlsSocket
    return context


def new_client(link: MqttLink, *, clean_session: bool) -> paho.Client:
    """A paho client for `link`, not connected. Raises PublishError for certificate files that cannot be used."""
    if link.protocol == "5":  # asks for a clean start or not when it connects
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=link.client_id, protocol=MQTTProtocolVersion.MQTTv5)
    else:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=link.client_id,
            clean_session=clean_session,
            protocol=MQTTProtocolVersion.MQTTv311,
        )
    client.connect_timeout = CONNECT_TIMEOUT_S
    client.max_inflight_messages_set(link.max_in_flight)
    # paho keeps its queue in memory, where a kill loses it: the database is the queue, paho holds one window at most
    # and one announcement beside it
    client.max_queued_messages_set(link.max_in_flight + 1)
    if link.username is not None:
        client.username_pw_set(link.username, link.password)
    if link.tls is not None:
        client.tls_set_context(_tls_context(link.tls))
    return client


def advertised(properties: Properties | None, name: str, default: int) -> int:
    """A number of the broker's CONNACK, such as ReceiveMaximum, or `default` where it says nothing."""
    value = getattr(properties, name, None)
    return value if isinstance(value, int) else default


def explained(error: Exception, link: MqttLink) -> str:
    """What a failed attempt to connect means, with its remedy."""
    match error:
        case PublishError():
            text = str(error)
        case socket.gaierror() | UnicodeError():
            text = f"the broker's host {link.host} has no known address: check [mqtt] host and the name server"
        case ConnectionRefusedError():
            text = f"nothing listens on {link.address}: is the broker running, is [mqtt] port right?"
        case ssl.SSLCertVerificationError():
            why = _why(error, "verify_message")
            text = f"the certificate of {link.address} is not trusted ({why}): check [mqtt.tls] ca"
        case TimeoutError():
            text = (
                f"{link.address} does not answer within {CONNECT_TIMEOUT_S:.0f} s: check network, port and [mqtt.tls]"
            )
        case ssl.SSLError():
            text = f"no TLS with {link.address} ({_why(error, 'reason')}): does that port speak TLS?"
        case _:
            text = f"no connection to {link.address} ({error}): check network and broker"
    return link.redacted(text)


def _why(error: Exception, attribute: str) -> str:
    """What OpenSSL says, which is not always there."""
    return str(getattr(error, attribute, None) or error)


def refused_login(link: MqttLink, reason: str) -> str:
    """What a CONNACK other than success means, with its remedy."""
    who = f"user {link.username}" if link.username is not None else "a client without login"
    text = f"the broker at {link.address} refuses {who} as client {link.client_id} ({reason})"
    return link.redacted(f"{text}: check user, password and protocol in [mqtt]")
