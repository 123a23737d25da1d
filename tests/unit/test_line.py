"""The whole line on fakes: every trigger leaves as PASS, REJECT or HOLD(reason), whatever breaks on the way."""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inspector.domain.disposition import Action, HoldReason
from inspector.domain.errors import ModelError, SourceError, StoreUnavailable
from inspector.domain.events import Topics
from inspector.domain.exits import CLOSED, ExitBand
from inspector.domain.frame import Frame, Image, MissedFrame, SourceHealth, Trigger
from inspector.domain.inspection import InspectedPart
from inspector.domain.recipe import PictureLimits, Recipe
from inspector.domain.state import Phase
from inspector.domain.truth import Label, Truth
from inspector.domain.verdict import Outcome, Verdict
from inspector.pipeline import dispatch
from inspector.pipeline.capture import Intake
from inspector.pipeline.line import InspectionLine
from inspector.pipeline.rules import Rules
from inspector.testing import FakeClassifier, FakeStore, fake_model_info

TOPICS = Topics(["plant", "station-3"])
INFO = fake_model_info(bands={"front": ExitBand(0.1, 0.9), "full": ExitBand(0.5, 0.5)})
LIMITS = PictureLimits(black_below_mean=1, blurred_below=0.1)
RECIPE = Recipe("bracket-a", "Bracket", "bundle", picture=LIMITS)


class SystemTime:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


def until(condition: Callable[[], object]) -> None:
    """Polls: what is waited for comes from another thread."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


# Every picture says in its first pixels which part it is and what the model is to answer.
OK, NG, HARD_OK, HARD_NG, TORN, SICK = range(6)
ANSWERS: dict[int, Sequence[Sequence[float] | Exception]] = {
    OK: [(0.97, 0.03), (0.97, 0.03)],
    NG: [(0.02, 0.98), (0.02, 0.98)],
    HARD_OK: [(0.6, 0.4), (0.8, 0.2)],
    HARD_NG: [(0.6, 0.4), (0.2, 0.8)],
    TORN: [ModelError("the device was lost"), (0.97, 0.03)],
    SICK: [(float("nan"), 0.1), (0.97, 0.03)],
}
EXPECTED = {OK: "PASS", NG: "REJECT", HARD_OK: "PASS", HARD_NG: "REJECT", TORN: "STAGE_FAILED", SICK: "BAD_SCORE"}


def picture(kind: int, number: int) -> Image:
    image = np.random.default_rng(number).integers(60, 160, INFO.input.shape, dtype=np.uint8)
    image[0, 0] = kind
    return image


def frame(kind: int, number: int) -> Frame:
    now = datetime.now(UTC)
    return Frame(f"F-{number}", picture(kind, number), now, time.monotonic_ns(), "script")


def missed(number: int) -> MissedFrame:
    return MissedFrame(f"F-{number}", datetime.now(UTC), time.monotonic_ns(), "script", "the file is damaged")


def answer(image: Image) -> Sequence[Sequence[float] | Exception]:
    return ANSWERS[int(image[0, 0, 0])]


class Script:
    """A source that yields what it is given, one at a time where `step` is used, and can fail at the end."""

    def __init__(
        self,
        triggers: Sequence[Trigger] = (),
        *,
        is_live: bool = False,
        error: Exception | None = None,
        ends: bool = True,
    ) -> None:
        self._queue: queue.Queue[Trigger | None] = queue.Queue()
        self._is_live = is_live
        self._error = error
        self.is_closed = threading.Event()
        self.yielded = 0
        for trigger in triggers:
            self._queue.put(trigger)
        if ends:
            self._queue.put(None)

    @property
    def name(self) -> str:
        return "script"

    @property
    def is_live(self) -> bool:
        return self._is_live

    def push(self, *triggers: Trigger) -> None:
        for trigger in triggers:
            self._queue.put(trigger)

    def end(self) -> None:
        self._queue.put(None)

    def triggers(self) -> Iterator[Trigger]:
        while not self.is_closed.is_set():
            try:
                trigger = self._queue.get(timeout=0.01)
            except queue.Empty:
                continue
            if trigger is None:
                if self._error is not None:
                    raise self._error
                return
            self.yielded += 1
            yield trigger

    def health(self) -> SourceHealth:
        return SourceHealth(True, "ok", self.yielded)

    def close(self) -> None:
        self.is_closed.set()


class Gate:
    """A model that answers only while it is open."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.reached = threading.Event()

    def __call__(self, image: Image) -> Sequence[Sequence[float] | Exception]:
        self.reached.set()
        assert self.open.wait(30)
        return answer(image)


class Rig:
    def __init__(self, source: Script, model: FakeClassifier | None = None, *, recipe: Recipe = RECIPE, **more: Any):
        self.source = source
        self.store = FakeStore()
        self.model = model or FakeClassifier(answer, info=INFO)
        self.released: list[InspectedPart] = []
        self.line = InspectionLine(
            source,
            self.model,
            self.store,
            clock=SystemTime(),
            topics=TOPICS,
            station_id="station-3",
            rules=Rules.of(recipe, self.model.info, "v1"),
            sinks=[lambda part, frame: self.released.append(part)],
            **more,
        )

    def run(self) -> "Rig":
        self.line.start()
        until(lambda: self.line.join(1.0))
        self.line.close()
        return self

    def results(self) -> dict[int, str]:
        """By trigger: a part that is held before the model may well be released before the one in front of it."""
        return dict(sorted((part.sequence, result(part)) for part in self.released))

    def check_complete(self) -> None:
        """Every trigger is counted, released, stored and told exactly once, each time as the same."""
        counts = self.line.ledger.counts()
        assert counts.is_conserved
        assert counts.in_flight == 0
        assert counts.triggers == self.source.yielded == len(self.released) == len(self.store.parts)
        assert {p.part_id: p for p in self.released} == self.store.parts
        assert {m.event_id for m in self.store.messages.values()} >= {p.event_id for p in self.released}
        told = Counter(result(part) for part in self.released)
        assert counts.passed == told.pop("PASS", 0)
        assert counts.rejected == told.pop("REJECT", 0)
        assert counts.hold == told


def result(part: InspectedPart) -> str:
    return str(part.disposition.hold_reason or part.disposition.action)


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_RETRY_S", 0.02)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    until(lambda: not set(threading.enumerate()) - before)


# --- Conservation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_live", [False, True], ids=["waits", "live"])
@pytest.mark.parametrize("workers", [1, 3])
def test_every_trigger_leaves_once_and_as_its_picture_deserves(workers: int, is_live: bool) -> None:
    kinds = [n % 6 for n in range(150)]
    triggers: list[Trigger] = [frame(kind, n) for n, kind in enumerate(kinds, 1)]
    triggers[20:20] = [missed(1000)]
    rig = Rig(Script(triggers, is_live=is_live), workers=workers, queue_parts=500, group_parts=128).run()
    rig.check_complete()
    expected = [EXPECTED[kind] for kind in kinds]
    expected[20:20] = ["NO_PICTURE"]
    assert rig.results() == dict(enumerate(expected, 1))
    assert rig.line.phase is Phase.STOPPED
    assert rig.source.is_closed.is_set()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.one_of(st.integers(0, 5), st.sampled_from(["missed", "frozen", "black", "deep", "half"])), max_size=30),
    st.integers(1, 3),
    st.booleans(),
    st.integers(1, 5),
)
def test_conservation_holds_for_any_mix(kinds: list[Any], workers: int, is_live: bool, group_parts: int) -> None:
    triggers: list[Trigger] = []
    for n, kind in enumerate(kinds, 1):
        shot = frame(kind if isinstance(kind, int) else OK, n)
        if kind == "missed":
            triggers.append(missed(n))
        elif kind == "black":
            triggers.append(replace(shot, image=np.zeros(INFO.input.shape, np.uint8)))
        elif kind == "deep":
            triggers.append(replace(shot, image=shot.image.astype(np.uint16)))
        elif kind == "half":
            triggers.append(replace(shot, image=shot.image[:12]))
        elif kind == "frozen" and triggers and isinstance(triggers[-1], Frame):
            triggers.append(replace(shot, image=triggers[-1].image.copy()))
        else:
            triggers.append(shot)
    source = Script(triggers, is_live=is_live)
    rig = Rig(source, workers=workers, queue_parts=2, group_parts=group_parts).run()
    counts = rig.line.ledger.counts()
    assert counts.triggers == len(rig.released) == len(triggers)
    unrecorded = sum(int(entry.new or 0) for entry in rig.store.audits)
    assert len(rig.store.parts) + unrecorded == len(triggers), "each has a record, or is counted in the audit trail"
    for part in rig.released:
        kind = kinds[part.sequence - 1]
        if isinstance(kind, str) and kind != "frozen":
            assert part.disposition.action is Action.HOLD
        elif part.disposition.action is Action.PASS:
            assert kind in (OK, HARD_OK, "frozen")


def test_no_trigger_at_all_is_a_run_of_nothing() -> None:
    rig = Rig(Script()).run()
    assert rig.line.ledger.counts().triggers == 0
    assert rig.store.parts == {}


def test_unfit_pictures_never_reach_the_model() -> None:
    good = frame(OK, 1)
    unfit: list[Trigger] = [
        replace(good, image=np.zeros(INFO.input.shape, np.uint8)),
        replace(good, image=good.image.astype(np.uint16)),
        good,
        replace(good, image=good.image.copy()),
        missed(5),
    ]
    rig = Rig(Script(unfit)).run()
    assert list(rig.results().values()) == ["BLACK", "WRONG_FORMAT", "PASS", "FROZEN", "NO_PICTURE"]
    assert rig.model.parts == 1
    rig.check_complete()


def test_a_picture_check_that_fails_holds_the_part(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr("inspector.pipeline.capture.content_fault", broken)
    rig = Rig(Script([frame(OK, 1)])).run()
    assert rig.results() == {1: "INTERNAL"}
    rig.check_complete()


def test_a_record_says_where_the_part_came_from_and_how_it_was_judged() -> None:
    shot = replace(frame(HARD_NG, 1), truth=Truth(Label.OK))
    rig = Rig(Script([shot])).run()
    (part,) = rig.store.parts.values()
    assert part.part_id == f"{rig.line.run_id}-00000001"
    assert (part.sequence, part.run_id, part.station_id) == (1, rig.line.run_id, "station-3")
    assert (part.recipe_id, part.config_version, part.origin, part.frame_id) == ("bracket-a", "v1", "script", "F-1")
    assert part.verdict is not None
    assert (part.verdict.outcome, part.verdict.exit) == (Outcome.NG, "full")
    assert part.latency_ms > 0
    assert part.is_overkill
    assert rig.line.tally.overkill().count == len(rig.store.misjudgements) == 1


def test_stages_run_only_as_far_as_the_parts_need() -> None:
    rig = Rig(Script([frame(kind, n) for n, kind in enumerate([OK, NG, HARD_OK, OK], 1)])).run()
    assert rig.model.runs == [4, 1]
    assert [(e.name, e.count) for e in rig.line.tally.exits()] == [("front", 3), ("full", 1)]


def test_each_run_has_an_id_of_its_own() -> None:
    ids = {Rig(Script()).line.run_id for _ in range(20)}
    assert len(ids) == 20


# --- Ending ----------------------------------------------------------------------------------------------------------


def test_the_limit_is_kept_exactly() -> None:
    rig = Rig(Script([frame(OK, n) for n in range(1, 21)], ends=False), limit=7).run()
    assert rig.line.ledger.counts().triggers == rig.source.yielded == 7
    assert rig.source.is_closed.is_set()
    rig.check_complete()


def test_stop_in_the_middle_finishes_what_has_entered() -> None:
    gate = Gate()
    source = Script([frame(OK, n) for n in range(1, 41)], ends=False)
    rig = Rig(source, FakeClassifier(gate, info=INFO), workers=2)
    rig.line.start()
    assert rig.line.phase is Phase.RUNNING
    assert gate.reached.wait(30)
    rig.line.stop()
    assert rig.line.phase is Phase.STOPPING
    assert not rig.line.join(0.01)
    gate.open.set()
    until(lambda: rig.line.join(1.0))
    counts = rig.line.close()
    assert 0 < counts.triggers < 40
    rig.check_complete()
    rig.line.stop()
    assert rig.line.phase is Phase.STOPPED, "what has ended stays so"


def test_close_alone_ends_a_line_that_runs() -> None:
    rig = Rig(Script([frame(OK, n) for n in range(1, 6)], ends=False))
    rig.line.start()
    until(lambda: len(rig.released) == 5)
    assert rig.line.close().passed == 5
    assert rig.line.close().passed == 5
    rig.check_complete()


def test_the_end_of_the_source_is_seen() -> None:
    source = Script(ends=False)
    rig = Rig(source)
    rig.line.start()
    assert rig.line.is_running()
    source.end()
    until(lambda: rig.line.phase is Phase.STOPPING)
    until(lambda: not rig.line.is_running())
    rig.line.close()


def test_a_source_that_fails_keeps_the_parts_before_it() -> None:
    rig = Rig(Script([frame(OK, n) for n in range(1, 11)], error=SourceError("the camera was unplugged")))
    rig.line.start()
    until(lambda: rig.line.join(1.0))
    with pytest.raises(SourceError, match="unplugged"):
        rig.line.close()
    assert rig.line.ledger.counts().passed == 10
    rig.check_complete()
    assert rig.line.phase is Phase.FAULTED
    assert rig.source.is_closed.is_set()


def test_a_line_that_never_started_can_be_closed() -> None:
    rig = Rig(Script(ends=False), workers=3)
    assert rig.line.phase is Phase.STARTING
    assert rig.line.close().triggers == 0
    assert rig.source.is_closed.is_set()


def test_a_line_whose_start_failed_half_way_can_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(Script(ends=False), workers=3)
    real = threading.Thread.start

    def out_of_threads(thread: threading.Thread) -> None:
        if thread.name == "intake":
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", out_of_threads)
    with pytest.raises(RuntimeError, match="new thread"):
        rig.line.start()
    assert rig.line.close().triggers == 0


def test_stop_before_start_takes_nothing() -> None:
    rig = Rig(Script([frame(OK, 1)]))
    rig.line.stop()
    rig.line.start()
    assert rig.line.phase is Phase.STOPPING
    until(lambda: rig.line.join(1.0))
    assert rig.line.close().triggers == 0


# --- Overload and deadline -------------------------------------------------------------------------------------------


def test_a_live_source_that_is_too_fast_is_held_and_not_lost() -> None:
    gate = Gate()
    source = Script(is_live=True, ends=False)
    rig = Rig(source, FakeClassifier(gate, info=INFO), queue_parts=4)
    rig.line.start()
    source.push(frame(OK, 1))
    assert gate.reached.wait(30)
    source.push(*[frame(OK, n) for n in range(2, 21)])  # 1 is with the model, 4 wait, 15 are too many
    until(lambda: len(rig.released) == 15)
    assert Counter(rig.results().values()) == {"OVERLOAD": 15}
    gate.open.set()
    source.end()
    until(lambda: rig.line.join(1.0))
    counts = rig.line.close()
    assert (counts.triggers, counts.passed, counts.hold) == (20, 5, {"OVERLOAD": 15})
    rig.check_complete()


def test_a_source_that_waits_is_never_overloaded() -> None:
    gate = Gate()
    source = Script([frame(OK, n) for n in range(1, 21)])
    rig = Rig(source, FakeClassifier(gate, info=INFO))
    rig.line.start()
    assert gate.reached.wait(30)
    gate.open.set()
    until(lambda: rig.line.join(1.0))
    assert rig.line.close().passed == 20


def test_a_part_that_comes_too_late_to_the_model_is_not_judged() -> None:
    old = replace(frame(OK, 1), captured_ns=time.monotonic_ns() - 3_600_000_000_000)
    rig = Rig(Script([old]), recipe=replace(RECIPE, deadline_ms=60_000)).run()
    assert rig.results() == {1: "DEADLINE"}
    assert rig.model.parts == 0
    rig.check_complete()


def test_a_verdict_that_comes_too_late_is_no_pass() -> None:
    gate = Gate()
    shots = [frame(OK, 1), frame(NG, 2)]
    rig = Rig(Script(shots), FakeClassifier(gate, info=INFO), recipe=replace(RECIPE, deadline_ms=200), workers=2)
    rig.line.start()
    until(lambda: rig.model.parts or rig.released)
    until(lambda: time.monotonic_ns() - max(shot.captured_ns for shot in shots) > 250_000_000)
    gate.open.set()
    until(lambda: rig.line.join(1.0))
    rig.line.close()
    assert set(rig.results().values()) == {"DEADLINE"}
    assert all("after its picture" in part.disposition.detail for part in rig.released), "seen before the store"
    rig.check_complete()


def test_a_pass_that_waited_for_the_store_beyond_its_deadline_is_held() -> None:
    class SlowStore(FakeStore):
        open = threading.Event()
        reached = threading.Event()

        def commit(self, unit: Any) -> None:
            self.reached.set()
            assert self.open.wait(30)
            super().commit(unit)

    source = Script(ends=False)
    rig = Rig(source)
    rig.store = SlowStore()
    rig.line = InspectionLine(
        source, rig.model, rig.store, clock=SystemTime(), topics=TOPICS, station_id="s",
        rules=Rules.of(replace(RECIPE, deadline_ms=5_000), INFO, "v1"),
        sinks=[lambda part, frame: rig.released.append(part)],
    )  # fmt: skip
    rig.line.start()
    source.push(missed(1))  # keeps the store busy
    assert SlowStore.reached.wait(30)
    shot = replace(frame(OK, 2), captured_ns=time.monotonic_ns() - 4_500_000_000)
    source.push(shot)
    until(lambda: time.monotonic_ns() - shot.captured_ns > 5_200_000_000)
    SlowStore.open.set()
    source.end()
    until(lambda: rig.line.join(1.0))
    rig.line.close()
    assert rig.results()[2] == "DEADLINE"
    assert rig.store.parts[rig.released[1].part_id].disposition.hold_reason is HoldReason.DEADLINE


# --- What breaks on the way ------------------------------------------------------------------------------------------


def test_after_a_stage_has_failed_the_next_part_gets_a_fresh_session() -> None:
    class Counting(FakeClassifier):
        sessions = 0

        def session(self) -> Any:
            self.sessions += 1
            return super().session()

    model = Counting(answer, info=INFO)
    rig = Rig(Script([frame(kind, n) for n, kind in enumerate([OK, TORN, OK, SICK, OK], 1)]), model).run()
    assert list(rig.results().values()) == ["PASS", "STAGE_FAILED", "PASS", "BAD_SCORE", "PASS"]
    assert model.sessions == 2
    rig.check_complete()


def test_a_model_that_gives_no_session_holds_every_part() -> None:
    model = FakeClassifier(answer, info=INFO)
    model.close()
    rig = Rig(Script([frame(OK, n) for n in range(1, 6)]), model).run()
    assert Counter(rig.results().values()) == {"STAGE_FAILED": 5}
    rig.check_complete()


def test_an_error_of_ours_holds_the_part_and_the_worker_lives_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(verdict: Verdict) -> Any:
        raise IndexError("unforeseen")

    monkeypatch.setattr("inspector.pipeline.escalation.disposition_of", broken)
    rig = Rig(Script([frame(OK, 1), frame(OK, 2)])).run()
    assert rig.results() == {1: "INTERNAL", 2: "INTERNAL"}
    rig.check_complete()


def test_while_the_store_is_down_nothing_passes_and_nothing_is_lost() -> None:
    source = Script(ends=False)
    rig = Rig(source, group_parts=4)
    rig.store.failure = StoreUnavailable("the disk is full")
    rig.line.start()
    source.push(*[frame(kind, n) for n, kind in enumerate([OK, NG, SICK] * 4, 1)])
    until(lambda: len(rig.released) == 12)
    assert Counter(rig.results().values()) == {"STORE_UNAVAILABLE": 8, "BAD_SCORE": 4}
    rig.store.failure = None
    until(lambda: not rig.line.dispatcher.outage)
    source.push(frame(OK, 13))
    until(lambda: len(rig.released) == 13)
    assert rig.results()[13] == "PASS"
    source.end()
    until(lambda: rig.line.join(1.0))
    rig.line.close()
    rig.check_complete()


@pytest.mark.parametrize("is_live", [False, True], ids=["waits", "live"])
def test_a_line_ends_although_the_store_is_down_and_memory_is_full(
    monkeypatch: pytest.MonkeyPatch, is_live: bool
) -> None:
    monkeypatch.setattr(dispatch, "_UNWRITTEN_LIMIT", 3)
    rig = Rig(Script([frame(OK, n) for n in range(1, 61)], is_live=is_live), workers=2, group_parts=1, queue_parts=2)
    rig.store.failure = StoreUnavailable("the disk is full")
    rig.line.start()
    until(lambda: rig.line.dispatcher.unwritten >= 3)
    with pytest.raises(StoreUnavailable, match="held parts"):
        rig.line.close(grace_s=0.05)
    counts = rig.line.ledger.counts()
    assert counts.in_flight == 0
    assert counts.held == counts.triggers == len(rig.released)
    assert counts.passed == 0


def test_a_dispatcher_that_failed_ends_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Script([frame(OK, n) for n in range(1, 4)], ends=False)
    rig = Rig(source, workers=2)

    def broken(part: InspectedPart) -> None:
        raise ZeroDivisionError("unforeseen")

    monkeypatch.setattr(rig.line.tally, "add", broken)
    rig.line.start()
    until(lambda: rig.line.phase is Phase.FAULTED)
    source.push(*[frame(OK, n) for n in range(4, 40)])
    until(lambda: rig.line.join(1.0))  # nobody has called stop
    assert source.is_closed.is_set()
    with pytest.raises(ZeroDivisionError):
        rig.line.close(0)
    assert rig.line.phase is Phase.FAULTED


def test_with_all_workers_gone_a_part_is_held_and_not_forgotten() -> None:
    source = Script([frame(OK, 1)])
    rig = Rig(source)
    held: list[str] = []
    intake = Intake(
        source,
        INFO.input,
        lambda: rig.line.rules,
        rig.line.ledger,
        rig.line._offer,  # no worker was ever started
        lambda part, disposition: held.append(str(disposition.hold_reason)),
        "R1",
        None,
    )
    intake.run()
    assert held == ["OVERLOAD"]


# --- Rules -----------------------------------------------------------------------------------------------------------


def test_new_rules_hold_for_every_part_taken_up_from_then_on() -> None:
    source = Script(ends=False)
    rig = Rig(source)
    rig.line.start()
    source.push(frame(OK, 1))
    until(lambda: len(rig.released) == 1)
    rules = Rules.of(replace(RECIPE, bands={"front": CLOSED}), INFO, "v2")
    rig.line.apply(rules)
    assert rig.line.rules is rules
    source.push(frame(OK, 2))
    until(lambda: len(rig.released) == 2)
    rig.line.apply(Rules.of(replace(RECIPE, picture=replace(LIMITS, black_below_mean=255)), INFO, "v3"))
    source.push(frame(OK, 3))
    until(lambda: len(rig.released) == 3)
    source.end()
    until(lambda: rig.line.join(1.0))
    rig.line.close()
    exits = [part.verdict.exit if part.verdict else None for part in rig.released]
    assert exits == ["front", "full", None]
    assert [part.config_version for part in rig.released] == ["v1", "v2", "v3"]
    assert list(rig.results().values()) == ["PASS", "PASS", "BLACK"]


def test_a_part_is_judged_under_one_set_of_rules_from_start_to_end() -> None:
    gate = Gate()
    source = Script([frame(HARD_OK, 1)])
    rig = Rig(source, FakeClassifier(gate, info=INFO))
    rig.line.start()
    assert gate.reached.wait(30)
    rig.line.apply(Rules.of(replace(RECIPE, bands={"full": CLOSED}), INFO, "v2"))
    gate.open.set()
    until(lambda: rig.line.join(1.0))
    rig.line.close()
    assert rig.results() == {1: "PASS"}
    assert rig.released[0].config_version == "v1"


def test_the_pictures_reach_the_sinks() -> None:
    shown: list[tuple[int, bool]] = []
    source = Script([frame(OK, 1), missed(2), frame(NG, 3)])
    model = FakeClassifier(answer, info=INFO)
    line = InspectionLine(
        source, model, FakeStore(), clock=SystemTime(), topics=None, station_id="s",
        rules=Rules.of(RECIPE, INFO, "v1"), sinks=[lambda part, shot: shown.append((part.sequence, shot is not None))],
    )  # fmt: skip
    line.start()
    until(lambda: line.join(1.0))
    line.close()
    assert sorted(shown) == [(1, True), (2, False), (3, True)]
