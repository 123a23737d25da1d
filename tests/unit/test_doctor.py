"""`inspector doctor`: what it finds, and that each fault comes with its fix."""

import socket
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inspector.adapters.store import open_store
from inspector.doctor import Finding, doctor, machine, peers
from inspector.doctor.finding import found
from inspector.settings import LoadedSettings, load_settings
from tests.support.bundles import write_tiny_bundle
from tests.support.mosquitto import Mosquitto, free_port

STATION = """\
[station]
id = "s1"
recipe = "plates"

[source]
kind = "simulated"

"""
RECIPE = 'product = "Plate"\nbundle = "tiny"\n'


class Site:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config" / "station.toml"
        (folder / "config" / "recipes").mkdir(parents=True)
        self.write()
        self.bundle = write_tiny_bundle(folder / "models" / "tiny", stages=("full",))

    def write(self, more: str = "", recipe: str = RECIPE) -> None:
        self.config.write_text(STATION + more, "utf-8")
        (self.config.parent / "recipes" / "plates.toml").write_text(recipe, "utf-8")

    def settings(self, more: str = "", recipe: str = RECIPE) -> LoadedSettings:
        self.write(more, recipe)
        return load_settings(self.config)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_good_site(site: Site) -> None:
    findings = {finding.name: finding for finding in doctor(site.config)}
    assert list(findings) == [
        "configuration",
        "source",
        "inference device",
        "model",
        "database",
        "broker",
        "disk",
        "clock",
        "cores",
        "display",
    ]
    for name in ("configuration", "source", "inference device", "model", "database", "broker", "disk"):
        assert findings[name].ok, findings[name]
    assert "OpenVINO sees CPU" in findings["inference device"].detail
    assert "full on CPU in FP32" in findings["model"].detail
    assert not (site.folder / "var").exists(), "looking must not make anything"


def test_without_a_configuration_the_machine_is_looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    names = [finding.name for finding in doctor()]
    assert names == ["source", "inference device", "disk", "clock", "cores", "display"]


def test_a_bad_configuration_is_a_finding_and_the_machine_is_looked_at(site: Site) -> None:
    site.write("[log]\nlevl = 1\n")
    findings = doctor(site.config)
    assert findings[0].name == "configuration"
    assert not findings[0].ok
    assert "[log] levl: unknown key; did you mean 'level'?" in findings[0].detail
    assert len(findings) == 7


def test_a_fault_without_a_fix_cannot_be_told() -> None:
    with pytest.raises(ValueError, match="needs a fix"):
        Finding("x", False, "broken")


def test_a_look_that_raises_or_hangs_is_a_finding() -> None:
    def fails() -> Finding:
        raise RuntimeError("the driver is gone")

    failed = found("camera", fails, limit_s=10)
    assert (failed.ok, failed.detail) == (False, "the driver is gone")
    release = threading.Event()

    def hangs() -> Finding:
        release.wait(30)
        return Finding("camera", True, "")

    hung = found("camera", hangs, limit_s=0.05)
    release.set()
    assert (hung.ok, hung.detail) == (False, "no answer within 0.05 s")


# The machine


def test_disk(tmp_path: Path) -> None:
    assert machine.disk(tmp_path / "not" / "yet", 0).ok
    full = machine.disk(tmp_path / "not" / "yet", 10**9)
    assert not full.ok
    assert str(tmp_path) in full.fix


@pytest.mark.parametrize(
    ("year", "synchronised", "ok", "told"),
    [
        (2026, True, True, "synchronised"),
        (2026, False, False, "not synchronised"),
        (1970, True, False, "1970-"),
        (2150, True, False, "2150-"),
    ],
)
def test_clock(year: int, synchronised: bool, ok: bool, told: str) -> None:
    finding = machine.clock(datetime(year, 1, 2, tzinfo=UTC), synchronised)
    assert finding.ok is ok
    assert told in finding.detail


def test_the_kernel_or_systemd_says_whether_the_clock_is_synchronised() -> None:
    assert machine.clock_is_synchronised() in (True, False, None)
    assert machine.clock().detail


@pytest.mark.parametrize(("load", "count", "ok"), [(0.1, 4, True), (0.1, 1, False), (3.5, 4, False), (2.9, 4, True)])
def test_cores(load: float, count: int, ok: bool) -> None:
    assert machine.cores(load, count).ok is ok


def test_display_names_the_missing_packages() -> None:
    finding = machine.display(["libc.so.6", "libxcb-cursor.so.987"])
    assert not finding.ok
    assert finding.fix == "sudo apt-get install libxcb-cursor.so.987"
    assert machine.display(["libc.so.6"]).ok
    assert all(package.startswith("lib") for package in machine.DISPLAY_LIBRARIES.values())


# What the station works with


def test_source(site: Site) -> None:
    assert peers.source(site.settings()).ok
    folder = site.settings().with_overrides(source_path=site.folder)
    assert peers.source(folder).ok
    for path in ("none", "none.mp4"):
        finding = peers.source(site.settings().with_overrides(source_path=site.folder / path))
        assert not finding.ok
        assert str(site.folder / path) in finding.detail


def test_inference_device(site: Site) -> None:
    fast = peers.inference_device(None, frozenset({"avx2", "avx512f", "avx512_vnni"}))
    assert fast.ok
    assert "AVX2, AVX-512, VNNI" in fast.detail
    plain = peers.inference_device(None, frozenset({"avx2"}))
    assert plain.ok
    assert "gains little from INT8" in plain.detail
    old = peers.inference_device(None, frozenset({"sse2"}))
    assert not old.ok
    absent = peers.inference_device(site.settings(recipe=RECIPE + '[stages.full]\ndevice = "NPU"\n'), frozenset())
    assert not absent.ok
    assert "NPU is not there" in absent.detail
    auto = peers.inference_device(site.settings(recipe=RECIPE + '[stages.full]\ndevice = "AUTO:CPU"\n'), frozenset())
    assert auto.ok


def test_cpu_flags_are_those_of_this_machine() -> None:
    flags = peers.cpu_flags()
    assert "fpu" in flags or "fp" in flags


def test_a_model_with_a_nan_weight(site: Site) -> None:
    write_tiny_bundle(site.bundle, stages=("full",), poisoned="full")
    finding = peers.model(site.settings())
    assert not finding.ok
    assert "'tiny'" in finding.fix


def test_a_database_that_the_first_run_makes(site: Site) -> None:
    finding = peers.database(site.settings())
    assert finding.ok
    assert "is made by the first run; SQLite 3." in finding.detail
    assert "WAL" not in finding.detail, "the locked dependencies bring a SQLite that is safe with WAL"


def test_a_database_that_is_there(site: Site) -> None:
    settings = site.settings('[store]\nurl = "sqlite:///a.db"\n')
    url = settings.station.store.url.get_secret_value()
    file = site.config.parent / "a.db"
    sqlite3.connect(file).close()
    file.touch()
    empty = peers.database(settings)
    assert empty.ok, empty
    assert empty.detail == f"{file} is there and empty"
    file.unlink()
    open_store(url, station_id="s1").close()
    used = peers.database(settings)
    assert used.ok, used
    assert used.detail.startswith(f"{file}; SQLite")


def test_a_database_that_cannot_be_used(site: Site) -> None:
    (site.folder / "file").write_text("no database", "utf-8")
    (site.folder / "folder.db").mkdir()
    for path in ("file/b.db", "folder.db", "file"):
        finding = peers.database(site.settings(f'[store]\nurl = "sqlite:///../{path}"\n'))
        assert not finding.ok, path
        assert str(site.folder / "f") in finding.detail


def test_a_database_server_that_is_not_there(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "hunter2")
    url = f"postgresql://inspector:${{DB_PASSWORD}}@127.0.0.1:{free_port()}/inspector"
    finding = peers.database(site.settings(f'[store]\nurl = "{url}"\n'))
    assert not finding.ok
    assert "hunter2" not in str(finding)


def _mqtt(port: int, more: str = "") -> str:
    return f'[mqtt]\nenabled = true\nhost = "127.0.0.1"\nport = {port}\n{more}'


@contextmanager
def _broker(site: Site, users: Mapping[str, str] | None = None) -> Iterator[Mosquitto]:
    broker = Mosquitto(site.folder / "broker", users=users)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_broker_that_lets_us_in(site: Site, protocol: str) -> None:
    with _broker(site) as broker:
        finding = peers.broker(site.settings(_mqtt(broker.port, f'protocol = "{protocol}"\n')))
    assert finding.ok, finding
    assert f"speaks MQTT {protocol}" in finding.detail


@pytest.mark.parametrize(("password", "ok"), [("hunter2", True), ("hunter3", False)])
def test_a_broker_that_asks_who_we_are(site: Site, monkeypatch: pytest.MonkeyPatch, password: str, ok: bool) -> None:
    monkeypatch.setenv("MQTT_PASSWORD", password)
    with _broker(site, users={"s1": "hunter2"}) as broker:
        more = 'username = "s1"\npassword_env = "MQTT_PASSWORD"\n'
        finding = peers.broker(site.settings(_mqtt(broker.port, more)))
    assert finding.ok is ok, finding
    assert "hunter" not in str(finding)


def test_no_broker(site: Site) -> None:
    finding = peers.broker(site.settings(_mqtt(free_port())))
    assert not finding.ok
    assert "nothing listens" in finding.detail


def test_a_port_that_is_no_broker(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        finding = peers.broker(site.settings(_mqtt(mute.getsockname()[1])))
    assert not finding.ok
    assert "does not answer as an MQTT broker within 3 s" in finding.detail
