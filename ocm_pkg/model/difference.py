"""What differs between two component versions of one name and version, for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ocm_pkg.model.identity import show
from ocm_pkg.model.published import comparable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocm_pkg.model.descriptor import ComponentDescriptor

_MOST = 8
_LONGEST = 100
_ABSENT = object()
_LISTS = ("resources", "sources", "componentReferences", "labels", "signatures")


def differences(there: ComponentDescriptor, new: ComponentDescriptor) -> tuple[str, ...]:
    """Return a line per member that differs, ``MEMBER: THERE -> NEW``; the first few of them.

    Elements, labels and signatures are named by what tells them apart. Text that others wrote is
    as it was: whoever prints the lines escapes them.
    """
    lines = list(_compare("", *map(_plain, comparable(there, new), (there, new))))
    if len(lines) > _MOST:
        lines[_MOST:] = [f"... and {len(lines) - _MOST} more"]
    return tuple(lines)


def _plain(value: dict[str, Any], descriptor: ComponentDescriptor) -> dict[str, Any]:
    signatures = [one.to_json() for one in descriptor.signatures]
    component = value.pop("component")
    return {**value, **component, "signatures": signatures}


def _compare(path: str, old: Any, new: Any) -> Iterator[str]:  # noqa: ANN401 - plain JSON data
    if old == new:
        return
    name = path.rpartition(".")[2]
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            inner = f"{path}.{key}" if path else key
            yield from _compare(inner, old.get(key, _ABSENT), new.get(key, _ABSENT))
    elif name in _LISTS and _is_list(old) and _is_list(new):
        olds, news = _named(old), _named(new)
        if list(olds) != list(news) and set(olds) == set(news):
            yield f"{path}: in another order"
        for key in dict.fromkeys((*olds, *news)):
            yield from _compare(f"{path}[{key}]", olds.get(key, _ABSENT), news.get(key, _ABSENT))
    else:
        yield f"{path}: {_shown(old)} -> {_shown(new)}"


def _is_list(value: object) -> bool:
    return value is _ABSENT or isinstance(value, list)


def _named(value: Any) -> dict[str, Any]:  # noqa: ANN401 - plain JSON data
    """Return the entries of a list by what names them; a number where that is no name."""
    named: dict[str, Any] = {}
    for number, entry in enumerate(value if isinstance(value, list) else []):
        key = _name(entry)
        named[key if key is not None and key not in named else str(number)] = entry
    return named


def _name(entry: object) -> str | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        return None
    identity = {"name": entry["name"]}
    extra = entry.get("extraIdentity")
    if isinstance(extra, dict):
        identity |= {str(key): str(value) for key, value in extra.items()}
    return show(identity)


def _shown(value: object) -> str:
    if value is _ABSENT:
        return "(none)"
    if isinstance(value, dict | list) and isinstance(_name(value), str):
        return "(there)"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
