"""Descriptors as plain data, read and compared without any code of the product."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

ALGORITHMS = tuple(f"jsonNormalisation/{name}" for name in ("v1", "v2", "v3", "v4alpha1"))


class _Loader(yaml.SafeLoader):
    """Times are text; numbers are those of YAML 1.2."""


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0].rpartition(":")[2] not in {"timestamp", "float"}]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$"),
    list("-+0123456789."),
)
# Integers are found before numbers with a fraction.
for _pairs in _Loader.yaml_implicit_resolvers.values():
    _pairs.sort(key=lambda pair: pair[0].endswith(":float"))


def load(data: bytes) -> Any:
    """Return JSON or YAML as plain data."""
    if data.lstrip()[:1] == b"{":
        return json.loads(data)
    return yaml.load(data, _Loader)  # noqa: S506 (derived from the safe loader)


def read(path: Path) -> Any:
    """Return the JSON or YAML in a file as plain data."""
    return load(path.read_bytes())


def plain(value: Any) -> Any:
    """Leave out what means nothing: null, empty lists, empty objects."""
    if isinstance(value, dict):
        members = {name: plain(each) for name, each in value.items()}
        return {name: each for name, each in members.items() if not _is_nothing(each)}
    return [plain(each) for each in value] if isinstance(value, list) else value


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, list | dict) and not value)


def same(one: Any, other: Any) -> bool:
    """Whether two documents say the same; ``true`` and 1 are two things."""
    return text(one) == text(other)


def text(value: Any) -> str:
    """Return the one text of what a document says."""
    said = plain(value)
    return json.dumps(None if _is_nothing(said) else said, sort_keys=True, ensure_ascii=False)


def difference(one: Any, other: Any, at: str = "") -> str:
    """Return where two documents differ first, and how; empty if they don't."""
    one, other = plain(one), plain(other)
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted({*one, *other}):
            if found := difference(one.get(name), other.get(name), f"{at}.{name}"):
                return found
        return ""
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return next(filter(None, (difference(a, b, f"{at}[{n}]") for n, (a, b) in pairs)), "")
    return "" if same(one, other) else f"{at}: {one!r} is not {other!r}"[:300]


def component_of(descriptor: Any) -> dict[str, Any]:
    """Return name, version and resources, in schema v2 or v3alpha1."""
    if "component" in descriptor:
        found: dict[str, Any] = descriptor["component"]
        return found
    return {**descriptor["metadata"], **descriptor["spec"]}


def resources(descriptor: Any) -> list[dict[str, Any]]:
    """Return the resources."""
    return component_of(descriptor).get("resources") or []


def identity(resource: dict[str, Any]) -> dict[str, str]:
    """Return all that tells a resource from others."""
    extra = resource.get("extraIdentity") or {}
    return {"name": resource["name"], "version": resource["version"], **extra}


def is_local(resource: dict[str, Any]) -> bool:
    """Whether its content is stored with the component version."""
    kind = str(resource["access"]["type"]).removesuffix("/v1")
    return kind in {"localBlob", "LocalBlob"}


def signed_part(descriptor: Any) -> Any:
    """Return what signatures cover, roughly: what copying must keep for them to stay good."""
    component = dict(component_of(descriptor))
    component.pop("repositoryContexts", None)
    component["labels"] = _signed_labels(component)
    component["resources"] = [
        _without(each, "access", "srcRefs") for each in component.get("resources") or []
    ]
    component["sources"] = [_without(each, "access") for each in component.get("sources") or []]
    return plain(component)


def _without(element: dict[str, Any], *members: str) -> dict[str, Any]:
    kept = {name: each for name, each in element.items() if name not in members}
    return {**kept, "labels": _signed_labels(element)}


def _signed_labels(element: dict[str, Any]) -> list[Any]:
    return [
        label for label in element.get("labels") or [] if label.get("signing") in (True, "true")
    ]
