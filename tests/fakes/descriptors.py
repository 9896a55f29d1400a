"""Descriptors and vectors for tests of the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ocm_pkg.model.descriptor import MEDIA_TYPE_JSON, MEDIA_TYPE_YAML, ComponentDescriptor

OWN_VECTORS = Path(__file__).parent.parent / "vectors"
ALL_VECTORS = Path(__file__).parent.parent.parent.parent / "shared" / "vectors"
HEX = "0123456789abcdef" * 4


def resource_json(**members: Any) -> dict[str, Any]:
    """Return a valid resource, with ``members`` changed; one that is ``...`` is left out."""
    value = {
        "name": "hello",
        "version": "1.0.0",
        "type": "ocmPlugin",
        "relation": "local",
        "access": {
            "type": "localBlob/v1",
            "localReference": f"sha256:{HEX}",
            "mediaType": "application/octet-stream",
        },
        "digest": {
            "hashAlgorithm": "SHA-256",
            "normalisationAlgorithm": "genericBlobDigest/v1",
            "value": HEX,
        },
    }
    return _changed(value, members)


def component_json(**members: Any) -> dict[str, Any]:
    """Return a valid component, with ``members`` changed; one that is ``...`` is left out."""
    value = {
        "name": "example.com/hello",
        "version": "1.0.0",
        "provider": "example.com",
        "repositoryContexts": [],
        "resources": [],
        "sources": [],
        "componentReferences": [],
    }
    return _changed(value, members)


def descriptor_json(component: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    """Return a valid descriptor, with ``members`` changed; one that is ``...`` is left out."""
    value = {"meta": {"schemaVersion": "v2"}, "component": component or component_json()}
    return _changed(value, members)


def descriptor(**members: Any) -> ComponentDescriptor:
    """Return a descriptor whose component has ``members``."""
    return ComponentDescriptor.from_json(descriptor_json(component_json(**members)), name="cd")


def parse(value: Any) -> ComponentDescriptor:
    """Return a descriptor that was parsed from the bytes of JSON data."""
    data = json.dumps(value).encode()
    return ComponentDescriptor.parse(data, MEDIA_TYPE_JSON, name="cd")


def stored_descriptor(path: Path) -> ComponentDescriptor:
    """Return the descriptor of a vector."""
    media_type = MEDIA_TYPE_JSON if path.suffix == ".json" else MEDIA_TYPE_YAML
    return ComponentDescriptor.parse(path.read_bytes(), media_type, name=path.name)


def normal_forms(root: Path) -> list[tuple[Path, Path, str]]:
    """Return descriptor, recorded normal form and algorithm of every vector below ``root``."""
    found = []
    for recorded in sorted(root.glob("*/**/normalised*/*.txt")):
        suffix = recorded.parent.name.removeprefix("normalised")
        folder = recorded.parent.parent
        [stored] = folder.glob(f"descriptor{suffix}.[jy]*")
        found.append((stored, recorded, recorded.stem.replace("-", "/", 1)))
    return found


def _changed(value: dict[str, Any], members: dict[str, Any]) -> dict[str, Any]:
    return {key: member for key, member in {**value, **members}.items() if member is not ...}
