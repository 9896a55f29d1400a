"""Values of a configuration file with their places, and errors that point there.

A configuration may hold secrets: no error shows a value or a line of the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from ocm_pkg.errors import ConfigError, InvalidDocumentError
from ocm_pkg.model import yamltext

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ocm_pkg.model.document import JSONObject, JSONValue
    from ocm_pkg.model.yamltext import YamlDocument

Path: TypeAlias = "tuple[str | int, ...]"

LIMITS = yamltext.Limits(size=1024 * 1024, depth=50, nodes=100_000, aliases=1000)

_DURATION = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,9}))?(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")
_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "\u00b5s": 10**3,
    "\u03bcs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_SAFE_MESSAGE = re.compile(
    r"the key '[A-Za-z_-]{1,40}' stands twice, in line \d+ and in line \d+"
    r"|merge keys \(<<\) are not read"
    r"|.* (?:holds a second document|nests deeper than \d+ levels|has more than \d+ values"
    r"|is larger than .*)"
)


def load_document(data: bytes, *, name: str) -> YamlDocument:
    """Read a configuration file; JSON is read too. Raises ``ConfigError``."""
    try:
        return yamltext.load(data, name=name, limits=LIMITS)
    except InvalidDocumentError as error:
        if _SAFE_MESSAGE.fullmatch(error.message):
            message = f"{name}: {error.message}"
        else:
            message = f"{name} is not valid YAML (not shown here: the line may hold a secret)"
        at, hint = error.at, error.hint
    # Not chained: the cause would show the text.
    raise ConfigError(message, hint=hint or "correct the line", at=at)


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a configuration file, and where it stands."""

    value: JSONValue = field(repr=False)
    source: YamlDocument = field(repr=False)
    path: Path = ()

    @property
    def file(self) -> str:
        """The file as it was named."""
        return self.source.name

    @property
    def position(self) -> tuple[int, int]:
        """Line and column, from 1."""
        return self.source.position(self.path)

    def error(self, problem: str, hint: str | None = None) -> ConfigError:
        """Return an error for this value: ``problem`` follows its name."""
        from ocm_pkg.model.document import show_path  # costly, and only errors need it

        line, column = self.position
        where = show_path(self.path) or "the document"
        return ConfigError(
            f"{self.file}: {where} {problem}", hint=hint, at=f"{self.file}:{line}:{column}"
        )

    def member(self, name: str) -> Node:
        """Return the member of a mapping; its value is None if it is not there."""
        return Node(self.mapping().get(name), self.source, (*self.path, name))

    def mapping(self) -> JSONObject:
        """Return the value, which must be a mapping; None counts as an empty one."""
        return {} if self.value is None else self._as_mapping()

    def _as_mapping(self) -> JSONObject:
        if not isinstance(self.value, dict):
            raise self.expected("a mapping")
        return self.value

    def items(self, name: str) -> Iterator[Node]:
        """Yield the items of the list that is the member ``name``; missing means none."""
        found = self.member(name)
        if found.value is None:
            return
        if not isinstance(found.value, list):
            raise found.expected("a list")
        for index, value in enumerate(found.value):
            yield Node(value, self.source, (*found.path, index))

    def text(self, name: str) -> str | None:
        """Return a text, or None if there is none."""
        found = self.member(name)
        if found.value is None:
            return None
        if not isinstance(found.value, str):
            raise found.expected("text")
        return found.value

    def required_text(self, name: str) -> str:
        """Return a text that must be there and not be empty."""
        found = self.text(name)
        if not found:
            raise self.error(f"has no {name}", f"add {name}")
        return found

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; missing means none."""
        found: list[str] = []
        for item in self.items(name):
            if not isinstance(item.value, str):
                raise item.expected("text")
            found.append(item.value)
        return tuple(found)

    def text_map(self) -> Mapping[str, str]:
        """Return the value, which must be a mapping of texts."""
        found: dict[str, str] = {}
        for key, value in self.mapping().items():
            if not isinstance(value, str):
                raise self.member(key).expected("text")
            found[key] = value
        return found

    def flag(self, name: str) -> bool | None:
        """Return true or false, or None if it is not there."""
        found = self.member(name)
        if found.value is None or isinstance(found.value, bool):
            return found.value
        raise found.expected("true or false")

    def integer(self, name: str) -> int | None:
        """Return a whole number, or None if it is not there."""
        found = self.member(name)
        if found.value is None:
            return None
        if isinstance(found.value, bool) or not isinstance(found.value, int):
            raise found.expected("a whole number")
        return found.value

    def duration(self, name: str) -> int | None:
        """Return nanoseconds: a number of them, or text such as ``1h30m``; None if not there."""
        found = self.member(name)
        if found.value is None:
            return None
        if isinstance(found.value, int) and not isinstance(found.value, bool):
            nanoseconds: int | None = found.value
        elif isinstance(found.value, str):
            nanoseconds = _nanoseconds(found.value)
        else:
            raise found.expected("a duration")
        if nanoseconds is None or not 0 <= nanoseconds < 2**63:
            raise found.error("is no duration", "write it like 90s or 1h30m")
        return nanoseconds

    def expected(self, what: str) -> ConfigError:
        """Return the error for a value that should be ``what``."""
        quote = what == "text" and isinstance(self.value, bool | int | float)
        hint = f'put it in quotes: {self.path[-1]}: "..."' if quote else f"write {what} there"
        return self.error(f"must be {what}, but it is {_sort(self.value)}", hint)


def _nanoseconds(text: str) -> int | None:
    if text == "0":
        return 0
    total, position = 0, 0
    while match := _DURATION.match(text, position):
        unit, fraction = _NANOSECONDS[match[3]], match[2] or ""
        total += int(match[1]) * unit + int(fraction or "0") * unit // 10 ** len(fraction)
        position = match.end()
    return total if text and position == len(text) else None


def _sort(value: JSONValue) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a mapping" if isinstance(value, dict) else "a list"
