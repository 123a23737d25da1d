"""One worker: takes waiting parts and walks each through the cascade, as far as it needs and its deadline allows."""

import logging
import queue
import time
from collections.abc import Callable

import numpy as np

from inspector.domain.disposition import Disposition, HoldReason
from inspector.domain.part import Part
from inspector.domain.verdict import Verdict
from inspector.pipeline.cascade import BadScoreError, Cascade
from inspector.pipeline.disposition import disposition_of
from inspector.pipeline.rules import Rules
from inspector.ports import StagedClassifier, StagedSession

log = logging.getLogger(__name__)

Decide = Callable[[Part, Verdict | None, Disposition, Rules], None]
"""Where a decided part goes. May block while the store is slow: that is the back-pressure of the line."""


class Worker:
    """Runs in a thread of its own with infer requests of its own."""

    def __init__(
        self,
        classifier: StagedClassifier,
        waiting: "queue.Queue[Part | None]",
        rules: Callable[[], Rules],
        decide: Decide,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._classifier = classifier
        self._cascade = Cascade(classifier.info)
        self._waiting = waiting
        self._rules = rules
        self._decide = decide
        self._monotonic_ns = monotonic_ns
        self._session: StagedSession | None = None

    def run(self) -> None:
        """Until a None is taken from the queue; it is put back for the next worker."""
        while True:
            part = self._waiting.get()
            if part is None:
                self._waiting.put(None)
                return
            rules = self._rules()  # one look: a part is judged under one set of rules from start to end
            try:
                verdict, disposition = self._judged(part, rules)
            except Exception as error:  # ours, not the model's: the part is held, and the worker lives on
                log.exception("part %s could not be disposed of", part.part_id)
                verdict, disposition = None, Disposition.hold(HoldReason.INTERNAL, f"an unforeseen error: {error}")
            self._decide(part, verdict, disposition, rules)

    def _judged(self, part: Part, rules: Rules) -> tuple[Verdict | None, Disposition]:
        frame = part.frame
        if frame is None:  # intake holds those; proof against a change there
            return None, Disposition.hold(HoldReason.NO_PICTURE, "no picture reached the model")
        if late := self._late(part, rules):
            return None, late
        try:
            if self._session is None:
                self._session = self._classifier.session()
            image = np.asarray(frame.image, dtype=np.uint8)  # no copy: intake checked that it is u8
            verdict = self._cascade.judge(self._session, image, rules.policy)
        except BadScoreError as error:
            return None, Disposition.hold(HoldReason.BAD_SCORE, str(error))
        except Exception as error:
            log.exception("part %s could not be judged", part.part_id)
            self._session = None  # its requests may be in any state: the next part gets fresh ones
            return None, Disposition.hold(HoldReason.STAGE_FAILED, f"a stage failed: {error}")
        return verdict, self._late(part, rules) or disposition_of(verdict)

    def _late(self, part: Part, rules: Rules) -> Disposition | None:
        if rules.deadline_ms <= 0:
            return None
        age_ms = (self._monotonic_ns() - part.trigger.captured_ns) / 1e6
        if age_ms <= rules.deadline_ms:
            return None
        detail = f"{age_ms:.0f} ms after its picture, the deadline is {rules.deadline_ms:g} ms"
        return Disposition.hold(HoldReason.DEADLINE, detail)
