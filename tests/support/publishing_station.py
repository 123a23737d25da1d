"""A publisher that may be killed: its outbox is an SQLite file, as a station's is.

`python -m tests.support.publishing_station FILE PORT PROTOCOL` sends what is pending in FILE and prints the number of
acknowledged rows; it ends when nothing is left, or never with `--stay`.
"""

import sqlite3
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from inspector.adapters.mqtt import MqttLink, MqttPublisher
from inspector.adapters.mqtt.link import Backoff
from inspector.adapters.system_clock import SystemClock
from inspector.domain.message import OutboxMessage
from tests.support.mqtt import TOPICS


class FileOutbox:
    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._lock = threading.Lock()
        self._connection.execute("pragma journal_mode=wal")
        self._connection.execute(
            "create table if not exists outbox (id integer primary key, event, topic, payload, done)"
        )

    def add(self, messages: Sequence[OutboxMessage]) -> None:
        rows = [(message.event_id, message.topic, message.payload) for message in messages]
        with self._lock:
            self._connection.execute("begin")
            self._connection.executemany("insert into outbox (event, topic, payload, done) values (?, ?, ?, 0)", rows)
            self._connection.execute("commit")

    def pending(self, after: int, limit: int) -> list[OutboxMessage]:
        query = "select event, topic, payload, id from outbox where done = 0 and id > ? order by id limit ?"
        with self._lock:
            return [OutboxMessage(*row) for row in self._connection.execute(query, (after, limit))]

    def acknowledge(self, outbox_ids: Sequence[int]) -> None:
        with self._lock:
            self._connection.executemany("update outbox set done = 1 where id = ?", [(row,) for row in outbox_ids])

    def acknowledged(self) -> int:
        with self._lock:
            count: int = self._connection.execute("select count(*) from outbox where done = 1").fetchone()[0]
            return count

    def close(self) -> None:
        self._connection.close()


def main() -> None:
    path, port, protocol = sys.argv[1:4]
    outbox = FileOutbox(Path(path))
    link = MqttLink(
        host="127.0.0.1", port=int(port), client_id="station-3", protocol="5" if protocol == "5" else "3.1.1"
    )
    facts = {"StationId": "station-3", "BootSequence": 7}
    publisher = MqttPublisher(link, TOPICS, SystemClock(), birth=lambda: facts, backoff=Backoff(0.05, 0.2))
    publisher.start(outbox)
    while "--stay" in sys.argv or outbox.pending(0, 1):
        print(outbox.acknowledged(), flush=True)
        time.sleep(0.02)
    publisher.close(5)
    outbox.close()


if __name__ == "__main__":
    main()
