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
from typing import NoReturn

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

    Raises SourceError when there is no folder or no list, when the list names no picture, one picture twice, or one
    outside the folder.
    """
    _check_folder(folder)
    try:
        text = list_file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(
            f"picture list {list_file} cannot be read ({_reason(error)}); give a UTF-8 text file with one path a line"
        ) from None
    line_of: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            _enter(line_of, line.strip(), number, list_file)
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
    _check_folder(folder)
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


def _check_folder(folder: Path) -> None:
    try:
        is_there = folder.is_dir()
        (folder / SPLIT_FILE).exists()  # whether it may be entered
    except OSError as error:
        raise SourceError(
            f"picture folder {folder} cannot be reached ({_reason(error)}); give the station's user the right to read it"
        ) from None
    if not is_there:
        raise SourceError(f"picture folder {folder}: there is no such folder; correct the path")


def _enter(line_of: dict[str, int], name: str, number: int, file: Path) -> str:
    """The key of the picture that line `number` of `file` calls `name`, entered in `line_of`. Raises SourceError."""
    path = PurePosixPath(name)
    key = str(path)  # one spelling for a.png, ./a.png and x//a.png, so that none comes twice
    where = f"{file} line {number}"
    if path.is_absolute() or ".." in path.parts:
        raise SourceError(f"{where}: {name} leads out of the folder; copy the picture into it, and name it from there")
    if "\0" in name:
        raise SourceError(f"{where}: {name!r} is no file name; write the file again")
    if key in line_of:
        raise SourceError(f"{where}: {key} already stands in line {line_of[key]}; keep one of them")
    line_of[key] = number
    return key


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
                name, label, split = ((row[column] or "").strip() for column in _SPLIT_COLUMNS)
                if not name or not label or not split:
                    raise SourceError(
                        f"{table} line {reader.line_num}: path, label and split must not be empty; "
                        "complete or drop the line"
                    )
                yield _enter(line_of, name, reader.line_num, table), label, split
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(
            f"{table} cannot be read ({_reason(error)}); give a UTF-8 table path,label,split,group"
        ) from None


def _walk(folder: Path) -> Iterator[str]:
    """Relative paths of the pictures below `folder`. Linked folders count; a link in a circle is followed once."""

    def give_up(error: OSError) -> NoReturn:
        raise SourceError(
            f"picture folder {error.filename} cannot be listed ({_reason(error)}); check its rights"
        ) from None

    seen: set[tuple[int, int]] = set()
    for here, folders, files in os.walk(folder, followlinks=True, onerror=give_up):
        try:
            status = Path(here).stat()
        except OSError as error:  # taken away meanwhile
            give_up(error)
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
