"""A configuration that holds together: what the station is started with."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from inspector.domain.errors import ConfigError
from inspector.domain.recipe import Recipe
from inspector.ports import ConfigVersion
from inspector.settings.fields import Place, Settings
from inspector.settings.problems import problems_of
from inspector.settings.recipe_file import RecipeSettings
from inspector.settings.sources import FolderSource, SourceSettings, VideoSource
from inspector.settings.station_file import StationSettings

_VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v"})
_LIST_SUFFIXES = frozenset({".txt", ".lst"})


class _Command(Settings):
    """So that a source from the command line is checked like one from the file."""

    source: SourceSettings


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line says instead of the file; None leaves the file's value."""

    source_path: Path | None = None
    parts: int | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings of a station and of its recipe.

    `content` is canonical JSON with secrets left out, `version` its SHA-256 (hex). `files` are the station's and the
    recipe's, none when the settings were made in memory.
    """

    station: StationSettings
    recipe: RecipeSettings
    recipe_id: str
    files: tuple[Path, ...] = ()
    overrides: Overrides = Overrides()
    content: str = field(init=False)
    version: str = field(init=False)

    def __post_init__(self) -> None:
        values = {
            "station": self.station.model_dump(mode="json"),
            "recipe_id": self.recipe_id,
            "recipe": self.recipe.model_dump(mode="json"),
        }
        content = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        object.__setattr__(self, "content", content)
        object.__setattr__(self, "version", hashlib.sha256(content.encode()).hexdigest())

    @property
    def short_version(self) -> str:
        """The first 12 hex digits, for people."""
        return self.version[:12]

    @property
    def bundle_dir(self) -> Path:
        return self.station.model.bundles / self.recipe.bundle

    def to_recipe(self) -> Recipe:
        return self.recipe.to_recipe(self.recipe_id)

    def to_config_version(self, applied_at: datetime) -> ConfigVersion:
        """For the store. `applied_at` is UTC."""
        return ConfigVersion(self.version, applied_at, self.content)

    def with_overrides(
        self, source_path: Path | None = None, parts: int | None = None, seed: int | None = None
    ) -> "LoadedSettings":
        """The same settings with what the command line says of the source; repeated calls add up. Raises ConfigError.

        `source_path`, relative to the working folder, is a folder, a video or a .txt list of pictures. It keeps the
        other keys of a source of its kind, and otherwise takes the source's place. `parts` ends the run after so many.
        `seed` is the simulated line's.
        """
        source = self.station.source
        if source_path is not None:
            source = _validated(_at_path(source, source_path), "--source")
        if parts is not None:
            source = _validated({**_values(source), "parts": parts}, "--parts")
        if seed is not None:
            if source.kind != "simulated":
                raise ConfigError(
                    f"--seed: only a simulated source has a seed, and this one is a {source.kind}; leave it out"
                )
            source = _validated({**_values(source), "seed": seed}, "--seed")
        return replace(
            self,
            station=self.station.model_copy(update={"source": source}),
            overrides=Overrides(
                self.overrides.source_path if source_path is None else source_path.absolute(),
                self.overrides.parts if parts is None else parts,
                self.overrides.seed if seed is None else seed,
            ),
        )

    def with_same_overrides(self, other: "LoadedSettings") -> "LoadedSettings":
        """These settings, as freshly read, with the command line of `other` on top."""
        return self.with_overrides(other.overrides.source_path, other.overrides.parts, other.overrides.seed)


def _values(source: SourceSettings) -> dict[str, Any]:
    """As they are, secrets included: `model_dump` would leave those out."""
    return {name: getattr(source, name) for name in type(source).model_fields}


def _at_path(source: SourceSettings, path: Path) -> dict[str, Any]:
    suffix = path.suffix.lower()
    if suffix in _VIDEO_SUFFIXES:
        kept = _values(source) if isinstance(source, VideoSource) else {"kind": "video", "parts": source.parts}
        return {**kept, "path": path.absolute()}
    kept = _values(source) if isinstance(source, FolderSource) else {"kind": "folder", "parts": source.parts}
    if suffix in _LIST_SUFFIXES:
        return {**kept, "path": path.absolute().parent, "list_file": path.absolute(), "split": "all"}
    if path.absolute() != kept.get("path"):
        kept |= {"list_file": None}
    return {**kept, "path": path.absolute()}


def _validated(values: dict[str, Any], option: str) -> SourceSettings:
    try:
        return _Command.model_validate({"source": values}, context={"place": Place.of(Path())}).source
    except ValidationError as error:
        problem = problems_of(error, _Command, Path(option), {})[0]
        raise ConfigError(f"{option}: {problem.text}") from None
