"""The window: what it shows for what it is told, and what its buttons do."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from inspector.domain.alarm import AlarmCode, AlarmState
from inspector.domain.certificate import CertificateStatus, VoidReason
from inspector.domain.disposition import Action, HoldReason
from inspector.domain.state import Counts, ExitCount, Fraction, Health, Phase
from inspector.domain.truth import Label, Truth
from tests.support.dashboard import Dashboard
from tests.support.fake_station import FakeStation
from tests.support.station_values import HEALTHY, START, a_part, a_state, an_alarm
from ui.i18n import Language
from ui.mailbox import FilmItem, PartPicture
from ui.shown import NG_STAYS_S, Lamp, LinkState, Why
from ui.theme import Theme
from ui.widgets.picture import Mode

WAIT_MS = 15_000
LEFT = Qt.MouseButton.LeftButton


def a_picture(sequence: int = 1, action: Action = Action.PASS, truth: Truth | None = None) -> PartPicture:
    image = QImage(64, 48, QImage.Format.Format_RGB888)
    image.fill(Qt.GlobalColor.darkCyan)
    return PartPicture(a_part(sequence, action, truth=truth), image, 640, 480)


# --- lamp ------------------------------------------------------------------------------------------------------------


def test_before_anything_is_heard_nothing_is_inspected(dashboard: Dashboard) -> None:
    lamp = dashboard.page.lamp
    assert (lamp.shown.lamp, lamp.shown.why) == (Lamp.NOT_INSPECTED, Why.CONNECTING)
    assert [word.whole for word in lamp.two_words] == ["NOT", "INSPECTED"]
    assert lamp.reason.whole == "connecting to the station"


def test_the_lamp_says_who_decided_and_how_long_it_took(dashboard: Dashboard) -> None:
    dashboard.hears()
    dashboard.sees(a_part(1))
    lamp = dashboard.page.lamp
    assert (lamp.word.whole, lamp.reason.whole) == ("OK", "pass")
    assert lamp.detail.whole == "decided by front · 0.01 · 21 ms"
    dashboard.sees(a_part(2, Action.REJECT))
    assert (lamp.word.whole, lamp.reason.whole) == ("NG", "scratch · reject")
    assert lamp.detail.whole == "decided by full · 0.97 · 21 ms"
    dashboard.sees(a_part(3, Action.HOLD, hold_reason=HoldReason.DEADLINE))
    assert (lamp.word.whole, lamp.reason.whole) == ("HOLD", "deadline")
    assert lamp.height() >= 200


def test_an_ng_gives_way_to_the_next_part_after_a_while(dashboard: Dashboard, qtbot: QtBot) -> None:
    dashboard.hears()
    dashboard.sees(a_part(1, Action.REJECT), a_part(2))
    assert dashboard.page.lamp.shown.lamp is Lamp.NG
    assert NG_STAYS_S < 5

    def is_ok() -> bool:
        dashboard.hears()
        return dashboard.page.lamp.shown.lamp is Lamp.OK

    qtbot.waitUntil(is_ok, timeout=WAIT_MS)


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.STOPPING, Phase.STOPPED, Phase.FAULTED])
def test_a_station_that_does_not_run_shows_no_verdict(dashboard: Dashboard, phase: Phase) -> None:
    dashboard.hears()
    dashboard.sees(a_part(1))
    dashboard.hears(a_state(phase=phase))
    assert dashboard.page.lamp.shown.lamp is Lamp.NOT_INSPECTED
    assert dashboard.page.lamp.reason.whole.startswith("station ")


def test_when_the_feed_stops_nothing_looks_live(dashboard: Dashboard, qtbot: QtBot) -> None:
    page = dashboard.page
    dashboard.hears()
    dashboard.sees(a_part(1))
    page.picture.show_live(a_picture(), time.monotonic())
    assert page.picture.tag().startswith("live") or page.picture.tag().startswith("last part")
    assert not page.picture.is_stale
    qtbot.waitUntil(lambda: page.picture.is_stale, timeout=WAIT_MS)
    assert dashboard.bridge.link_state is LinkState.LOST
    assert page.lamp.shown.why is Why.FEED_LOST
    assert page.picture.tag().startswith("last part")
    assert any(run.text == "NOT LIVE" for run in page.picture.runs())
    assert page.counters.conserved.whole.startswith("Last known, of ")
    assert page.alarms.title.whole.startswith("No word from the station since ")
    assert "connects again by itself" in page.alarms.remedy.whole
    dashboard.hears()
    assert not page.picture.is_stale
    assert page.lamp.shown.lamp is Lamp.OK
    assert page.alarms.title.whole == "No alarms"


def test_a_camera_without_pictures_makes_the_picture_old(dashboard: Dashboard) -> None:
    dashboard.hears()
    dashboard.sees(a_part(1))
    dashboard.page.picture.show_live(a_picture(), time.monotonic())
    dashboard.hears(a_state(health=(Health("camera", False, "no picture for 5 s"), *HEALTHY[1:])))
    assert dashboard.page.picture.is_stale
    assert dashboard.page.lamp.shown.why is Why.CAMERA


# --- picture ---------------------------------------------------------------------------------------------------------


def test_a_picture_is_live_only_while_it_is_young(dashboard: Dashboard) -> None:
    view = dashboard.page.picture
    picture = a_picture(1)
    dashboard.hears(a_state(at=picture.part.captured_at))
    view.show_live(picture, time.monotonic())
    assert view.tag().startswith("live · ")
    dashboard.hears(a_state(at=picture.part.captured_at + timedelta(seconds=10)))
    assert view.tag().startswith("last part · ")
    assert not view.is_stale, "the line waits for the next part, nothing is wrong"


def test_parts_without_their_pictures_make_the_picture_old(dashboard: Dashboard) -> None:
    dashboard.hears()
    dashboard.sees(a_part(1))
    dashboard.page.picture.show_live(a_picture(1), time.monotonic())
    assert not dashboard.page.picture.is_stale
    dashboard.sees(a_part(9))
    assert dashboard.page.picture.is_stale


def test_an_ng_stays_on_the_picture_as_on_the_lamp(dashboard: Dashboard) -> None:
    view = dashboard.page.picture
    dashboard.hears()
    ng, good = a_picture(1, Action.REJECT), a_picture(2)
    view.show_live(ng, 100.0)
    view.show_live(good, 100.2)
    assert view.picture is ng
    assert view.tag().startswith("NG scratch · ") or view.tag().startswith("last part")
    view.tick(100.0 + NG_STAYS_S)
    assert view.picture is good


def test_the_true_defect_is_shown_where_it_is_known_and_wanted(dashboard: Dashboard) -> None:
    view = dashboard.page.picture
    assert view.truth_button.isHidden(), "there is no picture yet"
    dashboard.hears()
    view.show_live(a_picture(1), time.monotonic())
    assert view.truth_button.isHidden()
    truth = Truth(Label.NG, "scratch", 0.5, (100, 100, 50, 20))
    view.show_live(a_picture(2, Action.REJECT, truth), time.monotonic())
    assert not view.truth_button.isHidden()
    assert any(run.text == "true defect: scratch" for run in view.runs())
    view.truth_button.click()
    assert not any(run.text.startswith("true defect") for run in view.runs())


def test_the_picture_keeps_its_proportions(dashboard: Dashboard) -> None:
    view = dashboard.page.picture
    view.show_live(a_picture(), time.monotonic())
    place = view._place()
    assert place.width() / place.height() == pytest.approx(64 / 48, rel=0.01)
    assert view.rect().toRectF().contains(place)


# --- numbers ---------------------------------------------------------------------------------------------------------


def test_counts_yield_and_conservation(dashboard: Dashboard) -> None:
    dashboard.hears()
    counters = dashboard.page.counters
    values = [tile.value.whole.replace("\u202f", " ") for tile in counters.tiles]
    assert values == ["48 213", "47 604", "571", "38", "98.7 %"]
    assert counters.conserved.whole == "All parts accounted for"
    assert counters.holds.whole == "deadline 30 · blurred 8"
    dashboard.hears(a_state(counts=Counts(10, 5, 2, {}, 3)))
    assert counters.conserved.whole == "All parts accounted for, 3 in work"
    dashboard.hears(a_state(counts=Counts(10, 5, 2, {}, 1)))
    assert counters.conserved.whole == "Parts do not add up (2): stop and call an engineer"


def test_a_run_without_a_part_has_no_yield(dashboard: Dashboard) -> None:
    dashboard.hears(a_state(counts=Counts(0, 0, 0, {}, 0), exits=(), defects={}))
    assert dashboard.page.counters.tiles[4].value.whole == "–"
    assert dashboard.page.figures.latency.value.whole == "–"
    assert not dashboard.page.figures.pareto.none.isHidden()


def test_exit_shares_and_certificate(dashboard: Dashboard) -> None:
    dashboard.hears()
    mix = dashboard.page.exit_mix
    assert [run.text.replace("\u202f", " ") for run in mix.bar.runs()] == ["full 5.2 %", "middle 6.7 %", "front 88.1 %"]
    assert mix.certificate.whole == "certificate: uncertified"
    header = dashboard.window.header
    dashboard.hears(a_state(certificate="certified: added escapes ≤ 0.1 % (95 %), labels"))
    assert mix.certificate.whole == "certificate: added escapes ≤ 0.1 % (95 %), labels"
    assert (header._certificate._word.text(), header._certificate._mark.ok) == ("Certificate", True)
    dashboard.hears(a_state(certificate=CertificateStatus.voided(VoidReason.CPU, "avx512_vnni").sentence))
    assert mix.certificate.whole == "certificate: void: another kind of CPU (avx512_vnni)"
    assert (header._certificate._word.text(), header._certificate._mark.ok) == ("uncertified", False)


def test_a_single_exit_and_many_exits_fit(dashboard: Dashboard) -> None:
    dashboard.hears(a_state(exits=(ExitCount("full", 10, 1.0),)))
    assert [run.text for run in dashboard.page.exit_mix.bar.runs()] == ["full 100.0\u202f%"]
    many = tuple(ExitCount(f"exit {n}", 1, 1 / 12) for n in range(12))
    dashboard.hears(a_state(exits=many))
    bar = dashboard.page.exit_mix.bar
    assert bar.runs()
    assert all(run.rect.left() >= 0 for run in bar.runs())


def test_misjudgements_where_the_truth_is_known(dashboard: Dashboard) -> None:
    figures = dashboard.page.figures
    dashboard.hears()
    assert figures.misjudgements.values[0].whole == "3 / 574"
    assert figures.misjudgements.unknown.isHidden()
    dashboard.hears(a_state(escape=Fraction(0, 0), overkill=Fraction(0, 0)))
    assert not figures.misjudgements.unknown.isHidden()
    assert figures.misjudgements.values[0].isHidden()


def test_the_rarest_defects_are_summed(dashboard: Dashboard) -> None:
    dashboard.hears(a_state(defects={"scratch": 5, "burr": 9, "dent": 3, "chip": 2, "own_class": 1}))
    assert dashboard.page.figures.pareto.bars.rows == [("burr", 9), ("scratch", 5), ("dent", 3), ("others", 3)]


# --- film ------------------------------------------------------------------------------------------------------------


def test_the_film_holds_the_last_ten_ng_and_hold_newest_first(dashboard: Dashboard) -> None:
    film = dashboard.page.film
    parts = [a_part(n, (Action.PASS, Action.REJECT, Action.HOLD)[n % 3]) for n in range(1, 31)]
    dashboard.sees(*parts)
    bad = [part for part in parts if part.disposition.action is not Action.PASS]
    assert [tile.part for tile in film.tiles] == bad[::-1][:10]
    assert film.tiles[0].runs()[0].text == "HOLD blurred"
    assert film.tiles[1].runs()[0].text == "NG scratch"


def test_a_thumbnail_finds_its_part_and_a_snapshot_keeps_what_came_since(dashboard: Dashboard) -> None:
    film = dashboard.page.film
    dashboard.sees(a_part(1, Action.REJECT), a_part(2, Action.REJECT))
    dashboard.bridge.thumbnail.emit(a_picture(1, Action.REJECT))
    dashboard.bridge.thumbnail.emit(a_picture(77, Action.REJECT))  # long gone from the film
    assert [tile.image is not None for tile in film.tiles[:2]] == [False, True]
    older = FilmItem(a_part(0, Action.HOLD), None)
    dashboard.bridge.film.emit([older, FilmItem(a_part(1, Action.REJECT), None)])
    assert [tile.part.sequence for tile in film.tiles if tile.part] == [2, 1, 0]
    assert film.tiles[1].image is not None, "a picture that is here already is kept"


def test_a_tap_shows_the_part_large_and_live_leads_back(
    make_dashboard: Callable[..., Dashboard], station: FakeStation, qtbot: QtBot, tmp_path: Path
) -> None:
    dashboard = make_dashboard(directory=tmp_path)
    page = dashboard.page

    def line_runs() -> bool:
        station.feed.state(station.state())
        station.play_part()
        return page.film.tiles[1].image is not None and page.picture.picture is not None

    qtbot.waitUntil(line_runs, timeout=WAIT_MS)
    tapped = page.film.tiles[1].part
    assert tapped is not None
    qtbot.mouseClick(page.film.tiles[1], LEFT)
    assert page.picture.mode is Mode.CHOSEN
    assert page.picture.picture is not None
    assert page.picture.picture.part == tapped
    assert page.film.tiles[1].is_selected
    assert page.picture.tag().endswith(f"part {tapped.sequence}")
    qtbot.waitUntil(
        lambda: page.picture.picture is not None and page.picture.picture.image.width() == 640, timeout=WAIT_MS
    )
    assert page.picture.picture.part == tapped
    qtbot.mouseClick(page.picture.live_button, LEFT)
    assert page.picture.mode is Mode.LIVE
    assert not any(tile.is_selected for tile in page.film.tiles)


def test_last_ng_follows_the_newest_ng(
    make_dashboard: Callable[..., Dashboard], station: FakeStation, qtbot: QtBot, tmp_path: Path
) -> None:
    dashboard = make_dashboard(directory=tmp_path)
    page = dashboard.page
    qtbot.mouseClick(page.picture.last_ng_button, LEFT)
    seen = set()

    def line_runs() -> bool:
        station.feed.state(station.state())
        station.play_part()
        if page.picture.picture is not None:
            assert page.picture.picture.part.disposition.action is Action.REJECT
            assert page.picture.tag().startswith("last NG · ")
            seen.add(page.picture.picture.part.part_id)
        return len(seen) >= 3

    qtbot.waitUntil(line_runs, timeout=WAIT_MS)


# --- alarms ----------------------------------------------------------------------------------------------------------


def test_without_alarms_the_strip_is_quiet(dashboard: Dashboard) -> None:
    strip = dashboard.page.alarms
    assert strip.title.whole == "Alarms are not known"
    dashboard.hears()
    assert strip.title.whole == "No alarms"
    assert strip.acknowledge_button.isHidden()
    assert strip.next_button.isHidden()
    assert not strip.is_blinking


def test_an_alarm_blinks_until_it_is_acknowledged_at_the_station(
    make_dashboard: Callable[..., Dashboard], station: FakeStation, qtbot: QtBot, tmp_path: Path
) -> None:
    dashboard = make_dashboard(directory=tmp_path)
    strip = dashboard.page.alarms
    alarm = station.raise_alarm(AlarmCode.BROKER_UNREACHABLE)

    def station_beats() -> None:
        station.feed.state(station.state())
        qtbot.wait(20)

    def shows() -> bool:
        station_beats()
        return strip.shown is not None and strip.acknowledge_button.isEnabled()

    qtbot.waitUntil(shows, timeout=WAIT_MS)
    assert strip.title.whole.startswith("MES not answering since ")
    assert strip.message.whole == f"Station: {alarm.message}"
    assert strip.is_blinking
    qtbot.mouseClick(strip.acknowledge_button, LEFT)
    assert not strip.acknowledge_button.isEnabled(), "one request is under way"

    def is_acknowledged() -> bool:
        station_beats()
        return strip.shown is not None and strip.shown.state is AlarmState.ACKNOWLEDGED

    qtbot.waitUntil(is_acknowledged, timeout=WAIT_MS)
    assert station.alarms[alarm.alarm_id].acknowledged_by == "operator"
    assert strip.title.whole.endswith("· acknowledged")
    assert not strip.is_blinking
    assert strip.acknowledge_button.isHidden()


def test_a_refused_acknowledgement_is_said_and_can_be_tried_again(
    make_dashboard: Callable[..., Dashboard], station: FakeStation, qtbot: QtBot, tmp_path: Path
) -> None:
    dashboard = make_dashboard(directory=tmp_path)
    strip = dashboard.page.alarms
    stranger = replace(an_alarm(), alarm_id="not-the-stations")

    def shows() -> bool:
        station.feed.state(replace(station.state(), alarms=(stranger,)))
        qtbot.wait(20)
        return strip.acknowledge_button.isEnabled() and not strip.acknowledge_button.isHidden()

    qtbot.waitUntil(shows, timeout=WAIT_MS)
    qtbot.mouseClick(strip.acknowledge_button, LEFT)
    qtbot.waitUntil(lambda: strip.remedy.whole.startswith("Not acknowledged: "), timeout=WAIT_MS)
    assert "does not stand any more" in strip.remedy.whole
    assert shows()


def test_the_most_urgent_alarm_comes_first_and_next_shows_the_others(dashboard: Dashboard, qtbot: QtBot) -> None:
    strip = dashboard.page.alarms
    low, high = an_alarm(AlarmCode.CONFIG_REJECTED), an_alarm(AlarmCode.CAMERA_STALLED)
    dashboard.alarm(low, high, an_alarm(AlarmCode.OVERLOAD, AlarmState.NORMAL))
    assert strip.shown == high
    assert strip.position.text() == "1 / 2"
    qtbot.mouseClick(strip.next_button, LEFT)
    assert strip.shown == low
    dashboard.alarm(low, high)
    assert strip.shown == low, "what one reads is not pulled away"
    newer = an_alarm(AlarmCode.STORE_UNAVAILABLE)
    dashboard.alarm(low, high, newer)
    assert strip.shown in (high, newer), "a new one comes to the front"
    dashboard.alarm()
    assert strip.shown is None


def test_an_alarm_that_went_by_unseen_still_wants_an_acknowledgement(dashboard: Dashboard) -> None:
    strip = dashboard.page.alarms
    gone = replace(an_alarm(state=AlarmState.RETURNED_UNACKNOWLEDGED), changed_at=START)
    dashboard.alarm(gone)
    assert "over since" in strip.title.whole
    assert strip.is_blinking
    assert strip.acknowledge_button.isEnabled()


# --- header, language, theme -----------------------------------------------------------------------------------------


def test_the_header_names_what_runs_and_what_is_not_in_order(dashboard: Dashboard) -> None:
    header = dashboard.window.header
    lights = [Health(h.name, h.name != "mes", "no connection") for h in HEALTHY]
    dashboard.hears(a_state(health=tuple(lights), mqtt_queued=214))
    dashboard.sees(a_part(48213))
    assert header._title.whole == "station-3 · Bracket A"
    assert header._recipe.whole == "bracket-a"
    assert header._part_id.whole == "R1-0048213"
    assert not header._simulated.isHidden()
    assert [light._word.text() for light in header._lights] == ["Camera", "Model", "Records", "MES 214", "Disk"]
    assert [light._mark.ok for light in header._lights] == [True, True, True, False, True]
    assert header._certificate._word.text() == "uncertified"
    dashboard.sees(replace(a_part(2), is_simulated=False))
    assert header._simulated.isHidden()


def test_lights_are_unknown_when_the_station_is_not_heard(dashboard: Dashboard, qtbot: QtBot) -> None:
    header = dashboard.window.header
    assert {light._mark.ok for light in header._lights} == {None}
    dashboard.hears()
    assert {light._mark.ok for light in header._lights} == {True}
    qtbot.waitUntil(lambda: {light._mark.ok for light in header._lights} == {None}, timeout=WAIT_MS)


def test_the_language_changes_while_running(dashboard: Dashboard, qtbot: QtBot) -> None:
    dashboard.alarm(an_alarm())
    dashboard.sees(a_part(1, Action.REJECT))
    header, page = dashboard.window.header, dashboard.page
    assert header.language_button.text() == "日本語"
    qtbot.mouseClick(header.language_button, LEFT)
    assert dashboard.look.language is Language.JAPANESE
    assert header.language_button.text() == "English"
    assert page.lamp.reason.whole == "キズ・排出"
    assert page.counters.tiles[0].caption.text() == "総数"
    assert page.alarms.acknowledge_button.text() == "確認"
    assert page.alarms.title.whole.startswith("MESが応答しません")
    assert page.film.tiles[0].runs()[0].text == "NG キズ"
    qtbot.mouseClick(header.language_button, LEFT)
    assert page.lamp.reason.whole == "scratch · reject"


def test_the_theme_goes_round(dashboard: Dashboard, qtbot: QtBot) -> None:
    seen = []
    for _ in range(3):
        qtbot.mouseClick(dashboard.window.header.theme_button, LEFT)
        seen.append(dashboard.look.theme)
    assert seen == [Theme.DARK, Theme.HIGH_CONTRAST, Theme.LIGHT]
    assert not dashboard.window.grab().isNull()


def test_another_station_process_clears_the_screen(dashboard: Dashboard) -> None:
    dashboard.hears()
    dashboard.sees(a_part(1, Action.REJECT))
    dashboard.page.picture.show_live(a_picture(), time.monotonic())
    dashboard.bridge.restarted.emit()
    assert dashboard.page.film.tiles[0].part is None
    assert dashboard.page.picture.picture is None
    assert dashboard.page.counters.tiles[0].value.whole == "–"
    assert dashboard.page.lamp.shown.lamp is Lamp.NOT_INSPECTED


def test_f11_fills_the_screen(dashboard: Dashboard, qtbot: QtBot) -> None:
    qtbot.keyClick(dashboard.window, Qt.Key.Key_F11)
    assert dashboard.window.windowState() & Qt.WindowState.WindowFullScreen
    qtbot.keyClick(dashboard.window, Qt.Key.Key_F11)
    QCoreApplication.processEvents()
    assert not dashboard.window.windowState() & Qt.WindowState.WindowFullScreen
