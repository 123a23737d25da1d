"""Labelled pictures in memory and a source that hands them out as fast as they are taken: a camera that never waits."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from inspector.domain.errors import SourceError
from inspector.domain.frame import Frame, Image, SourceHealth, Trigger
from inspector.domain.model import ModelInfo
from inspector.domain.truth import Label, Truth
from inspector.ports import Clock
from inspector.workshop.dataset import Split, read_dataset, read_picture

MEMORY_BYTES = 1 << 30
"""What the pictures may take. More are left out, at random, and that is told."""
_SEED = 7


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One decoded picture. `path` is relative to the data set."""

    path: str
    image: Image
    truth: Truth


@dataclass(frozen=True, slots=True)
class Preloaded:
    """Pictures of one split in random order, so that easy and hard ones come mixed. `left_out` did not fit the memory."""

    pictures: tuple[Picture, ...]
    left_out: int


def preload(
    root: Path,
    split: Split,
    info: ModelInfo,
    *,
    limit_bytes: int = MEMORY_BYTES,
    progress: Callable[[float], None] = lambda done: None,
) -> Preloaded:
    """Read and decode the pictures of `split` in the data set `root`, as the bundle described by `info` takes them.

    Raises ConfigError or SourceError for a data set that cannot be read, an empty split and a picture of another size.
    """
    samples = list(read_dataset(root, ok_class=info.ok_class).of(split))
    if not samples:
        raise SourceError(f"data set {root}: split {split} is empty; add pictures to it or choose another split")
    random.Random(_SEED).shuffle(samples)
    height, width, channels = info.input.shape
    fitting = max(1, limit_bytes // (height * width * channels))
    pictures = []
    for sample in samples[:fitting]:
        image = read_picture(root / sample.path, info.input.color)
        if image.shape != info.input.shape:
            raise SourceError(
                f"picture {root / sample.path} is {image.shape[1]}x{image.shape[0]} px, bundle {info.name} takes "
                f"{width}x{height}; give pictures as the camera delivers them"
            )
        is_ok = sample.label == info.ok_class
        truth = Truth(Label.OK) if is_ok else Truth(Label.NG, sample.label)
        pictures.append(Picture(sample.path, image, truth))
        progress(len(pictures) / min(fitting, len(samples)))
    return Preloaded(tuple(pictures), len(samples) - len(pictures))


class PreloadedSource:
    """`ports.FrameSource`: all pictures, `passes` times over. `started_s` (perf_counter) is when the first was taken."""

    is_live = False
    name = "pictures in memory"

    def __init__(self, pictures: tuple[Picture, ...], passes: int, clock: Clock) -> None:
        self._pictures = pictures
        self._passes = passes
        self._clock = clock
        self._closed = threading.Event()
        self.started_s = 0.0

    def triggers(self) -> Iterator[Trigger]:
        self.started_s = time.perf_counter()
        for turn in range(self._passes):
            for picture in self._pictures:
                if self._closed.is_set():
                    return
                yield Frame(
                    frame_id=f"{turn}/{picture.path}",
                    image=picture.image,
                    captured_at=self._clock.now(),
                    captured_ns=self._clock.monotonic_ns(),
                    origin=picture.path,
                    truth=picture.truth,
                )

    def health(self) -> SourceHealth:
        return SourceHealth(ok=True, detail="delivers")

    def close(self) -> None:
        self._closed.set()
