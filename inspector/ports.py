"""What the core asks of the outside world. Adapters satisfy these; `testing` holds a fake of each.

Every port has one contract suite in `tests/contract`, run on the fake and on each real adapter.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from inspector.domain.alarm import Alarm
from inspector.domain.audit import AuditEntry
from inspector.domain.frame import Frame, Image, SourceHealth, Trigger
from inspector.domain.inspection import InspectedPart
from inspector.domain.message import OutboxMessage, PublisherHealth
from inspector.domain.misjudgement import Misjudgement
from inspector.domain.model import ModelInfo
from inspector.domain.state import StationState


class Clock(Protocol):
    def now(self) -> datetime:
        """Wall clock, UTC, for people and records."""
        ...

    def monotonic_ns(self) -> int:
        """For durations and liveness only."""
        ...


class FrameSource(Protocol):
    """One camera, folder, video or simulated line."""

    @property
    def name(self) -> str: ...

    @property
    def is_live(self) -> bool:
        """Parts pass whether or not we keep up: a full queue then holds parts (OVERLOAD) instead of waiting."""
        ...

    def triggers(self) -> Iterator[Trigger]:
        """Yield every trigger once, in order; end when the source is exhausted or `close` was called.

        A picture that cannot be delivered is yielded as MissedFrame, never skipped. Errors before the first picture
        (folder or camera absent) raise SourceError. A live camera that stops yields nothing meanwhile, shows it in
        `health`, reconnects by itself and goes on. Called once.
        """
        ...

    def health(self) -> SourceHealth:
        """Callable from any thread."""
        ...

    def close(self) -> None:
        """Idempotent, callable from any thread; makes `triggers` end within 2 s."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class StageOutput:
    """f32 scores of one stage, shape (n_classes,), as they came: not yet checked."""

    scores: NDArray[np.floating[Any]]
    latency_ms: float


class StagedSession(Protocol):
    """One worker's own infer requests. Not thread-safe; a classifier gives as many as asked."""

    def begin(self, image: Image) -> None:
        """Take the picture of the next part (u8, shape as `ModelInfo.input`); nothing is computed yet."""
        ...

    def run(self, stage: int) -> StageOutput:
        """Compute stage `stage` (index into `ModelInfo.stages`) and only that; those it feeds on must have run.

        Raises ModelError when the runtime fails.
        """
        ...


class StagedClassifier(Protocol):
    @property
    def info(self) -> ModelInfo: ...

    def session(self) -> StagedSession: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ConfigVersion:
    """A configuration as it was applied. `version` is the hash of `content` (canonical JSON)."""

    version: str
    applied_at: datetime
    content: str


@dataclass(frozen=True, slots=True)
class Unit:
    """What is written in one transaction, all or nothing.

    A part stands here with its message; `acknowledged` are outbox rows that the broker took; `rollups` follow from
    `parts` and are the store's own business.
    """

    parts: Sequence[InspectedPart] = ()
    messages: Sequence[OutboxMessage] = ()
    acknowledged: Sequence[int] = ()
    misjudgements: Sequence[Misjudgement] = ()
    alarms: Sequence[Alarm] = ()
    audits: Sequence[AuditEntry] = ()
    configs: Sequence[ConfigVersion] = ()


class VerdictStore(Protocol):
    """Durable log, outbox and audit trail. One writer: `commit` is called from one thread only."""

    def commit(self, unit: Unit) -> None:
        """Write `unit` durably: it survives kill -9 and power cuts once this returns. Writing a part, message or
        misjudgement twice (same id) changes nothing. Raises StoreUnavailable when it may work later.
        """
        ...

    def pending(self, after: int, limit: int) -> Sequence[OutboxMessage]:
        """Unacknowledged messages with outbox_id > `after`, oldest first. Any thread. Raises StoreUnavailable."""
        ...

    def pending_count(self) -> int:
        """How many messages the broker has not acknowledged. Any thread. Raises StoreUnavailable."""
        ...

    def close(self) -> None: ...


class AuditLog(Protocol):
    def record(self, entry: AuditEntry) -> None:
        """Append one entry with the next commit. Never blocks the line."""
        ...


class Outbox(Protocol):
    """The publisher's side of the store."""

    def pending(self, after: int, limit: int) -> Sequence[OutboxMessage]: ...

    def acknowledge(self, outbox_ids: Sequence[int]) -> None:
        """The broker has these. Recorded with the next commit; a crash before it repeats them with their ids."""
        ...


class Publisher(Protocol):
    """Sends what is pending in the outbox, oldest first, at QoS 1, and goes on after any cut."""

    def start(self, outbox: Outbox) -> None: ...

    def notify(self) -> None:
        """There may be new messages. Any thread, never blocks."""
        ...

    def health(self) -> PublisherHealth: ...

    def close(self, drain_s: float) -> None:
        """Go on sending for at most `drain_s` seconds while messages are pending, then say goodbye. Idempotent."""
        ...


CommandHandler = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""(command name, arguments) -> answer; raises InspectorError for a refusal."""


class Feed(Protocol):
    """Live view for dashboards. Never blocks and never raises into the line: who is slow misses pictures."""

    def start(self, handler: CommandHandler) -> None: ...

    def part(self, part: InspectedPart, frame: Frame | None) -> None: ...

    def state(self, state: StationState) -> None: ...

    def close(self) -> None: ...
