"""What the lamp shows, without a screen."""

import pytest

from inspector.domain.disposition import Action
from inspector.domain.state import Health, Phase
from tests.support.station_values import HEALTHY, a_part, a_state
from ui.link import StationClock
from ui.shown import NG_STAYS_S, Lamp, LampMemory, LinkState, Shown, Why, shown

NO_CAMERA = (Health("camera", False, "no picture for 5 s"), *HEALTHY[1:])


@pytest.mark.parametrize(
    ("action", "lamp"), [(Action.PASS, Lamp.OK), (Action.REJECT, Lamp.NG), (Action.HOLD, Lamp.HOLD)]
)
def test_a_live_running_station_shows_its_verdicts(action: Action, lamp: Lamp) -> None:
    part = a_part(1, action)
    assert shown(LinkState.LIVE, a_state(), part) == Shown(lamp, part)


@pytest.mark.parametrize(
    ("link", "changes", "why"),
    [
        (LinkState.CONNECTING, {}, Why.CONNECTING),
        (LinkState.LOST, {}, Why.FEED_LOST),
        (LinkState.UNREADABLE, {}, Why.UNREADABLE),
        (LinkState.LIVE, {"phase": Phase.STARTING}, Why.STARTING),
        (LinkState.LIVE, {"phase": Phase.STOPPING}, Why.STOPPING),
        (LinkState.LIVE, {"phase": Phase.STOPPED}, Why.STOPPED),
        (LinkState.LIVE, {"phase": Phase.FAULTED}, Why.FAULTED),
        (LinkState.LIVE, {"health": NO_CAMERA}, Why.CAMERA),
        (LinkState.LOST, {"phase": Phase.STOPPED}, Why.STOPPED),  # it said goodbye
        (LinkState.LOST, {"phase": Phase.STOPPING}, Why.FEED_LOST),
        (LinkState.UNREADABLE, {"phase": Phase.STOPPED}, Why.UNREADABLE),
    ],
)
def test_everything_else_is_not_inspected(link: LinkState, changes: dict[str, object], why: Why) -> None:
    assert shown(link, a_state(**changes), a_part(1)) == Shown(Lamp.NOT_INSPECTED, None, why)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("link", LinkState)
def test_only_live_and_running_may_show_ok(link: LinkState, phase: Phase) -> None:
    lamp = shown(link, a_state(phase=phase), a_part(1)).lamp
    assert (lamp is Lamp.OK) == (link is LinkState.LIVE and phase is Phase.RUNNING)


def test_without_state_or_part_nothing_is_inspected() -> None:
    assert shown(LinkState.LIVE, None, a_part(1)).why is Why.CONNECTING
    assert shown(LinkState.LIVE, a_state(), None).why is Why.NO_PART


def test_an_ng_stays_long_enough_to_be_seen() -> None:
    memory = LampMemory()
    ng, good = a_part(1, Action.REJECT), a_part(2)
    memory.offer((ng, good), 10.0)
    assert memory.part(10.0) == ng
    assert memory.part(10.0 + NG_STAYS_S * 0.9) == ng
    assert memory.part(10.0 + NG_STAYS_S) == good


def test_a_newer_bad_part_replaces_the_one_that_stays() -> None:
    memory = LampMemory()
    hold = a_part(2, Action.HOLD)
    memory.offer((a_part(1, Action.REJECT),), 10.0)
    memory.offer((hold, a_part(3)), 10.5)
    assert memory.part(10.5 + NG_STAYS_S * 0.9) == hold
    memory.clear()
    assert memory.part(10.5) is None


def test_the_stations_clock_is_read_off_its_fastest_message() -> None:
    clock = StationClock()
    assert clock.sent_at(1000.0, 5.0) == 5.0
    assert clock.sent_at(1001.0, 9.0) == pytest.approx(6.0), "waited 3 s on the way"
    assert clock.sent_at(1005.0, 10.0) == pytest.approx(10.0)


def test_a_clock_that_stood_still_is_forgotten() -> None:
    """The station's machine was suspended for an hour: its clock stood, its messages are not an hour old."""
    clock = StationClock()
    clock.sent_at(0.0, 0.0)
    late = [clock.sent_at(10.0 + t, 3610.0 + t) for t in range(0, 25)]
    assert late[0] == pytest.approx(10.0), "at first it looks like a delay"
    assert late[-1] == pytest.approx(3634.0)
