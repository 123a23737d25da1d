"""Palettes after ISA-101: grey ground, saturated colour only for what is abnormal, never colour alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Theme(StrEnum):
    LIGHT = "light"
    DARK = "dark"
    HIGH_CONTRAST = "contrast"


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours as #rrggbb, by what they are for. Text on its ground has a contrast of 4.5 or more (WCAG AA)."""

    ground: str
    header: str
    surface: str
    border: str
    text: str
    muted: str
    action: str
    button: str
    button_on: str
    choice: str  # a button that can be on, while it is off; on is always the brightest
    chosen: str
    chosen_text: str
    picture_ground: str
    plate: str
    plate_text: str
    ok: str
    ok_text: str
    ok_border: str
    ng: str
    ng_text: str
    hold: str
    hold_text: str
    idle: str
    idle_stripe: str
    idle_text: str
    warning: str
    warning_mark: str
    warning_text: str
    alarm: str
    alarm_text: str
    alarm_border: str
    exits: tuple[str, str, str, str]
    exits_text: tuple[str, str, str, str]
    bar: str


PALETTES: Mapping[Theme, Palette] = {
    Theme.LIGHT: Palette(
        ground="#d9dcde",
        header="#c9cdd0",
        surface="#e9ebec",
        border="#b4babd",
        text="#22292d",
        muted="#4a5358",
        action="#25568a",
        button="#f7f8f8",
        button_on="#c2c8cc",
        choice="#c2c8cc",
        chosen="#ffffff",
        chosen_text="#22292d",
        picture_ground="#4a4f52",
        plate="#1d2022",
        plate_text="#ffffff",
        ok="#e9ebec",
        ok_text="#22292d",
        ok_border="#7d878d",
        ng="#c8102e",
        ng_text="#ffffff",
        hold="#e39a10",
        hold_text="#1a1300",
        idle="#cdd1d4",
        idle_stripe="#aab1b5",
        idle_text="#22292d",
        warning="#d98a00",
        warning_mark="#ffffff",
        warning_text="#754a00",
        alarm="#f6efe0",
        alarm_text="#22292d",
        alarm_border="#d98a00",
        exits=("#a9bccb", "#7fa0b8", "#46729c", "#2d5c8d"),
        exits_text=("#22292d", "#14191c", "#ffffff", "#ffffff"),
        bar="#7f8d97",
    ),
    Theme.DARK: Palette(
        ground="#1e2326",
        header="#15191b",
        surface="#2a3033",
        border="#444c51",
        text="#e6eaec",
        muted="#a7b0b6",
        action="#8fb8e2",
        button="#394146",
        button_on="#566168",
        choice="#394146",
        chosen="#e6eaec",
        chosen_text="#15191b",
        picture_ground="#0f1213",
        plate="#000000",
        plate_text="#ffffff",
        ok="#2a3033",
        ok_text="#e6eaec",
        ok_border="#7d878d",
        ng="#d01c38",
        ng_text="#ffffff",
        hold="#e39a10",
        hold_text="#1a1300",
        idle="#2a3033",
        idle_stripe="#3d4549",
        idle_text="#e6eaec",
        warning="#e39a10",
        warning_mark="#1a1300",
        warning_text="#f0b64a",
        alarm="#3a3122",
        alarm_text="#f4efe4",
        alarm_border="#e39a10",
        exits=("#3f5566", "#53758f", "#6b97c2", "#a5c8ee"),
        exits_text=("#f2f5f7", "#ffffff", "#0d1215", "#0d1215"),
        bar="#7f8d97",
    ),
    Theme.HIGH_CONTRAST: Palette(
        ground="#000000",
        header="#000000",
        surface="#000000",
        border="#ffffff",
        text="#ffffff",
        muted="#e0e0e0",
        action="#7fd4ff",
        button="#000000",
        button_on="#4a4a4a",
        choice="#000000",
        chosen="#ffffff",
        chosen_text="#000000",
        picture_ground="#000000",
        plate="#000000",
        plate_text="#ffffff",
        ok="#000000",
        ok_text="#ffffff",
        ok_border="#ffffff",
        ng="#e00028",
        ng_text="#ffffff",
        hold="#ffd000",
        hold_text="#000000",
        idle="#000000",
        idle_stripe="#4d4d4d",
        idle_text="#ffffff",
        warning="#ffd000",
        warning_mark="#000000",
        warning_text="#ffd000",
        alarm="#000000",
        alarm_text="#ffffff",
        alarm_border="#ffd000",
        exits=("#2b2b2b", "#5c5c5c", "#9c9c9c", "#ffffff"),
        exits_text=("#ffffff", "#ffffff", "#000000", "#000000"),
        bar="#c8c8c8",
    ),
}


def stylesheet(palette: Palette, *, radius: int, padding: int, touch: int) -> str:
    """Style of what Qt draws by itself: buttons, tool tips and grounds. The rest paints with the palette."""
    p = palette
    # A thicker border takes its pixel from the padding: no button grows when it is pressed.
    thick = f"padding: 0 {padding - 1}px; min-height: {touch - 4}px; min-width: {touch - 2 - 2 * padding}px;"
    return f"""
    QWidget#window {{ background: {p.ground}; }}
    QFrame#header {{ background: {p.header}; }}
    QFrame#panel {{ background: {p.surface}; border: 1px solid {p.border}; border-radius: {radius}px; }}
    QLabel {{ background: transparent; border: none; }}
    QToolTip {{ background: {p.surface}; color: {p.text}; border: 1px solid {p.border}; padding: 4px; }}
    QPushButton {{
        background: {p.button}; color: {p.text}; border: 1px solid {p.border}; border-radius: {radius}px;
        padding: 0 {padding}px; min-height: {touch - 2}px; min-width: {touch - 2 - 2 * padding}px;
    }}
    QPushButton[checkable="true"] {{ background: {p.choice}; }}
    QPushButton:checked {{ background: {p.chosen}; color: {p.chosen_text}; border: 2px solid {p.text}; {thick} }}
    QPushButton:pressed {{ background: {p.button_on}; }}
    QPushButton:focus {{ border: 2px solid {p.action}; {thick} }}
    QPushButton:disabled {{ color: {p.muted}; }}
    QPushButton#plain {{ background: transparent; border: 1px solid transparent; color: {p.action}; }}
    QPushButton#plain:pressed {{ background: {p.button_on}; }}
    QPushButton#plain:focus {{ border: 2px solid {p.action}; {thick} }}
    """
