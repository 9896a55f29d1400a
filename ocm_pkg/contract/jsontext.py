"""JSON between manager and plugin: strict and limited in, compact out."""

from __future__ import annotations

import json
from math import isfinite
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from ocm_pkg.errors import PluginProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping

JSONValue: TypeAlias = Any
"""What ``json`` makes of a document: None, bool, int, float, str, list, dict."""

JSONObject: TypeAlias = dict[str, Any]
"""A JSON object."""

MAX_DEPTH = 64
"""How deep arrays and objects may be nested."""


def read_json(data: bytes | str, *, what: str, limit: int) -> JSONValue:
    """Return the one JSON value that ``data`` is.

    White space around it is allowed, nothing else. Refused with ``PluginProtocolError``: more than
    ``limit`` bytes (characters of a text), no UTF-8, a byte order mark, a member twice in one
    object, numbers that no double can hold, lone surrogates, nesting deeper than ``MAX_DEPTH``.
    ``what`` names the document in the message.
    """
    if len(data) > limit:
        raise PluginProtocolError(f"{what} is larger than {limit} bytes")
    try:
        text = data if isinstance(data, str) else data.decode()
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_float=_finite,
            parse_constant=_no_constant,
        )
    except RecursionError as error:
        raise PluginProtocolError(f"{what} is nested too deep") from error
    except ValueError as error:
        raise PluginProtocolError(f"{what} is not one JSON value: {_reason(error)}") from error
    _check_tree(value, what)
    return value


def read_object(data: bytes | str, *, what: str, limit: int) -> JSONObject:
    """Return the one JSON object that ``data`` is; refusals as for ``read_json``."""
    value = read_json(data, what=what, limit=limit)
    if not isinstance(value, dict):
        raise PluginProtocolError(f"{what} is not a JSON object")
    return value


def write_json(value: JSONValue) -> str:
    """Return ``value`` as compact JSON; only ASCII, so it fits on any line and in any header."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def member(value: Mapping[str, Any], name: str, *, what: str) -> JSONValue:
    """Return the member ``name``, in any letter case; None if it is missing or null.

    Go reads keys in any letter case, so plugins may write them so. Two that differ only in case
    are refused, as one of them would be ignored silently.
    """
    folded = name.casefold()
    found = [key for key in value if key.casefold() == folded]
    if len(found) > 1:
        raise PluginProtocolError(f"{what} has {' and '.join(map(repr, found))}")
    return value[found[0]] if found else None


def _unique(pairs: list[tuple[str, JSONValue]]) -> JSONObject:
    result: JSONObject = {}
    for name, value in pairs:
        if name in result:
            raise ValueError(f"member {name[:80]!r} appears twice")
        result[name] = value
    return result


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"number {text[:40]} is out of range")
    return number


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _reason(error: ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is no UTF-8"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, line {error.lineno} column {error.colno}"
    return str(error)


def _check_tree(value: JSONValue, what: str) -> None:
    pending: list[tuple[JSONValue, int]] = [(value, 0)]
    while pending:
        item, depth = pending.pop()
        if isinstance(item, str):
            if not _encodable(item):
                raise PluginProtocolError(f"{what} has text with a lone surrogate")
        elif isinstance(item, list | dict):
            if depth == MAX_DEPTH:
                raise PluginProtocolError(f"{what} is nested deeper than {MAX_DEPTH} levels")
            if isinstance(item, dict):
                pending.extend((key, depth) for key in item)
                item = list(item.values())
            pending.extend((child, depth + 1) for child in item)


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
