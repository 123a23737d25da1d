"""A video file as a source: its frames are parts."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import cv2

from inspector.adapters.cameras.pacing import Pace
from inspector.domain.errors import SourceError
from inspector.domain.frame import Frame, MissedFrame, SourceHealth, Trigger

_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"


class VideoSource:
    """`ports.FrameSource` over a video file: one frame of every `every_nth`, beginning with the first, is a part.

    `parts_per_s` paces it, 0 delivers as fast as parts are taken. Pictures are u8 BGR, as stored: a rotation noted in the
    file is not applied. Where the last frame of a file is cut it is left out: a decoder would fill the missing half with
    grey. `frame_id` is the file's name and the frame's number in it, from 0.

    A file that is cut or damaged ends early: where the file announces more frames than it gives, the last trigger is one
    MissedFrame that says how many came, and `health` stays not ok. (How many parts those were nobody knows.)
    """

    def __init__(self, path: Path, *, parts_per_s: float = 0.0, every_nth: int = 1) -> None:
        if every_nth < 1:
            raise ValueError(f"every_nth = {every_nth} must be 1 or more")
        self._path = Path(path)
        self._every_nth = every_nth
        self._closed = threading.Event()
        self._pace = Pace(parts_per_s, self._closed)
        # Written by the thread in `triggers` alone; reading one of them needs no lock.
        self._frames = 0
        self._fault = ""

    @property
    def name(self) -> str:
        return f"video {self._path.name}"

    @property
    def is_live(self) -> bool:
        return False

    def triggers(self) -> Iterator[Trigger]:
        """See `ports.FrameSource`. Raises SourceError when there is no file, or none with a picture in it."""
        capture = self._open()
        try:
            announced = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
            number = 0
            while not self._closed.is_set() and capture.grab():
                if number % self._every_nth == 0:
                    if not self._pace.wait():
                        return
                    yield self._trigger(capture, number)
                number += 1
        finally:
            capture.release()
        if self._closed.is_set():
            return
        if number == 0:
            raise SourceError(f"video {self._path} holds no picture that can be read; record or copy it again")
        if number < announced:
            self._fault = (
                f"video {self._path} ends after {number} of {announced} frames: it is cut or damaged; "
                "record or copy it again"
            )
            yield self._missed(number, self._fault)

    def health(self) -> SourceHealth:
        return SourceHealth(ok=not self._fault, detail=self._fault or f"{self._frames} pictures", frames=self._frames)

    def close(self) -> None:
        self._closed.set()

    def _open(self) -> cv2.VideoCapture:
        # The decoder also takes URLs and device names; only a file is meant here.
        try:
            is_file = self._path.is_file()
        except OSError as error:
            raise SourceError(
                f"video {self._path} cannot be reached ({error.strerror or error}); give the station's user the right "
                "to read it"
            ) from None
        if not is_file:
            raise SourceError(f"video {self._path}: there is no such file; correct the path")
        capture = cv2.VideoCapture()
        with _whole_pictures_only():
            is_open = capture.open(str(self._path.absolute()), cv2.CAP_FFMPEG)
        if not is_open:
            raise SourceError(
                f"video {self._path} cannot be opened: it is cut off, no video, or in a format that FFmpeg does not read; "
                "record it again as AVI, MP4 or MKV"
            )
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)  # refused as an option of `open`
        return capture

    def _trigger(self, capture: cv2.VideoCapture, number: int) -> Trigger:
        done, image = capture.retrieve()
        if not done:
            return self._missed(number, f"frame {number} of video {self._path} is damaged; record or copy it again")
        self._frames += 1
        return Frame(self._id(number), image, datetime.now(UTC), time.monotonic_ns(), str(self._path))

    def _missed(self, number: int, detail: str) -> MissedFrame:
        return MissedFrame(self._id(number), datetime.now(UTC), time.monotonic_ns(), str(self._path), detail)

    def _id(self, number: int) -> str:
        return f"{self._path.name}-{number:08d}"


@contextlib.contextmanager
def _whole_pictures_only() -> Iterator[None]:
    """Files opened within give no picture of a frame that is only half there. The environment is the one way to ask."""
    before = os.environ.get(_OPTIONS)
    os.environ[_OPTIONS] = "fflags;discardcorrupt"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_OPTIONS]
        else:
            os.environ[_OPTIONS] = before
