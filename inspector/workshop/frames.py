"""A data set's frames as a certificate needs them: labels in the bundle's terms, one frame a group, every byte hashed,
scored by the very sessions that a station uses.

A frame that the station would hold (damaged, another size) is listed and left out; too many of them are an error, because
what is left may no longer look like the line.
"""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspector.adapters.cameras.decoding import decode_picture
from inspector.adapters.cameras.picture_file import checked_info
from inspector.adapters.openvino_runtime import OpenVinoClassifier, load_bundle
from inspector.domain.errors import ConfigError, SourceError
from inspector.domain.frame import Image
from inspector.domain.model import ModelInfo
from inspector.pipeline.cascade import checked_scores
from inspector.workshop.added_errors import StageScores
from inspector.workshop.dataset import SPLIT_FILE, Dataset, Sample, Split, read_dataset, read_picture

Progress = Callable[[float, str], None]
"""Told how much is done, 0 to 1, and what is being done."""

UNREADABLE_BELOW = 0.01
"""The share of frames that may be unreadable."""


@dataclass(frozen=True, slots=True)
class Hashed:
    """A data set and the SHA-256 (hex) of each of its pictures, by path."""

    dataset: Dataset
    sha256: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over path, content, label, split and group of every picture, in order of the paths."""
        lines = sorted(
            f"{s.path}\t{self.sha256[s.path]}\t{s.label}\t{s.split}\t{s.group}\n" for s in self.dataset.samples
        )
        return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class ScoredFrames:
    """Frames of one split with the scores of every stage. `unreadable` holds a sentence for each that was left out."""

    samples: tuple[Sample, ...]
    scored: StageScores
    unreadable: tuple[str, ...]

    def labels(self, classes: Mapping[str, int]) -> NDArray[np.int64]:
        """Class indices, shape (n,), by `classes_of`."""
        return np.array([classes[sample.label] for sample in self.samples], np.int64)


def hashed_dataset(root: Path, *, ok_class: str, seed: int, progress: Progress, unlabelled: bool = False) -> Hashed:
    """Read and hash the data set `root`. `unlabelled`: pictures may also lie in `root` itself.

    Raises ConfigError for a set that is none, and where one picture stands in two splits: what is tuned, certified or
    tested on it would flatter itself.
    """
    dataset = read_dataset(root, ok_class=ok_class, seed=seed, unlabelled=unlabelled)
    sha256: dict[str, str] = {}
    first: dict[str, Sample] = {}
    for number, sample in enumerate(dataset.samples):
        path = root / sample.path
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise SourceError(
                f"picture {path} cannot be read ({error.strerror}); check the folder's rights and the disk"
            ) from error
        sha256[sample.path] = digest
        same = first.setdefault(digest, sample)
        if same.split is not sample.split:
            raise ConfigError(
                f"data set {root}: {same.path} ({same.split}) and {sample.path} ({sample.split}) are the same picture; "
                f"{'remove one of them' if (root / SPLIT_FILE).is_file() else 'remove one of them, or write a split.csv'}"
            )
        progress((number + 1) / len(dataset.samples), "hashing pictures")
    return Hashed(dataset, sha256)


def classes_of(dataset: Dataset, info: ModelInfo, ok_class: str) -> dict[str, int]:
    """The bundle's class index of every label of the data set. The good class may have another name there.

    A bundle that knows one defect takes every label but `ok_class` for it; one that knows several needs its own names.
    Raises ConfigError where they do not fit.
    """
    ok = info.classes.index(info.ok_class)
    if len(info.classes) == 2:
        return {label: ok if label == ok_class else 1 - ok for label in dataset.classes}
    wanted = {ok_class if name == info.ok_class else name: index for index, name in enumerate(info.classes)}
    unknown = [label for label in dataset.classes if label not in wanted]
    if unknown:
        raise ConfigError(
            f"data set {dataset.root}: the class {unknown[0]!r} is none of bundle '{info.name}', which knows "
            f"{', '.join(wanted)}; rename the folder (and in split.csv), or name the good class with --ok-class"
        )
    absent = [name for name in wanted if name not in dataset.classes and not (dataset.root / name).is_dir()]
    if absent:
        raise ConfigError(
            f"data set {dataset.root}: there is no folder {absent[0]!r}, a class of bundle '{info.name}'; make it, and "
            "leave it empty if there is no such part"
        )
    return wanted


def one_per_group(hashed: Hashed, split: Split, seed: int) -> list[list[Sample]]:
    """The frames of `split` by group, each group in an order drawn from `seed`: the first that can be read counts.

    Groups that share a picture are one group. Groups come in order of their names.
    """
    by_group: dict[str, list[Sample]] = defaultdict(list)
    owner: dict[str, str] = {}
    for sample in sorted(hashed.dataset.of(split), key=lambda sample: (sample.group, sample.path)):
        by_group[owner.setdefault(hashed.sha256[sample.path], sample.group)].append(sample)
    rng = np.random.default_rng(seed)
    return [[group[i] for i in rng.permutation(len(group))] for _, group in sorted(by_group.items())]


def read_frame(path: Path, info: ModelInfo) -> Image:
    """The picture `path` as the bundle takes it. Raises SourceError for what a station would hold."""
    try:
        checked_info(path.read_bytes())
    except OSError as error:
        raise SourceError(f"{path.name} cannot be read ({error.strerror})") from error
    image = read_picture(path, info.input.color)
    if image.shape != info.input.shape:
        raise SourceError(
            f"it is {image.shape[1]}x{image.shape[0]} px and bundle '{info.name}' takes "
            f"{info.input.width}x{info.input.height}; give pictures as the camera delivers them"
        )
    return np.ascontiguousarray(image)


def loaded(bundle: Path) -> OpenVinoClassifier:
    """`bundle` as a station loads it by default: default precisions, CPU, exact arithmetic. Raises ModelError."""
    threads = min(len(os.sched_getaffinity(0)), 8)
    return load_bundle(bundle, choices={}, decode=decode_picture, cache_dir=None, inference_threads=threads)


def score_frames(
    classifier: OpenVinoClassifier, root: Path, groups: Sequence[Sequence[Sample]], split: Split, progress: Progress
) -> ScoredFrames:
    """All stages on the first readable frame of each group. Raises SourceError when too many cannot be read."""
    info, session = classifier.info, classifier.session()
    samples: list[Sample] = []
    unreadable: list[str] = []
    rows: list[list[tuple[float, ...]]] = [[] for _ in info.stages]
    for number, group in enumerate(groups):
        for sample in group:
            try:
                image = read_frame(root / sample.path, info)
            except SourceError as error:
                unreadable.append(f"{sample.path}: {error}")
                continue
            session.begin(image)
            for index, stage in enumerate(info.stages):
                rows[index].append(checked_scores(session.run(index).scores, len(info.classes), stage.name))
            samples.append(sample)
            break
        progress((number + 1) / len(groups), f"scoring the {split} split")
    looked_at = len(samples) + len(unreadable)
    if len(unreadable) >= UNREADABLE_BELOW * looked_at and unreadable:
        raise SourceError(
            f"data set {root}: {len(unreadable)} of {looked_at} pictures of the {split} split cannot be judged, the first is "
            f"{unreadable[0]}; mend or remove them (fewer than {UNREADABLE_BELOW:.0%} may be left out)"
        )
    shape = (len(samples), len(info.classes))
    scored = StageScores(
        scores=[np.array(row, np.float64).reshape(shape) for row in rows],
        names_class=[stage.names_class for stage in info.stages],
        full_band=info.stages[-1].band,
        ok_index=info.classes.index(info.ok_class),
    )
    return ScoredFrames(tuple(samples), scored, tuple(unreadable))


def part_of(progress: Progress, start: float, end: float) -> Progress:
    """A share of a longer work's progress."""
    return lambda done, doing: progress(start + (end - start) * done, doing)
