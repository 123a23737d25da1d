"""Settings of the way to the broker: what is refused at once, and what its errors say."""

import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from inspector.adapters.mqtt.link import Backoff, MqttLink, MqttTls, explained, new_client, refused_login
from inspector.domain.errors import ConfigError, PublishError


def a_link(**changes: Any) -> MqttLink:
    values: dict[str, Any] = {"host": "broker.example", "port": 1883, "client_id": "station-3", **changes}
    return MqttLink(**values)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"host": ""}, "host"),
        ({"host": "mqtt://broker"}, "bare host name"),
        ({"host": "user:hush-9@broker"}, "keys of their own"),
        ({"port": 0}, "port must be 1 to 65535"),
        ({"port": 65_536}, "port must be 1 to 65535"),
        ({"client_id": ""}, "client_id"),
        ({"client_id": "a\0b"}, "client_id"),
        ({"protocol": "4"}, "protocol"),
        ({"password": "hush-9"}, "without username"),
        ({"keepalive_s": 4}, "keepalive_s must be 5"),
        ({"max_in_flight": 0}, "max_in_flight must be 1"),
        ({"max_in_flight": 1001}, "max_in_flight must be 1"),
        ({"session_expiry_s": -1}, "session_expiry_s"),
        ({"session_expiry_s": 0xFFFF_FFFF}, "session_expiry_s"),
    ],
)
def test_values_that_can_never_work_are_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as error:
        a_link(**changes)
    assert str(error.value).startswith("[mqtt] ")
    assert "hush-9" not in str(error.value)


def test_a_certificate_needs_its_key() -> None:
    with pytest.raises(ConfigError, match="belong together"):
        MqttTls(cert=Path("client.pem"))


def test_the_password_shows_nowhere() -> None:
    link = a_link(username="station", password="hush-9")
    assert "hush-9" not in repr(link)
    assert "hush-9" not in explained(OSError("bad login hush-9"), link)
    assert "hush-9" not in refused_login(link, "hush-9 is wrong")


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (PublishError("a sentence"), "a sentence"),
        (socket.gaierror(-2, "Name or service not known"), "no known address"),
        (UnicodeError("label too long"), "no known address"),
        (ConnectionRefusedError(111, "refused"), "nothing listens on broker.example:1883"),
        (TimeoutError(), "does not answer within 5 s"),
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), "is not trusted"),
        (ssl.SSLError(1, "wrong version number"), "does that port speak TLS"),
        (OSError(101, "Network is unreachable"), "Network is unreachable"),
    ],
)
def test_errors_name_the_place_and_the_remedy(error: Exception, part: str) -> None:
    assert part in explained(error, a_link())


def test_a_key_that_does_not_fit_is_told(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("nothing")
    with pytest.raises(PublishError, match="do not fit together"):
        new_client(a_link(tls=MqttTls(cert=wrong, key=wrong)), clean_session=True)
    with pytest.raises(PublishError, match="cannot be read"):
        new_client(a_link(tls=MqttTls(ca=tmp_path / "absent.pem")), clean_session=True)
    with pytest.raises(PublishError, match="cannot be read"):
        new_client(a_link(tls=MqttTls(ca=tmp_path)), clean_session=True)


def test_paho_keeps_no_queue_beyond_one_window() -> None:
    client = new_client(a_link(max_in_flight=7), clean_session=True)
    assert client.max_inflight_messages == 7
    assert client.max_queued_messages == 8


def test_pauses_grow_to_a_limit_and_differ() -> None:
    backoff = Backoff(0.5, 10.0)
    for attempt, longest in [(0, 0.5), (1, 1.0), (3, 4.0), (9, 10.0), (10_000, 10.0)]:
        pauses = [backoff.pause_s(attempt) for _ in range(50)]
        assert longest / 2 <= min(pauses) < max(pauses) <= longest
