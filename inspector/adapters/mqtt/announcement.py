"""Birth and death of a station on its birth topic, retained: what a subscriber that comes later finds there.

Birth follows every connection, death is the last will (the broker sends it when the station is cut off) and the
station's own goodbye. `Connection` counts the connections of one boot: a death is of the birth with the same
`BootId` and `Connection`, so a late one does no harm.
"""

import json
import logging
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from inspector.domain.errors import ConfigError
from inspector.domain.events import Topics
from inspector.domain.inspection import event_id_of
from inspector.domain.message import OutboxMessage
from inspector.ports import Clock

log = logging.getLogger(__name__)

CONNECTED = "CONNECTED"
CONNECTION_LOST = "CONNECTION_LOST"
STOPPED = "STOPPED"

_LONGEST_BASE = 60_000
"""Bytes; a topic has 65,535 at most."""


class Announcer:
    """Makes the announcements of one boot. Raises ConfigError for topics that cannot be published to."""

    def __init__(self, topics: Topics, clock: Clock, facts: Callable[[], Mapping[str, Any]]) -> None:
        base = topics.base
        if not base or any(character in base for character in "+#\0") or len(base.encode()) > _LONGEST_BASE:
            raise ConfigError(f"[station] path and id make no MQTT topic ({base[:200]!r}): use plain names")
        self.boot_id = uuid.uuid4().hex[:12]
        self._topics = topics
        self._clock = clock
        self._facts = facts
        self._made = 0

    def birth(self, connection: int) -> OutboxMessage:
        """With the station's facts, or without them where they cannot be had or are no JSON."""
        try:
            return self._message(connection, True, CONNECTED, self._facts())
        except Exception:
            log.exception("the station is announced without its facts")
            return self._message(connection, True, CONNECTED, {})

    def death(self, connection: int, reason: str) -> OutboxMessage:
        return self._message(connection, False, reason, {})

    def _message(self, connection: int, online: bool, reason: str, facts: Mapping[str, Any]) -> OutboxMessage:
        self._made += 1
        event_id = event_id_of("birth", f"{self.boot_id}/{connection}/{self._made}")
        event = {
            "specversion": "1.0",
            "id": event_id,
            "source": self._topics.base,
            "type": "com.inspector.birth.v1",
            "time": self._clock.now().isoformat(),
            "datacontenttype": "application/json",
            "data": {**facts, "Online": online, "Reason": reason, "BootId": self.boot_id, "Connection": connection},
        }
        payload = json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        return OutboxMessage(event_id, self._topics.birth, payload)
