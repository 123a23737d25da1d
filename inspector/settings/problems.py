"""What is wrong with a configuration, told to a person: file, line, key and remedy, everything at once."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from inspector.domain.errors import ConfigError
from inspector.settings.fields import PATTERN_REMEDIES, redacted
from inspector.settings.models import Spot, bare, bounds, is_model, literals, spot_of, unit_of
from inspector.settings.toml_lines import KeyPath, line_of


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to put right. `key` reads like `[mqtt] port`; both it and `line` may be unknown."""

    file: Path
    line: int | None
    key: str
    text: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else str(self.file)
        return redacted(f"{place}: {self.key}: {self.text}" if self.key else f"{place}: {self.text}")


class InvalidConfigError(ConfigError):
    """Every problem of the configuration, one a line. `files` are those that were read or looked for."""

    def __init__(self, problems: Iterable[Problem], files: Iterable[Path] = ()) -> None:
        self.problems = tuple(problems)
        self.files = tuple(files)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def problems_of(
    error: ValidationError, model: type[BaseModel], file: Path, lines: Mapping[KeyPath, int]
) -> list[Problem]:
    """What pydantic found, in the order of the lines."""
    found: list[Problem] = []
    for details in error.errors(include_url=False):
        spot = spot_of(model, details["loc"])
        spot, text = _explained(details, spot, model)
        found.append(
            Problem(
                file, line_of(lines, tuple(str(part) for part in spot.path)), key_text(spot.path, spot.is_table), text
            )
        )
    return sorted(found, key=lambda problem: problem.line or 0)


def key_text(path: tuple[str | int, ...], is_table: bool = False) -> str:
    """`("mqtt", "port")` as `[mqtt] port`; an entry of a list is counted from 1."""
    names = [part for part in path if isinstance(part, str)]
    entries = [f", entry {part + 1}" for part in path if isinstance(part, int)]
    if is_table:
        return f"[{'.'.join(names)}]{''.join(entries)}" if names else ""
    table = f"[{'.'.join(names[:-1])}] " if len(names) > 1 else ""
    return f"{table}{names[-1] if names else ''}{''.join(entries)}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing when nothing is near."""
    by_lower = {name.lower(): name for name in sorted(known)}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean '{by_lower[near[0]]}'?" if near else ""


def _explained(details: ErrorDetails, spot: Spot, model: type[BaseModel]) -> tuple[Spot, str]:
    """The spot to name and the sentence to say."""
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    if kind == "extra_forbidden":
        is_table = isinstance(value, dict)
        return replace(spot, is_table=is_table), _unknown(spot, model, "table" if is_table else "key")
    if kind == "missing":
        about = spot.field.description if spot.field else ""
        return spot, f"is missing; add it: {about}" if about else "is missing; add it"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        known = [str(member).strip("'") for member in str(context.get("expected_tags", "")).split(", ")]
        known = known if known != [""] else _kinds(spot)
        at_kind = Spot((*spot.path, "kind"), spot.owner, None, False)
        if kind == "union_tag_not_found":
            return at_kind, f"is missing; use {_either(known)}"
        tag = str(context.get("tag"))
        return at_kind, f"{shown(tag)} is not known; use {_either(known)}{did_you_mean(tag, known)}"
    secret = spot.field is not None and bare(spot.field.annotation) is SecretStr
    seen = "the value" if secret else shown(value)
    if kind == "value_error":
        return spot, str(context["error"])
    if kind == "literal_error":
        known = [str(item) for item in literals(bare(spot.field.annotation))] if spot.field else []
        if not isinstance(value, str):
            return spot, f"{seen} is {_kind_of(value)}, but text is needed; use {_either(known)}, with the quotes"
        return spot, f"{seen} is not known; use {_either(known)}{did_you_mean(value, known)}"
    if kind == "string_pattern_mismatch":
        return spot, f"{seen} does not fit; {PATTERN_REMEDIES.get(str(context.get('pattern')), details['msg'])}"
    if kind in ("too_short", "too_long"):
        limit = f"at least {context['min_length']}" if kind == "too_short" else f"at most {context['max_length']}"
        return spot, f"has {context['actual_length']} entries; write {limit}"
    if kind in _TOO_LOW or kind in _TOO_HIGH:
        limit = next(iter(context.values()))
        side = "below" if kind in _TOO_LOW else "above"
        return spot, f"{seen} is {side} {limit:g}; use {_range(spot.field) or details['msg']}"
    if kind in _NEEDED:
        range_ = _range(spot.field)
        return spot, f"{seen} is {_kind_of(value)}, but {_NEEDED[kind]} is needed" + (
            f"; use {range_}" if range_ else ""
        )
    return spot, f"{seen} does not fit: {details['msg'][:1].lower()}{details['msg'][1:]}"


_TOO_LOW = ("greater_than_equal", "greater_than")
_TOO_HIGH = ("less_than_equal", "less_than")
_NEEDED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": 'text in quotes ("like this")',
    "bool_type": "true or false",
    "tuple_type": 'a list (["like", "this"])',
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
}


def _unknown(spot: Spot, model: type[BaseModel], what: str) -> str:
    name = str(spot.path[-1])
    if name.lower() in ("password", "passwd", "secret", "token"):
        return "secrets do not belong into this file; use password_file or password_env"
    known = list(spot.owner.model_fields) if spot.owner else []
    if near := did_you_mean(name, known):
        return f"unknown {what}{near}"
    elsewhere = [
        table
        for table, field in model.model_fields.items()
        if is_model(field.annotation) and field.annotation is not spot.owner and name in field.annotation.model_fields  # type: ignore[union-attr]
    ]
    if elsewhere:
        return f"unknown {what}; '{name}' belongs into [{elsewhere[0]}]"
    return f"unknown {what}; remove it" + (f", or use one of {', '.join(known)}" if known else "")


def _kinds(spot: Spot) -> list[str]:
    members = bare(spot.field.annotation) if spot.field else ()
    return [str(literals(member.model_fields["kind"].annotation)[0]) for member in members]


def number_text(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() else f"{value:g}"


def _range(field: FieldInfo | None) -> str:
    low, high = bounds(field)
    if low is None or high is None:
        return ""
    unit = unit_of(field)
    return f"{number_text(low)} to {number_text(high)}" + (f" {unit}" if unit not in ("", "number", "port") else "")


def _either(words: list[str]) -> str:
    quoted = [f'"{word}"' for word in words]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}" if len(quoted) > 1 else "".join(quoted)


def shown(value: object) -> str:
    """`value` as a person wrote it, cut short."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int) and abs(value) < 1e15:
        return str(value)
    if isinstance(value, str) and "@" not in value:  # it may be user:password@host
        text = value if len(value) <= 60 else f"{value[:60]}…"
        return f"'{''.join(letter if letter.isprintable() else '?' for letter in text)}'"
    return "the value"


def _kind_of(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "text"
    if isinstance(value, int):
        return "a whole number"
    if isinstance(value, float):
        return "a number with a fraction" if value == value and abs(value) != float("inf") else "not finite"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    return "a date or time"
