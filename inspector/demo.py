"""The demo: a simulated line, its station, a broker, a small MES and the dashboard, with nothing else installed.

    broker (child) ◀── station (this process) ◀── simulated line
       └──▶ MES receiver: counts what arrives      └──▶ feed ──▶ dashboard (child), or a table in the terminal

The station runs on files like any other, in a folder of its own, so that limits can be moved while it runs.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import click

from inspector import shipped
from inspector.adapters.mqtt.embedded_broker import EmbeddedBroker
from inspector.adapters.mqtt.link import MqttLink
from inspector.adapters.mqtt.mes_receiver import MesReceiver
from inspector.domain.errors import InspectorError
from inspector.domain.events import Topics
from inspector.domain.state import StationState
from inspector.settings import load_settings
from inspector.station import Station, stops_on_signals
from inspector.terminal import RunView

RECIPE = "simulated_line"
HEADLESS_PARTS = 1000
"""Parts of a demo without a screen: about ten seconds."""
BELT_PER_S = 10.0
"""Parts a second that a person can watch."""
_SUBSCRIBED_S = 10.0
_DELIVERED_S = 15.0

_STATION = """\
# The demo's station, made by `inspector demo`. Saved changes of the recipe beside it are taken over while it runs.
[station]
id = "demo"
path = ["inspector", "demo"]
recipe = "{recipe}"
state_dir = {state}

[source]
kind = "simulated"
seed = {seed}
parts = {parts}
parts_per_s = {rate}

[model]
bundles = {bundles}

[mqtt]
enabled = true
host = "{host}"
port = {port}

[log]
level = "WARNING"
"""


def run_demo(*, headless: bool, parts: int | None, seed: int, rate: float | None, folder: Path | None) -> StationState:
    """Run the demo to its end and return the station's last state, `mes_received` included.

    `parts` None: endless with a dashboard, HEADLESS_PARTS without. `rate` is in parts/s, 0 as fast as they are judged;
    None is BELT_PER_S with a dashboard and 0 without. `folder` keeps what the demo writes; None writes to a temporary one.
    Raises InspectorError.
    """
    if parts is None:
        parts = HEADLESS_PARTS if headless else 0
    if rate is None:
        rate = 0.0 if headless else BELT_PER_S
    with _working_folder(folder) as home, EmbeddedBroker() as broker:
        config = _written_config(home, broker, parts, seed, rate)
        settings = load_settings(config)
        mes = MesReceiver(
            MqttLink(host=broker.host, port=broker.port, client_id="demo-mes"), Topics(settings.station.topic_path).all
        )
        mes.start()
        try:
            _wait_subscribed(mes)
            with RunView(parts) as view:
                station = Station(settings, on_state=view.show)
                with stops_on_signals(station), nullcontext() if headless else _dashboard(config, station):
                    last = station.run()
            mes.wait_for(last.counts.triggers, _DELIVERED_S)
            return replace(last, mes_received=mes.received().verdicts)
        finally:
            mes.stop()


@contextmanager
def _working_folder(folder: Path | None) -> Iterator[Path]:
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="inspector-demo-") as made:
            yield Path(made)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InspectorError(f"demo folder {folder} cannot be made ({error.strerror}); name another one") from error
    yield folder.resolve()


def _written_config(home: Path, broker: EmbeddedBroker, parts: int, seed: int, rate: float) -> Path:
    config = home / "station.toml"
    values = {
        "recipe": RECIPE,
        "state": json.dumps(str(home / "state")),  # a JSON text is a TOML text
        "bundles": json.dumps(str(shipped.bundles_dir())),
        "host": broker.host,
        "port": broker.port,
        "parts": parts,
        "seed": seed,
        "rate": float(rate),
    }
    config.write_text(_STATION.format(**values), encoding="utf-8")
    recipe = home / "recipes" / f"{RECIPE}.toml"
    recipe.parent.mkdir(exist_ok=True)
    if not recipe.exists():  # a kept folder keeps what was changed in it
        shutil.copyfile(shipped.recipes_dir() / recipe.name, recipe)
    return config


def _wait_subscribed(mes: MesReceiver) -> None:
    """What the station sends before anybody listens would not be counted."""
    until = time.monotonic() + _SUBSCRIBED_S
    while not mes.is_subscribed:
        if time.monotonic() > until:
            raise InspectorError(
                f"the demo's broker does not let the MES receiver subscribe ({mes.refusal or 'no answer'})"
            )
        time.sleep(0.02)


@contextmanager
def _dashboard(config: Path, station: Station) -> Iterator[None]:
    """The dashboard in a process of its own; closing its window ends the demo."""
    click.echo(f"The station's settings are in {config.parent}: change its recipe and watch.", err=True)
    process = subprocess.Popen([sys.executable, "-m", "inspector.cli", "dashboard", str(config)])
    failed: list[int] = []

    def watch() -> None:
        if process.wait() > 0:
            failed.append(process.returncode)
        station.stop()

    watcher = threading.Thread(target=watch, name="demo-dashboard", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        process.terminate()
        watcher.join()
    if failed:
        raise InspectorError("the dashboard could not be shown; run `inspector doctor`, or `inspector demo --headless`")
