"""Parts and states as a station would report them, for tests of the feed and the dashboard."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from inspector.domain.alarm import Alarm, AlarmCode, AlarmState
from inspector.domain.disposition import PASS, REJECT, Action, Disposition, HoldReason
from inspector.domain.exits import EscalationReason, ExitScore
from inspector.domain.frame import Frame
from inspector.domain.inspection import InspectedPart
from inspector.domain.state import Counts, ExitCount, Fraction, Health, Phase, StationState
from inspector.domain.truth import Label, Truth
from inspector.domain.verdict import Outcome, Verdict
from inspector.pipeline.alarms import PRIORITY

START = datetime(2026, 3, 14, 14, 7, 29, 412_000, tzinfo=UTC)
HASH = "5f" * 32


def a_frame(sequence: int = 1, *, height: int = 48, width: int = 64, dtype: Any = np.uint8, channels: int = 3) -> Frame:
    """A picture whose grey level is its number, so that a test can tell whose it is."""
    image = np.full((height, width, channels), sequence % 200 + 20, dtype=dtype)
    return Frame(f"F-{sequence}", image, START + timedelta(seconds=sequence), sequence, "test")


def a_part(
    sequence: int = 1,
    action: Action = Action.PASS,
    *,
    defect_class: str = "scratch",
    hold_reason: HoldReason = HoldReason.BLURRED,
    truth: Truth | None = None,
) -> InspectedPart:
    if action is Action.REJECT:
        exits = (
            ExitScore("front", 0.5, (0.5, 0.5), 0.6, EscalationReason.UNSURE),
            ExitScore("full", 0.97, (0.03, 0.97), 20.4),
        )
        verdict: Verdict | None = Verdict(Outcome.NG, "full", defect_class, exits, HASH, None)
        disposition = REJECT
    elif action is Action.PASS:
        verdict = Verdict(Outcome.OK, "front", None, (ExitScore("front", 0.01, (0.99, 0.01), 0.6),), HASH, None)
        disposition = PASS
    else:
        verdict, disposition = None, Disposition.hold(hold_reason, "the picture is not sharp enough")
    return InspectedPart(
        part_id=f"R1-{sequence:07d}",
        sequence=sequence,
        run_id="R1",
        station_id="station-3",
        recipe_id="bracket-a",
        config_version="c" * 64,
        frame_id=f"F-{sequence}",
        origin="test",
        captured_at=START + timedelta(seconds=sequence),
        captured_ns=sequence,
        is_simulated=True,
        truth=truth or Truth(Label.NG if action is Action.REJECT else Label.OK),
        verdict=verdict,
        disposition=disposition,
        latency_ms=21.0,
    )


HEALTHY = tuple(Health(name, True, "") for name in ("camera", "model", "store", "mes", "disk"))


def a_state(**changes: Any) -> StationState:
    state = StationState(
        station_id="station-3",
        run_id="R1",
        phase=Phase.RUNNING,
        at=START,
        recipe_id="bracket-a",
        product="Bracket A",
        config_version="c" * 64,
        model="bracket-a 1.0",
        certificate="uncertified",
        counts=Counts(triggers=48_213, passed=47_604, rejected=571, hold={"DEADLINE": 30, "BLURRED": 8}, in_flight=0),
        exits=(
            ExitCount("front", 42_476, 0.881),
            ExitCount("middle", 3_230, 0.067),
            ExitCount("full", 2_507, 0.052),
        ),
        defects={"scratch": 320, "burr": 160, "missing_screw": 71, "stain": 20},
        escape=Fraction(3, 574),
        overkill=Fraction(12, 47_613),
        correct=48_170,
        latency_p50_ms=0.6,
        latency_p99_ms=23.0,
        parts_per_s=61.8,
        health=HEALTHY,
        alarms=(),
        mqtt_queued=0,
        mqtt_acknowledged=48_213,
    )
    return replace(state, **changes)


def an_alarm(code: AlarmCode = AlarmCode.BROKER_UNREACHABLE, state: AlarmState = AlarmState.UNACKNOWLEDGED) -> Alarm:
    return Alarm(
        alarm_id=f"alarm-{code.value}",
        code=code,
        priority=PRIORITY[code],
        message="no connection to 127.0.0.1:1883 (connection refused), 214 messages kept, none lost",
        remedy="check the broker at the address in station.toml",
        state=state,
        raised_at=START - timedelta(minutes=2),
        changed_at=START - timedelta(minutes=2),
    )
