"""The alarm book: which conditions stand, in the states of ISA-18.2.

(condition) ─▶ UNACKNOWLEDGED ──ack──▶ ACKNOWLEDGED ──gone──▶ NORMAL
                    │ gone                                      ▲
                    ▼                                           │
           RETURNED_UNACKNOWLEDGED ────────────ack──────────────┘
"""

import threading
import uuid
from collections.abc import Callable
from dataclasses import replace

from inspector.domain.alarm import Alarm, AlarmCode, AlarmState, Priority
from inspector.domain.errors import InspectorError
from inspector.ports import Clock

PRIORITY = {
    AlarmCode.STORE_UNAVAILABLE: Priority.HIGH,
    AlarmCode.CAMERA_STALLED: Priority.HIGH,
    AlarmCode.STAGE_FAILED: Priority.HIGH,
    AlarmCode.HOLD_STREAK: Priority.HIGH,
    AlarmCode.DISK_LOW: Priority.MEDIUM,
    AlarmCode.OVERLOAD: Priority.MEDIUM,
    AlarmCode.BROKER_UNREACHABLE: Priority.MEDIUM,
    AlarmCode.BROKER_REFUSED: Priority.MEDIUM,
    AlarmCode.CONFIG_REJECTED: Priority.LOW,
}


class AlarmBook:
    """At most one alarm of a code stands. Thread-safe.

    Every change is handed to `on_change` in the order in which it happened, so that the last one recorded is how things
    are; it is called under the book's lock and must not wait for another thread.
    """

    def __init__(self, clock: Clock, on_change: Callable[[Alarm], None]) -> None:
        self._clock = clock
        self._on_change = on_change
        self._lock = threading.RLock()
        self._standing: dict[AlarmCode, Alarm] = {}

    def raise_(self, code: AlarmCode, message: str, remedy: str) -> None:
        """The condition holds. Saying so again changes nothing, so it may be said every time round a loop."""
        with self._lock:
            now = self._clock.now()
            standing = self._standing.get(code)
            if standing is not None and standing.is_active:
                return
            if standing is not None:  # came back before anybody saw it: the same alarm again, not a second one
                alarm = replace(
                    standing, state=AlarmState.UNACKNOWLEDGED, message=message, remedy=remedy, changed_at=now
                )
            else:
                alarm = Alarm(
                    str(uuid.uuid4()), code, PRIORITY[code], message, remedy, AlarmState.UNACKNOWLEDGED, now, now
                )
            self._standing[code] = alarm
            self._on_change(alarm)

    def clear(self, code: AlarmCode) -> None:
        """The condition is gone. Harmless when it never stood."""
        with self._lock:
            standing = self._standing.get(code)
            if standing is None or not standing.is_active:
                return
            alarm = standing.returned(self._clock.now())
            self._keep(alarm)
            self._on_change(alarm)

    def acknowledge(self, alarm_id: str, who: str) -> Alarm:
        """Raises InspectorError when no such alarm waits for it."""
        with self._lock:
            for standing in self._standing.values():
                if standing.alarm_id == alarm_id:
                    break
            else:
                raise InspectorError(f"alarm {alarm_id} does not stand any more; nothing needs to be acknowledged")
            if standing.state is AlarmState.ACKNOWLEDGED:
                return standing
            alarm = standing.acknowledged(who, self._clock.now())
            self._keep(alarm)
            self._on_change(alarm)
        return alarm

    def standing(self) -> tuple[Alarm, ...]:
        """Everything not yet NORMAL, most urgent and then newest first."""
        order = (Priority.HIGH, Priority.MEDIUM, Priority.LOW)
        with self._lock:
            alarms = list(self._standing.values())
        return tuple(sorted(alarms, key=lambda a: (order.index(a.priority), -a.raised_at.timestamp())))

    def _keep(self, alarm: Alarm) -> None:
        if alarm.state is AlarmState.NORMAL:
            del self._standing[alarm.code]
        else:
            self._standing[alarm.code] = alarm
