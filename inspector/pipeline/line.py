"""The line: intake, workers and dispatcher as one thing that starts, runs and stops.

    IDLE ──start──▶ RUNNING ──source ends, limit, stop()──▶ DRAINING ──all parts released──▶ ENDED
                       │                                        │
                       └──── a part is lost, the dispatcher dies ┴──▶ FAULTED (close() raises)

Draining finishes what was triggered: a part that has entered always leaves with a disposition.
"""

import logging
import queue
import secrets
import threading
import time
from collections.abc import Callable, Sequence

from inspector.domain.disposition import Disposition
from inspector.domain.events import Topics
from inspector.domain.inspection import InspectedPart
from inspector.domain.part import Part
from inspector.domain.state import Counts, Phase
from inspector.domain.verdict import Verdict
from inspector.pipeline.alarms import AlarmBook
from inspector.pipeline.capture import Intake
from inspector.pipeline.dispatch import Dispatcher, PartSink
from inspector.pipeline.escalation import Worker
from inspector.pipeline.ledger import Ledger
from inspector.pipeline.rules import Rules
from inspector.pipeline.tally import Tally
from inspector.ports import Clock, FrameSource, StagedClassifier, VerdictStore

log = logging.getLogger(__name__)


def new_run_id(clock: Clock) -> str:
    """Readable, sortable and unique: start time (UTC) and 24 random bits."""
    return f"{clock.now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


class InspectionLine:
    """Wires one source, one classifier and one store. Without `topics` no messages are made.

    All public methods are callable from any thread.
    """

    def __init__(
        self,
        source: FrameSource,
        classifier: StagedClassifier,
        store: VerdictStore,
        *,
        clock: Clock,
        topics: Topics | None,
        station_id: str,
        rules: Rules,
        sinks: Sequence[PartSink] = (),
        committed: Callable[[], None] = lambda: None,
        workers: int = 1,
        queue_parts: int = 32,
        group_parts: int = 64,
        group_wait_s: float = 0.0,
        limit: int | None = None,
    ) -> None:
        self.run_id = new_run_id(clock)
        self.ledger = Ledger()
        self.tally = Tally(classifier.info.exits)
        self.dispatcher = Dispatcher(
            store, topics, clock, self.ledger, self.tally, sinks, committed,
            group_parts=group_parts, group_wait_s=group_wait_s, may_wait=not source.is_live,
        )  # fmt: skip
        self.alarms = AlarmBook(clock, self.dispatcher.record_alarm)
        self._clock = clock
        self._station_id = station_id
        self._rules = rules
        self._source = source
        self._phase = Phase.STARTING
        self._error: Exception | None = None
        # A live source needs room for bursts. One that waits for us does not: a long queue would only add latency.
        waiting: queue.Queue[Part | None] = queue.Queue(maxsize=queue_parts if source.is_live else workers)
        self._waiting = waiting
        self._intake = Intake(
            source, classifier.info.input, self._rules_now, self.ledger, self._offer, self._hold, self.run_id, limit
        )
        self._intake_thread = threading.Thread(target=self._take_in, name="intake", daemon=True)
        self._worker_threads = [
            threading.Thread(
                target=self._work,
                args=(Worker(classifier, waiting, self._rules_now, self._decide, clock.monotonic_ns),),
                name=f"worker-{n + 1}",
                daemon=True,
            )
            for n in range(workers)
        ]

    @property
    def phase(self) -> Phase:
        return Phase.FAULTED if self.dispatcher.failure is not None else self._phase

    @property
    def rules(self) -> Rules:
        return self._rules

    def apply(self, rules: Rules) -> None:
        """New rules for every part that a worker takes up from now on."""
        self._rules = rules

    def start(self) -> None:
        self.dispatcher.start(self.alarms)
        for thread in self._worker_threads:
            thread.start()
        if self._phase is Phase.STARTING:
            self._phase = Phase.RUNNING
        self._intake_thread.start()

    def stop(self) -> None:
        """Take no more parts. Returns at once; `join` is True when all that were taken are decided."""
        self._move_to(Phase.STOPPING)
        self.dispatcher.drain()
        self._source.close()

    def is_running(self) -> bool:
        return self._intake_thread.is_alive() or any(thread.is_alive() for thread in self._worker_threads)

    def join(self, timeout_s: float) -> bool:
        """True once the source has ended and every part is decided."""
        until = time.monotonic() + timeout_s
        for thread in self._started():
            thread.join(max(0.0, until - time.monotonic()))
        return not self.is_running()

    def close(self, grace_s: float = 10.0) -> Counts:
        """Release what is left and account for every part. Also for a line whose `start` failed or was never reached.

        Raises what ended the intake (SourceError), StoreUnavailable when records could not be written, and
        ConservationError when a part is missing.
        """
        self.stop()
        if self._intake_thread.ident is None:  # nobody else tells the workers to go home
            self._put(None)
        for thread in self._started():
            thread.join()
        try:
            self.dispatcher.close(grace_s)
            counts = self.ledger.close()
            if self._error is not None:
                raise self._error
        except BaseException:
            self._move_to(Phase.FAULTED)
            raise
        self._move_to(Phase.STOPPED)
        return counts

    def _started(self) -> list[threading.Thread]:
        threads = (self._intake_thread, *self._worker_threads)
        return [thread for thread in threads if thread.ident is not None]

    def _move_to(self, phase: Phase) -> None:
        """What has ended stays so, whoever calls `stop` again."""
        if self._phase not in (Phase.STOPPED, Phase.FAULTED):
            self._phase = phase

    def _rules_now(self) -> Rules:
        return self._rules

    def _take_in(self) -> None:
        try:
            self._intake.run()
        except Exception as error:
            log.error("the source ended with an error: %s", error)
            self._error = self._error or error
        finally:
            self._move_to(Phase.STOPPING)
            self._put(None)

    def _offer(self, part: Part) -> bool:
        if not self._source.is_live:
            return self._put(part)
        try:
            self._waiting.put_nowait(part)
        except queue.Full:
            return False
        return True

    def _put(self, part: Part | None) -> bool:
        while any(thread.is_alive() for thread in self._worker_threads):  # nobody would ever make room otherwise
            try:
                self._waiting.put(part, timeout=1.0)
                return True
            except queue.Full:
                continue
        return False

    def _work(self, worker: Worker) -> None:
        try:
            worker.run()
        except Exception as error:  # a worker holds what it cannot judge, so this is the dispatcher's failure or ours
            log.exception("a worker stopped")
            self._error = self._error or error
            self._source.close()

    def _hold(self, part: Part, disposition: Disposition) -> None:
        inspected = self._inspected(part, None, disposition, self._rules)
        if self._source.is_live:
            self.dispatcher.submit_now(inspected, part.frame)
        else:
            self.dispatcher.submit(inspected, part.frame)

    def _decide(self, part: Part, verdict: Verdict | None, disposition: Disposition, rules: Rules) -> None:
        due_ns = part.trigger.captured_ns + int(rules.deadline_ms * 1e6) if rules.deadline_ms > 0 else None
        self.dispatcher.submit(self._inspected(part, verdict, disposition, rules), part.frame, due_ns)

    def _inspected(self, part: Part, verdict: Verdict | None, disposition: Disposition, rules: Rules) -> InspectedPart:
        latency_ms = (self._clock.monotonic_ns() - part.trigger.captured_ns) / 1e6
        return InspectedPart.of(
            part,
            station_id=self._station_id,
            config_version=rules.config_version,
            verdict=verdict,
            disposition=disposition,
            latency_ms=latency_ms,
        )
