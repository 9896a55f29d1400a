"""Globs over component names: ``*``, ``**``, ``?``, ``[a-z]``, ``[!a]`` and ``{one,other}``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ocm_pkg.errors import InvalidDocumentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_LENGTH = 500
MAX_CHOICES = 100

_PIECE = re.compile(r"\*\*+|\*|\?|\[([!^]?)([^\]/]+)\]|\\(.)|([^\\\[\]])", re.DOTALL)
_BRACES = re.compile(r"\{([^{}]*)\}")
_HINT = 'e.g. "example.com/plugins/*"'


@dataclass(frozen=True, slots=True)
class _Set:
    """One character: of some ranges, or of none of them; ``/`` only where just that is meant."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool = False

    def has(self, char: str) -> bool:
        if char == "/":
            return self.ranges == (("/", "/"),)
        return any(low <= char <= high for low, high in self.ranges) != self.negated


_Step: TypeAlias = "_Set | str"


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern for component names: ``*`` and ``?`` do not cross ``/``, ``**`` does.

    A ``*`` alone and an empty pattern fit every name.
    """

    text: str
    _choices: tuple[tuple[_Step, ...], ...]

    @classmethod
    def parse(cls, text: str) -> Glob:
        """Read a pattern, or raise ``InvalidDocumentError``."""
        if len(text) > MAX_LENGTH:
            raise InvalidDocumentError("a pattern is too long", hint=_HINT)
        pattern = "**" if text in ("", "*") else text
        return cls(text, tuple(tuple(_steps(choice)) for choice in _expanded(pattern)))

    def matches(self, name: str) -> bool:
        """Whether the pattern fits the whole name."""
        return any(_fits(steps, name) for steps in self._choices)


def _fits(steps: Sequence[_Step], name: str) -> bool:
    """Follow all ways through the name at once, so that no pattern takes long."""
    places = {0}
    for step in steps:
        if step == "**":
            places = set(range(min(places), len(name) + 1))
        elif isinstance(step, str):
            places = {place for start in places for place in _within_segment(name, start)}
        else:
            places = {place + 1 for place in places if place < len(name) and step.has(name[place])}
        if not places:
            return False
    return len(name) in places


def _within_segment(name: str, start: int) -> range:
    end = name.find("/", start)
    return range(start, (len(name) if end < 0 else end) + 1)


def _steps(pattern: str) -> Iterator[_Step]:
    position = 0
    while position < len(pattern):
        match = _PIECE.match(pattern, position)
        if match is None or match[4] in ("{", "}"):
            raise InvalidDocumentError(f"{pattern[:80]!r} is not a pattern", hint=_HINT)
        position = match.end()
        if match[2] is not None:
            yield _Set(tuple(_ranges(match[2])), bool(match[1]))
        elif literal := match[3] or (match[4] if match[0] not in "*?" else None):
            yield _Set(((literal, literal),))
        elif match[0] == "?":
            yield _Set((), negated=True)
        else:
            yield match[0][:2]


def _ranges(inside: str) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(inside):
        is_range = inside[position + 1 : position + 2] == "-" and position + 2 < len(inside)
        yield inside[position], inside[position + 2 if is_range else position]
        position += 3 if is_range else 1


def _expanded(pattern: str) -> list[str]:
    """Return the patterns that one with ``{a,b}`` stands for."""
    waiting, done = [pattern], []
    while waiting:
        current = waiting.pop()
        match = _BRACES.search(current)
        if match is None:
            done.append(current)
        else:
            before, after = current[: match.start()], current[match.end() :]
            waiting += [before + choice + after for choice in match[1].split(",")]
        if len(waiting) + len(done) > MAX_CHOICES:
            raise InvalidDocumentError(f"{pattern[:80]!r} stands for too many patterns")
    return done
