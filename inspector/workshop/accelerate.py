"""`inspector accelerate`: any classifier, computed only as far as each part needs it.

    model + frames ─▶ INT8 of the full model, where it answers as before
                   ─▶ one pass over the train frames: its answers, features at every cut
                   ─▶ candidates: heads at the cuts, the same network at lower resolutions
                   ─▶ search: the chain with the least expected milliseconds within the bounds
                   ─▶ bundle ─▶ certify on the calib frames

The customer's weights are not touched: stages are segments of the same graph, with a head of a few operations beside it.
Of the train frames, three in five fit the heads, the others choose among them; calib and test frames are not looked at.
"""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from rich.console import Console

from inspector import __version__
from inspector.domain.certificate import Risk
from inspector.domain.errors import ConfigError, SourceError
from inspector.domain.exits import CLOSED, ExitBand
from inspector.domain.frame import ColorSpace
from inspector.domain.model import InputSpec
from inspector.workshop.bands import answers as answers_of
from inspector.workshop.bundle import Artefact, BundleDraft, GoldenPicture, StageDraft, write_bundle
from inspector.workshop.certify import Certified, NotCertifiedError, Wanted, certify, print_certified
from inspector.workshop.customer_model import ChannelOrder, CustomerModel, ModelOptions, read_customer_model
from inspector.workshop.cut import CutPoint, chosen_cuts, cut_points, prefix_at, suffix_at
from inspector.workshop.dataset import Dataset, Sample, Split, read_picture
from inspector.workshop.frames import Progress, hashed_dataset, part_of
from inspector.workshop.heads import Head, Pooling, fit_head, with_head
from inspector.workshop.observe import Observed, frame_of, observe
from inspector.workshop.provenance import package_versions
from inspector.workshop.quantize import quantized
from inspector.workshop.reshaped import reshaped
from inspector.workshop.scoring import compiled, median_ms, scores_of
from inspector.workshop.search import Candidate, Choice, Tuning, choices, pareto

FP32, INT8 = "FP32", "INT8"
FULL_BAND = ExitBand(0.5, 0.5)
"""The customer's model is taken at its word: the likelier side wins."""
_MOST_CUTS = 8
_FRONT_SHARES = (0.7, 0.5, 0.35)
"""Of the network's height and width, for the same network as a front."""
_DECAYS = (1e-4, 1e-3, 1e-2)
_KEEPS_INT8 = 0.995
"""Share of tuning frames on which INT8 must give the FP32 model's answer to be the bundle's default."""
_FIT_SHARE = 0.6
_RANGES = 300
_GOLDEN = 5


@dataclass(frozen=True, slots=True)
class Accelerated:
    """What was made. `certified` is None where the frames do not prove the bounds: `refusal` says what is missing."""

    bundle: Path
    choice: Choice
    considered: tuple[Choice, ...]
    full_ms: float
    precision: str
    certified: Certified | None
    refusal: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Stage:
    """A candidate with the models that it is made of, by precision."""

    candidate: Candidate
    models: dict[str, ov.Model]
    cut: CutPoint | None = None


def accelerate(
    model_file: Path,
    root: Path,
    out: Path,
    wanted: Wanted,
    *,
    classes: Sequence[str] | None = None,
    options: ModelOptions | None = None,
    unlabelled: bool = False,
    threads: int = 1,
    seed: int = 7,
    progress: Progress = lambda done, doing: None,
) -> Accelerated:
    """Make a bundle at `out` of the classifier `model_file` (IR or ONNX) and the data set `root`, and certify it.

    `classes` names the model's outputs where it does not do so itself. `threads` is what times are measured with. What
    was computed is kept beside `out` until the bundle stands, so that an interrupted run goes on where it was. Raises
    InspectorError for a model or data set that cannot be used.
    """
    options = options or ModelOptions()
    hashed = hashed_dataset(
        root,
        ok_class=options.ok_class or "ok",
        seed=seed,
        progress=part_of(progress, 0.0, 0.05),
        unlabelled=unlabelled,
    )
    dataset = hashed.dataset
    train = dataset.of(Split.TRAIN)
    if len(train) < 20:
        raise ConfigError(f"data set {root}: {len(train)} train frames are too few to choose exits on; give 20 or more")
    spec = _spec_of(root, train)
    given = classes or (None if unlabelled else _sorted_classes(dataset))
    customer = read_customer_model(model_file, spec, given, options)
    notes = list(customer.notes)
    cache = out.with_name(f".{out.name}.accelerate")

    ranges = _frames(root, _drawn(train, _RANGES, seed), spec)
    models = {FP32: customer.model}
    if customer.is_quantized:
        notes.append("the model is quantized already and is taken as it is")
    else:
        models[INT8] = quantized(customer.model, ranges, seed=seed)
    progress(0.2, "quantized the full model")

    precision = INT8 if INT8 in models else FP32
    if precision == INT8:
        share = _agreement(models, ranges, customer)
        if share < _KEEPS_INT8:
            precision = FP32
            notes.append(
                f"INT8 answers otherwise on {1 - share:.1%} of {len(ranges)} frames, so FP32 stays the default"
            )

    full = models[precision]
    cuts = chosen_cuts(full, cut_points(full), _MOST_CUTS)
    key = f"{customer.sha256}/{hashed.fingerprint}/{precision}/{options}"
    observed = observe(
        full, cuts, root, train, spec, key=key, cache=cache, threads=threads, progress=part_of(progress, 0.2, 0.6)
    )
    fit, tune = _halves(observed.samples, seed)
    cut_stages = _cut_stages(models, precision, cuts, observed, fit, tune)
    progress(0.65, "fitted heads at the cuts")
    if not unlabelled:
        _check_labels(dataset, customer, observed)
    tuning_frames = [observed.samples[i] for i in np.flatnonzero(tune)]
    fronts = _front_stages(customer, ranges, precision, root, tuning_frames, spec, seed, part_of(progress, 0.65, 0.8))
    timed, full_ms = _timed(fronts, cut_stages, models, precision, ranges, threads)
    progress(0.85, "measured every stage")

    ok = customer.classes.index(customer.ok_class)
    bounds = dict(zip(Risk, wanted.bounds(tuple(Risk)), strict=True))
    tuning = Tuning(observed.answers[tune], FULL_BAND, full_ms, ok, bounds)
    by_name = {stage.candidate.name: stage for stage in timed}
    found = choices(
        [stage.candidate for stage in timed if stage.cut is None],
        [stage.candidate for stage in timed if stage.cut is not None],
        tuning,
    )
    choice = found[0]
    draft = _draft(
        _bundle_name(model_file), customer, models, precision, choice, by_name, _golden(root, observed, spec), notes
    )
    write_bundle(draft, out)
    certified, refusal = None, ""
    if choice.names:
        try:
            certified = certify(
                out,
                root,
                wanted,
                unlabelled=unlabelled,
                ok_class=customer.ok_class,
                seed=seed,
                progress=part_of(progress, 0.87, 1.0),
            )
        except NotCertifiedError as error:
            refusal = str(error)
    else:
        refusal = "no early exit saves time within these bounds: the bundle holds the full model alone"
    _clear(cache)
    progress(1.0, "done")
    return Accelerated(out, choice, tuple(found), full_ms, precision, certified, refusal, tuple(notes))


def options_from(
    *, mean: str | None, scale: str | None, channels: str | None, size: str | None, ok_class: str | None
) -> ModelOptions:
    """What the command line says of a model. Raises ConfigError for what is no number."""
    try:
        height, width = (int(n) for n in size.lower().split("x")) if size else (0, 0)
        return ModelOptions(
            mean=_levels(mean),
            scale=_levels(scale),
            channels=ChannelOrder(channels) if channels else None,
            size=(height, width) if size else None,
            ok_class=ok_class,
        )
    except ValueError as error:
        raise ConfigError(
            f"--mean, --scale or --size: {error}; write them as 127.5, as 123.7,116.3,103.5, and as 224x224"
        ) from None


def _levels(text: str | None) -> tuple[float, ...] | None:
    return tuple(float(part) for part in text.split(",")) if text else None


def _bundle_name(model_file: Path) -> str:
    name = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in model_file.stem)[:60]
    return name if name[:1].isalnum() else f"model{name}"


def _spec_of(root: Path, samples: Sequence[Sample]) -> InputSpec:
    """The size and colour of the first readable picture: what the station's camera delivers."""
    for sample in samples:
        try:
            image = read_picture(root / sample.path, ColorSpace.BGR)
        except SourceError:
            continue
        grey = bool((image[:, :, 0] == image[:, :, 1]).all() and (image[:, :, 1] == image[:, :, 2]).all())
        return InputSpec(image.shape[0], image.shape[1], ColorSpace.GREY if grey else ColorSpace.BGR)
    raise SourceError(f"data set {root}: none of its {len(samples)} train pictures can be read; copy them again")


def _sorted_classes(dataset: Dataset) -> tuple[str, ...]:
    """Folder names in alphabetical order, as most training tools number them."""
    return tuple(sorted(dataset.classes))


def _drawn(samples: Sequence[Sample], most: int, seed: int) -> list[Sample]:
    chosen = np.sort(np.random.default_rng(seed).permutation(len(samples))[:most])
    return [samples[i] for i in chosen]


def _frames(root: Path, samples: Sequence[Sample], spec: InputSpec) -> NDArray[np.uint8]:
    """Those of `samples` that can be read, u8 (n, height, width, channels)."""
    images = []
    for sample in samples:
        try:
            images.append(frame_of(root / sample.path, spec))
        except SourceError:
            continue  # counted and told when all frames are read
    if not images:
        raise SourceError(
            f"data set {root}: none of {len(samples)} pictures can be read at {spec.width}x{spec.height} px"
        )
    return np.stack(images)


def _agreement(models: dict[str, ov.Model], images: NDArray[np.uint8], customer: CustomerModel) -> float:
    ok = customer.classes.index(customer.ok_class)
    said = [answers_of(scores_of(compiled(models[p]), images), ok, FULL_BAND) for p in (FP32, INT8)]
    return float(np.mean(said[0] == said[1]))


def _halves(samples: Sequence[Sample], seed: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which samples fit heads and which choose among them; a group stands on one side."""
    groups = sorted({sample.group for sample in samples})
    drawn = np.random.default_rng(seed).permutation(len(groups))
    fitting = {groups[i] for i in drawn[: max(1, round(_FIT_SHARE * len(groups)))]}
    fit = np.array([sample.group in fitting for sample in samples])
    return fit, ~fit


def _check_labels(dataset: Dataset, customer: CustomerModel, observed: Observed) -> None:
    """Refuse a model whose outputs seem to stand in another order than its classes: it would pass what it should reject.

    Raises ConfigError when taking OK for NG explains the labels better.
    """
    ok = customer.classes.index(customer.ok_class)
    is_ok = np.array([sample.label == customer.ok_class for sample in observed.samples])
    if is_ok.all() or not is_ok.any():
        return
    says_ok = observed.answers[:, ok] > 0.5
    right = float(np.mean([np.mean(says_ok[is_ok]), np.mean(~says_ok[~is_ok])]))
    if right < 0.5:
        raise ConfigError(
            f"the model is right about OK and NG on only {right:.0%} of the train frames of {dataset.root} (classes "
            f"weighed alike); its outputs were taken to be {', '.join(customer.classes)}: give their true order in --classes"
        )


def _cut_stages(
    models: dict[str, ov.Model],
    precision: str,
    cuts: Sequence[CutPoint],
    observed: Observed,
    fit: NDArray[np.bool_],
    tune: NDArray[np.bool_],
) -> list[_Stage]:
    stages = []
    for number, cut in enumerate(cuts, 1):
        pooled = observed.pooled[cut.name]
        head = _best_head(pooled, observed.answers, fit, tune)
        prefixes = {precision: with_head(prefix_at(models[precision], cut.name), head, gives_features=True)}
        stages.append(_Stage(Candidate(f"exit_{number}", head.scores(pooled[tune]), 0.0, 0.0), prefixes, cut))
    return stages


def _best_head(
    pooled: NDArray[np.float32], answers: NDArray[np.float32], fit: NDArray[np.bool_], tune: NDArray[np.bool_]
) -> Head:
    """The pooling and decay whose head comes closest to the full model on the tuning frames."""
    heads = [
        fit_head(pooled[fit], answers[fit], pooling, decay=decay)
        for pooling in (Pooling.MEAN, Pooling.MEAN_MAX_DEVIATION)
        for decay in _DECAYS
    ]

    def distance(head: Head) -> float:
        scores = np.clip(head.scores(pooled[tune]), 1e-9, 1.0)
        return float(-(answers[tune] * np.log(scores)).sum(axis=1).mean())

    return min(heads, key=distance)


def _front_stages(
    customer: CustomerModel,
    ranges: NDArray[np.uint8],
    precision: str,
    root: Path,
    tuning: Sequence[Sample],
    spec: InputSpec,
    seed: int,
    progress: Progress,
) -> list[_Stage]:
    """The customer's network at lower resolutions, where it allows them."""
    stages = []
    images = _frames(root, tuning, spec)
    for number, share in enumerate(_FRONT_SHARES, 1):
        size = tuple(max(32, 8 * round(share * n / 8)) for n in customer.preparation.size)
        model = reshaped(customer, (size[0], size[1]))
        progress(number / len(_FRONT_SHARES), f"trying the network at {size[0]}x{size[1]}")
        if model is None or size == customer.preparation.size:
            continue
        models = {FP32: model} if customer.is_quantized else {FP32: model, INT8: quantized(model, ranges, seed=seed)}
        scores = scores_of(compiled(models.get(precision, model)), images)
        stages.append(_Stage(Candidate(f"front_{size[0]}x{size[1]}", scores, 0.0), models))
    return stages


def _timed(
    fronts: Sequence[_Stage],
    cuts: Sequence[_Stage],
    models: dict[str, ov.Model],
    precision: str,
    images: NDArray[np.uint8],
    threads: int,
) -> tuple[list[_Stage], float]:
    """All stages with their measured times, and the full model's. Rounds are interleaved."""
    runs = {stage.candidate.name: compiled(stage.models[precision], threads=threads) for stage in (*fronts, *cuts)}
    runs["full"] = compiled(models[precision], threads=threads)
    ms = median_ms(runs, images, rounds=40, warm_up=5)
    timed = []
    for stage in (*fronts, *cuts):
        one = stage.candidate
        # Behind a cut the rest of the network remains; a segment can cost more than its share, never less than nothing.
        rest = None if stage.cut is None else max(0.05 * ms["full"], ms["full"] * (1.0 - stage.cut.spent))
        timed.append(replace(stage, candidate=replace(one, ms=ms[one.name], rest_ms=rest)))
    return timed, ms["full"]


def _draft(
    name: str,
    customer: CustomerModel,
    models: dict[str, ov.Model],
    precision: str,
    choice: Choice,
    by_name: dict[str, _Stage],
    golden: Sequence[GoldenPicture],
    notes: Sequence[str],
) -> BundleDraft:
    front = by_name[choice.front] if choice.front else None
    cut = by_name[choice.cut] if choice.cut else None
    bands = dict(zip(choice.names, choice.policy, strict=True))
    stages = []
    if front is not None:
        artefacts = {
            p: Artefact(m, bands[front.candidate.name] if p == precision else CLOSED) for p, m in front.models.items()
        }
        stages.append(StageDraft(front.candidate.name, artefacts, precision))
    if cut is not None and cut.cut is not None:
        prefix = {precision: Artefact(cut.models[precision], bands[cut.candidate.name])}
        stages.append(StageDraft(cut.candidate.name, prefix, precision))
        suffix = {precision: Artefact(suffix_at(models[precision], cut.cut.name), FULL_BAND)}
        stages.append(StageDraft("full", suffix, precision, input=cut.candidate.name))
    else:
        stages.append(StageDraft("full", {p: Artefact(m, FULL_BAND) for p, m in models.items()}, precision))
    return BundleDraft(
        name=name,
        version="1.0.0",
        input=customer.spec,
        classes=customer.classes,
        ok_class=customer.ok_class,
        stages=stages,
        golden=golden,
        card=_card(name, customer, choice, notes),
        provenance={
            "model_sha256": customer.sha256,
            "made_by": f"inspector accelerate {__version__}",
            "packages": package_versions(),
        },
    )


def _golden(root: Path, observed: Observed, spec: InputSpec) -> list[GoldenPicture]:
    """A few train frames, evenly from all: what the bundle must answer the same wherever it is loaded."""
    pictures: dict[str, GoldenPicture] = {}
    for sample in observed.samples[:: max(1, len(observed.samples) // _GOLDEN)][:_GOLDEN]:
        name = f"{len(pictures)}_{hashlib.sha256(sample.path.encode()).hexdigest()[:8]}"
        pictures[name] = GoldenPicture(name, frame_of(root / sample.path, spec), sample.label)
    return list(pictures.values())


def _card(name: str, customer: CustomerModel, choice: Choice, notes: Sequence[str]) -> str:
    chain = " ─▶ ".join([*choice.names, "full"])
    said = "".join(f"- {note}\n" for note in notes) or "- nothing was assumed\n"
    return (
        f"# {name}\n\nMade by `inspector accelerate` from a model with SHA-256 {customer.sha256}. Its weights are "
        f"unchanged; only how much of it is computed depends on the part.\n\n## Stages\n\n{chain}\n\n"
        f"Classes: {', '.join(customer.classes)}; `{customer.ok_class}` is the good one. A part passes when the full "
        f"model's probability of it is above one half.\n\n## What was assumed\n\n{said}"
    )


def _clear(cache: Path) -> None:
    if cache.is_dir():
        shutil.rmtree(cache, ignore_errors=True)


def report_of(made: Accelerated) -> dict[str, Any]:
    """Plain JSON values: the chosen chain, every other that was weighed (fastest first), and what more stages buy."""
    return {
        "bundle": str(made.bundle),
        "precision": made.precision,
        "full_ms": round(made.full_ms, 4),
        "chosen": _plain(made.choice, made.full_ms),
        "considered": [_plain(choice, made.full_ms) for choice in made.considered],
        "pareto": [_plain(choice, made.full_ms) for choice in pareto(made.considered)],
        "certified": made.certified is not None,
        "refusal": made.refusal or None,
        "notes": list(made.notes),
    }


def _plain(choice: Choice, full_ms: float) -> dict[str, Any]:
    return {
        "stages": [*choice.names, "full"],
        "shares": [round(share, 4) for share in choice.shares],
        "expected_ms": round(choice.expected_ms, 4),
        "expected_speedup": round(full_ms / choice.expected_ms, 3),
    }


def print_accelerated(made: Accelerated) -> None:
    """For people: the chain, what it is expected to save, and what is proven of it."""
    console = Console(highlight=False)
    chain = " ─▶ ".join([*made.choice.names, "full"])
    shares = ", ".join(
        f"{name} {share:.1%}" for name, share in zip([*made.choice.names, "full"], made.choice.shares, strict=True)
    )
    speedup = made.full_ms / made.choice.expected_ms
    console.print(f"[bold]{made.bundle}[/bold]: {chain} ({made.precision})")
    console.print(f"  decided by: {shares} (on tuning frames)")
    console.print(
        f"  expected {made.choice.expected_ms:.2f} ms a part, the full model alone {made.full_ms:.2f} ms: {speedup:.2f}x; "
        "`inspector bench` measures it"
    )
    for note in made.notes:
        console.print(f"  note: {note}")
    if made.certified is not None:
        print_certified(made.certified)
    else:
        console.print(f"  [bold]not certified:[/bold] {made.refusal}")
