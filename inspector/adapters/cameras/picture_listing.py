"""Which pictures a folder holds, in which order, and what each part really is where the folder says so.

split.csv or a folder of good parts ──▶ a labelled data set: truth per picture
a text list                         ──▶ exactly these pictures, in this order, no truth
anything else                       ──▶ every picture below the folder, no truth
"""

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from inspector.adapters.cameras.picture_file import SUFFIXES
from inspector.domain.errors import SourceError
from inspector.domain.truth import Label, Truth

SPLIT_FILE = "split.csv"
_SPLIT_COLUMNS = ("path", "label", "split")


@dataclass(frozen=True, slots=True)
class ListedPicture:
    """One picture to deliver. `key` is its path as listed, with forward slashes: unique in one listing."""

    key: str
    path: Path
    truth: Truth | None = None


def pictures_of_list(folder: Path, list_file: Path) -> list[ListedPicture]:
    """The pictures that `list_file` names: UTF-8, one path a line, relative to `folder`; blank and # lines are none.

    Raises SourceError when there is no list, when it names no picture, or one picture twice.
    """
    try:
        text = list_file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(
            f"picture list {list_file} cannot be read ({_reason(error)}); give a UTF-8 text file with one path a line"
        ) from None
    line_of: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        key = line.strip()
        if not key or key.startswith("#"):
            continue
        if key in line_of:
            raise SourceError(
                f"{list_file} line {number}: {key} already stands in line {line_of[key]}; keep one of them"
            )
        line_of[key] = number
    if not line_of:
        raise SourceError(f"picture list {list_file} names no picture; write one path a line")
    return [ListedPicture(key, folder / key) for key in line_of]


def pictures_of_folder(folder: Path, *, split: str | None, ok_class: str) -> list[ListedPicture]:
    """Every picture below `folder`, or those of `split`, sorted by path.

    Folders and files whose name starts with `_` or `.` are left out (masks, thumbnails), and so is what has no picture's
    suffix. With `split.csv`, or with a folder `ok_class`, the top folder of a picture is its class: `ok_class` is OK, any
    other NG; a label in `split.csv` goes first. A picture that `split.csv` names is listed even when the file is missing,
    so that it is missed and not forgotten. Raises SourceError.
    """
    if not folder.is_dir():
        raise SourceError(f"picture folder {folder}: there is no such folder; correct the path")
    table = folder / SPLIT_FILE
    rows = list(_split_rows(table)) if table.is_file() else None
    if split is not None:
        if rows is None:
            raise SourceError(
                f"{folder} has no {SPLIT_FILE}, so nobody knows which pictures are {split}; ask for all of them"
            )
        labels = {key: label for key, label, name in rows if name == split}
        if not labels:
            known = ", ".join(sorted({name for _, _, name in rows})) or "none"
            raise SourceError(f"{table}: split {split!r} holds no picture (there are: {known}); name one of these")
    else:
        is_labelled = rows is not None or (folder / ok_class).is_dir()
        labels = {key: _class_of(key) if is_labelled else "" for key in _walk(folder)}
        labels.update((key, label) for key, label, _ in rows or ())
    if not labels:
        raise SourceError(f"picture folder {folder} holds no picture; put PNG, JPEG, BMP, TIFF or WebP files there")
    return [ListedPicture(key, folder / key, _truth(labels[key], ok_class)) for key in sorted(labels)]


def _truth(label: str, ok_class: str) -> Truth | None:
    if not label:
        return None
    return Truth(Label.OK) if label == ok_class else Truth(Label.NG, defect_class=label)


def _class_of(key: str) -> str:
    """The top folder; a picture beside the class folders belongs to no class."""
    top, slash, _ = key.partition("/")
    return top if slash else ""


def _split_rows(table: Path) -> Iterator[tuple[str, str, str]]:
    """(path, label, split) per row."""
    line_of: dict[str, int] = {}
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, strict=True)
            missing = [column for column in _SPLIT_COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise SourceError(f"{table}: column {missing[0]!r} is missing; begin it with path,label,split,group")
            for row in reader:
                key, label, split = (row[column] or "" for column in _SPLIT_COLUMNS)
                where = f"{table} line {reader.line_num}"
                if not key or not label or not split:
                    raise SourceError(f"{where}: path, label and split must not be empty; complete or drop the line")
                if PurePosixPath(key).is_absolute() or ".." in PurePosixPath(key).parts:
                    raise SourceError(f"{where}: {key} leads out of the folder; copy the picture into the data set")
                if key in line_of:
                    raise SourceError(f"{where}: {key} already stands in line {line_of[key]}; keep one of them")
                line_of[key] = reader.line_num
                yield key, label, split
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(
            f"{table} cannot be read ({_reason(error)}); give a UTF-8 table path,label,split,group"
        ) from None


def _walk(folder: Path) -> Iterator[str]:
    """Relative paths of the pictures below `folder`. Linked folders count; a link in a circle is followed once."""

    def give_up(error: OSError) -> None:
        raise SourceError(
            f"picture folder {error.filename} cannot be listed ({_reason(error)}); check its rights"
        ) from None

    seen: set[tuple[int, int]] = set()
    for here, folders, files in os.walk(folder, followlinks=True, onerror=give_up):
        status = Path(here).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith(("_", ".")))
        for name in files:
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith(("_", ".")):
                yield (Path(here) / name).relative_to(folder).as_posix()


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
