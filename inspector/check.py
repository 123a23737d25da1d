"""`inspector check`: is this configuration right, and does what it names exist?

    both files ─▶ settings ─▶ bundle (manifest, every file's hash) ─▶ do recipe and source fit it?
                         └─▶ do the other files exist that the settings name?

Nothing is started, opened for writing or connected to; that is `doctor`'s business.
"""

import ipaddress
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from inspector.domain.errors import ConfigError, ModelError, SourceError
from inspector.domain.frame import ColorSpace
from inspector.domain.model import ModelInfo
from inspector.domain.recipe import Recipe
from inspector.settings import (
    FolderSource,
    InvalidConfigError,
    LoadedSettings,
    Problem,
    SimulatedSource,
    VideoSource,
    did_you_mean,
    line_in,
    load_settings,
)


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What was found. `problems` keep the station from starting or from judging any part, one line each with its
    remedy; `notes` are legal and worth knowing. `settings` and `model` are None when they could not be read."""

    files: tuple[Path, ...]
    settings: LoadedSettings | None
    model: ModelInfo | None
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


def check(path: Path, *, source_path: Path | None = None) -> CheckReport:
    """Check station.toml at `path`, its recipe and its bundle; `source_path` as for `with_overrides`. Never raises."""
    try:
        settings = load_settings(path).with_overrides(source_path=source_path)
    except InvalidConfigError as error:
        return CheckReport(error.files, None, None, tuple(str(problem) for problem in error.problems), ())
    except ConfigError as error:
        return CheckReport((path,), None, None, (str(error),), ())
    found = _Found(settings)
    model = _model(found)
    if model is not None:
        _recipe_and_bundle(found, model)
    _source(found, model)
    _mqtt(found)
    return CheckReport(settings.files, settings, model, tuple(found.problems), tuple(found.notes))


@dataclass(slots=True)
class _Found:
    settings: LoadedSettings
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def in_station(self, *path: str, text: str) -> None:
        self._problem(self.settings.files[0], path, text)

    def in_recipe(self, *path: str, text: str) -> None:
        self._problem(self.settings.files[1], path, text)

    def _problem(self, file: Path, path: tuple[str, ...], text: str) -> None:
        *tables, key = path
        name = f"[{'.'.join(tables)}] {key}" if tables else key
        self.problems.append(str(Problem(file, line_in(file, *path), name, text)))


def _model(found: _Found) -> ModelInfo | None:
    """The recipe's bundle as it is, before the recipe has its say."""
    from inspector.adapters.openvino_runtime import read_info  # loads OpenVINO: half a second that a typo need not wait

    settings = found.settings
    folder = settings.bundle_dir
    if not folder.is_dir():
        known = sorted(path.parent.name for path in folder.parent.glob("*/manifest.json"))
        hint = did_you_mean(folder.name, known) or (f"; there are {', '.join(known)}" if known else "")
        text = f"there is no bundle '{folder.name}' in {folder.parent}{hint or '; correct [model] bundles'}"
        found.in_recipe("bundle", text=text)
        return None
    try:
        return read_info(folder)
    except ModelError as error:
        found.in_recipe("bundle", text=str(error))
        return None


def _recipe_and_bundle(found: _Found, model: ModelInfo) -> None:
    from inspector.adapters.openvino_runtime import read_info

    recipe = found.settings.to_recipe()
    stages = [stage.name for stage in model.stages]
    for kind, chosen, known in (("exits", recipe.bands, model.exits), ("stages", recipe.stages, stages)):
        for name in _unknown(chosen, known):
            hint = did_you_mean(name, known) or f"; it has {', '.join(known)}"
            found.in_recipe(kind, name, text=f"the bundle '{model.name}' has no such {kind.removesuffix('s')}{hint}")
    for name, choice in recipe.stages.items():
        if name in stages:
            try:
                read_info(found.settings.bundle_dir, choices={name: choice})
            except ModelError as error:
                found.in_recipe("stages", name, "precision", text=str(error))
    found.notes.append(_certificate_note(recipe, model, found.settings.bundle_dir))
    if recipe.full_model_only:
        found.notes.append("full_model_only is on: no part takes an early exit")


def _certificate_note(recipe: Recipe, model: ModelInfo, folder: Path) -> str:
    """What the bundle's certificate is worth where it runs as `recipe` says, on this machine."""
    from inspector.adapters.openvino_runtime import read_info

    with suppress(ModelError):  # told where it was found
        model = read_info(folder, choices=recipe.stages)
    status = model.certificate.with_hand_set(tuple(recipe.bands))
    if status.is_certified:
        return f"the bundle '{model.name}' is {status.sentence}"
    if status.void is not None:
        return f"this station runs {status.sentence}; certify the bundle anew (inspector certify), or undo the change"
    if recipe.bands:
        return f"the bands of {', '.join(recipe.bands)} are set by hand: this station runs uncertified"
    return f"the bundle '{model.name}' brings no certificate: this station runs uncertified"


def _unknown(chosen: Mapping[str, object], known: tuple[str, ...] | list[str]) -> Iterator[str]:
    return (name for name in chosen if name not in known)


def _source(found: _Found, model: ModelInfo | None) -> None:
    source = found.settings.station.source
    if isinstance(source, SimulatedSource) and model is not None:
        if (source.height, source.width) != (model.input.height, model.input.width):
            text = f"the bundle '{model.name}' takes {model.input.width}x{model.input.height} px; write that"
            found.in_station("source", "width", text=text)
        if model.input.color is not ColorSpace.BGR:
            text = f"the bundle '{model.name}' takes grey pictures and the simulated line makes coloured ones"
            found.in_recipe("bundle", text=f"{text}; name another bundle")
    elif isinstance(source, FolderSource):
        from inspector.adapters.cameras.picture_listing import pictures_of_folder, pictures_of_list

        try:
            if source.list_file is None:
                pictures_of_folder(source.path, split=source.only_split, ok_class=source.ok_class)
            else:
                pictures_of_list(source.path, source.list_file)
        except SourceError as error:
            found.in_station("source", "path" if source.list_file is None else "list_file", text=str(error))
    elif isinstance(source, VideoSource) and not source.path.is_file():
        found.in_station("source", "path", text=f"there is no video {source.path}; correct the path")


def _mqtt(found: _Found) -> None:
    mqtt = found.settings.station.mqtt
    if not mqtt.enabled:
        found.notes.append("[mqtt] enabled is false: verdicts are kept in the database and sent to nobody")
        return
    if mqtt.tls is not None:
        for key in ("ca", "cert", "key"):
            path: Path | None = getattr(mqtt.tls, key)
            if path is not None and not path.is_file():
                found.in_station("mqtt", "tls", key, text=f"there is no file {path}; correct the path")
    elif mqtt.username is not None and not _is_this_machine(mqtt.host):
        found.notes.append(f"the password for {mqtt.host} crosses the network unencrypted: add [mqtt.tls]")
    if mqtt.password_file is not None and _others_can_read(mqtt.password_file):
        found.notes.append(f"others on this machine can read {mqtt.password_file}: chmod 600 it")


def _others_can_read(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
    except OSError:
        return False


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
