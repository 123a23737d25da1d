"""What the lamp shows: pure rules, no Qt. In doubt NOT INSPECTED."""

from dataclasses import dataclass
from enum import StrEnum

from inspector.domain.disposition import Action
from inspector.domain.inspection import InspectedPart
from inspector.domain.state import Phase, StationState

STALE_AFTER_S = 1.8  # no heartbeat for so long: said within 2 s, after three heartbeats were missed
UNREADABLE_STAYS_S = 3.0  # since the last message that could not be read: readable ones between do not make it flicker
NG_STAYS_S = 1.0  # an NG or HOLD stays so long unless a newer one comes: at 60 parts a second eyes would miss it


class LinkState(StrEnum):
    """How the way to the station is doing."""

    CONNECTING = "CONNECTING"
    LIVE = "LIVE"
    LOST = "LOST"
    UNREADABLE = "UNREADABLE"


class Lamp(StrEnum):
    OK = "OK"
    NG = "NG"
    HOLD = "HOLD"
    NOT_INSPECTED = "NOT_INSPECTED"


class Why(StrEnum):
    """Why nothing is inspected."""

    CONNECTING = "CONNECTING"
    FEED_LOST = "FEED_LOST"
    UNREADABLE = "UNREADABLE"
    STARTING = "STARTING"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    FAULTED = "FAULTED"
    CAMERA = "CAMERA"
    NO_PART = "NO_PART"


@dataclass(frozen=True, slots=True)
class Shown:
    """The lamp, and the part that it speaks of or the reason why there is none."""

    lamp: Lamp
    part: InspectedPart | None = None
    why: Why | None = None


_LAMPS = {Action.PASS: Lamp.OK, Action.REJECT: Lamp.NG, Action.HOLD: Lamp.HOLD}
_PHASES = {
    Phase.STARTING: Why.STARTING,
    Phase.STOPPING: Why.STOPPING,
    Phase.STOPPED: Why.STOPPED,
    Phase.FAULTED: Why.FAULTED,
}
_LINKS = {
    LinkState.CONNECTING: Why.CONNECTING,
    LinkState.LOST: Why.FEED_LOST,
    LinkState.UNREADABLE: Why.UNREADABLE,
}


def shown(link: LinkState, state: StationState | None, part: InspectedPart | None) -> Shown:
    """Only a live feed of a running station whose camera delivers may show a verdict."""
    return _shown(not_inspected_because(link, state), part)


def _shown(why: Why | None, part: InspectedPart | None) -> Shown:
    if why is not None:
        return Shown(Lamp.NOT_INSPECTED, why=why)
    if part is None:
        return Shown(Lamp.NOT_INSPECTED, why=Why.NO_PART)
    return Shown(_LAMPS[part.disposition.action], part)


def not_inspected_because(link: LinkState, state: StationState | None) -> Why | None:
    if link is not LinkState.LIVE:
        has_ended = link is LinkState.LOST and state is not None and state.phase in (Phase.STOPPED, Phase.FAULTED)
        return _PHASES[state.phase] if has_ended and state is not None else _LINKS[link]
    if state is None:
        return Why.CONNECTING
    if state.phase in _PHASES:
        return _PHASES[state.phase]
    camera = next((light for light in state.health if light.name == "camera"), None)
    return Why.CAMERA if camera is not None and not camera.ok else None


class LampMemory:
    """Which part the lamp speaks of: the newest, but an NG or HOLD for at least NG_STAYS_S. Times in s, monotonic."""

    def __init__(self) -> None:
        self._newest: InspectedPart | None = None
        self._kept: InspectedPart | None = None
        self._kept_until = 0.0

    def offer(self, parts: tuple[InspectedPart, ...], now: float) -> None:
        if not parts:
            return
        self._newest = parts[-1]
        bad = next((part for part in reversed(parts) if part.disposition.action is not Action.PASS), None)
        if bad is not None:
            self._kept, self._kept_until = bad, now + NG_STAYS_S

    def part(self, now: float) -> InspectedPart | None:
        return self._kept if self._kept is not None and now < self._kept_until else self._newest

    def is_keeping(self, now: float) -> bool:
        return self._kept is not None and now < self._kept_until

    def clear(self) -> None:
        self._newest = self._kept = None
