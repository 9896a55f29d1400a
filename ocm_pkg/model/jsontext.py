"""JSON text to plain data, strictly: what two readers could understand differently is refused."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, cast

from ocm_pkg.errors import InvalidDocumentError

if TYPE_CHECKING:
    from ocm_pkg.model.document import JSONValue

MAX_INTEGER_DIGITS = 309
"""Decimal digits of the greatest integer that an IEEE double holds: no number here is longer."""

HIDDEN = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What JSON allows in text and a terminal may obey: controls, marks of the writing direction."""

FLATTEN = "bring nested values up, or keep them in a file of their own"
"""What to do about a value that nests too deep."""

_MIB = 1024 * 1024
# Possessive, and an unterminated string reaches to the end: the time is linear for any text.
_STRING = re.compile(r'"(?:[^"\\]++|\\.?)*+(?:"|\Z)', re.DOTALL)
_NOT_STRUCTURE = re.compile(r"[^\[\]{},]+")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a document is read before it is refused.

    ``size`` is in bytes of UTF-8, ``depth`` counts nested lists and mappings, ``nodes`` counts
    values and keys, ``aliases`` counts the values that all YAML aliases together stand for.
    """

    size: int = 4 * _MIB
    depth: int = 100
    nodes: int = 400_000
    aliases: int = 10_000


def parse_json(data: bytes | str, *, name: str, limits: Limits | None = None) -> JSONValue:
    """Return the one JSON value of ``data``; ``name`` is what errors call it.

    Refused with ``InvalidDocumentError``: text that is not UTF-8, a byte order mark, a key twice
    in an object, anything after the value, ``NaN`` and infinities, numbers beyond an IEEE double,
    half surrogate pairs, and whatever is over ``limits``.
    """
    limits = limits or Limits()
    text = decoded(data, name=name, limits=limits)
    _check_structure(text, name, limits)

    def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(members)
        if len(value) != len(members):
            _refuse_duplicate(members, name)
        return value

    try:
        value = json.loads(
            text,
            object_pairs_hook=pairs,
            parse_int=lambda digits: integer(digits, name),
            parse_float=lambda digits: number(digits, name),
            parse_constant=lambda constant: _refuse_constant(constant, name),
        )
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise InvalidDocumentError(
            f"{name} is not JSON: {error.msg}",
            hint="check the commas, brackets and quotes there",
            at=f"{name}:{error.lineno}:{error.colno}",
            detail=[line_of(text, error.lineno)],
        ) from error
    except UnicodeEncodeError as error:
        raise _half_pair(name) from error
    return cast("JSONValue", value)


def decoded(data: bytes | str, *, name: str, limits: Limits) -> str:
    """Return the text of UTF-8 ``data`` after checking its size; errors name line and column."""
    try:
        encoded = data.encode() if isinstance(data, str) else data
        if len(encoded) > limits.size:
            raise InvalidDocumentError(
                f"{name} has more than {limits.size} bytes",
                hint="split it, or check that it is the file you mean",
                at=name,
            )
        return encoded.decode()
    except UnicodeEncodeError as error:
        raise _half_pair(name) from error
    except UnicodeDecodeError as error:
        before = bytes(error.object[: error.start])
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        raise InvalidDocumentError(
            f"{name} is not UTF-8 text",
            hint="save it as UTF-8 without a byte order mark",
            at=f"{name}:{line}:{column}",
            detail=[line_of(error.object.decode(errors="replace"), line)],
        ) from error


def integer(digits: str, name: str) -> int:
    """Return a decimal integer, or refuse one that no IEEE double can hold."""
    value = int(digits) if len(digits) <= MAX_INTEGER_DIGITS + 1 else None
    try:
        if value is not None:
            float(value)
            return value
    except OverflowError:
        pass
    raise InvalidDocumentError(
        f"{name} has an integer of {len(digits.lstrip('+-'))} digits",
        hint="write a number that large as text, in quotes",
    )


def number(digits: str, name: str) -> float:
    """Return a floating point number, or refuse one that no IEEE double can hold."""
    value = float(digits)
    if math.isinf(value):
        raise InvalidDocumentError(
            f"{name} has the number {digits[:40]}, which is out of range",
            hint="write a number that large as text, in quotes",
        )
    return value


def escape_hidden(text: str) -> str:
    """Return JSON or quoted YAML with its hidden characters as escapes; the value is the same."""
    return HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def line_of(text: str, line: int) -> str:
    """Return line ``line`` (from 1) of ``text``, cut to a length that fits an error."""
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1
    end = text.find("\n", start)
    return text[start : end if end >= 0 else None].rstrip("\r")[:200]


def _check_structure(text: str, name: str, limits: Limits) -> None:
    """Refuse deep or huge structure before the parser, which is recursive, sees it."""
    structure = _NOT_STRUCTURE.sub("", _STRING.sub("", text))
    if len(structure) > 2 * limits.nodes:
        raise InvalidDocumentError(
            f"{name} has more than {limits.nodes} values",
            hint="split it, or check that it is the file you mean",
            at=name,
        )
    depth = 0
    for character in structure:
        if character in "[{":
            depth += 1
            if depth > limits.depth:
                raise InvalidDocumentError(
                    f"{name} nests deeper than {limits.depth} levels", hint=FLATTEN, at=name
                )
        elif character != ",":
            depth -= 1


def _refuse_duplicate(members: list[tuple[str, Any]], name: str) -> NoReturn:
    twice, _ = Counter(key for key, _ in members).most_common(1)[0]
    raise InvalidDocumentError(
        f"{name} has the key {twice[:80]!r} twice in one object",
        hint="keep one of them",
        at=name,
    )


def _refuse_constant(constant: str, name: str) -> NoReturn:
    raise InvalidDocumentError(
        f"{name} has {constant}, which is not a JSON number",
        hint="write null, or text in quotes",
        at=name,
    )


def _half_pair(name: str) -> InvalidDocumentError:
    return InvalidDocumentError(
        f"{name} holds half of a surrogate pair",
        hint="write the whole character, or its replacement U+FFFD",
        at=name,
    )
