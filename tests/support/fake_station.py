"""A station that only plays: simulated parts, made-up verdicts, real feed. For tests of the dashboard and for looking.

By hand: python -m tests.support.fake_station DIRECTORY [--seconds S] [--rate PARTS_PER_S] [--alarm CODE ...]
then, with the two endpoints that it prints, `ui.app.run_dashboard`.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from inspector.adapters.cameras.encoding import JpegEncoder
from inspector.adapters.cameras.simulated_line import SimulatedLine, SimulatedLineConfig
from inspector.adapters.feed import ZmqFeed
from inspector.adapters.system_clock import SystemClock
from inspector.domain.alarm import Alarm, AlarmCode, AlarmState
from inspector.domain.disposition import PASS, REJECT, Action, Disposition, HoldReason
from inspector.domain.errors import InspectorError
from inspector.domain.exits import EscalationReason, ExitScore
from inspector.domain.frame import Frame
from inspector.domain.inspection import InspectedPart
from inspector.domain.state import Counts, ExitCount, Fraction, Health, Phase, StationState
from inspector.domain.truth import Label, Truth
from inspector.domain.verdict import Outcome, Verdict
from tests.support.station_values import HASH, HEALTHY, an_alarm

_HEARTBEAT_S = 0.4
_DEFECT_RATE = 0.12
_HOLDS = (HoldReason.BLURRED, HoldReason.DEADLINE, HoldReason.NO_PICTURE, HoldReason.UNDECIDED)


@cache
def _simulated_line(defect_rate: float) -> SimulatedLine:
    """Made once for all stations: it takes a second, and what it renders depends on the part's number only."""
    return SimulatedLine(SimulatedLineConfig(seed=7, defect_rate=defect_rate))


class FakeStation:
    """`run` plays for some seconds. `start_at` parts are behind it already, so that counts look worn in."""

    def __init__(
        self,
        directory: Path,
        *,
        start_at: int = 48_000,
        picture_hz: float = 10.0,
        defect_rate: float = _DEFECT_RATE,
    ) -> None:
        self.feed = ZmqFeed(
            f"ipc://{directory}/feed",
            f"ipc://{directory}/commands",
            picture_hz=picture_hz,
            jpeg_encode=JpegEncoder(88),
            clock=SystemClock(),
        )
        self.alarms: dict[str, Alarm] = {}
        self.phase = Phase.RUNNING
        self.camera_ok = True
        self._line = _simulated_line(defect_rate)
        self._rng = np.random.default_rng(7)
        self._run_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
        self._sequence = start_at
        good = round(start_at * 0.987)
        self._dispositions = Counter(passed=good, rejected=start_at - good - round(start_at * 0.0008))
        self._holds = Counter(DEADLINE=round(start_at * 0.0008))
        self._exits = Counter(front=round(start_at * 0.88), middle=round(start_at * 0.067), full=round(start_at * 0.05))
        self._defects = (
            Counter(scratch=320, crack=150, missing_screw=60, stain=20, burr=6) if start_at else Counter[str]()
        )
        self._escaped, self._overkilled = 3, 12
        self._latencies = [0.6] * 900 + [4.0] * 60 + [21.0] * 40
        self._rate = 0.0

    def start(self) -> None:
        self.feed.start(self._command)

    def close(self) -> None:
        self.feed.close()

    def raise_alarm(self, code: AlarmCode, *, minutes_ago: float = 2.0) -> Alarm:
        at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
        plain = an_alarm(code)
        alarm = Alarm(
            plain.alarm_id, code, plain.priority, plain.message, plain.remedy, AlarmState.UNACKNOWLEDGED, at, at
        )
        self.alarms[alarm.alarm_id] = alarm
        return alarm

    def run(self, seconds: float, rate: float) -> None:
        """Play `rate` parts a second for `seconds`."""
        self._rate = rate
        end, next_beat = time.monotonic() + seconds, 0.0
        while (now := time.monotonic()) < end:
            if now >= next_beat:
                next_beat = now + _HEARTBEAT_S
                self.feed.state(self.state())
            self.play_part()
            time.sleep(max(0.0, now + 1 / rate - time.monotonic()))

    def play_part(self) -> InspectedPart:
        self._sequence += 1
        image, truth = self._line.render(self._sequence)
        verdict, disposition, latency = self._judged(truth)
        missing = disposition.hold_reason is HoldReason.NO_PICTURE
        frame = Frame(f"F-{self._sequence}", image, datetime.now(UTC), time.monotonic_ns(), "simulated", True, truth)
        part = InspectedPart(
            part_id=f"{self._run_id}-{self._sequence:07d}",
            sequence=self._sequence,
            run_id=self._run_id,
            station_id="Station 3",
            recipe_id="bracket-bx204",
            config_version="c" * 64,
            frame_id=frame.frame_id,
            origin=frame.origin,
            captured_at=frame.captured_at,
            captured_ns=frame.captured_ns,
            is_simulated=True,
            truth=truth,
            verdict=verdict,
            disposition=disposition,
            latency_ms=latency,
        )
        self._count(part)
        self.feed.part(part, None if missing else frame)
        return part

    def state(self) -> StationState:
        hold = dict(self._holds)
        done = self._dispositions["passed"] + self._dispositions["rejected"] + sum(hold.values())
        total = max(1, sum(self._exits.values()))
        queued = 214 if any(a.code is AlarmCode.BROKER_UNREACHABLE for a in self.alarms.values()) else 0
        health = [h for h in HEALTHY if h.name != "camera"]
        health.insert(0, Health("camera", self.camera_ok, "" if self.camera_ok else "no picture for 5 s"))
        if queued:
            health = [Health(h.name, h.name != "mes" and h.ok, h.detail) for h in health]
        return StationState(
            station_id="Station 3",
            run_id=self._run_id,
            phase=self.phase,
            at=datetime.now(UTC),
            recipe_id="bracket-bx204",
            product="Bracket BX-204",
            config_version="c" * 64,
            model="simulated-line 1.0",
            certificate="uncertified",
            counts=Counts(done + 2, self._dispositions["passed"], self._dispositions["rejected"], hold, 2),
            exits=tuple(ExitCount(name, n, n / total) for name, n in self._exits.items()),
            defects=dict(self._defects),
            escape=Fraction(self._escaped, self._dispositions["rejected"] + self._escaped),
            overkill=Fraction(self._overkilled, self._dispositions["passed"]),
            correct=done - self._escaped - self._overkilled,
            latency_p50_ms=float(np.percentile(self._latencies, 50)),
            latency_p99_ms=float(np.percentile(self._latencies, 99)),
            parts_per_s=self._rate,
            health=tuple(health),
            alarms=tuple(self.alarms.values()),
            mqtt_queued=queued,
            mqtt_acknowledged=done - queued,
        )

    def _judged(self, truth: Truth) -> tuple[Verdict | None, Disposition, float]:
        if self._rng.random() < 0.02:
            return None, Disposition.hold(_HOLDS[self._rng.integers(len(_HOLDS))], "held for show"), 0.4
        hard = self._rng.random() < 0.12
        p = float(np.clip((0.97 if truth.label is Label.NG else 0.02) + self._rng.normal(0, 0.01), 0, 1))
        scores = [ExitScore("front", 0.4 if hard else p, (0.6, 0.4), 0.6, EscalationReason.UNSURE if hard else None)]
        if hard:
            scores.append(ExitScore("full", p, (1 - p, p), 20.4))
        outcome = Outcome.NG if p > 0.5 else Outcome.OK
        verdict = Verdict(outcome, scores[-1].exit, truth.defect_class, tuple(scores), HASH, None)
        return verdict, REJECT if outcome is Outcome.NG else PASS, 21.3 if hard else 0.6

    def _count(self, part: InspectedPart) -> None:
        if part.disposition.hold_reason is not None:
            self._holds[part.disposition.hold_reason.value] += 1
            return
        self._dispositions["passed" if part.disposition.action is Action.PASS else "rejected"] += 1
        assert part.verdict is not None
        assert part.verdict.exit is not None
        self._exits[part.verdict.exit] += 1
        if part.disposition.action is Action.REJECT and part.verdict.defect_class:
            self._defects[part.verdict.defect_class] += 1

    def _command(self, command: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        if command != "acknowledge":
            raise InspectorError(f"there is no command {command!r}: see docs/feed.md")
        alarm = self.alarms.get(args["alarm_id"])
        if alarm is None:
            raise InspectorError(f"alarm {args['alarm_id']} does not stand any more; nothing needs to be acknowledged")
        self.alarms[alarm.alarm_id] = alarm.acknowledged(args["who"], datetime.now(UTC))
        self.feed.state(self.state())
        return {"state": self.alarms[alarm.alarm_id].state.value}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--rate", type=float, default=5.0)
    parser.add_argument("--alarm", action="append", default=[], choices=list(AlarmCode))
    args = parser.parse_args()
    station = FakeStation(args.directory)
    for code in args.alarm:
        station.raise_alarm(AlarmCode(code))
    station.start()
    print(station.feed.endpoint, station.feed.command_endpoint)
    try:
        station.run(args.seconds, args.rate)
    except KeyboardInterrupt:
        sys.exit(0)
    finally:
        station.close()


if __name__ == "__main__":
    main()
