"""The inspected part: trigger, verdict and disposition together. It is what is stored, sent and shown."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime

from inspector.domain.disposition import Action, Disposition
from inspector.domain.part import Part
from inspector.domain.truth import Label, Truth
from inspector.domain.verdict import Outcome, Verdict

_EVENT_NAMESPACE = uuid.UUID("6f1d7f0e-6f0e-5b5a-9c53-5d1a4b0f9a11")


def event_id_of(kind: str, key: str) -> str:
    """The stable id of an event: the same kind and key give the same id in every process and after every restart."""
    return str(uuid.uuid5(_EVENT_NAMESPACE, f"{kind}/{key}"))


@dataclass(frozen=True, slots=True)
class InspectedPart:
    """One row of the log. Field names follow OPC 40100 where it has one.

    `latency_ms` runs from the captured picture to the decided disposition, before it is made durable.
    `verdict` is None for a part that no stage has seen.
    """

    part_id: str
    sequence: int
    run_id: str
    station_id: str
    recipe_id: str
    config_version: str
    frame_id: str
    origin: str
    captured_at: datetime
    captured_ns: int
    is_simulated: bool
    truth: Truth | None
    verdict: Verdict | None
    disposition: Disposition
    latency_ms: float

    @classmethod
    def of(
        cls,
        part: Part,
        *,
        station_id: str,
        config_version: str,
        verdict: Verdict | None,
        disposition: Disposition,
        latency_ms: float,
    ) -> "InspectedPart":
        trigger = part.trigger
        return cls(
            part_id=part.part_id,
            sequence=part.sequence,
            run_id=part.run_id,
            station_id=station_id,
            recipe_id=part.recipe_id,
            config_version=config_version,
            frame_id=trigger.frame_id,
            origin=trigger.origin,
            captured_at=trigger.captured_at,
            captured_ns=trigger.captured_ns,
            is_simulated=trigger.is_simulated,
            truth=trigger.truth,
            verdict=verdict,
            disposition=disposition,
            latency_ms=latency_ms,
        )

    @property
    def event_id(self) -> str:
        return event_id_of("verdict", self.part_id)

    @property
    def result_state(self) -> Outcome:
        return self.verdict.outcome if self.verdict is not None else Outcome.UNDECIDED

    @property
    def is_escape(self) -> bool:
        """A defective part passed."""
        return self.truth is not None and self.truth.label is Label.NG and self.disposition.action is Action.PASS

    @property
    def is_overkill(self) -> bool:
        """A good part rejected."""
        return self.truth is not None and self.truth.label is Label.OK and self.disposition.action is Action.REJECT

    @property
    def is_correct(self) -> bool:
        """Truth is known, and the part went where it belongs: good ones passed, defective ones rejected."""
        if self.truth is None:
            return False
        wanted = Action.PASS if self.truth.label is Label.OK else Action.REJECT
        return self.disposition.action is wanted

    def held(self, disposition: Disposition) -> "InspectedPart":
        """The same part, held: used when its verdict cannot be made durable."""
        return replace(self, disposition=disposition)
