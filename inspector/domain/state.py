"""The station's state at one moment, as the dashboard and the terminal table show it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from inspector.domain.alarm import Alarm


class Phase(StrEnum):
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    FAULTED = "FAULTED"


@dataclass(frozen=True, slots=True)
class Counts:
    """Parts of this run. `triggers` = `passed` + `rejected` + the sum of `hold` + `in_flight`, always."""

    triggers: int
    passed: int
    rejected: int
    hold: Mapping[str, int]
    in_flight: int

    @property
    def held(self) -> int:
        return sum(self.hold.values())

    @property
    def is_conserved(self) -> bool:
        return self.triggers == self.passed + self.rejected + self.held + self.in_flight and self.in_flight >= 0


@dataclass(frozen=True, slots=True)
class ExitCount:
    name: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Fraction:
    """`count` of `of` parts: escapes of defective parts, overkill of good ones."""

    count: int
    of: int


@dataclass(frozen=True, slots=True)
class Health:
    """One light of the header: camera, model, store, mes, disk."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class StationState:
    """Everything that is not a single part. Times in ms are from captured picture to decided disposition.

    `certificate` is a sentence for people, as `CertificateStatus` makes it. `parts_per_s` is over the
    last seconds. `escape`, `overkill` and `correct` (defective parts rejected plus good
    parts passed) count only parts whose truth is known.
    """

    station_id: str
    run_id: str
    phase: Phase
    at: datetime
    recipe_id: str
    product: str
    config_version: str
    model: str
    certificate: str
    counts: Counts
    exits: tuple[ExitCount, ...]
    defects: Mapping[str, int]
    escape: Fraction
    overkill: Fraction
    correct: int
    latency_p50_ms: float
    latency_p99_ms: float
    parts_per_s: float
    health: tuple[Health, ...]
    alarms: tuple[Alarm, ...]
    mqtt_queued: int
    mqtt_acknowledged: int
    mes_received: int | None = None
