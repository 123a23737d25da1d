"""What is made from the models: the JSON schemas for editors, and docs/configuration.md for people."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from inspector.settings.models import bare, bounds, is_model, literals, unit_of
from inspector.settings.problems import number_text
from inspector.settings.recipe_file import RecipeSettings
from inspector.settings.station_file import StationSettings

_INTRODUCTION = """\
# Configuration

<!-- Made by `script/schema` from inspector/settings. Edit the descriptions there, not here. -->

A station reads two files: its own, usually `config/station.toml`, and the recipe that it names, `recipes/<name>.toml`
in the same folder. Both are [TOML](https://toml.io).

- **Everything is checked before anything starts.** `inspector check config/station.toml` reports every problem of both
  files at once, each with file, line, key and what to write instead. An unknown key is an error.
- **Saving is applying.** The station looks at its files once a second. What may change while it runs is taken over
  between two parts: the recipe's exits, picture limits, deadline and `full_model_only`, and `[log] level`. For
  the rest an alarm says which keys wait for a restart; until then nothing of that edit is in force. A file with a mistake in it changes nothing: the last good settings
  stay, and an alarm names the mistake until it is put right.
- **Paths** are relative to the folder of station.toml, in both files. In paths, URLs and endpoints `~` is the home
  folder, `${NAME}` an environment variable, and `${state_dir}` the folder of `[station] state_dir`.
- **Secrets are never written into a file.** The password of the broker comes from `password_env` or `password_file`,
  those in URLs from the environment: `rtsp://camera:${CAMERA_PASSWORD}@10.0.0.7/stream`. What is put in for user and
  password is percent-encoded for you. Logs, alarms and the stored configuration show `***`.
- **Editors** that know TOML schemas complete and explain every key: the first line of each shipped file names its
  schema, `config/schema/station.json` or `config/schema/recipe.json`.

A key with *required* in place of a default must be written.
"""

_TYPES = {bool: "true or false", int: "whole number", float: "number", Path: "path", SecretStr: "URL"}


def station_schema() -> str:
    return _schema(StationSettings, "Inspector: station.toml")


def recipe_schema() -> str:
    return _schema(RecipeSettings, "Inspector: recipes/<name>.toml")


def configuration_md() -> str:
    parts = [_INTRODUCTION, "## station.toml\n", _text(StationSettings)]
    parts += _sections(StationSettings)
    parts += ["## recipes/&lt;name&gt;.toml\n", _text(RecipeSettings), _table(RecipeSettings)]
    parts += _sections(RecipeSettings)
    return "\n".join(parts)


def made_files() -> dict[Path, str]:
    """Every file that is made from the models, by its path in the repository."""
    return {
        Path("config/schema/station.json"): station_schema(),
        Path("config/schema/recipe.json"): recipe_schema(),
        Path("docs/configuration.md"): configuration_md(),
    }


def _schema(model: type[BaseModel], title: str) -> str:
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.model_json_schema(),
        "title": title,
    }
    _say_units(schema)
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _say_units(node: Any) -> None:
    """Editors show the description and nothing else, so unit and range are said there too."""
    if isinstance(node, list):
        for item in node:
            _say_units(item)
    if not isinstance(node, dict):
        return
    for item in list(node.values()):
        _say_units(item)
    unit, description = node.get("unit"), node.get("description")
    if isinstance(unit, str) and isinstance(description, str):
        number = next((option for option in node.get("anyOf", []) if "minimum" in option), node)
        node["description"] = f"{description} [{_span(number.get('minimum'), number.get('maximum'), unit)}]"


def _sections(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = bare(field.annotation)
        if isinstance(kind, tuple):
            yield f"### [{name}]\n"
            yield f"{field.description}\n"
            for member in kind:
                tag = literals(member.model_fields["kind"].annotation)[0]
                yield f'#### kind = "{tag}"\n'
                yield from (_text(member), _table(member))
        elif get_origin(kind) is dict:
            entry = get_args(kind)[1]
            yield f"### [{name}.&lt;name&gt;]\n"
            yield from (_text(entry), _table(entry))
        elif is_model(kind):
            yield from _section(name, kind)


def _section(name: str, model: type[BaseModel]) -> Iterator[str]:
    yield f"### [{name}]\n"
    yield from (_text(model), _table(model))
    for inner, field in model.model_fields.items():
        if is_model(bare(field.annotation)):
            yield from _section(f"{name}.{inner}", bare(field.annotation))


def _text(model: type[BaseModel]) -> str:
    """The model's docstring, without the name of the table that the heading has already said."""
    text = " ".join((model.__doc__ or "").split())
    start = text.partition(": ")[2] if text.startswith("[") else text
    return f"{start[:1].upper()}{start[1:]}\n"


def _table(model: type[BaseModel]) -> str:
    rows = ["| key | type | unit, range | default | what it does |", "| --- | --- | --- | --- | --- |"]
    for name, field in sorted(model.model_fields.items(), key=lambda item: item[0] != "kind"):
        if is_model(kind := bare(field.annotation)) or isinstance(kind, tuple) or get_origin(kind) is dict:
            continue  # a table of its own
        low, high = bounds(field)
        span = _span(low, high, unit_of(field)) if low is not None else ""
        cells = [f"`{name}`", _type(field), span, _default(field), field.description or ""]
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(rows) + "\n"


def _type(field: FieldInfo) -> str:
    kind = bare(field.annotation)
    if choices := literals(kind):
        return " or ".join(f'`"{choice}"`' for choice in choices)
    if get_origin(kind) is tuple:
        return "list of texts"
    return {bool: "true or false", int: "whole number", float: "number", Path: "path", SecretStr: "URL"}.get(
        kind, "text"
    )


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "*required*"
    value = field.default
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"`{number_text(value)}`"
    if isinstance(value, tuple):
        return f"`{json.dumps(value)}`"
    return f'`"{value}"`'


def _span(low: float | None, high: float | None, unit: str) -> str:
    span = f"{number_text(low)} to {number_text(high)}" if low is not None and high is not None else ""
    return span if unit in ("number", "port") else f"{span} {unit}".strip()
