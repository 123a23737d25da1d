"""`inspector demo`, as the README starts it, and from a wheel."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.running_station import environment

CHECKOUT = Path(__file__).parents[2]


def demo(folder: Path, *arguments: str, environment: Mapping[str, str], python: str = sys.executable) -> dict[str, Any]:
    file = folder / "summary.json"
    command = [python, "-m", "inspector.cli", "demo", "--json", str(file), *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=100, env=environment, cwd=folder, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "verdicts received by the MES" in done.stdout
    summary: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return summary


def test_the_demo_without_a_screen(tmp_path: Path) -> None:
    summary = demo(tmp_path, "--headless", "--parts", "300", "--seed", "11", environment=environment())
    assert summary["triggers"] == 300
    assert summary["conserved"] is True
    assert summary["pass"] + summary["reject"] + sum(summary["hold"].values()) == 300
    assert summary["mqtt"]["received_by_mes"] == 300
    assert summary["mqtt"]["waiting"] == 0
    assert [exit_["name"] for exit_ in summary["exits"]] == ["front", "full"]
    assert summary["exits"][0]["count"] > 0, "some parts leave at the front"
    assert summary["escape"]["of"] + summary["overkill"]["of"] == 300, "the truth of each part is known"
    assert summary["accuracy"] > 0.9


def test_the_same_seed_gives_the_same_parts(tmp_path: Path) -> None:
    first, second = (
        demo(tmp_path, "--headless", "--parts", "60", "--seed", "5", environment=environment()) for _ in range(2)
    )
    same = ("triggers", "pass", "reject", "hold", "exits", "defects", "escape", "overkill")
    assert {key: first[key] for key in same} == {key: second[key] for key in same}


def test_a_kept_folder_holds_settings_and_database(tmp_path: Path) -> None:
    from inspector.adapters.store import open_reader

    demo(tmp_path, "--headless", "--parts", "20", "--dir", "kept", environment=environment())
    assert (tmp_path / "kept" / "recipes" / "simulated_line.toml").is_file()
    reader = open_reader(f"sqlite:///{tmp_path}/kept/state/inspector.db")
    assert reader.counts().triggers == 20
    reader.close()


@pytest.mark.timeout(180)
def test_the_demo_with_its_dashboard(tmp_path: Path) -> None:
    display = {**environment(), "QT_QPA_PLATFORM": "offscreen"}
    summary = demo(tmp_path, "--parts", "60", "--rate", "20", environment=display)
    assert summary["triggers"] == 60
    assert summary["mqtt"]["received_by_mes"] == 60


@pytest.mark.timeout(300)
def test_the_demo_from_a_wheel(tmp_path: Path) -> None:
    """Outside the checkout, with nothing of it in reach: its bundle travels in the wheel."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "wheel", *options, "--wheel-dir", str(tmp_path), str(CHECKOUT)], check=True)
    (wheel,) = tmp_path.glob("inspector-*.whl")
    subprocess.run([*pip, "install", *options, "--target", str(tmp_path / "installed"), str(wheel)], check=True)
    isolated = {**environment(), "PYTHONPATH": str(tmp_path / "installed"), "PYTHONSAFEPATH": "1"}
    where = subprocess.run(
        [sys.executable, "-c", "import inspector, ui; print(inspector.__file__, ui.__file__)"],
        env=isolated, capture_output=True, text=True, check=True, cwd=tmp_path,
    ).stdout  # fmt: skip
    assert all(path.startswith(str(tmp_path / "installed")) for path in where.split()), where
    assert os.fspath(CHECKOUT) not in where
    summary = demo(tmp_path, "--headless", "--parts", "50", environment=isolated)
    assert summary["mqtt"]["received_by_mes"] == 50
