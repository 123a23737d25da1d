"""How fast a station is with a bundle, and what that costs in quality: four variants through one engine.

    full_fp32, full_int8   every part by the full model alone, in that precision
    dynamic                the bundle as it comes: its bands, its default precisions
    compute_limit          only the inference calls that `dynamic` makes for the same parts: no station can be faster

    pictures in memory ─▶ [ warm-up: verdicts, passes a round ] ─▶ round 1 … n: every variant once, order rotated ─▶ report

A variant is the line as `station.make_line` makes it, on the real store with its outbox: from a decoded picture to a
verdict on disk. All run with the same threads, on the same pictures, in turns, so that they meet the same weather; the
ratios are medians of the rounds' own ratios for the same reason.
"""

import itertools
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from inspector.adapters.openvino_runtime import OpenVinoClassifier
from inspector.adapters.openvino_runtime.manifest import Manifest, Stage, read_manifest
from inspector.adapters.store import SqlStore, open_store
from inspector.adapters.system_clock import SystemClock
from inspector.domain.errors import InspectorError, ModelError
from inspector.domain.frame import Frame, Image
from inspector.domain.inspection import InspectedPart
from inspector.domain.model import ModelInfo
from inspector.settings import LoadedSettings, settings_from
from inspector.station import inference_threads, load_classifier, make_line, workers
from inspector.workshop.dataset import Split
from inspector.workshop.preloaded import Picture, PreloadedSource, preload

FULL_FP32, FULL_INT8, DYNAMIC, LIMIT = VARIANTS = ("full_fp32", "full_int8", "dynamic", "compute_limit")
_PRECISION = {FULL_FP32: "FP32", FULL_INT8: "INT8"}
ROUND_S = 1.2
"""A second at least, with some room for a machine that is faster later on."""
_MOST_PASSES = 100_000

Progress = Callable[[float, str], None]
"""Told how much is done, 0 to 1, and what is being done."""


@dataclass(frozen=True, slots=True)
class Run:
    """One variant over all pictures, once or several times. `latencies_ms` of the parts that were judged."""

    parts_per_s: float
    seconds: float
    parts: Sequence[InspectedPart] = ()
    latencies_ms: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was measured. `runs` by variant, one a round; variants that the bundle cannot run are absent.

    `full` and `dynamic` hold each picture once, in the same order: what the full model alone (in the bundle's default
    precision) and the cascade made of it.
    """

    info: ModelInfo
    pictures: int
    left_out: int
    runs: Mapping[str, Sequence[Run]]
    full: Sequence[InspectedPart]
    dynamic: Sequence[InspectedPart]
    threads: int
    workers: int
    disk: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Variant:
    name: str
    settings: LoadedSettings
    classifier: OpenVinoClassifier


def measure(
    bundle: Path,
    dataset: Path,
    *,
    split: Split = Split.TEST,
    rounds: int = 7,
    threads: int | None = None,
    parallel: int | None = None,
    progress: Progress = lambda done, doing: None,
) -> Measured:
    """Measure `bundle` on `dataset`. `threads` are the models' CPU threads and `parallel` the station's workers, None for
    a station's own choice. A round of a variant lasts ROUND_S, or one pass over the pictures where that takes longer.

    Raises InspectorError.
    """
    if not bundle.is_dir():
        raise ModelError(f"model bundle {bundle} is missing; give the folder of a bundle, such as models/lgp")
    manifest, _ = read_manifest(bundle)
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="inspector-bench-", dir=_disk_folder())))
        variants, full, notes = _loaded(closing, bundle, manifest, folder, threads, parallel, progress)
        dynamic = variants[DYNAMIC]
        loaded = preload(
            dataset, split, dynamic.classifier.info, progress=lambda done: progress(0.1 * done, "decoding pictures")
        )
        if loaded.left_out:
            notes.append(f"{loaded.left_out} pictures of the split were left out: they do not fit into 1 GiB")
        pictures = loaded.pictures
        store = closing.enter_context(_opened(dynamic.settings))

        def run(name: str, passes: int) -> Run:
            if name == LIMIT:
                return limit_run(dynamic.classifier, plan, passes, workers(dynamic.settings))
            return line_run(variants[name], pictures, passes, store)

        progress(0.1, "warming up")
        first = {name: line_run(variant, pictures, 1, store) for name, variant in variants.items()}
        alone = next((first[name] for name, same in variants.items() if same is full), None)
        alone = alone or line_run(full, pictures, 1, store)
        plan = _plan(dynamic.classifier.info, pictures, first[DYNAMIC].parts)
        passes: dict[str, int] = {}
        names = [name for name in VARIANTS if name in variants or name == LIMIT]
        for name in names:
            passes[name] = _passes_for(partial(run, name), ROUND_S)
        runs: dict[str, list[Run]] = {name: [] for name in names}
        for number in range(rounds):
            for name in in_turn(names, number):
                progress(
                    0.2 + 0.8 * sum(map(len, runs.values())) / (rounds * len(names)), f"round {number + 1}: {name}"
                )
                done = run(name, passes[name])
                _check_same(name, first.get(name), done, passes[name])
                runs[name].append(replace(done, parts=()))  # only its times are of further use
        progress(1.0, "done")
        return Measured(
            info=dynamic.classifier.info,
            pictures=len(pictures),
            left_out=loaded.left_out,
            runs=runs,
            full=_by_picture(alone.parts),
            dynamic=_by_picture(first[DYNAMIC].parts),
            threads=inference_threads(dynamic.settings),
            workers=workers(dynamic.settings),
            disk=_file_system(folder),
            notes=tuple(notes),
        )


def in_turn(names: Sequence[str], number: int) -> list[str]:
    """The order of round `number`: everyone goes first equally often."""
    start = number % len(names)
    return [*names[start:], *names[:start]]


def line_run(variant: _Variant, pictures: tuple[Picture, ...], passes: int, store: SqlStore) -> Run:
    """All pictures `passes` times through the line: from the first taken to the last on disk and released."""
    parts: list[InspectedPart] = []
    released_s = 0.0

    def released(part: InspectedPart, frame: Frame | None) -> None:
        nonlocal released_s
        parts.append(part)
        released_s = time.perf_counter()

    clock = SystemClock()
    source = PreloadedSource(pictures, passes, clock)
    line = make_line(variant.settings, source, variant.classifier, store, clock=clock, sinks=[released])
    try:
        line.start()
        while not line.join(1.0):
            pass
    finally:
        line.close()
    seconds = released_s - source.started_s
    latencies_ms = [part.latency_ms for part in parts if part.verdict is not None]
    return Run(len(parts) / seconds, seconds, parts, latencies_ms)


Plan = Sequence[tuple[Image, Sequence[int]]]
"""Pictures, each with the stages (by index) that `dynamic` computes for it."""


def limit_run(classifier: OpenVinoClassifier, plan: Plan, passes: int, parallel: int) -> Run:
    """The inference calls of `plan`, `passes` times over, in `parallel` threads with a session each; nothing else."""
    calls = itertools.chain.from_iterable(itertools.repeat(plan, passes))
    taking = threading.Lock()
    start = threading.Barrier(parallel + 1)
    failures: list[Exception] = []

    def compute() -> None:
        session = classifier.session()
        try:
            start.wait()
            while True:
                with taking:  # threads share the parts, as workers do
                    image, stages = next(calls, (None, ()))
                if image is None:
                    return
                session.begin(image)
                for stage in stages:
                    session.run(stage)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=compute, name=f"limit-{n + 1}", daemon=True) for n in range(parallel)]
    for thread in threads:
        thread.start()
    start.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    if failures:
        raise failures[0]
    return Run(len(plan) * passes / seconds, seconds)


def _loaded(
    closing: ExitStack,
    bundle: Path,
    manifest: Manifest,
    folder: Path,
    threads: int | None,
    parallel: int | None,
    progress: Progress,
) -> tuple[dict[str, _Variant], _Variant, list[str]]:
    """The variants that the bundle can run, the full model alone as the bundle comes, and why others are missing."""
    notes: list[str] = []
    kept: dict[tuple[str, ...], OpenVinoClassifier] = {}

    def variant(name: str, precision: str | None) -> _Variant:
        progress(0.0, f"loading {name}")
        # A stage that the full model does not feed on may lack the precision: it is not computed.
        chosen = {
            stage.name: precision if precision in stage.artefacts else stage.default_precision
            for stage in manifest.stages
        }
        recipe = {
            "product": "bench",
            "bundle": "bench",
            "full_model_only": name != DYNAMIC,
            "stages": {stage: {"precision": str(chosen[stage])} for stage in chosen},
            "picture": {"frozen_after": 0},  # a small split repeats its pictures
        }
        settings = settings_from(_station(folder, threads, parallel), recipe, recipe_id="bench", folder=folder)
        key = tuple(str(chosen[stage.name]) for stage in manifest.stages)
        if key not in kept:
            kept[key] = load_classifier(settings, bundle)
            closing.callback(kept[key].close)
        return _Variant(name, settings, kept[key])

    variants: dict[str, _Variant] = {}
    chain = _full_model(manifest)
    for name, precision in _PRECISION.items():
        if lacking := [stage.name for stage in chain if precision not in stage.artefacts]:
            notes.append(f"{name} is not there: stage {lacking[0]} of the bundle does not come in {precision}")
        else:
            variants[name] = variant(name, precision)
    variants[DYNAMIC] = variant(DYNAMIC, None)
    as_it_comes = {stage.default_precision for stage in chain}
    same = next((v for n, v in variants.items() if {_PRECISION.get(n)} == as_it_comes), None)
    return variants, same or variant("full", None), notes


def _full_model(manifest: Manifest) -> list[Stage]:
    """The stages that the last one cannot do without, itself included: all of a network that was cut into stages."""
    by_name = {stage.name: stage for stage in manifest.stages}
    chain = [manifest.stages[-1]]
    while (giver := by_name.get(chain[0].input)) is not None:
        chain.insert(0, giver)
    return chain


def _station(folder: Path, threads: int | None, parallel: int | None) -> Mapping[str, Any]:
    return {
        "station": {
            "id": "bench",
            "path": ["inspector", "bench"],
            "recipe": "bench",
            "state_dir": str(folder),
            "workers": parallel or 0,
        },
        "source": {"kind": "simulated"},  # never opened: pictures come out of memory
        "model": {"inference_threads": threads or 0},
        "mqtt": {"enabled": True},  # messages are written; nobody takes them
        "feed": {"endpoint": "tcp://127.0.0.1:5555", "command_endpoint": "tcp://127.0.0.1:5556"},  # never opened
    }


@contextmanager
def _opened(settings: LoadedSettings) -> Iterator[SqlStore]:
    station = settings.station
    store = open_store(station.store.url.get_secret_value(), station_id=station.station.id)
    try:
        yield store
    finally:
        store.close()


def _plan(info: ModelInfo, pictures: Sequence[Picture], parts: Sequence[InspectedPart]) -> Plan:
    verdict_of = {part.origin: part.verdict for part in parts}
    plan = []
    for picture in pictures:
        verdict = verdict_of[picture.path]
        if verdict is not None:  # the picture check held the others
            plan.append((picture.image, tuple(info.exits.index(score.exit) for score in verdict.exits)))
    if not plan:
        raise InspectorError("no picture of the split passes the picture check; look at them with `inspector run`")
    return plan


def _passes_for(run: Callable[[int], Run], round_s: float) -> int:
    """How often the pictures must be repeated for a round of `round_s`, measured: a first pass is slow."""
    passes = 1
    while (seconds := run(passes).seconds) < round_s and passes < _MOST_PASSES:
        passes = min(_MOST_PASSES, passes + max(1, int(passes * min(10.0, 1.05 * round_s / seconds - 1.0))))
    return passes


def _check_same(name: str, first: Run | None, run: Run, passes: int) -> None:
    """A round in which the store failed, or a model answered otherwise, says nothing of speed."""
    if first is None:
        return
    expected, found = _outcomes(first.parts), _outcomes(run.parts)
    if found != {what: count * passes for what, count in expected.items()}:
        raise InspectorError(
            f"{name} did not judge the same pictures as before ({expected} a pass, now {found} in {passes}); "
            "check disk and device with `inspector doctor`, then repeat"
        )


def _outcomes(parts: Sequence[InspectedPart]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for part in parts:
        what = str(part.disposition.hold_reason or part.disposition.action)
        counts[what] = counts.get(what, 0) + 1
    return counts


def _by_picture(parts: Sequence[InspectedPart]) -> list[InspectedPart]:
    """Workers finish in any order."""
    return sorted(parts, key=lambda part: part.origin)


def _disk_folder() -> str | None:
    """Where the database lies: on a disk, as a station's does. Many systems keep /tmp in memory."""
    usual = tempfile.gettempdir()
    return "/var/tmp" if _file_system(Path(usual)) == "tmpfs" and os.access("/var/tmp", os.W_OK) else usual  # noqa: S108


def _file_system(folder: Path) -> str:
    """Its type, for example ext4; empty where the system does not tell."""
    path = str(folder.resolve())
    mounts = [
        (len(found.mountpoint), found.fstype)
        for found in psutil.disk_partitions(all=True)
        if path == found.mountpoint or path.startswith(found.mountpoint.rstrip("/") + "/")
    ]
    return max(mounts)[1] if mounts else ""
