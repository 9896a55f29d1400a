"""The configuration for people: every entry with its origin, and no secret."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocm_pkg.model.config import Kind
from ocm_pkg.model.config_credentials import DOCKER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ocm_pkg.model.config import Entry
    from ocm_pkg.model.config_text import Node
    from ocm_pkg.model.document import JSONObject, JSONValue

HIDDEN = "***"

_NOT_USED = "not used by ocm-pkg"
_LISTS = {"consumers": "consumer", "repositories": "credentials", "resolvers": "resolver"}
_OBVIOUS = re.compile(r"(?<![^ ])(?:(?:identity|identities|credentials|properties|repository)\.)+")
_SHOWN_SECRETS = re.compile(r"type|username|.*_?file|.*File")
_SECRET_NAME = re.compile(
    r"password|passphrase|secret|token|credential|private|api_?key|authorization", re.IGNORECASE
)
_USER_IN_URL = re.compile(r"//[^/\s]*@")


@dataclass(frozen=True, slots=True)
class Shown:
    """One line about the configuration: what it is about, what it says, where it is said."""

    type: str
    what: str
    says: str
    file: str
    line: int


def shown(entry: Entry) -> JSONObject | None:
    """Return an entry with its secrets as ``***``; None for a type that is not read here."""
    if entry.kind is None:
        return None
    members = entry.node.mapping()
    if entry.kind is Kind.CREDENTIALS:
        return _credentials(members)
    hidden = _hidden(members)
    return hidden if isinstance(hidden, dict) else None


def lines(entry: Entry) -> Iterator[Shown]:
    """Yield an entry as lines: one for each consumer, repository, resolver; else one in all."""

    def line(node: Node, what: str, value: JSONValue) -> Shown:
        text = "" if value in (None, {}, []) else _OBVIOUS.sub("", _flat(value))
        return Shown(entry.type, what, text, node.file, node.position[0])

    members = shown(entry)
    if members is None:
        yield line(entry.node, _NOT_USED, None)
        return
    rest = {name: value for name, value in members.items() if name != "type"}
    for name, what in _LISTS.items():
        values = rest.pop(name, None)
        if not isinstance(values, list):
            continue
        for node, value in zip(entry.node.items(name), values, strict=True):
            is_other = name == "repositories" and not _is_docker(value)
            yield line(node, _NOT_USED if is_other else what, value)
    if rest or len(members) == 1:
        yield line(entry.node, "settings", rest)


def _is_docker(value: JSONValue) -> bool:
    spec = value.get("repository") if isinstance(value, dict) else None
    type_name = spec.get("type") if isinstance(spec, dict) else None
    return isinstance(type_name, str) and type_name.partition("/")[0] == DOCKER


def holds_secrets(entries: Iterable[Entry]) -> bool:
    """Whether entries hold a secret themselves (not just the name of a file that does)."""
    return any(
        entry.kind is Kind.CREDENTIALS and HIDDEN in _flat(_credentials(entry.node.mapping()))
        for entry in entries
    )


def _credentials(members: JSONObject) -> JSONObject:
    """Hide everything below ``credentials`` and ``repositories`` but what is known to be open."""
    result: JSONObject = {}
    for name, value in members.items():
        if name == "consumers" and isinstance(value, list):
            result[name] = [_consumer(one) for one in value]
        elif name == "type":
            result[name] = value
        else:
            result[name] = _guarded(value)
    return result


def _consumer(consumer: JSONValue) -> JSONValue:
    if not isinstance(consumer, dict):
        return HIDDEN
    is_open = ("identity", "identities")
    return {
        name: _hidden(value) if name in is_open else _guarded(value)
        for name, value in consumer.items()
    }


def _guarded(value: JSONValue, name: str = "") -> JSONValue:
    """Hide every value that is not known to be open."""
    if isinstance(value, dict) and name != "dockerConfig":
        return {key: _guarded(member, key) for key, member in value.items()}
    if isinstance(value, list):
        return [_guarded(item, name) for item in value]
    if isinstance(value, str) and _SHOWN_SECRETS.fullmatch(name):
        return _USER_IN_URL.sub(f"//{HIDDEN}@", value)
    return value if value is None or isinstance(value, bool) else HIDDEN


def _hidden(value: JSONValue, name: str = "") -> JSONValue:
    """Hide what has the name of a secret, and users in URLs."""
    if isinstance(value, dict):
        return {key: _hidden(member, key) for key, member in value.items()}
    if isinstance(value, list):
        return [_hidden(item, name) for item in value]
    if value is not None and _SECRET_NAME.search(name):
        return HIDDEN
    return _USER_IN_URL.sub(f"//{HIDDEN}@", value) if isinstance(value, str) else value


def _flat(value: JSONValue, name: str = "") -> str:
    """Return a value as ``a.b=c d=[e, f]``, in one line."""
    if isinstance(value, dict):
        prefix = f"{name}." if name else ""
        parts = [_flat(member, f"{prefix}{key}") for key, member in value.items()]
        return " ".join(part for part in parts if part)
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return " ".join(_flat(item, name) for item in value)
    if isinstance(value, list):
        text = ",".join(str(item) for item in value)
    elif isinstance(value, bool):
        text = str(value).lower()
    else:
        text = "" if value is None else str(value)
    return f"{name}={text}" if name else text
