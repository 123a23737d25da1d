"""Counts of this run, and the proof that no part is missing."""

from datetime import datetime

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

from inspector.domain.disposition import HoldReason
from inspector.domain.state import Counts
from ui import words
from ui.i18n import translate
from ui.look import Look
from ui.widgets.base import Align, Canvas, FitText, Panel, Text, shapes
from ui.widgets.marks import health_mark, unknown_mark, warning_mark


class Tile(Panel):
    """A number with its caption."""

    def __init__(self, look: Look, size: float = 32) -> None:
        super().__init__(look)
        self.caption = Text(look, 17, role="muted", align=Align.AlignHCenter)
        self.value = FitText(look, size, bold=True, align=Align.AlignHCenter)
        self._column = QVBoxLayout(self)
        self._column.addWidget(self.caption)
        self._column.addWidget(self.value)
        self.refresh()

    def refresh(self) -> None:
        px = self.look.px
        self._column.setContentsMargins(px(8), px(8), px(8), px(8))
        self._column.setSpacing(px(2))


class _ConservedMark(Canvas):
    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.is_conserved: bool | None = True
        look.changed.connect(self._resize)
        self._resize()

    def _resize(self) -> None:
        self.setFixedSize(self.look.px(22), self.look.px(22))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, box = shapes(self), QRectF(self.rect())
        if self.is_conserved is None:
            unknown_mark(painter, box, self.look.color("muted"))
        elif self.is_conserved:
            health_mark(painter, box, self.look.color("muted"))
        else:
            warning_mark(painter, box, self.look.color("ng"), self.look.color("ng_text"))


class Counters(Panel):
    """Parts, pass, reject, hold, yield; below them whether they add up."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, framed=False)
        self._counts: Counts | None = None
        self._as_of: datetime | None = None
        self.tiles = [Tile(look) for _ in range(5)]
        self._mark = _ConservedMark(look)
        self.conserved = FitText(look, 17)
        self.holds = FitText(look, 17, role="muted", align=Align.AlignRight)
        self._tiles_row, self._line = QHBoxLayout(), QHBoxLayout()
        for tile in self.tiles:
            self._tiles_row.addWidget(tile, 1)
        self._line.addWidget(self._mark)
        self._line.addWidget(self.conserved, 1)
        self._line.addWidget(self.holds, 1)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addLayout(self._tiles_row)
        self._column.addLayout(self._line)
        self.refresh()

    def show_counts(self, counts: Counts | None, *, as_of: datetime | None) -> None:
        """`as_of` is when they were true, once the station is no longer heard."""
        self._counts, self._as_of = counts, as_of
        self.refresh()

    def refresh(self) -> None:
        px, counts = self.look.px, self._counts
        self._tiles_row.setSpacing(px(8))
        self._line.setSpacing(px(6))
        self._line.setContentsMargins(px(4), 0, px(4), 0)
        self._column.setSpacing(px(6))
        captions = (
            translate("Counters", "Parts"),
            translate("Counters", "Pass"),
            translate("Counters", "Reject"),
            translate("Counters", "Hold"),
            translate("Counters", "Yield"),
        )
        for tile, caption, value in zip(self.tiles, captions, _values(counts), strict=True):
            tile.caption.setText(caption)
            tile.value.show_text(value)
            tile.value.set_role("text" if self._as_of is None else "muted")
        self._show_conserved(counts)

    def _show_conserved(self, counts: Counts | None) -> None:
        self._mark.setVisible(counts is not None)
        if counts is None:
            self.conserved.show_text("")
            self.holds.show_text("")
            return
        decided = counts.passed + counts.rejected + counts.held
        self._mark.is_conserved = counts.is_conserved if self._as_of is None else None
        self._mark.update()
        self.conserved.set_role("text" if counts.is_conserved else "ng")
        if self._as_of is not None:
            self.conserved.set_role("muted")
            self.conserved.show_text(
                translate("Counters", "Last known, of {time}").format(time=words.clock(self._as_of))
            )
        elif not counts.is_conserved:
            missing = words.number(counts.triggers - decided - counts.in_flight)
            text = translate("Counters", "Parts do not add up ({missing}): stop and call an engineer")
            self.conserved.show_text(text.format(missing=missing))
        elif counts.in_flight:
            text = translate("Counters", "All parts accounted for, {count} in work")
            self.conserved.show_text(text.format(count=words.number(counts.in_flight)))
        else:
            self.conserved.show_text(translate("Counters", "All parts accounted for"))
        reasons = sorted(((n, reason) for reason, n in counts.hold.items() if n), reverse=True)
        told = [f"{_hold_reason(reason)} {words.number(n)}" for n, reason in reasons]
        self.holds.show_text(*(" · ".join(told[:length]) for length in (3, 2, 1)))
        self.holds.setVisible(counts.is_conserved)  # what is wrong gets all the room


def _values(counts: Counts | None) -> tuple[str, ...]:
    if counts is None:
        return ("–",) * 5
    decided = counts.passed + counts.rejected + counts.held
    numbers = (counts.triggers, counts.passed, counts.rejected, counts.held)
    return (*map(words.number, numbers), words.percent(counts.passed / decided) if decided else "–")


def _hold_reason(name: str) -> str:
    return words.hold_reason(HoldReason(name)) if name in tuple(HoldReason) else name
