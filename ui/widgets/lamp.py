"""The verdict lamp: word, shape and colour, to be read from three metres."""

from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

from inspector.domain.disposition import Action
from inspector.domain.inspection import InspectedPart
from ui import words
from ui.i18n import translate
from ui.look import Look
from ui.shown import Lamp, Shown, Why
from ui.widgets.base import FitText, Panel, shapes
from ui.widgets.marks import hatch, lamp_mark

SMALLEST_HEIGHT = 200  # px, on every panel
_ROLES = {Lamp.OK: "ok_text", Lamp.NG: "ng_text", Lamp.HOLD: "hold_text", Lamp.NOT_INSPECTED: "idle_text"}
_GROUNDS = {Lamp.OK: "ok", Lamp.NG: "ng", Lamp.HOLD: "hold", Lamp.NOT_INSPECTED: "idle"}


class LampView(Panel):
    def __init__(self, look: Look) -> None:
        super().__init__(look, framed=False)
        self.shown = Shown(Lamp.NOT_INSPECTED, why=Why.CONNECTING)
        self.word = FitText(look, 112, bold=True)
        self.two_words = (FitText(look, 58, bold=True), FitText(look, 58, bold=True))
        self.reason = FitText(look, 34)
        self.detail = FitText(look, 22)
        self._texts = QVBoxLayout()
        self._texts.addStretch(1)
        for text in self._all_texts():
            self._texts.addWidget(text)
        self._texts.addStretch(1)
        self._row = QHBoxLayout(self)
        self._row.addStretch(34)
        self._row.addLayout(self._texts, 66)
        self.setMinimumHeight(SMALLEST_HEIGHT)
        self.refresh()

    def _all_texts(self) -> tuple[FitText, ...]:
        return (self.word, *self.two_words, self.reason, self.detail)

    def show_verdict(self, shown: Shown) -> None:
        if shown != self.shown:
            self.shown = shown
            self.refresh()

    def refresh(self) -> None:
        px = self.look.px
        self._row.setContentsMargins(px(8), px(8), px(20), px(8))
        self._texts.setSpacing(px(3))
        self.setMinimumHeight(max(SMALLEST_HEIGHT, px(236)))
        word = _word(self.shown.lamp)
        first, _, second = word.partition("\n")
        self.word.setVisible(not second)
        self.word.show_text("" if second else first)
        for text, half in zip(self.two_words, (first, second), strict=True):
            text.setVisible(bool(second))
            text.show_text(half if second else "")
        reason, detail = _lines(self.shown)
        self.reason.show_text(reason)
        self.detail.show_text(detail)
        self.detail.setVisible(bool(detail))
        for text in self._all_texts():
            text.set_role(_ROLES[self.shown.lamp])
        self.setAccessibleName(f"{word} {reason}".replace("\n", " "))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        lamp, look = self.shown.lamp, self.look
        painter = shapes(self)
        frame = QRectF(self.rect()).adjusted(1.5, 1.5, -1.5, -1.5)
        path = QPainterPath()
        path.addRoundedRect(frame, look.px(10), look.px(10))
        painter.fillPath(path, look.color(_GROUNDS[lamp]))
        mark = QRectF(0, 0, frame.width() * 0.33, frame.height())
        if lamp is Lamp.NOT_INSPECTED:
            painter.setClipPath(path)
            hatch(painter, frame, look.color("idle_stripe"), look.px(16))
            # Words stand on plain ground, or the stripes would be all that one sees.
            plate = QRectF(mark.right() - look.px(14), frame.top(), frame.width(), frame.height())
            painter.fillRect(plate, look.color("idle"))
            painter.setClipping(False)
        border = look.color("ok_border") if lamp in (Lamp.OK, Lamp.NOT_INSPECTED) else QColor(0, 0, 0, 0)
        painter.setPen(QPen(border, 3))
        painter.drawPath(path)
        side = min(mark.width(), mark.height()) * 0.66
        box = QRectF(mark.center().x() - side / 2 + look.px(8), mark.center().y() - side / 2, side, side)
        lamp_mark(painter, lamp, box, look.color(_ROLES[lamp]))


def _word(lamp: Lamp) -> str:
    if lamp is Lamp.NOT_INSPECTED:
        return translate("Lamp", "NOT\nINSPECTED")
    return words.action({Lamp.OK: Action.PASS, Lamp.NG: Action.REJECT, Lamp.HOLD: Action.HOLD}[lamp])


def _lines(shown: Shown) -> tuple[str, str]:
    """What stands under the word: why, and who decided."""
    if shown.part is None:
        return _why(shown.why or Why.CONNECTING)
    part, reason = shown.part, words.verdict_reason(shown.part)
    if part.disposition.action is Action.REJECT:
        reason = translate("Lamp", "{defect} · reject").format(defect=reason)
    elif part.disposition.action is Action.PASS:
        reason = translate("Lamp", "pass")
    return reason, _decided(part)


def _decided(part: InspectedPart) -> str:
    time = translate("Lamp", "{ms} ms").format(ms=words.milliseconds(part.latency_ms))
    if part.verdict is None or not part.verdict.exits:
        return translate("Lamp", "held before any model looked · {time}").format(time=time)
    score = f"{part.verdict.exits[-1].p_defect:.2f}"
    if part.verdict.exit is None:
        last = words.exit_name(part.verdict.exits[-1].exit)
        return translate("Lamp", "not decided by {exit} · {score} · {time}").format(exit=last, score=score, time=time)
    exit_ = words.exit_name(part.verdict.exit)
    return translate("Lamp", "decided by {exit} · {score} · {time}").format(exit=exit_, score=score, time=time)


def _why(why: Why) -> tuple[str, str]:
    if why is Why.FEED_LOST:
        return translate("Lamp", "no word from the station"), translate("Lamp", "what is shown is old")
    if why is Why.UNREADABLE:
        return (
            translate("Lamp", "station speaks another version"),
            translate("Lamp", "update station and dashboard to the same one"),
        )
    if why is Why.CAMERA:
        return translate("Lamp", "camera delivers no pictures"), ""
    if why is Why.NO_PART:
        return translate("Lamp", "waiting for the first part"), ""
    if why is Why.CONNECTING:
        return translate("Lamp", "connecting to the station"), ""
    if why is Why.STARTING:
        return translate("Lamp", "station is starting"), ""
    if why is Why.STOPPING:
        return translate("Lamp", "station is stopping"), ""
    if why is Why.STOPPED:
        return translate("Lamp", "station has stopped"), ""
    return translate("Lamp", "station has a fault"), translate("Lamp", "call an engineer")
