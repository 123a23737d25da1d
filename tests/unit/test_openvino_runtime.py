"""A bundle is loaded whole and right, or refused with one sentence that says what is wrong and what to do."""

import os
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as op

from inspector.adapters.openvino_runtime import (
    OpenVinoClassifier,
    artefact,
    available_devices,
    devices,
    load_bundle,
    read_info,
)
from inspector.adapters.openvino_runtime.cache import MAX_BLOBS, BlobCache
from inspector.adapters.openvino_runtime.integrity import BundleFiles
from inspector.domain.errors import ModelError
from inspector.domain.exits import ExitBand
from inspector.domain.recipe import StageChoice
from tests.support.bundles import (
    CLASSES,
    decode_png,
    edit_manifest,
    picture,
    rehash,
    tiny_scores,
    write_tiny_bundle,
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("original"))


@pytest.fixture
def bundle(original: Path, tmp_path: Path) -> Path:
    """A bundle of one's own to damage."""
    return Path(shutil.copytree(original, tmp_path / "bundle"))


def load(folder: Path, **changes: Any) -> OpenVinoClassifier:
    settings: dict[str, Any] = {"choices": {}, "decode": decode_png, "cache_dir": None, "inference_threads": 1}
    return load_bundle(folder, **{**settings, **changes})


def refusal(folder: Path, **changes: Any) -> str:
    """The sentence with which `folder` is refused."""
    with pytest.raises(ModelError) as caught:
        load(folder, **changes)
    text = str(caught.value)
    assert "\n" not in text
    assert 20 < len(text) < 600
    return text


def scores(classifier: OpenVinoClassifier, level: float, stages: tuple[int, ...] = (0, 1, 2)) -> list[Any]:
    session = classifier.session()
    session.begin(picture(level))
    return [session.run(stage).scores for stage in stages]


def expect_right(classifier: OpenVinoClassifier, precision: str = "FP32") -> None:
    for level in (40, 140, 215):
        for name, answer in zip(("front", "middle", "full"), scores(classifier, level), strict=True):
            np.testing.assert_allclose(answer, tiny_scores(picture(level), name, precision=precision), atol=1e-3)


def flip_bit(path: Path, byte: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[byte] ^= 1 << bit
    path.write_bytes(bytes(data))


# --- Choices ---------------------------------------------------------------------------------------------------------


def test_defaults_are_the_bundles_own(bundle: Path) -> None:
    classifier = load(bundle)
    assert classifier.warnings == ()
    assert [(stage.device, stage.precision) for stage in classifier.info.stages] == [("CPU", "FP32")] * 3
    expect_right(classifier)


def test_each_stage_runs_in_the_chosen_precision(bundle: Path) -> None:
    classifier = load(bundle, choices={"full": StageChoice(precision="INT8")})
    assert [stage.precision for stage in classifier.info.stages] == ["FP32", "FP32", "INT8"]
    front, full = scores(classifier, 130, (0, 2))
    np.testing.assert_allclose(front, tiny_scores(picture(130), "front", precision="FP32"), atol=1e-3)
    np.testing.assert_allclose(full, tiny_scores(picture(130), "full", precision="INT8"), atol=1e-3)
    assert abs(full[0] - tiny_scores(picture(130), "full", precision="FP32")[0]) > 3e-3  # they can be told apart


def test_auto_tells_the_device_that_it_chose(bundle: Path) -> None:
    classifier = load(bundle, choices={"front": StageChoice(device="AUTO"), "full": StageChoice(device="AUTO:CPU")})
    front, middle, full = (stage.device for stage in classifier.info.stages)
    assert front in available_devices()
    assert (middle, full) == ("CPU", "CPU")
    expect_right(classifier)


class FakeCore:
    """The devices of another machine; compiles nothing."""

    available_devices = ("CPU", "GPU.0", "GPU.1", "NPU")

    def get_property(self, device: str, name: str) -> str:
        assert name == "DEVICE_TYPE"
        return "Type.DISCRETE" if device == "GPU.1" else "Type.INTEGRATED"


def test_auto_prefers_gpus_and_a_list_is_kept_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "core", FakeCore)
    assert devices.candidates("AUTO") == ("GPU.1", "GPU.0", "CPU")
    assert devices.candidates("AUTO:NPU,CPU") == ("NPU", "CPU")
    assert devices.candidates("GPU") == ("GPU",)
    with pytest.raises(ModelError, match=r"CPU, GPU\.0, GPU\.1, NPU or AUTO"):
        devices.candidates("GPU.2")


def test_auto_takes_the_next_device_when_one_cannot(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    candidates = devices.candidates
    monkeypatch.setattr(
        artefact, "candidates", lambda device: ("CPU", "CPU") if device == "AUTO" else candidates(device)
    )
    compile_model, calls = ov.Core.compile_model, []

    def fail_first(self: Any, *args: Any) -> Any:
        calls.append(args)
        if len(calls) == 1:
            raise RuntimeError("no kernel for this operation")
        return compile_model(self, *args)

    monkeypatch.setattr(ov.Core, "compile_model", fail_first)
    expect_right(load(bundle, choices={"front": StageChoice(device="AUTO")}))
    assert len(calls) == 4
    calls.clear()
    text = refusal(bundle)
    assert "does not compile for CPU (no kernel for this operation)" in text


def test_throughput_gives_every_thread_a_stream(bundle: Path) -> None:
    classifier = load(bundle, hint="THROUGHPUT", inference_threads=2)
    expect_right(classifier)


@pytest.mark.parametrize("shape", [(17, 23, "GREY"), (40, 40, "BGR")])
def test_input_size_and_colour_are_the_bundles(tmp_path: Path, shape: tuple[int, int, str]) -> None:
    height, width, color = shape
    classifier = load(write_tiny_bundle(tmp_path / "b", height=height, width=width, color=color))
    image = picture(150, height=height, width=width, color=color)
    session = classifier.session()
    session.begin(image)
    np.testing.assert_allclose(session.run(0).scores, tiny_scores(image, "front"), atol=1e-3)


def test_unknown_precision_names_the_known_ones(bundle: Path) -> None:
    text = refusal(bundle, choices={"front": StageChoice(precision="FP8")})
    assert "'front'" in text
    assert "FP8" in text
    assert "FP32, INT8" in text


@pytest.mark.parametrize("device", ["GPU.99", "FOO", "CPU.7", "cpu", "", "AUTO:FOO,CPU", "AUTO:", "HETERO:GPU.99,CPU"])
def test_absent_device_names_the_present_ones(bundle: Path, device: str) -> None:
    text = refusal(bundle, choices={"front": StageChoice(device=device)})
    assert "device" in text
    assert ", ".join(available_devices()) in text


def test_unknown_stage_in_the_recipe_names_the_known_ones(bundle: Path) -> None:
    text = refusal(bundle, choices={"fronte": StageChoice()})
    assert "'fronte'" in text
    assert "front, middle, full" in text


def test_no_thread_is_no_choice(bundle: Path) -> None:
    assert "thread" in refusal(bundle, inference_threads=0)


# --- Bands (certificates: test_certificate.py) -----------------------------------------------------------------------


def test_bands_come_from_the_chosen_artefact_or_the_recipe(bundle: Path) -> None:
    def narrow_int8(manifest: dict[str, Any]) -> None:
        manifest["stages"][0]["artefacts"]["INT8"]["band"] = {"ok_below": 0.2, "ng_above": 0.8}
        manifest["stages"][0]["artefacts"]["INT8"]["names_class"] = False

    edit_manifest(bundle, narrow_int8)
    assert load(bundle).info.stages[0].band == ExitBand(0.01, 0.99)
    front = load(bundle, choices={"front": StageChoice(precision="INT8")}).info.stages[0]
    assert (front.band, front.names_class) == (ExitBand(0.2, 0.8), False)
    edited = load(bundle, bands={"front": ExitBand(0.3, 0.6)}).info
    assert [stage.band for stage in edited.stages] == [ExitBand(0.3, 0.6), ExitBand(0.05, 0.95), ExitBand(0.3, 0.7)]


def test_unknown_exit_in_the_recipe_names_the_known_ones(bundle: Path) -> None:
    text = refusal(bundle, bands={"last": ExitBand(0.3, 0.6)})
    assert "exit 'last'" in text
    assert "front, middle, full" in text


# --- Files -----------------------------------------------------------------------------------------------------------


def test_missing_folder(tmp_path: Path) -> None:
    text = refusal(tmp_path / "nowhere")
    assert "nowhere is missing" in text
    assert "recipe" in text


def test_missing_manifest(tmp_path: Path) -> None:
    assert "manifest.json is missing" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["front_fp32.xml", "full_int8.bin", "golden/ok_0.png"])
def test_missing_file(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    assert f"{name} is missing" in refusal(bundle)


@pytest.mark.parametrize(
    "name", ["front_fp32.bin", "full_fp32.bin", "full_int8.bin", "front_fp32.xml", "golden/ok_0.png"]
)
@pytest.mark.parametrize("position", [0, -1])
def test_one_flipped_bit(bundle: Path, name: str, position: int) -> None:
    flip_bit(bundle / name, position)
    text = refusal(bundle)
    assert f"{name} is damaged" in text
    assert "copy the bundle again" in text


def test_a_bit_that_flips_between_check_and_load_is_seen(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verify = BundleFiles.verify_all

    def verify_then_flip(self: BundleFiles) -> None:
        verify(self)
        flip_bit(bundle / "full_fp32.bin", 0)

    monkeypatch.setattr(BundleFiles, "verify_all", verify_then_flip)
    assert "full_fp32.bin is damaged" in refusal(bundle)


def test_the_file_is_not_read_again_after_its_hash(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = BundleFiles.read

    def read_then_spoil(self: BundleFiles, name: str) -> bytes:
        data = read(self, name)
        if (bundle / name).suffix != ".png":
            (bundle / name).write_bytes(b"")
        return data

    monkeypatch.setattr(BundleFiles, "verify_all", lambda self: None)
    monkeypatch.setattr(BundleFiles, "read", read_then_spoil)
    expect_right(load(bundle))


def test_a_link_out_of_the_folder(bundle: Path, tmp_path: Path) -> None:
    shutil.move(bundle / "full_fp32.bin", tmp_path / "elsewhere.bin")
    (bundle / "full_fp32.bin").symlink_to(tmp_path / "elsewhere.bin")
    text = refusal(bundle)
    assert "full_fp32.bin leads outside the bundle folder" in text


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_does_not_hang_the_station(bundle: Path) -> None:
    (bundle / "full_fp32.bin").unlink()
    os.mkfifo(bundle / "full_fp32.bin")
    assert "not a regular file" in refusal(bundle)


def test_oversized_file(bundle: Path) -> None:
    with (bundle / "front_fp32.xml").open("r+b") as file:
        file.truncate(33 << 20)
    assert "more than the 33554432 allowed" in refusal(bundle)


def test_unlisted_files_do_no_harm(bundle: Path) -> None:
    (bundle / "NOTES.txt").write_text("mine", encoding="utf-8")
    expect_right(load(bundle))


# --- Manifest --------------------------------------------------------------------------------------------------------


def at(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """An edit that sets the dotted `path` of the manifest to `value`."""

    def edit(manifest: Any) -> None:
        *parents, last = [int(key) if key.isdigit() else key for key in path.split("/")]
        for key in parents:
            manifest = manifest[key]
        manifest[last] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (at("surprise", 1), "surprise"),
        (at("stages/0/surprise", 1), "stages.0.surprise"),
        (lambda manifest: manifest.pop("golden"), "golden"),
        (at("golden", []), "golden"),
        (at("input/height", 0), "input.height"),
        (at("input/height", "24"), "input.height"),
        (at("input/color", "RGB"), "input.color"),
        (at("classes", ["ok", "ok", "dent"]), "classes"),
        (at("ok_class", "fine"), "ok_class: 'fine'"),
        (at("stages", []), "stages"),
        (at("stages/1/name", "front"), "'front' is used twice"),
        (at("stages/1/name", "image"), "'image' is used twice or reserved"),
        (at("stages/1/exit", "front"), "exit name of its own"),
        (at("stages/1/input", "full"), "stages.middle.input: 'full'"),
        (at("stages/0/default_precision", "FP16"), "stages.front.default_precision"),
        (at("stages/0/artefacts", {}), "artefacts"),
        (at("stages/0/artefacts/FP32/band", {"ok_below": 0.9, "ng_above": 0.1}), "stages.0.artefacts.FP32.band"),
        (at("stages/0/artefacts/FP32/band", {"ok_below": -0.1, "ng_above": 0.1}), "ok_below"),
        (
            at("stages/0/artefacts/FP32/band", {"ok_below": 0.1, "ng_above": float("nan")}),
            "ng_above: Input should be a finite",
        ),
        (at("stages/0/artefacts/FP32/xml", "front_fp32.onnx"), "stages.0.artefacts.FP32.xml"),
        (at("stages/0/artefacts/FP32/bin", "other.bin"), "no hash for 'other.bin'"),
        (at("stages/0/artefacts/FP32/bin", "../other.bin"), "plain path inside the bundle"),
        (at("stages/0/artefacts/FP32/bin", "/etc/other.bin"), "plain path inside the bundle"),
        (at("stages/0/artefacts/FP32/bin", "golden\\other.bin"), "plain path inside the bundle"),
        (at("stages/0/artefacts/FP32/bin", "C:other.bin"), "plain path inside the bundle"),
        (at("stages/0/artefacts/FP32/bin", "./front_fp32.bin"), "plain path inside the bundle"),
        (at("files/manifest.json", "0" * 64), "'manifest.json' cannot be listed"),
        (at("files/front_fp32.bin", "beef"), "files.front_fp32.bin"),
        (at("golden/0/tolerance", 0.9), "golden.0.tolerance"),
        (at("golden/0/scores/front/FP32", [0.5, 0.5]), "golden.golden/ok_0.png.scores.front.FP32: needs 3 numbers"),
        (at("golden/0/scores/front", {}), "golden.golden/ok_0.png.scores.front.FP32"),
        (at("certificate", "certificate.json"), "no hash for 'certificate.json'"),
        (at("format", 2), "format 2"),
        (at("format", "1"), "format '1'"),
        (at("format", True), "format True"),
        (lambda manifest: manifest.pop("format"), "does not state its format"),
    ],
)
def test_a_wrong_manifest_is_refused_by_its_key(
    bundle: Path, edit: Callable[[dict[str, Any]], object], told: str
) -> None:
    edit_manifest(bundle, edit)
    text = refusal(bundle)
    assert "manifest.json" in text
    assert told in text


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b"[" * 100_000, b'{"format": 1, "format": 1}'])
def test_a_manifest_that_is_no_json_object(bundle: Path, content: bytes) -> None:
    (bundle / "manifest.json").write_bytes(content)
    assert "manifest.json" in refusal(bundle)


def test_several_mistakes_are_told_at_once(bundle: Path) -> None:
    edit_manifest(bundle, lambda manifest: manifest.update(surprise=1, version="", ok_class=3))
    text = refusal(bundle)
    assert all(key in text for key in ("surprise", "version", "ok_class"))


# --- Models ----------------------------------------------------------------------------------------------------------


def write_ir(
    folder: Path,
    stem: str,
    *,
    name: str = "image",
    shape: Any = (1, 24, 32, 3),
    dtype: Any = ov.Type.u8,
    inputs: int = 1,
    outputs: Mapping[str, int] | None = None,
    giant: int = 0,
) -> None:
    """Put another model in place of `stem`, with its hash: `outputs` gives the columns by name."""
    parameters = [op.parameter(ov.PartialShape(list(shape)), dtype) for _ in range(inputs)]
    for index, parameter in enumerate(parameters):
        parameter.output(0).set_names({name if index == 0 else f"{name}{index}"})
    total: Any = op.constant(np.zeros((1, 1), np.float32))
    for parameter in parameters:
        axes = np.arange(len(shape), dtype=np.int64)
        total = op.add(total, op.reshape(op.reduce_mean(op.convert(parameter, "f32"), axes, False), [1, 1], False))
    if giant:
        big = op.broadcast(total, np.array([giant, 1 << 20], np.int64))
        total = op.reduce_mean(big, np.array([0, 1], np.int64), True)
    results = []
    for output, columns in (outputs or {"scores": 3, "features": 1}).items():
        node = op.multiply(total, op.constant(np.full((1, columns), 1 / columns, np.float32)))
        node.output(0).set_names({output})
        results.append(op.result(node))
    for suffix in (".xml", ".bin"):
        (folder / f"{stem}{suffix}").unlink()
    ov.save_model(ov.Model(results, parameters), folder / f"{stem}.xml", compress_to_fp16=False)
    rehash(folder)


@pytest.mark.parametrize(
    ("ir", "told"),
    [
        ({"name": "picture"}, "one input, named 'image', but has picture"),
        ({"inputs": 2}, "one input, named 'image', but has image, image1"),
        ({"dtype": ov.Type.f32}, "takes f32 [1,24,32,3], manifest.json says u8 [1,24,32,3]"),
        ({"shape": (1, 3, 24, 32)}, "takes u8 [1,3,24,32]"),
        ({"shape": (1, -1, -1, 3)}, "takes u8 [1,?,?,3]"),
        ({"shape": (2, 24, 32, 3)}, "takes u8 [2,24,32,3]"),
        ({"outputs": {"scores": 3}}, "outputs features and scores"),
        ({"outputs": {"probabilities": 3, "features": 1}}, "has probabilities, features"),
        ({"outputs": {"scores": 3, "features": 1, "more": 1}}, "has scores, features, more"),
        ({"outputs": {"scores": 4, "features": 1}}, "gives scores f32 [1,4], but 3 classes need f32 [1,3]"),
        ({"giant": 4096}, "asks for a tensor of 16384 MiB"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(value),
)
def test_a_model_that_is_not_what_the_manifest_says(bundle: Path, ir: dict[str, Any], told: str) -> None:
    write_ir(bundle, "front_fp32", **ir)
    text = refusal(bundle)
    assert "stage 'front' (FP32) of bundle 'tiny'" in text
    assert told in text


def test_a_manifest_of_another_size_than_its_models(bundle: Path) -> None:
    edit_manifest(bundle, at("input/height", 48))
    assert "takes u8 [1,24,32,3], manifest.json says u8 [1,48,32,3]" in refusal(bundle)


def test_features_of_another_shape_than_the_next_stage_takes(bundle: Path) -> None:
    write_ir(bundle, "middle_int8", name="features", shape=(1, 2), dtype=ov.Type.f32, outputs={"scores": 3})
    expect_right(load(bundle))  # as long as nobody chooses it
    text = refusal(bundle, choices={"middle": StageChoice(precision="INT8")})
    assert "stage 'middle' (INT8) of bundle 'tiny' takes features f32 [1,2]" in text
    assert "stage 'front' (FP32) of bundle 'tiny' gives f32 [1,1]" in text


@pytest.mark.parametrize("content", [b"\x08\x07\x12\x00", b"", b"PK\x03\x04", b"<?xml version='1.0'?><net/>", b"<net"])
def test_only_ir_is_read(bundle: Path, content: bytes) -> None:
    (bundle / "front_fp32.xml").write_bytes(content)
    rehash(bundle)
    assert "stage 'front' (FP32) of bundle 'tiny'" in refusal(bundle)


def test_weights_that_are_cut_short(bundle: Path) -> None:
    (bundle / "full_fp32.bin").write_bytes((bundle / "full_fp32.bin").read_bytes()[:8])
    rehash(bundle)
    assert "stage 'full' (FP32) of bundle 'tiny' cannot be read" in refusal(bundle)


# --- Golden pictures -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["front", "middle", "full"])
def test_one_nan_weight_is_found_although_every_hash_is_right(tmp_path: Path, stage: str) -> None:
    folder = write_tiny_bundle(tmp_path / "b", poisoned=stage)
    assert read_info(folder).name == "tiny"
    text = refusal(folder)
    assert f"stage '{stage}'" in text
    assert "no numbers" in text


def test_a_wrong_weight_is_found_although_every_hash_is_right(bundle: Path) -> None:
    path = bundle / "full_fp32.bin"
    weights = np.frombuffer(path.read_bytes(), np.float32).copy()
    weights[np.abs(weights) == 80.0] *= -1
    path.write_bytes(weights.tobytes())
    rehash(bundle)
    text = refusal(bundle)
    assert "stage 'full' (FP32 on CPU)" in text
    assert "instead of" in text


def test_expected_scores_are_those_of_the_chosen_precision(bundle: Path) -> None:
    edit_manifest(bundle, at("golden/3/scores/full/INT8", [0.0, 1.0, 0.0]))
    load(bundle)
    text = refusal(bundle, choices={"full": StageChoice(precision="INT8")})
    assert "golden/hard_0.png" in text
    assert "(INT8 on CPU)" in text


def test_golden_picture_of_another_size(bundle: Path) -> None:
    other = write_tiny_bundle(bundle.parent / "other", height=48)
    shutil.copy(other / "golden/ok_0.png", bundle / "golden/ok_0.png")
    rehash(bundle)
    assert "golden/ok_0.png of bundle 'tiny' is 32x48, manifest.json says 32x24" in refusal(bundle)


def test_golden_picture_of_another_colour(bundle: Path) -> None:
    other = write_tiny_bundle(bundle.parent / "other", color="GREY")
    shutil.copy(other / "golden/ok_0.png", bundle / "golden/ok_0.png")
    rehash(bundle)
    assert "golden/ok_0.png of bundle 'tiny' is uint8 (24, 32, 1)" in refusal(bundle)


def test_golden_picture_that_is_no_picture(bundle: Path) -> None:
    (bundle / "golden/ok_0.png").write_bytes(b"GIF89a")
    rehash(bundle)
    assert "golden/ok_0.png of bundle 'tiny' is no PNG" in refusal(bundle)


def test_golden_picture_that_cannot_be_decoded(bundle: Path) -> None:
    path = bundle / "golden/ok_0.png"
    path.write_bytes(path.read_bytes()[:60])
    rehash(bundle)
    assert "golden/ok_0.png of bundle 'tiny' cannot be decoded" in refusal(bundle)


# --- Cache -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def cache(bundle: Path, tmp_path: Path) -> Path:
    """A warm cache for `bundle`."""
    folder = tmp_path / "cache" / "models"
    assert load(bundle, cache_dir=folder).warnings == ()
    assert len(blobs(folder)) == 3
    return folder


def blobs(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Grows by one with every model that is compiled rather than taken from a cache."""
    compiled: list[Any] = []
    compile_model = ov.Core.compile_model

    def counting(self: Any, *args: Any, **kwargs: Any) -> Any:
        compiled.append(args)
        return compile_model(self, *args, **kwargs)

    monkeypatch.setattr(ov.Core, "compile_model", counting)
    return compiled


def test_a_warm_cache_saves_the_compilation(bundle: Path, cache: Path, compilations: list[Any]) -> None:
    classifier = load(bundle, cache_dir=cache)
    assert compilations == []
    assert classifier.warnings == ()
    expect_right(classifier)
    load(bundle, cache_dir=cache, inference_threads=2)  # compiled otherwise, so not the same blobs
    assert len(compilations) == 3


def test_a_warm_cache_does_not_stand_in_for_damaged_files(bundle: Path, cache: Path) -> None:
    flip_bit(bundle / "full_fp32.bin", 5)
    assert "full_fp32.bin is damaged" in refusal(bundle, cache_dir=cache)


def test_changed_weights_are_not_taken_from_the_cache(bundle: Path, cache: Path) -> None:
    other = write_tiny_bundle(bundle.parent / "other", poisoned="full")
    assert "no numbers" in refusal(other, cache_dir=cache)


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "swap"])
def test_a_damaged_blob_is_compiled_anew(bundle: Path, cache: Path, compilations: list[Any], damage: str) -> None:
    first, second, _ = blobs(cache)
    if damage == "flip":
        flip_bit(first, first.stat().st_size // 2)
    elif damage == "cut":
        os.truncate(first, first.stat().st_size // 2)
    elif damage == "empty":
        first.write_bytes(b"")
    else:
        shutil.copy(second, first)
    classifier = load(bundle, cache_dir=cache)
    assert len(compilations) == 1
    assert len(classifier.warnings) == 1
    assert "damaged" in classifier.warnings[0]
    expect_right(classifier)
    assert load(bundle, cache_dir=cache).warnings == ()  # repaired
    assert len(compilations) == 1


def test_a_blob_that_answers_wrongly_is_compiled_anew(tmp_path: Path, compilations: list[Any]) -> None:
    right = write_tiny_bundle(tmp_path / "right", stages=("full",))
    wrong = write_tiny_bundle(tmp_path / "wrong", stages=("full",), poisoned="full")
    load(right, cache_dir=tmp_path / "cache")
    refusal(wrong, cache_dir=tmp_path / "other")
    (ours,), (theirs,) = blobs(tmp_path / "cache"), blobs(tmp_path / "other")
    blob = BlobCache(tmp_path / "other").get(theirs.stem)
    assert blob is not None
    BlobCache(tmp_path / "cache").put(ours.stem, blob)  # with a hash that is right
    compilations.clear()
    classifier = load(right, cache_dir=tmp_path / "cache")
    assert len(compilations) == 1
    assert len(classifier.warnings) == 1
    assert "did not pass its check" in classifier.warnings[0]
    np.testing.assert_allclose(scores(classifier, 140, (0,))[0], tiny_scores(picture(140), "full"), atol=1e-3)
    assert blobs(tmp_path / "cache") == []


def test_a_blob_that_openvino_refuses_is_compiled_anew(tmp_path: Path, compilations: list[Any]) -> None:
    folder = write_tiny_bundle(tmp_path / "b", stages=("full",))
    load(folder, cache_dir=tmp_path / "cache")
    BlobCache(tmp_path / "cache").put(blobs(tmp_path / "cache")[0].stem, b"of another release")
    load(folder, cache_dir=tmp_path / "cache")
    load(folder, cache_dir=tmp_path / "cache")
    assert len(compilations) == 2


def test_without_a_usable_cache_folder_it_goes_on(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    classifier = load(bundle, cache_dir=tmp_path / "file")
    assert len(classifier.warnings) == 1
    assert "cannot be used" in classifier.warnings[0]
    expect_right(classifier)


def test_a_cache_that_cannot_be_written_is_told_once(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    classifier = load(bundle, cache_dir=tmp_path / "cache")
    assert len(classifier.warnings) == 1
    assert "No space left" in classifier.warnings[0]
    expect_right(classifier)


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
def test_a_cache_that_anyone_can_write_is_not_used(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    folder.chmod(stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO)
    classifier = load(bundle, cache_dir=folder)
    assert "written by other users" in classifier.warnings[0]
    assert blobs(folder) == []
    expect_right(classifier)


def test_the_cache_does_not_grow_without_end(tmp_path: Path) -> None:
    cache = BlobCache(tmp_path)
    for index in range(MAX_BLOBS + 5):
        cache.put(f"{index:064x}", b"blob")
    assert len(blobs(tmp_path)) == MAX_BLOBS
    assert cache.get(f"{MAX_BLOBS + 4:064x}") == b"blob"
    assert cache.warnings == []


# --- Running ---------------------------------------------------------------------------------------------------------


def test_the_picture_is_passed_by_reference(bundle: Path) -> None:
    session, image = load(bundle).session(), picture(215)
    session.begin(image)
    image[:] = picture(40)
    np.testing.assert_allclose(session.run(0).scores, tiny_scores(picture(40), "front"), atol=1e-3)


def test_arithmetic_is_f32_on_every_cpu(bundle: Path) -> None:
    """Some CPUs would compute in bf16 on their own account, which moves these scores by up to 0.01."""
    for level in (120, 140, 150):
        for name, answer in zip(("front", "middle", "full"), scores(load(bundle), level), strict=True):
            np.testing.assert_allclose(answer, tiny_scores(picture(level), name), atol=2e-4)


def test_a_failing_device_is_a_model_error(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = load(bundle).session()
    session.begin(picture(140))
    session.run(0)

    def fail(self: Any, **options: Any) -> None:
        raise RuntimeError("device lost")

    monkeypatch.setattr(ov.InferRequest, "infer", fail)
    with pytest.raises(ModelError, match=r"stage 'front' \(FP32\) failed on CPU: device lost"):
        session.run(0)
    with pytest.raises(ModelError, match="has not run for this part"):  # its features are no longer to be trusted
        session.run(1)


def test_read_info_compiles_nothing(bundle: Path, compilations: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    told = load(bundle).info
    monkeypatch.setattr(ov.Core, "read_model", None)
    compilations.clear()
    assert read_info(bundle) == told
    assert compilations == []
    chosen = read_info(bundle, choices={"full": StageChoice("GPU", "INT8")}, bands={"full": ExitBand(0.4, 0.5)}).stages[
        2
    ]
    assert (chosen.device, chosen.precision, chosen.band) == ("GPU", "INT8", ExitBand(0.4, 0.5))


def test_read_info_refuses_what_loading_would(bundle: Path) -> None:
    with pytest.raises(ModelError, match="does not come in FP8"):
        read_info(bundle, choices={"full": StageChoice(precision="FP8")})
    flip_bit(bundle / "full_int8.bin", 3)
    with pytest.raises(ModelError, match="damaged"):
        read_info(bundle)


def test_model_hash_covers_every_file(bundle: Path) -> None:
    before = read_info(bundle).model_hash
    flip_bit(bundle / "full_int8.bin", 3)
    rehash(bundle)
    assert read_info(bundle).model_hash != before
    assert read_info(bundle).classes == CLASSES


# --- Shipped bundles -------------------------------------------------------------------------------------------------

SHIPPED = sorted(path.parent for path in (Path(__file__).parents[2] / "models").glob("*/manifest.json"))


@pytest.mark.parametrize("precision", ["FP32", "INT8"])
@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_shipped_bundles_answer_their_golden_pictures(folder: Path, precision: str) -> None:
    stages = read_info(folder).stages
    info = load(folder, choices={stage.name: StageChoice(precision=precision) for stage in stages}).info
    assert [stage.precision for stage in info.stages] == [precision] * len(stages)
