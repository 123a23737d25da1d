"""Finding one's way in the settings' models: from a place in a file to the field that describes it."""

from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an error lies: its path in the file, the model that owns the key, and the key's field if it has one."""

    path: tuple[str | int, ...]
    owner: type[BaseModel] | None
    field: FieldInfo | None
    is_table: bool


def spot_of(model: type[BaseModel], loc: tuple[int | str, ...]) -> Spot:
    """pydantic's location also names the kind of a source; the file has no such level."""
    kind: Any = model
    path: list[int | str] = []
    owner: type[BaseModel] | None = None
    field: FieldInfo | None = None
    for part in loc:
        if part == "[key]":  # the name of the entry itself is at fault
            continue
        kind = bare(kind)
        if isinstance(kind, tuple):
            kind = next((member for member in kind if part in literals(member.model_fields["kind"].annotation)), None)
            continue
        owner, field = None, None
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            owner = kind
            field = kind.model_fields.get(str(part))
            kind = field.annotation if field else None
        elif get_origin(kind) is dict:
            kind = get_args(kind)[1]
        else:
            kind = None
        path.append(part)
    kind = bare(kind)
    return Spot(tuple(path), owner, field, isinstance(kind, tuple) or is_model(kind) or get_origin(kind) is dict)


def bare(annotation: Any) -> Any:
    """`annotation` without None and without marks; a tuple of models for a union of models."""
    if get_origin(annotation) is Annotated:
        return bare(get_args(annotation)[0])
    if get_origin(annotation) not in (Union, UnionType):
        return annotation
    members = tuple(bare(member) for member in get_args(annotation) if member is not type(None))
    return members[0] if len(members) == 1 else members


def is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def literals(annotation: Any) -> tuple[Any, ...]:
    """The values of a Literal, nothing for any other type."""
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def bounds(field: FieldInfo | None) -> tuple[float | None, float | None]:
    """Lowest and highest value of a number's field, both allowed."""
    low = high = None
    for item in field.metadata if field else ():
        if isinstance(item, Ge):
            low = item.ge
        if isinstance(item, Le):
            high = item.le
    return low, high  # type: ignore[return-value]  # annotated_types knows only "comparable"


def unit_of(field: FieldInfo | None) -> str:
    extra = field.json_schema_extra if field else None
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""
