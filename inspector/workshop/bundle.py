"""Writing a model bundle: stages, hashes, golden pictures with their scores, manifest and card.

A bundle is built in a folder beside its place and moved there when it is complete, so a failed build leaves the old
one as it was. `manifest.json` has format 1; the station's reader is `adapters.openvino_runtime`.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openvino as ov
from numpy.typing import NDArray

from inspector.domain.errors import ModelError
from inspector.domain.exits import ExitBand
from inspector.domain.model import InputSpec
from inspector.workshop.cut import FEATURES_NAME
from inspector.workshop.export import INPUT_NAME, SCORES_NAME, save_stage
from inspector.workshop.scoring import compiled

FORMAT = 1
MANIFEST = "manifest.json"
CARD = "CARD.md"
UNHASHED = frozenset({MANIFEST, CARD})


@dataclass(frozen=True, slots=True)
class Artefact:
    """One precision of a stage: the IR and the band that was calibrated on exactly this IR."""

    model: ov.Model
    band: ExitBand
    names_class: bool = True


@dataclass(frozen=True, slots=True)
class StageDraft:
    """One stage. `artefacts` by precision name, for example FP32 and INT8."""

    name: str
    artefacts: Mapping[str, Artefact]
    default_precision: str
    input: str = INPUT_NAME


@dataclass(frozen=True, slots=True, eq=False)
class GoldenPicture:
    """A picture whose scores are checked after every load. `label` is for people, for example 'synthetic'."""

    name: str
    image: NDArray[np.uint8]
    label: str


@dataclass(frozen=True, slots=True)
class BundleDraft:
    """Everything a bundle folder holds. `notices` are further text files by name; `certificate` is a later tool's."""

    name: str
    version: str
    input: InputSpec
    classes: tuple[str, ...]
    ok_class: str
    stages: Sequence[StageDraft]
    golden: Sequence[GoldenPicture]
    card: str
    provenance: Mapping[str, Any]
    notices: Mapping[str, str] = field(default_factory=dict)
    golden_tolerance: float = 0.05

    def __post_init__(self) -> None:
        if self.ok_class not in self.classes:
            raise ValueError(f"the good class {self.ok_class!r} is not one of {', '.join(self.classes)}")
        for stage in self.stages:
            if stage.default_precision not in stage.artefacts:
                raise ValueError(
                    f"stage {stage.name} has no artefact of its default precision {stage.default_precision}"
                )
        for picture in self.golden:
            if picture.image.shape != self.input.shape:
                raise ValueError(f"golden picture {picture.name} is {picture.image.shape}, not {self.input.shape}")


def write_bundle(draft: BundleDraft, out: Path) -> Path:
    """Write `draft` to the folder `out`, replacing a bundle that stands there; returns the manifest's path."""
    if out.exists() and not (out / MANIFEST).is_file():
        raise ModelError(f"{out} exists and is no bundle; give another folder or remove it")
    building = out.with_name(f".{out.name}.building")
    shutil.rmtree(building, ignore_errors=True)
    (building / "golden").mkdir(parents=True)
    stages = [_write_stage(stage, building) for stage in draft.stages]
    golden = [_write_golden(picture, draft, building) for picture in draft.golden]
    for name, text in {**draft.notices, CARD: draft.card}.items():
        (building / name).write_text(text, encoding="utf-8")
    manifest = {
        "format": FORMAT,
        "name": draft.name,
        "version": draft.version,
        "input": {"height": draft.input.height, "width": draft.input.width, "color": str(draft.input.color)},
        "classes": list(draft.classes),
        "ok_class": draft.ok_class,
        "stages": stages,
        "files": file_hashes(building),
        "golden": golden,
        "certificate": None,
        "provenance": dict(draft.provenance),
    }
    (building / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(out, ignore_errors=True)
    building.rename(out)
    return out / MANIFEST


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 (hex) of every file of a bundle but the manifest and the card, by path relative to `folder`."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).as_posix() not in UNHASHED
    }


def _write_stage(stage: StageDraft, folder: Path) -> dict[str, Any]:
    artefacts: dict[str, Any] = {}
    for precision, artefact in stage.artefacts.items():
        xml, weights = save_stage(artefact.model, folder / f"{stage.name}_{precision.lower()}.xml")
        artefacts[precision] = {
            "xml": xml.name,
            "bin": weights.name,
            "band": {"ok_below": artefact.band.ok_below, "ng_above": artefact.band.ng_above},
            "names_class": artefact.names_class,
        }
    return {
        "name": stage.name,
        "exit": stage.name,
        "input": stage.input,
        "default_precision": stage.default_precision,
        "artefacts": artefacts,
    }


def _write_golden(picture: GoldenPicture, draft: BundleDraft, folder: Path) -> dict[str, Any]:
    """The scores come from the files as written, not from the models in memory."""
    file = f"golden/{picture.name}.png"
    if not cv2.imwrite(str(folder / file), picture.image):
        raise ModelError(f"golden picture {folder / file} could not be written; check space and rights of the folder")
    scores: dict[str, dict[str, list[float]]] = {stage.name: {} for stage in draft.stages}
    for precision in {name: None for stage in draft.stages for name in stage.artefacts}:
        given: dict[str, NDArray[Any]] = {INPUT_NAME: picture.image[np.newaxis]}
        for stage in draft.stages:
            if precision not in stage.artefacts:
                continue
            request = compiled(folder / f"{stage.name}_{precision.lower()}.xml").create_infer_request()
            request.infer([given[stage.input]])
            answer = request.get_tensor(SCORES_NAME).data[0]
            scores[stage.name][precision] = [round(float(score), 6) for score in answer]
            if any(other.input == stage.name for other in draft.stages):
                given[stage.name] = request.get_tensor(FEATURES_NAME).data.copy()
    return {"file": file, "label": picture.label, "scores": scores, "tolerance": draft.golden_tolerance}
