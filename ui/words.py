"""Words for the domain's values, in the language of now. Every enum that people see has an entry for each member."""

import re
from collections.abc import Mapping
from datetime import datetime

from PySide6.QtCore import QCoreApplication

from inspector.domain.alarm import Alarm, AlarmCode
from inspector.domain.certificate import (
    CERTIFIED_BEFORE,
    RELATIVE_ONLY,
    UNCERTIFIED,
    VOID_BEFORE,
    Risk,
    Truth,
    VoidReason,
)
from inspector.domain.disposition import Action, HoldReason
from inspector.domain.inspection import InspectedPart
from ui.i18n import QT_TRANSLATE_NOOP, translate

HOLD_REASONS: Mapping[HoldReason, str] = {
    HoldReason.NO_PICTURE: QT_TRANSLATE_NOOP("HoldReason", "no picture"),
    HoldReason.WRONG_FORMAT: QT_TRANSLATE_NOOP("HoldReason", "wrong format"),
    HoldReason.BLACK: QT_TRANSLATE_NOOP("HoldReason", "black"),
    HoldReason.SATURATED: QT_TRANSLATE_NOOP("HoldReason", "overexposed"),
    HoldReason.BLURRED: QT_TRANSLATE_NOOP("HoldReason", "blurred"),
    HoldReason.FLAT: QT_TRANSLATE_NOOP("HoldReason", "half a picture"),
    HoldReason.FROZEN: QT_TRANSLATE_NOOP("HoldReason", "frozen picture"),
    HoldReason.BAD_SCORE: QT_TRANSLATE_NOOP("HoldReason", "invalid score"),
    HoldReason.UNDECIDED: QT_TRANSLATE_NOOP("HoldReason", "undecided"),
    HoldReason.STAGE_FAILED: QT_TRANSLATE_NOOP("HoldReason", "model failed"),
    HoldReason.OVERLOAD: QT_TRANSLATE_NOOP("HoldReason", "overload"),
    HoldReason.DEADLINE: QT_TRANSLATE_NOOP("HoldReason", "deadline"),
    HoldReason.STORE_UNAVAILABLE: QT_TRANSLATE_NOOP("HoldReason", "not recorded"),
    HoldReason.INTERNAL: QT_TRANSLATE_NOOP("HoldReason", "internal error"),
}

ALARM_TITLES: Mapping[AlarmCode, str] = {
    AlarmCode.CAMERA_STALLED: QT_TRANSLATE_NOOP("AlarmCode", "Camera delivers no pictures"),
    AlarmCode.STORE_UNAVAILABLE: QT_TRANSLATE_NOOP("AlarmCode", "Verdicts cannot be recorded"),
    AlarmCode.BROKER_UNREACHABLE: QT_TRANSLATE_NOOP("AlarmCode", "MES not answering"),
    AlarmCode.BROKER_REFUSED: QT_TRANSLATE_NOOP("AlarmCode", "MES refuses messages"),
    AlarmCode.CONFIG_REJECTED: QT_TRANSLATE_NOOP("AlarmCode", "Changed settings not accepted"),
    AlarmCode.OVERLOAD: QT_TRANSLATE_NOOP("AlarmCode", "Parts come faster than they can be inspected"),
    AlarmCode.HOLD_STREAK: QT_TRANSLATE_NOOP("AlarmCode", "Many parts in a row held"),
    AlarmCode.STAGE_FAILED: QT_TRANSLATE_NOOP("AlarmCode", "A model stage fails"),
    AlarmCode.DISK_LOW: QT_TRANSLATE_NOOP("AlarmCode", "Disk nearly full"),
}

ALARM_REMEDIES: Mapping[AlarmCode, str] = {
    AlarmCode.CAMERA_STALLED: QT_TRANSLATE_NOOP(
        "AlarmRemedy", "Check the camera's cable and power. Inspection goes on by itself when pictures come again."
    ),
    AlarmCode.STORE_UNAVAILABLE: QT_TRANSLATE_NOOP(
        "AlarmRemedy", "Parts are held meanwhile. Check disk space and the database; it goes on by itself."
    ),
    AlarmCode.BROKER_UNREACHABLE: QT_TRANSLATE_NOOP(
        "AlarmRemedy", "The line goes on. Check the broker and the network; what waits is sent by itself."
    ),
    AlarmCode.BROKER_REFUSED: QT_TRANSLATE_NOOP(
        "AlarmRemedy", "The line goes on and messages are kept. Check user, password and rights at the broker."
    ),
    AlarmCode.CONFIG_REJECTED: QT_TRANSLATE_NOOP(
        "AlarmRemedy", "The line goes on with the last good settings. Correct the file; it is read again by itself."
    ),
    AlarmCode.OVERLOAD: QT_TRANSLATE_NOOP(
        "AlarmRemedy", "Parts that come too fast are held. Slow the line down, or call an engineer."
    ),
    AlarmCode.HOLD_STREAK: QT_TRANSLATE_NOOP(
        "AlarmRemedy", "Look at the held parts and at camera and light. Call an engineer when it stays."
    ),
    AlarmCode.STAGE_FAILED: QT_TRANSLATE_NOOP(
        "AlarmRemedy", "Parts are held. Restart the station; call an engineer when it comes again."
    ),
    AlarmCode.DISK_LOW: QT_TRANSLATE_NOOP(
        "AlarmRemedy", "Free disk space before the disk is full: parts are held then."
    ),
}

ACTIONS: Mapping[Action, str] = {
    Action.PASS: QT_TRANSLATE_NOOP("Action", "OK"),
    Action.REJECT: QT_TRANSLATE_NOOP("Action", "NG"),
    Action.HOLD: QT_TRANSLATE_NOOP("Action", "HOLD"),
}

# What bundles name: words of ours are translated, a customer's own are shown as they are.
DEFECTS: Mapping[str, str] = {
    "scratch": QT_TRANSLATE_NOOP("Defect", "scratch"),
    "dent": QT_TRANSLATE_NOOP("Defect", "dent"),
    "chip": QT_TRANSLATE_NOOP("Defect", "chip"),
    "crack": QT_TRANSLATE_NOOP("Defect", "crack"),
    "burr": QT_TRANSLATE_NOOP("Defect", "burr"),
    "stain": QT_TRANSLATE_NOOP("Defect", "stain"),
    "hole": QT_TRANSLATE_NOOP("Defect", "hole"),
    "blowhole": QT_TRANSLATE_NOOP("Defect", "blowhole"),
    "break": QT_TRANSLATE_NOOP("Defect", "break"),
    "fray": QT_TRANSLATE_NOOP("Defect", "fray"),
    "uneven": QT_TRANSLATE_NOOP("Defect", "uneven"),
    "missing_screw": QT_TRANSLATE_NOOP("Defect", "missing screw"),
    "missing": QT_TRANSLATE_NOOP("Defect", "missing"),
    "contamination": QT_TRANSLATE_NOOP("Defect", "contamination"),
    "discoloration": QT_TRANSLATE_NOOP("Defect", "discoloration"),
    "pitting": QT_TRANSLATE_NOOP("Defect", "pitting"),
    "inclusion": QT_TRANSLATE_NOOP("Defect", "inclusion"),
    "defect": QT_TRANSLATE_NOOP("Defect", "defect"),
    "ng": QT_TRANSLATE_NOOP("Defect", "defect"),
}
EXITS: Mapping[str, str] = {
    "front": QT_TRANSLATE_NOOP("Exit", "front"),
    "middle": QT_TRANSLATE_NOOP("Exit", "middle"),
    "full": QT_TRANSLATE_NOOP("Exit", "full"),
}
# What the station's sentence about its certificate is made of.
CLAIM_WORDS: Mapping[str, str] = {
    Risk.ADDED_ESCAPE: QT_TRANSLATE_NOOP("Certificate", "added escapes"),
    Risk.ADDED_OVERKILL: QT_TRANSLATE_NOOP("Certificate", "added overkill"),
    Risk.ADDED_MISNAMING: QT_TRANSLATE_NOOP("Certificate", "added misnaming"),
    RELATIVE_ONLY: QT_TRANSLATE_NOOP("Certificate", "relative to the full model only"),
    Truth.LABELS: QT_TRANSLATE_NOOP("Certificate", "labels"),
}
SHORT_CLAIM_WORDS: Mapping[str, str] = {
    Risk.ADDED_ESCAPE: QT_TRANSLATE_NOOP("CertificateShort", "escapes"),
    Risk.ADDED_OVERKILL: QT_TRANSLATE_NOOP("CertificateShort", "overkill"),
    Risk.ADDED_MISNAMING: QT_TRANSLATE_NOOP("CertificateShort", "names"),
    RELATIVE_ONLY: QT_TRANSLATE_NOOP("CertificateShort", "vs full model"),
    Truth.LABELS: QT_TRANSLATE_NOOP("CertificateShort", "labels"),
}
_CONFIDENCE = re.compile(r" \([0-9.]+ %\)")
VOID_REASONS: Mapping[VoidReason, str] = {
    VoidReason.BANDS: QT_TRANSLATE_NOOP("VoidReason", "a band was set by hand"),
    VoidReason.STAGES: QT_TRANSLATE_NOOP("VoidReason", "other stages than certified"),
    VoidReason.FILES: QT_TRANSLATE_NOOP("VoidReason", "a model file was changed"),
    VoidReason.PRECISION: QT_TRANSLATE_NOOP("VoidReason", "another precision"),
    VoidReason.DEVICE: QT_TRANSLATE_NOOP("VoidReason", "another device"),
    VoidReason.CPU: QT_TRANSLATE_NOOP("VoidReason", "another kind of CPU"),
    VoidReason.OPENVINO: QT_TRANSLATE_NOOP("VoidReason", "another OpenVINO"),
    VoidReason.UNREADABLE: QT_TRANSLATE_NOOP("VoidReason", "it cannot be read"),
}
LIGHTS: Mapping[str, str] = {
    "camera": QT_TRANSLATE_NOOP("Light", "Camera"),
    "model": QT_TRANSLATE_NOOP("Light", "Model"),
    "store": QT_TRANSLATE_NOOP("Light", "Records"),
    "mes": QT_TRANSLATE_NOOP("Light", "MES"),
    "disk": QT_TRANSLATE_NOOP("Light", "Disk"),
}


def hold_reason(reason: HoldReason) -> str:
    return QCoreApplication.translate("HoldReason", HOLD_REASONS[reason])


def alarm_title(alarm: Alarm) -> str:
    return QCoreApplication.translate("AlarmCode", ALARM_TITLES[alarm.code])


def alarm_remedy(alarm: Alarm) -> str:
    return QCoreApplication.translate("AlarmRemedy", ALARM_REMEDIES[alarm.code])


def action(value: Action) -> str:
    return QCoreApplication.translate("Action", ACTIONS[value])


def defect(name: str | None) -> str:
    if name is None:
        return translate("Defect", "defect")
    return QCoreApplication.translate("Defect", DEFECTS[name]) if name in DEFECTS else name.replace("_", " ")


def exit_name(name: str) -> str:
    return QCoreApplication.translate("Exit", EXITS[name]) if name in EXITS else name.replace("_", " ")


def light(name: str) -> str:
    return QCoreApplication.translate("Light", LIGHTS[name]) if name in LIGHTS else name


def certificate(sentence: str) -> str:
    """The station's sentence (`CertificateStatus.sentence`), shorter: what is promised, or why nothing is."""
    if sentence == UNCERTIFIED:
        return translate("Certificate", "uncertified")
    if sentence.startswith(VOID_BEFORE):
        told = sentence.removeprefix(VOID_BEFORE)
        for reason, text in VOID_REASONS.items():
            if told.startswith(reason.value):
                shown = QCoreApplication.translate("VoidReason", text) + told.removeprefix(reason.value)
                return translate("Certificate", "void: {reason}").format(reason=shown)
    promise = sentence.removeprefix(CERTIFIED_BEFORE)
    for phrase, text in CLAIM_WORDS.items():
        promise = promise.replace(phrase, QCoreApplication.translate("Certificate", text))
    return promise


def certificate_short(sentence: str) -> str:
    """The same for little room: bounds and what they are relative to, or the reason alone. The rest is in the header's
    tool tip."""
    if sentence.startswith(VOID_BEFORE):
        return certificate(sentence.partition(" (")[0])
    if not sentence.startswith(CERTIFIED_BEFORE):
        return certificate(sentence)
    promise = sentence.removeprefix(CERTIFIED_BEFORE)
    for phrase, text in SHORT_CLAIM_WORDS.items():
        promise = promise.replace(phrase, QCoreApplication.translate("CertificateShort", text))
    promise = _CONFIDENCE.sub("", promise).replace(" ≤ ", " ").replace(", ", " · ").replace(" %", "\u202f%")
    return translate("CertificateShort", "added: {bounds}").format(bounds=promise)


def is_certified(sentence: str) -> bool:
    return not sentence.startswith(UNCERTIFIED)


def verdict_reason(part: InspectedPart) -> str:
    """Why the part was rejected or held: "scratch", "deadline"; empty for a part that passed."""
    if part.disposition.hold_reason is not None:
        return hold_reason(part.disposition.hold_reason)
    if part.disposition.action is Action.REJECT:
        return defect(part.verdict.defect_class if part.verdict else None)
    return ""


def number(value: int) -> str:
    """48 213: groups of three, kept together by a narrow no-break space."""
    return f"{value:,}".replace(",", "\u202f")


def percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f}\u202f%"


def milliseconds(value: float) -> str:
    """Two digits that count: 0.6, 4.2, 23."""
    if value != value:
        return "–"
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def clock(at: datetime, *, millis: bool = False) -> str:
    """Local time of day."""
    local = at.astimezone()
    return f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}" if millis else f"{local:%H:%M:%S}"
