"""Small programs as component versions, for tests that install them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocm_pkg.contract.capabilities import Capabilities
from ocm_pkg.model.descriptor import ComponentDescriptor, Signature
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.published import NORMALISATION, component_digest
from ocm_pkg.signing.keys import load_private_key
from ocm_pkg.signing.rsa import PSS, sign_digest
from ocm_pkg.signing.trust import TrustPolicy

if TYPE_CHECKING:
    from tests.fakes.repository import FakeRepository

KEYS = Path(__file__).parents[1] / "vectors/keys"
COMPONENT = "example.com/plugins/hello"
LINUX_AMD64 = Platform("linux", "amd64")
CAPABILITIES = b'{"type":{"Hello/v1":["generic"]}}'


def program(version: str, *, size: int = 0) -> bytes:
    """Return a script that prints its version, and exits with 1 if it was cut or mixed."""
    body = f"echo {version}\n" + "# filler\n" * size
    return f"#!/bin/sh\n{body}test {version} = {version} && exit 0\nexit 1\n".encode()


def resource(data: bytes, platform: Platform, **members: Any) -> dict[str, Any]:
    """Return a plugin resource with local content."""
    digest = digest_of(data)
    return {
        "name": "hello",
        "version": "1.0.0",
        "type": "ocmPlugin",
        "relation": "local",
        "extraIdentity": platform.identity,
        "access": {
            "type": "localBlob/v1",
            "localReference": str(digest),
            "mediaType": "application/octet-stream",
        },
        "digest": {
            "hashAlgorithm": "SHA-256",
            "normalisationAlgorithm": "genericBlobDigest/v1",
            "value": digest.hex,
        },
        **members,
    }


def descriptor(version: str, resources: list[dict[str, Any]]) -> ComponentDescriptor:
    """Return the descriptor of one version of the component."""
    component = {
        "name": COMPONENT,
        "version": version,
        "provider": "example.com",
        "repositoryContexts": [],
        "resources": resources,
        "sources": [],
        "componentReferences": [],
    }
    value = {"meta": {"schemaVersion": "v2"}, "component": component}
    return ComponentDescriptor.from_json(value, name="test")


def offer(
    repository: FakeRepository, version: str, platform: Platform, data: bytes | None = None
) -> ComponentDescriptor:
    """Put a component version with one program for ``platform`` into ``repository``."""
    content = program(version) if data is None else data
    made = descriptor(version, [resource(content, platform)])
    repository.blobs[digest_of(content)] = content
    repository.add(made, replace=True)
    return made


@functools.cache
def private_key(name: str) -> Any:
    """Return one of the test keys: loading one takes longer than most tests."""
    return load_private_key(KEYS / f"test-key-{name}.private.pem").key


def signed(made: ComponentDescriptor, key: str = "a", name: str = "default") -> ComponentDescriptor:
    """Return ``made`` with a signature by one of the test keys."""
    digest = component_digest(made)
    value = {
        "name": name,
        "digest": {
            "hashAlgorithm": "SHA-256",
            "normalisationAlgorithm": NORMALISATION,
            "value": digest.hex,
        },
        "signature": {
            "algorithm": PSS,
            "mediaType": "application/vnd.ocm.signature.rsa.pss",
            "value": sign_digest(private_key(key), digest, PSS).hex(),
        },
    }
    return made.with_signature(Signature.model_validate(value))


def trust(key: str = "a") -> TrustPolicy:
    """Return a policy that trusts one of the test keys."""
    return TrustPolicy.from_files([KEYS / f"test-key-{key}.public.pem"])


def good_probe(_program: Path) -> Capabilities:
    """Answer for every program."""
    return Capabilities.parse(CAPABILITIES)
