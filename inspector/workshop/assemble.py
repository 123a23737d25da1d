"""From trained networks to calibrated stages with figures.

    front, full (torch) ─▶ FP32 IR ─▶ INT8 IR ─▶ scores on calib ─▶ bands ─▶ scores on test ─▶ figures

Every precision is calibrated and judged by itself, on the very IR that is shipped: quantization moves scores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from inspector.domain.exits import ExitBand
from inspector.domain.model import InputSpec
from inspector.workshop.bands import BandRule, Scores, answers, exit_band, full_band
from inspector.workshop.bundle import Artefact, StageDraft
from inspector.workshop.dataset import Pictures
from inspector.workshop.export import stage_model
from inspector.workshop.nets import Preprocessing
from inspector.workshop.quality import ExitUse, Quality, auroc, cascade, exit_use, quality
from inspector.workshop.quantize import quantized
from inspector.workshop.scoring import compiled, median_ms, scores_of
from inspector.workshop.train import Progress

FP32 = "FP32"
INT8 = "INT8"


@dataclass(frozen=True, slots=True)
class TrainedStage:
    """A network (logits, eval mode) and how its pictures are prepared. The last of a cascade is the full model."""

    name: str
    net: Any
    preprocessing: Preprocessing


@dataclass(frozen=True, slots=True)
class CalibrationRule:
    """How the bands are chosen: `exits` for all stages but the last, `escape_cost` for the last one's threshold."""

    exits: BandRule
    escape_cost: float = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """One precision on the test split: the full model alone, the cascade, and each stage by itself.

    `calib` is how many calibration pictures the bands rest on; `stage_ms` the median of one call on one thread.
    """

    precision: str
    parts: int
    calib: int
    bands: Mapping[str, ExitBand]
    full: Quality
    dynamic: Quality
    exits: Sequence[ExitUse]
    auroc: Mapping[str, float]
    added_escapes: int
    added_overkill: int
    stage_ms: Mapping[str, float]

    @property
    def dynamic_ms(self) -> float:
        """Mean inference time of a part of the test split: each stage as often as parts reach it."""
        total, reaching = 0.0, 1.0
        for use in self.exits:
            total += reaching * self.stage_ms[use.name]
            reaching -= use.share.value
        return total


@dataclass(frozen=True, slots=True, eq=False)
class Assembled:
    stages: Sequence[StageDraft]
    figures: Sequence[Figures]


def assemble(
    trained: Sequence[TrainedStage],
    spec: InputSpec,
    ok_index: int,
    *,
    quantize_on: NDArray[np.uint8],
    calib: Pictures,
    test: Pictures,
    rule: CalibrationRule,
    seed: int,
    progress: Progress,
) -> Assembled:
    """Export, quantize, calibrate and judge. All pictures are as `spec` says; `test` is looked at only for figures."""
    models: dict[str, dict[str, ov.Model]] = {FP32: {}, INT8: {}}
    for stage in trained:
        models[FP32][stage.name] = stage_model(stage.net, stage.preprocessing, spec)
        models[INT8][stage.name] = quantized(models[FP32][stage.name], quantize_on, seed=seed)
        progress(f"{stage.name}: exported and quantized")
    runs = {
        precision: {name: compiled(model, threads=1) for name, model in of.items()} for precision, of in models.items()
    }
    times = median_ms(
        {f"{precision} {name}": run for precision, of in runs.items() for name, run in of.items()}, test.images
    )
    names = [stage.name for stage in trained]
    bands: dict[str, dict[str, ExitBand]] = {}
    figures = []
    for precision in (FP32, INT8):
        on_calib = {name: scores_of(run, calib.images) for name, run in runs[precision].items()}
        on_test = {name: scores_of(run, test.images) for name, run in runs[precision].items()}
        bands[precision] = calibrated(names, on_calib, calib.labels, ok_index, rule)
        stage_ms = {name: times[f"{precision} {name}"] for name in names}
        figures.append(
            _judged(precision, names, bands[precision], on_test, test.labels, len(calib), ok_index, stage_ms)
        )
        progress(f"{precision}: calibrated on {len(calib)} pictures and judged on {len(test)}")
    stages = [
        StageDraft(
            name=name,
            artefacts={p: Artefact(models[p][name], bands[p][name]) for p in (INT8, FP32)},
            default_precision=INT8,
        )
        for name in names
    ]
    return Assembled(stages, figures)


def calibrated(
    names: Sequence[str],
    scores: Mapping[str, Scores],
    labels: NDArray[np.int64],
    ok_index: int,
    rule: CalibrationRule,
) -> dict[str, ExitBand]:
    """The bands of all stages of one precision from their scores on the calibration split."""
    *exits, last = names
    bands = {last: full_band(scores[last], labels, ok_index, escape_cost=rule.escape_cost)}
    full_answers = answers(scores[last], ok_index, bands[last])
    for name in exits:
        bands[name] = exit_band(scores[name], full_answers, ok_index, rule.exits)
    return bands


def _judged(
    precision: str,
    names: Sequence[str],
    bands: Mapping[str, ExitBand],
    scores: Mapping[str, Scores],
    labels: NDArray[np.int64],
    calib: int,
    ok_index: int,
    stage_ms: Mapping[str, float],
) -> Figures:
    result = cascade([(scores[name], bands[name]) for name in names], ok_index)
    full = answers(scores[names[-1]], ok_index, bands[names[-1]])
    passed, full_passed = result.answers == ok_index, full == ok_index
    return Figures(
        precision=precision,
        parts=len(labels),
        calib=calib,
        bands=bands,
        full=quality(full, labels, ok_index),
        dynamic=quality(result.answers, labels, ok_index),
        exits=exit_use(result, labels, ok_index, names),
        auroc={name: auroc(scores[name], labels, ok_index) for name in names},
        added_escapes=int((passed & ~full_passed).sum()),
        added_overkill=int((~passed & full_passed).sum()),
        stage_ms=stage_ms,
    )
