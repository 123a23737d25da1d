"""The film strip: the last ten NG and HOLD parts, newest on the left. A tap shows the part large."""

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QSizePolicy, QVBoxLayout

from inspector.domain.disposition import Action, HoldReason
from inspector.domain.inspection import InspectedPart
from ui import words
from ui.i18n import translate
from ui.look import Look
from ui.mailbox import FilmItem, PartPicture
from ui.shown import Lamp
from ui.widgets.base import Panel, Text, TextRun, fitted, shapes
from ui.widgets.marks import lamp_mark

FILM_LENGTH = 10


class FilmTile(QAbstractButton):
    """One part: picture, frame in the verdict's colour, mark and words."""

    def __init__(self, look: Look) -> None:
        super().__init__()
        self.look = look
        self.part: InspectedPart | None = None
        self.image: QImage | None = None
        self.is_selected = False
        self.setEnabled(False)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        look.changed.connect(self.refresh)

    def sizeHint(self) -> QSize:
        return QSize(self.look.px(178), self.look.touch(120))

    def show_item(self, part: InspectedPart | None, image: QImage | None, *, is_selected: bool) -> None:
        if (part, image, is_selected) == (self.part, self.image, self.is_selected):
            return
        self.part, self.image, self.is_selected = part, image, is_selected
        self.setEnabled(part is not None)
        self.refresh()

    def refresh(self) -> None:
        self.setAccessibleName(self._label() if self.part else translate("Film", "empty"))
        self.setToolTip(self.part.disposition.detail if self.part else "")
        self.update()

    def _label(self) -> str:
        if self.part is None:
            return ""
        return f"{words.action(self.part.disposition.action)} {words.verdict_reason(self.part)}"

    def _strip(self) -> QRectF:
        """Where the words stand."""
        height = QFontMetricsF(self.look.font(16)).height() + self.look.px(6)
        inner = QRectF(self.rect()).adjusted(4, 4, -4, -4)
        return QRectF(inner.left(), inner.bottom() - height, inner.width(), height)

    def runs(self) -> list[TextRun]:
        if self.part is None:
            return []
        runs, strip = [], self._strip()
        text_room = strip.adjusted(4, 0, -2, 0)
        font, text = fitted(self._label(), self.look.font(16), text_room.width())
        if text != self._label():  # frame and mark say NG or HOLD all the same
            font, text = fitted(words.verdict_reason(self.part), self.look.font(16), text_room.width())
        role = "ng_text" if self.part.disposition.action is Action.REJECT else "hold_text"
        runs.append(TextRun(text, text_room, font, self.look.color(role)))
        if self.image is None:
            above = QRectF(self.rect()).adjusted(8, 6, -8, -strip.height() - 4)
            never = self.part.disposition.hold_reason is HoldReason.NO_PICTURE
            waiting = translate("Film", "no picture") if never else "…"
            font, text = fitted(waiting, self.look.font(15), above.width())
            runs.append(TextRun(text, above, font, QColor("#ffffff"), Qt.AlignmentFlag.AlignHCenter))
        return runs

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = shapes(self)
        look, frame = self.look, QRectF(self.rect()).adjusted(2, 2, -2, -2)
        if self.part is None:
            painter.setPen(QPen(look.color("border"), 1, Qt.PenStyle.DashLine))
            painter.drawRoundedRect(frame, look.px(6), look.px(6))
            return
        role = "ng" if self.part.disposition.action is Action.REJECT else "hold"
        strip = self._strip()
        painter.fillRect(frame, look.color("picture_ground"))
        if self.image is not None:
            room = QRectF(frame.left(), frame.top(), frame.width(), strip.top() - frame.top())
            painter.drawImage(room, self.image, _cropped(self.image, room))
        painter.fillRect(strip, look.color(role))
        lamp = Lamp.NG if role == "ng" else Lamp.HOLD
        mark = QRectF(strip.left(), frame.top() + 2, strip.height(), strip.height())
        painter.fillRect(mark, look.color(role))
        inset = strip.height() * 0.22
        lamp_mark(painter, lamp, mark.adjusted(inset, inset, -inset, -inset), look.color(f"{role}_text"))
        for run in self.runs():
            painter.setFont(run.font)
            painter.setPen(run.color)
            painter.drawText(run.rect, run.align | Qt.AlignmentFlag.AlignVCenter, run.text)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(look.color(role), 4, j=Qt.PenJoinStyle.MiterJoin))
        painter.drawRect(frame)
        if self.is_selected or self.hasFocus() or self.isDown():
            painter.setPen(QPen(look.color("text"), 2, j=Qt.PenJoinStyle.MiterJoin))
            painter.drawRect(frame.adjusted(-1, -1, 1, 1))
            painter.drawRect(frame.adjusted(4, 4, -4, -4))


class Film(Panel):
    """Holds the last ten in order of their numbers, whatever order they come in."""

    chosen = Signal(object)  # InspectedPart

    def __init__(self, look: Look) -> None:
        super().__init__(look, framed=False)
        self._items: dict[str, tuple[InspectedPart, QImage | None]] = {}
        self._selected: str | None = None
        self._caption = Text(look, 17, role="muted")
        self.tiles = [FilmTile(look) for _ in range(FILM_LENGTH)]
        self._row = QHBoxLayout()
        for index, tile in enumerate(self.tiles):
            tile.clicked.connect(lambda _=False, i=index: self._choose(i))
            self._row.addWidget(tile, 1)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addWidget(self._caption)
        self._column.addLayout(self._row, 1)
        self.refresh()

    @property
    def newest_ng(self) -> InspectedPart | None:
        """The newest NG whose picture is here."""
        return next((p for p, i in self._ordered() if p.disposition.action is Action.REJECT and i is not None), None)

    def thumbnail_of(self, part_id: str) -> QImage | None:
        item = self._items.get(part_id)
        return item[1] if item else None

    def clear(self) -> None:
        self._items.clear()
        self._show()

    def replace(self, items: list[FilmItem]) -> None:
        """A snapshot: parts that came since and are newer stay."""
        newest = max((item.part.sequence for item in items), default=0)
        later = {k: v for k, v in self._items.items() if v[0].sequence > newest}
        seen = {part_id: image for part_id, (_, image) in self._items.items()}
        told = {i.part.part_id: (i.part, i.thumbnail or seen.get(i.part.part_id)) for i in items}
        self._items = told | later
        self._show()

    def add(self, parts: tuple[InspectedPart, ...]) -> None:
        held = [part for part in parts if part.disposition.action is not Action.PASS][-FILM_LENGTH:]
        for part in held:
            self._items.setdefault(part.part_id, (part, None))
        if held:
            self._show()

    def add_thumbnail(self, picture: PartPicture) -> None:
        part_id = picture.part.part_id
        if part_id in self._items:
            self._items[part_id] = (picture.part, picture.image)
            self._show()

    def select(self, part_id: str | None) -> None:
        self._selected = part_id
        self._show()

    def refresh(self) -> None:
        px = self.look.px
        self._column.setSpacing(px(4))
        self._row.setSpacing(px(9))
        self._caption.setText(translate("Film", "Last NG and HOLD: tap to look"))

    def _ordered(self) -> list[tuple[InspectedPart, QImage | None]]:
        return sorted(self._items.values(), key=lambda item: -item[0].sequence)

    def _show(self) -> None:
        kept = self._ordered()[:FILM_LENGTH]
        self._items = {part.part_id: (part, image) for part, image in kept}
        for index, tile in enumerate(self.tiles):
            part, image = kept[index] if index < len(kept) else (None, None)
            is_selected = part is not None and part.part_id == self._selected
            tile.show_item(part, image, is_selected=is_selected)

    def _choose(self, index: int) -> None:
        part = self.tiles[index].part
        if part is not None:
            self.chosen.emit(part)


def _cropped(image: QImage, room: QRectF) -> QRectF:
    """The middle of `image` in the proportions of `room`."""
    scale = min(image.width() / room.width(), image.height() / room.height())
    width, height = room.width() * scale, room.height() * scale
    return QRectF((image.width() - width) / 2, (image.height() - height) / 2, width, height)
