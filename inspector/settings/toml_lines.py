"""The line on which each key of a TOML text stands. `tomllib` reads the values and keeps no positions."""

import re
import tomllib
from collections.abc import Mapping

KeyPath = tuple[str, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"[ \t\r]*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}' + r"|'''.*?'{3,5}" + r'|"(?:[^"\\\n]|\\.)*"' + r"|'[^'\n]*'",
    re.DOTALL,
)
_COMMENT = re.compile(r"#[^\n]*")


def key_lines(text: str) -> dict[KeyPath, int]:
    """Line (from 1) of every table and key outside inline tables, by its full path. `text` must be valid TOML."""
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    at = 0
    while at < len(text):
        letter = text[at]
        if letter in " \t\r\n":
            at += 1
        elif letter == "#":
            at = _end_of_line(text, at)
        elif letter == "[":
            table, _ = _key(text, at + (2 if text.startswith("[[", at) else 1))
            _note(lines, (), table, text.count("\n", 0, at) + 1)
            at = _end_of_line(text, at)
        else:
            key, value = _key(text, at)
            _note(lines, table, key, text.count("\n", 0, at) + 1)
            at = _end_of_value(text, value)
    return lines


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int | None:
    """The line of `path`, or else of the innermost table around it that has one."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


def _note(lines: dict[KeyPath, int], table: KeyPath, key: KeyPath, line: int) -> None:
    """A dotted key also makes the tables before its last dot, if they are not there yet."""
    for length in range(1, len(key) + 1):
        lines.setdefault(table + key[:length], line)


def _key(text: str, at: int) -> tuple[KeyPath, int]:
    """The dotted key that begins at `at`, and where it ends."""
    parts: list[str] = []
    while True:
        at = _BLANK.match(text, at).end()  # type: ignore[union-attr]  # matches the empty text too
        found = _BARE.match(text, at) or _STRING.match(text, at)
        if found is None:
            return tuple(parts), at
        part = found[0]
        parts.append(str(tomllib.loads(f"key = {part}")["key"]) if part[0] in "\"'" else part)
        at = _BLANK.match(text, found.end()).end()  # type: ignore[union-attr]
        if not text.startswith(".", at):
            return tuple(parts), at
        at += 1


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def _end_of_value(text: str, at: int) -> int:
    """Where the statement ends whose value begins after `at`: the first line end outside strings and brackets."""
    depth = 0
    while at < len(text):
        letter = text[at]
        skipped = _COMMENT.match(text, at) or _STRING.match(text, at)
        if skipped is not None:
            at = skipped.end()
            continue
        if letter == "\n" and depth == 0:
            return at + 1
        depth += (letter in "[{") - (letter in "]}")
        at += 1
    return at
