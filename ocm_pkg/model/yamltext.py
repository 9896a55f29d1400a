"""YAML text to plain data and back, with positions for errors; the only importer of ``yaml``.

Values are built here from the parser's events, one at a time, so that every limit is checked
before anything is built. Scalars follow the core schema of YAML 1.2: ``no`` and ``on`` and dates
are text, ``1e+21`` is a number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeAlias, cast

from ocm_pkg._typing import override
from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model import jsontext
from ocm_pkg.model.jsontext import FLATTEN, Limits, decoded, integer, line_of, number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ocm_pkg.model.document import JSONValue

__all__ = ["Limits", "YamlDocument", "dump", "load"]

Path: TypeAlias = "tuple[str | int, ...]"
_Event: TypeAlias = Any  # the library gives its events no types

_BOM = "\ufeff"
_CORE = "tag:yaml.org,2002:"
_STR, _MAP, _SEQ = f"{_CORE}str", f"{_CORE}map", f"{_CORE}seq"
_SCALAR_TAGS = {f"{_CORE}{name}" for name in ("str", "null", "bool", "int", "float")}
_NOT_YAML = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
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


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """A value with the text that it came from, to say where something in it stands."""

    value: JSONValue
    name: str
    text: str = field(default="", repr=False)

    def position(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Return line and column, from 1, of the member or item at ``path``.

        A member of a mapping is where its key is. If there is nothing at ``path``, it is the
        position of the nearest parent that exists.
        """
        wanted = tuple(path)
        best, position = -1, (1, 1)
        for found, mark in _positions(self.text, self.name):
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
        return _error(self.text, self.name, (line, column), message, hint)


def load(data: bytes | str, *, name: str, limits: Limits | None = None) -> YamlDocument:
    """Return the one YAML document of ``data``; ``name`` is what errors call it.

    No document at all is ``null``. A byte order mark at the start is skipped. Refused with
    ``InvalidDocumentError``: text that is not UTF-8, a second document, a key twice in a mapping,
    keys that are no text, merge keys, tags beyond the core schema, numbers that are not finite or
    beyond an IEEE double, an anchor inside itself, and whatever is over ``limits``.
    """
    limits = limits or Limits()
    text = decoded(data, name=name, limits=limits).removeprefix(_BOM)
    if strange := _NOT_YAML.search(text):
        before = text[: strange.start()]
        position = (before.count("\n") + 1, len(before) - before.rfind("\n"))
        message = f"{name} has the character U+{ord(strange[0]):04X}, which YAML text may not hold"
        raise _error(text, name, position, message, 'write it as an escape in "double quotes"')
    return YamlDocument(_Builder(text, name, limits).build(), name, text)


def dump(value: JSONValue) -> str:
    """Return ``value`` as block-style YAML, which readers of YAML 1.1 and 1.2 understand alike."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes no aliases; quotes text that YAML 1.2 would read as something else."""

        @override
        def ignore_aliases(self, _data: object) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        if "\r" in value or jsontext.HIDDEN.search(value) or not _is_text(value):
            style: str | None = '"'
        else:
            style = "|" if "\n" in value else None
        return dumper.represent_scalar(_STR, value, style=style)

    Dumper.add_representer(str, text)
    options: dict[str, Any] = {"allow_unicode": True, "sort_keys": False, "width": 120}
    return jsontext.escape_hidden(
        yaml.dump(value, Dumper=Dumper, default_flow_style=False, **options)
    )


@dataclass(slots=True)
class _Frame:
    """A list or mapping that is being filled, and the key that waits for its value."""

    container: Any
    is_mapping: bool
    anchor: str | None
    key: str | None = None


class _Builder:
    """Builds one document from its events; a stack instead of recursion."""

    def __init__(self, text: str, name: str, limits: Limits) -> None:
        self._text = text
        self._name = name
        self._limits = limits
        self._stack: list[_Frame] = []
        self._top: _Frame | None = None
        self._anchors: dict[str, JSONValue] = {}
        self._nodes = 0
        self._aliased = 0
        self._documents = 0
        self._value: JSONValue = None

    def build(self) -> JSONValue:
        """Return the value of the document."""
        handlers: dict[str, Callable[[_Event], None]] = {
            "ScalarEvent": self._scalar,
            "MappingStartEvent": self._start_mapping,
            "SequenceStartEvent": self._start_sequence,
            "MappingEndEvent": self._end,
            "SequenceEndEvent": self._end,
            "AliasEvent": self._alias,
            "DocumentStartEvent": self._start_document,
        }
        for event in _events(self._text, self._name):
            handler = handlers.get(type(event).__name__)
            if handler is not None:
                handler(event)
        return self._value

    def _start_document(self, event: _Event) -> None:
        self._documents += 1
        if self._documents > 1:
            self._fail(event, f"{self._name} holds a second document", "keep one, without ---")

    def _scalar(self, event: _Event) -> None:
        self._count(event)
        if event.style == '"' and not _is_unicode(event.value):
            message = f"{self._name} holds half of a surrogate pair"
            self._fail(event, message, "write the whole character, or its replacement U+FFFD")
        top = self._top
        if top is not None and top.is_mapping and top.key is None:
            self._set_key(event, top)
            return
        try:
            value = _scalar_value(event, self._name)
        except InvalidDocumentError as error:
            self._fail(event, error.message, error.hint or "")
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        self._add(value)

    def _set_key(self, event: _Event, top: _Frame) -> None:
        key: str = event.value
        if event.tag is not None and event.tag not in ("!", _STR):
            self._fail(event, f"the key {key[:80]!r} has a tag", "keys are text, without a tag")
        if key == "<<" and event.implicit[0]:
            self._fail(event, "merge keys (<<) are not read", "write the members out")
        if key in top.container:
            first, _ = YamlDocument(None, self._name, self._text).position((*self._path(), key))
            again = event.start_mark.line + 1
            message = f"the key {key[:80]!r} stands twice, in line {first} and in line {again}"
            self._fail(event, message, "keep one of them")
        if event.anchor is not None:
            self._anchors[event.anchor] = key
        top.key = key

    def _start_mapping(self, event: _Event) -> None:
        self._start(event, _Frame({}, True, event.anchor), _MAP)

    def _start_sequence(self, event: _Event) -> None:
        self._start(event, _Frame([], False, event.anchor), _SEQ)

    def _start(self, event: _Event, frame: _Frame, own_tag: str) -> None:
        self._count(event)
        top = self._top
        if top is not None and top.is_mapping and top.key is None:
            self._fail(event, "a list or mapping can't be a key", "use text as key")
        if event.tag is not None and event.tag not in ("!", own_tag):
            self._fail(event, f"the tag {event.tag[:80]!r} is not read", "remove the tag")
        if len(self._stack) >= self._limits.depth:
            self._fail(
                event, f"{self._name} nests deeper than {self._limits.depth} levels", FLATTEN
            )
        if frame.anchor is not None:
            self._anchors.pop(frame.anchor, None)
        self._stack.append(frame)
        self._top = frame

    def _end(self, _event: object) -> None:
        frame = self._stack.pop()
        self._top = self._stack[-1] if self._stack else None
        if frame.anchor is not None:
            self._anchors[frame.anchor] = frame.container
        self._add(frame.container)

    def _alias(self, event: _Event) -> None:
        if self._top is not None and self._top.is_mapping and self._top.key is None:
            self._fail(event, "an alias can't be a key", "write the key out")
        if event.anchor not in self._anchors:
            message = f"the alias *{event.anchor[:80]} has no complete anchor before it"
            self._fail(event, message, "an anchor can't stand for something that it is inside of")
        self._add(self._copy(self._anchors[event.anchor], event, len(self._stack)))

    def _copy(self, value: JSONValue, event: object, depth: int) -> JSONValue:
        """Return what an alias stands for, counting it; copies, so that nothing is shared."""
        self._aliased += 1
        if self._aliased > self._limits.aliases:
            message = (
                f"the aliases of {self._name} stand for more than {self._limits.aliases} values"
            )
            self._fail(event, message, "write the values out")
        if depth > self._limits.depth:
            self._fail(
                event, f"{self._name} nests deeper than {self._limits.depth} levels", FLATTEN
            )
        if isinstance(value, dict):
            return {key: self._copy(member, event, depth + 1) for key, member in value.items()}
        if isinstance(value, list):
            return [self._copy(item, event, depth + 1) for item in value]
        return value

    def _add(self, value: JSONValue) -> None:
        top = self._top
        if top is None:
            self._value = value
        elif top.is_mapping:
            top.container[top.key] = value
            top.key = None
        else:
            top.container.append(value)

    def _count(self, event: _Event) -> None:
        self._nodes += 1
        if self._nodes > self._limits.nodes:
            message = f"{self._name} has more than {self._limits.nodes} values"
            self._fail(event, message, "split it, or check that it is the file you mean")

    def _path(self) -> Path:
        """Return the path of the innermost open container."""
        return tuple(
            cast("str", frame.key) if frame.is_mapping else len(frame.container)
            for frame in self._stack[:-1]
        )

    def _fail(self, event: _Event, message: str, hint: str) -> NoReturn:
        mark: _Mark = event.start_mark
        position = (mark.line + 1, mark.column + 1)
        raise _error(self._text, self._name, position, message, hint)


def _error(
    text: str, name: str, position: tuple[int, int], message: str, hint: str | None
) -> InvalidDocumentError:
    line, column = position
    return InvalidDocumentError(
        message, hint=hint, at=f"{name}:{line}:{column}", detail=[line_of(text, line)]
    )


def _scalar_value(event: _Event, name: str) -> JSONValue:
    """Return the value of a scalar: text if it is quoted, else what the core schema says."""
    text: str = event.value
    tag: str | None = event.tag
    if tag is None:
        return _plain(text, name) if event.implicit[0] else text
    if tag in ("!", _STR):
        return text
    if tag not in _SCALAR_TAGS:
        raise InvalidDocumentError(f"the tag {tag[:80]!r} is not read", hint="remove the tag")
    value = _plain(text, name)
    if tag == f"{_CORE}float" and type(value) is int:
        value = float(value)
    if tag != f"{_CORE}{_TAG_NAMES.get(type(value))}":
        raise InvalidDocumentError(
            f"{text[:80]!r} is no {tag.removeprefix(_CORE)}", hint="remove the tag"
        )
    return value


_TAG_NAMES: dict[type, str] = {type(None): "null", bool: "bool", int: "int", float: "float"}


def _plain(text: str, name: str) -> JSONValue:
    """Return what a plain scalar means in the core schema."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_START:
        return text
    if _INTEGER.fullmatch(text):
        return integer(text, name)
    if other := _OTHER_INTEGER.fullmatch(text):
        octal, hexadecimal = other.groups()
        return integer(str(int(octal, 8) if octal else int(hexadecimal, 16)), name)
    if _FLOAT.fullmatch(text):
        return number(text, name)
    if _NOT_FINITE.fullmatch(text):
        raise InvalidDocumentError(
            f"{name} has {text}, which is no finite number", hint="put it in quotes if it is text"
        )
    return text


def _is_unicode(text: str) -> bool:
    """Whether ``text`` is free of half surrogate pairs, which only the slow parser lets pass."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_text(text: str) -> bool:
    """Whether the core schema reads ``text`` as text when it stands there plain."""
    patterns = (_INTEGER, _OTHER_INTEGER, _FLOAT, _NOT_FINITE)
    return text not in _WORDS and not any(pattern.fullmatch(text) for pattern in patterns)


def _events(text: str, name: str) -> Iterator[_Event]:
    """Yield the parser's events, which it makes without recursion; its errors become ours."""
    import yaml

    parser: Any = (yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader)(text)
    try:
        while (event := parser.get_event()) is not None:
            yield event
    except yaml.MarkedYAMLError as error:
        mark: _Mark | None = error.problem_mark or error.context_mark
        position = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        message = f"{name} is not YAML: {error.problem or error.context}"
        hint = "check the indentation, brackets and quotes there"
        raise _error(text, name, position, message, hint) from error
    finally:
        parser.dispose()


def _positions(text: str, name: str) -> Iterator[tuple[Path, _Mark]]:
    """Yield path and mark of the root, then of every member and item, as they stand."""
    path: list[Any] = []
    waits_for_key: list[bool | None] = []
    for event in _events(text, name):
        kind = type(event).__name__
        if kind in ("MappingEndEvent", "SequenceEndEvent"):
            path.pop()
            waits_for_key.pop()
        elif kind in ("ScalarEvent", "AliasEvent", "MappingStartEvent", "SequenceStartEvent"):
            if waits_for_key and waits_for_key[-1]:
                path[-1] = event.value
                waits_for_key[-1] = False
                yield tuple(path), event.start_mark
                continue
            if not waits_for_key:
                yield (), event.start_mark
            elif waits_for_key[-1] is None:
                path[-1] += 1
                yield tuple(path), event.start_mark
            else:
                waits_for_key[-1] = True
            if kind in ("MappingStartEvent", "SequenceStartEvent"):
                is_mapping = kind == "MappingStartEvent"
                path.append(None if is_mapping else -1)
                waits_for_key.append(True if is_mapping else None)
