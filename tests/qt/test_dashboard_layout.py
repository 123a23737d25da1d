"""Nothing cut, nothing too small for a finger, nothing untranslated: both languages, every size, every state."""

import re
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QImage

from inspector.domain.alarm import AlarmCode, AlarmState
from inspector.domain.certificate import RELATIVE_ONLY, CertificateStatus, VoidReason
from inspector.domain.disposition import Action, HoldReason
from inspector.domain.state import Counts, Health
from inspector.domain.truth import Label, Truth
from tests.support.dashboard import Dashboard
from tests.support.screen_walk import overlaps, said, small_targets, texts
from tests.support.station_values import HEALTHY, a_part, a_state, an_alarm
from ui import words
from ui.i18n import Language
from ui.mailbox import PartPicture
from ui.shown import LinkState
from ui.theme import PALETTES, Theme
from ui.widgets.base import FitText, Text
from ui.widgets.picture import Mode

SIZES = [(1920, 1080), (1280, 800), (1366, 768), (3840, 2160)]
DEFECTS = ("scratch", "missing_screw", "burr", "crack", "dent", "chip", "stain")
BIG = Counts(1_248_213, 1_247_604, 571, {"DEADLINE": 30, "STORE_UNAVAILABLE": 6, "STAGE_FAILED": 2}, 0)


def connecting(dashboard: Dashboard) -> None:
    pass


def running(dashboard: Dashboard) -> None:
    """Everything on at once: alarms, a bad MES, long words, a defect's frame."""
    health = tuple(Health(h.name, h.name != "mes", "") for h in HEALTHY)
    alarms = (an_alarm(AlarmCode.OVERLOAD), an_alarm(AlarmCode.BROKER_REFUSED))
    defects = {name: 1000 * n for n, name in enumerate(DEFECTS, 1)}
    void = CertificateStatus.voided(VoidReason.CPU, "avx512_bf16, avx512_vnni").sentence
    dashboard.hears(
        a_state(counts=BIG, health=health, alarms=alarms, mqtt_queued=1_204, defects=defects, certificate=void)
    )
    dashboard.sees(*(a_part(n, Action.REJECT, defect_class=DEFECTS[n % len(DEFECTS)]) for n in range(1, 8)))
    reasons = (HoldReason.STORE_UNAVAILABLE, HoldReason.FROZEN, HoldReason.WRONG_FORMAT)
    dashboard.sees(*(a_part(n, Action.HOLD, hold_reason=r) for n, r in enumerate(reasons, 8)))
    truth = Truth(Label.NG, "missing_screw", 0.5, (600, 5, 39, 20))
    part = a_part(11, Action.REJECT, defect_class="missing_screw", truth=truth)
    image = QImage(640, 480, QImage.Format.Format_RGB888)
    image.fill(0)
    dashboard.page.picture.show_live(PartPicture(part, image, 640, 480), time.monotonic())
    dashboard.sees(part)


PROMISE = "added escapes ≤ 0.12 %, added overkill ≤ 0.55 %, added misnaming ≤ 0.55 % (95 %), "


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("language", Language)
def test_a_promise_is_never_cut_short(dashboard: Dashboard, width: int, height: int, language: Language) -> None:
    dashboard.look.set_language(language)
    dashboard.resize(width, height)
    for sentence in (
        f"certified: {PROMISE}{RELATIVE_ONLY}",
        *(CertificateStatus.voided(reason, "front: INT8 → FP32").sentence for reason in VoidReason),
    ):
        dashboard.hears(a_state(certificate=sentence))
        QCoreApplication.processEvents()
        shown = dashboard.page.exit_mix.certificate
        assert shown.text() == shown.whole
        assert shown.text().endswith((words.certificate(sentence), words.certificate_short(sentence)))


def held(dashboard: Dashboard) -> None:
    dashboard.alarm(an_alarm(AlarmCode.STORE_UNAVAILABLE, AlarmState.ACKNOWLEDGED))
    dashboard.sees(a_part(1, Action.HOLD, hold_reason=HoldReason.STORE_UNAVAILABLE))
    dashboard.page.picture.set_mode(Mode.CHOSEN)


def miscounted(dashboard: Dashboard) -> None:
    dashboard.hears(a_state(counts=replace(BIG, in_flight=3)))
    dashboard.alarm(an_alarm(state=AlarmState.RETURNED_UNACKNOWLEDGED))
    dashboard.hears(a_state(counts=replace(BIG, in_flight=3)))
    dashboard.sees(a_part(1))


def lost(dashboard: Dashboard) -> None:
    running(dashboard)
    dashboard.bridge._link_state = LinkState.LOST
    dashboard.bridge.link_changed.emit(LinkState.LOST)


def unreadable(dashboard: Dashboard) -> None:
    dashboard.hears()
    dashboard.bridge._link_state = LinkState.UNREADABLE
    dashboard.bridge.link_changed.emit(LinkState.UNREADABLE)


STATES = [connecting, running, held, miscounted, lost, unreadable]
# What the station or its owner named, in whatever language: shown as it is.
NAMES = ["station-3", "Bracket A", "bracket-a", "bracket-a 1.0", "English", "R1"]
# What stays Latin in Japanese.
LATIN = {"CPU", "OK", "NG", "MES", "ms", "Inspector", "p50", "p99"}


def settle() -> None:
    for _ in range(4):
        QCoreApplication.processEvents()


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_text_fits_and_every_button_can_be_hit(
    make_dashboard: Callable[..., Dashboard], state: Callable[[Dashboard], None], size: tuple[int, int], language: str
) -> None:
    dashboard = make_dashboard(language)
    dashboard.bridge._timer.stop()  # the state shown is the test's
    dashboard.resize(*size)
    assert (dashboard.window.width(), dashboard.window.height()) == size
    state(dashboard)
    settle()
    seen = list(texts(dashboard.window))
    assert len(seen) > 30
    assert [f"{s.owner}: {s.meant!r} as {s.shown!r} in {s.width:.0f} px" for s in seen if s.is_cut] == []
    assert small_targets(dashboard.window) == []
    assert overlaps(dashboard.page) == []
    assert overlaps(dashboard.window.header) == []
    assert dashboard.page.lamp.height() >= 200


@pytest.mark.parametrize("state", STATES)
def test_nothing_on_the_screen_is_english_in_japanese(
    make_dashboard: Callable[..., Dashboard], state: Callable[[Dashboard], None]
) -> None:
    dashboard = make_dashboard("ja")
    dashboard.bridge._timer.stop()
    state(dashboard)
    settle()
    alarms = dashboard.page._state.alarms if dashboard.page._state else ()
    verbatim = [
        *NAMES,
        "avx512_bf16",
        "avx512_vnni",
        *(alarm.message for alarm in alarms),
        a_part(1, Action.HOLD).disposition.detail,
    ]
    english = []
    for text in said(dashboard.window):
        ours = text
        for name in sorted(verbatim, key=len, reverse=True):
            ours = ours.replace(name, "")
        english += [text for word in re.findall(r"[A-Za-z][A-Za-z0-9]+", ours) if word not in LATIN]
    assert english == []


def test_the_language_switch_leaves_no_english_behind(make_dashboard: Callable[..., Dashboard]) -> None:
    """The same texts as if the dashboard had been started in Japanese."""

    def said_by(dashboard: Dashboard) -> list[str]:
        settle()
        dashboard.window.header.tick(a_state().at)
        return sorted(said(dashboard.window))

    def started(language: str) -> Dashboard:
        dashboard = make_dashboard(language)
        dashboard.bridge._timer.stop()
        dashboard.window._timer.stop()
        running(dashboard)
        return dashboard

    expected = said_by(started("ja"))
    switched = started("en")
    english = said_by(switched)
    switched.window.header.language_button.click()
    assert said_by(switched) == expected
    switched.window.header.language_button.click()
    assert said_by(switched) == english


def test_the_window_can_grow_and_shrink_again(dashboard: Dashboard) -> None:
    for width, height in ((3840, 2160), (1280, 800), (1920, 1080), (1280, 800)):
        dashboard.resize(width, height)
        assert (dashboard.window.width(), dashboard.window.height()) == (width, height)
        assert dashboard.look.scale == pytest.approx(min(width / 1920, height / 1080), abs=0.006)


@pytest.mark.parametrize("size", [14, 16, 18, 24, 34, 58])
def test_no_letter_loses_its_foot(dashboard: Dashboard, size: int) -> None:
    """A line is lower than its font wants: all the ink of "gjpqy(" must be on it all the same."""

    def ink_of(text: Text, height: int) -> int:
        text.resize(8 * size, height)
        image = text.grab().toImage()
        assert image.height() == height
        empty = image.pixel(image.width() - 1, 0)
        return sum(image.pixel(x, y) != empty for x in range(image.width()) for y in range(height))

    low, high = FitText(dashboard.look, size), Text(dashboard.look, size)
    low.resize(8 * size, low.height())
    low.show_text("gjpqy(")
    high.setText("gjpqy(")
    assert ink_of(low, low.height()) == ink_of(high, 3 * low.height()) > 0
    low.deleteLater()
    high.deleteLater()


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", Theme)
def test_every_text_stands_out_from_its_ground(theme: Theme) -> None:
    """WCAG AA."""
    p = PALETTES[theme]
    pairs = [(p.text, p.ground), (p.text, p.surface), (p.text, p.header), (p.text, p.button), (p.text, p.button_on)]
    pairs += [(p.text, p.choice), (p.chosen_text, p.chosen)]
    pairs += [(p.muted, p.ground), (p.muted, p.surface), (p.muted, p.header), (p.action, p.header)]
    pairs += [(p.warning_text, p.header), (p.alarm_text, p.alarm), (p.plate_text, p.plate), (p.ok_text, p.ok)]
    pairs += [(p.ng_text, p.ng), (p.hold_text, p.hold), (p.idle_text, p.idle), *zip(p.exits_text, p.exits, strict=True)]
    least = 4.5
    assert [(a, b, round(contrast(a, b), 2)) for a, b in pairs if contrast(a, b) < least] == []


@pytest.mark.parametrize("theme", Theme)
def test_only_the_abnormal_is_saturated(theme: Theme) -> None:
    """ISA-101: OK, idle and the grounds are grey; NG and HOLD are not."""
    p = PALETTES[theme]

    def spread(color: str) -> int:
        parts = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        return max(parts) - min(parts)

    assert all(spread(c) <= 24 for c in (p.ground, p.header, p.surface, p.ok, p.idle, p.idle_stripe, p.bar, p.border))
    assert all(spread(c) > 120 for c in (p.ng, p.hold, p.warning))
