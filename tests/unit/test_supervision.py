"""Each condition raises its alarm once, and the alarm goes when the condition does."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from inspector.domain.alarm import Alarm, AlarmCode
from inspector.domain.disposition import PASS, Action, Disposition, HoldReason
from inspector.domain.errors import StoreUnavailable
from inspector.domain.frame import SourceHealth
from inspector.domain.message import PublisherHealth
from inspector.domain.recipe import Recipe
from inspector.domain.state import Health
from inspector.pipeline.line import InspectionLine
from inspector.pipeline.rules import Rules
from inspector.pipeline.supervision import Supervisor
from inspector.testing import FakeClassifier, FakeStore
from tests.support.station_values import a_part


class Now:
    """One time for alarms and supervision."""

    def __init__(self) -> None:
        self.s = 100.0

    def now(self) -> datetime:
        return datetime(2026, 3, 14, tzinfo=UTC) + timedelta(seconds=self.s)

    def monotonic_ns(self) -> int:
        return int(self.s * 1e9)

    def __call__(self) -> float:
        return self.s


class Camera:
    name = "camera 1"
    is_live = True

    def __init__(self) -> None:
        self.state = SourceHealth(True, "30 pictures a second")

    def triggers(self) -> Any:
        return iter(())

    def health(self) -> SourceHealth:
        return self.state

    def close(self) -> None:
        pass


class Broker:
    def __init__(self) -> None:
        self.state = PublisherHealth(True, "connected")

    def start(self, outbox: Any) -> None: ...
    def notify(self) -> None: ...
    def health(self) -> PublisherHealth:
        return self.state

    def close(self, drain_s: float) -> None: ...


class Rig:
    def __init__(self, *, mqtt: bool = True) -> None:
        self.now = Now()
        self.camera = Camera()
        self.broker = Broker()
        self.free: Callable[[], float | None] = lambda: 5000.0
        model = FakeClassifier()
        self.line = InspectionLine(
            self.camera,
            model,
            FakeStore(),
            clock=self.now,
            topics=None,
            station_id="station-3",
            rules=Rules.of(Recipe("r", "p", "b"), model.info, "v1"),
        )
        self.changes: list[str] = []
        self.line.dispatcher.record_alarm = self._told  # type: ignore[method-assign]
        self.line.alarms._on_change = self._told
        self.supervisor = Supervisor(
            self.line,
            self.camera,
            self.broker if mqtt else None,
            model_name="bracket 1.0",
            free_disk_mb=lambda: self.free(),
            min_free_mb=1000.0,
            monotonic_s=self.now,
        )
        self._parts = 0

    def _told(self, alarm: Alarm) -> None:
        self.changes.append(f"{alarm.code.value} {'on' if alarm.is_active else 'off'}")

    def check(self, seconds: float = 0.5) -> dict[str, Health]:
        self.now.s += seconds
        return {light.name: light for light in self.supervisor.check()}

    def active(self) -> set[AlarmCode]:
        return {alarm.code for alarm in self.line.alarms.standing() if alarm.is_active}

    def part(self, disposition: Disposition = PASS) -> None:
        """One part that went through the line."""
        self._parts += 1
        part = a_part(self._parts, Action.PASS).held(disposition)
        self.line.ledger.enter(part.part_id)
        self.line.ledger.leave(part.part_id, disposition)
        self.line.tally.add(part)


def test_a_healthy_line_has_five_green_lights_and_no_alarm() -> None:
    rig = Rig()
    lights = rig.check()
    assert list(lights) == ["camera", "model", "store", "mes", "disk"]
    assert all(light.ok for light in lights.values())
    assert lights["model"].detail == "bracket 1.0"
    assert rig.changes == []


def test_a_stalled_camera() -> None:
    rig = Rig()
    rig.camera.state = SourceHealth(False, "no picture for 2 s")
    for _ in range(5):
        assert not rig.check()["camera"].ok
    (alarm,) = rig.line.alarms.standing()
    assert alarm.message == "No pictures from camera 1: no picture for 2 s"
    rig.camera.state = SourceHealth(True, "ok")
    assert rig.check()["camera"].ok
    assert rig.changes == ["CAMERA_STALLED on", "CAMERA_STALLED off"]


def test_twenty_holds_in_a_row() -> None:
    rig = Rig()
    for _ in range(19):
        rig.part(Disposition.hold(HoldReason.BLURRED))
    rig.check()
    assert rig.active() == set()
    rig.part(Disposition.hold(HoldReason.BLURRED))
    rig.check()
    rig.check()
    assert rig.active() == {AlarmCode.HOLD_STREAK}
    rig.part()
    rig.check()
    assert rig.changes == ["HOLD_STREAK on", "HOLD_STREAK off"]


def test_a_streak_is_over_although_a_hold_follows_before_the_next_look() -> None:
    rig = Rig()
    for _ in range(25):
        rig.part(Disposition.hold(HoldReason.BLURRED))
    rig.check()
    rig.part()
    rig.part(Disposition.hold(HoldReason.BLURRED))
    rig.check()
    assert rig.active() == set()


@pytest.mark.parametrize("why", [HoldReason.STAGE_FAILED, HoldReason.BAD_SCORE])
def test_a_model_that_fails(why: HoldReason) -> None:
    rig = Rig()
    rig.check()
    rig.part(Disposition.hold(why))
    light = rig.check()["model"]
    assert (light.ok, light.detail) == (False, "a stage fails")
    assert rig.active() == {AlarmCode.STAGE_FAILED}
    rig.part()
    assert not rig.check(9.0)["model"].ok
    assert rig.check(1.0)["model"].ok
    assert rig.changes == ["STAGE_FAILED on", "STAGE_FAILED off"]


def test_a_failure_now_and_then_is_one_alarm() -> None:
    """A storm of events must not become a storm of alarms."""
    rig = Rig()
    for _ in range(10):
        rig.part(Disposition.hold(HoldReason.STAGE_FAILED))
        rig.part()
        rig.check(8.0)
    assert rig.changes == ["STAGE_FAILED on"]


def test_an_overload() -> None:
    rig = Rig()
    rig.part(Disposition.hold(HoldReason.OVERLOAD))
    lights = rig.check()
    assert rig.active() == {AlarmCode.OVERLOAD}
    assert lights["model"].ok
    rig.check(9.9)
    assert rig.active() == {AlarmCode.OVERLOAD}
    rig.check(0.2)
    assert rig.changes == ["OVERLOAD on", "OVERLOAD off"]


def test_other_holds_raise_nothing_by_themselves() -> None:
    rig = Rig()
    for why in HoldReason:
        if why not in (HoldReason.STAGE_FAILED, HoldReason.BAD_SCORE, HoldReason.OVERLOAD):
            rig.part(Disposition.hold(why))
    rig.check()
    assert rig.changes == []


def test_the_store_light_follows_the_dispatcher() -> None:
    rig = Rig()
    assert rig.check()["store"] == Health("store", True, "verdicts are durable")
    rig.line.dispatcher._outage = "the disk is full"
    assert rig.check()["store"] == Health("store", False, "the disk is full")
    rig.line.dispatcher._outage = ""
    rig.line.dispatcher.failure = StoreUnavailable("gone")
    light = rig.check()["store"]
    assert not light.ok, "a dead dispatcher is no healthy store"
    assert "nothing is released any more: gone" in light.detail


def test_a_broker_out_of_reach_has_three_seconds() -> None:
    rig = Rig()
    rig.check()
    rig.broker.state = PublisherHealth(False, "connection refused")
    assert not rig.check(1.0)["mes"].ok
    rig.check(2.0)
    assert rig.active() == set()
    rig.check(0.5)
    assert rig.active() == {AlarmCode.BROKER_UNREACHABLE}
    rig.broker.state = PublisherHealth(True, "connected")
    assert rig.check()["mes"].ok
    assert rig.changes == ["BROKER_UNREACHABLE on", "BROKER_UNREACHABLE off"]


def test_the_patience_begins_with_the_first_look() -> None:
    """The model takes seconds to load, and the publisher starts only after it."""
    rig = Rig()
    rig.broker.state = PublisherHealth(False, "connecting")
    rig.check(60.0)
    rig.check(1.0)
    assert rig.active() == set()
    rig.check(2.5)
    assert rig.active() == {AlarmCode.BROKER_UNREACHABLE}


def test_a_broker_that_refuses() -> None:
    rig = Rig()
    rig.broker.state = PublisherHealth(True, "connected", refused_reason="not authorized")
    light = rig.check()["mes"]
    assert (light.ok, light.detail) == (False, "not authorized")
    assert rig.active() == {AlarmCode.BROKER_REFUSED}
    rig.broker.state = PublisherHealth(True, "connected")
    assert rig.check()["mes"].ok
    assert rig.changes == ["BROKER_REFUSED on", "BROKER_REFUSED off"]


def test_without_mqtt_there_is_nothing_to_reach() -> None:
    rig = Rig(mqtt=False)
    assert rig.check(60.0)["mes"] == Health("mes", True, "MQTT is switched off")
    assert rig.changes == []


def test_a_disk_that_fills_up() -> None:
    rig = Rig()
    rig.free = lambda: 999.0
    light = rig.check()["disk"]
    assert (light.ok, light.detail) == (False, "999 MB free")
    rig.check()
    rig.free = lambda: 1000.0
    assert rig.check()["disk"].ok
    assert rig.changes == ["DISK_LOW on", "DISK_LOW off"]


def test_a_database_elsewhere_has_no_disk_here() -> None:
    rig = Rig()
    rig.free = lambda: None
    assert rig.check()["disk"].ok


def test_an_organ_that_cannot_be_looked_at_is_not_well_and_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    rig.camera.health = lambda: 1 // 0  # type: ignore[assignment]
    rig.free = lambda: 10.0
    lights = rig.check()
    assert (lights["camera"].ok, lights["camera"].detail[:17]) == (False, "cannot be checked")
    assert rig.active() == {AlarmCode.DISK_LOW}
    assert lights["mes"].ok
    assert "camera could not be checked" in caplog.text
