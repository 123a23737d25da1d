"""`inspector evaluate`: how good the full model and the cascade are on frames of one split, and what the cascade adds.

Every readable frame counts, also several of one group; the exact limits assume that parts are independent, so the report
says where they are not. The JSON is a contract (DESIGN §6).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from inspector.assurance.binomial import upper_limit
from inspector.domain.certificate import RELATIVE_ONLY, Risk, Truth
from inspector.domain.errors import SourceError
from inspector.domain.model import ModelInfo
from inspector.workshop.added_errors import AddedErrors
from inspector.workshop.bands import p_defect
from inspector.workshop.dataset import Split
from inspector.workshop.frames import (
    Progress,
    ScoredFrames,
    classes_of,
    hashed_dataset,
    loaded,
    part_of,
    score_frames,
)
from inspector.workshop.quality import CascadeResult, Quality, Rate, auroc_of, exit_use, quality

_KEY = {
    Risk.ADDED_ESCAPE: "added_escape",
    Risk.ADDED_OVERKILL: "added_overkill",
    Risk.ADDED_MISNAMING: "added_misnaming",
}


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """`labels` (n,) are class indices: the data set's, or the full model's own answers (-1 unsure) without labels."""

    info: ModelInfo
    frames: ScoredFrames
    labels: NDArray[np.int64]
    truth: Truth
    split: Split


def evaluate(
    bundle: Path,
    root: Path,
    *,
    split: Split = Split.TEST,
    unlabelled: bool = False,
    ok_class: str = "ok",
    seed: int = 7,
    progress: Progress = lambda done, doing: None,
) -> Evaluated:
    """Score the frames of `split` with `bundle` as a station runs it. Raises ConfigError, ModelError and SourceError."""
    classifier = loaded(bundle)
    try:
        info = classifier.info
        reading = part_of(progress, 0.0, 0.1)
        hashed = hashed_dataset(root, ok_class=ok_class, seed=seed, progress=reading, unlabelled=unlabelled)
        classes = None if unlabelled else classes_of(hashed.dataset, info, ok_class)
        samples = [[sample] for sample in hashed.dataset.of(split)]
        frames = score_frames(classifier, root, samples, split, part_of(progress, 0.1, 1.0))
    finally:
        classifier.close()
    if not frames.samples:
        raise SourceError(f"data set {root}: split {split} is empty; add pictures to it or choose another with --split")
    labels = frames.scored.full_answers if classes is None else frames.labels(classes)
    return Evaluated(info, frames, labels, Truth.FULL_MODEL if unlabelled else Truth.LABELS, split)


def report_of(found: Evaluated, bundle: Path, root: Path, confidence: float) -> dict[str, Any]:
    """The report as plain JSON values; nothing in it is NaN."""
    scored, labels, info = found.frames.scored, found.labels, found.info
    ok, full = scored.ok_index, scored.full_answers
    policy = [stage.band for stage in info.stages[:-1]]
    dynamic = scored.dynamic(policy)
    is_ng = None if found.truth is Truth.FULL_MODEL else np.asarray(labels != ok, np.bool_)
    counted = AddedErrors(scored, is_ng)
    added = dict(zip(counted.risks, counted.seen(policy), strict=True))
    uses = exit_use(dynamic, labels, ok, info.exits)
    several = len(info.classes) > 2
    return {
        "bundle": str(bundle),
        "dataset": str(root),
        "model": f"{info.name} {info.version}",
        "split": str(found.split),
        "parts": len(labels),
        "groups": len({sample.group for sample in found.frames.samples}),
        "truth": found.truth.value,
        "certificate": info.certificate.sentence,
        "policies": {
            "full": _policy(quality(full, labels, ok), full, p_defect(scored.scores[-1], ok), labels, ok, several),
            "dynamic": {
                **_policy(
                    quality(dynamic.answers, labels, ok),
                    dynamic.answers,
                    _p_at_exit(found, dynamic),
                    labels,
                    ok,
                    several,
                ),
                "exits": [{"name": use.name, "count": use.share.count, "share": use.share.value} for use in uses],
            },
        },
        **{
            _KEY[risk]: {
                "count": seen.count,
                "of": seen.of,
                "upper": upper_limit(seen.count, seen.of, confidence),
                "confidence": confidence,
            }
            for risk, seen in added.items()
        },
        "stages": [
            {
                "name": stage.name,
                "precision": stage.precision,
                "auroc": _finite(auroc_of(p_defect(s, ok), labels != ok)),
            }
            for stage, s in zip(info.stages, scored.scores, strict=True)
        ],
        "unreadable": list(found.frames.unreadable),
    }


def _policy(
    found: Quality,
    said: NDArray[np.int64],
    p: NDArray[np.float64],
    labels: NDArray[np.int64],
    ok: int,
    several: bool,
) -> dict[str, Any]:
    result: dict[str, Any] = {
        "escape": _counts(found.escape),
        "overkill": _counts(found.overkill),
        "undecided": found.undecided,
        "accuracy": found.right.value,
        "auroc": _finite(auroc_of(p, labels != ok)),
    }
    if several:
        result["named"] = _counts(found.named)
        result["class_accuracy"] = float((said == labels).mean())
    return result


def _p_at_exit(found: Evaluated, dynamic: CascadeResult) -> NDArray[np.float64]:
    """p_defect of the stage that decided (of the last one where none did), shape (n,)."""
    scored = found.frames.scored
    p = np.stack([p_defect(s, scored.ok_index) for s in scored.scores])
    return np.asarray(p[dynamic.exit_of, np.arange(p.shape[1])], np.float64)  # -1 is the last


def _counts(rate: Rate) -> dict[str, int]:
    return {"count": rate.count, "of": rate.of}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def print_report(report: Mapping[str, Any]) -> None:
    """The report for people, on standard output."""
    console = Console(soft_wrap=True, highlight=False)
    console.print(
        f"{report['model']} on the {report['split']} split of {report['dataset']}: {report['parts']} parts",
        markup=False,
    )
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("", "escapes", "overkill", "undecided", "accuracy", "AUROC"):
        table.add_column(name, justify="left" if not name else "right")
    for name, found in report["policies"].items():
        table.add_row(
            name,
            _share(found["escape"]),
            _share(found["overkill"]),
            str(found["undecided"]),
            f"{found['accuracy']:.2%}",
            "–" if found["auroc"] is None else f"{found['auroc']:.4f}",
        )
    console.print(table)
    for key in ("added_escape", "added_overkill", "added_misnaming"):
        if key in report:
            added = report[key]
            limit = f"below {added['upper']:.2%} with {added['confidence']:.0%} confidence"
            console.print(f"{key.replace('_', ' ')}: {_share(added)}, {limit}", markup=False)
    exits = ", ".join(f"{e['name']} {e['share']:.1%}" for e in report["policies"]["dynamic"]["exits"])
    console.print(f"decided by {exits}", markup=False)
    console.print(f"certificate: {report['certificate']}", markup=False)
    if report["truth"] == Truth.FULL_MODEL:
        console.print(f"without labels: added errors {RELATIVE_ONLY}", markup=False)
    if report["groups"] < report["parts"]:
        console.print(
            f"only {report['groups']} groups: frames of one group are related, so the true limits are wider",
            markup=False,
        )
    for text in report["unreadable"]:
        console.print(f"left out: {text}", markup=False)


def _share(found: Mapping[str, Any]) -> str:
    share = f" ({found['count'] / found['of']:.2%})" if found["of"] else ""
    return f"{found['count']} of {found['of']}{share}"
