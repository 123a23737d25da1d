"""Which pictures a folder holds, and what each part really is."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from inspector.adapters.cameras.picture_listing import ListedPicture, pictures_of_folder, pictures_of_list
from inspector.domain.errors import SourceError
from inspector.domain.truth import Label, Truth

OK = Truth(Label.OK)


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def split_csv(folder: Path, *rows: str, header: str = "path,label,split,group") -> Path:
    (folder / "split.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return folder


def list_of(folder: Path, text: str) -> Path:
    path = folder / "list.txt"
    path.write_text(text, encoding="utf-8")
    return path


def of_folder(folder: Path, split: str | None = None, ok_class: str = "ok") -> list[ListedPicture]:
    return pictures_of_folder(folder, split=split, ok_class=ok_class)


def keys(pictures: list[ListedPicture]) -> list[str]:
    return [picture.key for picture in pictures]


def truths(pictures: list[ListedPicture]) -> dict[str, Truth | None]:
    return {picture.key: picture.truth for picture in pictures}


def ng(defect_class: str) -> Truth:
    return Truth(Label.NG, defect_class=defect_class)


# --- A folder --------------------------------------------------------------------------------------------------------


def test_pictures_come_in_the_order_of_their_paths_from_every_folder(tmp_path: Path) -> None:
    touch(tmp_path, "b.png", "a/2.JPG", "a/1.jpeg", "c.Bmp", "d.tif", "e.tiff", "f.webp", "a/deep/er/3.png")
    pictures = of_folder(tmp_path)
    assert keys(pictures) == ["a/1.jpeg", "a/2.JPG", "a/deep/er/3.png", "b.png", "c.Bmp", "d.tif", "e.tiff", "f.webp"]
    assert pictures[0].path == tmp_path / "a" / "1.jpeg"
    assert set(truths(pictures).values()) == {None}


def test_masks_thumbnails_and_other_files_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "ok/1.png", "_masks/1.png", "ok/_masks/2.png", ".cache/3.png", "ok/._1.png", "ok/_1.png")
    touch(tmp_path, "notes.txt", "ok/1.png.part", "video.avi", "png")
    assert keys(of_folder(tmp_path)) == ["ok/1.png"]


def test_with_a_folder_of_good_parts_the_top_folder_is_the_class(tmp_path: Path) -> None:
    touch(tmp_path, "ok/1.png", "ok/tray 2/scratch/2.png", "scratch/3.png", "kratzer ä/4.png", "5.png")
    assert truths(of_folder(tmp_path)) == {
        "ok/1.png": OK,
        "ok/tray 2/scratch/2.png": OK,
        "scratch/3.png": ng("scratch"),
        "kratzer ä/4.png": ng("kratzer ä"),
        "5.png": None,  # beside the class folders: of no class
    }


def test_the_folder_of_good_parts_may_have_another_name(tmp_path: Path) -> None:
    touch(tmp_path, "good/1.png", "ok/2.png")
    assert truths(of_folder(tmp_path, ok_class="good")) == {"good/1.png": OK, "ok/2.png": ng("ok")}
    assert truths(of_folder(tmp_path, ok_class="gut")) == {"good/1.png": None, "ok/2.png": None}


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    assert keys(of_folder(tmp_path)) == ["a/1.png"]


def test_a_linked_folder_counts(tmp_path: Path) -> None:
    touch(tmp_path, "there/1.png", "here/2.png")
    (tmp_path / "here" / "linked").symlink_to(tmp_path / "there", target_is_directory=True)
    assert keys(of_folder(tmp_path / "here")) == ["2.png", "linked/1.png"]


def test_a_broken_link_is_listed_so_that_it_is_missed(tmp_path: Path) -> None:
    touch(tmp_path, "1.png")
    (tmp_path / "2.png").symlink_to(tmp_path / "gone.png")
    assert keys(of_folder(tmp_path)) == ["1.png", "2.png"]


def test_a_name_that_is_not_utf8_is_listed(tmp_path: Path) -> None:
    touch(tmp_path, os.fsdecode(b"\xff.png"))
    assert of_folder(tmp_path)[0].path.exists()


def test_no_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere: there is no such folder; correct"):
        of_folder(tmp_path / "nowhere")
    touch(tmp_path, "file.png")
    with pytest.raises(SourceError, match=r"file\.png: there is no such folder"):
        of_folder(tmp_path / "file.png")


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "_masks/1.png", "readme.txt")
    with pytest.raises(SourceError, match="holds no picture; put PNG"):
        of_folder(tmp_path)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything; this user may not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("barred", [".", "inner", "inner/pictures"])
@pytest.mark.parametrize("mode", [0o000, 0o444], ids=["closed", "no entry"])
def test_a_folder_that_may_not_be_read_is_told(barred: str, mode: int) -> None:
    # Not in pytest's own folder, which is closed to other users altogether.
    with tempfile.TemporaryDirectory() as root:
        folder = touch(Path(root), "inner/pictures/1.png") / "inner" / "pictures"
        Path(root).chmod(0o755)
        (Path(root) / barred).chmod(mode)
        with as_nobody(), pytest.raises(SourceError, match=r"pictures cannot be .*Permission denied.*; .*right"):
            of_folder(folder)
        (Path(root) / barred).chmod(0o755)


# --- split.csv -------------------------------------------------------------------------------------------------------


def test_a_split_is_taken_with_its_labels(tmp_path: Path) -> None:
    touch(tmp_path, "ok/1.png", "ok/2.png", "dent/3.png")
    split_csv(tmp_path, "ok/2.png,ok,test,g1", "dent/3.png,dent,test,g2", "ok/1.png,ok,train,g3")
    assert truths(of_folder(tmp_path, "test")) == {"dent/3.png": ng("dent"), "ok/2.png": OK}
    assert keys(of_folder(tmp_path, "train")) == ["ok/1.png"]


def test_all_of_a_data_set_is_what_the_folder_and_its_table_hold_together(tmp_path: Path) -> None:
    touch(tmp_path, "ok/1.png", "ok/2.png", "dent/3.png")
    # The label of the table goes first; a picture that only the table names is missed, not forgotten.
    split_csv(tmp_path, "ok/2.png,scratch,test,g1", "ok/gone.png,ok,test,g2")
    assert truths(of_folder(tmp_path)) == {
        "dent/3.png": ng("dent"),
        "ok/1.png": OK,
        "ok/2.png": ng("scratch"),
        "ok/gone.png": OK,
    }


def test_the_table_may_label_pictures_of_any_folder(tmp_path: Path) -> None:
    touch(tmp_path, "images/1.png", "images/2.png")
    split_csv(tmp_path, "images/1.png,ok,test,1", "images/2.png,dent,test,2")
    assert truths(of_folder(tmp_path)) == {"images/1.png": OK, "images/2.png": ng("dent")}


def test_a_missing_file_of_a_split_is_listed(tmp_path: Path) -> None:
    split_csv(tmp_path, "ok/gone.png,ok,test,g1")
    assert keys(of_folder(tmp_path, "test")) == ["ok/gone.png"]


def test_a_table_from_a_spreadsheet_is_read(tmp_path: Path) -> None:
    table = tmp_path / "split.csv"
    table.write_bytes(
        b'\xef\xbb\xbfgroup,split,label,path,note\r\n1,test,ok,"ok/a, b.png",x\r\n2,test, ok ,ok/c.png\r\n'
    )
    assert truths(of_folder(tmp_path, "test")) == {"ok/a, b.png": OK, "ok/c.png": OK}


def test_other_spellings_of_a_path_are_one_picture(tmp_path: Path) -> None:
    touch(tmp_path, "ok/1.png")
    split_csv(tmp_path, "./ok//1.png,ok,test,g1")
    assert keys(of_folder(tmp_path)) == ["ok/1.png"]


def test_a_split_needs_a_table(tmp_path: Path) -> None:
    touch(tmp_path, "ok/1.png")
    with pytest.raises(SourceError, match=r"no split\.csv, so nobody knows which pictures are calib; ask for all"):
        of_folder(tmp_path, "calib")


def test_an_empty_split_is_told_with_those_there_are(tmp_path: Path) -> None:
    split_csv(tmp_path, "ok/1.png,ok,train,g1", "ok/2.png,ok,calib,g2")
    with pytest.raises(SourceError, match=r"split 'test' holds no picture \(there are: calib, train\)"):
        of_folder(tmp_path, "test")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("../x.png,ok,test,g", r"line 3: \.\./x\.png leads out of the folder; copy"),
        ("ok/../../x.png,ok,test,g", "line 3: .* leads out of the folder"),
        ("/etc/x.png,ok,test,g", "line 3: /etc/x.png leads out of the folder"),
        ("ok/1.png,ok,train,g", r"line 3: ok/1\.png already stands in line 2; keep one"),
        ("./ok/1.png,ok,train,g", r"line 3: ok/1\.png already stands in line 2"),
        (",ok,test,g", "line 3: path, label and split must not be empty"),
        ("ok/2.png,,test,g", "line 3: path, label and split must not be empty"),
        ("ok/2.png,ok", "line 3: path, label and split must not be empty"),
        ("ok/2.png, ,test,g", "line 3: path, label and split must not be empty"),
        ("ok/\0.png,ok,test,g", "line 3: 'ok/.x00.png' is no file name"),
        ('"ok/2.png"x,ok,test,g', "cannot be read .*; give a UTF-8 table"),
    ],
)
@pytest.mark.parametrize("split", [None, "test"])
def test_a_wrong_line_is_told_with_its_number(tmp_path: Path, row: str, said: str, split: str | None) -> None:
    split_csv(tmp_path, "ok/1.png,ok,test,g", row)
    with pytest.raises(SourceError, match=rf"split\.csv.*{said}"):
        of_folder(tmp_path, split)


def test_a_table_without_its_columns_or_in_another_encoding_is_told(tmp_path: Path) -> None:
    split_csv(tmp_path, "ok/1.png,ok", header="path,label")
    with pytest.raises(SourceError, match="column 'split' is missing; begin it with path,label,split,group"):
        of_folder(tmp_path)
    (tmp_path / "split.csv").write_bytes("path,label,split\nä.png,ok,test\n".encode("latin-1"))
    with pytest.raises(SourceError, match=r"cannot be read .*; give a UTF-8 table"):
        of_folder(tmp_path)
    (tmp_path / "split.csv").write_bytes(b"")
    with pytest.raises(SourceError, match="column 'path' is missing"):
        of_folder(tmp_path)


# --- A list ----------------------------------------------------------------------------------------------------------


def test_a_list_keeps_its_own_order(tmp_path: Path) -> None:
    touch(tmp_path, "ok/1.png", "ok/2.png", "b.png", "not named.png")
    text = "\ufeff# chosen by hand\n\nok/2.png\r\n  b.png  \n\n  # more\nok/1.png\n./gone.png"
    pictures = pictures_of_list(tmp_path, list_of(tmp_path, text))
    assert keys(pictures) == ["ok/2.png", "b.png", "ok/1.png", "gone.png"]
    assert pictures[0].path == tmp_path / "ok" / "2.png"
    assert set(truths(pictures).values()) == {None}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a.png\nb.png\na.png", r"line 3: a\.png already stands in line 1; keep one"),
        ("a.png\n./a.png", r"line 2: a\.png already stands in line 1"),
        ("../a.png", r"line 1: \.\./a\.png leads out of the folder; copy"),
        ("x/../../a.png", "line 1: .* leads out of the folder"),
        ("/etc/a.png", "line 1: /etc/a.png leads out of the folder"),
        ("a\0.png", "line 1: 'a.x00.png' is no file name"),
        ("# nothing\n \n", "names no picture; write one path a line"),
        ("", "names no picture; write one path a line"),
    ],
)
def test_a_wrong_list_is_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        pictures_of_list(tmp_path, list_of(tmp_path, text))


def test_a_list_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.txt cannot be read \(No such file or directory\); give a UTF-8"):
        pictures_of_list(tmp_path, tmp_path / "none.txt")
    path = tmp_path / "latin.txt"
    path.write_bytes("ä.png".encode("latin-1"))
    with pytest.raises(SourceError, match=r"cannot be read .*; give a UTF-8"):
        pictures_of_list(tmp_path, path)


def test_a_list_needs_its_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere: there is no such folder"):
        pictures_of_list(tmp_path / "nowhere", list_of(tmp_path, "a.png"))
