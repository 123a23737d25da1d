"""Events as the MES receives them: CloudEvents 1.0 in structured JSON, field names after OPC 40100.

Topics follow a unified namespace: enterprise/site/area/line/cell/station, then the kind of event. The committed
description of both is `docs/asyncapi.json`.
"""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from inspector.domain.alarm import Alarm
from inspector.domain.inspection import InspectedPart, event_id_of
from inspector.domain.message import OutboxMessage

_TYPE_PREFIX = "com.inspector"
# Made once: json.dumps would make one for each message.
_encoded = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def topic_level(text: str) -> str:
    """`text` as one level of an MQTT topic: separators and wildcards are escaped as %2F, %2B, %23, %25 and %24."""
    for forbidden in "%/+#$":
        text = text.replace(forbidden, f"%{ord(forbidden):02X}")
    return text


class Topics:
    """The topics of one station. `path` is the unified namespace down to the station, one entry a level."""

    def __init__(self, path: Sequence[str]) -> None:
        self.base = "/".join(topic_level(level) for level in path)
        self.verdict = f"{self.base}/verdict"
        self.alarm = f"{self.base}/alarm"
        self.birth = f"{self.base}/birth"
        self.all = f"{self.base}/#"


# A file name that is no UTF-8, or a time that is no number, must not keep a part's message from being written.
def _envelope(kind: str, event_id: str, source: str, at: datetime, data: Mapping[str, Any]) -> bytes:
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": f"{_TYPE_PREFIX}.{kind}.v1",
        "time": at.isoformat(),
        "datacontenttype": "application/json",
        "data": data,
    }
    return _encoded(event).encode(errors="replace")


def verdict_message(part: InspectedPart, topics: Topics) -> OutboxMessage:
    """The message of one part's disposition. Its id depends on the part alone."""
    verdict, event_id = part.verdict, part.event_id
    data: dict[str, Any] = {
        "PartId": part.part_id,
        "JobId": part.run_id,
        "RecipeId": part.recipe_id,
        "ResultState": part.result_state.value,
        "IsSimulated": part.is_simulated,
        "Disposition": part.disposition.action.value,
        "HoldReason": part.disposition.hold_reason.value if part.disposition.hold_reason else None,
        "DefectClass": verdict.defect_class if verdict else None,
        "Exit": verdict.exit if verdict else None,
        "Scores": [{"Exit": s.exit, "PDefect": _finite(s.p_defect)} for s in verdict.exits] if verdict else [],
        "ProcessingTimes": {
            "LatencyMs": _finite(part.latency_ms, 3) or 0.0,
            "InferenceMs": _finite(verdict.inference_ms, 3) or 0.0 if verdict else 0.0,
        },
        "ModelHash": verdict.model_hash if verdict else None,
        "CertificateHash": verdict.certificate_hash if verdict else None,
        "ConfigVersion": part.config_version,
        "Origin": part.origin,
        "Sequence": part.sequence,
    }
    payload = _envelope("verdict", event_id, topics.base, part.captured_at, data)
    return OutboxMessage(event_id, topics.verdict, payload)


def alarm_message(alarm: Alarm, topics: Topics) -> OutboxMessage:
    """The message of one change of an alarm's state."""
    event_id = event_id_of("alarm", f"{alarm.alarm_id}/{alarm.state.value}/{alarm.changed_at.isoformat()}")
    data = {
        "AlarmId": alarm.alarm_id,
        "Code": alarm.code.value,
        "Priority": alarm.priority.value,
        "State": alarm.state.value,
        "Message": alarm.message,
        "Remedy": alarm.remedy,
        "AcknowledgedBy": alarm.acknowledged_by,
        "RaisedAt": alarm.raised_at.isoformat(),
    }
    return OutboxMessage(event_id, topics.alarm, _envelope("alarm", event_id, topics.base, alarm.changed_at, data))


def _finite(value: float, digits: int = 6) -> float | None:
    return round(value, digits) if math.isfinite(value) else None
