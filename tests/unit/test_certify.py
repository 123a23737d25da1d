"""`certify` and `evaluate` on a tiny bundle: a promise is written only where frames prove it, and all or nothing."""

import csv
import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import pytest

from inspector import cli
from inspector.adapters.openvino_runtime import read_info
from inspector.adapters.openvino_runtime.certificates import read_certificate
from inspector.domain.certificate import Risk, Truth
from inspector.domain.errors import ConfigError, InspectorError, ModelError, SourceError
from inspector.domain.exits import ExitBand
from inspector.domain.recipe import Recipe
from inspector.domain.verdict import Outcome
from inspector.pipeline.cascade import Cascade, ExitPolicy
from inspector.workshop import certify as certify_module
from inspector.workshop.certify import Wanted, certify
from inspector.workshop.dataset import Split
from inspector.workshop.evaluate import evaluate, report_of
from inspector.workshop.frames import loaded, read_frame
from inspector.workshop.policy_path import PathShape
from tests.support.bundles import picture, write_tiny_bundle

FIVE_PERCENT = Wanted(0.05, 0.05)


class Part(NamedTuple):
    label: str
    split: str
    level: float
    group: str = ""


def write_set(root: Path, parts: Iterable[Part]) -> Path:
    """A data set of pictures that are all different, with its split.csv."""
    rows = []
    for number, part in enumerate(parts):
        (root / part.label).mkdir(parents=True, exist_ok=True)
        path = f"{part.label}/{number:04d}.png"
        assert cv2.imwrite(str(root / path), picture(part.level, seed=number))
        rows.append((path, part.label, part.split, part.group or f"g{number:04d}"))
    with (root / "split.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("path", "label", "split", "group"), *rows])
    return root


def spread(label: str, split: str, n: int, low: float, high: float) -> list[Part]:
    return [Part(label, split, low + (high - low) * i / max(1, n - 1)) for i in range(n)]


def easy(calib_ng: int = 70, calib_ok: int = 70, ng: str = "scratch") -> list[Part]:
    """The full model is right on all of them, and the front is sure of most."""
    return [
        *spread("ok", "train", 15, 145, 230),
        *spread(ng, "train", 15, 60, 110),
        *spread("ok", "calib", calib_ok, 145, 230),
        *spread(ng, "calib", calib_ng, 60, 110),
        *spread("ok", "test", 6, 150, 230),
        *spread(ng, "test", 8, 60, 105),
    ]


@pytest.fixture(scope="module")
def easy_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("easy"), easy())


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    binary = {"classes": ("ok", "ng"), "stages": ("front", "full")}
    return {
        "binary": write_tiny_bundle(folder / "binary", **binary),
        "named": write_tiny_bundle(folder / "named"),
        "strict": write_tiny_bundle(folder / "strict", bands={"full": (0.0, 0.0)}, **binary),
        "single": write_tiny_bundle(folder / "single", classes=("ok", "ng"), stages=("full",)),
    }


@pytest.fixture
def bundle(originals: Mapping[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(originals["binary"], tmp_path / "bundles" / "tiny"))


def content(folder: Path) -> dict[str, str]:
    """Every file below `folder`, with hidden ones beside it, by hash."""
    return {
        path.relative_to(folder.parent).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.parent.rglob("*"))
        if path.is_file()
    }


def refused(bundle: Path, root: Path, wanted: Wanted = FIVE_PERCENT, **options: Any) -> str:
    """The sentence with which a certificate is refused; the bundle stays as it was."""
    before = content(bundle)
    with pytest.raises(InspectorError) as caught:
        certify(bundle, root, wanted, **options)
    assert content(bundle) == before
    text = str(caught.value)
    assert "\n" not in text
    assert caught.value.exit_code == (2 if isinstance(caught.value, ConfigError) else 1)
    return text


# --- Certified -------------------------------------------------------------------------------------------------------


def test_frames_that_prove_it_are_written_as_bands_and_certificate(bundle: Path, easy_set: Path) -> None:
    before = content(bundle)
    manifest_before = json.loads((bundle / "manifest.json").read_text())
    told: list[float] = []
    found = certify(bundle, easy_set, FIVE_PERCENT, progress=lambda done, doing: told.append(done))
    sentence = "certified: added escapes ≤ 5 %, added overkill ≤ 5 % (95 %), labels"
    info = read_info(bundle)
    assert info.certificate == found.status
    assert info.certificate.sentence == sentence
    assert info.stages[0].band == found.policy[0] != ExitBand(0.01, 0.99)
    assert found.step == found.steps - 1, "nothing disagrees, so the boldest policy is proven"
    assert found.exits[0].share.value == 1.0
    certificate = read_certificate((bundle / "certificate.json").read_bytes())
    assert certificate == found.certificate
    assert [(c.risk, c.count, c.of) for c in certificate.claims] == [
        (Risk.ADDED_ESCAPE, 0, 70),
        (Risk.ADDED_OVERKILL, 0, 70),
    ]
    assert all(0.04 < claim.upper < 0.05 for claim in certificate.claims)
    assert (certificate.truth, certificate.parts, certificate.dataset) == (Truth.LABELS, 140, easy_set.name)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)

    after = content(bundle)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed == {f"tiny/{name}" for name in ("manifest.json", "certificate.json", "CARD.md")}
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert manifest["stages"][0]["artefacts"]["INT8"] == manifest_before["stages"][0]["artefacts"]["INT8"]
    assert manifest["stages"][1] == manifest_before["stages"][1], "the full model's threshold is the customer's"
    assert (bundle / "CARD.md").read_text().count("## Certificate") == 1


def test_certifying_again_replaces_the_certificate(bundle: Path, easy_set: Path) -> None:
    first = certify(bundle, easy_set, FIVE_PERCENT)
    second = certify(bundle, easy_set, Wanted(0.1, 0.1))
    assert first.policy == second.policy
    assert read_info(bundle).certificate == second.status
    assert second.status.hash != first.status.hash
    assert (bundle / "CARD.md").read_text().count("## Certificate") == 1


def test_without_labels_the_truth_is_the_full_model(bundle: Path, tmp_path: Path) -> None:
    unsorted = write_set(tmp_path / "unsorted", [part._replace(label="frames") for part in easy()])
    found = certify(bundle, unsorted, FIVE_PERCENT, unlabelled=True)
    assert found.status.sentence.endswith(", relative to the full model only")
    assert [(c.count, c.of) for c in found.certificate.claims] == [(0, 70), (0, 70)]


def test_frames_without_labels_may_lie_in_one_folder(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    for number, part in enumerate(easy(200, 200)):
        cv2.imwrite(str(tmp_path / "frames" / f"{number}.png"), picture(part.level, seed=number))
    text = refused(bundle, tmp_path / "frames", unlabelled=True)  # 15 % of them are the calib split
    assert "more NG parts are missing (59 are needed for added escapes ≤ 5 %" in text
    assert certify(bundle, tmp_path / "frames", Wanted(0.2, 0.2), unlabelled=True).certificate.parts > 50
    assert "holds no picture" in refused(bundle, tmp_path / "frames")


def test_several_classes_bring_a_third_claim(originals: Mapping[str, Path], tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(originals["named"], tmp_path / "named"))
    parts = [*easy(), *spread("dent", "train", 5, 20, 45), *spread("dent", "calib", 10, 20, 45)]
    root = write_set(tmp_path / "set", parts)
    found = certify(bundle, root, FIVE_PERCENT)
    assert [(c.risk, c.bound, c.of) for c in found.certificate.claims] == [
        (Risk.ADDED_ESCAPE, 0.05, 80),
        (Risk.ADDED_OVERKILL, 0.05, 70),
        (Risk.ADDED_MISNAMING, 0.05, 80),
    ]
    text = refused(bundle, root, Wanted(0.05, 0.05, max_misnamed=0.01))
    assert "219 more NG parts are missing (299 are needed for added misnaming ≤ 1 %" in text


def test_a_disagreement_stops_the_path_before_it(originals: Mapping[str, Path], tmp_path: Path) -> None:
    """The full model passes only what is brighter than 157, the front would pass more. NG parts of 135 to 155 prove it."""
    bundle = write_tiny_bundle(
        tmp_path / "strict", classes=("ok", "ng"), stages=("front", "full"), bands={"full": (0.0001, 0.0001)}
    )
    parts = [p for p in easy() if p.label != "ok" or p.level > 165]
    hard = [*spread("scratch", "train", 1, 135, 135), *spread("scratch", "calib", 20, 135, 155)]
    missing_ok = spread("ok", "calib", 40, 165, 230)
    root = write_set(tmp_path / "set", [*parts, *hard, *missing_ok])
    found = certify(bundle, root, FIVE_PERCENT)
    assert 0 < found.step < found.steps - 1
    front = found.policy[0]
    # p_defect of the front at mean 155: 1 / (1 + exp(30 * (155/255 - 0.5)))
    assert 0.001 < front.ok_below < 0.06
    assert found.certificate.claims[0].count <= 1


@pytest.mark.parametrize("is_certified", [False, True])
def test_what_was_counted_is_what_a_station_judges(
    originals: Mapping[str, Path], tmp_path: Path, is_certified: bool
) -> None:
    bundle = Path(shutil.copytree(originals["named"], tmp_path / "named"))
    parts = [
        *easy(),
        *spread("dent", "train", 5, 20, 60),
        *spread("dent", "calib", 10, 20, 60),
        *spread("ok", "train", 4, 124, 131),  # here the full model is unsure
        *spread("ok", "test", 100, 6, 249),
    ]
    root = write_set(tmp_path / "set", parts)
    if is_certified:
        certify(bundle, root, FIVE_PERCENT, shape=PathShape(30, 0))
    frames = evaluate(bundle, root).frames
    classifier = loaded(bundle)
    policy = ExitPolicy.of(Recipe("r", "p", "b"), classifier.info)
    assert policy.certificate.is_certified is is_certified
    info, session, cascade = classifier.info, classifier.session(), Cascade(classifier.info)
    counted = frames.scored.dynamic(policy.bands[:-1])
    for sample, answer, exit_of in zip(frames.samples, counted.answers, counted.exit_of, strict=True):
        verdict = cascade.judge(session, read_frame(root / sample.path, info), policy)
        said = {Outcome.OK: "ok", Outcome.NG: verdict.defect_class, Outcome.UNDECIDED: None}[verdict.outcome]
        assert said == (info.classes[answer] if answer >= 0 else None)
        assert verdict.exit == (info.exits[exit_of] if exit_of >= 0 else None)
    assert set(counted.answers.tolist()) == {-1, 0, 1, 2}, "every answer occurs"
    assert len(set(counted.exit_of.tolist())) == (2 if is_certified else 4)


# --- Refused ---------------------------------------------------------------------------------------------------------


def test_too_few_frames_are_counted(bundle: Path, tmp_path: Path) -> None:
    text = refused(bundle, write_set(tmp_path / "set", easy(calib_ng=30)))
    assert text == (
        "bundle 'tiny' is not certified: 29 more NG parts are missing (59 are needed for added escapes ≤ 5 % with 95 % "
        f"confidence, the calib split has 30); add them to the calib split of {tmp_path / 'set'}, or ask for wider bounds"
    )


def test_a_class_without_calibration_frames_is_counted(bundle: Path, tmp_path: Path) -> None:
    text = refused(bundle, write_set(tmp_path / "set", easy(calib_ok=0)))
    assert "59 more OK parts are missing" in text
    free = refused(bundle, tmp_path / "set", unlabelled=True)
    assert "59 more OK parts are missing" in free


def test_frames_of_one_group_count_once(bundle: Path, tmp_path: Path) -> None:
    parts = [
        part._replace(group=f"{part.split}-{part.label}-{number // 2}") if part.label == "scratch" else part
        for number, part in enumerate(easy())
    ]
    root = write_set(tmp_path / "set", parts)
    assert "24 more NG parts are missing" in refused(bundle, root)
    wider = certify(bundle, root, Wanted(0.09, 0.05))
    assert wider.certificate.claims[0].of == 35
    other = certify(bundle, root, Wanted(0.09, 0.05), seed=8)
    assert other.certificate.dataset_sha256 == wider.certificate.dataset_sha256


def test_a_front_that_passes_what_the_full_model_does_not(originals: Mapping[str, Path], tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(originals["strict"], tmp_path / "strict"))
    parts = [*easy(), *spread("scratch", "calib", 60, 200, 249)]
    text = refused(bundle, write_set(tmp_path / "set", parts))
    assert "is not certified: even the most careful early exits show" in text
    assert "more NG parts without a further one are needed" in text


def test_a_bundle_without_an_early_exit(originals: Mapping[str, Path], easy_set: Path, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(originals["single"], tmp_path / "single"))
    assert "has no early exit" in refused(bundle, easy_set)


def test_the_order_of_policies_needs_frames_of_its_own(bundle: Path, tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", [part for part in easy() if part.split != "train"])
    assert "the train split is empty" in refused(bundle, root)


def test_no_bundle_no_data_set_and_no_share(bundle: Path, easy_set: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is no model bundle"):
        certify(tmp_path, easy_set, FIVE_PERCENT)
    assert "no such folder" in refused(bundle, tmp_path / "none")
    with pytest.raises(ConfigError, match="between 0 and 1"):
        Wanted(0.0, 0.05)


# --- Data sets that would flatter, or do not fit ---------------------------------------------------------------------


def test_one_picture_in_two_splits_is_refused(bundle: Path, tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", easy())
    shutil.copy(root / "ok" / "0000.png", root / "ok" / "0031.png")
    text = refused(bundle, root)
    assert "ok/0000.png (train) and ok/0031.png (calib) are the same picture" in text
    with pytest.raises(ConfigError, match="are the same picture"):
        evaluate(bundle, root)


def test_one_picture_in_two_groups_counts_once(bundle: Path, tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", easy())
    for number in range(31, 51):
        shutil.copy(root / "ok" / "0030.png", root / "ok" / f"{number:04d}.png")
    assert "9 more OK parts are missing" in refused(bundle, root)


def test_classes_must_be_the_bundles(originals: Mapping[str, Path], tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(originals["named"], tmp_path / "bundles" / "named"))
    unknown = write_set(tmp_path / "unknown", easy(ng="scratches"))
    assert "the class 'scratches' is none of bundle 'tiny', which knows ok, scratch, dent" in refused(bundle, unknown)
    no_dent = write_set(tmp_path / "no_dent", easy())
    assert "there is no folder 'dent'" in refused(bundle, no_dent)
    (no_dent / "dent").mkdir()
    good = write_set(tmp_path / "good", [p._replace(label="good") if p.label == "ok" else p for p in easy()])
    (good / "dent").mkdir()
    assert "the class 'good' is none" in refused(bundle, good)
    assert certify(bundle, good, FIVE_PERCENT, ok_class="good").certificate.parts == 140
    assert certify(bundle, no_dent, FIVE_PERCENT).certificate.parts == 140


def test_a_bundle_of_two_classes_takes_any_defect_name(bundle: Path, tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", [*easy(), *spread("dent", "calib", 5, 30, 60)])
    assert certify(bundle, root, FIVE_PERCENT).certificate.claims[0].of == 75


def test_few_unreadable_pictures_are_listed_and_many_are_an_error(bundle: Path, tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", easy())
    for number, damage in ((40, b""), (120, (root / "scratch" / "0120.png").read_bytes()[:-30])):
        next(root.glob(f"*/{number:04d}.png")).write_bytes(damage)
        if number == 40:
            found = certify(bundle, root, FIVE_PERCENT)
            assert found.unreadable == (
                "ok/0040.png: the file is empty; check the program that writes it, and the disk",
            )
            assert found.certificate.parts == 139
    text = refused(bundle, root)
    assert "2 of 140 pictures of the calib split cannot be judged, the first is ok/0040.png: the file is empty" in text
    assert "fewer than 1% may be left out" in text


def test_pictures_of_another_size_are_not_what_the_camera_delivers(bundle: Path, tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", easy())
    for path in root.glob("*/*.png"):
        cv2.imwrite(str(path), picture(100, height=48, width=64, seed=int(path.stem)))
    assert "it is 64x48 px and bundle 'tiny' takes 32x24" in refused(bundle, root)


# --- All or nothing --------------------------------------------------------------------------------------------------


def test_ctrl_c_while_it_is_built_leaves_the_old_bundle(
    bundle: Path, easy_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(bundle)

    def interrupted(folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(certify_module, "read_info", interrupted)
    with pytest.raises(KeyboardInterrupt):
        certify(bundle, easy_set, FIVE_PERCENT)
    assert content(bundle) == before


def test_ctrl_c_within_the_swap_puts_the_old_bundle_back(
    bundle: Path, easy_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(bundle)
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if self.name.endswith(".building"):
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        certify(bundle, easy_set, FIVE_PERCENT)
    assert content(bundle) == before


def test_what_a_killed_swap_left_is_put_back(bundle: Path, easy_set: Path) -> None:
    bundle.rename(bundle.with_name(".tiny.before"))
    certify(bundle, easy_set, FIVE_PERCENT)
    assert [path.name for path in bundle.parent.iterdir()] == ["tiny"]


def test_a_disk_that_is_full_is_told(bundle: Path, easy_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(certify_module.shutil, "copytree", full)
    assert "cannot be written (No space left on device)" in refused(bundle, easy_set)


# --- evaluate --------------------------------------------------------------------------------------------------------


def report(bundle: Path, root: Path, **options: Any) -> dict[str, Any]:
    found = report_of(evaluate(bundle, root, **options), bundle, root, 0.95)
    json.dumps(found, allow_nan=False)
    return found


def test_the_report_keeps_its_contract(bundle: Path, easy_set: Path) -> None:
    found = report(bundle, easy_set)
    assert (found["bundle"], found["dataset"], found["parts"]) == (str(bundle), str(easy_set), 14)
    assert found["certificate"] == "uncertified"
    full, dynamic = found["policies"]["full"], found["policies"]["dynamic"]
    for policy in (full, dynamic):
        assert policy["escape"] == {"count": 0, "of": 8}
        assert policy["overkill"] == {"count": 0, "of": 6}
        assert (policy["accuracy"], policy["auroc"]) == (1.0, 1.0)
    assert [e["name"] for e in dynamic["exits"]] == ["front", "full"]
    assert sum(e["share"] for e in dynamic["exits"]) == pytest.approx(1.0)
    assert found["added_escape"] == {
        "count": 0,
        "of": 8,
        "upper": pytest.approx(1 - 0.05 ** (1 / 8)),
        "confidence": 0.95,
    }
    assert found["added_overkill"]["of"] == 6
    assert "added_misnaming" not in found


def test_errors_are_told_apart(bundle: Path, tmp_path: Path) -> None:
    parts = [
        Part("ok", "test", 220),
        Part("ok", "test", 60),
        Part("scratch", "test", 230),
        Part("scratch", "test", 127.5),
    ]
    found = report(bundle, write_set(tmp_path / "set", parts))
    full = found["policies"]["full"]
    assert (full["escape"], full["overkill"], full["undecided"]) == ({"count": 1, "of": 2}, {"count": 1, "of": 2}, 1)
    assert full["accuracy"] == 0.25
    assert (found["added_escape"]["count"], found["added_overkill"]["count"]) == (0, 0)


def test_a_split_of_one_class_has_no_auroc_and_nothing_to_count(bundle: Path, tmp_path: Path) -> None:
    found = report(bundle, write_set(tmp_path / "set", spread("ok", "calib", 3, 180, 220)), split=Split.CALIB)
    assert found["policies"]["full"]["auroc"] is None
    assert found["added_escape"] == {"count": 0, "of": 0, "upper": 1.0, "confidence": 0.95}
    with pytest.raises(SourceError, match="split test is empty"):
        evaluate(bundle, tmp_path / "set")


def test_several_classes_are_named(originals: Mapping[str, Path], tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", [*easy(), *spread("dent", "test", 2, 20, 70)])
    found = report(originals["named"], root)
    assert found["policies"]["full"]["named"] == {"count": 9, "of": 10}  # the dent of level 70 is called a scratch
    assert found["policies"]["full"]["class_accuracy"] == pytest.approx(15 / 16)
    assert found["added_misnaming"]["count"] == 0


# --- The commands ----------------------------------------------------------------------------------------------------


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["inspector", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_the_commands(
    bundle: Path, easy_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bounds = ("--max-added-escape", 0.01, "--max-added-overkill", 0.05)
    assert run(monkeypatch, "certify", bundle, easy_set, *bounds) == 1
    assert "229 more NG parts are missing" in capsys.readouterr().err
    assert run(monkeypatch, "certify", bundle, easy_set, "--max-added-escape", 0, "--max-added-overkill", 0.05) == 2
    bounds = ("--max-added-escape", 0.05, "--max-added-overkill", 0.05)
    assert run(monkeypatch, "certify", bundle, tmp_path / "none", *bounds) == 2
    capsys.readouterr()
    assert run(monkeypatch, "certify", bundle, easy_set, *bounds, "--unlabelled") == 0
    out = capsys.readouterr().out
    assert out.startswith(
        "certified: added escapes ≤ 5 %, added overkill ≤ 5 % (95 %), relative to the full model only"
    )
    assert "without labels: added errors relative to the full model only" in out
    file = tmp_path / "report.json"
    assert run(monkeypatch, "evaluate", bundle, easy_set, "--json", file, "--unlabelled") == 0
    out = capsys.readouterr().out
    assert "without labels: added errors relative to the full model only" in out
    assert "certificate: certified: " in out
    written = json.loads(file.read_text())
    assert (written["truth"], written["policies"]["dynamic"]["escape"]) == ("full model", {"count": 0, "of": 8})
