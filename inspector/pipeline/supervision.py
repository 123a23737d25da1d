"""Supervision: looks at every organ of the line twice a second, and turns what is wrong into alarms and lights."""

import logging
import time
from collections.abc import Callable

from inspector.domain.alarm import AlarmCode
from inspector.domain.disposition import HoldReason
from inspector.domain.state import Health
from inspector.pipeline.line import InspectionLine
from inspector.ports import FrameSource, Publisher

log = logging.getLogger(__name__)

_QUIET_S = 10.0
"""A condition that shows as single events (an overload, a failed stage) is over after this long without one."""
_BROKER_PATIENCE_S = 3.0
_STREAK = 20


class _EventCondition:
    """True from the first event until none came for 10 s."""

    def __init__(self) -> None:
        self._count = 0
        self._last = float("-inf")

    def stands(self, count: int, now: float) -> bool:
        if count > self._count:
            self._count, self._last = count, now
        return now - self._last < _QUIET_S


def _light(name: str, look: Callable[[], Health]) -> Health:
    """An organ that cannot be looked at is not well, and hides none of the others."""
    try:
        return look()
    except Exception as error:
        log.exception("%s could not be checked", name)
        return Health(name, False, f"cannot be checked: {error}")


class Supervisor:
    """Call `check` every half second from one thread; it returns the lights of the header."""

    def __init__(
        self,
        line: InspectionLine,
        source: FrameSource,
        publisher: Publisher | None,
        *,
        model_name: str,
        free_disk_mb: Callable[[], float | None],
        min_free_mb: float,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._line = line
        self._source = source
        self._publisher = publisher
        self._model_name = model_name
        self._free_disk_mb = free_disk_mb
        self._min_free_mb = min_free_mb
        self._monotonic_s = monotonic_s
        self._overload = _EventCondition()
        self._stage = _EventCondition()
        self._broker_ok_at: float | None = None

    def check(self) -> tuple[Health, ...]:
        now = self._monotonic_s()
        return (
            _light("camera", self._camera),
            _light("model", lambda: self._model(now)),
            _light("store", self._store),
            _light("mes", lambda: self._mes(now)),
            _light("disk", self._disk),
        )

    def _set(self, stands: bool, code: AlarmCode, message: str, remedy: str) -> None:
        if stands:
            self._line.alarms.raise_(code, message, remedy)
        else:
            self._line.alarms.clear(code)

    def _camera(self) -> Health:
        health = self._source.health()
        self._set(
            not health.ok,
            AlarmCode.CAMERA_STALLED,
            f"No pictures from {self._source.name}: {health.detail}",
            "Check the camera's power, cable and network; it reconnects by itself.",
        )
        streak = self._line.tally.hold_streak
        self._set(
            streak >= _STREAK,
            AlarmCode.HOLD_STREAK,
            f"{streak} parts in a row were held",
            "Look at the reasons of the held parts: light, lens, camera settings or model input.",
        )
        return Health("camera", health.ok, health.detail)

    def _model(self, now: float) -> Health:
        hold = self._line.ledger.counts().hold
        failed = hold.get(HoldReason.STAGE_FAILED, 0) + hold.get(HoldReason.BAD_SCORE, 0)
        failing = self._stage.stands(failed, now)
        self._set(
            failing,
            AlarmCode.STAGE_FAILED,
            f"The model failed on {failed} parts, which were held",
            "Run `inspector check` on the config; restart the station or go back to the last good bundle.",
        )
        self._set(
            self._overload.stands(hold.get(HoldReason.OVERLOAD, 0), now),
            AlarmCode.OVERLOAD,
            f"Parts come faster than they can be judged; {hold.get(HoldReason.OVERLOAD, 0)} were held",
            "Slow the line, raise [station] workers, or use a faster bundle.",
        )
        return Health("model", not failing, "a stage fails" if failing else self._model_name)

    def _store(self) -> Health:
        if (failure := self._line.dispatcher.failure) is not None:
            return Health("store", False, f"nothing is released any more: {failure}")
        outage = self._line.dispatcher.outage
        return Health("store", not outage, outage or "verdicts are durable")

    def _mes(self, now: float) -> Health:
        if self._publisher is None:
            return Health("mes", True, "MQTT is switched off")
        health = self._publisher.health()
        if health.connected or self._broker_ok_at is None:  # patience begins with the first look, not before
            self._broker_ok_at = now
        self._set(
            now - self._broker_ok_at > _BROKER_PATIENCE_S,
            AlarmCode.BROKER_UNREACHABLE,
            f"The MES does not answer: {health.detail}",
            "The line goes on and every message is kept. Check the address in [mqtt]; the backlog is sent by itself.",
        )
        self._set(
            health.refused_reason is not None,
            AlarmCode.BROKER_REFUSED,
            f"The broker refuses messages: {health.refused_reason}",
            "They are kept and tried again. Give this client the right to publish on its topics.",
        )
        return Health("mes", health.connected and health.refused_reason is None, health.refused_reason or health.detail)

    def _disk(self) -> Health:
        free = self._free_disk_mb()
        if free is None:
            return Health("disk", True, "the database is not on this disk")
        low = free < self._min_free_mb
        self._set(
            low,
            AlarmCode.DISK_LOW,
            f"Only {free:.0f} MB are free where verdicts are stored, {self._min_free_mb:.0f} MB are wanted",
            "Free space on that disk; when it is full every part is held.",
        )
        return Health("disk", not low, f"{free:.0f} MB free")
