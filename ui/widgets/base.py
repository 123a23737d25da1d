"""Texts, buttons and panels that follow the look."""

import math
from dataclasses import dataclass

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QLabel, QPushButton, QSizePolicy, QWidget

from ui.look import SMALLEST_TEXT, Look

Align = Qt.AlignmentFlag
Elide = Qt.TextElideMode
_SMALLEST_SHARE = 0.62  # a text that does not fit shrinks to this share of its size, then it is elided
_LINE = 1.28  # height of a line in font sizes


class Text(QLabel):
    """A text of the design's size, never elided: for words of ours."""

    def __init__(
        self, look: Look, size: float, *, role: str = "text", bold: bool = False, align: Align = Align.AlignLeft
    ) -> None:
        super().__init__()
        self._look, self._size, self._role, self._bold = look, size, role, bold
        self.setTextFormat(Qt.TextFormat.PlainText)  # what a station sends is never taken for markup
        self.setAlignment(align | Align.AlignVCenter)
        look.changed.connect(self._restyle)
        self._restyle()

    def set_role(self, role: str) -> None:
        """The palette's colour to write with."""
        if role != self._role:
            self._role = role
            self._restyle()

    def _restyle(self) -> None:
        self.setFont(self._look.font(self._size, bold=self._bold))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Painted here because a style sheet on the window takes back, at its next change, what a palette says."""
        painter = QPainter(self)
        painter.setPen(self._look.color(self._role))
        # Qt would cut at the rectangle what a line of Latin letters has below its foot.
        flags = self.alignment().value | Qt.TextFlag.TextDontClip.value
        painter.drawText(self.contentsRect().translated(0, -self._lift()), flags, self.text())

    def _lift(self) -> int:
        """px by which the text is raised from the middle."""
        return 0


class FitText(Text):
    """A text that takes the room it gets: it shrinks, then is elided with the whole as tool tip.

    For values, which come in any length and must not move the layout. Of several wordings the first that fits is taken.
    """

    def __init__(
        self,
        look: Look,
        size: float,
        *,
        role: str = "text",
        bold: bool = False,
        align: Align = Align.AlignLeft,
        elide: Elide = Elide.ElideRight,
    ) -> None:
        self._whole = ""
        self._wordings: tuple[str, ...] = ("",)
        self._elide = elide
        self._raised = 0
        super().__init__(look, size, role=role, bold=bold, align=align)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    @property
    def whole(self) -> str:
        """What is meant, even where there is no room for it."""
        return self._whole

    def show_text(self, *wordings: str) -> None:
        """Show the first wording that fits; the last one is elided if none does."""
        if wordings != self._wordings:
            self._wordings = wordings
            self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _restyle(self) -> None:
        super()._restyle()
        self._fit()

    def _fit(self) -> None:
        base = self._look.font(self._size, bold=self._bold)
        for wording in self._wordings:
            font, text = fitted(wording, base, self.contentsRect().width(), self._elide)
            self._whole = wording
            if text == wording:
                break
        self.setFont(font)
        # Fonts with Japanese leave half a line free above and below, which tears large words apart.
        height = round(base.pixelSize() * _LINE)
        self.setFixedHeight(height)
        self._raised = _lift_for_feet(font, height)
        self.setText(text)
        self.setToolTip(self._whole if text != self._whole else "")

    def _lift(self) -> int:
        return self._raised


def _lift_for_feet(font: QFont, height: int) -> int:
    """How far a text that stands in the middle of `height` px must be raised for its g, j and y to keep their feet."""
    metrics = QFontMetricsF(font)
    baseline = (height + metrics.ascent() - metrics.descent()) / 2
    foot = baseline + metrics.tightBoundingRect("gjpqy").bottom()
    return max(0, math.ceil(foot - height))


def fitted(text: str, base: QFont, width: float, elide: Elide = Elide.ElideRight) -> tuple[QFont, str]:
    """The largest font up to `base` in which `text` is at most `width` px wide, and the text, elided if need be."""
    font = QFont(base)
    natural = QFontMetricsF(font).horizontalAdvance(text)
    smallest = max(SMALLEST_TEXT, round(base.pixelSize() * _SMALLEST_SHARE))
    if natural > width > 0:
        font.setPixelSize(max(smallest, min(base.pixelSize(), int(base.pixelSize() * width / natural))))
        while QFontMetricsF(font).horizontalAdvance(text) > width and font.pixelSize() > smallest:
            font.setPixelSize(font.pixelSize() - 1)
        text = QFontMetricsF(font).elidedText(text, elide, width)
    return font, text


class Button(QPushButton):
    """At least 48 px in both directions."""

    def __init__(self, look: Look, size: float = 18, *, plain: bool = False, checkable: bool = False) -> None:
        super().__init__()
        self._look, self._size = look, size
        self.setObjectName("plain" if plain else "button")
        self.setCheckable(checkable)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a ring for the keyboard, none after every touch
        look.changed.connect(self._restyle)
        self._restyle()

    def _restyle(self) -> None:
        self.setFont(self._look.font(self._size))


class Panel(QFrame):
    """A part of the screen that draws itself again when the look changes."""

    def __init__(self, look: Look, *, framed: bool = True) -> None:
        super().__init__()
        self.look = look
        self.setObjectName("panel" if framed else "bare")
        look.changed.connect(self.refresh)

    def refresh(self) -> None:
        """Show the last values in the look of now."""


@dataclass(frozen=True, slots=True)
class TextRun:
    """A painted text and its place."""

    text: str
    rect: QRectF
    font: QFont
    color: QColor
    align: Align = Align.AlignLeft


class Canvas(QWidget):
    """A widget that paints. `runs` are all texts on it, so that a test can see them as it sees labels."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look
        look.changed.connect(self.update)

    def runs(self) -> list[TextRun]:
        return []

    def paint_runs(self, painter: QPainter) -> None:
        for run in self.runs():
            painter.setFont(run.font)
            painter.setPen(run.color)
            flags = (run.align | Align.AlignVCenter).value | Qt.TextFlag.TextDontClip.value
            painter.drawText(run.rect, flags, run.text)


def shapes(widget: QWidget) -> QPainter:
    """A painter on `widget` with smooth edges."""
    painter = QPainter(widget)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    return painter
