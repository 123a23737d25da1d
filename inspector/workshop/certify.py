"""`inspector certify`: from a bundle and frames of its line to exit bands with a proven bound, written into the bundle.

    train split ─▶ path of policies, safest first        calib split, one frame a group ─▶ what each policy adds
                          └───────────────── fixed-sequence test ─────────────┘
                                                   │ the boldest that passes (or a refusal that counts what is missing)
                                                   ▼
                                   bands in manifest.json + certificate.json

The test split is hashed and never looked at. The promise holds for parts that resemble the calibration frames, and only
if nothing else was chosen on the calib split: neither weights nor the full model's own threshold.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from inspector.adapters.openvino_runtime import OpenVinoClassifier, read_info
from inspector.adapters.openvino_runtime.certificates import CERTIFICATE, binding_of, certificate_json
from inspector.adapters.openvino_runtime.manifest import MANIFEST, read_manifest
from inspector.adapters.openvino_runtime.selection import choose_stages
from inspector.assurance.learn_then_test import Bound, Claim, Missing, Seen, claims, last_certified, missing
from inspector.domain.certificate import (
    RELATIVE_ONLY,
    Certificate,
    CertificateStatus,
    CertifiedClaim,
    Risk,
    Truth,
    claims_sentence,
    percent,
)
from inspector.domain.errors import ConfigError, InspectorError, ModelError
from inspector.domain.model import ModelInfo
from inspector.workshop.added_errors import AddedErrors
from inspector.workshop.bundle import CARD, file_hashes
from inspector.workshop.dataset import Split
from inspector.workshop.frames import (
    Hashed,
    Progress,
    ScoredFrames,
    classes_of,
    hashed_dataset,
    loaded,
    one_per_group,
    part_of,
    score_frames,
)
from inspector.workshop.policy_path import DEFAULT_SHAPE, EarlyExit, PathShape, Policy, policy_path
from inspector.workshop.quality import ExitUse, exit_use

METHOD = (
    "Learn then Test (Angelopoulos et al. 2021) with fixed-sequence testing: {steps} policies in an order made on the "
    "train split, exact binomial tails, the largest p-value of all risks; one picture a group of the calib split, drawn "
    "by seed. It holds for parts that resemble these."
)
_CARD_HEADING = "\n## Certificate\n"


class NotCertifiedError(InspectorError):
    """The frames do not prove what was asked. The sentence counts what is missing; the bundle is as it was."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be proven, as shares of 1. `max_misnamed` None: as `max_added_overkill`."""

    max_added_escape: float
    max_added_overkill: float
    confidence: float = 0.95
    max_misnamed: float | None = None

    def __post_init__(self) -> None:
        rates = [self.max_added_escape, self.max_added_overkill, self.confidence, self.max_misnamed or 0.5]
        if not all(0.0 < rate < 1.0 for rate in rates):
            raise ConfigError("bounds and confidence are shares between 0 and 1, such as 0.001 and 0.95")

    def bounds(self, risks: Sequence[Risk]) -> tuple[Bound, ...]:
        misnamed = self.max_added_overkill if self.max_misnamed is None else self.max_misnamed
        rate = {
            Risk.ADDED_ESCAPE: self.max_added_escape,
            Risk.ADDED_OVERKILL: self.max_added_overkill,
            Risk.ADDED_MISNAMING: misnamed,
        }
        return tuple(Bound(risk, rate[risk]) for risk in risks)


@dataclass(frozen=True, slots=True)
class Certified:
    """What was written. `step` of `steps` policies is the certified one; `exits` are its shares on the calib split."""

    certificate: Certificate
    status: CertificateStatus
    policy: Policy
    step: int
    steps: int
    exits: Sequence[ExitUse]
    unreadable: tuple[str, ...]


def certify(
    bundle: Path,
    root: Path,
    wanted: Wanted,
    *,
    unlabelled: bool = False,
    ok_class: str = "ok",
    seed: int = 7,
    shape: PathShape = DEFAULT_SHAPE,
    progress: Progress = lambda done, doing: None,
) -> Certified:
    """Certify `bundle` on the data set `root` and write bands and certificate into it, all or nothing.

    Raises NotCertifiedError, ConfigError for a data set that does not fit, ModelError and SourceError.
    """
    bundle = _settled(bundle)
    classifier = loaded(bundle)
    try:
        info = classifier.info
        if len(info.stages) < 2:
            raise NotCertifiedError(f"bundle '{info.name}' has no early exit, so there is nothing to certify")
        reading = part_of(progress, 0.0, 0.1)
        hashed = hashed_dataset(root, ok_class=ok_class, seed=seed, progress=reading, unlabelled=unlabelled)
        classes = None if unlabelled else classes_of(hashed.dataset, info, ok_class)
        if classes is not None:
            _refuse_too_few(hashed, classes, info, wanted, seed)
        path = _path(classifier, hashed, seed, shape, part_of(progress, 0.1, 0.7))
        groups = one_per_group(hashed, Split.CALIB, seed)
        frames = score_frames(classifier, root, groups, Split.CALIB, part_of(progress, 0.7, 1.0))
    finally:
        classifier.close()
    ok = info.classes.index(info.ok_class)
    is_ng = None if classes is None else np.asarray(frames.labels(classes) != ok, np.bool_)
    counted = AddedErrors(frames.scored, is_ng)
    step = _certified_step(counted, path, wanted, info)
    proven = claims(counted.seen(path[step]), wanted.bounds(counted.risks), wanted.confidence)
    certificate = Certificate(
        claims=tuple(_certified_claim(claim) for claim in proven),
        confidence=wanted.confidence,
        truth=Truth.FULL_MODEL if unlabelled else Truth.LABELS,
        method=METHOD.format(steps=len(path)),
        binding=binding_of(*_with_bands(bundle, path[step])),
        dataset=root.resolve().name,
        dataset_sha256=hashed.fingerprint,
        parts=len(frames.samples),
        seed=seed,
        created_at=datetime.now(UTC).replace(microsecond=0),
    )
    status = _write(bundle, certificate)
    return Certified(
        certificate, status, path[step], step, len(path), _shares(frames, path[step], info), frames.unreadable
    )


def _refuse_too_few(hashed: Hashed, classes: Mapping[str, int], info: ModelInfo, wanted: Wanted, seed: int) -> None:
    """Before anything is computed: could even a faultless policy be certified on so many labelled frames?"""
    ok = info.classes.index(info.ok_class)
    is_ok = [classes[group[0].label] == ok for group in one_per_group(hashed, Split.CALIB, seed)]
    n_ok = sum(is_ok)
    n_ng = len(is_ok) - n_ok
    risks = (Risk.ADDED_ESCAPE, Risk.ADDED_OVERKILL) + ((Risk.ADDED_MISNAMING,) if _names_matter(info) else ())
    seen = [Seen(0, n_ok if risk is Risk.ADDED_OVERKILL else n_ng) for risk in risks]
    lacking = missing(seen, wanted.bounds(risks), wanted.confidence)
    if lacking:
        raise NotCertifiedError(_too_few(info, lacking, wanted, hashed.dataset.root))


def _names_matter(info: ModelInfo) -> bool:
    return len(info.classes) > 2 and info.stages[-1].names_class


def _path(
    classifier: OpenVinoClassifier, hashed: Hashed, seed: int, shape: PathShape, progress: Progress
) -> tuple[Policy, ...]:
    groups = one_per_group(hashed, Split.TRAIN, seed)
    if not groups:
        raise ConfigError(
            f"data set {hashed.dataset.root}: the train split is empty, and the order of policies is made on it; "
            "give some frames to train in split.csv"
        )
    scored = score_frames(classifier, hashed.dataset.root, groups, Split.TRAIN, progress).scored
    exits = [EarlyExit(s, names) for s, names in zip(scored.scores[:-1], scored.names_class[:-1], strict=True)]
    return policy_path(exits, scored.full_answers, scored.ok_index, names_matter=scored.names_matter, shape=shape)


def _certified_step(counted: AddedErrors, path: Sequence[Policy], wanted: Wanted, info: ModelInfo) -> int:
    """The certified policy's index. Raises NotCertifiedError when it is none, or only the one that closes every exit."""
    bounds = wanted.bounds(counted.risks)
    step = last_certified((counted.seen(policy) for policy in path), bounds, wanted.confidence)
    if step is not None and step > 0:
        return step
    if step is None:
        lacking = missing(counted.seen(path[0]), bounds, wanted.confidence)
        raise NotCertifiedError(_too_few(info, lacking, wanted, None))
    if len(path) == 1:
        raise NotCertifiedError(
            f"bundle '{info.name}' is not certified: on the train split no exit is sure of any part; a better front is needed"
        )
    seen = counted.seen(path[1])
    lacking = missing(seen, bounds, wanted.confidence)
    told = ", ".join(f"{s.count} {b.name} in {s.of} parts" for s, b in zip(seen, bounds, strict=True) if s.count)
    need = "; ".join(f"{m.parts} more {_kind(m)} parts without a further one are needed" for m in lacking)
    raise NotCertifiedError(
        f"bundle '{info.name}' is not certified: even the most careful early exits show {told}, so that {need}; "
        "ask for wider bounds, bring more frames, or a front that ranks parts better"
    )


def _too_few(info: ModelInfo, lacking: Sequence[Missing], wanted: Wanted, root: Path | None) -> str:
    where = f" of {root}" if root is not None else ""
    told = "; ".join(
        f"{m.parts} more {_kind(m)} parts are missing ({m.seen.of + m.parts} are needed for {m.bound.name} ≤ "
        f"{percent(m.bound.rate)} with {percent(wanted.confidence)} confidence, the calib split has {m.seen.of})"
        for m in lacking
    )
    return f"bundle '{info.name}' is not certified: {told}; add them to the calib split{where}, or ask for wider bounds"


def _kind(lacking: Missing) -> str:
    return "OK" if lacking.bound.name == Risk.ADDED_OVERKILL else "NG"


def _certified_claim(claim: Claim) -> CertifiedClaim:
    # The last bit of two ways to compute the same limit must not keep a proven claim out of its file.
    upper = min(claim.upper, claim.bound.rate)
    return CertifiedClaim(Risk(claim.bound.name), claim.bound.rate, claim.seen.count, claim.seen.of, upper)


def _shares(frames: ScoredFrames, policy: Policy, info: ModelInfo) -> Sequence[ExitUse]:
    result = frames.scored.dynamic(policy)
    return exit_use(result, frames.scored.full_answers, frames.scored.ok_index, info.exits)


def _with_bands(bundle: Path, policy: Policy) -> tuple[Any, Any]:
    """Manifest and stages of `bundle` as they will run with `policy`."""
    manifest, _ = read_manifest(bundle)
    bands = {stage.exit: band for stage, band in zip(manifest.stages[:-1], policy, strict=True)}
    return manifest, choose_stages(manifest, {}, bands)


# Writing --------------------------------------------------------------------------------------------------------------


def _settled(bundle: Path) -> Path:
    """The folder itself, behind any link. A certification that was killed while it swapped left the old one beside it."""
    bundle = bundle.resolve()
    before = _before(bundle)
    if before.is_dir() and not bundle.exists():
        before.rename(bundle)
    if not (bundle / MANIFEST).is_file():
        raise ModelError(f"{bundle} is no model bundle; give the folder that holds its {MANIFEST}")
    return bundle


def _before(bundle: Path) -> Path:
    return bundle.with_name(f".{bundle.name}.before")


def _write(bundle: Path, certificate: Certificate) -> CertificateStatus:
    """Built beside and swapped in: whatever ends this early, the bundle is the old one or the new one, whole."""
    building = bundle.with_name(f".{bundle.name}.building")
    shutil.rmtree(building, ignore_errors=True)
    try:
        shutil.copytree(bundle, building)
        (building / CERTIFICATE).write_text(certificate_json(certificate), encoding="utf-8")
        _write_manifest(building, certificate)
        _write_card(building / CARD, certificate)
        status = read_info(building).certificate
        if not status.is_certified:
            raise ModelError(f"the certificate does not hold for its own bundle ({status.sentence}); report this")
        _swap(building, bundle)
    except OSError as error:
        raise ModelError(
            f"bundle {bundle} cannot be written ({error.strerror}); check space and rights of its folder"
        ) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return status


def _write_manifest(folder: Path, certificate: Certificate) -> None:
    """The certified bands, at the certified precisions; every hash as the files are now."""
    path = folder / MANIFEST
    content = json.loads(path.read_text(encoding="utf-8"))
    for stage, certified in zip(content["stages"], certificate.binding.stages, strict=True):
        band = {"ok_below": certified.band.ok_below, "ng_above": certified.band.ng_above}
        stage["artefacts"][certified.precision]["band"] = band
    content["certificate"] = CERTIFICATE
    content["files"] = {
        name: sha256
        for name, sha256 in file_hashes(folder).items()
        if name in content["files"] or name == CERTIFICATE  # what was not listed stays so
    }
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_card(card: Path, certificate: Certificate) -> None:
    """The card's last chapter says what is certified, whatever stands above it."""
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    rows = "\n".join(
        f"| {c.risk.value} | {percent(c.bound)} | {c.count} of {c.of} | {100 * c.upper:.3g} % |"
        for c in certificate.claims
    )
    bands = ", ".join(
        f"{s.exit} ({s.precision}) OK below {s.band.ok_below:g}, NG above {s.band.ng_above:g}"
        for s in certificate.binding.stages
    )
    chapter = (
        f"{_CARD_HEADING}\nSince {certificate.created_at:%Y-%m-%d} these bands stand in place of those above: {bands}.\n\n"
        f"{claims_sentence(certificate)}. Data set {certificate.dataset}, {certificate.parts} parts. "
        f"{certificate.method}\n\n"
        f"| risk | at most | seen | upper limit |\n| --- | --- | --- | --- |\n{rows}\n"
    )
    card.write_text(text.partition(_CARD_HEADING)[0].rstrip("\n") + "\n" + chapter, encoding="utf-8")


def _swap(building: Path, bundle: Path) -> None:
    before = _before(bundle)
    shutil.rmtree(before, ignore_errors=True)
    for path in (building / MANIFEST, building / CERTIFICATE):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    bundle.rename(before)
    try:
        building.rename(bundle)
    except BaseException:  # Ctrl-C between the two: the old one goes back
        if not bundle.exists():
            before.rename(bundle)
        raise
    shutil.rmtree(before, ignore_errors=True)


def print_certified(certified: Certified) -> None:
    """What was proven, for people, on standard output."""
    console = Console(soft_wrap=True, highlight=False)
    certificate = certified.certificate
    console.print(certified.status.sentence, markup=False)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("", "at most", "seen", "upper limit"):
        table.add_column(name, justify="right" if name else "left")
    for claim in certificate.claims:
        table.add_row(claim.risk.value, percent(claim.bound), f"{claim.count} of {claim.of}", f"{claim.upper:.3%}")
    console.print(table)
    for stage, use in zip(certificate.binding.stages, certified.exits, strict=True):
        console.print(
            f"{stage.exit}: OK below {stage.band.ok_below:g}, NG above {stage.band.ng_above:g}; decided "
            f"{use.share.value:.1%} of the calibration parts",
            markup=False,
        )
    console.print(f"policy {certified.step + 1} of {certified.steps}, safest first", markup=False)
    if certificate.truth is Truth.FULL_MODEL:
        console.print(f"without labels: added errors {RELATIVE_ONLY}", markup=False)
    console.print("it holds for parts that resemble these frames, and where nothing else was chosen on the calib split")
    for text in certified.unreadable:
        console.print(f"left out: {text}", markup=False)
