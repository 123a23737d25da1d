"""A folder or list of pictures as a source: each file is a part, each exactly once."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from inspector.adapters.cameras.decoding import read_picture
from inspector.adapters.cameras.pacing import Pace
from inspector.adapters.cameras.picture_file import PictureError
from inspector.adapters.cameras.picture_listing import ListedPicture, pictures_of_folder, pictures_of_list
from inspector.domain.errors import SourceError
from inspector.domain.frame import Frame, MissedFrame, SourceHealth, Trigger


class FolderSource:
    """`ports.FrameSource` over picture files, in the order of their paths (a list: in its own order).

    `split` takes only what `split.csv` gives to that split; `list_file` takes only what it names (see `picture_listing`
    for what makes a folder a labelled data set). `parts_per_s` paces it, 0 delivers as fast as parts are taken.
    `loop` begins again at the end, without end; the same files then, those of the first round.

    A file that is damaged, gone, or may not be read is a MissedFrame that says why. `frame_id` is the file's path in the
    folder, in round n > 1 with `#n` behind it; `captured_at` is when the file was read.
    """

    def __init__(
        self,
        path: Path,
        *,
        split: str | None = None,
        list_file: Path | None = None,
        parts_per_s: float = 0.0,
        loop: bool = False,
        ok_class: str = "ok",
    ) -> None:
        if split is not None and list_file is not None:
            raise SourceError("split and list_file both choose pictures; give one of them")
        self._path = Path(path)
        self._split = split
        self._list_file = list_file
        self._loop = loop
        self._ok_class = ok_class
        self._closed = threading.Event()
        self._pace = Pace(parts_per_s, self._closed)
        # Written by the thread in `triggers` alone; reading one of them needs no lock.
        self._frames = 0
        self._missed = 0
        self._total = 0

    @property
    def name(self) -> str:
        return f"folder {self._path.name}"

    @property
    def is_live(self) -> bool:
        return False

    def triggers(self) -> Iterator[Trigger]:
        """See `ports.FrameSource`. Raises SourceError when there is no folder, no list, or no picture in either."""
        if self._list_file is not None:
            pictures = pictures_of_list(self._path, self._list_file)
        else:
            pictures = pictures_of_folder(self._path, split=self._split, ok_class=self._ok_class)
        self._total = len(pictures)
        round_ = 1
        while True:
            for picture in pictures:
                if not self._pace.wait():
                    return
                yield self._trigger(picture, round_)
            if not self._loop:
                return
            round_ += 1

    def health(self) -> SourceHealth:
        done = self._frames + self._missed
        detail = f"{done} of {self._total} pictures" if not self._loop else f"{done} pictures, again and again"
        if self._missed:
            detail += f", {self._missed} of them unreadable"
        return SourceHealth(ok=True, detail=detail, frames=self._frames)

    def close(self) -> None:
        self._closed.set()

    def _trigger(self, picture: ListedPicture, round_: int) -> Trigger:
        frame_id = picture.key if round_ == 1 else f"{picture.key}#{round_}"
        origin = str(picture.path)
        try:
            image = read_picture(picture.path)
        except PictureError as error:
            self._missed += 1
            detail = f"{picture.path}: {error}"
            return MissedFrame(frame_id, datetime.now(UTC), time.monotonic_ns(), origin, detail, truth=picture.truth)
        self._frames += 1
        return Frame(frame_id, image, datetime.now(UTC), time.monotonic_ns(), origin, truth=picture.truth)
