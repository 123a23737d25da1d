"""What settings are made of: the strict base model, its field helper, and values that name a place or hold a secret.

Relative paths belong to the folder of the file they stand in. `~`, `${NAME}` (environment) and `${state_dir}` are
expanded in paths, URLs and endpoints, and nowhere else.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticKnownError

STATE_DIR = "../var"
"""Where state goes unless `[station] state_dir` says otherwise, seen from the folder of station.toml."""

_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_LOGIN = re.compile(r"^[A-Za-z][\w+.-]*://[^:/@]*(?::(?P<password>[^@]*))?@")
_PASSWORD = re.compile(r"(://[^:/@\s]*):(?!\$\{[^{}]*\}@)[^@\s]*@")
"""In any text; `${NAME}` in its place is no secret."""
_SECRET_OPTION = re.compile(r"(?<=[?&])((?:password|passwd|pass|pwd|token|secret|auth|key)=)([^&#\s]*)", re.IGNORECASE)
_LONGEST_SOCKET_PATH = 107 - len(".pictures")
"""Bytes of sun_path on Linux without the closing zero, and room for the socket of the pictures beside the feed's."""


class Settings(BaseModel):
    """Base of every table: strict types, unknown keys are errors, values never change once read."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False, hide_input_in_errors=True
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Where the file stands that is being read. Given to pydantic as context["place"]."""

    folder: Path
    state_dir: Path

    @classmethod
    def of(cls, folder: Path, state_dir: object = STATE_DIR) -> "Place":
        """`state_dir` as written in the file; one that cannot be read falls back, for its own field reports it."""
        folder = _absolute(folder)
        fallback = _absolute(folder / STATE_DIR)
        try:
            return cls(folder, cls(folder, fallback).path(state_dir if isinstance(state_dir, str) else STATE_DIR))
        except ValueError:
            return cls(folder, fallback)

    def expanded(self, text: str, *, url: bool = False) -> str:
        """`text` with its variables filled in. Raises ValueError for a variable that is not set.

        What is filled in before the host of a URL is percent-encoded: the environment holds passwords as they are.
        """
        login = _LOGIN.match(text)
        login_end = login.end() if login else 0

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name == "state_dir":
                return str(self.state_dir)
            found = os.environ.get(name)
            if found is None:
                raise ValueError(
                    f"the environment variable {name} is not set; set it for the station, or write the value out"
                )
            return quote(found, safe="") if url and match.start() < login_end else found

        return _VARIABLE.sub(value, text)

    def path(self, text: str) -> Path:
        """Absolute path of `text`. Raises ValueError."""
        if not text.strip():
            raise ValueError("is empty; write a path, or remove the key to take the default")
        expanded = self.expanded(text)
        if any(ord(letter) < 32 for letter in expanded):
            raise ValueError("holds a control character; write the path with '/' and in single quotes")
        try:
            return _absolute(self.folder / Path(expanded).expanduser())
        except RuntimeError:
            raise ValueError("names a home folder that does not exist; write the whole path") from None


def _absolute(path: Path) -> Path:
    """Without `..`, and with symbolic links left in: what they lead to may change while the station runs."""
    return Path(os.path.abspath(path))  # noqa: PTH100  # resolve() would follow the links


def setting(
    description: str, default: Any = ..., *, unit: str = "", low: float | None = None, high: float | None = None
) -> Any:
    """A field that describes itself. `low` and `high` are the range, both allowed; no `default` makes it required."""
    if default == {}:  # a table of its own: its defaults are worked out for each file
        return Field(default_factory=dict, description=description)
    extra: dict[str, Any] | None = {"unit": unit} if unit else None
    return Field(default, ge=low, le=high, description=description, json_schema_extra=extra)


def redacted(text: str) -> str:
    """`text` with the password of every URL in it replaced by ***."""
    return _SECRET_OPTION.sub(r"\1***", _PASSWORD.sub(r"\1:***@", text))


def _place(info: ValidationInfo) -> Place:
    place = (info.context or {}).get("place")
    return place if isinstance(place, Place) else Place.of(Path())


def _text(value: object) -> str:
    if isinstance(value, Path):  # a default
        return str(value)
    if not isinstance(value, str):
        raise PydanticKnownError("string_type")
    return value


def _as_path(value: object, info: ValidationInfo) -> Path:
    if isinstance(value, Path) and value.is_absolute():
        return value
    return _place(info).path(_text(value))


def _without_plain_password(text: str) -> str:
    login = _LOGIN.match(text)
    passwords = [login["password"] or ""] if login else []
    passwords += [option[2] for option in _SECRET_OPTION.finditer(text)]
    if not all(re.fullmatch(r"(\$\{[^{}]+\})*", password) for password in passwords):
        raise ValueError(
            "holds a password in plain text; write ${NAME} in its place and set the environment variable NAME"
        )
    return text


def _as_store_url(value: object, info: ValidationInfo) -> str | SecretStr:
    if isinstance(value, SecretStr):  # read before
        return value
    place = _place(info)
    url = place.expanded(_without_plain_password(_text(value)), url=True)
    if re.match(r"postgresql(\+\w+)?://[^/]*/[^/?]", url):
        return url
    if not re.match(r"sqlite(\+\w+)?:///", url):
        raise ValueError("is no database URL; use sqlite:///path/to/file.db or postgresql://user:${NAME}@host/database")
    scheme, _, file = url.partition(":///")
    if file in ("", ":memory:"):
        raise ValueError("keeps the verdicts in memory, where a restart loses them; use sqlite:///path/to/file.db")
    if "?" in file:
        raise ValueError("has options, which a SQLite file takes none of; remove what begins with '?'")
    return f"{scheme}:///{place.path(file)}"


def _as_camera_url(value: object, info: ValidationInfo) -> str | SecretStr:
    if isinstance(value, SecretStr):  # read before
        return value
    url = _place(info).expanded(_without_plain_password(_text(value)), url=True)
    if not re.match(r"(rtsps?|https?)://[^/]", url):
        raise ValueError("is no camera URL; use rtsp://user:${NAME}@host:554/stream")
    return url


def _as_endpoint(value: object, info: ValidationInfo) -> str:
    endpoint = _place(info).expanded(_text(value))
    if endpoint.startswith("ipc://"):
        path = str(_place(info).path(endpoint.removeprefix("ipc://")))
        if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
            raise ValueError(
                f"is a socket path of {len(os.fsencode(path))} bytes, and {_LONGEST_SOCKET_PATH} is the most; "
                "use a shorter one such as ipc:///run/inspector/feed.sock, or a shorter [station] state_dir"
            )
        return f"ipc://{path}"
    match = re.fullmatch(r"tcp://(?P<host>[^/]*):(?P<port>\d{1,5})", endpoint)
    if match is None or not 1 <= int(match["port"]) <= 65535:
        raise ValueError("is no endpoint; use ipc:///path/to/socket or tcp://127.0.0.1:PORT with a port of 1 to 65535")
    if match["host"] not in ("127.0.0.1", "localhost", "[::1]"):
        raise ValueError(
            "would offer pictures and commands to the whole network in plain text; use ipc:// or tcp://127.0.0.1:PORT, "
            "and an SSH tunnel for a panel on another machine"
        )
    return endpoint


def _printable(text: str) -> str:
    if not text.strip() or any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise ValueError("is empty or holds a control character; write plain text on one line")
    return text


NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
ENV_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"
DEVICE_PATTERN = r"^((CPU|GPU|NPU)(\.[0-9]+)?|AUTO(:(CPU|GPU|NPU)(\.[0-9]+)?(,(CPU|GPU|NPU)(\.[0-9]+)?)*)?)$"
PRECISION_PATTERN = r"^[A-Z][A-Z0-9]{0,15}$"
HOST_PATTERN = r"^[^\s@/]{1,253}$"
PATTERN_REMEDIES = {
    NAME_PATTERN: "use letters, digits, '.', '_' and '-' (at most 64, the first a letter or digit)",
    ENV_PATTERN: "use the name of an environment variable: letters, digits and '_'",
    PRECISION_PATTERN: 'use capitals and digits, such as "INT8" or "FP32"',
    HOST_PATTERN: "use a bare host name or address; user, password and port have keys of their own",
    DEVICE_PATTERN: "use CPU, GPU, GPU.1, NPU, AUTO or AUTO:GPU,CPU",
}
"""What to tell a person about a text that does not fit."""

Text = Annotated[str, Field(max_length=200), AfterValidator(_printable)]
"""One line for people, any script."""

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
"""A name that is safe in file names, topics and databases."""

EnvName = Annotated[str, Field(pattern=ENV_PATTERN)]
Device = Annotated[str, Field(pattern=DEVICE_PATTERN)]
Precision = Annotated[str, Field(pattern=PRECISION_PATTERN)]
Host = Annotated[str, Field(pattern=HOST_PATTERN)]

FilePath = Annotated[Path, BeforeValidator(_as_path)]
"""An absolute path, whatever was written."""

_URL_SCHEMA = {"type": "string"}
_REDACTED = PlainSerializer(lambda secret: redacted(secret.get_secret_value()), return_type=str)

StoreUrl = Annotated[SecretStr, BeforeValidator(_as_store_url), _REDACTED, WithJsonSchema(_URL_SCHEMA)]
CameraUrl = Annotated[SecretStr, BeforeValidator(_as_camera_url), _REDACTED, WithJsonSchema(_URL_SCHEMA)]
Endpoint = Annotated[str, BeforeValidator(_as_endpoint)]
