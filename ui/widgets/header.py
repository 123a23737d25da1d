"""The header: what runs here, whether all is well, language, theme, clock."""

from datetime import UTC, datetime

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from inspector.domain.certificate import UNCERTIFIED
from inspector.domain.inspection import InspectedPart
from inspector.domain.state import Health, StationState
from ui import words
from ui.i18n import Language, translate
from ui.look import Look
from ui.theme import Theme
from ui.widgets.base import Align, Button, Canvas, Elide, FitText, Panel, Text, shapes
from ui.widgets.marks import health_mark, unknown_mark, warning_mark

_NEXT_THEME = {Theme.LIGHT: Theme.DARK, Theme.DARK: Theme.HIGH_CONTRAST, Theme.HIGH_CONTRAST: Theme.LIGHT}


class _Mark(Canvas):
    """Tick, triangle, or dotted circle while nothing is known."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.ok: bool | None = None
        look.changed.connect(self._resize)
        self._resize()

    def _resize(self) -> None:
        self.setFixedSize(self.look.px(26), self.look.px(26))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = shapes(self)
        box = QRectF(self.rect())
        if self.ok is None:
            unknown_mark(painter, box, self.look.color("muted"))
        elif self.ok:
            health_mark(painter, box, self.look.color("muted"))
        else:
            warning_mark(painter, box, self.look.color("warning"), self.look.color("warning_mark"))


class Light(QWidget):
    """One light of the header: mark and word, and a short number while something waits."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._mark = _Mark(look)
        self._word = Text(look, 18)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self._mark)
        row.addWidget(self._word)

    def show_health(self, word: str, ok: bool | None, detail: str) -> None:
        self._word.setText(word)
        self._word.set_role({None: "muted", True: "text", False: "warning_text"}[ok])
        self.setToolTip(detail)
        self._mark.ok = ok
        self._mark.update()


class Header(Panel):
    """Fixed height. Lights are in the order in which the station reports them."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.setObjectName("header")
        self._state: StationState | None = None
        self._part: InspectedPart | None = None
        self._is_live = False
        self._title = FitText(look, 28, bold=True)
        self._captions = [Text(look, 14, role="muted") for _ in range(2)]
        self._recipe = FitText(look, 19)
        self._part_id = FitText(look, 19, elide=Elide.ElideLeft)  # its last digits tell parts apart
        self._simulated = Text(look, 16, role="muted", bold=True, align=Align.AlignHCenter)
        self._lights: list[Light] = []
        self._certificate = Light(look)
        self.language_button = Button(look, 20, plain=True)
        self.theme_button = Button(look, 26, plain=True)
        self._clock = Text(look, 24, bold=True, align=Align.AlignRight)
        self.language_button.clicked.connect(self._switch_language)
        self.theme_button.clicked.connect(self._switch_theme)
        self._lights_row = QHBoxLayout()
        row = QHBoxLayout(self)
        row.addWidget(self._title, 26)
        row.addLayout(_captioned(self._captions[0], self._recipe), 13)
        row.addLayout(_captioned(self._captions[1], self._part_id), 15)
        row.addWidget(self._simulated)
        row.addStretch(1)
        row.addLayout(self._lights_row)
        row.addStretch(1)
        row.addWidget(self.language_button)
        row.addWidget(self.theme_button)
        row.addWidget(self._clock)
        self._lights_row.addWidget(self._certificate)
        self._row = row
        self.refresh()

    def show_state(self, state: StationState | None, *, is_live: bool) -> None:
        self._state, self._is_live = state, is_live
        self.refresh()

    def show_part(self, part: InspectedPart | None) -> None:
        self._part = part
        self._part_id.show_text(part.part_id if part else "–")
        self._simulated.setVisible(part is not None and part.is_simulated)

    def tick(self, now: datetime | None = None) -> None:
        self._clock.setText(words.clock(now or datetime.now(UTC)))

    def refresh(self) -> None:
        look, state = self.look, self._state
        self._row.setContentsMargins(look.px(24), look.px(4), look.px(24), look.px(4))
        self._row.setSpacing(look.px(18))
        self._lights_row.setSpacing(look.px(18))
        self.setFixedHeight(max(look.touch() + 8, look.px(72)))
        self._captions[0].setText(translate("Header", "Recipe"))
        self._captions[1].setText(translate("Header", "Part"))
        self._simulated.setText(translate("Header", "SIMULATED"))
        self._title.show_text(f"{state.station_id} · {state.product}" if state else translate("Header", "No station"))
        self._recipe.show_text(state.recipe_id if state else "–")
        self.show_part(self._part)
        self._show_lights()
        other = Language.ENGLISH if look.language is Language.JAPANESE else Language.JAPANESE
        self.language_button.setText(other.own_name)
        self.language_button.setAccessibleName(translate("Header", "Language"))
        self.theme_button.setText("◐")
        self.theme_button.setAccessibleName(translate("Header", "Colours"))
        self.theme_button.setToolTip(translate("Header", "Light, dark or high contrast"))
        self._clock.setMinimumWidth(self._clock.fontMetrics().horizontalAdvance("00:00:00") + 2)
        self.tick()

    def _show_lights(self) -> None:
        state = self._state
        health = state.health if state else tuple(Health(name, False, "") for name in words.LIGHTS)
        while len(self._lights) < len(health):
            self._lights.append(Light(self.look))
            self._lights_row.insertWidget(len(self._lights) - 1, self._lights[-1])
        for light in self._lights[len(health) :]:
            light.hide()
        for light, value in zip(self._lights, health, strict=False):
            word = words.light(value.name)
            if value.name == "mes" and state is not None and not value.ok and state.mqtt_queued:
                word = f"{word} {words.number(state.mqtt_queued)}"
            light.show_health(word, value.ok if self._is_live else None, value.detail)
            light.show()
        # A missing certificate is no fault, so no warning triangle: it is said plainly, in words. A void one is a change
        # that somebody should know of.
        sentence = state.certificate if state else ""
        is_certified = bool(sentence) and words.is_certified(sentence)
        word = translate("Header", "Certificate") if is_certified or not state else words.certificate(UNCERTIFIED)
        known = None if sentence in ("", UNCERTIFIED) else is_certified
        self._certificate.show_health(word, known if self._is_live else None, words.certificate(sentence))

    def _switch_language(self) -> None:
        self.look.set_language(Language.ENGLISH if self.look.language is Language.JAPANESE else Language.JAPANESE)

    def _switch_theme(self) -> None:
        self.look.set_theme(_NEXT_THEME[self.look.theme])


def _captioned(caption: QLabel, value: QLabel) -> QVBoxLayout:
    column = QVBoxLayout()
    column.setSpacing(0)
    column.addStretch(1)
    column.addWidget(caption)
    column.addWidget(value)
    column.addStretch(1)
    return column
