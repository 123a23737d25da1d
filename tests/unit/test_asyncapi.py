"""docs/asyncapi.json is what the MES's people read: messages as the station makes them must be as it says."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.adapters.mqtt.announcement import CONNECTION_LOST, STOPPED, Announcer
from inspector.domain.alarm import AlarmCode, AlarmState, Priority
from inspector.domain.disposition import Action, HoldReason
from inspector.domain.events import alarm_message, verdict_message
from inspector.domain.exits import ExitScore
from inspector.domain.message import OutboxMessage
from inspector.domain.verdict import Outcome, Verdict
from tests.support.json_schema import check, load
from tests.support.mqtt import TOPICS
from tests.support.station_values import HASH, a_part, an_alarm

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parents[2] / "docs" / "asyncapi.json").read_text("utf-8"))
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]


class NoonClock:
    def now(self) -> datetime:
        return datetime(2026, 3, 14, 12, 0, tzinfo=UTC)

    def monotonic_ns(self) -> int:
        return 0


def check_message(message: OutboxMessage, kind: str) -> dict[str, Any]:
    """Its topic is the channel's, its payload the channel's message's; returns the event's data."""
    assert message.topic == DOCUMENT["channels"][kind]["address"].format(base=TOPICS.base)
    event = load(message.payload.decode())
    check(event, DOCUMENT["components"]["messages"][kind]["payload"], DOCUMENT)
    assert event["id"] == message.event_id
    assert event["source"] == TOPICS.base
    data: dict[str, Any] = event["data"]
    return data


@pytest.mark.parametrize("action", Action)
def test_verdicts(action: Action) -> None:
    data = check_message(verdict_message(a_part(1, action), TOPICS), "verdict")
    assert (data["HoldReason"] is not None) == (action is Action.HOLD)


@pytest.mark.parametrize("reason", HoldReason)
def test_every_reason_to_hold(reason: HoldReason) -> None:
    data = check_message(verdict_message(a_part(1, Action.HOLD, hold_reason=reason), TOPICS), "verdict")
    assert data["HoldReason"] == reason.value


@given(scores=st.lists(st.floats(0, 1) | st.just(math.nan) | st.just(math.inf), min_size=1, max_size=5))
def test_undecided_verdicts_with_any_scores(scores: list[float]) -> None:
    exits = tuple(ExitScore(f"exit{n}", score, (1 - score, score), 0.5) for n, score in enumerate(scores))
    verdict = Verdict(Outcome.UNDECIDED, None, None, exits, HASH, HASH)
    data = check_message(verdict_message(replace(a_part(1, Action.HOLD), verdict=verdict), TOPICS), "verdict")
    assert [score["PDefect"] is None for score in data["Scores"]] == [not math.isfinite(score) for score in scores]


@pytest.mark.parametrize("code", AlarmCode)
@pytest.mark.parametrize("state", AlarmState)
def test_alarms(code: AlarmCode, state: AlarmState) -> None:
    alarm = replace(an_alarm(code, state), acknowledged_by="Kim" if state is AlarmState.ACKNOWLEDGED else None)
    check_message(alarm_message(alarm, TOPICS), "alarm")


def test_births_and_deaths() -> None:
    facts = {
        "StationId": "station-3",
        "Version": "0.1.0",
        "BootSequence": 4,
        "JobId": "R1",
        "RecipeId": "bracket-a",
        "Model": "bracket-a 1.0",
        "ModelHash": HASH,
        "ConfigVersion": "c" * 64,
    }
    announcer = Announcer(TOPICS, NoonClock(), lambda: facts)
    messages = [announcer.birth(1), announcer.death(1, CONNECTION_LOST), announcer.death(1, STOPPED)]
    births = [check_message(message, "birth") for message in messages]
    assert births[0] == facts | {"Online": True, "Reason": "CONNECTED", "BootId": announcer.boot_id, "Connection": 1}
    assert [birth["Online"] for birth in births] == [True, False, False]
    assert facts.keys() | births[0].keys() == SCHEMAS["Birth"]["properties"].keys(), "each described field was tried"
    assert len({message.event_id for message in messages}) == 3


@pytest.mark.parametrize(
    ("schema", "field", "values"),
    [
        ("Verdict", "ResultState", Outcome),
        ("Verdict", "Disposition", Action),
        ("Alarm", "Code", AlarmCode),
        ("Alarm", "Priority", Priority),
        ("Alarm", "State", AlarmState),
    ],
)
def test_the_words_listed_are_those_in_use(schema: str, field: str, values: Any) -> None:
    assert SCHEMAS[schema]["properties"][field]["enum"] == [value.value for value in values]


def test_the_reasons_listed_are_those_in_use() -> None:
    assert SCHEMAS["Verdict"]["properties"]["HoldReason"]["enum"] == [*(reason.value for reason in HoldReason), None]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["data", "PartId"], ""),
        (["data", "Disposition"], "SCRAP"),
        (["data", "Sequence"], 0),
        (["data", "Sequence"], True),
        (["data", "Sequence"], "1"),
        (["data", "ModelHash"], "abc"),
        (["data", "IsSimulated"], 1),
        (["data", "Scores"], [{"Exit": "front", "PDefect": 1.5}]),
        (["data", "Scores"], [{"Exit": "front"}]),
        (["data", "Surprise"], 1),
        (["time"], "2026-03-14T12:00:00+09:00"),
        (["type"], "com.inspector.alarm.v1"),
    ],
)
def test_the_check_sees_what_is_wrong(path: list[str], value: Any) -> None:
    event = load(verdict_message(a_part(1, Action.REJECT), TOPICS).payload.decode())
    check(event, SCHEMAS["VerdictEvent"], DOCUMENT)
    place = event
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(AssertionError):
        check(event, SCHEMAS["VerdictEvent"], DOCUMENT)


def test_all_required_fields_are_required() -> None:
    event = load(verdict_message(a_part(1, Action.REJECT), TOPICS).payload.decode())
    for field in list(event["data"]):
        fewer = event | {"data": {name: value for name, value in event["data"].items() if name != field}}
        with pytest.raises(AssertionError, match=f"{field} is missing"):
            check(fewer, SCHEMAS["VerdictEvent"], DOCUMENT)
