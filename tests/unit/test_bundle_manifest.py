"""The bundles that we ship: complete, unaltered, small enough, and answering as their golden pictures say."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from inspector.domain.errors import ModelError
from inspector.domain.exits import ExitBand
from inspector.domain.frame import ColorSpace
from inspector.domain.model import InputSpec
from inspector.workshop.bundle import Artefact, BundleDraft, GoldenPicture, StageDraft, write_bundle
from inspector.workshop.dataset import read_picture
from inspector.workshop.scoring import compiled, scores_of

MODELS = Path(__file__).parents[2] / "models"
SHIPPED = tuple(sorted(path.parent.name for path in MODELS.glob("*/manifest.json")))
MOST_BYTES = 40 * 1024 * 1024


def manifest_of(name: str) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((MODELS / name / "manifest.json").read_text(encoding="utf-8"))
    return manifest


@pytest.mark.parametrize("name", SHIPPED)
def test_every_file_is_listed_with_its_hash(name: str) -> None:
    folder, manifest = MODELS / name, manifest_of(name)
    assert manifest["format"] == 1
    assert manifest["name"] == name
    on_disk = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert on_disk.pop("manifest.json")
    assert on_disk.pop("CARD.md")
    assert on_disk == manifest["files"]
    assert "NOTICE" in on_disk


def test_the_shipped_bundles_fit_into_40_mib() -> None:
    sizes = [path.stat().st_size for name in SHIPPED for path in (MODELS / name).rglob("*") if path.is_file()]
    assert 0 < sum(sizes) <= MOST_BYTES


@pytest.mark.parametrize("name", SHIPPED)
def test_a_front_and_a_full_model_come_in_both_precisions(name: str) -> None:
    manifest = manifest_of(name)
    assert [stage["name"] for stage in manifest["stages"]] == ["front", "full"]
    for stage in manifest["stages"]:
        assert stage["input"] == "image"
        assert set(stage["artefacts"]) == {"FP32", "INT8"}
        assert stage["default_precision"] == "INT8"
        for artefact in stage["artefacts"].values():
            band = ExitBand(**artefact["band"])
            assert 0 < band.ok_below <= band.ng_above < 1
            assert {artefact["xml"], artefact["bin"]} <= set(manifest["files"])


@pytest.mark.parametrize("name", SHIPPED)
def test_golden_pictures_are_answered_as_written(name: str) -> None:
    manifest = manifest_of(name)
    color = ColorSpace(manifest["input"]["color"])
    shape = (manifest["input"]["height"], manifest["input"]["width"], color.channels)
    pictures = np.stack([read_picture(MODELS / name / golden["file"], color) for golden in manifest["golden"]])
    assert pictures.shape[1:] == shape
    assert 4 <= len(pictures) <= 6
    for stage in manifest["stages"]:
        for precision, artefact in stage["artefacts"].items():
            model = compiled(MODELS / name / artefact["xml"])
            assert model.input(0).get_names() == {"image"}
            assert model.input(0).element_type == ov.Type.u8
            assert tuple(model.input(0).shape) == (1, *shape)
            assert tuple(model.output("scores").shape) == (1, len(manifest["classes"]))
            found = scores_of(model, pictures)
            written = np.array([golden["scores"][stage["name"]][precision] for golden in manifest["golden"]])
            assert np.abs(found - written).max() <= max(golden["tolerance"] for golden in manifest["golden"])
            assert np.abs(found.sum(axis=1) - 1).max() < 1e-4


@pytest.mark.parametrize("name", SHIPPED)
def test_the_full_model_names_each_golden_part_rightly(name: str) -> None:
    manifest = manifest_of(name)
    known = [golden for golden in manifest["golden"] if golden["label"] in manifest["classes"]]
    for golden in known:
        for scores in golden["scores"]["full"].values():
            assert manifest["classes"][int(np.argmax(scores))] == golden["label"], golden["file"]
    assert known or all(golden["label"].startswith("synthetic") for golden in manifest["golden"])


@pytest.mark.parametrize("name", SHIPPED)
def test_nothing_of_the_building_machine_travels_along(name: str) -> None:
    for path in (MODELS / name).rglob("*"):
        if path.suffix in {".xml", ".json", ".md"}:
            text = path.read_text(encoding="utf-8")
            assert not any(word in text for word in ("/home/", "/tmp/", "/work/", "/root/")), path


def brightness_stage() -> ov.Model:
    """Mean grey level of a 4x4 picture over 255 as p_defect, and the rest as p_ok."""
    image = ops.parameter([1, 4, 4, 1], np.uint8, name="image")
    image.output(0).get_tensor().set_names({"image"})
    level = ops.divide(ops.convert(image, "f32"), np.float32(255))
    mean = ops.reduce_mean(level, np.array([1, 2]), keep_dims=False)
    scores = ops.concat([ops.subtract(np.float32(1), mean), mean], axis=1)
    scores.output(0).get_tensor().set_names({"scores"})
    return ov.Model([scores], [image])


def draft(**changes: Any) -> BundleDraft:
    stage = StageDraft("full", {"FP32": Artefact(brightness_stage(), ExitBand(0.4, 0.6))}, "FP32")
    fields: dict[str, Any] = {
        "name": "tiny",
        "version": "1.0.0",
        "input": InputSpec(4, 4, ColorSpace.GREY),
        "classes": ("ok", "bright"),
        "ok_class": "ok",
        "stages": [stage],
        "golden": [GoldenPicture("half", np.full((4, 4, 1), 51, np.uint8), "synthetic")],
        "card": "# tiny\n",
        "provenance": {"seed": 0},
    }
    return BundleDraft(**{**fields, **changes})


def test_a_written_bundle_lists_hashes_and_golden_scores(tmp_path: Path) -> None:
    manifest = json.loads(write_bundle(draft(notices={"NOTICE": "whose\n"}), tmp_path / "tiny").read_text())
    assert set(manifest["files"]) == {"full_fp32.xml", "full_fp32.bin", "golden/half.png", "NOTICE"}
    weights = (tmp_path / "tiny" / "full_fp32.bin").read_bytes()
    assert manifest["files"]["full_fp32.bin"] == hashlib.sha256(weights).hexdigest()
    assert manifest["golden"][0]["scores"]["full"]["FP32"] == pytest.approx([0.8, 0.2], abs=1e-5)
    assert manifest["certificate"] is None
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_a_bundle_replaces_its_old_self_but_nothing_else(tmp_path: Path) -> None:
    write_bundle(draft(notices={"NOTICE": "whose\n"}), tmp_path / "tiny")
    write_bundle(draft(), tmp_path / "tiny")
    assert not (tmp_path / "tiny" / "NOTICE").exists()
    (tmp_path / "mine").mkdir()
    with pytest.raises(ModelError, match="is no bundle"):
        write_bundle(draft(), tmp_path / "mine")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ok_class": "good"}, "'good' is not one of ok, bright"),
        ({"golden": [GoldenPicture("big", np.zeros((5, 4, 1), np.uint8), "x")]}, r"big is \(5, 4, 1\)"),
        ({"stages": [StageDraft("full", {}, "INT8")]}, "no artefact of its default precision INT8"),
    ],
)
def test_a_draft_that_does_not_fit_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draft(**changes)
