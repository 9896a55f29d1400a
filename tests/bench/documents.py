"""How fast documents are read and normalised, in this process."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any

import yaml

from ocm_pkg.model.constructor import parse_constructor
from ocm_pkg.model.descriptor import ComponentDescriptor
from ocm_pkg.model.normalise import normalise
from tests.bench.harness import Figure, interleaved

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RESOURCES = 1000
CONSTRUCTOR_BYTES = 100_000
NORMALISE_SECONDS = 0.060


def _resource(number: int) -> dict[str, Any]:
    return {
        "name": f"plugin-{number:04}",
        "version": "1.0.0",
        "type": "ocmPlugin",
        "relation": "local",
        "extraIdentity": {"os": "linux", "architecture": "amd64"},
        "labels": [{"name": "example.com/team", "value": {"name": "infra"}, "signing": True}],
        "access": {
            "type": "localBlob/v1",
            "localReference": f"sha256:{number:064x}",
            "mediaType": "application/octet-stream",
        },
        "digest": {
            "hashAlgorithm": "SHA-256",
            "normalisationAlgorithm": "genericBlobDigest/v1",
            "value": f"{number:064x}",
        },
    }


def descriptor() -> ComponentDescriptor:
    """A component version of many resources."""
    component = {
        "name": "example.com/bench/many",
        "version": "1.0.0",
        "provider": "example.com",
        "repositoryContexts": [],
        "resources": [_resource(number) for number in range(RESOURCES)],
        "sources": [],
        "componentReferences": [],
    }
    value = {"meta": {"schemaVersion": "v2"}, "component": component}
    return ComponentDescriptor.from_json(value, name="bench")


def constructor() -> bytes:
    """A constructor of the size that is measured."""
    text = (
        "name: example.com/bench/many\nversion: 1.0.0\nprovider: {name: example.com}\nresources:\n"
    )
    number = 0
    while len(text) < CONSTRUCTOR_BYTES:
        text += (
            f"  - name: plugin-{number:04}\n    type: ocmPlugin\n"
            "    extraIdentity:\n      os: linux\n      architecture: amd64\n"
            f"    input:\n      type: file\n      path: out/plugin-{number:04}\n"
            "      mediaType: application/octet-stream\n"
        )
        number += 1
    return text.encode()


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def figures(_programs: Path, _folder: Path) -> list[Figure]:
    """Normalise and hash 1,000 resources; read a constructor of 100 KB."""
    many, text = descriptor(), constructor()

    def normalised() -> None:
        hashlib.sha256(normalise(many, "jsonNormalisation/v4alpha1")).hexdigest()

    ours, _ = interleaved(lambda: _timed(normalised), lambda: NORMALISE_SECONDS, rounds=20)
    parsed, loaded = interleaved(
        lambda: _timed(lambda: parse_constructor(text, name="bench.yaml", variables={})),
        lambda: _timed(lambda: yaml.load(text, Loader=yaml.CSafeLoader)),
        rounds=20,
    )
    return [
        Figure.of("normalise-1000-resources", ours, NORMALISE_SECONDS, 1.0),
        Figure.of("parse-constructor-100KB", parsed, loaded, 2.0),
    ]
