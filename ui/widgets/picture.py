"""The large picture. What is not live never looks live: it is grey, striped, and says so."""

from datetime import datetime
from enum import StrEnum

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout

from inspector.domain.disposition import Action
from ui import words
from ui.i18n import translate
from ui.look import Look
from ui.mailbox import PartPicture
from ui.shown import NG_STAYS_S
from ui.widgets.base import Align, Button, Canvas, TextRun, fitted, shapes
from ui.widgets.marks import hatch

OLD_AFTER_S = 3.0  # a picture this much older than the station's clock is the last part's, no longer live
DELAYED_AFTER_S = 2.0  # a newer part without its picture for so long: the picture way has failed


class Mode(StrEnum):
    LIVE = "LIVE"
    LAST_NG = "LAST_NG"
    CHOSEN = "CHOSEN"


class PictureView(Canvas):
    """Shows the live picture, the last NG, or a part chosen on the film."""

    mode_changed = Signal(object)  # Mode

    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.mode = Mode.LIVE
        self.picture: PartPicture | None = None
        self._live: PartPicture | None = None
        self._next_live: PartPicture | None = None
        self._live_until = 0.0
        self._is_stopped = True
        self._station_time: datetime | None = None
        self._newest_capture: datetime | None = None
        self._scaled: tuple[QImage, QSize, bool, QPixmap] | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.live_button = Button(look, checkable=True)
        self.last_ng_button = Button(look, checkable=True)
        self.truth_button = Button(look, checkable=True)
        self.truth_button.setChecked(True)
        self.truth_button.hide()
        self.live_button.clicked.connect(lambda: self.set_mode(Mode.LIVE))
        self.last_ng_button.clicked.connect(lambda: self.set_mode(Mode.LAST_NG))
        self.truth_button.toggled.connect(self.update)
        self._buttons = QHBoxLayout()
        self._buttons.addStretch(1)
        for button in (self.truth_button, self.live_button, self.last_ng_button):
            self._buttons.addWidget(button)
        self._column = QVBoxLayout(self)
        self._column.addStretch(1)
        self._column.addLayout(self._buttons)
        look.changed.connect(self.refresh)
        self.refresh()

    # --- what is told ------------------------------------------------------------------------------------------------

    def show_live(self, picture: PartPicture, now: float) -> None:
        """`now` in s, monotonic. An NG or HOLD stays as long as on the lamp, so that both speak of the same part."""
        is_bad = picture.part.disposition.action is not Action.PASS
        if not is_bad and now < self._live_until:
            self._next_live = picture
            return
        self._live, self._next_live = picture, None
        self._live_until = now + NG_STAYS_S if is_bad else now
        if self.mode is Mode.LIVE:
            self._show(picture)

    def tick(self, now: float) -> None:
        if self._next_live is not None and now >= self._live_until:
            self.show_live(self._next_live, now)

    def show_kept(self, picture: PartPicture | None) -> None:
        """The picture for LAST_NG or CHOSEN; None when there is none."""
        if self.mode is not Mode.LIVE:
            self._show(picture)

    def set_mode(self, mode: Mode) -> None:
        self.mode = mode
        self._show(self._live if mode is Mode.LIVE else None)
        self.refresh()
        self.mode_changed.emit(mode)

    def set_stopped(self, is_stopped: bool) -> None:
        """True while nothing is inspected, for whatever reason."""
        if is_stopped != self._is_stopped:
            self._is_stopped = is_stopped
            self.update()

    def note_times(self, station_time: datetime | None, newest_capture: datetime | None) -> None:
        """The station's clock now, and when it captured the newest part: both on the station's clock."""
        was = self.is_stale, self._is_old()
        self._station_time = station_time or self._station_time
        self._newest_capture = newest_capture or self._newest_capture
        if was != (self.is_stale, self._is_old()):
            self.update()

    def clear(self) -> None:
        self._live = self._next_live = self._newest_capture = self._station_time = None
        self._live_until = 0.0
        self._show(None)
        self.set_mode(Mode.LIVE)

    # --- what follows from it ----------------------------------------------------------------------------------------

    @property
    def is_stale(self) -> bool:
        """The picture must be marked as not live. A part chosen by hand is history anyway, and says so."""
        if self.mode is Mode.CHOSEN or self.picture is None:
            return False
        return self._is_stopped or (self.mode is Mode.LIVE and self._is_delayed())

    def _is_delayed(self) -> bool:
        if self.picture is None or self._newest_capture is None:
            return False
        return (self._newest_capture - self.picture.part.captured_at).total_seconds() > DELAYED_AFTER_S

    def _is_old(self) -> bool:
        if self.picture is None or self._station_time is None:
            return True
        return (self._station_time - self.picture.part.captured_at).total_seconds() > OLD_AFTER_S

    def _show(self, picture: PartPicture | None) -> None:
        self.picture = picture
        has_truth = picture is not None and picture.part.truth is not None and picture.part.truth.box is not None
        self.truth_button.setVisible(has_truth)
        self.update()

    def refresh(self) -> None:
        px = self.look.px
        self._column.setContentsMargins(px(16), px(16), px(16), px(16))
        self._buttons.setSpacing(px(10))
        self.live_button.setText(translate("Picture", "Live"))
        self.last_ng_button.setText(translate("Picture", "Last NG"))
        self.truth_button.setText(translate("Picture", "True defect"))
        self.live_button.setChecked(self.mode is Mode.LIVE)
        self.last_ng_button.setChecked(self.mode is Mode.LAST_NG)
        self.update()

    def tag(self) -> str:
        """What the picture is, on a plate in its corner."""
        if self.picture is None:
            return ""
        part, at = self.picture.part, words.clock(self.picture.part.captured_at, millis=True)
        if self.mode is Mode.LAST_NG:
            return translate("Picture", "last NG · {time}").format(time=at)
        if self.mode is Mode.CHOSEN:
            verdict = f"{words.action(part.disposition.action)} {words.verdict_reason(part)}"
            return translate("Picture", "{verdict} · {time} · part {part}").format(
                verdict=verdict, time=at, part=part.sequence
            )
        if self.is_stale or self._is_old():
            return translate("Picture", "last part · {time}").format(time=at)
        if part.disposition.action is not Action.PASS:
            verdict = f"{words.action(part.disposition.action)} {words.verdict_reason(part)}"
            return translate("Picture", "{verdict} · {time}").format(verdict=verdict, time=at)
        return translate("Picture", "live · {time}").format(time=at)

    # --- painting ----------------------------------------------------------------------------------------------------

    def runs(self) -> list[TextRun]:
        look, runs = self.look, []
        if self.picture is None:
            text = translate("Picture", "no picture")
            runs.append(TextRun(text, QRectF(self.rect()), look.font(28), QColor("#c9cdd0"), Align.AlignHCenter))
            return runs
        pad = look.px(12)
        font, tag = fitted(self.tag(), look.font(19), self.width() * 0.8)
        metrics = QFontMetricsF(font)
        place = QRectF(look.px(16) + pad, look.px(16), metrics.horizontalAdvance(tag) + 1, metrics.height() + pad)
        runs.append(TextRun(tag, place, font, look.color("plate_text")))
        if self.is_stale:
            banner = self._banner()
            top = QRectF(banner.left(), banner.top(), banner.width(), banner.height() * 0.62)
            low = QRectF(banner.left(), top.bottom(), banner.width(), banner.height() * 0.30)
            runs.append(
                TextRun(
                    translate("Picture", "NOT LIVE"),
                    top,
                    look.font(58, bold=True),
                    QColor("#ffffff"),
                    Align.AlignHCenter,
                )
            )
            old = translate("Picture", "old picture, of {time}").format(time=words.clock(self.picture.part.captured_at))
            runs.append(TextRun(old, low, look.font(24), QColor("#ffffff"), Align.AlignHCenter))
        elif self._truth_box() is not None:
            runs.append(self._truth_label())
        return runs

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, look = shapes(self), self.look
        painter.fillRect(self.rect(), look.color("picture_ground"))
        if self.picture is not None:
            place = self._place()
            painter.drawPixmap(place.topLeft(), self._pixmap(place))
            box = self._truth_box()
            if self.is_stale:
                painter.fillRect(place, QColor(20, 22, 24, 90))
                hatch(painter, place, QColor(255, 255, 255, 70), look.px(10))
                painter.fillRect(self._banner(), QColor(20, 22, 24, 225))
            elif box is not None:
                self._paint_truth(painter, box)
            tag = self.runs()[0]
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(_see_through(look.color("plate")))
            painter.drawRoundedRect(tag.rect.adjusted(-look.px(12), 0, look.px(12), 0), look.px(6), look.px(6))
        self.paint_runs(painter)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(look.color("border"))
        painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))

    def _place(self) -> QRectF:
        """Where the picture is, its proportions kept."""
        assert self.picture is not None
        size = self.picture.image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        return QRectF(
            (self.width() - size.width()) // 2, (self.height() - size.height()) // 2, size.width(), size.height()
        )

    def _pixmap(self, place: QRectF) -> QPixmap:
        """The picture in screen size, made once; grey when it is not live."""
        assert self.picture is not None
        image, size, is_grey = self.picture.image, place.size().toSize(), self.is_stale
        if self._scaled is not None and self._scaled[0] is image and self._scaled[1:3] == (size, is_grey):
            return self._scaled[3]
        shown = image.convertToFormat(QImage.Format.Format_Grayscale8) if is_grey else image
        scaled = shown.scaled(size, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation)
        self._scaled = (image, size, is_grey, QPixmap.fromImage(scaled))
        return self._scaled[3]

    def _banner(self) -> QRectF:
        height = self.look.px(140)
        return QRectF(0, (self.height() - height) / 2, self.width(), height)

    def _truth_box(self) -> QRectF | None:
        """The true defect on the screen, where it is known and wanted."""
        if self.picture is None or self.picture.part.truth is None or not self.truth_button.isChecked():
            return None
        box, place = self.picture.part.truth.box, self._place()
        if box is None or not self.picture.width or not self.picture.height:
            return None
        x, y = place.width() / self.picture.width, place.height() / self.picture.height
        margin = self.look.px(8)
        rect = QRectF(place.left() + box[0] * x, place.top() + box[1] * y, box[2] * x, box[3] * y)
        return rect.adjusted(-margin, -margin, margin, margin)

    def _truth_label(self) -> TextRun:
        box = self._truth_box()
        assert box is not None
        assert self.picture is not None
        assert self.picture.part.truth is not None
        name = words.defect(self.picture.part.truth.defect_class)
        text = translate("Picture", "true defect: {name}").format(name=name)
        font = self.look.font(17)
        metrics = QFontMetricsF(font)
        width, height = metrics.horizontalAdvance(text) + 2, metrics.height()
        left = min(max(box.left(), self.look.px(8)), self.width() - width - self.look.px(8))
        above = box.top() - height - self.look.px(4)
        top = above if above > self.look.px(64) else box.bottom() + self.look.px(4)
        return TextRun(text, QRectF(left, top, width, height), font, QColor("#ffffff"))

    def _paint_truth(self, painter: QPainter, box: QRectF) -> None:
        label = self._truth_label().rect
        painter.fillRect(label.adjusted(-6, 0, 6, 0), QColor(20, 22, 24, 190))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for color, width, style in (("#14181a", 5, Qt.PenStyle.SolidLine), ("#ffffff", 2, Qt.PenStyle.DashLine)):
            painter.setPen(QPen(QColor(color), width, style))
            painter.drawRect(box)


def _see_through(color: QColor) -> QColor:
    faded = QColor(color)
    faded.setAlpha(215)
    return faded
