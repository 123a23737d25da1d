"""The alarm strip: the most urgent alarm, blinking until somebody acknowledges it; quiet when there is none."""

from PySide6.QtCore import QRectF, QTimer, Signal
from PySide6.QtGui import QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

from inspector.domain.alarm import Alarm, AlarmState, Priority
from ui import words
from ui.i18n import translate
from ui.look import Look
from ui.widgets.base import Align, Button, Canvas, FitText, Panel, Text, shapes
from ui.widgets.marks import health_mark, warning_mark

_BLINK_MS = 500
_WAITS = (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED_UNACKNOWLEDGED)
_URGENCY = {Priority.HIGH: 0, Priority.MEDIUM: 1, Priority.LOW: 2}


class _AlarmMark(Canvas):
    def __init__(self, look: Look) -> None:
        super().__init__(look)
        self.alarm: Alarm | None = None
        self.is_silent = False
        look.changed.connect(self._resize)
        self._resize()

    def _resize(self) -> None:
        self.setFixedSize(self.look.px(56), self.look.px(52))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, box = shapes(self), QRectF(self.rect())
        if self.is_silent:
            warning_mark(painter, box, self.look.color("ng"), self.look.color("ng_text"))
        elif self.alarm is None or not self.alarm.is_active:
            side = box.height() * 0.5
            quiet = QRectF(box.center().x() - side / 2, box.center().y() - side / 2, side, side)
            health_mark(painter, quiet, self.look.color("muted"))
        elif self.alarm.priority is Priority.HIGH:
            warning_mark(painter, box, self.look.color("ng"), self.look.color("ng_text"))
        else:
            warning_mark(painter, box, self.look.color("warning"), self.look.color("warning_mark"))


class AlarmStrip(Panel):
    """Of several alarms the most urgent one; `Next` goes through the others."""

    acknowledged = Signal(str)  # alarm_id

    def __init__(self, look: Look) -> None:
        super().__init__(look, framed=False)
        self._alarms: tuple[Alarm, ...] = ()
        self._is_live = False
        self._silence: tuple[str, str] | None = None
        self._shown_id: str | None = None
        self._sent: set[str] = set()  # acknowledgements under way: the button waits for the station's word
        self._refusal: str | None = None
        self._is_lit = True
        self._mark = _AlarmMark(look)
        self.title = FitText(look, 24, bold=True)
        self.remedy = FitText(look, 18)
        self.message = FitText(look, 16, role="muted")
        self.position = Text(look, 18, role="muted", align=Align.AlignRight)
        self.next_button = Button(look, 20)
        self.acknowledge_button = Button(look, 20)
        self.next_button.clicked.connect(self._next)
        self.acknowledge_button.clicked.connect(self._acknowledge)
        self._blink = QTimer(self)
        self._blink.setInterval(_BLINK_MS)
        self._blink.timeout.connect(self._toggle)
        self._texts = QVBoxLayout()
        self._texts.setSpacing(0)
        for text in (self.title, self.remedy, self.message):
            self._texts.addWidget(text)
        self._row = QHBoxLayout(self)
        self._row.addWidget(self._mark)
        self._row.addLayout(self._texts, 1)
        for widget in (self.position, self.next_button, self.acknowledge_button):
            self._row.addWidget(widget)
        self.refresh()

    @property
    def is_blinking(self) -> bool:
        return self._blink.isActive()

    @property
    def shown(self) -> Alarm | None:
        return next((a for a in self._alarms if a.alarm_id == self._shown_id), None)

    def show_silence(self, title: str, remedy: str) -> None:
        """The station itself is not heard: this dashboard's own alarm, which stands as long as the silence."""
        self._silence = (title, remedy) if title else None
        self.refresh()

    def show_alarms(self, alarms: tuple[Alarm, ...], *, is_live: bool) -> None:
        standing = [alarm for alarm in alarms if alarm.state is not AlarmState.NORMAL]
        standing.sort(key=lambda a: (a.state not in _WAITS, _URGENCY[a.priority], -a.raised_at.timestamp()))
        waiting = {alarm.alarm_id for alarm in standing if alarm.state in _WAITS}
        is_new = bool(waiting - {alarm.alarm_id for alarm in self._alarms if alarm.state in _WAITS})
        self._alarms, self._is_live = tuple(standing), is_live
        self._sent &= waiting
        if is_new or self.shown is None:
            self._shown_id = standing[0].alarm_id if standing else None
            self._refusal = None
        self.refresh()

    def show_refusal(self, alarm_id: str, sentence: str) -> None:
        """The acknowledgement failed: say so, and let it be tried again."""
        self._sent.discard(alarm_id)
        self._refusal = sentence
        self.refresh()

    def refresh(self) -> None:
        px, alarm = self.look.px, self.shown if self._silence is None else None
        self._row.setContentsMargins(px(24), px(6), px(14), px(6))
        self._row.setSpacing(px(14))
        self.setFixedHeight(max(self.look.touch() + 20, px(98)))
        for button in (self.next_button, self.acknowledge_button):
            button.setMinimumHeight(self.look.touch(60))  # hit in a hurry, with gloves on
        waits = alarm is not None and alarm.state in _WAITS
        self._mark.alarm, self._mark.is_silent = alarm, False
        self._mark.update()
        self.title.set_role("alarm_text" if alarm is not None else "muted")
        self.remedy.set_role("alarm_text" if alarm is not None else "muted")
        self.message.set_role("alarm_text" if alarm is not None else "muted")
        if self._silence is not None:
            self._show_silence(*self._silence)
            return
        self.title.show_text(_title(alarm) if alarm else self._quiet())
        self.remedy.show_text(self._refusal or words.alarm_remedy(alarm) if alarm else "")
        self.message.show_text(translate("Alarms", "Station: {message}").format(message=alarm.message) if alarm else "")
        self.remedy.setVisible(alarm is not None)
        self.message.setVisible(alarm is not None)
        many = len(self._alarms) > 1
        self.position.setVisible(many)
        self.next_button.setVisible(many)
        self.acknowledge_button.setVisible(waits)
        self.acknowledge_button.setEnabled(self._is_live and waits and self._shown_id not in self._sent)
        self.next_button.setText(translate("Alarms", "Next"))
        self.acknowledge_button.setText(translate("Alarms", "Acknowledge"))
        if many and alarm is not None:
            self.position.setText(f"{self._alarms.index(alarm) + 1} / {len(self._alarms)}")
        self._start_or_stop_blinking()
        self.update()

    def _show_silence(self, title: str, remedy: str) -> None:
        for text in (self.title, self.remedy, self.message):
            text.set_role("alarm_text")
        self.title.show_text(title)
        self.remedy.show_text(remedy)
        self.remedy.show()
        known = translate("Alarms", "Alarms of the station before: {count}").format(count=len(self._alarms))
        self.message.show_text(known)
        self.message.show()
        for widget in (self.position, self.next_button, self.acknowledge_button):
            widget.hide()
        self._mark.is_silent = True
        self._blink.stop()
        self.update()

    def _quiet(self) -> str:
        return translate("Alarms", "No alarms") if self._is_live else translate("Alarms", "Alarms are not known")

    def _start_or_stop_blinking(self) -> None:
        waits = any(alarm.state in _WAITS for alarm in self._alarms)
        if waits and not self._blink.isActive():
            self._blink.start()
        elif not waits:
            self._blink.stop()
            self._is_lit = True

    def _toggle(self) -> None:
        self._is_lit = not self._is_lit
        self.update()

    def _next(self) -> None:
        shown = self.shown
        index = self._alarms.index(shown) if shown is not None else -1
        self._shown_id = self._alarms[(index + 1) % len(self._alarms)].alarm_id
        self._refusal = None
        self.refresh()

    def _acknowledge(self) -> None:
        if self._shown_id is not None:
            self._sent.add(self._shown_id)
            self._refusal = None
            self.refresh()
            self.acknowledged.emit(self._shown_id)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, look, alarm = shapes(self), self.look, self.shown
        frame = QRectF(self.rect()).adjusted(2, 2, -2, -2)
        radius = look.px(6)
        if self._silence is not None:
            painter.setBrush(look.color("alarm"))
            painter.setPen(QPen(look.color("ng"), 4))
            painter.drawRoundedRect(frame, radius, radius)
            return
        if alarm is None:
            painter.setPen(QPen(look.color("border"), 1))
            painter.drawRoundedRect(frame, radius, radius)
            return
        is_high = alarm.priority is Priority.HIGH and alarm.is_active
        border = look.color("ng" if is_high else "alarm_border" if alarm.is_active else "border")
        painter.setBrush(look.color("alarm") if alarm.is_active else look.color("surface"))
        # Blinking is in the frame and a bar at the left: the words stay readable all the time.
        waits = alarm.state in _WAITS
        painter.setPen(QPen(border, 4 if waits and self._is_lit else 1))
        painter.drawRoundedRect(frame, radius, radius)
        if waits and self._is_lit:
            painter.fillRect(
                QRectF(frame.left(), frame.top() + radius, look.px(9), frame.height() - 2 * radius), border
            )


def _title(alarm: Alarm) -> str:
    title, since = words.alarm_title(alarm), words.clock(alarm.raised_at)
    if alarm.state is AlarmState.RETURNED_UNACKNOWLEDGED:
        return translate("Alarms", "{title}: over since {until}, began {since}").format(
            title=title, until=words.clock(alarm.changed_at), since=since
        )
    if alarm.state is AlarmState.ACKNOWLEDGED:
        return translate("Alarms", "{title} since {since} · acknowledged").format(title=title, since=since)
    return translate("Alarms", "{title} since {since}").format(title=title, since=since)
