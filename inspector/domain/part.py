"""The part: what is judged. One trigger makes one part."""

from dataclasses import dataclass

from inspector.domain.frame import Frame, MissedFrame, Trigger


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One part on its way through the station.

    `part_id` is unique for ever: the run's id and the trigger's number in that run. `sequence` counts triggers of the
    run from 1.
    """

    part_id: str
    sequence: int
    run_id: str
    recipe_id: str
    trigger: Trigger

    @property
    def frame(self) -> Frame | None:
        return self.trigger if isinstance(self.trigger, Frame) else None

    @property
    def missed(self) -> MissedFrame | None:
        return self.trigger if isinstance(self.trigger, MissedFrame) else None
