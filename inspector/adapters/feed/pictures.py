"""Pictures on their way to a screen: made small, made displayable, and the last NG and HOLD kept."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from inspector.domain.frame import Frame, Image
from inspector.domain.inspection import InspectedPart

JpegEncode = Callable[[Image], bytes]

PICTURE_MAX_WIDTH = 1280  # px; a dashboard shows no more, and a 12 MP picture would cost the station 50 ms
THUMBNAIL_MAX_WIDTH = 320  # px
FILM_LENGTH = 10  # parts on the film strip


@dataclass(frozen=True, slots=True)
class Encoded:
    """A picture as JPEG. `width` and `height` are px of the frame that it shows, before it was made small."""

    jpeg: bytes
    width: int
    height: int


def displayable(image: NDArray[np.generic]) -> Image | None:
    """`image` as u8 with 1 or 3 channels, whatever the camera gave, or None when it is no picture at all.

    Frames come here before they are judged fit, and a held part's odd picture is the one a person wants to see.
    """
    picture = image[:, :, np.newaxis] if image.ndim == 2 else image
    if picture.ndim != 3 or picture.size == 0 or picture.shape[2] not in (1, 3, 4):
        return None
    if picture.dtype == np.uint16:
        picture = (picture.astype(np.uint16, copy=False) >> 8).astype(np.uint8)
    if picture.dtype != np.uint8:
        return None
    return np.ascontiguousarray(picture[:, :, :3], dtype=np.uint8)


def shrunk(image: Image, max_width: int) -> Image:
    """`image` at most `max_width` px wide, by a whole factor; each pixel is the mean of four, so texture stays calm."""
    factor = -(-image.shape[1] // max_width)
    if factor <= 1:
        return image
    height, width = (image.shape[0] // factor) * factor, (image.shape[1] // factor) * factor
    if height == 0:
        return image
    half = factor // 2
    total = np.zeros((height // factor, width // factor, image.shape[2]), dtype=np.uint16)
    for y, x in ((0, 0), (0, half), (half, 0), (half, half)):
        total += image[y:height:factor, x:width:factor]
    return np.ascontiguousarray(total >> 2, dtype=np.uint8)


def encoded(frame: Frame, encode: JpegEncode, max_width: int) -> Encoded | None:
    """`frame` as a JPEG, or None when it cannot be shown: a picture for people never disturbs the line."""
    try:
        picture = displayable(frame.image)
        if picture is None:
            return None
        return Encoded(encode(shrunk(picture, max_width)), picture.shape[1], picture.shape[0])
    except Exception:  # the encoder is a driver, and may fail in any way on a damaged picture
        return None


@dataclass(slots=True)
class _FilmItem:
    part: InspectedPart
    frame: Frame | None  # until encoded: then let go, it may be 30 MB
    picture: Encoded | None = None
    thumbnail: Encoded | None = None


class Film:
    """The last ten NG and HOLD parts with their pictures. Any thread.

    Bounded: the eleventh part pushes out the first. A burst of rejects is thus encoded for its last ten only.
    """

    def __init__(self) -> None:
        self._items: deque[_FilmItem] = deque(maxlen=FILM_LENGTH)
        self._lock = Lock()

    def add(self, part: InspectedPart, frame: Frame | None) -> None:
        with self._lock:
            self._items.append(_FilmItem(part, frame))

    def encode_next(self, encode: JpegEncode) -> tuple[InspectedPart, Encoded] | None:
        """Encode the newest part that waits; give it with its thumbnail, or None when none waits."""
        while True:
            with self._lock:
                item = next((i for i in reversed(self._items) if i.frame is not None), None)
            if item is None or item.frame is None:
                return None
            picture = encoded(item.frame, encode, PICTURE_MAX_WIDTH)
            thumbnail = encoded(item.frame, encode, THUMBNAIL_MAX_WIDTH)
            with self._lock:
                item.frame, item.picture, item.thumbnail = None, picture, thumbnail
            if thumbnail is not None:
                return item.part, thumbnail

    def picture(self, part_id: str) -> Encoded | None:
        """The large picture of a part that is still on the film."""
        with self._lock:
            return next((i.picture for i in self._items if i.part.part_id == part_id), None)

    def items(self) -> Iterator[tuple[InspectedPart, Encoded | None]]:
        """Parts with their thumbnails, oldest first."""
        with self._lock:
            held = [(i.part, i.thumbnail) for i in self._items]
        return iter(held)
