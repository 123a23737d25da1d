"""Bench: all variants through one engine, in turns, each computing what its name says. No time is asserted anywhere."""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest

from inspector.adapters.openvino_runtime import OpenVinoSession, read_info
from inspector.adapters.store import SqlStore
from inspector.adapters.system_clock import SystemClock
from inspector.cli import main
from inspector.domain.errors import InspectorError
from inspector.domain.frame import Frame
from inspector.domain.truth import Label
from inspector.ports import StageOutput, Unit
from inspector.workshop import bench
from inspector.workshop.bench import VARIANTS, Measured, in_turn, measure
from inspector.workshop.bench_page import BEGIN, page_with
from inspector.workshop.bench_report import print_report, report_of, sentences
from inspector.workshop.dataset import Split, read_dataset
from inspector.workshop.drawn_dataset import draw_dataset
from inspector.workshop.preloaded import PreloadedSource, preload
from tests.support.bundles import picture, write_tiny_bundle

STAGES = ("front", "full")
# The front passes parts up to p_defect 0.7, so that 122 escapes it although the full model rejects it.
BANDS = {"front": (0.7, 0.99)}
LEVELS = {
    "ok": (220, 200, 70, 215),  # 70: overkill, by the front
    "scratch": (60, 105, 122, 210),  # 105 goes on to the full model; 122 is the added escape, 210 an escape of both
}


@pytest.fixture(autouse=True)
def short_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "ROUND_S", 0.001)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return written(tmp_path / "data")


def written(folder: Path, split: str = "test", shape: tuple[int, int] = (24, 32)) -> Path:
    rows = ["path,label,split,group"]
    for label, levels in LEVELS.items():
        (folder / label).mkdir(parents=True)
        for level in levels:
            path = f"{label}/{level}.png"
            cv2.imwrite(str(folder / path), picture(level, height=shape[0], width=shape[1], seed=level))
            rows.append(f"{path},{label},{split},{path}")
    (folder / "split.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_tiny_bundle(tmp_path / "bundle", stages=STAGES, bands=BANDS)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """(stage, precision) of every inference call, in order."""
    made: list[tuple[str, str]] = []
    run = OpenVinoSession.run

    def counting(self: OpenVinoSession, stage: int) -> StageOutput:
        info = self._info.stages[stage]
        made.append((info.name, info.precision))
        return run(self, stage)

    monkeypatch.setattr(OpenVinoSession, "run", counting)
    return made


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch, calls: list[tuple[str, str]]) -> list[tuple[str, int, Counter[Any]]]:
    """(variant, passes, calls) of every run, in order."""
    runs: list[tuple[str, int, Counter[Any]]] = []

    def noted(name: Callable[..., str], run: Callable[..., Any]) -> Callable[..., Any]:
        def running(*args: Any) -> Any:
            before = len(calls)
            result = run(*args)
            runs.append((name(args[0]), args[2], Counter(calls[before:])))
            return result

        return running

    monkeypatch.setattr(bench, "line_run", noted(lambda variant: variant.name, bench.line_run))
    monkeypatch.setattr(bench, "limit_run", noted(lambda classifier: "compute_limit", bench.limit_run))
    return runs


# --- What is computed ------------------------------------------------------------------------------------------------


def test_each_variant_computes_what_its_name_says(
    bundle: Path, dataset: Path, done: list[tuple[str, int, Counter[Any]]]
) -> None:
    measure(bundle, dataset, rounds=2)
    wanted = {
        "full_fp32": {("full", "FP32"): 8},
        "full_int8": {("full", "INT8"): 8},
        "dynamic": {("front", "FP32"): 8, ("full", "FP32"): 1},
        "compute_limit": {("front", "FP32"): 8, ("full", "FP32"): 1},
    }
    assert {name for name, _, _ in done} == set(VARIANTS)
    for name, passes, made in done:
        assert made == {call: n * passes for call, n in wanted[name].items()}, name


def test_a_network_cut_into_stages_is_computed_whole_by_the_full_model(
    tmp_path: Path, dataset: Path, done: list[tuple[str, int, Counter[Any]]]
) -> None:
    cut = write_tiny_bundle(tmp_path / "cut", stages=("front", "middle"), precisions=("INT8",))
    found = measure(cut, dataset, rounds=1)
    assert "full_fp32" not in found.runs
    full = [made for name, passes, made in done if (name, passes) == ("full_int8", 1)]
    assert full[0] == {("front", "INT8"): 8, ("middle", "INT8"): 8}


def test_rounds_are_interleaved_and_everyone_goes_first(
    bundle: Path, dataset: Path, done: list[tuple[str, int, Counter[Any]]]
) -> None:
    found = measure(bundle, dataset, rounds=4)
    order = [name for name, _, _ in done][-16:]
    rounds = [order[n : n + 4] for n in range(0, 16, 4)]
    assert rounds == [in_turn(VARIANTS, n) for n in range(4)]
    assert [names[0] for names in rounds] == list(VARIANTS)
    assert {name: len(runs) for name, runs in found.runs.items()} == dict.fromkeys(VARIANTS, 4)


def test_every_part_is_written_with_its_message(
    bundle: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch, done: list[tuple[str, int, Counter[Any]]]
) -> None:
    written: Counter[str] = Counter()
    commit = SqlStore.commit

    def counting(self: SqlStore, unit: Unit) -> None:
        written.update(parts=len(unit.parts), messages=len(unit.messages))
        commit(self, unit)

    monkeypatch.setattr(SqlStore, "commit", counting)
    measure(bundle, dataset, rounds=1, parallel=2)
    parts = sum(8 * passes for name, passes, _ in done if name != "compute_limit")
    assert written == {"parts": parts, "messages": parts}


def test_a_round_that_judged_otherwise_is_refused(bundle: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = OpenVinoSession.run
    seen = [0]

    def failing(self: OpenVinoSession, stage: int) -> StageOutput:
        seen[0] += 1
        if seen[0] > 60:
            raise RuntimeError("device lost")
        return run(self, stage)

    monkeypatch.setattr(OpenVinoSession, "run", failing)
    with pytest.raises((InspectorError, RuntimeError), match=r"did not judge the same pictures|device lost"):
        measure(bundle, dataset, rounds=50)


# --- The report ------------------------------------------------------------------------------------------------------


@pytest.fixture
def found(bundle: Path, dataset: Path) -> Measured:
    return measure(bundle, dataset, rounds=3, threads=1, parallel=1)


def test_the_report_keeps_the_contract(found: Measured, bundle: Path, dataset: Path) -> None:
    report = json.loads(json.dumps(report_of(found, bundle, dataset), allow_nan=False))
    assert (report["bundle"], report["dataset"], report["parts"]) == (str(bundle), str(dataset), 8)
    full, dynamic = report["policies"]["full"], report["policies"]["dynamic"]
    assert full == {
        "escape": {"count": 1, "of": 4},
        "overkill": {"count": 1, "of": 4},
        "accuracy": 0.75,
        "auroc": 11.5 / 16,  # 210 and three good parts have the same score, 0
    }
    assert dynamic["escape"] == {"count": 2, "of": 4}
    assert dynamic["overkill"] == {"count": 1, "of": 4}
    assert dynamic["accuracy"] == 0.625
    assert dynamic["exits"] == [{"name": "front", "share": 0.875}, {"name": "full", "share": 0.125}]
    added = report["added_escape"]
    assert (added["count"], added["of"], added["confidence"]) == (1, 4, 0.95)
    assert 0.7 < added["upper"] < 0.8  # one of four: 0.751
    assert (report["added_overkill"]["count"], report["added_overkill"]["of"]) == (0, 4)

    assert list(report["throughput_per_s"]) == list(VARIANTS)
    assert all(rate > 0 for rate in report["throughput_per_s"].values())
    assert list(report["latency_ms"]) == ["full_fp32", "full_int8", "dynamic"]
    assert all(0 < latency["p50"] <= latency["p99"] for latency in report["latency_ms"].values())
    assert set(report["speedup"]) == {"vs_full_fp32", "vs_full_int8"}
    for name, spread in report["spread"]["throughput_per_s"].items():
        assert spread["min"] <= report["throughput_per_s"][name] <= spread["max"]
    assert report["spread"]["limit_fraction"]["min"] <= report["limit_fraction"]
    assert (report["rounds"], report["threads"], report["workers"]) == (3, 1, 1)
    assert report["certificate"].startswith("uncertified")
    assert report["machine"]
    assert (report["left_out"], report["held"], report["notes"]) == (0, {}, [])


def test_a_ratio_is_that_of_rounds_and_not_of_medians(found: Measured, bundle: Path, dataset: Path) -> None:
    def runs(*rates: float) -> Sequence[bench.Run]:
        return [bench.Run(rate, 1.0) for rate in rates]

    slow_machine = {
        "full_fp32": runs(10, 5, 20),
        "full_int8": runs(20, 10, 40),
        "dynamic": runs(30, 15, 60),
        "compute_limit": runs(40, 20, 80),
    }
    report = report_of(replace(found, runs=slow_machine), bundle, dataset)
    assert report["speedup"] == {"vs_full_fp32": 3.0, "vs_full_int8": 1.5}
    assert report["limit_fraction"] == 0.75
    assert report["spread"]["limit_fraction"] == {"min": 0.75, "max": 0.75}
    assert report["spread"]["throughput_per_s"]["dynamic"] == {"min": 15.0, "max": 60.0}


def test_what_the_bundle_cannot_run_is_null_and_the_text_says_why(
    tmp_path: Path, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle", stages=STAGES, precisions=("INT8",))
    report = report_of(measure(bundle, dataset, rounds=1), bundle, dataset)
    assert report["throughput_per_s"]["full_fp32"] is report["latency_ms"]["full_fp32"] is None
    assert report["speedup"]["vs_full_fp32"] is report["spread"]["throughput_per_s"]["full_fp32"] is None
    assert report["throughput_per_s"]["full_int8"] > 0
    assert report["notes"] == ["full_fp32 is not there: stage full of the bundle does not come in FP32"]
    print_report(report)
    assert report["notes"][0] in capsys.readouterr().out
    assert any("full model in INT8" in line for line in sentences(report))


def test_a_precision_that_is_neither_is_judged_and_compared_all_the_same(tmp_path: Path, dataset: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle", stages=STAGES, bands=BANDS)
    manifest = json.loads((bundle / "manifest.json").read_text())
    for stage in manifest["stages"]:
        stage["artefacts"]["FP16"] = stage["artefacts"].pop("FP32")
        stage["artefacts"].pop("INT8")
        stage["default_precision"] = "FP16"
    for golden in manifest["golden"]:
        golden["scores"] = {stage: {"FP16": scores["FP32"]} for stage, scores in golden["scores"].items()}
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    found = measure(bundle, dataset, rounds=1)
    assert set(found.runs) == {"dynamic", "compute_limit"}
    report = report_of(found, bundle, dataset)
    assert report["policies"]["full"]["escape"] == {"count": 1, "of": 4}
    assert report["added_escape"]["count"] == 1


# --- Pictures --------------------------------------------------------------------------------------------------------


def test_pictures_beyond_the_memory_are_left_out_at_random_and_counted(bundle: Path, dataset: Path) -> None:
    info = read_info(bundle)
    size = math.prod(info.input.shape)
    some = preload(dataset, Split.TEST, info, limit_bytes=5 * size + 1)
    assert (len(some.pictures), some.left_out) == (5, 3)
    assert {picture.truth.label for picture in some.pictures} == set(Label)
    whole = preload(dataset, Split.TEST, info)
    assert [p.path for p in whole.pictures[:5]] == [p.path for p in some.pictures]
    assert whole.left_out == 0


def test_repeats_are_frames_of_their_own_and_share_the_picture(bundle: Path, dataset: Path) -> None:
    pictures = preload(dataset, Split.TEST, read_info(bundle)).pictures
    frames = [frame for frame in PreloadedSource(pictures, 2, SystemClock()).triggers() if isinstance(frame, Frame)]
    assert len({frame.frame_id for frame in frames}) == len(frames) == 16
    assert frames[0].image is frames[8].image
    assert {frame.truth.defect_class for frame in frames if frame.truth} == {None, "scratch"}
    source = PreloadedSource(pictures, 2, SystemClock())
    source.close()
    assert list(source.triggers()) == []


def test_a_split_of_one_picture_is_not_held_as_frozen(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    (folder / "ok").mkdir(parents=True)
    cv2.imwrite(str(folder / "ok/a.png"), picture(215))
    (folder / "split.csv").write_text("path,label,split,group\nok/a.png,ok,calib,a\n")
    report = report_of(measure(bundle, folder, split=Split.CALIB, rounds=1), bundle, folder)
    assert (report["parts"], report["held"]) == (1, {})
    assert report["policies"]["full"]["auroc"] is None


# --- The command -----------------------------------------------------------------------------------------------------


def bench_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    """Exit code and standard error of `inspector bench`."""
    monkeypatch.setattr("sys.argv", ["inspector", "bench", *args])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0), capsys.readouterr().err


def test_the_command_prints_a_table_and_writes_the_json(
    bundle: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench.json"
    monkeypatch.setattr("sys.argv", ["inspector", "bench", str(bundle), str(dataset), "--rounds=1", f"--json={out}"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert json.loads(out.read_text())["parts"] == 8
    text = capsys.readouterr().out
    assert "compute limit" in text
    assert "Certificate: uncertified" in text


@pytest.mark.parametrize(
    ("make", "code", "says"),
    [
        (lambda tmp, bundle: (tmp / "none", tmp / "data"), 1, "model bundle .*none is missing"),
        (lambda tmp, bundle: (bundle, tmp / "none"), 2, "none: no such folder"),
        (lambda tmp, bundle: (bundle, written(tmp / "train", "train")), 1, "split test is empty"),
        (lambda tmp, bundle: (bundle, written(tmp / "small", shape=(24, 24))), 1, "24x24 px, bundle tiny takes 32x24"),
    ],
)
def test_a_mistake_is_one_sentence(
    make: Callable[[Path, Path], tuple[Path, Path]],
    code: int,
    says: str,
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = make(tmp_path, bundle)
    found, err = bench_command(monkeypatch, capsys, *map(str, given))
    assert found == code
    told = [line for line in err.replace("\r", "\n").splitlines() if line.startswith("inspector: ")]
    assert len(told) == 1, err
    assert re.search(says, told[0])


# --- The page --------------------------------------------------------------------------------------------------------


def test_the_page_takes_reports_between_its_markers_and_keeps_the_rest(
    found: Measured, bundle: Path, dataset: Path
) -> None:
    page = (Path(__file__).parents[2] / "docs/benchmarks.md").read_text()
    report = report_of(found, bundle, dataset)
    once = page_with(page, [report])
    assert once.startswith(page.partition(BEGIN)[0])
    assert "## `bundle`, 8 parts" in once
    assert str(bundle) not in once, "no path of the machine that measured"
    assert page_with(once, [report]) == once
    with pytest.raises(ValueError, match="no markers"):
        page_with("# Benchmarks\n", [report])


def test_the_simulated_line_is_drawn_as_a_data_set(tmp_path: Path) -> None:
    draw_dataset(tmp_path, 4)
    samples = read_dataset(tmp_path).of(Split.TEST)
    assert len(samples) == 4
    assert len({sample.group for sample in samples}) == 4
    assert all((tmp_path / sample.path).is_file() for sample in samples)
