"""A whole station for tests: settings, a tiny bundle and pictures on disk, run as the program that users run."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import zmq
from numpy.typing import NDArray

from inspector.adapters.store import StoreReader, open_reader
from inspector.domain.alarm import AlarmCode
from inspector.domain.state import StationState
from inspector.domain.wire import PART, STATE
from tests.support.bundles import picture, write_tiny_bundle

LEVELS = {"ok": (215.0, 190.0, 150.0), "scratch": (70.0, 105.0), "dent": (30.0,)}
"""Mean grey levels of the pictures by class: some leave at the front, some go on, all are judged right."""
START_S = 60.0


def write_picture(path: Path, image: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    done, data = cv2.imencode(path.suffix, image)
    assert done, path
    path.write_bytes(data.tobytes())


def write_pictures(folder: Path, copies: int = 4) -> int:
    """A labelled data set that the tiny bundle judges without a mistake; returns how many pictures it has."""
    number = 0
    for label, levels in LEVELS.items():
        for level in levels:
            for _ in range(copies):
                write_picture(folder / label / f"{number:04d}.png", picture(level, seed=number))
                number += 1
    return number


@dataclass
class Site:
    """A folder with everything a station needs. `extra` are lines of station.toml after [source]."""

    home: Path
    mqtt_port: int | None = None
    source: str = 'kind = "folder"\npath = "../pictures"'
    extra: str = ""
    state_dir: Path | None = None
    recipe: str = ""
    config: Path = field(init=False)
    _started: list[subprocess.Popen[str]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.config = self.home / "config" / "station.toml"
        self.bundle = write_tiny_bundle(self.home / "models" / "tiny")
        self.state = self.state_dir or self.home / "state"
        self.write()

    def write(self) -> None:
        mqtt = ""
        if self.mqtt_port is not None:
            mqtt = f'[mqtt]\nenabled = true\nhost = "127.0.0.1"\nport = {self.mqtt_port}\ndrain_s = 20.0\n'
        self.config.parent.mkdir(exist_ok=True)
        self.config.write_text(
            f'[station]\nid = "s1"\nrecipe = "tiny"\nstate_dir = {json.dumps(str(self.state))}\n'
            f"[source]\n{self.source}\n{mqtt}{self.extra}",
            encoding="utf-8",
        )
        recipe = self.config.parent / "recipes" / "tiny.toml"
        recipe.parent.mkdir(exist_ok=True)
        # Pictures come again and again here: a repeat is no frozen camera.
        recipe.write_text(
            f'product = "Tiny"\nbundle = "tiny"\n{self.recipe}[picture]\nfrozen_after = 0\n', encoding="utf-8"
        )

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "inspector.cli", "run", str(self.config), *arguments]

    def start(self, *arguments: str, log: Path | None = None) -> "subprocess.Popen[str]":
        """The station as a process; `stop` or `kill` it. Its standard error goes to `log`, or to `home/station.log`."""
        with (log or self.home / "station.log").open("a", encoding="utf-8") as stderr:
            process = subprocess.Popen(
                self.command(*arguments), stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment()
            )
        self._started.append(process)
        return process

    def run(self, *arguments: str, timeout_s: float = 90.0) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*arguments), capture_output=True, text=True, timeout=timeout_s, env=environment(), check=False
        )

    def summary(self, *arguments: str) -> Mapping[str, Any]:
        """Run to the end of the source, which must go well; the closing summary."""
        file = self.home / "summary.json"
        done = self.run("--json", str(file), *arguments)
        assert done.returncode == 0, done.stderr
        found: Mapping[str, Any] = json.loads(file.read_text("utf-8"))
        return found

    @property
    def database(self) -> Path:
        return self.state / "inspector.db"

    def reader(self) -> StoreReader:
        return open_reader(f"sqlite:///{self.database}")

    @property
    def log_text(self) -> str:
        return (self.home / "station.log").read_text("utf-8")

    def close(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.communicate()


def stop(process: "subprocess.Popen[str]", timeout_s: float = 60.0) -> int:
    """Ctrl-C; returns the exit code."""
    process.send_signal(signal.SIGINT)
    return process.wait(timeout_s)


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def rss_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def wait_until(condition: Any, what: str, timeout_s: float = START_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.05)


class FeedWatch:
    """What a dashboard would see of `site`: states and released parts, over as many starts of the station as come."""

    def __init__(self, site: Site) -> None:
        self.states: list[StationState] = []
        self.released: dict[str, str] = {}
        self._stop = threading.Event()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.RECONNECT_IVL, 20)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, 100)
        self._socket.subscribe("state")
        self._socket.subscribe("part")
        self._socket.connect(f"ipc://{site.state}/run/feed.sock")
        self._thread = threading.Thread(target=self._read, name="feed-watch")

    def __enter__(self) -> "FeedWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close(linger=0)
        self._context.term()

    def _read(self) -> None:
        while not self._stop.is_set():
            if not self._socket.poll(100):
                continue
            topic, _, body = self._socket.recv_multipart()
            if topic == b"state":
                self.states.append(STATE.validate_json(body))
            else:
                part = PART.validate_json(body)
                self.released[part.part_id] = part.disposition.action.value

    @property
    def state(self) -> StationState | None:
        return self.states[-1] if self.states else None

    def stands(self, code: AlarmCode) -> bool:
        state = self.state
        return state is not None and any(a.code is code and a.is_active for a in state.alarms)

    def parts(self) -> int:
        """Triggers of the run that is shown."""
        return self.state.counts.triggers if self.state else 0
