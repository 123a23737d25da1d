"""What may change while the station runs, and what waits for a restart."""

from typing import Any

from inspector.settings.loaded import LoadedSettings
from inspector.settings.problems import key_text

_WHILE_RUNNING = (
    ("station", "log", "level"),
    ("recipe", "full_model_only"),
    ("recipe", "exits"),
    ("recipe", "picture"),
    ("recipe", "deadline"),
)


def changed_keys(old: LoadedSettings, new: LoadedSettings) -> tuple[str, ...]:
    """Every setting that differs, as `[mqtt] port`, those of the recipe with `recipe: ` before."""
    return tuple(_named(path) for path in _changed(old, new))


def restart_keys(old: LoadedSettings, new: LoadedSettings) -> tuple[str, ...]:
    """Those that differ and take effect only after a restart; empty when all of `new` can be taken over at once."""
    hot = _WHILE_RUNNING
    return tuple(_named(path) for path in _changed(old, new) if not any(path[: len(key)] == key for key in hot))


def _changed(old: LoadedSettings, new: LoadedSettings) -> list[tuple[str, ...]]:
    before, after = _flat(old), _flat(new)
    return [path for path in sorted(before.keys() | after.keys()) if before.get(path) != after.get(path)]


def _flat(settings: LoadedSettings) -> dict[tuple[str, ...], Any]:
    """Every value by its path. Python values, so that a changed secret counts too."""
    flat: dict[tuple[str, ...], Any] = {}

    def walk(path: tuple[str, ...], value: Any) -> None:
        if hasattr(type(value), "model_fields"):
            value = {name: getattr(value, name) for name in type(value).model_fields}
        if isinstance(value, dict):
            for name, inner in value.items():
                walk((*path, name), inner)
        else:
            flat[path] = value

    walk(("station",), settings.station)
    walk(("recipe",), settings.recipe)
    return flat


def _named(path: tuple[str, ...]) -> str:
    return key_text(path[1:]) if path[0] == "station" else f"recipe: {key_text(path[1:])}"
