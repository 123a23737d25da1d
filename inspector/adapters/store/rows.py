"""Domain values to rows and back."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from inspector.domain.alarm import Alarm
from inspector.domain.audit import AuditEntry
from inspector.domain.disposition import Action, Disposition, HoldReason
from inspector.domain.exits import EscalationReason, ExitScore
from inspector.domain.inspection import InspectedPart
from inspector.domain.message import OutboxMessage
from inspector.domain.misjudgement import FoundBy, Misjudgement, MisjudgementKind
from inspector.domain.truth import Label, Truth
from inspector.domain.verdict import Outcome, Verdict
from inspector.ports import ConfigVersion, Unit

Row = dict[str, Any]

GENESIS_HASH = "0" * 64
"""What the first entry of the audit trail is chained to."""


@dataclass(frozen=True, slots=True)
class UnitRows:
    """A unit as rows, ready for executemany. Audit entries are chained only inside the transaction."""

    parts: list[Row]
    exit_scores: list[Row]
    outbox: list[Row]
    acknowledged: list[int]
    misjudgements: list[Row]
    alarms: list[Row]
    audits: list[AuditEntry]
    configs: list[Row]
    audit_rows: list[Row] = field(default_factory=list)


def rows_of(unit: Unit, now: datetime) -> UnitRows:
    """Everything that can be refused without the database is refused here, before a transaction begins."""
    exits: list[Row] = []
    for part in unit.parts:
        if part.verdict is not None:
            exits += _exit_rows(part.part_id, part.verdict.exits)
    return UnitRows(
        parts=[_part_row(part) for part in unit.parts],
        exit_scores=exits,
        outbox=[_outbox_row(message, now) for message in unit.messages],
        acknowledged=list(unit.acknowledged),
        misjudgements=[_misjudgement_row(found) for found in unit.misjudgements],
        alarms=[_alarm_row(alarm) for alarm in unit.alarms],
        audits=[_storable(entry) for entry in unit.audits],
        configs=[_config_row(config) for config in unit.configs],
    )


def _part_row(part: InspectedPart) -> Row:
    verdict, truth, disposition = part.verdict, part.truth, part.disposition
    row: Row = {
        "part_id": part.part_id,
        "sequence": part.sequence,
        "run_id": part.run_id,
        "station_id": part.station_id,
        "recipe_id": part.recipe_id,
        "config_version": part.config_version,
        "frame_id": text(part.frame_id),
        "origin": text(part.origin),
        "captured_at": part.captured_at,
        "captured_ns": part.captured_ns,
        "is_simulated": part.is_simulated,
        "action": disposition.action.value,
        "hold_reason": None if disposition.hold_reason is None else disposition.hold_reason.value,
        "hold_detail": text(disposition.detail),
        "latency_ms": _finite(part.latency_ms),
    }
    if truth is None:
        row["truth_label"] = row["truth_class"] = row["truth_severity"] = row["truth_box"] = None
    else:
        row["truth_label"] = truth.label.value
        row["truth_class"] = None if truth.defect_class is None else text(truth.defect_class)
        row["truth_severity"] = None if truth.severity is None else _finite(truth.severity)
        row["truth_box"] = None if truth.box is None else json.dumps(truth.box)
    if verdict is None:
        row["outcome"] = row["exit"] = row["defect_class"] = row["model_hash"] = row["certificate_hash"] = None
    else:
        row["outcome"] = verdict.outcome.value
        row["exit"] = verdict.exit
        row["defect_class"] = None if verdict.defect_class is None else text(verdict.defect_class)
        row["model_hash"] = verdict.model_hash
        row["certificate_hash"] = verdict.certificate_hash
    return row


def _exit_rows(part_id: str, scores: Sequence[ExitScore]) -> list[Row]:
    return [
        {
            "part_id": part_id,
            "position": position,
            "exit": score.exit,
            "p_defect": _finite(score.p_defect),
            "scores": _json_array(score.scores),
            "latency_ms": _finite(score.latency_ms),
            "escalated": None if score.escalated is None else score.escalated.value,
        }
        for position, score in enumerate(scores)
    ]


def part_of(row: RowMapping, exits: Iterable[RowMapping]) -> InspectedPart:
    """What was stored as NULL because it was not finite comes back as NaN."""
    verdict: Verdict | None = None
    if row["outcome"] is not None:
        verdict = Verdict(
            outcome=Outcome(row["outcome"]),
            exit=row["exit"],
            defect_class=row["defect_class"],
            exits=tuple(_exit_score_of(score) for score in exits),
            model_hash=row["model_hash"],
            certificate_hash=row["certificate_hash"],
        )
    truth: Truth | None = None
    if row["truth_label"] is not None:
        box = json.loads(row["truth_box"]) if row["truth_box"] else None
        truth = Truth(
            Label(row["truth_label"]), row["truth_class"], row["truth_severity"], None if box is None else tuple(box)
        )
    hold_reason = row["hold_reason"]
    return InspectedPart(
        part_id=row["part_id"],
        sequence=row["sequence"],
        run_id=row["run_id"],
        station_id=row["station_id"],
        recipe_id=row["recipe_id"],
        config_version=row["config_version"],
        frame_id=row["frame_id"],
        origin=row["origin"],
        captured_at=row["captured_at"],
        captured_ns=row["captured_ns"],
        is_simulated=row["is_simulated"],
        truth=truth,
        verdict=verdict,
        disposition=Disposition(
            Action(row["action"]), None if hold_reason is None else HoldReason(hold_reason), row["hold_detail"]
        ),
        latency_ms=_or_nan(row["latency_ms"]),
    )


def _exit_score_of(row: RowMapping) -> ExitScore:
    return ExitScore(
        exit=row["exit"],
        p_defect=_or_nan(row["p_defect"]),
        scores=tuple(_or_nan(value) for value in json.loads(row["scores"])),
        latency_ms=_or_nan(row["latency_ms"]),
        escalated=None if row["escalated"] is None else EscalationReason(row["escalated"]),
    )


def _outbox_row(message: OutboxMessage, now: datetime) -> Row:
    return {
        "event_id": message.event_id,
        "topic": text(message.topic),
        "payload": message.payload,
        "created_at": now,
    }


def message_of(row: RowMapping) -> OutboxMessage:
    return OutboxMessage(row["event_id"], row["topic"], bytes(row["payload"]), row["outbox_id"])


def _misjudgement_row(found: Misjudgement) -> Row:
    return {
        "part_id": text(found.part_id),  # the MES names it
        "kind": found.kind.value,
        "found_by": found.found_by.value,
        "found_at": found.found_at,
        "defect_class": None if found.defect_class is None else text(found.defect_class),
        "comment": text(found.comment),
    }


def misjudgement_of(row: RowMapping) -> Misjudgement:
    return Misjudgement(
        row["part_id"],
        MisjudgementKind(row["kind"]),
        FoundBy(row["found_by"]),
        row["found_at"],
        row["defect_class"],
        row["comment"],
    )


def _alarm_row(alarm: Alarm) -> Row:
    return {
        "alarm_id": alarm.alarm_id,
        "changed_at": alarm.changed_at,
        "state": alarm.state.value,
        "code": alarm.code.value,
        "priority": alarm.priority.value,
        "message": text(alarm.message),
        "remedy": text(alarm.remedy),
        "raised_at": alarm.raised_at,
        "acknowledged_by": None if alarm.acknowledged_by is None else text(alarm.acknowledged_by),
    }


def _config_row(config: ConfigVersion) -> Row:
    return {"version": config.version, "applied_at": config.applied_at, "content": text(config.content)}


def _storable(entry: AuditEntry) -> AuditEntry:
    """The entry as it can be written: it is hashed in this form, so that the chain holds for what is read back."""
    return replace(
        entry,
        who=text(entry.who),
        action=text(entry.action),
        subject=text(entry.subject),
        old=None if entry.old is None else text(entry.old),
        new=None if entry.new is None else text(entry.new),
        reason=text(entry.reason),
    )


def audit_row(entry: AuditEntry, seq: int, previous_hash: str) -> Row:
    return {
        "seq": seq,
        "at": entry.at.isoformat(),
        "who": entry.who,
        "action": entry.action,
        "subject": entry.subject,
        "old": entry.old,
        "new": entry.new,
        "reason": entry.reason,
        "hash": entry.chained_hash(previous_hash),
    }


def audit_entry_of(row: RowMapping) -> AuditEntry:
    return AuditEntry(
        datetime.fromisoformat(row["at"]),
        row["who"],
        row["action"],
        row["subject"],
        row["old"],
        row["new"],
        row["reason"],
    )


def text(value: str) -> str:
    """`value` without what a database refuses: file names may hold bytes that are no UTF-8; PostgreSQL takes no NUL.

    One such name must not keep a whole group of parts from being written.
    """
    if "\x00" in value:
        value = value.replace("\x00", "\ufffd")
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _json_array(values: Sequence[float]) -> str:
    """Nine digits carry every float32 exactly; what is not finite becomes null."""
    return "[" + ",".join(["%.9g" % v if math.isfinite(v) else "null" for v in values]) + "]"  # noqa: UP031  (faster)
