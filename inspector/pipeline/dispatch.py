"""Dispatch: make the verdict durable, release the disposition, tell everybody. In that order.

decided ─▶ group ─▶ one transaction: parts + messages ─ done ─▶ release PASS / REJECT / HOLD ─▶ sinks
             │ too late by now: HOLD(DEADLINE)   │ failed
             ▼                                   ▼
          as decided     release as HOLD(STORE_UNAVAILABLE) at once, keep the record, retry until it is written
"""

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from inspector.domain.alarm import Alarm, AlarmCode
from inspector.domain.audit import AuditEntry
from inspector.domain.disposition import Action, Disposition, HoldReason
from inspector.domain.errors import InspectorError, StoreUnavailable
from inspector.domain.events import Topics, alarm_message, verdict_message
from inspector.domain.frame import Frame
from inspector.domain.inspection import InspectedPart
from inspector.domain.message import OutboxMessage
from inspector.domain.misjudgement import FoundBy, Misjudgement, MisjudgementKind
from inspector.pipeline.alarms import AlarmBook
from inspector.pipeline.ledger import Ledger
from inspector.pipeline.tally import Tally
from inspector.ports import Clock, ConfigVersion, Unit, VerdictStore

log = logging.getLogger(__name__)

PartSink = Callable[[InspectedPart, Frame | None], None]
"""Told of every released part, after it is durable, one at a time. Must not block; an error in one sink does not reach
the others."""

_UNWRITTEN_LIMIT = 20_000
"""Held parts kept in memory while the store is down, about 2 kB each. Beyond it a line that can wait waits; on one that
cannot, or is to end, parts are counted, not kept."""
_RETRY_S = 1.0
_CHUNK = 256


@dataclass(frozen=True, slots=True)
class _Decided:
    part: InspectedPart
    frame: Frame | None
    due_ns: int | None


@dataclass(slots=True)
class _Gap:
    """Parts that could only be counted: they become one entry of the audit trail."""

    first: str = ""
    last: str = ""
    count: int = 0


@dataclass(slots=True)
class _Records:
    """What is written beside parts. Few and from people or conditions, so unbounded lists are safe here;
    `acknowledged` is bounded by what the publisher may have in flight."""

    acknowledged: list[int] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    audits: list[AuditEntry] = field(default_factory=list)
    configs: list[ConfigVersion] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.acknowledged or self.alarms or self.audits or self.configs)

    @property
    def irreplaceable(self) -> int:
        """An acknowledgement that is lost repeats a message, under its id; nothing else comes again."""
        return len(self.alarms) + len(self.audits) + len(self.configs)


class Dispatcher:
    """The only writer of the store. One thread; everything else hands its records over.

    Also the AuditLog and, towards the publisher, the acknowledging half of the Outbox.
    """

    def __init__(
        self,
        store: VerdictStore,
        topics: Topics | None,
        clock: Clock,
        ledger: Ledger,
        tally: Tally,
        sinks: Sequence[PartSink],
        committed: Callable[[], None],
        *,
        group_parts: int,
        group_wait_s: float,
        may_wait: bool = True,
    ) -> None:
        """`may_wait`: parts may stand still while the store is down for long; False for a live source."""
        self._store = store
        self._topics = topics
        self._clock = clock
        self._ledger = ledger
        self._tally = tally
        self._sinks = sinks
        self._committed = committed
        self._group_parts = group_parts
        self._group_wait_s = group_wait_s
        self._may_wait = may_wait
        self._alarms: AlarmBook | None = None
        # Two groups: one being written, one filling. Full means that workers wait (back-pressure).
        self._decided: queue.Queue[_Decided] = queue.Queue(maxsize=2 * group_parts)
        self._records = _Records()
        self._records_lock = threading.Lock()
        self._sinks_lock = threading.Lock()
        self._unwritten: deque[InspectedPart] = deque()
        self._gap = _Gap()
        self._retry_at = 0.0
        self._outage = ""
        self._stopping = threading.Event()
        self._give_up_at = float("inf")
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="dispatch", daemon=True)

    def start(self, alarms: AlarmBook) -> None:
        self._alarms = alarms
        self._thread.start()

    def submit(self, part: InspectedPart, frame: Frame | None, due_ns: int | None = None) -> None:
        """Hand over a decided part; waits while the store is slow. Any thread.

        A part still not written at `due_ns` (monotonic) is held. Raises InspectorError once the dispatcher has failed:
        nothing is released any more, so nothing more may be taken in.
        """
        while True:
            self._refuse_if_failed()
            try:
                self._decided.put(_Decided(part, frame, due_ns), timeout=1.0)
                return
            except queue.Full:
                continue

    def submit_now(self, part: InspectedPart, frame: Frame | None) -> None:
        """For a live source, which cannot wait: when the queue is full the part is released as HOLD and counted."""
        self._refuse_if_failed()
        try:
            self._decided.put_nowait(_Decided(part, frame, None))
        except queue.Full:
            self._count_only(part)
            held = part.disposition
            if held.action is not Action.HOLD:
                held = Disposition.hold(HoldReason.STORE_UNAVAILABLE, "the verdict could not be queued for writing")
            self._release(part.held(held), None)

    def acknowledge(self, outbox_ids: Sequence[int]) -> None:
        with self._records_lock:
            self._records.acknowledged.extend(outbox_ids)

    def record(self, entry: AuditEntry) -> None:
        with self._records_lock:
            self._records.audits.append(entry)

    def record_alarm(self, alarm: Alarm) -> None:
        with self._records_lock:
            self._records.alarms.append(alarm)

    def record_config(self, config: ConfigVersion) -> None:
        with self._records_lock:
            self._records.configs.append(config)

    @property
    def outage(self) -> str:
        """Why the store cannot be written, empty while it can."""
        return self._outage

    @property
    def unwritten(self) -> int:
        """Held parts that wait in memory for the store, those only counted included."""
        return len(self._unwritten) + self._gap.count

    def drain(self) -> None:
        """The line is to end: from now on nothing waits for a store that is down. Any thread."""
        self._may_wait = False

    def close(self, grace_s: float) -> None:
        """Write what is left, for at most `grace_s` while the store is down.

        Also when `start` was never reached: what was recorded on the way there is written. Raises StoreUnavailable if
        records remain.
        """
        self.drain()
        self._give_up_at = time.monotonic() + grace_s
        self._stopping.set()
        if self._thread.ident is None:
            self._run()
        else:
            self._thread.join()
        if self.failure is not None:
            raise self.failure
        others = self._records.irreplaceable
        if self.unwritten or others:
            raise StoreUnavailable(
                f"{self.unwritten} held parts and {others} alarms, settings and audit entries could not be recorded "
                f"before the station ended ({self._outage}); "
                "free the disk or mend the database before the next start, and re-inspect those parts"
            )

    def _run(self) -> None:
        try:
            while not (self._stopping.is_set() and self._is_done()):
                self._write(self._next_group())
            if self._is_anything_unwritten():  # time is up: once more, whatever the pause between two tries
                self._retry_at = 0.0
                self._write([])
        except Exception as error:
            log.exception("the dispatcher stopped")
            self.failure = error

    def _is_done(self) -> bool:
        if not self._decided.empty():
            return False
        return not self._is_anything_unwritten() or time.monotonic() >= self._give_up_at

    def _is_anything_unwritten(self) -> bool:
        return bool(self._unwritten or self._records or self._gap.count)

    def _next_group(self) -> list[_Decided]:
        if self._may_wait and len(self._unwritten) >= _UNWRITTEN_LIMIT:
            time.sleep(0.05)  # full: what is decided waits in its queue, and with it the line
            return []
        group: list[_Decided] = []
        deadline = 0.0
        try:
            # Records without a part are written within this time-out, too.
            group.append(self._decided.get(timeout=0.02 if self._records or self._stopping.is_set() else 0.1))
            deadline = time.monotonic() + self._group_wait_s
            while len(group) < self._group_parts:
                left = deadline - time.monotonic()
                group.append(self._decided.get(timeout=left) if left > 0 else self._decided.get_nowait())
        except queue.Empty:
            pass
        return group

    def _write(self, group: list[_Decided]) -> None:
        if self._outage:
            self._hold_all(group)
            if time.monotonic() >= self._retry_at:
                self._recover()
            return
        if not group and not self._records and not self._gap.count:
            return
        group = [self._on_time(decided) for decided in group]
        try:
            self._commit([decided.part for decided in group])
        except Exception as error:
            self._begin_outage(error)
            self._hold_all(group)
            return
        for decided in group:
            self._release(decided.part, decided.frame)

    def _on_time(self, decided: _Decided) -> _Decided:
        """Held if its deadline passed while it waited for the store: a PASS that comes late may meet the next part."""
        if decided.due_ns is None or decided.part.disposition.action is Action.HOLD:
            return decided
        late_ms = (self._clock.monotonic_ns() - decided.due_ns) / 1e6
        if late_ms <= 0:
            return decided
        held = Disposition.hold(HoldReason.DEADLINE, f"its verdict waited for the store {late_ms:.0f} ms too long")
        return replace(decided, part=decided.part.held(held))

    def _commit(self, parts: Sequence[InspectedPart], *more: AuditEntry) -> None:
        with self._records_lock:
            taken, self._records = self._records, _Records()
            gap, self._gap = self._gap, _Gap()
        try:
            audits = [*taken.audits, *more]
            if gap.count:
                audits.append(_unrecorded(gap, "the store was down", self._clock))
            now = self._clock.now()
            unit = Unit(
                parts=parts,
                messages=self._messages(parts, taken.alarms),
                acknowledged=taken.acknowledged,
                misjudgements=[m for part in parts if (m := _misjudgement(part, now)) is not None],
                alarms=taken.alarms,
                audits=audits,
                configs=taken.configs,
            )
            self._store.commit(unit)
        except BaseException:
            with self._records_lock:  # nothing was written: put all back, in order
                later, self._records = self._records, taken
                taken.acknowledged += later.acknowledged
                taken.alarms += later.alarms
                taken.audits += later.audits
                taken.configs += later.configs
                self._gap = _Gap(gap.first or self._gap.first, self._gap.last or gap.last, gap.count + self._gap.count)
            raise
        if unit.messages:
            try:
                self._committed()
            except Exception:  # the unit is durable: to hold its parts now would belie the record
                log.exception("telling the publisher of new messages failed")

    def _messages(self, parts: Sequence[InspectedPart], alarms: Sequence[Alarm]) -> list[OutboxMessage]:
        if self._topics is None:  # nobody is told, so nothing piles up
            return []
        messages = [verdict_message(part, self._topics) for part in parts]
        return messages + [alarm_message(alarm, self._topics) for alarm in alarms]

    def _begin_outage(self, error: Exception) -> None:
        if not isinstance(error, StoreUnavailable):
            log.exception("the store failed in an unforeseen way")
        self._outage = str(error) or type(error).__name__
        self._retry_at = time.monotonic() + _RETRY_S
        if self._alarms is not None:
            self._alarms.raise_(
                AlarmCode.STORE_UNAVAILABLE,
                f"Verdicts cannot be written: {self._outage}",
                "Every part is held until this is mended. Free the disk or mend the database; it resumes by itself.",
            )

    def _hold_all(self, group: list[_Decided]) -> None:
        for decided in group:
            held = decided.part.disposition
            if held.action is not Action.HOLD:
                held = Disposition.hold(HoldReason.STORE_UNAVAILABLE, "the verdict could not be made durable")
            part = decided.part.held(held)
            if len(self._unwritten) < _UNWRITTEN_LIMIT or self._may_wait:
                self._unwritten.append(part)
            else:
                self._count_only(part)
            self._release(part, decided.frame)

    def _count_only(self, part: InspectedPart) -> None:
        with self._records_lock:
            self._gap.first = self._gap.first or part.part_id
            self._gap.last = part.part_id
            self._gap.count += 1

    def _recover(self) -> None:
        size = _CHUNK
        try:
            while True:
                chunk = list(islice(self._unwritten, size))
                try:
                    self._commit(chunk)
                except StoreUnavailable:
                    raise
                except Exception as error:
                    # One part that no store takes shall not keep all others from the record: find it, set it aside.
                    if len(chunk) > 1:
                        size = len(chunk) // 2
                        continue
                    if not chunk:
                        raise
                    self._set_aside(chunk[0], error)
                for _ in chunk:
                    self._unwritten.popleft()
                size = min(2 * size, _CHUNK)
                if not self._unwritten:
                    break
        except Exception as error:
            if not isinstance(error, StoreUnavailable):
                log.exception("the store failed in an unforeseen way")
            self._outage = str(error) or type(error).__name__
            self._retry_at = time.monotonic() + _RETRY_S
            return
        self._outage = ""
        if self._alarms is not None:
            self._alarms.clear(AlarmCode.STORE_UNAVAILABLE)

    def _set_aside(self, part: InspectedPart, error: Exception) -> None:
        """Record that there was `part`. Raises when that cannot be written either: then the part is not at fault."""
        why = f"the store refuses it ({error})"
        self._commit([], _unrecorded(_Gap(part.part_id, part.part_id, 1), why, self._clock))
        log.error("part %s was held without a record of its own: %s", part.part_id, why)

    def _release(self, part: InspectedPart, frame: Frame | None) -> None:
        self._ledger.leave(part.part_id, part.disposition)
        self._tally.add(part)
        with self._sinks_lock:  # `submit_now` releases in the intake's thread
            for sink in self._sinks:
                try:
                    sink(part, frame)
                except Exception:
                    log.exception("a sink failed for part %s", part.part_id)

    def _refuse_if_failed(self) -> None:
        if self.failure is not None:
            raise InspectorError(f"nothing can be released any more: {self.failure}") from self.failure


def _misjudgement(part: InspectedPart, found_at: datetime) -> Misjudgement | None:
    if not (part.is_escape or part.is_overkill):
        return None
    kind = MisjudgementKind.ESCAPE if part.is_escape else MisjudgementKind.OVERKILL
    found_by = FoundBy.SIMULATION if part.is_simulated else FoundBy.LABEL
    return Misjudgement(part.part_id, kind, found_by, found_at, part.truth.defect_class if part.truth else None)


def _unrecorded(gap: _Gap, why: str, clock: Clock) -> AuditEntry:
    reason = f"{gap.count} parts from {gap.first} to {gap.last} were held without a record of their own: {why}"
    return AuditEntry(clock.now(), "station", "parts.held_unrecorded", gap.first, None, str(gap.count), reason)
