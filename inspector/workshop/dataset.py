"""Labelled pictures on disk: a folder per class, and a split that keeps relatives together.

    folder per class ─▶ Dataset (samples with split and group) ─▶ load_pictures ─▶ Pictures (arrays)

`split.csv` (columns path,label,split,group; split is train, calib or test) decides when it is there. Without it a
seeded split is made, stratified by label and grouped so that no group stands in two splits.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.domain.errors import ConfigError, SourceError
from inspector.domain.frame import ColorSpace

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
SPLIT_FILE = "split.csv"
UNLABELLED = "unlabelled"
SPLIT_COLUMNS = ("path", "label", "split", "group")


class Split(StrEnum):
    TRAIN = "train"
    CALIB = "calib"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture. `path` is relative to the data set's folder; `group` names what it is related to."""

    path: str
    label: str
    split: Split
    group: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """A folder of labelled pictures. `classes` starts with `ok_class` when the folder has it, the rest is sorted."""

    root: Path
    classes: tuple[str, ...]
    ok_class: str | None
    samples: tuple[Sample, ...]

    def of(self, split: Split) -> tuple[Sample, ...]:
        return tuple(sample for sample in self.samples if sample.split is split)


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Pictures in memory: `images` u8, shape (n, height, width, channels); `labels` i64, shape (n,), class indices."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or len(self.images) != len(self.labels):
            raise ValueError(f"pictures {self.images.shape} and labels {self.labels.shape} do not belong together")

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class SplitShares:
    """Shares of groups per split, used when there is no split.csv; they must add up to 1."""

    train: float = 0.60
    calib: float = 0.15
    test: float = 0.25

    def __post_init__(self) -> None:
        shares = (self.train, self.calib, self.test)
        if min(shares) < 0 or abs(sum(shares) - 1) > 1e-9:
            raise ValueError(f"split shares must be positive and add up to 1, got {shares}")


def read_dataset(
    root: Path,
    *,
    ok_class: str = "ok",
    groups: Mapping[str, str] | None = None,
    shares: SplitShares | None = None,
    seed: int = 7,
    unlabelled: bool = False,
) -> Dataset:
    """Read the folder `root`. `groups` maps relative paths to groups and is used only without a split.csv.
    `unlabelled`: pictures may also lie in `root` itself, with the label `UNLABELLED`.

    Raises ConfigError for a folder without pictures and for a split.csv that does not fit the folder.
    """
    if not root.is_dir():
        raise ConfigError(f"data set {root}: no such folder; give the folder that holds one sub-folder per class")
    split_file = root / SPLIT_FILE
    if split_file.is_file():
        samples = _samples_from_csv(split_file)
    else:
        samples = _samples_from_folders(root, groups or {}, shares or SplitShares(), seed, unlabelled)
    if not samples:
        raise ConfigError(f"data set {root}: holds no picture; put pictures into one sub-folder per class")
    labels = {sample.label for sample in samples}
    first = [ok_class] if ok_class in labels else []
    return Dataset(
        root=root,
        classes=(*first, *sorted(labels - {ok_class})),
        ok_class=ok_class if first else None,
        samples=samples,
    )


def _samples_from_csv(file: Path) -> tuple[Sample, ...]:
    samples: list[Sample] = []
    seen: dict[str, int] = {}
    split_of_group: dict[str, Split] = {}
    with file.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        missing = [column for column in SPLIT_COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise ConfigError(f"{file}: column {missing[0]!r} is missing; the header must be {','.join(SPLIT_COLUMNS)}")
        for row in reader:
            where = f"{file} line {reader.line_num}"
            try:
                sample = Sample(row["path"], row["label"], Split(row["split"]), row["group"])
            except ValueError:
                raise ConfigError(f"{where}: split {row['split']!r} must be train, calib or test") from None
            if not sample.path or not sample.label or not sample.group:
                raise ConfigError(f"{where}: path, label and group must not be empty")
            if sample.path in seen:
                raise ConfigError(
                    f"{where}: {sample.path} already stands in line {seen[sample.path]}; keep one of them"
                )
            if split_of_group.setdefault(sample.group, sample.split) is not sample.split:
                raise ConfigError(
                    f"{where}: group {sample.group!r} stands in {split_of_group[sample.group]} and in {sample.split}; "
                    "put the whole group into one split"
                )
            if not (file.parent / sample.path).is_file():
                raise ConfigError(f"{where}: {sample.path} is not in {file.parent}; add the picture or drop the line")
            seen[sample.path] = reader.line_num
            samples.append(sample)
    return tuple(samples)


def _samples_from_folders(
    root: Path, groups: Mapping[str, str], shares: SplitShares, seed: int, unlabelled: bool
) -> tuple[Sample, ...]:
    paths = {
        path.relative_to(root).as_posix(): folder.name
        for folder in sorted(root.iterdir())
        if folder.is_dir() and not folder.name.startswith(("_", "."))  # _masks and the like are no class
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in PICTURE_SUFFIXES
    }
    if unlabelled:
        loose = sorted(path.name for path in root.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
        paths |= dict.fromkeys(loose, UNLABELLED)
    # A picture without a known group is its own group.
    group_of = {path: groups.get(path, path) for path in paths}
    split_of = split_groups([(group_of[path], label) for path, label in paths.items()], shares, seed)
    return tuple(Sample(path, label, split_of[group_of[path]], group_of[path]) for path, label in paths.items())


def split_groups(members: Iterable[tuple[str, str]], shares: SplitShares, seed: int) -> dict[str, Split]:
    """Give every group one split. `members` are (group, label), one a picture.

    Groups are dealt largest first, the rest in an order drawn from `seed`; each goes where its labels are missed most,
    so every label comes close to `shares` in every split.
    """
    count: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    total: dict[str, int] = defaultdict(int)
    for group, label in members:
        count[group][label] += 1
        total[label] += 1
    order = sorted(count)
    np.random.default_rng(seed).shuffle(order)
    order.sort(key=lambda group: -sum(count[group].values()))  # stable: equal sizes keep the drawn order
    share_of = {Split.TRAIN: shares.train, Split.CALIB: shares.calib, Split.TEST: shares.test}
    missing = {split: {label: share * total[label] for label in total} for split, share in share_of.items()}
    result: dict[str, Split] = {}
    for group in order:
        wanted = {
            split: sum(n * missing[split][label] / total[label] for label, n in count[group].items())
            for split in share_of
            if share_of[split] > 0
        }
        split = max(wanted, key=lambda name: wanted[name])
        for label, n in count[group].items():
            missing[split][label] -= n
        result[group] = split
    return result


def read_picture(path: Path, color: ColorSpace) -> NDArray[np.uint8]:
    """Decode one picture to u8, shape (height, width, channels), in `color`. Raises SourceError when it cannot."""
    flag = cv2.IMREAD_GRAYSCALE if color.channels == 1 else cv2.IMREAD_COLOR
    try:
        decoded = cv2.imdecode(np.fromfile(path, np.uint8), flag)
    except (OSError, cv2.error) as error:
        raise SourceError(
            f"picture {path} cannot be read ({error}); check that the file is there and complete"
        ) from error
    if decoded is None:
        raise SourceError(f"picture {path} cannot be decoded; replace it by a complete PNG, JPEG, BMP or TIFF file")
    picture = np.asarray(decoded, np.uint8)
    return picture[:, :, np.newaxis] if picture.ndim == 2 else picture


def load_pictures(
    dataset: Dataset, split: Split, color: ColorSpace, *, size: tuple[int, int] | None = None
) -> Pictures:
    """All pictures of one split in memory, in the order of `dataset.samples`.

    `size` is (height, width): pictures are resized to it (linear, as the deployed models do). Without it all pictures
    must have one size; SourceError names the first that differs.
    """
    images: list[NDArray[np.uint8]] = []
    samples = dataset.of(split)
    for sample in samples:
        picture = read_picture(dataset.root / sample.path, color)
        if size is not None and picture.shape[:2] != size:
            resized = np.asarray(cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_LINEAR), np.uint8)
            picture = resized.reshape(*size, color.channels)
        if images and picture.shape != images[0].shape:
            raise SourceError(
                f"picture {dataset.root / sample.path} is {picture.shape}, the ones before are {images[0].shape}; "
                "give a size to resize to"
            )
        images.append(picture)
    if not images:
        raise SourceError(f"data set {dataset.root}: split {split} is empty; add pictures to it")
    labels = np.array([dataset.classes.index(sample.label) for sample in samples], np.int64)
    return Pictures(np.stack(images), labels)
