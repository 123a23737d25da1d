"""Walks a window as a critical eye would: every text on it, whether it fits, and what overlaps."""

from collections.abc import Iterator
from dataclasses import dataclass

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QFont, QFontMetricsF
from PySide6.QtWidgets import QAbstractButton, QLabel, QPushButton, QWidget

from ui.widgets.base import FitText

_SLACK = 1.5  # px of rounding


@dataclass(frozen=True, slots=True)
class Seen:
    """A text on the screen, as it is shown and as it is meant, with the room it has in px."""

    owner: str
    shown: str
    meant: str
    font: QFont
    width: float
    height: float

    @property
    def is_cut(self) -> bool:
        metrics = QFontMetricsF(self.font)
        ink = metrics.tightBoundingRect(self.shown)
        too_wide = metrics.horizontalAdvance(self.shown) > self.width + _SLACK
        return too_wide or ink.height() > self.height + _SLACK or self.shown != self.meant


def visible(window: QWidget) -> Iterator[QWidget]:
    yield from (widget for widget in window.findChildren(QWidget) if widget.isVisible())


def texts(window: QWidget) -> Iterator[Seen]:
    """Labels, buttons and painted texts that are visible now."""
    for widget in visible(window):
        name = f"{type(widget).__name__} in {type(widget.parentWidget()).__name__}"
        if isinstance(widget, QLabel) and widget.text():
            meant = widget.whole if isinstance(widget, FitText) else widget.text()
            room = widget.contentsRect()
            yield Seen(name, widget.text(), meant, widget.font(), room.width(), room.height())
        elif isinstance(widget, QPushButton) and widget.text():
            yield Seen(name, widget.text(), widget.text(), widget.font(), widget.width() - 8, widget.height() - 8)
        runs = getattr(widget, "runs", None)
        for run in runs() if runs else ():
            elided = "…" in run.text and run.text != "…"
            inside = QRect(widget.rect()).adjusted(-1, -1, 1, 1).contains(run.rect.toRect())
            meant = run.text if inside and not elided else f"{run.text} (cut or outside)"
            yield Seen(name, run.text, meant, run.font, run.rect.width(), run.rect.height())


def said(window: QWidget) -> Iterator[str]:
    """Everything that is said in words, tool tips and names for screen readers included."""
    yield window.windowTitle()
    for seen in texts(window):
        yield seen.meant
    for widget in visible(window):
        yield widget.toolTip()
        yield widget.accessibleName()


def small_targets(window: QWidget) -> list[str]:
    """Buttons that a finger misses."""
    buttons = (widget for widget in visible(window) if isinstance(widget, QAbstractButton))
    return [f"{b.accessibleName() or b.text()} {b.size()}" for b in buttons if b.width() < 48 or b.height() < 48]


def overlaps(window: QWidget) -> list[str]:
    """Labels and panels beside each other that share ground, or reach out of the one they stand in."""
    found = []
    for parent in [window, *visible(window)]:
        children = [
            c for c in parent.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly) if c.isVisible()
        ]
        for index, one in enumerate(children):
            if not parent.rect().adjusted(-1, -1, 1, 1).contains(one.geometry()):
                found.append(f"{_name(one)} reaches out of {_name(parent)}")
            for other in children[index + 1 :]:
                shared = one.geometry().intersected(other.geometry())
                if shared.width() > 1 and shared.height() > 2:
                    found.append(f"{_name(one)} and {_name(other)} share {shared.width()} x {shared.height()} px")
    return found


def _name(widget: QWidget) -> str:
    text = widget.text() if isinstance(widget, QLabel | QAbstractButton) else ""
    return f"{type(widget).__name__} {text!r}"
