"""Alarms with the states of ISA-18.2. A reject is an event, not an alarm."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class AlarmCode(StrEnum):
    """One per condition; at most one alarm of a code stands at a time."""

    CAMERA_STALLED = "CAMERA_STALLED"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    BROKER_UNREACHABLE = "BROKER_UNREACHABLE"
    BROKER_REFUSED = "BROKER_REFUSED"
    CONFIG_REJECTED = "CONFIG_REJECTED"
    OVERLOAD = "OVERLOAD"
    HOLD_STREAK = "HOLD_STREAK"
    STAGE_FAILED = "STAGE_FAILED"
    DISK_LOW = "DISK_LOW"


class Priority(StrEnum):
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


class AlarmState(StrEnum):
    UNACKNOWLEDGED = "UNACKNOWLEDGED"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    RETURNED_UNACKNOWLEDGED = "RETURNED_UNACKNOWLEDGED"
    NORMAL = "NORMAL"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm at one moment. `alarm_id` stays the same from raising to normal."""

    alarm_id: str
    code: AlarmCode
    priority: Priority
    message: str
    remedy: str
    state: AlarmState
    raised_at: datetime
    changed_at: datetime
    acknowledged_by: str | None = None

    def acknowledged(self, who: str, at: datetime) -> "Alarm":
        """Itself when there is nothing to acknowledge: who was first stays on record."""
        if self.state in (AlarmState.ACKNOWLEDGED, AlarmState.NORMAL):
            return self
        state = AlarmState.NORMAL if self.state is AlarmState.RETURNED_UNACKNOWLEDGED else AlarmState.ACKNOWLEDGED
        return replace(self, state=state, acknowledged_by=who, changed_at=at)

    def returned(self, at: datetime) -> "Alarm":
        """The condition is gone. Itself when it was already."""
        if not self.is_active:
            return self
        seen = self.state is AlarmState.ACKNOWLEDGED
        return replace(self, state=AlarmState.NORMAL if seen else AlarmState.RETURNED_UNACKNOWLEDGED, changed_at=at)

    @property
    def is_active(self) -> bool:
        """The condition still stands."""
        return self.state in (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED)
