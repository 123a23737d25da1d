"""`inspector accelerate` from a model file and a folder to a bundle that a station loads, and the search behind it."""

import json
from pathlib import Path

import cv2
import numpy as np
import openvino as ov
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from inspector.adapters.cameras.decoding import decode_picture
from inspector.adapters.openvino_runtime import load_bundle
from inspector.assurance.learn_then_test import Bound
from inspector.cli import commands
from inspector.domain.certificate import Risk
from inspector.domain.errors import ConfigError, SourceError
from inspector.domain.exits import ExitBand
from inspector.workshop.accelerate import accelerate, options_from
from inspector.workshop.certify import Wanted
from inspector.workshop.customer_model import ChannelOrder
from inspector.workshop.cut import cut_points, prefix_at
from inspector.workshop.heads import Pooling, fit_head, pooled_model, with_head
from inspector.workshop.search import Candidate, Tuning, choices, pareto
from tests.support import networks

HALF = ExitBand(0.5, 0.5)


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 good pictures and 120 with a dark or faint spot, 60x80 colour."""
    root = tmp_path_factory.mktemp("frames")
    rng = np.random.default_rng(5)
    for number, picture in enumerate(networks.pictures(240, height=60, width=80, seed=9)):
        label = "ok" if number % 2 else "spot"
        image = picture // 2 + 90
        if label == "spot":
            y, x = rng.integers(5, 40), rng.integers(5, 60)
            image[y : y + 14, x : x + 14] = 20 if number % 4 else 60
        (root / label).mkdir(exist_ok=True)
        assert cv2.imwrite(str(root / label / f"{number:03d}.png"), image)
    return root


@pytest.fixture(scope="module")
def model(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained customer's model: a residual network whose last layer is fitted to the labels, outputs (ok, spot)."""
    network = networks.prepared_for_tests("residual")
    prefix = prefix_at(network, cut_points(network)[-2].name)
    images, labels = _read(frames)
    taps = ov.Core().compile_model(pooled_model(prefix), "CPU")
    pooled = np.concatenate([taps(image[np.newaxis])[0] for image in images])
    head = fit_head(pooled, np.eye(2)[labels], Pooling.MEAN_MAX_DEVIATION, decay=1e-3)
    file = tmp_path_factory.mktemp("model") / "customer.xml"
    ov.save_model(with_head(prefix, head, gives_features=False), file, compress_to_fp16=False)
    return file


def _read(root: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    files = sorted(root.glob("*/*.png"))
    images = np.stack([np.asarray(cv2.imread(str(file)), np.uint8) for file in files])
    return images, np.array([int(file.parent.name != "ok") for file in files])


@pytest.mark.timeout(300)
def test_a_model_and_a_folder_become_a_certified_bundle(frames: Path, model: Path, tmp_path: Path) -> None:
    weights = networks.constants(ov.Core().read_model(model))
    out, report = tmp_path / "fast", tmp_path / "report.json"
    arguments = [
        "accelerate",
        str(model),
        str(frames),
        "--out",
        str(out),
        "--classes",
        "ok,spot",
        "--json",
        str(report),
    ]
    bounds = ["--max-added-escape", "0.2", "--max-added-overkill", "0.2"]
    done = CliRunner().invoke(commands, [*arguments, *bounds], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    told = json.loads(report.read_text("utf-8"))
    assert told["chosen"] == told["considered"][0]
    times = [chain["expected_ms"] for chain in told["considered"]]
    assert times == sorted(times)
    assert told["pareto"][-1] == told["chosen"]
    assert told["pareto"][0]["stages"] == ["full"]
    assert ["full"] in [chain["stages"] for chain in told["considered"]], "the full model alone is always weighed"
    assert len(told["considered"]) > 10

    classifier = load_bundle(out, choices={}, decode=decode_picture, cache_dir=None, inference_threads=1)
    info = classifier.info
    assert info.classes == ("ok", "spot")
    assert [stage.name for stage in info.stages] == told["chosen"]["stages"]
    assert told["certified"] == (info.certificate.hash is not None)
    assert told["certified"] or told["refusal"]
    session = classifier.session()
    images, labels = _read(frames)
    for image, label in list(zip(images, labels, strict=True))[::24]:
        session.begin(image)
        scores = [session.run(stage).scores for stage in range(len(info.stages))]
        assert int(scores[-1].argmax()) == label, "the full model in the bundle is the customer's"
    classifier.close()
    shipped = (
        networks.constants(ov.Core().read_model(next(out.glob("full_fp32.xml"))))
        if told["precision"] == "FP32"
        else None
    )
    assert shipped is None or told["chosen"]["stages"][-2:] != ["full"] or not weights - shipped
    assert not (tmp_path / ".fast.accelerate").exists(), "what was kept for a second run is gone"


def test_outputs_in_the_wrong_order_are_refused(frames: Path, model: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"right about OK and NG on only \d+% .* give their true order in --classes"):
        accelerate(model, frames, tmp_path / "b", Wanted(0.2, 0.2), classes=("spot", "ok"))
    assert not (tmp_path / "b").exists()


def test_too_few_and_unreadable_frames_are_refused(model: Path, tmp_path: Path) -> None:
    for number in range(40):
        file = tmp_path / "set" / ("ok" if number % 2 else "spot") / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"%d" % number)
    with pytest.raises(SourceError, match="none of its 24 train pictures can be read"):
        accelerate(model, tmp_path / "set", tmp_path / "b", Wanted(0.2, 0.2), classes=("ok", "spot"))
    for file in sorted((tmp_path / "set").glob("*/*.png"))[10:]:
        file.unlink()
    with pytest.raises(ConfigError, match="6 train frames are too few"):
        accelerate(model, tmp_path / "set", tmp_path / "b", Wanted(0.2, 0.2), classes=("ok", "spot"))


def test_what_the_command_line_says_of_a_model() -> None:
    options = options_from(mean="123.7,116.3,103.5", scale="58", channels="rgb", size="224x192", ok_class="good")
    assert options.mean == (123.7, 116.3, 103.5)
    assert options.scale == (58.0,)
    assert options.channels is ChannelOrder.RGB
    assert options.size == (224, 192)
    for wrong in ({"size": "224"}, {"mean": "a"}, {"scale": "1,"}):
        given = {"mean": None, "scale": None, "channels": None, "size": None, "ok_class": None, **wrong}
        with pytest.raises(ConfigError, match="write them as"):
            options_from(**given)


# -- the search ---------------------------------------------------------------------------------------------------


def scores(p_defect: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([1 - p_defect, p_defect], axis=1)


def tuning(full: NDArray[np.float64]) -> Tuning:
    return Tuning(scores(full), HALF, 10.0, 0, {risk: Bound(risk, 0.02) for risk in Risk})


def test_a_front_that_ranks_as_the_full_model_does_is_taken() -> None:
    rng = np.random.default_rng(1)
    truth = rng.random(1000) < 0.3
    full = np.where(truth, 0.99, 0.01)
    sharp = np.clip(np.where(truth, 0.95, 0.05) + rng.normal(0, 0.01, 1000), 0.001, 0.999)
    blunt = np.clip(np.where(truth, 0.6, 0.4) + rng.normal(0, 0.2, 1000), 0.001, 0.999)
    found = choices(
        [Candidate("sharp", scores(sharp), 1.0), Candidate("blunt", scores(blunt), 0.5)],
        [Candidate("cut", scores(sharp), 4.0, 6.5)],
        tuning(full),
    )
    assert found[0].names == ("sharp",)
    assert found[0].expected_ms == pytest.approx(1.0 + 10.0 * found[0].shares[-1])
    assert found[0].shares[0] > 0.95
    by_names = {choice.names: choice for choice in found}
    assert by_names[()].expected_ms == 10.0
    assert by_names[("cut",)].expected_ms == pytest.approx(4.0 + 6.5 * by_names[("cut",)].shares[-1])
    assert by_names[("blunt",)].expected_ms > by_names[("sharp",)].expected_ms
    assert len(found) == 6
    assert [choice.names for choice in pareto(found)] == [(), ("sharp",)]


def test_an_exit_that_errs_is_kept_within_the_bounds() -> None:
    rng = np.random.default_rng(2)
    truth = rng.random(4000) < 0.5
    full = np.where(truth, 0.99, 0.01)
    noisy = 1 / (1 + np.exp(-np.where(truth, 2.0, -2.0) - rng.normal(0, 1.5, 4000)))
    (choice, *_) = [c for c in choices([Candidate("noisy", scores(noisy), 0.1)], [], tuning(full)) if c.names]
    (band,) = choice.policy
    escapes = np.mean(noisy[truth] < band.ok_below)
    overkill = np.mean(noisy[~truth] > band.ng_above)
    assert 0 < escapes <= 0.01, "half of the bound, for certifying takes room"
    assert 0 < overkill <= 0.01
    assert sum(choice.shares) == pytest.approx(1.0)
