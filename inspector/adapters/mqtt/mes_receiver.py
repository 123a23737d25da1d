"""A small MES: an independent subscriber that counts what arrives, for the demo and for the tests that kill things.

`python -m inspector.adapters.mqtt.mes_receiver --port 1883 --topic 'plant/#' --json received.jsonl` runs it alone. It
writes one line per verdict, repeats included, before it confirms the message to the broker. The password, if any, comes
from the environment variable INSPECTOR_MES_PASSWORD.
"""

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from inspector.adapters.mqtt.link import MqttLink, MqttTls, new_client
from inspector.domain.errors import InspectorError

KEEP = 200_000
"""Verdicts remembered, about 0.4 kB each. A repeat that comes later than that counts as a new one."""


@dataclass(frozen=True, slots=True)
class Received:
    """Counts since the start. `verdicts` counts distinct event ids, `duplicates` the repeats, `alarms` and
    `announcements` every message of their kind, `unreadable` what is no event of a station.
    """

    verdicts: int
    duplicates: int
    by_disposition: Mapping[str, int]
    alarms: int
    announcements: int
    unreadable: int


class MesReceiver:
    """Subscribes to `topic` at QoS 1 with a session that the broker keeps while it is away.

    `log` gets one JSON line per verdict (part_id, event_id, disposition), repeats included; what it holds already is
    counted, so a killed receiver goes on where it was. Reconnects by itself. All methods may be called from any thread.
    """

    def __init__(self, link: MqttLink, topic: str, *, log: Path | None = None, keep: int = KEEP) -> None:
        self._link = link
        self._topic = topic
        self._log_path = log
        self._keep = keep
        self._log: IO[str] | None = None
        self._lock = threading.Condition()
        self._parts: OrderedDict[str, tuple[str, str]] = OrderedDict()  # event id -> part id, disposition
        self._dispositions: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._online: dict[str, bool] = {}
        self._is_subscribed = False
        self._refusal = ""
        self._client: Client | None = None

    def start(self) -> None:
        """Begin; the connection comes when the broker is there. Raises PublishError for bad certificate files."""
        if self._log_path is not None:
            if self._log_path.exists():
                self._recall(self._log_path)
            self._log = self._log_path.open("a", encoding="utf-8")
        client = self._client = new_client(self._link, clean_session=False)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.reconnect_delay_set(1, 2)
        if self._link.protocol == "5":
            session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho
            session.SessionExpiryInterval = self._link.session_expiry_s
            client.connect_async(
                self._link.host, self._link.port, self._link.keepalive_s, clean_start=False, properties=session
            )
        else:
            client.connect_async(self._link.host, self._link.port, self._link.keepalive_s)
        client.loop_start()

    def stop(self) -> None:
        """The broker keeps the session, so a later start gets what came meanwhile. Idempotent."""
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
            client.loop_stop()
        with self._lock:
            if self._log is not None:
                self._log.close()
                self._log = None

    def received(self) -> Received:
        with self._lock:
            return Received(
                verdicts=self._counts["verdict"],
                duplicates=self._counts["duplicate"],
                by_disposition=dict(self._dispositions),
                alarms=self._counts["alarm"],
                announcements=self._counts["birth"],
                unreadable=self._counts["unreadable"],
            )

    def parts(self) -> Mapping[str, str]:
        """Disposition by part id, of the verdicts still remembered."""
        with self._lock:
            return dict(self._parts.values())

    def stations_online(self) -> Mapping[str, bool]:
        """By the station's topic, as its last birth or death said."""
        with self._lock:
            return dict(self._online)

    @property
    def is_subscribed(self) -> bool:
        return self._is_subscribed

    @property
    def refusal(self) -> str:
        """Why the broker does not let it in or subscribe, empty when it does."""
        return self._refusal

    def wait_for(self, verdicts: int, timeout_s: float) -> bool:
        """True once that many distinct verdicts are here."""
        with self._lock:
            return self._lock.wait_for(lambda: self._counts["verdict"] >= verdicts, timeout_s)

    # -- called by paho, in its thread ---------------------------------------------------------------------------

    def _on_connect(
        self, client: Client, _: Any, flags: ConnectFlags, answer: ReasonCode, __: Properties | None
    ) -> None:
        self._refusal = self._link.redacted(str(answer)) if answer.is_failure else ""
        if not answer.is_failure:
            client.subscribe(self._topic, qos=1)

    def _on_disconnect(self, *_: Any) -> None:
        self._is_subscribed = False

    def _on_subscribe(self, _: Client, __: Any, ___: int, answers: list[ReasonCode], ____: Properties | None) -> None:
        refused = [str(answer) for answer in answers if answer.is_failure]
        self._refusal = ", ".join(refused)
        self._is_subscribed = not refused

    def _on_message(self, _: Client, __: Any, message: MQTTMessage) -> None:
        """paho confirms the message after this returns, so what is confirmed is counted and written."""
        try:
            event = json.loads(message.payload)
            kind = str(event["type"]).split(".")[-2]
            event_id, source, data = str(event["id"]), str(event["source"]), event["data"]
            part = (str(data["PartId"]), str(data["Disposition"])) if kind == "verdict" else None
            online = bool(data["Online"]) if kind == "birth" else None
        except (ValueError, KeyError, IndexError, TypeError):
            kind, part, online, event_id, source = "unreadable", None, None, "", ""
        with self._lock:
            if part is not None:
                self._count_verdict(event_id, part)
                if self._log is not None:
                    line = {"part_id": part[0], "event_id": event_id, "disposition": part[1]}
                    self._log.write(json.dumps(line) + "\n")
                    self._log.flush()
            else:
                self._counts[kind] += 1
                if online is not None:
                    self._online[source] = online
            self._lock.notify_all()

    def _count_verdict(self, event_id: str, part: tuple[str, str]) -> None:
        if event_id in self._parts:
            self._counts["duplicate"] += 1
            return
        self._counts["verdict"] += 1
        self._dispositions[part[1]] += 1
        self._parts[event_id] = part
        if len(self._parts) > self._keep:
            self._parts.popitem(last=False)

    def _recall(self, path: Path) -> None:
        whole = path.read_bytes()
        end = whole.rfind(b"\n") + 1
        if end != len(whole):
            os.truncate(path, end)  # a line cut by a kill: its message was not confirmed and comes again
        for text in whole[:end].decode().splitlines():
            line = json.loads(text)
            self._count_verdict(line["event_id"], (line["part_id"], line["disposition"]))


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 when ended by a signal or with `--count` reached, 1 when time ran out, 2 for bad arguments."""
    parser = argparse.ArgumentParser(prog="mes_receiver", description="Count the verdicts that reach a subscriber.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--topic", default="#", help="topic filter, such as plant/site/#")
    parser.add_argument("--protocol", choices=("5", "3.1.1"), default="5")
    parser.add_argument("--client-id", default="inspector-mes")
    parser.add_argument("--username")
    parser.add_argument("--tls", action="store_true", help="encrypt; on by itself with --ca")
    parser.add_argument("--ca", type=Path, help="certificate authority of the broker (PEM)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="append one JSON line per verdict")
    parser.add_argument("--count", type=int, help="end when so many distinct verdicts are here")
    parser.add_argument("--seconds", type=float, help="end after so long")
    args = parser.parse_args(argv)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        link = MqttLink(
            host=args.host,
            port=args.port,
            client_id=args.client_id,
            protocol=args.protocol,
            username=args.username,
            password=os.environ.get("INSPECTOR_MES_PASSWORD") if args.username else None,
            tls=MqttTls(ca=args.ca) if args.tls or args.ca else None,
        )
        receiver = MesReceiver(link, args.topic, log=args.json)
        receiver.start()
    except (InspectorError, OSError) as error:
        print(error, file=sys.stderr)
        return error.exit_code if isinstance(error, InspectorError) else 1
    ends_at = time.monotonic() + args.seconds if args.seconds else None
    while not stopped.wait(0.2):
        now = receiver.received()
        state = "subscribed" if receiver.is_subscribed else receiver.refusal or "not connected"
        print(f"\r{now.verdicts} verdicts, {now.duplicates} repeats, {now.alarms} alarms ({state})", end="", flush=True)
        if (args.count and now.verdicts >= args.count) or (ends_at and time.monotonic() > ends_at):
            break
    receiver.stop()
    total = receiver.received()
    print("\n" + json.dumps(asdict(total)))
    return 1 if args.count and total.verdicts < args.count and not stopped.is_set() else 0


if __name__ == "__main__":
    sys.exit(main())
