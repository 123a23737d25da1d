"""The station page: what an operator watches."""

from time import monotonic

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from inspector.domain.inspection import InspectedPart
from inspector.domain.state import StationState
from ui import words
from ui.bridge import Bridge, picture_in
from ui.i18n import translate
from ui.look import Look
from ui.mailbox import Answer, FilmItem, PartPicture
from ui.shown import LampMemory, LinkState, Why, not_inspected_because, shown
from ui.widgets.alarms import AlarmStrip
from ui.widgets.counters import Counters
from ui.widgets.exit_mix import ExitMix
from ui.widgets.figures import Figures
from ui.widgets.film import Film
from ui.widgets.lamp import LampView
from ui.widgets.picture import Mode, PictureView

OPERATOR = "operator"  # who acknowledges, until people log in


class StationPage(QWidget):
    """Listens to the bridge and tells each widget what to show."""

    def __init__(self, look: Look, bridge: Bridge) -> None:
        super().__init__()
        self._look, self._bridge = look, bridge
        self._state: StationState | None = None
        self._memory = LampMemory()
        self._acknowledging: dict[int, str] = {}
        self._asked_picture: tuple[int, InspectedPart] | None = None
        self._kept: InspectedPart | None = None
        self.picture, self.lamp, self.counters = PictureView(look), LampView(look), Counters(look)
        self.exit_mix, self.figures = ExitMix(look), Figures(look)
        self.film, self.alarms = Film(look), AlarmStrip(look)
        self._lay_out()
        look.changed.connect(self._space)
        look.changed.connect(self._decide)
        bridge.link_changed.connect(self._decide)
        bridge.restarted.connect(self._restart)
        bridge.state.connect(self._show_state)
        bridge.film.connect(self._show_film)
        bridge.parts.connect(self._show_parts)
        bridge.picture.connect(self._show_picture)
        bridge.thumbnail.connect(self._show_thumbnail)
        bridge.answered.connect(self._take_answer)
        self.film.chosen.connect(self._choose)
        self.picture.mode_changed.connect(self._change_mode)
        self.alarms.acknowledged.connect(self._acknowledge)
        self._decide()

    @staticmethod
    def title() -> str:
        return translate("Pages", "Station")

    def tick(self) -> None:
        """A few times a second: an NG that has stood long enough gives way to the newest part."""
        now = monotonic()
        self.lamp.show_verdict(shown(self._bridge.link_state, self._state, self._memory.part(now)))
        self.picture.tick(now)

    def _lay_out(self) -> None:
        self._right = QVBoxLayout()
        self._right.addWidget(self.lamp, 30)
        self._right.addWidget(self.counters)
        self._right.addWidget(self.exit_mix)
        self._right.addWidget(self.figures, 10)
        self._main = QHBoxLayout()
        self._main.addWidget(self.picture, 61)
        self._main.addLayout(self._right, 39)
        self._column = QVBoxLayout(self)
        self._column.addLayout(self._main, 1)
        self._column.addWidget(self.film)
        self._column.addWidget(self.alarms)
        self._space()

    def _space(self) -> None:
        px = self._look.px
        self._right.setSpacing(px(10))
        self._main.setSpacing(px(20))
        self._column.setContentsMargins(px(24), px(14), px(24), px(14))
        self._column.setSpacing(px(10))
        self.film.setFixedHeight(px(146))
        self.figures.setMinimumHeight(px(136))

    # --- what the station says ---------------------------------------------------------------------------------------

    def _decide(self) -> None:
        """Everything that depends on whether the station is heard and inspects."""
        why = not_inspected_because(self._bridge.link_state, self._state)
        self.picture.set_stopped(why is not None)
        is_live = self._bridge.link_state is LinkState.LIVE
        self.alarms.show_alarms(self._state.alarms if self._state else (), is_live=is_live)
        self.alarms.show_silence(*self._silence(why))
        state = self._state
        self.counters.show_counts(state.counts if state else None, as_of=state.at if state and not is_live else None)
        self.exit_mix.show_state(state, is_live=is_live)
        self.figures.show_state(state, is_live=is_live)
        self.tick()

    def _silence(self, why: Why | None) -> tuple[str, str]:
        """Title and remedy while the station is not heard, empty otherwise."""
        if why is Why.UNREADABLE:
            return (
                translate("Station", "The station's messages cannot be read"),
                translate("Station", "Station and dashboard are of different versions: update both to the same one."),
            )
        if why is not Why.FEED_LOST:
            return "", ""
        title = translate("Station", "No word from the station")
        if self._state is not None:
            title = translate("Station", "No word from the station since {time}")
            title = title.format(time=words.clock(self._state.at))
        return title, translate(
            "Station", "Check that it runs and that the network is plugged in. This screen connects again by itself."
        )

    def _restart(self) -> None:
        self._state = None
        self._memory.clear()
        self.film.clear()
        self.picture.clear()
        self._decide()

    def _show_state(self, state: StationState) -> None:
        self._state = state
        self.picture.note_times(state.at, None)
        self._decide()

    def _show_parts(self, parts: tuple[InspectedPart, ...]) -> None:
        self._memory.offer(parts, monotonic())
        self.film.add(parts)
        self.picture.note_times(None, parts[-1].captured_at)
        self._follow_last_ng()
        self.tick()

    def _show_picture(self, picture: PartPicture) -> None:
        self.picture.show_live(picture, monotonic())

    def _show_film(self, items: list[FilmItem]) -> None:
        self.film.replace(items)
        self._follow_last_ng()

    def _show_thumbnail(self, picture: PartPicture) -> None:
        self.film.add_thumbnail(picture)
        if self._kept is not None and self._kept.part_id == picture.part.part_id:
            self._ask_for(self._kept)

    # --- the last NG, or a part chosen on the film -------------------------------------------------------------------

    def _choose(self, part: InspectedPart) -> None:
        self.picture.set_mode(Mode.CHOSEN)
        self._keep(part)

    def _change_mode(self, mode: Mode) -> None:
        self.film.select(None)
        self._kept = None
        if mode is Mode.LAST_NG:
            self._follow_last_ng()

    def _follow_last_ng(self) -> None:
        newest = self.film.newest_ng
        if self.picture.mode is Mode.LAST_NG and newest is not None and newest != self._kept:
            self._keep(newest)

    def _keep(self, part: InspectedPart) -> None:
        """Show the small picture at once, and ask the station for the large one."""
        self._kept = part
        self.film.select(part.part_id)
        small = self.film.thumbnail_of(part.part_id)
        self.picture.show_kept(PartPicture(part, small, 0, 0) if small is not None else None)
        self._ask_for(part)

    def _ask_for(self, part: InspectedPart) -> None:
        if self._asked_picture is None:  # one at a time: of a burst the last is asked for when this is answered
            self._asked_picture = (self._bridge.request("picture", {"part_id": part.part_id}), part)

    def _take_answer(self, answer: Answer) -> None:
        if self._asked_picture is not None and answer.request_id == self._asked_picture[0]:
            asked, self._asked_picture = self._asked_picture[1], None
            large = picture_in(answer)
            if self._kept is None:
                return
            if asked != self._kept:
                self._ask_for(self._kept)
            elif large is not None:
                self.picture.show_kept(PartPicture(asked, *large))
        alarm_id = self._acknowledging.pop(answer.request_id, None)
        if alarm_id is not None and not answer.ok:
            reason = answer.error or translate("Station", "the station did not answer")
            text = translate("Station", "Not acknowledged: {reason}").format(reason=reason)
            self.alarms.show_refusal(alarm_id, text)

    def _acknowledge(self, alarm_id: str) -> None:
        request_id = self._bridge.request("acknowledge", {"alarm_id": alarm_id, "who": OPERATOR})
        self._acknowledging[request_id] = alarm_id
