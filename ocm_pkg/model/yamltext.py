"""YAML text to plain data and back, with positions for errors; the only importer of ``yaml``.

Values are built here from the parser's events, one at a time, so that every limit is checked
before anything is built. Scalars follow the core schema of YAML 1.2: ``no`` and ``on`` and dates
are text, ``1e+21`` is a number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.jsontext import Limits, decoded, integer, line_of, number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ocm_pkg.model.document import JSONValue

__all__ = ["Limits", "YamlDocument", "dump", "load"]

Container: TypeAlias = "list[Any] | dict[str, Any]"

_BOM = "\ufeff"
_CORE = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OTHER_INTEGER = re.compile(r"0o([0-7]+)|0x([0-9a-fA-F]+)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER_START = frozenset("+-.0123456789")


class _Mark(Protocol):
    """Where an event starts, counted from 0."""

    line: int
    column: int


class _Event(Protocol):
    """What is read of an event of the parser; not every event has every part."""

    start_mark: _Mark
    anchor: str | None
    tag: str | None
    implicit: tuple[bool, bool]
    value: str
    style: str | None


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """A value with the text that it came from, to say where something in it stands."""

    value: JSONValue
    name: str
    text: str = ""

    def position(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Return line and column, from 1, of the member or item at ``path``.

        A member of a mapping is where its key is. If there is nothing at ``path``, it is the
        position of the nearest parent that exists.
        """
        wanted = tuple(path)
        best, position = 0, (1, 1)
        for found, mark in _positions(self.text):
            if len(found) > best and found == wanted[: len(found)]:
                best, position = len(found), (mark.line + 1, mark.column + 1)
                if best == len(wanted):
                    break
        return position

    def error(
        self, path: Sequence[str | int], message: str, hint: str | None = None
    ) -> InvalidDocumentError:
        """Return an error that points at ``path`` and shows its line."""
        line, column = self.position(path)
        return InvalidDocumentError(
            message,
            hint=hint,
            at=f"{self.name}:{line}:{column}",
            detail=[line_of(self.text, line)],
        )


def load(data: bytes | str, *, name: str, limits: Limits | None = None) -> YamlDocument:
    """Return the one YAML document of ``data``; ``name`` is what errors call it.

    No document at all is ``null``. A byte order mark at the start is skipped. Refused with
    ``InvalidDocumentError``: text that is not UTF-8, a second document, a key twice in a mapping,
    keys that are not plain or quoted text, merge keys, tags beyond the core schema, numbers that
    are not finite or beyond an IEEE double, an anchor inside itself, and whatever is over
    ``limits``.
    """
    limits = limits or Limits()
    text = decoded(data, name=name, limits=limits).removeprefix(_BOM)
    return YamlDocument(_Builder(text, name, limits).build(), name, text)


def dump(value: JSONValue) -> str:
    """Return ``value`` as block-style YAML, which readers of YAML 1.1 and 1.2 understand alike."""
    import yaml  # noqa: PLC0415  (kept out of the start-up of commands that read no YAML)

    class Dumper(yaml.SafeDumper):
        """Writes no aliases, and quotes what only looks like text to YAML 1.1."""

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = None
        if "\n" in value:
            style = "|"
        elif value in _WORDS or value[0] in _NUMBER_START:
            style = '"' if not isinstance(_plain(value, "text", _lenient), str) else None
        return dumper.represent_scalar(f"{_CORE}str", value, style=style)

    Dumper.add_representer(str, text)
    return yaml.dump(
        value,
        Dumper=Dumper,
        allow_unicode=True,
        default_flow_style=False,
        sort_keys=False,
        width=120,
    )
