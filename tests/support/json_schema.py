"""A small, strict check of JSON values against the JSON Schema words that docs/asyncapi.json uses.

Strict means: a word it does not know is an error, and so is a field that the schema does not describe.
"""

import json
import re
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

_SAY_NOTHING = {"description", "title", "examples"}
_KNOWN = {"$ref", "type", "enum", "const", "required", "properties", "items"}
_KNOWN |= {"minimum", "maximum", "minLength", "pattern", "format"}
_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def check(value: Any, schema: Mapping[str, Any], document: Mapping[str, Any], where: str = "$") -> None:
    """Raises AssertionError naming the place where `value` is not as `schema` says."""
    unknown = schema.keys() - _KNOWN - _SAY_NOTHING
    assert not unknown, f"{where}: this check does not know {sorted(unknown)}"
    if "$ref" in schema:
        check(value, _resolved(schema["$ref"], document), document, where)
        return
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        assert any(_is(value, name) for name in names), f"{where}: {value!r} is not {names}"
    assert "enum" not in schema or value in schema["enum"], f"{where}: {value!r} is none of {schema['enum']}"
    assert "const" not in schema or value == schema["const"], f"{where}: {value!r} is not {schema['const']!r}"
    if isinstance(value, str):
        assert len(value) >= schema.get("minLength", 0), f"{where}: too short"
        assert re.search(schema.get("pattern", ""), value), f"{where}: {value!r} does not match {schema['pattern']}"
        _check_format(value, schema.get("format"), where)
    if isinstance(value, int | float) and not isinstance(value, bool):
        assert value >= schema.get("minimum", value), f"{where}: {value} is below {schema['minimum']}"
        assert value <= schema.get("maximum", value), f"{where}: {value} is above {schema['maximum']}"
    if isinstance(value, list):
        for index, item in enumerate(value):
            check(item, schema.get("items", {}), document, f"{where}[{index}]")
    if isinstance(value, dict):
        for name in schema.get("required", ()):
            assert name in value, f"{where}: {name} is missing"
        for name, item in value.items():
            assert name in schema.get("properties", {}), f"{where}: {name} is not described"
            check(item, schema["properties"][name], document, f"{where}.{name}")


def _is(value: Any, name: str) -> bool:
    return isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def _check_format(value: str, name: str | None, where: str) -> None:
    match name:
        case None:
            return
        case "uuid":
            assert str(uuid.UUID(value)) == value, f"{where}: {value!r} is no UUID"
        case "date-time":
            assert datetime.fromisoformat(value).utcoffset() == timedelta(0), f"{where}: {value!r} is no time in UTC"
        case _:
            raise AssertionError(f"{where}: this check does not know the format {name}")


def _resolved(reference: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)


def load(text: str) -> Any:
    """JSON as RFC 8259 has it: without NaN and Infinity, which Python reads otherwise."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)
