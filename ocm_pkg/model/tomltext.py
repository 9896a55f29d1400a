"""TOML text to plain data, with positions for errors."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocm_pkg._typing import override
from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.jsontext import Limits, decoded, line_of
from ocm_pkg.model.yamltext import YamlDocument

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ocm_pkg.model.document import JSONValue

_TABLE = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"""(\s*)((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*[^\s=]+)*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_WHERE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")


@dataclass(frozen=True, slots=True)
class TomlDocument(YamlDocument):
    """One table of a document; ``prefix`` is the table's path, ``value`` its content."""

    prefix: tuple[str, ...] = ()

    @override
    def position(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Return line and column, from 1, of what is at ``path``, or of its nearest parent."""
        wanted = (*self.prefix, *path)
        best, position = 0, (1, 1)
        for found, at in _keys(self.text):
            if len(found) > best and found == wanted[: len(found)]:
                best, position = len(found), at
        return position


def load(data: bytes | str, *, name: str, prefix: tuple[str, ...] = ()) -> TomlDocument | None:
    """Return the table at ``prefix`` of a TOML document; None if there is no such table.

    Refused with ``InvalidDocumentError``: what is not TOML, and dates and times anywhere in the
    table.
    """
    text = decoded(data, name=name, limits=Limits())
    try:
        value: object = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line, column = _position(str(error), text)
        raise InvalidDocumentError(
            f"{name} is not TOML: {_WHERE.sub('', str(error))}",
            at=f"{name}:{line}:{column}",
            detail=[line_of(text, line)],
        ) from error
    except (RecursionError, ValueError) as error:
        raise InvalidDocumentError(f"{name} is not TOML: {error}", at=name) from error
    for key in prefix:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return TomlDocument(_plain(value, name), name, text, prefix)


def _position(message: str, text: str) -> tuple[int, int]:
    """Return line and column that the parser's message names; else the end of the text."""
    match = _WHERE.search(message)
    if match and match[1]:
        return int(match[1]), int(match[2])
    lines = text.split("\n")
    return len(lines), len(lines[-1]) + 1


def _plain(value: object, name: str) -> JSONValue:
    match value:
        case dict():
            return {key: _plain(item, name) for key, item in value.items()}
        case list():
            return [_plain(item, name) for item in value]
        case bool() | int() | float() | str():
            return value
        case _:
            raise InvalidDocumentError(
                f"{name} has the date or time {value}", hint="write it as text", at=name
            )


def _keys(text: str) -> Iterator[tuple[tuple[str | int, ...], tuple[int, int]]]:
    """Yield path and position of every table header and key at the start of a line."""
    table: tuple[str | int, ...] = ()
    counts: Counter[tuple[str | int, ...]] = Counter()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TABLE.match(line):
            table = _parts(header[2])
            if header[1] == "[[":
                counts[table] += 1
                table = (*table, counts[table] - 1)
            yield table, (number, 1)
        elif key := _KEY.match(line):
            yield (*table, *_parts(key[2])), (number, len(key[1]) + 1)


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(text))
