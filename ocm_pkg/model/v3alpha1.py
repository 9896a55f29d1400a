"""Descriptors of schema ``ocm.software/v3alpha1``: from and to the form of schema v2."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ocm_pkg.errors import InvalidDocumentError

if TYPE_CHECKING:
    from ocm_pkg.model.document import JSONObject, JSONValue

API_VERSION = "ocm.software/v3alpha1"
KIND = "ComponentVersion"

_OWN = {"apiVersion", "kind", "metadata", "spec"}
_LISTS = ("resources", "sources", "references")
_IN_SPEC = {"repositoryContexts", "resources", "sources", "componentReferences", "spec"}


def as_v2(value: JSONObject, name: str) -> JSONObject:
    """Return a descriptor of this schema in the form of schema v2; the rest is checked there.

    Raises ``InvalidDocumentError`` for any other ``apiVersion`` or ``kind``, and for a document
    that has members of both forms.
    """
    if value["apiVersion"] != API_VERSION:
        raise InvalidDocumentError(
            f"{name}: apiVersion is {str(value['apiVersion'])[:60]!r}, which is not known",
            hint=f"known are {API_VERSION}, and meta.schemaVersion v2",
        )
    if value.get("kind") != KIND:
        raise InvalidDocumentError(f"{name}: kind must be {KIND}")
    if mixed := {"meta", "component"} & value.keys():
        raise InvalidDocumentError(
            f"{name} mixes two schemas: apiVersion and {min(mixed)}", hint="keep one of them"
        )
    metadata, spec = _mapping(value, "metadata", name), _mapping(value, "spec", name)
    version = metadata.get("version")
    component: JSONObject = {
        **{key: member for key, member in metadata.items() if key != "provider"},
        "provider": _provider(_mapping(metadata, "provider", name)),
        "repositoryContexts": value.get("repositoryContexts"),
        "resources": [_element(one, version) for one in _list(spec, "resources", name)],
        "sources": [_element(one, version) for one in _list(spec, "sources", name)],
        "componentReferences": spec.get("references"),
    }
    if unknown := {key: member for key, member in spec.items() if key not in _LISTS}:
        component["spec"] = unknown  # kept for as_v3alpha1; no normal form has it
    rest = {
        key: member for key, member in value.items() if key not in {*_OWN, "repositoryContexts"}
    }
    return {**rest, "meta": {"schemaVersion": "v2"}, "component": component}


def as_v3alpha1(value: JSONObject) -> JSONObject:
    """Return a descriptor of schema v2 in the form of this schema; ``as_v2`` turns it back."""
    component = _mapping(value, "component", "the descriptor")
    unknown = component.get("spec")
    spec: JSONObject = {
        **(unknown if isinstance(unknown, dict) else {}),
        "resources": component["resources"],
        "sources": component["sources"],
        "references": component["componentReferences"],
    }
    metadata = {key: member for key, member in component.items() if key not in _IN_SPEC}
    rest = {key: member for key, member in value.items() if key not in ("meta", "component")}
    return {
        **rest,
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {**metadata, "provider": _provider_object(str(component["provider"]))},
        "repositoryContexts": component["repositoryContexts"],
        "spec": spec,
    }


def _provider_object(text: str) -> JSONValue:
    """Return the provider as this schema writes it: an object."""
    try:
        found: JSONValue = json.loads(text) if text.startswith("{") else None
    except (ValueError, RecursionError):
        found = None
    name = found.get("name") if isinstance(found, dict) else None
    return found if name and isinstance(name, str) else {"name": text}


def _provider(provider: JSONObject) -> JSONValue:
    """Return the provider as schema v2 writes it: text, which holds JSON if there are labels."""
    if set(provider) == {"name"}:
        return provider["name"]
    return json.dumps(provider, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _element(element: JSONValue, version: JSONValue) -> JSONValue:
    """Return a resource or source with its version, which a local one takes from the component."""
    if not isinstance(element, dict) or element.get("version"):
        return element
    is_local = element.get("relation", "local") == "local"
    return {**element, "version": version} if is_local else element


def _mapping(value: JSONObject, member: str, name: str) -> JSONObject:
    found = value.get(member)
    if not isinstance(found, dict):
        raise InvalidDocumentError(f"{name}: {member} must be a mapping")
    return found


def _list(value: JSONObject, member: str, name: str) -> list[JSONValue]:
    found = value.get(member)
    if found is not None and not isinstance(found, list):
        raise InvalidDocumentError(f"{name}: {member} must be a list")
    return found or []
