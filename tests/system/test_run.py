"""`inspector run` from a folder of pictures to database and closing summary, as users start it."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from inspector.domain.disposition import Action, HoldReason
from tests.support.bundles import edit_manifest, picture, write_tiny_bundle
from tests.support.certified import SENTENCE, write_certificate
from tests.support.running_station import Site, wait_until, write_picture, write_pictures


def test_each_picture_is_judged_once_and_accounted_for(tmp_path: Path) -> None:
    site = Site(tmp_path)
    count = write_pictures(tmp_path / "pictures")
    summary = site.summary()
    assert summary["triggers"] == count
    assert summary["pass"] == 12
    assert summary["reject"] == 12
    assert summary["hold"] == {}
    assert summary["conserved"] is True
    assert summary["accuracy"] == 1.0
    assert summary["escape"] == {"count": 0, "of": 12}
    assert summary["defects"] == {"scratch": 8, "dent": 4}
    assert [exit_["name"] for exit_ in summary["exits"]] == ["front", "middle", "full"]
    assert sum(exit_["count"] for exit_ in summary["exits"]) == count
    assert 0 < summary["latency_ms"]["p50"] <= summary["latency_ms"]["p99"]
    assert summary["mqtt"] == {"queued": 0, "acknowledged": 0, "waiting": 0, "received_by_mes": None}
    reader = site.reader()
    parts = reader.parts(summary["run_id"])
    assert Counter(part.frame_id for part in parts) == dict.fromkeys((part.frame_id for part in parts), 1)
    assert len(parts) == count
    assert all(part.config_version == reader.configs()[0].version for part in parts)
    assert [entry.action for entry in reader.audit_entries()] == ["config.applied"]
    assert reader.verify_audit().is_intact
    reader.close()


def test_parts_and_source_of_the_command_line(tmp_path: Path) -> None:
    site = Site(tmp_path)
    write_pictures(tmp_path / "other")
    assert site.summary("--source", str(tmp_path / "other"), "--parts", "5")["triggers"] == 5


def test_a_certificate_goes_with_every_verdict_until_something_differs(tmp_path: Path) -> None:
    site = Site(tmp_path)
    write_pictures(tmp_path / "pictures")
    write_certificate(site.bundle)
    summary = site.summary("--parts", "3")
    assert summary["certificate"] == SENTENCE
    reader = site.reader()
    sha256 = hashlib.sha256((site.bundle / "certificate.json").read_bytes()).hexdigest()
    assert [p.verdict.certificate_hash for p in reader.parts(summary["run_id"]) if p.verdict] == [sha256] * 3
    reader.close()

    band = {"ok_below": 0.02, "ng_above": 0.98}
    edit_manifest(site.bundle, lambda content: content["stages"][0]["artefacts"]["FP32"].update(band=band))
    done = site.run("--parts", "3", "--json", str(tmp_path / "summary.json"))
    void = "uncertified: the certificate is void, because a band was set by hand (front)"
    assert json.loads((tmp_path / "summary.json").read_text("utf-8"))["certificate"] == void
    assert f"WARNING inspector.station: {void}" in done.stderr
    assert f"this station runs {void}" in done.stderr, "the note of check"
    reader = site.reader()
    newest = json.loads((tmp_path / "summary.json").read_text("utf-8"))["run_id"]
    assert [p.verdict.certificate_hash for p in reader.parts(newest) if p.verdict] == [None] * 3
    reader.close()


def test_pictures_unfit_for_inspection_are_held_with_their_reason(tmp_path: Path) -> None:
    """Acceptance F: none of these may ever end as PASS."""
    site = Site(tmp_path, recipe="")
    folder = tmp_path / "pictures"
    good = picture(215.0)
    half = good.copy()
    half[12:] = 128
    write_picture(folder / "01_good.png", good)
    write_picture(folder / "02_black.png", np.zeros_like(good))
    write_picture(folder / "03_saturated.png", np.full_like(good, 255))
    write_picture(folder / "04_half.png", half)
    write_picture(folder / "05_16bit.png", good.astype(np.uint16) * 257)
    write_picture(folder / "06_grey.png", good[:, :, 0])
    write_picture(folder / "07_rgba.png", cv2.cvtColor(good, cv2.COLOR_BGR2BGRA))
    write_picture(folder / "08_larger.png", picture(215.0, height=48))
    write_picture(folder / "09_cut.png", picture(215.0, seed=3))
    cut = folder / "09_cut.png"
    cut.write_bytes(cut.read_bytes()[:-200])
    (folder / "10_text.png").write_text("no picture")
    jpeg = folder / "11_cut.jpg"
    write_picture(jpeg, good)
    jpeg.write_bytes(jpeg.read_bytes()[: jpeg.stat().st_size // 2])
    recipe = site.config.parent / "recipes" / "tiny.toml"
    recipe.write_text(recipe.read_text().replace("frozen_after = 0", "frozen_after = 1"))
    write_picture(folder / "12_first.png", picture(190.0, seed=5))
    write_picture(folder / "13_frozen.png", picture(190.0, seed=5))
    summary = site.summary()
    reader = site.reader()
    found = {
        part.frame_id: part.disposition.hold_reason or part.disposition.action
        for part in reader.parts(summary["run_id"])
    }
    reader.close()
    assert found == {
        "01_good.png": Action.PASS,
        "02_black.png": HoldReason.BLACK,
        "03_saturated.png": HoldReason.SATURATED,
        "04_half.png": HoldReason.FLAT,
        "05_16bit.png": HoldReason.WRONG_FORMAT,
        "06_grey.png": HoldReason.WRONG_FORMAT,
        "07_rgba.png": HoldReason.WRONG_FORMAT,
        "08_larger.png": HoldReason.WRONG_FORMAT,
        "09_cut.png": HoldReason.NO_PICTURE,
        "10_text.png": HoldReason.NO_PICTURE,
        "11_cut.jpg": HoldReason.NO_PICTURE,
        "12_first.png": Action.PASS,
        "13_frozen.png": HoldReason.FROZEN,
    }
    assert summary["triggers"] == 13
    assert sum(summary["hold"].values()) == 11


@pytest.mark.parametrize(
    ("spoil", "told", "code"),
    [
        ("unknown key", "station.toml:3: [station] recipes: unknown key; did you mean 'recipe'?", 2),
        ("out of range", "[station] queue_parts: 0 is below 1; use 1 to 4096 parts", 2),
        ("no model", "there is no bundle 'tiny'", 2),
        ("flipped bit", "front_fp32.bin is damaged: its SHA-256 is", 2),
        ("NaN weight", "scores that are no numbers; its weights are damaged", 1),
        ("no source", "there is no such folder", 2),
        ("camera absent", "/dev/video41", 1),
        ("unwritable", "database", 1),
    ],
)
def test_a_station_that_cannot_inspect_does_not_start(tmp_path: Path, spoil: str, told: str, code: int) -> None:
    """Acceptance F: one clear sentence, the right exit code, and nothing inspected."""
    site = Site(tmp_path)
    write_pictures(tmp_path / "pictures", copies=1)
    weights = next((tmp_path / "models" / "tiny").glob("front_fp32.bin"))
    match spoil:
        case "unknown key":
            site.config.write_text(site.config.read_text().replace("recipe =", "recipes =", 1))
        case "out of range":
            site.config.write_text(site.config.read_text().replace("[source]", "queue_parts = 0\n[source]"))
        case "no model":
            (tmp_path / "models" / "tiny").rename(tmp_path / "models" / "small")
        case "flipped bit":
            data = bytearray(weights.read_bytes())
            data[5] ^= 0x10
            weights.write_bytes(data)
        case "NaN weight":
            write_tiny_bundle(tmp_path / "models" / "tiny", poisoned="full")
        case "no source":
            (tmp_path / "pictures").rename(tmp_path / "elsewhere")
        case "camera absent":
            site.source = 'kind = "camera"\ndevice = 41'
            site.write()
        case "unwritable":
            site.state.mkdir()
            (site.state / "inspector.db").mkdir()
    done = site.run()
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_second_station_on_the_same_database_is_refused(tmp_path: Path) -> None:
    site = Site(tmp_path, source='kind = "folder"\npath = "../pictures"\nloop = true\nparts_per_s = 20.0')
    write_pictures(tmp_path / "pictures", copies=1)
    first = site.start()
    try:
        wait_until(lambda: "begins" in site.log_text, "the first station runs")
        second = site.run()
        assert second.returncode == 1
        assert f"in use by station s1 (process {first.pid}); stop that station" in second.stderr
        assert first.poll() is None, "the first one goes on"
    finally:
        site.close()


def test_json_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    site = Site(tmp_path)
    write_pictures(tmp_path / "pictures", copies=1)
    done = site.run("--json", str(tmp_path / "none" / "summary.json"))
    assert done.returncode == 1
    assert "--json" in done.stderr
    assert "triggers" in done.stdout, "the summary is shown all the same"


def test_every_shipped_config_is_right() -> None:
    from inspector.check import check

    for config in sorted(Path("config").glob("*.toml")):
        problems = [problem for problem in check(config).problems if "[source]" not in problem]
        assert problems == [], config  # the source may be absent here: data is not committed
