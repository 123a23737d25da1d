"""The layering is a test: the tree keeps its contracts, and each kind of violation is seen.

Violations are injected into a copy of the packages; nothing in it is ever run.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Report:
    kept: bool
    text: str


def linted(tree: Path) -> Report:
    """What import-linter says of `tree`."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(tree), "NO_COLOR": "1", "COLUMNS": "400"}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=100)
    return Report(done.returncode == 0, done.stdout + done.stderr)


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("tree")
    for package in ("inspector", "ui"):
        for source in (ROOT / package).rglob("*.py"):
            target = tree / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    shutil.copy(ROOT / "pyproject.toml", tree)
    return tree


@contextmanager
def injected(tree: Path, module: str, line: str) -> Iterator[None]:
    path = tree / module
    before = path.read_text(encoding="utf-8")
    # An import within a function counts, too.
    path.write_text(f"{before}\n\ndef _violation() -> None:\n    {line}\n", encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(before, encoding="utf-8")


def test_the_tree_keeps_its_contracts(copied: Path) -> None:
    report = linted(copied)
    assert report.kept, report.text
    assert "0 broken" in report.text


DOMAIN, PIPELINE, ADAPTER = (
    "inspector/domain/exits.py",
    "inspector/pipeline/cascade.py",
    "inspector/adapters/system_clock.py",
)


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        # layers
        (DOMAIN, "import inspector.ports", "Layers"),
        (DOMAIN, "import inspector.adapters.cameras.decoding", "Layers"),
        (PIPELINE, "import inspector.adapters.store", "Layers"),
        (PIPELINE, "import inspector.settings", "Layers"),
        (ADAPTER, "import inspector.pipeline.line", "Layers"),
        (ADAPTER, "import inspector.station", "Layers"),
        ("inspector/station.py", "import inspector.cli", "Layers"),
        ("inspector/settings/fields.py", "import inspector.adapters.mqtt", "Layers"),
        # cycles
        (DOMAIN, "import inspector.domain.verdict", "No cycles"),
        ("inspector/pipeline/ledger.py", "import inspector.pipeline.line", "No cycles"),
        ("ui/look.py", "import ui.window", "No cycles"),
        # the dashboard
        ("ui/window.py", "import inspector.adapters.store", "The dashboard"),
        ("ui/window.py", "import inspector.pipeline.line", "The dashboard"),
        # drivers out of their room
        ("ui/window.py", "import cv2", "OpenCV only"),
        ("inspector/station.py", "import cv2", "OpenCV only"),
        (ADAPTER, "import openvino", "OpenVINO only"),
        ("inspector/workshop/dataset.py", "import paho.mqtt.client", "MQTT clients"),
        ("inspector/cli.py", "import sqlalchemy", "SQLAlchemy and Alembic"),
        ("ui/window.py", "import zmq", "ZeroMQ only"),
        ("inspector/cli.py", "import PySide6.QtCore", "Qt only"),
        (PIPELINE, "import cv2", "Domain and pipeline reach no driver"),
        (DOMAIN, "import zmq", "Domain and pipeline reach no driver"),
        # the workshop stays offline
        ("inspector/station.py", "import inspector.workshop.bands", "neither the workshop"),
        (ADAPTER, "import torch", "neither the workshop"),
        ("inspector/doctor/machine.py", "import nncf", "neither the workshop"),
        ("inspector/station.py", "import inspector.testing", "nor the fakes"),
        ("inspector/cli.py", "import torch", "The commands leave training tools"),
    ],
)
def test_a_violation_is_seen(copied: Path, module: str, line: str, contract: str) -> None:
    with injected(copied, module, line):
        report = linted(copied)
    assert not report.kept
    broken = [name for name in report.text.splitlines() if name.endswith("BROKEN")]
    assert any(contract in name for name in broken), report.text


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("inspector/adapters/cameras/pacing.py", "import cv2"),
        ("inspector/adapters/store/lock.py", "import sqlalchemy.engine"),
        ("inspector/workshop/bands.py", "import torch, nncf, scipy.stats, openvino, cv2"),
        ("inspector/cli.py", "import inspector.workshop.bands"),
        ("ui/window.py", "import PySide6.QtSvg"),
    ],
)
def test_a_driver_in_its_own_room_is_none(copied: Path, module: str, line: str) -> None:
    with injected(copied, module, line):
        report = linted(copied)
    assert report.kept, report.text
