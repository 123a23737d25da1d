"""Where parts were decided: shares of the exits as a bar, and under which certificate."""

from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QFontMetricsF, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

from inspector.domain.state import ExitCount, StationState
from ui import words
from ui.i18n import translate
from ui.look import Look
from ui.widgets.base import Align, Canvas, FitText, Panel, Text, TextRun, shapes

_DARKEST = 3


class ExitBar(Canvas):
    """One segment for each exit, from the cheapest on the left. Shares that do not fit in theirs stand below."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.exits: tuple[ExitCount, ...] = ()
        look.changed.connect(self._resize)
        self._resize()

    def show_exits(self, exits: tuple[ExitCount, ...]) -> None:
        if exits != self.exits:
            self.exits = exits
            self.update()

    def _resize(self) -> None:
        self.setFixedHeight(self._bar_height() + self._legend_height())

    def _bar_height(self) -> int:
        return self.look.px(42)

    def _legend_height(self) -> int:
        return round(QFontMetricsF(self.look.font(16)).height()) + self.look.px(4)

    def _segments(self) -> list[tuple[ExitCount, QRectF, int]]:
        """Each exit with its place and the index of its colour; the last one is always the darkest."""
        placed, left = [], 0.0
        for index, exit_ in enumerate(self.exits):
            width = exit_.share * self.width()
            is_last = index == len(self.exits) - 1 and index > 0
            color = _DARKEST if is_last else min(index, _DARKEST - 1)
            placed.append((exit_, QRectF(left, 0, width, self._bar_height()), color))
            left += width
        return placed

    def runs(self) -> list[TextRun]:
        runs: list[TextRun] = []
        right = float(self.width())
        inside_font, below_font = self.look.font(20), self.look.font(16)
        pad = self.look.px(12)
        for exit_, place, color in reversed(self._segments()):
            label = f"{words.exit_name(exit_.name)} {words.percent(exit_.share)}"
            if QFontMetricsF(inside_font).horizontalAdvance(label) + 2 * pad <= place.width():
                text_color = self.look.palette.exits_text[color]
                runs.append(TextRun(label, place.adjusted(pad, 0, -pad, 0), inside_font, QColor(text_color)))
                continue
            width = QFontMetricsF(below_font).horizontalAdvance(label) + 1
            swatch = self._legend_height() * 0.55
            if right - width < 0:
                break
            rect = QRectF(right - width, self._bar_height(), width, self._legend_height())
            runs.append(TextRun(label, rect, below_font, self.look.color("muted")))
            right -= width + swatch + pad * 1.5
        return runs

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = shapes(self)
        bar = QRectF(0, 0, self.width(), self._bar_height())
        painter.fillRect(bar, self.look.color("ground"))
        for _, place, color in self._segments():
            painter.fillRect(
                place.adjusted(0, 0, -1.0 if place.width() > 3 else 0, 0), QColor(self.look.palette.exits[color])
            )
        by_label = {f"{words.exit_name(e.name)} {words.percent(e.share)}": c for e, _, c in self._segments()}
        for run in self.runs():
            if run.rect.top() >= self._bar_height():  # a square in the segment's colour ties the label to it
                side = run.rect.height() * 0.5
                square = QRectF(run.rect.left() - side - 4, run.rect.center().y() - side / 2, side, side)
                painter.fillRect(square, QColor(self.look.palette.exits[by_label[run.text]]))
        self.paint_runs(painter)
        painter.setPen(self.look.color("border"))
        painter.drawRect(bar.adjusted(0.5, 0.5, -0.5, -0.5))


class ExitMix(Panel):
    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._state: StationState | None = None
        self._is_live = False
        self._title = Text(look, 18, role="muted")
        self.bar = ExitBar(look)
        self.certificate = FitText(look, 17, bold=True)
        self.model = FitText(look, 17, role="muted", align=Align.AlignRight)
        self._column, self._line = QVBoxLayout(self), QHBoxLayout()
        self._line.addWidget(self._title)
        self._line.addWidget(self.model, 1)
        self._column.addLayout(self._line)
        self._column.addWidget(self.bar)
        self._column.addWidget(self.certificate)  # a whole line: a promise that is cut short is none
        self.refresh()

    def show_state(self, state: StationState | None, *, is_live: bool) -> None:
        self._state, self._is_live = state, is_live
        self.refresh()

    def refresh(self) -> None:
        px, state = self.look.px, self._state
        self._column.setContentsMargins(px(16), px(10), px(16), px(8))
        self._column.setSpacing(px(6))
        self._title.setText(translate("ExitMix", "Where parts were decided"))
        self.certificate.set_role("text" if self._is_live else "muted")
        self.bar.show_exits(state.exits if state else ())
        if state is None:
            self.certificate.show_text("")
            self.model.show_text("")
            return
        sentence = words.certificate(state.certificate)
        whole = translate("ExitMix", "certificate: {sentence}").format(sentence=sentence)
        self.certificate.show_text(whole, sentence, words.certificate_short(state.certificate))
        self.model.show_text(state.model)
