"""Data sets: split.csv is obeyed or refused with its line, and our own split keeps relatives together."""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from inspector.domain.errors import ConfigError, SourceError
from inspector.domain.frame import ColorSpace
from inspector.workshop.dataset import Split, SplitShares, load_pictures, read_dataset, read_picture, split_groups

HEADER = "path,label,split,group\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """30 ok and 20 pictures of two defects, 6x8 px; the grey level is the picture's number."""
    for label, count in (("scratch", 12), ("ok", 30), ("dent", 8)):
        (tmp_path / label).mkdir()
        for number in range(count):
            cv2.imwrite(str(tmp_path / label / f"{number:02}.png"), np.full((6, 8), number, np.uint8))
    (tmp_path / "_masks").mkdir()
    cv2.imwrite(str(tmp_path / "_masks" / "00.png"), np.zeros((6, 8), np.uint8))
    return tmp_path


def test_without_split_csv_every_picture_is_split_near_the_shares_in_every_class(folder: Path) -> None:
    dataset = read_dataset(folder)
    assert dataset.classes == ("ok", "dent", "scratch")
    assert dataset.ok_class == "ok"
    assert len(dataset.samples) == len({sample.path for sample in dataset.samples}) == 50
    for label, total in (("ok", 30), ("scratch", 12), ("dent", 8)):
        found = Counter(sample.split for sample in dataset.samples if sample.label == label)
        for split, share in ((Split.TRAIN, 0.60), (Split.CALIB, 0.15), (Split.TEST, 0.25)):
            assert abs(found[split] - share * total) <= 1, (label, split, found)


def test_the_split_repeats_with_its_seed_and_changes_with_another(folder: Path) -> None:
    assert read_dataset(folder, seed=3) == read_dataset(folder, seed=3)
    assert read_dataset(folder, seed=3).samples != read_dataset(folder, seed=4).samples


def test_no_group_stands_in_two_splits(folder: Path) -> None:
    groups = {f"ok/{n:02}.png": f"plate{n // 3}" for n in range(30)} | {
        "dent/00.png": "plate0",
        "dent/01.png": "plate1",
    }
    dataset = read_dataset(folder, groups=groups)
    splits: dict[str, set[Split]] = {}
    for sample in dataset.samples:
        splits.setdefault(sample.group, set()).add(sample.split)
    assert len(splits) == 10 + 6 + 12
    assert all(len(found) == 1 for found in splits.values())
    assert {sample.group for sample in dataset.samples if sample.path in ("ok/00.png", "dent/00.png")} == {"plate0"}


def test_large_groups_are_still_dealt_out() -> None:
    members = [(f"g{i % 7}", "ok" if i % 2 else "dent") for i in range(700)]
    result = split_groups(members, SplitShares(), seed=0)
    assert set(result) == {f"g{i}" for i in range(7)}
    assert Counter(result.values())[Split.TRAIN] == 4
    assert set(result.values()) == set(Split)


def test_an_empty_share_stays_empty() -> None:
    result = split_groups([(str(i), "ok") for i in range(20)], SplitShares(0.5, 0.5, 0.0), seed=0)
    assert Counter(result.values()) == {Split.TRAIN: 10, Split.CALIB: 10}


@pytest.mark.parametrize("shares", [(0.6, 0.6, 0.2), (1.2, -0.1, -0.1), (0.5, 0.2, 0.2)])
def test_shares_must_make_a_whole(shares: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="add up to 1"):
        SplitShares(*shares)


def test_split_csv_decides(folder: Path) -> None:
    (folder / "split.csv").write_text(HEADER + "ok/00.png,ok,test,a\nok/01.png,ok,train,b\ndent/03.png,dent,test,a\n")
    dataset = read_dataset(folder)
    assert dataset.classes == ("ok", "dent")
    assert [sample.path for sample in dataset.of(Split.TEST)] == ["ok/00.png", "dent/03.png"]
    pictures = load_pictures(dataset, Split.TEST, ColorSpace.GREY)
    assert pictures.images.shape == (2, 6, 8, 1)
    assert pictures.images[:, 0, 0, 0].tolist() == [0, 3]
    assert pictures.labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label,split\n", "'group' is missing"),
        (HEADER + "ok/00.png,ok,validate,a\n", "line 2: split 'validate'"),
        (HEADER + "ok/00.png,,train,a\n", "line 2: path, label and group"),
        (HEADER + "ok/99.png,ok,train,a\n", "line 2: ok/99.png is not in"),
        (HEADER + "ok/00.png,ok,train,a\nok/00.png,ok,train,a\n", "line 3: ok/00.png already stands in line 2"),
        (HEADER + "ok/00.png,ok,train,a\nok/01.png,ok,test,a\n", "line 3: group 'a' stands in train and in test"),
    ],
)
def test_a_wrong_split_csv_is_refused_with_its_line(folder: Path, text: str, message: str) -> None:
    (folder / "split.csv").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_dataset(folder)


def test_folders_that_are_no_data_set_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        read_dataset(tmp_path / "absent")
    with pytest.raises(ConfigError, match="holds no picture"):
        read_dataset(tmp_path)


def test_without_good_parts_there_is_no_ok_class(folder: Path) -> None:
    dataset = read_dataset(folder, ok_class="good")
    assert dataset.ok_class is None
    assert dataset.classes == ("dent", "ok", "scratch")


def test_pictures_are_read_as_the_bundle_wants_them(tmp_path: Path) -> None:
    file = tmp_path / "größe.png"
    bgr = np.zeros((4, 5, 3), np.uint8)
    bgr[..., 0] = 200
    assert cv2.imencode(".png", bgr)[1].tofile(file) is None
    assert read_picture(file, ColorSpace.BGR).tolist() == bgr.tolist()
    assert read_picture(file, ColorSpace.GREY).shape == (4, 5, 1)


def test_a_picture_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    file = tmp_path / "cut.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(SourceError, match=r"cut\.png cannot be decoded"):
        read_picture(file, ColorSpace.GREY)
    with pytest.raises(SourceError, match=r"gone\.png cannot be read"):
        read_picture(tmp_path / "gone.png", ColorSpace.GREY)


def test_sizes_that_differ_are_refused_or_resized(folder: Path) -> None:
    cv2.imwrite(str(folder / "ok" / "99.png"), np.full((12, 16), 7, np.uint8))
    (folder / "split.csv").write_text(HEADER + "ok/00.png,ok,train,a\nok/99.png,ok,train,b\n")
    dataset = read_dataset(folder)
    with pytest.raises(SourceError, match=r"99\.png is \(12, 16, 1\)"):
        load_pictures(dataset, Split.TRAIN, ColorSpace.GREY)
    assert load_pictures(dataset, Split.TRAIN, ColorSpace.GREY, size=(6, 8)).images.shape == (2, 6, 8, 1)
    with pytest.raises(SourceError, match="split calib is empty"):
        load_pictures(dataset, Split.CALIB, ColorSpace.GREY)
