"""The one place where an event of the feed becomes a Qt signal."""

import base64
import time
from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QImage

from ui.link import FeedLink
from ui.mailbox import Answer, Mailbox
from ui.shown import STALE_AFTER_S, UNREADABLE_STAYS_S, LinkState

_CHECK_MS = 100  # how often the heartbeat is looked at


class Bridge(QObject):
    """Signals for the screen, commands for the station.

    The link's thread only sets a mark; everything is delivered in the screen's thread, at most 60 times a second.
    """

    link_changed = Signal(object)  # LinkState
    restarted = Signal()  # another station process: forget what is shown
    state = Signal(object)  # StationState
    film = Signal(list)  # list[FilmItem]: replaces the film
    parts = Signal(tuple)  # tuple[InspectedPart, ...], oldest first; of a burst the last ones
    picture = Signal(object)  # PartPicture: the newest
    thumbnail = Signal(object)  # PartPicture
    answered = Signal(object)  # Answer

    _mail = Signal()

    def __init__(self, endpoint: str, command_endpoint: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._mailbox = Mailbox()
        self._link = FeedLink(endpoint, command_endpoint, self._mailbox, self._mail.emit)
        self._mail.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        self._link_state = LinkState.CONNECTING
        self._timer = QTimer(self)
        self._timer.setInterval(_CHECK_MS)
        self._timer.timeout.connect(self._check)

    @property
    def link_state(self) -> LinkState:
        return self._link_state

    def start(self) -> None:
        self._link.start()
        self._timer.start()

    def close(self) -> None:
        self._timer.stop()
        self._link.close()

    def request(self, command: str, args: Mapping[str, Any]) -> int:
        """Send a command; `answered` brings the answer with the id that this gives."""
        return self._link.request(command, args)

    def _deliver(self) -> None:
        mail = self._mailbox.take()
        self._check()  # before the news: a picture that waited behind a stop must not appear as live
        if mail.is_restart:
            self.restarted.emit()
        if mail.film is not None:
            self.film.emit(mail.film)
        if mail.state is not None:
            self.state.emit(mail.state)
        if mail.parts:
            self.parts.emit(tuple(mail.parts))
        if mail.picture is not None:
            self.picture.emit(mail.picture)
        for thumbnail in mail.thumbnails:
            self.thumbnail.emit(thumbnail)
        for answer in mail.answers:
            self.answered.emit(answer)

    def _check(self) -> None:
        fresh_at, unreadable_at = self._mailbox.freshness()
        now_s = time.monotonic()
        is_live = self._link.is_alive and now_s - fresh_at < STALE_AFTER_S
        if now_s - unreadable_at < UNREADABLE_STAYS_S:
            now = LinkState.UNREADABLE
        elif is_live:
            now = LinkState.LIVE
        else:
            now = LinkState.CONNECTING if self._link_state is LinkState.CONNECTING else LinkState.LOST
        if now is not self._link_state:
            self._link_state = now
            self.link_changed.emit(now)


def picture_in(answer: Answer) -> tuple[QImage, int, int] | None:
    """The picture in the answer to the command `picture`, with the camera's width and height, or None."""
    try:
        image = QImage.fromData(base64.b64decode(answer.result["jpeg"]))
        return (image, int(answer.result["width"]), int(answer.result["height"])) if not image.isNull() else None
    except (KeyError, TypeError, ValueError):
        return None
