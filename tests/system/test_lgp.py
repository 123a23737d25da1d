"""Acceptance B: the shipped bundle over the real test pictures of light guide plates; database and MES agree."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from inspector.adapters.store import open_reader
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt import Subscriber, eventually
from tests.support.running_station import environment

CHECKOUT = Path(__file__).parents[2]
DATA = CHECKOUT.parent / "shared" / "data" / "lgp"
BASE = "enterprise/site/area/line/cell/lgp-1"


@pytest.mark.skipif(not DATA.is_dir(), reason="the lgp pictures are not beside this checkout (../shared/data/lgp)")
def test_each_test_picture_once_and_the_mes_agrees_with_the_database(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker").start()
    text = (CHECKOUT / "config" / "lgp.toml").read_text("utf-8")
    text = re.sub(r"(?m)^port = \d+", f"port = {broker.port}", text)
    text = re.sub(r"(?m)^state_dir = .*", f"state_dir = {json.dumps(str(tmp_path / 'state'))}", text)
    text += f"\n[model]\nbundles = {json.dumps(str(CHECKOUT / 'models'))}\n"
    config = tmp_path / "config" / "lgp.toml"
    (config.parent / "recipes").mkdir(parents=True)
    config.write_text(text, encoding="utf-8")
    (config.parent / "recipes" / "lgp.toml").write_bytes((CHECKOUT / "config" / "recipes" / "lgp.toml").read_bytes())
    summary_file = tmp_path / "summary.json"
    command = [sys.executable, "-m", "inspector.cli", "run", str(config), "--source", str(DATA)]
    try:
        with Subscriber(broker.port, f"{BASE}/#") as subscriber:
            done = subprocess.run(
                [*command, "--json", str(summary_file)], capture_output=True, text=True, env=environment(), check=False
            )
            assert done.returncode == 0, done.stderr
            summary = json.loads(summary_file.read_text("utf-8"))
            reader = open_reader(f"sqlite:///{tmp_path}/state/lgp.db")
            parts = reader.parts(summary["run_id"], limit=10_000)
            reader.close()
            eventually(lambda: len(subscriber.ids(f"{BASE}/verdict")) >= len(parts), "all verdicts arrive")
            heard = {}
            for arrival in subscriber.of(f"{BASE}/verdict"):
                data = arrival.event["data"]
                heard[data["PartId"]] = (
                    data["Disposition"],
                    data["DefectClass"],
                    data["Exit"],
                    Path(data["Origin"]).name,
                )
    finally:
        broker.stop()
    wanted = [line.split(",")[0] for line in (DATA / "split.csv").read_text("utf-8").splitlines() if ",test," in line]
    assert sorted(part.frame_id for part in parts) == sorted(wanted), "each file exactly once"
    assert summary["triggers"] == len(wanted)
    assert summary["accuracy"] >= 0.96
    assert heard == {
        part.part_id: (
            part.disposition.action.value,
            part.verdict.defect_class if part.verdict else None,
            part.verdict.exit if part.verdict else None,
            Path(part.origin).name,
        )
        for part in parts
    }
    print(f"{summary['accuracy']:.2%} of {len(parts)}, exits {summary['exits']}")
