"""What a signature covers: a descriptor in one of the four normal forms of OCM, byte for byte.

The reference tools decode a descriptor into fixed fields first, so a member that no schema names is
in no normal form. How to reach content is left out, because transport rewrites it. The forms:

- ``jsonNormalisation/v4alpha1``: canonical JSON; without null members and label versions.
- ``jsonNormalisation/v3`` and ``v2``: as above, but both are kept, and of resources that share name
  and ``extraIdentity`` all but the last get their version as attribute.
- ``jsonNormalisation/v1``: objects as lists of one-member objects, with ``meta``, without sources.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.access import NONE_TYPES
from ocm_pkg.model.jcs import canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ocm_pkg.model.descriptor import ComponentDescriptor
    from ocm_pkg.model.document import JSONObject, JSONValue

V1 = "jsonNormalisation/v1"
V2 = "jsonNormalisation/v2"
V3 = "jsonNormalisation/v3"
V4ALPHA1 = "jsonNormalisation/v4alpha1"
ALGORITHMS = (V1, V2, V3, V4ALPHA1)
"""The names of the normal forms, oldest first."""

_DIGEST = ("hashAlgorithm", "normalisationAlgorithm", "value")
_ELEMENT = ("name", "version", "type")
_LABEL = ("name", "value", "signing", "version")
_MARKUP = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})


def normalise(descriptor: ComponentDescriptor, algorithm: str) -> bytes:
    """Return the bytes whose hash is signed, without a newline at the end.

    Raises ``InvalidDocumentError`` for an ``algorithm`` that is not one of ``ALGORITHMS``.
    """
    if algorithm not in ALGORITHMS:
        raise InvalidDocumentError(
            f"normalisation algorithm {algorithm[:60]!r} is not known",
            hint=f"known: {', '.join(ALGORITHMS)}",
        )
    component = descriptor.to_json()["component"]
    if algorithm == V4ALPHA1:
        return canonical({"component": _component_v4(component)})
    component["resources"] = _told_apart(component["resources"])
    if algorithm != V1:
        return canonical({"component": _component_v3(component)})
    if descriptor.api_version is not None:
        return _entry_bytes(_v3alpha1_form(component, descriptor.api_version))
    return _entry_bytes({"meta": {"schemaVersion": "v2"}, "component": _component_v1(component)})


def _component_v4(component: JSONObject) -> JSONObject:
    form = _component(component, _signed_v4)
    form["componentReferences"] = [
        {
            **_reference(reference),
            "digest": _digest(reference.get("digest")) or dict.fromkeys(_DIGEST, ""),
            **_some("labels", [_label_v4(one) for one in _labels(reference)]),
        }
        for reference in _objects(component, "componentReferences")
    ]
    return form


def _component_v3(component: JSONObject) -> JSONObject:
    form = _component(component, _signed_v3)
    form["componentReferences"] = [
        {
            **_reference(reference),
            **_some("digest", _digest(reference.get("digest"))),
            **_some("labels", [_unfiltered_label(one) for one in _labels(reference)]),
        }
        for reference in _objects(component, "componentReferences")
    ]
    return form


def _component(
    component: JSONObject, signed: Callable[[Sequence[JSONObject]], list[JSONValue]]
) -> JSONObject:
    """Return the form that v2, v3 and v4alpha1 share, all but the references."""
    provider, labels = _provider(component)
    return {
        **_head(component, signed),
        "provider": {"name": provider, **_some("labels", signed(labels))},
        "resources": [_resource(one, signed) for one in _objects(component, "resources")],
        "sources": [_source(one, signed) for one in _objects(component, "sources")],
    }


def _component_v1(component: JSONObject) -> JSONObject:
    provider, labels = _provider(component)
    form: JSONObject = {
        **_head(component, _signed_v3),
        "provider": {"name": provider, **_some("labels", _signed_v3(labels))}
        if labels
        else provider,
        "resources": [
            {"extraIdentity": None, **_resource(one, _signed_v3)}
            for one in _objects(component, "resources")
        ],
        "componentReferences": [
            {"extraIdentity": None, **_filtered_reference(one)}
            for one in _objects(component, "componentReferences")
        ],
    }
    return form


def _v3alpha1_form(component: JSONObject, api_version: str) -> JSONObject:
    """Return what jsonNormalisation/v1 covers of a descriptor that came as v3alpha1."""
    provider, labels = _provider(component)
    unfiltered: list[JSONValue] = [_unfiltered_label(one) for one in labels]
    spec: JSONObject = {
        "resources": [_resource(one, _signed_v3) for one in _objects(component, "resources")],
        "sources": [_source(one, _signed_v3) for one in _objects(component, "sources")],
        "references": [
            _filtered_reference(one) for one in _objects(component, "componentReferences")
        ],
    }
    return {
        "apiVersion": api_version,
        "kind": "ComponentVersion",
        "metadata": {
            **_head(component, _signed_v3),
            "provider": {"name": provider, **_some("labels", unfiltered)},
        },
        "spec": {member: elements for member, elements in spec.items() if elements},
    }


def _head(
    component: JSONObject, signed: Callable[[Sequence[JSONObject]], list[JSONValue]]
) -> JSONObject:
    return {
        "name": component["name"],
        "version": component["version"],
        **_some("creationTime", component.get("creationTime")),
        **_some("labels", signed(_labels(component))),
    }


def _resource(
    resource: JSONObject, signed: Callable[[Sequence[JSONObject]], list[JSONValue]]
) -> JSONObject:
    """Return what is covered of a resource; one without content by its access has no digest."""
    form = {**_source(resource, signed), "relation": resource["relation"]}
    access: Any = resource["access"]
    if access["type"] not in NONE_TYPES and (digest := _digest(resource.get("digest"))):
        form["digest"] = digest
    return form


def _source(
    source: JSONObject, signed: Callable[[Sequence[JSONObject]], list[JSONValue]]
) -> JSONObject:
    return {
        **{member: source[member] for member in _ELEMENT},
        **_some("extraIdentity", source.get("extraIdentity")),
        **_some("labels", signed(_labels(source))),
    }


def _reference(reference: JSONObject) -> JSONObject:
    return {
        **{member: reference[member] for member in ("name", "version", "componentName")},
        **_some("extraIdentity", reference.get("extraIdentity")),
    }


def _filtered_reference(reference: JSONObject) -> JSONObject:
    return {
        **_reference(reference),
        **_some("digest", _digest(reference.get("digest"))),
        **_some("labels", _signed_v3(_labels(reference))),
    }


def _digest(digest: JSONValue) -> JSONObject | None:
    return {member: digest[member] for member in _DIGEST} if isinstance(digest, dict) else None


def _signed_v3(labels: Sequence[JSONObject]) -> list[JSONValue]:
    """Return the labels that are signed, with their versions."""
    return [_label_v3(label) for label in labels if label.get("signing") is True]


def _signed_v4(labels: Sequence[JSONObject]) -> list[JSONValue]:
    """Return the labels that are signed, as a tool sees them that drops versions and nulls."""
    return [_label_v4(label) for label in labels if label.get("signing") is True]


def _label_v3(label: JSONObject) -> JSONObject:
    return {
        member: label[member]
        for member in _LABEL
        if member in label and (member == "value" or label[member])
    }


def _label_v4(label: JSONObject) -> JSONObject:
    form = _label_v3(label)
    form.pop("version", None)
    return {key: _without_nulls(value) for key, value in form.items() if value is not None}


def _unfiltered_label(label: JSONObject) -> JSONObject:
    return {**_label_v3(label), **_some("merge", label.get("merge"))}


def _without_nulls(value: JSONValue) -> JSONValue:
    """Return a value without the null members of its objects; null items of lists stay."""
    if isinstance(value, dict):
        return {key: _without_nulls(member) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _provider(component: JSONObject) -> tuple[JSONValue, Sequence[JSONObject]]:
    """Return name and labels of the provider, whose text may hold JSON."""
    text: Any = component["provider"]
    if text.startswith("{"):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return text, []
        if isinstance(value.get("name"), str):
            return value["name"], _labels(value)
    return text, []


def _told_apart(resources: Sequence[JSONObject]) -> list[JSONObject]:
    """Return the resources; all but the last of those with equal identity get a version."""
    keys = [_key(resource) for resource in resources]
    left = Counter(keys)
    told: list[JSONObject] = []
    for resource, key in zip(resources, keys, strict=True):
        left[key] -= 1
        if left[key]:
            extra: Any = resource.get("extraIdentity") or {}
            extra = {"version": resource["version"], **extra}
            told.append({**resource, "extraIdentity": extra})
        else:
            told.append(resource)
    return told


def _key(resource: JSONObject) -> tuple[object, ...]:
    extra: Any = resource.get("extraIdentity") or {}
    return (resource["name"], *sorted(extra.items()))


def _labels(value: JSONObject) -> list[JSONObject]:
    labels = value.get("labels")
    if not isinstance(labels, list):
        return []
    return [label for label in labels if isinstance(label, dict)]


def _objects(component: JSONObject, member: str) -> list[JSONObject]:
    objects: Any = component[member]
    return list(objects)


def _some(member: str, value: JSONValue) -> JSONObject:
    """Return ``value`` as a member, or no member if there is nothing in it."""
    return {member: value} if value else {}


def _entry_bytes(form: JSONObject) -> bytes:
    """Return the oldest form: canonical JSON but for the order of keys and the escapes of HTML."""
    return canonical(_entries(form)).decode().translate(_MARKUP).encode()


def _entries(value: JSONValue) -> JSONValue:
    if isinstance(value, dict):
        return [{key: _entries(value[key])} for key in sorted(value)]
    if isinstance(value, list):
        return [_entries(item) for item in value]
    return value
