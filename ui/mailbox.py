"""What waits between the link's thread and the screen's: bounded, newest wins, so a hanging screen costs no memory."""

from collections import deque
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from PySide6.QtGui import QImage

from inspector.domain.inspection import InspectedPart
from inspector.domain.state import StationState

MAX_PARTS = 500  # parts that one delivery shows at most: film and lamp need the last ten; counts come with the state
MAX_THUMBNAILS = 20  # twice the film
MAX_ANSWERS = 32  # twice the requests that may wait


@dataclass(frozen=True, slots=True, eq=False)
class PartPicture:
    """A decoded picture of a part. `width` and `height` are px of the camera's picture, before it was made small."""

    part: InspectedPart
    image: QImage
    width: int
    height: int


@dataclass(frozen=True, slots=True, eq=False)
class FilmItem:
    part: InspectedPart
    thumbnail: QImage | None


@dataclass(frozen=True, slots=True)
class Answer:
    """To one command. `error` is the station's sentence, or None when no answer came in time."""

    request_id: int
    ok: bool
    result: dict[str, Any]
    error: str | None = None


@dataclass(slots=True)
class Delivery:
    """All that came since the last one. `film` is a snapshot's: it replaces what is shown; `is_restart` clears all."""

    is_restart: bool = False
    film: list[FilmItem] | None = None
    state: StationState | None = None
    parts: deque[InspectedPart] = field(default_factory=lambda: deque(maxlen=MAX_PARTS))
    picture: PartPicture | None = None
    thumbnails: deque[PartPicture] = field(default_factory=lambda: deque(maxlen=MAX_THUMBNAILS))
    answers: deque[Answer] = field(default_factory=lambda: deque(maxlen=MAX_ANSWERS))


class Mailbox:
    """The link's thread puts, the screen's thread takes."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._content = Delivery()
        self._is_announced = False
        self._fresh_at = float("-inf")
        self._unreadable_at = float("-inf")

    # --- link's thread -----------------------------------------------------------------------------------------------

    def restarted(self) -> None:
        """Another station speaks: what waits is the former one's."""
        with self._lock:
            answers = self._content.answers
            self._content = Delivery(is_restart=True, answers=answers)

    def film(self, items: list[FilmItem]) -> None:
        with self._lock:
            self._content.film = items

    def state(self, state: StationState, sent_at: float) -> None:
        """`sent_at` in s on this machine's monotonic clock."""
        with self._lock:
            self._content.state = state
            self._fresh_at = max(self._fresh_at, sent_at)

    def snapshot_state(self, state: StationState) -> None:
        """Shown until the first heartbeat, and no heartbeat itself."""
        with self._lock:
            if self._content.state is None:
                self._content.state = state

    def unreadable(self, at: float) -> None:
        with self._lock:
            self._unreadable_at = at

    def part(self, part: InspectedPart) -> None:
        with self._lock:
            self._content.parts.append(part)

    def picture(self, picture: PartPicture) -> None:
        with self._lock:
            self._content.picture = picture

    def thumbnail(self, thumbnail: PartPicture) -> None:
        with self._lock:
            self._content.thumbnails.append(thumbnail)

    def answer(self, answer: Answer) -> None:
        with self._lock:
            self._content.answers.append(answer)

    def announce(self) -> bool:
        """True when something waits and the screen has not been told yet."""
        with self._lock:
            c = self._content
            waits = bool(
                c.is_restart or c.film is not None or c.state or c.parts or c.picture or c.thumbnails or c.answers
            )
            must_wake = waits and not self._is_announced
            self._is_announced = self._is_announced or waits
            return must_wake

    # --- screen's thread ---------------------------------------------------------------------------------------------

    def take(self) -> Delivery:
        with self._lock:
            content, self._content = self._content, Delivery()
            self._is_announced = False
            return content

    def freshness(self) -> tuple[float, float]:
        """When the last heartbeat was sent, and when the last message came that could not be read (s, monotonic)."""
        with self._lock:
            return self._fresh_at, self._unreadable_at
