"""One pass over the train frames: the full model's answers and the pooled features at every cut, kept for a second run.

    frame ─▶ the whole network once, with a tap at each cut ─▶ scores (n, classes), pooled[cut] (n, 3 C)

Frames are read one at a time, so that 2,000 pictures of a large camera fit into memory as their features do.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

from inspector.domain.errors import SourceError
from inspector.domain.frame import Image
from inspector.domain.model import InputSpec
from inspector.workshop.cut import CutPoint
from inspector.workshop.dataset import Sample, read_picture
from inspector.workshop.export import SCORES_NAME
from inspector.workshop.frames import UNREADABLE_BELOW, Progress
from inspector.workshop.heads import Pooling, pooled_features
from inspector.workshop.scoring import compiled


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """What the full model made of `samples`: `answers` f32 (n, classes); `pooled` by cut name, f32 (n, 3 C)."""

    samples: tuple[Sample, ...]
    answers: NDArray[np.float32]
    pooled: dict[str, NDArray[np.float32]]
    unreadable: tuple[str, ...]


def observe(
    model: ov.Model,
    cuts: Sequence[CutPoint],
    root: Path,
    samples: Sequence[Sample],
    spec: InputSpec,
    *,
    key: str,
    cache: Path | None,
    threads: int,
    progress: Progress,
) -> Observed:
    """Run `model` (image to scores) over `samples`. `key` stands for model and data: an earlier run's result in the
    folder `cache` is taken when its key, cuts and samples are the same. Raises SourceError when too many frames cannot
    be read."""
    full_key = hashlib.sha256(
        json.dumps([key, [cut.name for cut in cuts], [sample.path for sample in samples]]).encode()
    ).hexdigest()
    file = cache / f"observed-{full_key[:24]}.npz" if cache is not None else None
    if file is not None and file.is_file():
        progress(1.0, "taking the full model's answers from the last run")
        return _read(file, cuts, samples)
    tapped = compiled(_tapped(model, cuts), threads=threads)
    request = tapped.create_infer_request()
    rows: dict[str, list[NDArray[np.float32]]] = {name: [] for name in (SCORES_NAME, *(cut.name for cut in cuts))}
    kept: list[Sample] = []
    unreadable: list[str] = []
    for number, sample in enumerate(samples):
        try:
            image = frame_of(root / sample.path, spec)
        except SourceError as error:
            unreadable.append(f"{sample.path}: {error}")
            continue
        request.set_input_tensor(ov.Tensor(image[np.newaxis]))
        request.infer()
        for index, name in enumerate(rows):
            rows[name].append(request.get_output_tensor(index).data[0].astype(np.float32))
        kept.append(sample)
        progress((number + 1) / len(samples), "asking the full model")
    if len(unreadable) > UNREADABLE_BELOW * len(samples):
        raise SourceError(
            f"data set {root}: {len(unreadable)} of {len(samples)} pictures cannot be used, the first is {unreadable[0]}; "
            f"mend or remove them (up to {UNREADABLE_BELOW:.0%} may be left out)"
        )
    arrays = {name: np.asarray(values, np.float32) for name, values in rows.items()}
    found = Observed(tuple(kept), arrays.pop(SCORES_NAME), arrays, tuple(unreadable))
    if file is not None:
        _write(file, found, cuts)
    return found


def frame_of(path: Path, spec: InputSpec) -> Image:
    """The picture `path` as the station's camera would deliver it. Raises SourceError for another size."""
    image = read_picture(path, spec.color)
    if image.shape != spec.shape:
        raise SourceError(
            f"it is {image.shape[1]}x{image.shape[0]} px, the others are {spec.width}x{spec.height}; "
            "give pictures as one camera delivers them"
        )
    return np.ascontiguousarray(image)


def _tapped(model: ov.Model, cuts: Sequence[CutPoint]) -> ov.Model:
    clone = model.clone()
    by_name = {node.get_friendly_name(): node for node in clone.get_ops()}
    taps = [op.result(pooled_features(by_name[cut.name].output(0), Pooling.MEAN_MAX_DEVIATION)) for cut in cuts]
    return ov.Model([clone.get_results()[0], *taps], clone.get_parameters(), "tapped")


def _write(file: Path, found: Observed, cuts: Sequence[CutPoint]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial.npz")
    arrays: dict[str, Any] = {f"cut{n}": found.pooled[cut.name] for n, cut in enumerate(cuts)}
    paths = np.array([sample.path for sample in found.samples])
    np.savez(partial, answers=found.answers, paths=paths, unreadable=np.array(found.unreadable, dtype=str), **arrays)
    partial.replace(file)


def _read(file: Path, cuts: Sequence[CutPoint], samples: Sequence[Sample]) -> Observed:
    by_path = {sample.path: sample for sample in samples}
    with np.load(file, allow_pickle=False) as stored:
        return Observed(
            tuple(by_path[str(path)] for path in stored["paths"]),
            stored["answers"],
            {cut.name: stored[f"cut{n}"] for n, cut in enumerate(cuts)},
            tuple(str(text) for text in stored["unreadable"]),
        )
