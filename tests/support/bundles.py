"""Tiny bundles for tests: valid in every respect, a few operations each, and steered by the picture's mean grey level.

Every stage computes p_defect from the mean alone, sure of OK when bright and of NG when dark:

    stage    input             OK above   NG below   between
    front    image             166.6      88.4       goes on
    middle   front's features  146.3      108.7      goes on
    full     image             130.2      124.8      UNDECIDED

(INT8 artefacts answer a little less steeply than FP32 ones, so that a test can tell which of them ran.) Below mean 51
the defect is the second defect class (if there is one), else the first. `picture` draws a textured picture of a given
mean, fit for inspection.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

from inspector.domain.frame import Image

CLASSES = ("ok", "scratch", "dent")
STAGES = ("front", "middle", "full")
STEEPNESS = {"front": 30.0, "middle": 40.0, "full": 80.0}
BANDS = {"front": (0.01, 0.99), "middle": (0.05, 0.95), "full": (0.3, 0.7)}
PRECISION_FACTOR = {"FP32": 1.0, "INT8": 0.97}
GOLDEN_LEVELS = {"ok_0": 215.0, "scratch_0": 70.0, "dent_0": 30.0, "hard_0": 140.0}


def picture(level: float, *, height: int = 24, width: int = 32, color: str = "BGR", seed: int = 0) -> Image:
    """Textured u8 picture (height, width, channels) whose mean is `level` (6 to 249) to within half a grey level."""
    channels = 3 if color == "BGR" else 1
    texture = np.resize(np.array([-6, 6], dtype=np.int16), height * width)
    np.random.default_rng(seed).shuffle(texture)
    grey = np.clip(round(level) + texture.reshape(height, width, 1), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(grey, channels, axis=2))


def tiny_scores(
    image: Image, stage: str, *, precision: str = "FP32", classes: int = len(CLASSES), ok: int = 0
) -> NDArray[np.float64]:
    """What stage `stage` of a tiny bundle answers for `image`, computed without OpenVINO. Shape (classes,)."""
    slope, offset = _dense(stage, precision, classes, ok)
    logits = slope.astype(np.float64) * (float(image.mean()) / 255.0) + offset
    exponents = np.exp(logits - logits.max())
    result: NDArray[np.float64] = exponents / exponents.sum()
    return result


def write_tiny_bundle(
    folder: Path,
    *,
    name: str = "tiny",
    version: str = "1.0.0",
    height: int = 24,
    width: int = 32,
    color: str = "BGR",
    classes: Sequence[str] = CLASSES,
    ok_class: str = "ok",
    stages: Sequence[str] = STAGES,
    precisions: Sequence[str] = ("FP32", "INT8"),
    bands: Mapping[str, tuple[float, float]] | None = None,
    poisoned: str | None = None,
) -> Path:
    """Write a complete format-1 bundle into `folder` (made if absent) and return it.

    `stages` is a subset of STAGES in that order ("middle" needs "front"); the first of `precisions` is the default.
    `bands` replaces BANDS by stage name. `poisoned` names a stage that gets one NaN weight.
    """
    (folder / "golden").mkdir(parents=True, exist_ok=True)
    ok = list(classes).index(ok_class)
    described = []
    for stage in stages:
        artefacts = {}
        for precision in precisions:
            stem = f"{stage}_{precision.lower()}"
            dense = _dense(stage, precision, len(classes), ok)
            if stage == poisoned:
                dense[0][-1] = np.nan
            ov.save_model(
                _stage_model(stage, (height, width, 3 if color == "BGR" else 1), dense, "middle" in stages),
                folder / f"{stem}.xml",
                compress_to_fp16=False,
            )
            ok_below, ng_above = {**BANDS, **(bands or {})}[stage]
            artefacts[precision] = {
                "xml": f"{stem}.xml",
                "bin": f"{stem}.bin",
                "band": {"ok_below": ok_below, "ng_above": ng_above},
                "names_class": True,
            }
        described.append(
            {
                "name": stage,
                "exit": stage,
                "input": "front" if stage == "middle" else "image",
                "default_precision": precisions[0],
                "artefacts": artefacts,
            }
        )
    golden: list[dict[str, Any]] = []
    for stem, level in GOLDEN_LEVELS.items():
        image = picture(level, height=height, width=width, color=color, seed=len(golden))
        _write_png(folder / "golden" / f"{stem}.png", image)
        label = stem.rsplit("_", 1)[0]
        golden.append(
            {
                "file": f"golden/{stem}.png",
                "label": label if label in classes else ok_class,
                "scores": {
                    stage: {
                        p: tiny_scores(image, stage, precision=p, classes=len(classes), ok=ok).tolist()
                        for p in precisions
                    }
                    for stage in stages
                },
                "tolerance": 0.05,
            }
        )
    manifest = {
        "format": 1,
        "name": name,
        "version": version,
        "input": {"height": height, "width": width, "color": color},
        "classes": list(classes),
        "ok_class": ok_class,
        "stages": described,
        "files": {},
        "golden": golden,
        "certificate": None,
        "provenance": {"dataset": "none", "seed": 0, "script": "tests/support/bundles.py", "packages": {}},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    (folder / "CARD.md").write_text("# tiny\n\nFor tests only.\n", encoding="utf-8")
    rehash(folder)
    return folder


def edit_manifest(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest of `folder` by `edit`, which works on its JSON object in place."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    edit(manifest)
    path.write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def rehash(folder: Path) -> None:
    """Write the hashes of all files as they are now into the manifest, as an honest builder would."""
    hashes = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("manifest.json", "CARD.md")
    }
    edit_manifest(folder, lambda manifest: manifest.update(files=hashes))


def decode_png(data: bytes) -> Image:
    """The picture as stored, u8: the `decode` that `load_bundle` wants."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise ValueError("not a picture")
    return np.asarray(image, dtype=np.uint8)


def _dense(stage: str, precision: str, classes: int, ok: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Slope and offset of each class's logit over the mean in [0, 1]."""
    k = STEEPNESS[stage] * PRECISION_FACTOR[precision]
    defects = [(0.0, 0.0), (-k, 0.2 * k)] + [(0.0, -30.0)] * classes
    lines = defects[: classes - 1]
    lines.insert(ok, (k, -0.5 * k))
    table = np.array(lines, dtype=np.float32)
    return table[:, 0].copy(), table[:, 1].copy()


def _stage_model(
    stage: str,
    shape: tuple[int, int, int],
    dense: tuple[NDArray[np.float32], NDArray[np.float32]],
    gives_features: bool,
) -> ov.Model:
    slope, offset = dense
    if stage == "middle":
        source = op.parameter([1, 1], ov.Type.f32, name="features")
        source.output(0).set_names({"features"})
        mean = source.output(0)
    else:
        source = op.parameter([1, *shape], ov.Type.u8, name="image")
        source.output(0).set_names({"image"})
        grey = op.reduce_mean(op.convert(source, "f32"), np.array([1, 2, 3], np.int64), keep_dims=False)
        mean = op.reshape(op.divide(grey, np.float32(255.0)), np.array([1, 1], np.int64), False).output(0)
    logits = op.add(op.matmul(mean, slope.reshape(1, -1), False, False), offset.reshape(1, -1))
    results = [_result(op.softmax(logits, axis=1).output(0), "scores")]
    if stage == "front" and gives_features:
        results.append(_result(mean, "features"))
    return ov.Model(results, [source], stage)


def _result(output: Any, name: str) -> Any:
    output.set_names({name})
    return op.result(output)


def _write_png(path: Path, image: Image) -> None:
    ok, data = cv2.imencode(".png", image)
    if not ok:
        raise ValueError(f"cannot encode {path}")
    path.write_bytes(data.tobytes())
