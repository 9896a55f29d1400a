"""Canonical JSON (RFC 8785): one text for one value, which can be hashed and signed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ocm_pkg.errors import InvalidDocumentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocm_pkg.model.document import JSONObject, JSONValue

MAX_DEPTH = 300
"""Deeper values are refused; documents that were read are never as deep."""

_EXACT = 2**53
_text: Callable[[str], str] = json.encoder.encode_basestring


def canonical(value: JSONValue) -> bytes:
    """Return ``value`` as canonical JSON in UTF-8.

    Keys are sorted by UTF-16 code units, numbers are IEEE doubles in ECMAScript's text (so
    9007199254740993 becomes 9007199254740992). Raises ``InvalidDocumentError`` for what has no
    such form: numbers beyond a double, half surrogate pairs, nesting beyond ``MAX_DEPTH``.
    """
    parts: list[str] = []
    _write(value, parts.append, 0)
    try:
        return "".join(parts).encode()
    except UnicodeEncodeError as error:
        raise InvalidDocumentError("text with half of a surrogate pair can't be signed") from error


def number_text(value: float) -> str:
    """Return a number as ECMAScript writes it: ``1e+21``, ``1e-7``, ``100``, never ``1.0``."""
    if isinstance(value, int):
        if -_EXACT <= value <= _EXACT:
            return str(value)
        try:
            value = float(value)
        except OverflowError:
            value = float("inf")
    text = repr(value)
    if text.endswith(".0"):
        return "0" if value == 0 else text[:-2]
    if "e" not in text and "n" not in text:
        return text
    return _exponential(text)


def _exponential(text: str) -> str:
    """Return the ECMAScript text of a double that Python writes with an exponent."""
    if "n" in text:
        raise InvalidDocumentError(f"the number {text} can't be signed", hint="use a finite number")
    mantissa, _, exponent_text = text.partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits, exponent = whole + fraction, int(exponent_text)
    if 0 <= exponent < 21:
        return sign + digits.ljust(exponent + 1, "0")
    if -7 < exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    point = f".{fraction}" if fraction else ""
    return f"{sign}{whole}{point}e{exponent:+d}"


def _write(value: JSONValue, add: Callable[[str], None], depth: int) -> None:
    if isinstance(value, str):
        add(_text(value))
    elif isinstance(value, dict):
        _write_object(value, add, depth)
    elif isinstance(value, list | tuple):
        _check_depth(depth)
        separator = "["
        for item in value:
            add(separator)
            _write(item, add, depth + 1)
            separator = ","
        add("]" if value else "[]")
    elif value is None:
        add("null")
    elif isinstance(value, bool):
        add("true" if value else "false")
    else:
        add(number_text(value))


def _write_object(value: JSONObject, add: Callable[[str], None], depth: int) -> None:
    _check_depth(depth)
    separator = "{"
    for key in _sorted(value):
        add(separator)
        add(_text(key))
        add(":")
        _write(value[key], add, depth + 1)
        separator = ","
    add("}" if value else "{}")


def _sorted(value: JSONObject) -> list[str]:
    if "".join(value).isascii():
        return sorted(value)
    return sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise InvalidDocumentError(f"a value that nests deeper than {MAX_DEPTH} can't be signed")
