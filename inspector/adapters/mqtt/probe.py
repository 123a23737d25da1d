"""Does the broker let us in? For `doctor`: it connects, listens to the answer and leaves, without a trace."""

import time

from paho.mqtt.reasoncodes import ReasonCode

from inspector.adapters.mqtt.link import MqttLink, explained, new_client, refused_login
from inspector.domain.errors import PublishError


def probe(link: MqttLink, timeout_s: float = 3.0) -> None:
    """Connect and say goodbye. Raises PublishError with the remedy unless the broker accepts within `timeout_s`.

    `link.client_id` must differ from that of a running station, whose connection the broker would end.
    """
    client = new_client(link, clean_session=True)
    client.connect_timeout = timeout_s
    answers: list[ReasonCode] = []
    client.on_connect = lambda _client, _user, _flags, reason, _properties: answers.append(reason)
    deadline = time.monotonic() + timeout_s
    silent = PublishError(
        f"{link.address} does not answer as an MQTT broker within {timeout_s:g} s: check network, port and [mqtt.tls]"
    )
    try:
        if link.protocol == "5":
            client.connect(link.host, link.port, link.keepalive_s, clean_start=True)
        else:
            client.connect(link.host, link.port, link.keepalive_s)
        while not answers and client.socket() is not None and time.monotonic() < deadline:
            client.loop(timeout=0.1)
    except TimeoutError:
        raise silent from None
    except (OSError, ValueError) as error:
        raise PublishError(explained(error, link)) from error
    finally:
        client.disconnect()
        client.loop(timeout=0.0)  # paho closes its sockets here, not in disconnect()
    if not answers:
        raise silent
    if answers[0].is_failure:
        raise PublishError(refused_login(link, str(answers[0])))
