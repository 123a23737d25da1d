"""Findings about what the station works with: camera, inference device, model, database, broker.

Each adapter is loaded only when its finding is asked for, so that one that is broken spoils only its own.
"""

import os
import tempfile
from pathlib import Path

from inspector.doctor.finding import Finding
from inspector.doctor.machine import nearest_existing
from inspector.domain.errors import InspectorError, SourceError
from inspector.domain.frame import MissedFrame
from inspector.settings import FolderSource, LoadedSettings, SimulatedSource, SourceSettings, VideoSource, redacted


def source(settings: LoadedSettings) -> Finding:
    """Does the source deliver a picture?"""
    given = settings.station.source
    try:
        return Finding("source", True, _picture_of(given))
    except InspectorError as error:
        return Finding("source", False, str(error), "Put right what is said here, or correct [source].")


def _picture_of(given: SourceSettings) -> str:
    """What a source delivers, in a few words. Raises SourceError when it delivers nothing."""
    if isinstance(given, SimulatedSource):
        return "the simulated line needs no camera"
    if isinstance(given, FolderSource):
        from inspector.adapters.cameras.picture_listing import pictures_of_folder, pictures_of_list

        if given.list_file is not None:
            return f"{len(pictures_of_list(given.path, given.list_file))} pictures in {given.list_file}"
        pictures = pictures_of_folder(given.path, split=given.only_split, ok_class=given.ok_class)
        return f"{len(pictures)} pictures in {given.path}"
    if isinstance(given, VideoSource):
        from inspector.adapters.cameras.video import VideoSource as Video

        first = next(iter(Video(given.path).triggers()), None)
        if first is None or isinstance(first, MissedFrame):
            raise SourceError(f"the video {given.path} gives no picture; is the file whole?")
        height, width = first.image.shape[:2]
        return f"the video {given.path}: {width}x{height} px"
    from inspector.adapters.cameras.opencv_camera import probe_camera

    url = given.url.get_secret_value() if given.url is not None else ""
    return probe_camera(given.device if given.device is not None else url)


def cameras() -> Finding:
    """Which cameras there are, when no configuration says which one is meant."""
    devices = sorted(Path("/dev").glob("video*"))
    if not devices:
        return Finding("source", True, "no USB camera is plugged in; the simulated line needs none")
    blocked = [str(device) for device in devices if not os.access(device, os.R_OK | os.W_OK)]
    if blocked:
        fix = "Add the station's user to the group video (sudo usermod -aG video USER) and log in again."
        return Finding("source", False, f"{', '.join(blocked)} may not be used by this user", fix)
    return Finding("source", True, f"USB cameras: {', '.join(str(device) for device in devices)}")


def inference_device(settings: LoadedSettings | None, flags: frozenset[str]) -> Finding:
    """Are the devices there that the recipe names, and what can the CPU do? `flags` as from `cpu_flags`."""
    from inspector.adapters.openvino_runtime import available_devices

    present = available_devices()
    detail = f"OpenVINO sees {', '.join(present)}; {_cpu_features(flags)}"
    wanted = {choice.device for choice in settings.to_recipe().stages.values()} if settings else set()
    names = {name for device in wanted for name in device.removeprefix("AUTO:").split(",") if name != "AUTO"}
    absent = sorted(name for name in names if not any(name in (other, other.split(".")[0]) for other in present))
    if absent:
        fix = f"Install the driver of {absent[0]}, or name another device in the recipe."
        return Finding("inference device", False, f"{detail}; {', '.join(absent)} is not there", fix)
    if flags and not flags & {"avx2", "asimd", "neon"}:
        fix = "Use a CPU of 2015 or later (with AVX2), or an Intel GPU."
        return Finding("inference device", False, detail, fix)
    return Finding("inference device", True, detail)


def cpu_flags() -> frozenset[str]:
    """What the CPU says it can do, in the kernel's words; empty where the kernel does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return frozenset()
    words = (line.partition(":")[2] for line in lines if line.lower().startswith(("flags", "features")))
    return frozenset(next(words, "").split())


def _cpu_features(flags: frozenset[str]) -> str:
    if not flags:
        return "what the CPU can do is not told here"
    named = {"AVX2": {"avx2"}, "AVX-512": {"avx512f"}, "VNNI": {"avx512_vnni", "avx_vnni"}, "AMX": {"amx_int8"}}
    have = [name for name, any_of in named.items() if flags & any_of]
    text = f"the CPU has {', '.join(have)}" if have else "the CPU has none of AVX2, AVX-512, VNNI, AMX"
    return text if flags & (named["VNNI"] | named["AMX"]) else f"{text} and so gains little from INT8"


def model(settings: LoadedSettings) -> Finding:
    """Does the bundle load, and does it answer on this machine as it did where it was made?"""
    from inspector.adapters.cameras.decoding import decode_picture
    from inspector.adapters.openvino_runtime import load_bundle

    recipe = settings.to_recipe()
    try:
        classifier = load_bundle(
            settings.bundle_dir,
            choices=recipe.stages,
            decode=decode_picture,
            cache_dir=None,
            inference_threads=1,
            bands=recipe.bands,
        )
    except InspectorError as error:
        return Finding("model", False, str(error), f"Copy the bundle '{recipe.bundle}' again, or correct the recipe.")
    info = classifier.info
    classifier.close()
    stages = ", ".join(f"{stage.name} on {stage.device} in {stage.precision}" for stage in info.stages)
    return Finding("model", True, f"{info.name} {info.version} ({info.model_hash[:12]}) answers as it should: {stages}")


def database(settings: LoadedSettings) -> Finding:
    """Can verdicts be written, and can those that are there be read?"""
    url, file = settings.station.store.url.get_secret_value(), settings.station.store.file
    if file is None:
        return _readable(url, redacted(url))
    return sqlite_file(file) if not file.exists() else _writable(file) or _readable(url, str(file))


def sqlite_file(file: Path) -> Finding:
    """Can `file`, which is not there yet, be made?"""
    fault = _writable(file)
    return fault or Finding("database", True, f"{file} is made by the first run; {_sqlite_words()}")


def _writable(file: Path) -> Finding | None:
    folder = nearest_existing(file.parent)
    try:
        with tempfile.TemporaryFile(dir=folder) as trial:
            trial.write(b"\0" * 4096)
            os.fsync(trial.fileno())
        if file.exists():
            file.open("r+b").close()
    except OSError as error:
        fix = f"Let the station's user write to {folder}, and look for a full disk."
        return Finding("database", False, f"{file} cannot be written ({error.strerror})", fix)
    return None


def _readable(url: str, name: str) -> Finding:
    from inspector.adapters.store import open_reader

    try:
        open_reader(url).close()
    except InspectorError as error:
        if "no records of a station yet" in str(error):
            return Finding("database", True, f"{name} is there and empty")
        fix = "Start the database or correct [store] url; no part passes without its verdict in the database."
        return Finding("database", False, str(error), fix)
    return Finding("database", True, f"{name}; {_sqlite_words()}" if url.startswith("sqlite") else name)


def _sqlite_words() -> str:
    from inspector.adapters.store.sqlite import sqlite_driver

    driver, has_wal = sqlite_driver()
    words = f"SQLite {driver.sqlite_version}"
    return words if has_wal else f"{words} is slow here, for it must do without WAL: pip install pysqlite3"


def broker(settings: LoadedSettings) -> Finding:
    """Does the broker let the station in?"""
    mqtt = settings.station.mqtt
    if not mqtt.enabled:
        return Finding("broker", True, "[mqtt] enabled is false: none is needed")
    from inspector.adapters.mqtt.probe import probe
    from inspector.station import mqtt_link

    # A name of its own: the broker would end a running station's session.
    link = mqtt_link(settings, client_id=f"{settings.station.mqtt_client_id}-doctor")
    try:
        probe(link, timeout_s=3.0)
    except InspectorError as error:
        fix = "Start the broker (sudo systemctl start mosquitto), or correct [mqtt]; until then messages wait safely."
        return Finding("broker", False, str(error), fix)
    return Finding("broker", True, f"{link.address} speaks MQTT {mqtt.protocol} and lets {link.client_id} in")
