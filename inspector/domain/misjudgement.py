"""Misjudgements: escapes and overkill that became known."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class MisjudgementKind(StrEnum):
    ESCAPE = "ESCAPE"
    OVERKILL = "OVERKILL"


class FoundBy(StrEnum):
    SIMULATION = "SIMULATION"
    LABEL = "LABEL"
    AUDIT = "AUDIT"
    OPERATOR = "OPERATOR"
    MES = "MES"


@dataclass(frozen=True, slots=True)
class Misjudgement:
    part_id: str
    kind: MisjudgementKind
    found_by: FoundBy
    found_at: datetime
    defect_class: str | None = None
    comment: str = ""
