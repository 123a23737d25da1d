"""A station's installation has no workshop tools: commands that need them say so in one sentence."""

import subprocess
import sys

import pytest

_BLOCKED = "import sys; sys.modules['{0}'] = None; sys.argv = ['inspector', *sys.argv[1:]]; from inspector.cli import main; main()"


@pytest.mark.parametrize("command", ["evaluate", "certify", "accelerate"])
def test_what_to_install_is_said(command: str) -> None:
    arguments = {
        "evaluate": ["models/lgp", "."],
        "certify": ["models/lgp", ".", "--max-added-escape", "0.1", "--max-added-overkill", "0.1"],
        "accelerate": ["model.xml", ".", "--out", "none"],
    }[command]
    done = subprocess.run(
        [sys.executable, "-c", _BLOCKED.format("scipy"), command, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "needs scipy" in done.stderr
    assert "pip install 'inspector[workshop]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_station_needs_none_of_them() -> None:
    code = "import sys\nfor name in ('scipy', 'nncf', 'sklearn', 'torch'): sys.modules[name] = None\nimport inspector.station, inspector.demo, inspector.check, inspector.doctor, ui.app"
    subprocess.run([sys.executable, "-c", code], check=True)
