"""Capture: every trigger becomes a part, and a picture unfit for inspection is held before any model sees it."""

import logging
from collections.abc import Callable

import numpy as np

from inspector.domain.disposition import Disposition, HoldReason
from inspector.domain.frame import Frame, Trigger
from inspector.domain.model import InputSpec
from inspector.domain.part import Part
from inspector.pipeline.ledger import Ledger
from inspector.pipeline.picture import FrozenWatch, content_fault, format_fault
from inspector.pipeline.rules import Rules
from inspector.ports import FrameSource

log = logging.getLogger(__name__)


class Intake:
    """Reads one source in one thread: number the trigger, enter it in the ledger, check the picture, queue the part.

    `offer` queues a part, waiting for room where the source waits for us (folder, video). A live source cannot wait:
    False means that the queue is full, and the part is held (OVERLOAD), so that nothing is dropped unseen.
    """

    def __init__(
        self,
        source: FrameSource,
        spec: InputSpec,
        rules: Callable[[], Rules],
        ledger: Ledger,
        offer: Callable[[Part], bool],
        hold: Callable[[Part, Disposition], None],
        run_id: str,
        limit: int | None,
    ) -> None:
        self._source = source
        self._spec = spec
        self._rules = rules
        self._ledger = ledger
        self._offer = offer
        self._hold = hold
        self._run_id = run_id
        self._limit = limit
        self._frozen = FrozenWatch()

    def run(self) -> None:
        """Until the source ends or `limit` parts were taken. Raises SourceError as the source does."""
        try:
            for sequence, trigger in enumerate(self._source.triggers(), start=1):
                part = Part(f"{self._run_id}-{sequence:08d}", sequence, self._run_id, self._rules().recipe_id, trigger)
                self._ledger.enter(part.part_id)
                self._take(part)
                if self._limit is not None and sequence >= self._limit:
                    break
        finally:
            self._source.close()

    def _take(self, part: Part) -> None:
        try:
            fault = self._fault(part.trigger)
        except Exception as error:
            log.exception("picture check of part %s failed", part.part_id)
            fault = Disposition.hold(HoldReason.INTERNAL, f"the picture check failed: {error}")
        if fault is not None:
            self._hold(part, fault)
        elif not self._offer(part):
            self._hold(part, Disposition.hold(HoldReason.OVERLOAD, "the part came while the queue was full"))

    def _fault(self, trigger: Trigger) -> Disposition | None:
        if not isinstance(trigger, Frame):
            return Disposition.hold(HoldReason.NO_PICTURE, trigger.detail)
        limits = self._rules().picture
        fault = format_fault(trigger.image, self._spec)
        # The frozen watch sees every picture, so that a stuck sensor is told apart from one bad frame.
        frozen = self._frozen.fault(trigger.image, limits.frozen_after)
        if fault is not None:
            return fault
        return content_fault(np.asarray(trigger.image, dtype=np.uint8), limits) or frozen  # no copy: it is u8
