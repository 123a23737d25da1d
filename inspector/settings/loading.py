"""From the two files to settings, or to every problem in them at once.

station.toml ─▶ text ─▶ tables ─▶ StationSettings ──┐
                           └─ name of the recipe    ├─▶ LoadedSettings, its version the hash of its content
recipes/<name>.toml ─▶ text ─▶ tables ─▶ RecipeSettings
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from inspector.domain.errors import ConfigError
from inspector.settings.fields import NAME_PATTERN, Place, Settings
from inspector.settings.loaded import LoadedSettings
from inspector.settings.problems import InvalidConfigError, Problem, did_you_mean, problems_of
from inspector.settings.recipe_file import RecipeSettings
from inspector.settings.station_file import StationSettings
from inspector.settings.toml_lines import KeyPath, key_lines, line_of

_LARGEST_BYTES = 1_000_000
_S = TypeVar("_S", bound=Settings)


@dataclass(frozen=True, slots=True)
class _Document:
    """A file as far as it could be read. `tables` is None when it could not."""

    file: Path
    tables: dict[str, Any] | None = None
    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @classmethod
    def unreadable(cls, file: Path, text: str, line: int | None = None) -> "_Document":
        return cls(file, problems=(Problem(file, line, "", text),))

    def value(self, *path: str) -> Any:
        """What stands at `path`, None if nothing does."""
        found: Any = self.tables
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return found


def load_settings(path: Path) -> LoadedSettings:
    """Read station.toml at `path` and its recipe. Raises InvalidConfigError with every problem of both, one a line."""
    path = Path(path)
    station_file = _read(path, f"give the path of a station.toml{_neighbour(path)}")
    place = Place.of(path.parent, station_file.value("station", "state_dir"))
    station, problems = _checked(StationSettings, station_file, place)
    if station is not None:
        problems += _secret_problems(station, station_file)

    files = [path]
    recipe: RecipeSettings | None = None
    recipe_id = station_file.value("station", "recipe")
    if isinstance(recipe_id, str) and re.match(NAME_PATTERN, recipe_id):
        recipe_path = path.parent / "recipes" / f"{recipe_id}.toml"
        files.append(recipe_path)
        if recipe_path.exists():
            recipe, found = _checked(RecipeSettings, _read(recipe_path, ""), place)
            problems += found
        else:
            problems.append(_no_such_recipe(recipe_id, recipe_path, station_file))

    if problems or station is None or recipe is None:
        raise InvalidConfigError(problems, files)
    return LoadedSettings(station, recipe, str(recipe_id), tuple(files))


def settings_from(
    station: Mapping[str, Any], recipe: Mapping[str, Any], *, recipe_id: str, folder: Path
) -> LoadedSettings:
    """Settings from tables in memory, as if their files stood in `folder`. Raises what `load_settings` raises."""
    tables = dict(station)
    section = tables.get("station")
    place = Place.of(folder, section.get("state_dir") if isinstance(section, dict) else None)
    station_settings, problems = _checked(StationSettings, _Document(Path("station"), tables), place)
    recipe_settings, found = _checked(RecipeSettings, _Document(Path("recipe"), dict(recipe)), place)
    if problems or found or station_settings is None or recipe_settings is None:
        raise InvalidConfigError([*problems, *found])
    return LoadedSettings(station_settings, recipe_settings, recipe_id)


def line_in(file: Path, *path: str) -> int | None:
    """The line of the key `path` in `file` as it is now, for problems found later; None if it is not there."""
    return line_of(_read(file, "").lines, path)


def _checked(model: type[_S], document: _Document, place: Place) -> tuple[_S | None, list[Problem]]:
    if document.tables is None:
        return None, list(document.problems)
    try:
        return model.model_validate(document.tables, context={"place": place}), []
    except ValidationError as error:
        return None, problems_of(error, model, document.file, document.lines)


def _read(file: Path, remedy: str) -> _Document:
    try:
        with file.open("rb") as opened:
            raw = opened.read(_LARGEST_BYTES + 1)
    except FileNotFoundError:
        return _Document.unreadable(file, f"does not exist; {remedy}" if remedy else "does not exist")
    except IsADirectoryError:
        return _Document.unreadable(file, "is a folder; give the path of the station.toml in it")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        return _Document.unreadable(file, f"cannot be read ({why}); let the station's user read it")
    if len(raw) > _LARGEST_BYTES:
        return _Document.unreadable(file, f"is larger than {_LARGEST_BYTES} bytes; is it the right file?")
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return _Document.unreadable(file, "is not UTF-8 text; save it as UTF-8", line)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return _syntax_problem(file, text, str(error))
    except (ValueError, RecursionError):  # a number of thousands of digits, a list a thousand deep
        return _Document.unreadable(file, "holds a value that no setting can take; remove what is not a setting")
    return _Document(file, tables, key_lines(text))


def _syntax_problem(file: Path, text: str, message: str) -> _Document:
    what, _, place = message.rpartition(" (at ")
    found = re.search(r"line (\d+), column (\d+)", place)
    line = int(found[1]) if found else text.count("\n") + 1
    remedy = "correct this line"
    if what == "Invalid value":
        remedy = 'text needs quotes ("like this"), and true and false are written small'
    elif what.startswith(("Cannot overwrite", "Cannot declare", "Cannot mutate", "Duplicate")):
        remedy = "the same key or table stands twice; remove one"
    column = f", column {found[2]}" if found else ""
    return _Document.unreadable(file, f"is not valid TOML: {what[:1].lower()}{what[1:]}{column}; {remedy}", line)


def _secret_problems(station: StationSettings, document: _Document) -> list[Problem]:
    """Secrets that the station could not get when it needs them."""
    if not station.mqtt.enabled:
        return []
    try:
        station.mqtt.password()
    except ConfigError as error:
        key, _, text = str(error).partition(": ")
        name = key.rpartition(" ")[2]
        return [Problem(document.file, line_of(document.lines, ("mqtt", name)), key, text)]
    return []


def _no_such_recipe(recipe_id: str, recipe_path: Path, document: _Document) -> Problem:
    known = sorted(file.stem for file in recipe_path.parent.glob("*.toml"))
    hint = did_you_mean(recipe_id, known) or (f"; there are {', '.join(known)}" if known else "; make this file")
    line = line_of(document.lines, ("station", "recipe"))
    return Problem(document.file, line, "[station] recipe", f"there is no recipe '{recipe_id}' ({recipe_path}){hint}")


def _neighbour(path: Path) -> str:
    try:
        here = sorted(str(file) for file in path.parent.glob("*.toml"))
    except (OSError, ValueError):
        here = []
    return f", for example {here[0]}" if here else ", for example config/station.toml"
