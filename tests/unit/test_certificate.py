"""A certificate comes back from its file as it was, and holds for nothing but what it was made for."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from inspector.adapters.openvino_runtime import certificates, load_bundle, read_info
from inspector.adapters.openvino_runtime.certificates import certificate_json, cpu_features, read_certificate
from inspector.adapters.openvino_runtime.manifest import read_manifest
from inspector.adapters.openvino_runtime.selection import choose_stages
from inspector.check import check
from inspector.domain.certificate import (
    UNCERTIFIED,
    CertificateStatus,
    Machine,
    Truth,
    VoidReason,
    void_reason,
)
from inspector.domain.exits import ExitBand
from inspector.domain.model import ModelInfo
from inspector.domain.recipe import Recipe, StageChoice
from inspector.pipeline.cascade import ExitPolicy
from tests.support.bundles import decode_png, edit_manifest, rehash, write_tiny_bundle
from tests.support.certified import SENTENCE, write_certificate

HERE = Machine(openvino="2026.4.1-test", cpu_features=("avx2", "fma"))


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "this_machine", lambda: HERE)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bundle = write_tiny_bundle(tmp_path_factory.mktemp("original"), height=480, width=640)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certificates, "this_machine", lambda: HERE)
        write_certificate(bundle)
    return bundle


@pytest.fixture
def certified(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "models" / "tiny"))


def load(folder: Path, **changes: Any) -> ModelInfo:
    settings: dict[str, Any] = {"choices": {}, "decode": decode_png, "cache_dir": None, "inference_threads": 1}
    return load_bundle(folder, **{**settings, **changes}).info


# --- The file --------------------------------------------------------------------------------------------------------


def test_what_is_written_comes_back(certified: Path) -> None:
    data = (certified / "certificate.json").read_bytes()
    certificate = read_certificate(data)
    assert certificate_json(certificate).encode() == data
    assert certificate.binding.stages[0].band == ExitBand(0.01, 0.99)
    assert certificate.created_at == datetime(2026, 11, 25, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda c: c.update(format=2), "format: "),
        (lambda c: c.update(extra=1), "extra: "),
        (lambda c: c.update(confidence="0.95"), "confidence: "),
        (lambda c: c.update(claims=[]), "claims: "),
        (lambda c: c["claims"][0].update(upper=0.002), "claims.0: upper 0.002 is above the bound 0.001"),
        (lambda c: c["claims"][0].update(count=3000), "claims.0: count 3000 of 2995"),
        (lambda c: c["claims"][0].update(risk="escapes"), "claims.0.risk: "),
        (lambda c: c["binding"]["stages"][0]["band"].update(ok_below=1.5), "binding.stages.0.band.ok_below: "),
        (lambda c: c["binding"]["stages"][0].update(bin_sha256="xyz"), "binding.stages.0.bin_sha256: "),
        (lambda c: c.update(created_at="2026-11-25T12:30:00"), "created_at: "),
        (lambda c: c.pop("seed"), "seed: "),
    ],
)
def test_a_wrong_file_names_its_key(certified: Path, edit: Callable[[dict[str, Any]], object], told: str) -> None:
    content = json.loads((certified / "certificate.json").read_text())
    edit(content)
    with pytest.raises(ValueError) as caught:
        read_certificate(json.dumps(content).encode())
    assert str(caught.value).startswith(told)


def test_no_file_that_cannot_be_read_is_written(certified: Path) -> None:
    certificate = read_certificate((certified / "certificate.json").read_bytes())
    with pytest.raises(ValueError, match="claims"):
        certificate_json(replace(certificate, claims=()))


# --- What it holds for -----------------------------------------------------------------------------------------------


def test_it_holds_for_the_bundle_as_it_was_certified(certified: Path) -> None:
    sha256 = hashlib.sha256((certified / "certificate.json").read_bytes()).hexdigest()
    assert read_info(certified).certificate == CertificateStatus(sha256, SENTENCE)
    assert load(certified).certificate == CertificateStatus(sha256, SENTENCE)
    assert load(certified).certificate_hash == sha256


def test_a_bundle_without_one_is_uncertified(tmp_path: Path) -> None:
    status = read_info(write_tiny_bundle(tmp_path)).certificate
    assert status == CertificateStatus(None, UNCERTIFIED)
    assert not status.is_certified


def test_the_label_free_form_says_so_in_its_sentence(certified: Path) -> None:
    certificate = read_certificate((certified / "certificate.json").read_bytes())
    free = CertificateStatus.holds(replace(certificate, truth=Truth.FULL_MODEL), "0" * 64)
    assert free.sentence.endswith("(95 %), relative to the full model only")


def void(folder: Path, **changes: Any) -> tuple[VoidReason | None, str]:
    """Why the certificate of `folder` does not hold; the same whether it is only read or loaded."""
    status = load(folder, **changes).certificate
    assert read_info(folder, **changes).certificate == status
    assert status.hash is None
    assert status.sentence.startswith("uncertified: the certificate is void, ")
    return status.void, status.sentence.partition(" (")[2].removesuffix(")")


def test_bands_of_a_recipe_void_it_even_if_they_are_the_same(certified: Path) -> None:
    assert void(certified, bands={"front": ExitBand(0.01, 0.99)}) == (VoidReason.BANDS, "front")
    info = load(certified)
    by_hand = ExitPolicy.of(Recipe("r", "p", "b", bands={"front": ExitBand(0.01, 0.99)}), info).certificate
    assert (by_hand.hash, by_hand.void) == (None, VoidReason.BANDS)
    assert ExitPolicy.of(Recipe("r", "p", "b", full_model_only=True), info).certificate.is_certified


def test_bands_edited_in_the_manifest_void_it(certified: Path) -> None:
    band = {"ok_below": 0.0100001, "ng_above": 0.99}
    edit_manifest(certified, lambda content: content["stages"][0]["artefacts"]["FP32"].update(band=band))
    assert void(certified) == (VoidReason.BANDS, "front")


def test_the_threshold_of_the_full_model_belongs_to_it(certified: Path) -> None:
    band = {"ok_below": 0.31, "ng_above": 0.7}
    edit_manifest(certified, lambda content: content["stages"][2]["artefacts"]["FP32"].update(band=band))
    assert void(certified) == (VoidReason.BANDS, "full")


def test_another_precision_voids_it(certified: Path) -> None:
    choice = {"full": StageChoice(precision="INT8")}
    assert void(certified, choices=choice) == (VoidReason.PRECISION, "full: FP32 → INT8")


def test_auto_that_comes_to_the_same_device_keeps_it(certified: Path) -> None:
    assert load(certified, choices={"full": StageChoice(device="AUTO:CPU")}).certificate.is_certified
    assert read_info(certified, choices={"full": StageChoice(device="AUTO:CPU")}).certificate.is_certified
    assert read_info(certified, choices={"full": StageChoice(device="GPU")}).certificate.void is VoidReason.DEVICE


def test_another_model_file_voids_it(certified: Path) -> None:
    xml = certified / "middle_fp32.xml"
    xml.write_text(xml.read_text() + "\n")
    rehash(certified)
    assert void(certified) == (VoidReason.FILES, "middle")


def test_other_classes_and_other_stages_void_it(certified: Path) -> None:
    edit_manifest(certified, lambda content: content["stages"][0]["artefacts"]["FP32"].update(names_class=False))
    assert void(certified) == (VoidReason.STAGES, "front: names_class")
    edit_manifest(certified, lambda content: content.update(classes=["ok", "scratch", "kerf"]))
    assert void(certified) == (VoidReason.STAGES, "classes")
    manifest, _ = read_manifest(certified)
    chosen = choose_stages(manifest, {}, {})
    all_of_it = certificates.binding_of(manifest, chosen)
    assert void_reason(all_of_it, replace(all_of_it, stages=all_of_it.stages[1:])) == (
        VoidReason.STAGES,
        "middle, full",
    )


def test_a_stage_of_other_files_in_another_precision_is_none_of_its_business(certified: Path) -> None:
    xml = certified / "middle_int8.xml"
    xml.write_text(xml.read_text() + "\n")
    rehash(certified)
    assert read_info(certified).certificate.is_certified


@pytest.mark.parametrize(
    ("there", "told"),
    [
        (replace(HERE, cpu_features=("avx2", "avx512_vnni", "fma")), (VoidReason.CPU, "avx512_vnni")),
        (replace(HERE, cpu_features=("avx2",)), (VoidReason.CPU, "fma")),
        (replace(HERE, openvino="2027.0"), (VoidReason.OPENVINO, "2026.4.1-test → 2027.0")),
    ],
)
def test_another_machine_voids_it(
    certified: Path, monkeypatch: pytest.MonkeyPatch, there: Machine, told: tuple[VoidReason, str]
) -> None:
    monkeypatch.setattr(certificates, "this_machine", lambda: there)
    assert void(certified) == told


def test_a_file_that_is_no_certificate_is_void_and_the_station_runs(certified: Path) -> None:
    (certified / "certificate.json").write_text("{}")
    rehash(certified)
    reason, told = void(certified)
    assert reason is VoidReason.UNREADABLE
    assert told.startswith("format: ")


# --- This machine ----------------------------------------------------------------------------------------------------


def test_only_features_that_change_arithmetic_count(tmp_path: Path) -> None:
    listed = tmp_path / "cpuinfo"
    listed.write_text("processor\t: 0\nflags\t\t: fpu sse2 fma avx2 avx512_vnni rdrand\n\nflags\t\t: fpu\n")
    assert cpu_features(listed) == ("avx2", "avx512_vnni", "fma")
    listed.write_text("processor: 0\n")
    assert cpu_features(listed) == ("unknown",)
    assert cpu_features(tmp_path / "none") == ("unknown",)
    assert cpu_features()


# --- `inspector check` -----------------------------------------------------------------------------------------------

STATION = '[station]\nid = "s1"\nrecipe = "plates"\n\n[source]\nkind = "simulated"\n'
RECIPE = 'product = "Plate"\nbundle = "tiny"\n'


def note(certified: Path, recipe: str = RECIPE) -> str:
    config = certified.parent.parent / "config"
    (config / "recipes").mkdir(parents=True, exist_ok=True)
    (config / "station.toml").write_text(STATION)
    (config / "recipes" / "plates.toml").write_text(recipe)
    report = check(config / "station.toml")
    assert report.ok, report.problems
    return report.notes[0]


def test_check_tells_what_is_certified_and_what_is_void(certified: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert note(certified) == f"the bundle 'tiny' is {SENTENCE}"
    remedy = "; certify the bundle anew (inspector certify), or undo the change"
    by_hand = RECIPE + "[exits.front]\nok_below = 0.1\nng_above = 0.9\n"
    void = "this station runs uncertified: the certificate is void, "
    assert note(certified, by_hand) == f"{void}because a band was set by hand (front){remedy}"
    other = RECIPE + '[stages.full]\nprecision = "INT8"\n'
    assert note(certified, other) == f"{void}because a stage runs in another precision (full: FP32 → INT8){remedy}"
    monkeypatch.setattr(certificates, "this_machine", lambda: replace(HERE, cpu_features=("avx2",)))
    cpu = "because this CPU computes in another way than the one it was made on"
    assert note(certified) == f"{void}{cpu} (fma){remedy}"
