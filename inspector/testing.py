"""Fakes of the ports, for tests and for trying things out: in memory, no driver, no thread of their own."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from inspector.domain.alarm import Alarm
from inspector.domain.audit import AuditEntry
from inspector.domain.certificate import CertificateStatus
from inspector.domain.errors import InspectorError, ModelError, SourceError, StoreUnavailable
from inspector.domain.exits import ExitBand
from inspector.domain.frame import ColorSpace, Frame, Image, MissedFrame, SourceHealth, Trigger
from inspector.domain.inspection import InspectedPart
from inspector.domain.message import OutboxMessage, PublisherHealth
from inspector.domain.misjudgement import Misjudgement
from inspector.domain.model import InputSpec, ModelInfo, StageInfo
from inspector.domain.state import StationState
from inspector.ports import CommandHandler, ConfigVersion, Outbox, StageOutput, Unit

# --- Feed ------------------------------------------------------------------------------------------------------------


class FakeFeed:
    """`ports.Feed` that remembers what it was given. `command` plays a dashboard."""

    def __init__(self) -> None:
        self.parts: list[tuple[InspectedPart, Frame | None]] = []
        self.states: list[StationState] = []
        self.is_closed = False
        self._handler: CommandHandler | None = None

    def start(self, handler: CommandHandler) -> None:
        self._handler = handler

    def part(self, part: InspectedPart, frame: Frame | None) -> None:
        self.parts.append((part, frame))

    def state(self, state: StationState) -> None:
        self.states.append(state)

    def close(self) -> None:
        self.is_closed = True
        self._handler = None

    def command(self, command: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the station's handler answers. Raises InspectorError for a refusal, as the handler does."""
        if self._handler is None:
            raise InspectorError("the feed is not started: no command can be given")
        return self._handler(command, args)


# --- Publisher and outbox --------------------------------------------------------------------------------------------


class FakeOutbox:
    """`ports.Outbox` in memory. `add` gives rows their ids; `acknowledged` lists what came back, repeats included.

    With `records_at_once` False, acknowledged rows stay pending until `record`, as they do until a store's next
    commit. `failure`, while set, is raised by every call.
    """

    def __init__(self, *, records_at_once: bool = True) -> None:
        self.acknowledged: list[int] = []
        self.failure: Exception | None = None
        self._records_at_once = records_at_once
        self._rows: dict[int, OutboxMessage] = {}  # in order of their ids
        self._last = 0
        self._lock = threading.Lock()

    def add(self, *messages: OutboxMessage) -> None:
        with self._lock:
            for message in messages:
                self._last += 1
                row = OutboxMessage(message.event_id, message.topic, message.payload, self._last)
                self._rows[self._last] = row

    def pending(self, after: int, limit: int) -> Sequence[OutboxMessage]:
        with self._lock:
            if self.failure is not None:
                raise self.failure
            found: list[OutboxMessage] = []
            for row, message in self._rows.items():
                if len(found) == limit:
                    break
                if row > after:
                    found.append(message)
            return found

    def acknowledge(self, outbox_ids: Sequence[int]) -> None:
        with self._lock:
            if self.failure is not None:
                raise self.failure
            self.acknowledged.extend(outbox_ids)
        if self._records_at_once:
            self.record()

    def record(self) -> None:
        """Forget the acknowledged rows, as the next commit would."""
        with self._lock:
            for row in self.acknowledged:
                self._rows.pop(row, None)

    @property
    def is_empty(self) -> bool:
        with self._lock:
            return not self._rows


class FakePublisher:
    """`ports.Publisher` to a broker of one's own: `delivered` is what it has, in order.

    Sends within `start`, `notify` and `go_online`. `refused` maps topics to the reason for which they are refused.
    """

    def __init__(self, *, is_online: bool = True) -> None:
        self.delivered: list[OutboxMessage] = []
        self.refused: dict[str, str] = {}
        self.is_closed = False
        self._is_online = is_online
        self._outbox: Outbox | None = None
        self._refusal: str | None = None
        self._seen: set[int] = set()
        self._lock = threading.RLock()

    def start(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.notify()

    def notify(self) -> None:
        with self._lock:
            if self._outbox is None or self.is_closed or not self._is_online:
                return
            after, self._refusal = 0, None
            while rows := self._outbox.pending(after, 100):
                taken: list[int] = []
                for message in rows:
                    after = message.outbox_id or 0
                    if message.topic in self.refused:
                        self._refusal = self.refused[message.topic]
                    elif after not in self._seen:
                        self.delivered.append(message)
                        self._seen.add(after)
                        taken.append(after)
                if taken:
                    self._outbox.acknowledge(taken)

    def go_online(self) -> None:
        self._is_online = True
        self.notify()

    def go_offline(self) -> None:
        self._is_online = False

    def health(self) -> PublisherHealth:
        is_connected = self._is_online and self._outbox is not None and not self.is_closed
        detail = "connected" if is_connected else "the broker is away"
        return PublisherHealth(is_connected, detail, len(self._seen), self._refusal)

    def close(self, drain_s: float) -> None:
        self.notify()
        self.is_closed = True


# --- Model -----------------------------------------------------------------------------------------------------------

ScoreScript = Callable[[Image], Sequence[Sequence[float] | Exception]]
"""Picture -> per stage its scores, or the exception that this stage raises."""


def fake_model_info(
    *,
    height: int = 24,
    width: int = 32,
    color: ColorSpace = ColorSpace.BGR,
    classes: Sequence[str] = ("ok", "defect"),
    ok_class: str = "ok",
    bands: Mapping[str, ExitBand] | None = None,
) -> ModelInfo:
    """What a `FakeClassifier` says of itself: one stage per entry of `bands`, which goes by exit name, in order."""
    bands = bands or {"front": ExitBand(0.1, 0.9), "full": ExitBand(0.5, 0.5)}
    return ModelInfo(
        name="fake",
        version="1",
        model_hash="0" * 64,
        certificate=CertificateStatus.none(),
        input=InputSpec(height, width, color),
        classes=tuple(classes),
        ok_class=ok_class,
        stages=tuple(StageInfo(exit_, exit_, band, "CPU", "FP32") for exit_, band in bands.items()),
    )


def _fed(info: ModelInfo, feeds: Mapping[int, int]) -> ModelInfo:
    stages = list(info.stages)
    for taker, giver in feeds.items():
        stages[taker] = replace(stages[taker], feeds_on=stages[giver].name)
    return replace(info, stages=tuple(stages))


def brightness_scores(image: Image) -> list[list[float]]:
    """For two stages and two classes, ok first: p_defect falls from 1 for a black picture to 0 for a white one."""
    p_ok = float(image.mean()) / 255.0
    return [[p_ok, 1.0 - p_ok]] * 2


class FakeClassifier:
    """`ports.StagedClassifier` that answers by `script`, called anew for every run of a stage.

    `runs` counts what was computed, per stage over all sessions; `parts` the pictures begun. `feeds` says which stage
    (index) takes the features of which earlier one. Sessions may run in several threads at a time if `script` may.
    """

    def __init__(
        self,
        script: ScoreScript = brightness_scores,
        *,
        info: ModelInfo | None = None,
        feeds: Mapping[int, int] | None = None,
        latency_ms: float = 1.0,
    ) -> None:
        self.feeds = dict(feeds or {})
        self._info = _fed(info or fake_model_info(), self.feeds)
        self.script = script
        self.latency_ms = latency_ms
        self.runs = [0] * len(self._info.stages)
        self.parts = 0
        self.is_closed = False
        self._lock = threading.Lock()

    @property
    def info(self) -> ModelInfo:
        return self._info

    def session(self) -> "FakeSession":
        if self.is_closed:
            raise ModelError("the fake model is closed; load it again")
        return FakeSession(self)

    def close(self) -> None:
        self.is_closed = True

    def count_part(self) -> None:
        with self._lock:
            self.parts += 1

    def count_run(self, stage: int) -> None:
        with self._lock:
            self.runs[stage] += 1


class FakeSession:
    """`ports.StagedSession` of a `FakeClassifier`."""

    def __init__(self, classifier: FakeClassifier) -> None:
        self._classifier = classifier
        self._image: Image | None = None
        self._done: set[int] = set()

    def begin(self, image: Image) -> None:
        self._image = None
        self._done.clear()
        if image.dtype != np.uint8 or image.shape != self._classifier.info.input.shape:
            raise ModelError(
                f"the fake model takes u8 {self._classifier.info.input.shape}, not {image.dtype} {image.shape}"
            )
        self._image = image
        self._classifier.count_part()

    def run(self, stage: int) -> StageOutput:
        stages = self._classifier.info.stages
        if not 0 <= stage < len(stages):
            raise ModelError(f"the fake model has {len(stages)} stages, there is no stage {stage}")
        giver = self._classifier.feeds.get(stage)
        if self._image is None or (giver is not None and giver not in self._done):
            raise ModelError(f"stage {stage} of the fake model has no input: call begin, then the stage it feeds on")
        self._done.discard(stage)
        self._classifier.count_run(stage)
        scores = self._classifier.script(self._image)[stage]
        if isinstance(scores, Exception):
            raise scores
        self._done.add(stage)
        return StageOutput(np.array(scores, np.float32), self._classifier.latency_ms)


# --- Verdict store ---------------------------------------------------------------------------------------------------


class FakeStore:
    """`ports.VerdictStore` in memory: what was committed lies in its attributes.

    `failure`, while set, is raised by every call, and a commit then leaves nothing behind. `commits` counts units.
    """

    def __init__(self) -> None:
        self.parts: dict[str, InspectedPart] = {}
        self.misjudgements: dict[tuple[str, str, str], Misjudgement] = {}
        self.alarms: dict[tuple[str, str, datetime], Alarm] = {}
        self.audits: list[AuditEntry] = []
        self.configs: dict[tuple[str, datetime], ConfigVersion] = {}
        self.messages: dict[int, OutboxMessage] = {}
        self.acknowledged: set[int] = set()
        self.commits = 0
        self.failure: StoreUnavailable | None = None
        self._event_ids: set[str] = set()
        self._closed = False
        self._lock = threading.Lock()

    def commit(self, unit: Unit) -> None:
        with self._lock:
            self._refuse()
            for part in unit.parts:
                self.parts.setdefault(part.part_id, part)
            for message in unit.messages:
                if message.event_id not in self._event_ids:
                    self._event_ids.add(message.event_id)
                    outbox_id = len(self.messages) + 1
                    self.messages[outbox_id] = replace(message, outbox_id=outbox_id)
            self.acknowledged.update(unit.acknowledged)
            for found in unit.misjudgements:
                self.misjudgements.setdefault((found.part_id, found.kind, found.found_by), found)
            for alarm in unit.alarms:
                self.alarms.setdefault((alarm.alarm_id, alarm.state, alarm.changed_at), alarm)
            for config in unit.configs:
                self.configs.setdefault((config.version, config.applied_at), config)
            self.audits.extend(unit.audits)
            self.commits += 1

    def pending(self, after: int, limit: int) -> Sequence[OutboxMessage]:
        with self._lock:
            self._refuse()
            waiting = [row for key, row in self.messages.items() if key > after and key not in self.acknowledged]
            return waiting[:limit]

    def pending_count(self) -> int:
        with self._lock:
            self._refuse()
            return len(self.messages.keys() - self.acknowledged)

    def close(self) -> None:
        self._closed = True

    def _refuse(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store was closed; open it again")
        if self.failure is not None:
            raise self.failure


# --- Frame source ----------------------------------------------------------------------------------------------------


def fake_frame(number: int, image: Image | None = None) -> Frame:
    """One picture, stamped now: `image`, or 32x24 px BGR whose grey level is `number` modulo 256."""
    if image is None:
        image = np.full((24, 32, 3), number % 256, np.uint8)
    return Frame(f"fake-{number:08d}", image, datetime.now(UTC), time.monotonic_ns(), "fake")


class FakeSource:
    """`ports.FrameSource` that delivers `script` as it stands, as fast as triggers are taken.

    A SourceError in it is raised and ends it. With `stays_open` it then waits for `close`, as a camera without parts
    would. `fault`, while set, is why `health` is not ok. `delivered` is what was taken.
    """

    def __init__(
        self, script: Sequence[Trigger | SourceError] = (), *, is_live: bool = False, stays_open: bool = False
    ) -> None:
        self.script = list(script)
        self.delivered: list[Trigger] = []
        self.fault = ""
        self._is_live = is_live
        self._stays_open = stays_open
        self._closed = threading.Event()

    @property
    def name(self) -> str:
        return "fake source"

    @property
    def is_live(self) -> bool:
        return self._is_live

    @property
    def is_closed(self) -> bool:
        return self._closed.is_set()

    def triggers(self) -> Iterator[Trigger]:
        for step in self.script:
            if self.is_closed:
                return
            if isinstance(step, SourceError):
                raise step
            self.delivered.append(step)
            yield step
        if self._stays_open:
            self._closed.wait()

    def health(self) -> SourceHealth:
        missed = sum(isinstance(trigger, MissedFrame) for trigger in self.delivered)
        frames = len(self.delivered) - missed
        return SourceHealth(not self.fault, self.fault or f"{frames} pictures", frames, missed)

    def close(self) -> None:
        self._closed.set()
