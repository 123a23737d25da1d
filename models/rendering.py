"""Pictures of the simulated line, rendered once and kept on disk beside the trained weights."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.adapters.cameras.simulated_line import SimulatedLine, SimulatedLineConfig
from inspector.workshop.dataset import Pictures
from inspector.workshop.nets import Preprocessing


@dataclass(frozen=True, slots=True)
class Run:
    """`parts` consecutive parts of one line, from index 0."""

    config: SimulatedLineConfig
    parts: int


def rendered(
    runs: Sequence[Run],
    views: Sequence[Preprocessing | None],
    classes: Sequence[str],
    folder: Path,
    progress: Callable[[str], None],
    *,
    processes: int = 2,
) -> list[Pictures]:
    """All parts of `runs`, once per view: cropped and resized as it says, or whole (None). Memory-mapped from `folder`.

    A folder that holds an earlier rendering of the same runs and views is used as it is.
    """
    key = repr((runs, views, classes))
    done = folder / "key.txt"
    if not (done.is_file() and done.read_text(encoding="utf-8") == key):
        folder.mkdir(parents=True, exist_ok=True)
        done.unlink(missing_ok=True)
        first = runs[0].config
        total = sum(run.parts for run in runs)
        for index, view in enumerate(views):
            height, width = (first.height, first.width) if view is None else view.taken
            np.lib.format.open_memmap(_file(folder, index), "w+", np.uint8, (total, height, width, 3))
        np.lib.format.open_memmap(folder / "labels.npy", "w+", np.int64, (total,))
        starts = np.cumsum([0, *(run.parts for run in runs)])
        jobs = [
            (run, int(start), tuple(views), tuple(classes), folder) for run, start in zip(runs, starts, strict=False)
        ]
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            for n, _ in enumerate(pool.map(_render, jobs), 1):
                if n % 10 == 0 or n == len(jobs):
                    progress(f"{folder.name}: {n} of {len(jobs)} runs rendered")
        done.write_text(key, encoding="utf-8")
    labels = np.load(folder / "labels.npy")
    return [Pictures(np.load(_file(folder, index), mmap_mode="r"), labels) for index in range(len(views))]


def _render(job: tuple[Run, int, tuple[Preprocessing | None, ...], tuple[str, ...], Path]) -> None:
    run, start, views, classes, folder = job
    cv2.setNumThreads(1)
    outputs = [np.load(_file(folder, index), mmap_mode="r+") for index in range(len(views))]
    labels = np.load(folder / "labels.npy", mmap_mode="r+")
    line = SimulatedLine(run.config)
    for index in range(run.parts):
        picture, truth = line.render(index)
        labels[start + index] = classes.index(truth.defect_class or "ok")
        for output, view in zip(outputs, views, strict=True):
            output[start + index] = picture if view is None else seen(picture, view)
    for output in (*outputs, labels):
        output.flush()


def seen(picture: NDArray[np.uint8], view: Preprocessing) -> NDArray[np.uint8]:
    """`picture` cropped and resized as the exported network does it, rounded to u8."""
    top, left, height, width = view.crop or (0, 0, *picture.shape[:2])
    cropped = np.ascontiguousarray(picture[top : top + height, left : left + width])
    return np.asarray(cv2.resize(cropped, (view.width, view.height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _file(folder: Path, view: int) -> Path:
    return folder / f"view{view}.npy"
