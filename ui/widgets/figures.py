"""Latency, misjudgements where the truth is known, and rejects by defect."""

from PySide6.QtCore import QRectF
from PySide6.QtGui import QFontMetricsF, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout

from inspector.domain.state import Fraction, StationState
from ui import words
from ui.i18n import translate
from ui.look import Look
from ui.widgets.base import Align, Canvas, FitText, Panel, Text, TextRun, fitted, shapes

_DEFECTS_SHOWN = 4


class Latency(Panel):
    """Milliseconds from captured picture to disposition, and parts a second."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._state: StationState | None = None
        self._is_live = False
        self._caption = Text(look, 17, role="muted")
        self.value = FitText(look, 32, bold=True)
        self.rate = FitText(look, 18, role="muted")
        self._column = QVBoxLayout(self)
        for text in (self._caption, self.value, self.rate):
            self._column.addWidget(text)
        self._column.addStretch(1)
        self.refresh()

    def show_state(self, state: StationState | None, *, is_live: bool) -> None:
        self._state, self._is_live = state, is_live
        self.refresh()

    def refresh(self) -> None:
        px, state = self.look.px, self._state
        self._column.setContentsMargins(px(16), px(8), px(12), px(8))
        self._column.setSpacing(px(2))
        self._caption.setText(translate("Latency", "Latency p50 / p99"))
        self.value.set_role("text" if self._is_live else "muted")
        if state is None or not state.counts.triggers:
            self.value.show_text("–")
            self.rate.show_text("")
            return
        p50, p99 = words.milliseconds(state.latency_p50_ms), words.milliseconds(state.latency_p99_ms)
        self.value.show_text(translate("Latency", "{p50} / {p99} ms").format(p50=p50, p99=p99))
        self.rate.show_text(translate("Latency", "{rate} parts/s").format(rate=f"{state.parts_per_s:.1f}"))


class Misjudgements(Panel):
    """Escapes and overkill against the truth, where a simulation or labels tell it."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._state: StationState | None = None
        self._is_live = False
        self._caption = Text(look, 17, role="muted")
        self._names = [Text(look, 18) for _ in range(2)]
        self.values = [FitText(look, 18, bold=True, align=Align.AlignRight) for _ in range(2)]
        self.unknown = FitText(look, 18, role="muted")
        self._grid = QGridLayout()
        for row in range(2):
            self._grid.addWidget(self._names[row], row, 0)
            self._grid.addWidget(self.values[row], row, 1)
        self._grid.setColumnStretch(1, 1)
        self._column = QVBoxLayout(self)
        self._column.addWidget(self._caption)
        self._column.addLayout(self._grid)
        self._column.addWidget(self.unknown)
        self._column.addStretch(1)
        self.refresh()

    def show_state(self, state: StationState | None, *, is_live: bool) -> None:
        self._state, self._is_live = state, is_live
        self.refresh()

    def refresh(self) -> None:
        px, state = self.look.px, self._state
        self._column.setContentsMargins(px(16), px(8), px(16), px(8))
        self._column.setSpacing(px(4))
        self._grid.setSpacing(px(6))
        self._caption.setText(translate("Misjudgements", "Against the truth"))
        self._names[0].setText(translate("Misjudgements", "Escapes"))
        self._names[1].setText(translate("Misjudgements", "Overkill"))
        self.unknown.show_text(translate("Misjudgements", "not known"))
        is_known = state is not None and state.escape.of + state.overkill.of > 0
        self.unknown.setVisible(not is_known)
        for text in (*self._names, *self.values):
            text.setVisible(is_known)
        if state is not None:
            for value in self.values:
                value.set_role("text" if self._is_live else "muted")
            self.values[0].show_text(_of(state.escape))
            self.values[1].show_text(_of(state.overkill))
            self.setToolTip(
                translate("Misjudgements", "Escapes: defective parts passed. Overkill: good parts rejected.")
            )


class _Bars(Canvas):
    """Defects, the most frequent first, as lying bars."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.rows: list[tuple[str, int]] = []
        self.role = "text"

    def _lines(self) -> list[tuple[str, int, QRectF]]:
        height = self.height() / _DEFECTS_SHOWN
        return [(name, n, QRectF(0, i * height, self.width(), height)) for i, (name, n) in enumerate(self.rows)]

    def _columns(self) -> tuple[float, float]:
        """Width of the names' column and of the numbers'."""
        metrics = QFontMetricsF(self.look.font(16))
        numbers = max((metrics.horizontalAdvance(words.number(n)) for _, n in self.rows), default=0.0)
        names = max((metrics.horizontalAdvance(name) for name, _ in self.rows), default=0.0)
        return min(names, self.width() * 0.52) + self.look.px(8), numbers + self.look.px(8)

    def runs(self) -> list[TextRun]:
        names, numbers = self._columns()
        runs = []
        for name, n, line in self._lines():
            left = QRectF(line.left(), line.top(), names - self.look.px(8), line.height())
            font, text = fitted(name, self.look.font(16), left.width() + 1)
            runs.append(TextRun(text, left.adjusted(0, 0, 2, 0), font, self.look.color(self.role)))
            right = QRectF(line.right() - numbers, line.top(), numbers, line.height())
            runs.append(TextRun(words.number(n), right, self.look.font(16), self.look.color("muted"), Align.AlignRight))
        return runs

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = shapes(self)
        names, numbers = self._columns()
        most = max((n for _, n in self.rows), default=1)
        for _, n, line in self._lines():
            room = line.width() - names - numbers
            bar = line.adjusted(names, line.height() * 0.2, 0, -line.height() * 0.2)
            bar.setWidth(max(2.0, room * n / most))
            painter.fillRect(bar, self.look.color("bar"))
        self.paint_runs(painter)


class Pareto(Panel):
    """Rejects by defect."""

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self._state: StationState | None = None
        self._is_live = False
        self._caption = Text(look, 17, role="muted")
        self.bars = _Bars(look)
        self.none = FitText(look, 18, role="muted")
        self._column = QVBoxLayout(self)
        self._column.addWidget(self._caption)
        self._column.addWidget(self.bars, 1)
        self._column.addWidget(self.none, 1)
        self.refresh()

    def show_state(self, state: StationState | None, *, is_live: bool) -> None:
        self._state, self._is_live = state, is_live
        self.refresh()

    def refresh(self) -> None:
        px, state = self.look.px, self._state
        self._column.setContentsMargins(px(16), px(8), px(16), px(6))
        self._column.setSpacing(px(2))
        self._caption.setText(translate("Pareto", "Rejects by defect"))
        self.none.show_text(translate("Pareto", "none yet"))
        self.bars.rows = _most(state) if state else []
        self.bars.role = "text" if self._is_live else "muted"
        self.bars.setVisible(bool(self.bars.rows))
        self.none.setVisible(not self.bars.rows)
        self.bars.update()


class Figures(Panel):
    """The three side by side."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, framed=False)
        self.latency, self.misjudgements, self.pareto = Latency(look), Misjudgements(look), Pareto(look)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.addWidget(self.latency, 10)
        self._row.addWidget(self.misjudgements, 11)
        self._row.addWidget(self.pareto, 13)
        self.refresh()

    def show_state(self, state: StationState | None, *, is_live: bool) -> None:
        for panel in (self.latency, self.misjudgements, self.pareto):
            panel.show_state(state, is_live=is_live)

    def refresh(self) -> None:
        self._row.setSpacing(self.look.px(12))


def _of(fraction: Fraction) -> str:
    return f"{words.number(fraction.count)} / {words.number(fraction.of)}"


def _most(state: StationState) -> list[tuple[str, int]]:
    ordered = sorted(state.defects.items(), key=lambda item: (-item[1], item[0]))
    rows = [(words.defect(name), n) for name, n in ordered[:_DEFECTS_SHOWN]]
    rest = sum(n for _, n in ordered[_DEFECTS_SHOWN - 1 :])
    if len(ordered) > _DEFECTS_SHOWN:
        rows[-1] = (translate("Pareto", "others"), rest)
    return rows
