"""The domain's values: bands, invariants, stable ids, alarm states, the audit chain, and JSON there and back."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.domain import wire
from inspector.domain.alarm import Alarm, AlarmCode, AlarmState
from inspector.domain.audit import AuditEntry
from inspector.domain.disposition import PASS, REJECT, Action, Disposition, HoldReason
from inspector.domain.events import Topics, alarm_message, topic_level, verdict_message
from inspector.domain.exits import CLOSED, ExitBand, ExitDecision, ExitScore
from inspector.domain.frame import ColorSpace, Frame, MissedFrame
from inspector.domain.inspection import InspectedPart, event_id_of
from inspector.domain.model import InputSpec
from inspector.domain.part import Part
from inspector.domain.state import Counts
from inspector.domain.truth import Label, Truth
from inspector.domain.verdict import Outcome, Verdict
from inspector.testing import fake_model_info
from tests.support.station_values import HASH, START, a_frame, a_part, a_state, an_alarm

TOPICS = Topics(["plant", "line 1", "station-3"])
SHARE = st.floats(0.0, 1.0)


# --- Bands -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p_defect", "decision"),
    [
        (0.0, ExitDecision.OK),
        (math.nextafter(0.2, 0.0), ExitDecision.OK),
        (0.2, ExitDecision.UNSURE),
        (0.5, ExitDecision.UNSURE),
        (0.8, ExitDecision.UNSURE),
        (math.nextafter(0.8, 1.0), ExitDecision.NG),
        (1.0, ExitDecision.NG),
    ],
)
def test_a_band_decides_strictly_beyond_its_edges(p_defect: float, decision: ExitDecision) -> None:
    assert ExitBand(0.2, 0.8).decide(p_defect) is decision


@pytest.mark.parametrize("p_defect", [math.nan, math.inf, -math.inf, -0.001, 1.001])
def test_what_is_no_probability_is_never_sure(p_defect: float) -> None:
    assert ExitBand(0.5, 0.5).decide(p_defect) is ExitDecision.UNSURE


@given(SHARE)
def test_a_closed_band_decides_nothing(p_defect: float) -> None:
    assert CLOSED.decide(p_defect) is ExitDecision.UNSURE


@given(SHARE, SHARE, SHARE)
def test_a_band_decides_ok_only_below_and_ng_only_above(a: float, b: float, p_defect: float) -> None:
    band = ExitBand(min(a, b), max(a, b))
    decision = band.decide(p_defect)
    assert (decision is ExitDecision.OK) == (p_defect < band.ok_below)
    assert (decision is ExitDecision.NG) == (p_defect > band.ng_above)


@pytest.mark.parametrize(
    ("ok_below", "ng_above"), [(0.6, 0.5), (-0.1, 0.5), (0.1, 1.1), (math.nan, 0.5), (0.1, math.nan), (0.1, math.inf)]
)
def test_a_band_that_makes_no_sense_is_refused(ok_below: float, ng_above: float) -> None:
    with pytest.raises(ValueError, match="exit band"):
        ExitBand(ok_below, ng_above)


# --- Disposition and verdict -----------------------------------------------------------------------------------------


def test_a_hold_has_a_reason_and_nothing_else_has_one() -> None:
    assert Disposition.hold(HoldReason.BLACK, "dark").hold_reason is HoldReason.BLACK
    with pytest.raises(ValueError, match="HOLD needs a reason"):
        Disposition(Action.HOLD)
    for action in (Action.PASS, Action.REJECT):
        with pytest.raises(ValueError, match="HOLD needs a reason"):
            Disposition(action, HoldReason.BLACK)


def test_a_verdict_names_its_exit_unless_undecided() -> None:
    score = ExitScore("front", 0.01, (0.99, 0.01), 0.6)
    with pytest.raises(ValueError, match="names the exit"):
        Verdict(Outcome.OK, None, None, (score,), HASH, None)
    with pytest.raises(ValueError, match="names the exit"):
        Verdict(Outcome.UNDECIDED, "front", None, (score,), HASH, None)


def test_an_ok_without_scores_is_no_verdict() -> None:
    with pytest.raises(ValueError, match="needs the scores"):
        Verdict(Outcome.OK, "front", None, (), HASH, None)


def test_inference_time_is_the_sum_of_the_stages_that_ran() -> None:
    verdict = a_part(action=Action.REJECT).verdict
    assert verdict is not None
    assert verdict.inference_ms == pytest.approx(21.0)


@pytest.mark.parametrize(
    ("label", "action", "escape", "overkill", "correct"),
    [
        (Label.NG, Action.PASS, True, False, False),
        (Label.NG, Action.REJECT, False, False, True),
        (Label.NG, Action.HOLD, False, False, False),
        (Label.OK, Action.PASS, False, False, True),
        (Label.OK, Action.REJECT, False, True, False),
        (Label.OK, Action.HOLD, False, False, False),
    ],
)
def test_truth_tells_escape_and_overkill(
    label: Label, action: Action, escape: bool, overkill: bool, correct: bool
) -> None:
    part = a_part(action=action, truth=Truth(label))
    assert (part.is_escape, part.is_overkill, part.is_correct) == (escape, overkill, correct)
    unknown = replace(part, truth=None)
    assert not (unknown.is_escape or unknown.is_overkill or unknown.is_correct)


def test_a_held_part_keeps_its_verdict() -> None:
    part = a_part()
    held = part.held(Disposition.hold(HoldReason.STORE_UNAVAILABLE))
    assert held.disposition.action is Action.HOLD
    assert held.verdict is part.verdict
    assert part.disposition is PASS, "the part itself is frozen"


def test_an_inspected_part_carries_what_its_trigger_says() -> None:
    frame = replace(a_frame(7), is_simulated=True, truth=Truth(Label.NG, "scratch"))
    part = Part("R1-7", 7, "R1", "bracket-a", frame)
    inspected = InspectedPart.of(
        part, station_id="s", config_version="c", verdict=None, disposition=REJECT, latency_ms=1.0
    )
    assert (inspected.frame_id, inspected.captured_ns, inspected.is_simulated) == ("F-7", 7, True)
    assert inspected.truth == Truth(Label.NG, "scratch")
    assert inspected.result_state is Outcome.UNDECIDED, "no stage has seen it"


def test_a_part_has_a_picture_or_the_reason_why_not() -> None:
    missed = MissedFrame("F-1", START, 1, "test", "the file is damaged")
    assert Part("p", 1, "r", "c", missed).missed is missed
    assert Part("p", 1, "r", "c", missed).frame is None
    frame = a_frame()
    assert Part("p", 1, "r", "c", frame).frame is frame
    assert Part("p", 1, "r", "c", frame).missed is None
    assert isinstance(frame, Frame)


def test_counts_know_whether_a_part_is_lost() -> None:
    counts = Counts(10, 5, 2, {"BLACK": 1, "DEADLINE": 1}, 1)
    assert counts.held == 2
    assert counts.is_conserved
    assert not replace(counts, triggers=11).is_conserved
    assert not replace(counts, triggers=8, in_flight=-1).is_conserved


def test_shape_and_exits_follow_from_the_model() -> None:
    assert InputSpec(4, 6, ColorSpace.GREY).shape == (4, 6, 1)
    assert InputSpec(4, 6, ColorSpace.BGR).shape == (4, 6, 3)
    assert fake_model_info().exits == ("front", "full")


# --- Events ----------------------------------------------------------------------------------------------------------


def test_event_ids_are_the_same_in_every_process_and_version() -> None:
    """The MES drops repeats by id: whoever changes this constant makes every resent message a new one."""
    assert event_id_of("verdict", "R1-0000001") == "d247ae31-48a1-5f1f-b981-cf9f291b756d"
    assert a_part(1).event_id == a_part(1, Action.REJECT).event_id
    assert a_part(1).event_id != a_part(2).event_id
    assert event_id_of("alarm", "R1-0000001") != event_id_of("verdict", "R1-0000001")


def test_a_verdict_message_says_what_was_decided() -> None:
    part = a_part(3, Action.REJECT)
    message = verdict_message(part, TOPICS)
    event = json.loads(message.payload)
    assert message.topic == "plant/line 1/station-3/verdict"
    assert (event["id"], event["specversion"], event["source"]) == (part.event_id, "1.0", TOPICS.base)
    data = event["data"]
    assert (data["PartId"], data["Disposition"], data["HoldReason"]) == (part.part_id, "REJECT", None)
    assert (data["ResultState"], data["DefectClass"], data["Exit"]) == ("NG", "scratch", "full")
    assert data["Scores"] == [{"Exit": "front", "PDefect": 0.5}, {"Exit": "full", "PDefect": 0.97}]


def test_a_message_of_a_held_part_gives_the_reason() -> None:
    data = json.loads(verdict_message(a_part(action=Action.HOLD), TOPICS).payload)["data"]
    assert (data["Disposition"], data["HoldReason"], data["ResultState"]) == ("HOLD", "BLURRED", "UNDECIDED")
    assert data["Scores"] == []


def test_numbers_that_are_none_do_not_keep_a_message_from_being_made() -> None:
    score = ExitScore("front", math.nan, (math.nan, 0.1), math.inf)
    verdict = Verdict(Outcome.UNDECIDED, None, None, (score,), HASH, None)
    data = json.loads(verdict_message(replace(a_part(), verdict=verdict, latency_ms=math.nan), TOPICS).payload)["data"]
    assert data["Scores"] == [{"Exit": "front", "PDefect": None}]
    assert data["ProcessingTimes"] == {"LatencyMs": 0.0, "InferenceMs": 0.0}


def test_a_file_name_that_is_no_utf8_does_not_keep_a_message_from_being_made() -> None:
    part = replace(a_part(), origin="caf\udce9.png")
    assert json.loads(verdict_message(part, TOPICS).payload)["data"]["Origin"] == "caf?.png"


def test_every_change_of_an_alarm_is_an_event_of_its_own() -> None:
    alarm = an_alarm()
    acknowledged = alarm.acknowledged("Ann", START)
    ids = {alarm_message(a, TOPICS).event_id for a in (alarm, acknowledged, acknowledged.returned(START))}
    assert len(ids) == 3
    assert alarm_message(alarm, TOPICS) == alarm_message(alarm, TOPICS)
    data = json.loads(alarm_message(acknowledged, TOPICS).payload)["data"]
    assert (data["Code"], data["State"], data["AcknowledgedBy"]) == ("BROKER_UNREACHABLE", "ACKNOWLEDGED", "Ann")


@given(st.text(min_size=1))
def test_a_name_stays_one_topic_level(name: str) -> None:
    assert not set(topic_level(name)) & set("/+#$")


def test_topic_escapes_can_be_told_apart() -> None:
    assert topic_level("a/b+c#d$e%f") == "a%2Fb%2Bc%23d%24e%25f"
    assert topic_level("a%2Fb") != topic_level("a/b")


# --- Alarm states ----------------------------------------------------------------------------------------------------

LATER = START + timedelta(seconds=5)


@pytest.mark.parametrize(
    ("state", "on_ack", "on_return"),
    [
        (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED, AlarmState.RETURNED_UNACKNOWLEDGED),
        (AlarmState.ACKNOWLEDGED, AlarmState.ACKNOWLEDGED, AlarmState.NORMAL),
        (AlarmState.RETURNED_UNACKNOWLEDGED, AlarmState.NORMAL, AlarmState.RETURNED_UNACKNOWLEDGED),
        (AlarmState.NORMAL, AlarmState.NORMAL, AlarmState.NORMAL),
    ],
)
def test_alarm_states_of_isa_18_2(state: AlarmState, on_ack: AlarmState, on_return: AlarmState) -> None:
    alarm = an_alarm(state=state)
    assert alarm.acknowledged("Ann", LATER).state is on_ack
    assert alarm.returned(LATER).state is on_return


def test_who_acknowledged_first_stays_on_record() -> None:
    once = an_alarm().acknowledged("Ann", START)
    assert once.acknowledged("Bob", LATER) == once


@given(st.lists(st.sampled_from(["ack", "return"]), max_size=6))
def test_an_alarm_keeps_its_id_and_never_becomes_active_again_by_itself(steps: list[str]) -> None:
    alarm = an_alarm()
    was_gone = False
    for step in steps:
        alarm = alarm.acknowledged("Ann", LATER) if step == "ack" else alarm.returned(LATER)
        was_gone = was_gone or step == "return"
        assert alarm.alarm_id == an_alarm().alarm_id
        assert alarm.is_active is not was_gone


# --- Audit chain -----------------------------------------------------------------------------------------------------

ENTRY = AuditEntry(START, "Ann", "config.applied", "station.toml", '"a"', '"b"', "less glare")


def test_the_audit_hash_is_the_same_for_ever() -> None:
    """A trail written by one version is verified by the next."""
    assert ENTRY.chained_hash("0" * 64) == "3e8a4f36db0e315d423882b3050a739d666abc5b95413e783c85ad7f2b01993b"


@pytest.mark.parametrize(
    "edit",
    [
        {"at": LATER},
        {"who": "Bob"},
        {"action": "config.refused"},
        {"subject": "recipe.toml"},
        {"old": None},
        {"old": "null"},
        {"new": '"c"'},
        {"reason": ""},
    ],
)
def test_every_edit_of_an_entry_shows(edit: dict[str, object]) -> None:
    assert replace(ENTRY, **edit).chained_hash("0" * 64) != ENTRY.chained_hash("0" * 64)  # type: ignore[arg-type]


def test_an_entry_is_bound_to_the_one_before_and_fields_do_not_run_together() -> None:
    assert ENTRY.chained_hash("0" * 64) != ENTRY.chained_hash("1" * 64)
    a, b = replace(ENTRY, who="Ann", action="x"), replace(ENTRY, who="An", action="nx")
    assert a.chained_hash("0") != b.chained_hash("0")
    assert replace(ENTRY, old=None).chained_hash("0") != replace(ENTRY, old="None").chained_hash("0")


# --- Wire ------------------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
DISPOSITIONS = st.one_of(
    st.sampled_from([PASS, REJECT]), st.builds(Disposition.hold, st.sampled_from(HoldReason), TEXT)
)
TRUTHS = st.builds(
    Truth,
    st.sampled_from(Label),
    st.none() | TEXT,
    st.none() | SHARE,
    st.none() | st.tuples(*[st.integers(0, 4000)] * 4),
)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))


@given(DISPOSITIONS, st.none() | TRUTHS, MOMENTS, TEXT, st.floats(0, 1e6), st.sampled_from(Action))
def test_a_part_comes_back_as_it_went(
    disposition: Disposition, truth: Truth | None, at: datetime, origin: str, latency_ms: float, action: Action
) -> None:
    part = replace(
        a_part(action=action),
        disposition=disposition,
        truth=truth,
        captured_at=at,
        origin=origin,
        latency_ms=latency_ms,
    )
    assert wire.PART.validate_json(wire.PART.dump_json(part)) == part
    again = wire.PART.validate_json(json.dumps(wire.PART.dump_python(part, mode="json")))
    assert again == part
    assert hash(again.disposition) == hash(part.disposition)


def test_a_part_with_scores_that_are_no_numbers_comes_back() -> None:
    score = ExitScore("front", math.nan, (math.nan, math.inf), -math.inf)
    part = replace(a_part(), verdict=Verdict(Outcome.UNDECIDED, None, None, (score,), HASH, None))
    text = json.dumps(wire.PART.dump_python(part, mode="json"))
    back = wire.PART.validate_json(text)
    assert back.verdict is not None
    found = back.verdict.exits[0]
    assert math.isnan(found.p_defect)
    assert math.isnan(found.scores[0])
    assert (found.scores[1], found.latency_ms) == (math.inf, -math.inf)


def test_a_state_comes_back_as_it_went() -> None:
    state = a_state(alarms=(an_alarm(), an_alarm(AlarmCode.DISK_LOW, AlarmState.ACKNOWLEDGED)), mes_received=3)
    assert wire.STATE.validate_json(wire.STATE.dump_json(state)) == state


@given(st.sampled_from(AlarmCode), st.sampled_from(AlarmState), TEXT)
def test_an_alarm_comes_back_as_it_went(code: AlarmCode, state: AlarmState, who: str) -> None:
    alarm: Alarm = replace(an_alarm(code, state), acknowledged_by=who)
    assert wire.ALARM.validate_json(wire.ALARM.dump_json(alarm)) == alarm


def test_what_is_no_legal_value_is_refused_on_the_way_in() -> None:
    """A feed of another version must not make a HOLD without reason, or an OK without proof."""
    content = json.loads(wire.PART.dump_json(a_part()))
    content["disposition"] = {"action": "HOLD", "hold_reason": None, "detail": ""}
    with pytest.raises(ValueError, match="HOLD needs a reason"):
        wire.PART.validate_json(json.dumps(content))
