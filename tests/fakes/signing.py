"""A small component version in memory, and keys to sign it with."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import rsa

from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.model.access import AccessSpec
from ocm_pkg.model.descriptor import ComponentDescriptor, Resource
from ocm_pkg.model.digest import digest_of
from ocm_pkg.signing.keys import PublicKey, SigningKey, fingerprint
from ocm_pkg.signing.trust import TrustPolicy
from ocm_pkg.store.memory import MemoryStore
from ocm_pkg.store.repository import ComponentRepository

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = datetime(2026, 11, 22, tzinfo=UTC)
NAME = "example.com/plugins/hello"
VERSION = "1.0.0"


def signing_key(number: int = 0) -> SigningKey:
    """Return one of several keys; the same for the same number."""
    return _keys(number + 1)[number]


@cache
def _keys(count: int) -> tuple[SigningKey, ...]:
    if count == 0:
        return ()
    key = rsa.generate_private_key(65537, 2048)
    return (*_keys(count - 1), SigningKey(key, fingerprint(key.public_key())))


def public_key(number: int = 0) -> PublicKey:
    """Return the public half of ``signing_key(number)``."""
    key = signing_key(number)
    return PublicKey(key.key.public_key(), key.fingerprint, f"key-{number}.public.pem")


def trusting(*numbers: int) -> TrustPolicy:
    """Return a policy that trusts these keys, all that there are without a number."""
    return TrustPolicy(tuple(public_key(number) for number in numbers or (0,)))


def new_repository() -> ComponentRepository:
    """Return an empty repository."""
    return ComponentRepository(MemoryStore())


def stored(
    repository: ComponentRepository,
    contents: Mapping[str, bytes] | None = None,
    *,
    name: str = NAME,
    version: str = VERSION,
    digests: bool = True,
    **members: Any,
) -> ComponentDescriptor:
    """Store a component version with a local resource per content; return its descriptor."""
    resources: list[dict[str, Any]] = []
    for resource_name, content in (contents or {"hello": b"program"}).items():
        resource = Resource(
            name=resource_name,
            version=version,
            type="ocmPlugin",
            relation="local",
            access=AccessSpec.local_blob(digest_of(content), "application/octet-stream"),
        )
        put = repository.put_blob(name, version, resource, BytesBlob(content)).to_json()
        if not digests:
            put.pop("digest", None)
        resources.append(put)
    extra = members.pop("resources", [])
    component = {
        "name": name,
        "version": version,
        "provider": "example.com",
        "repositoryContexts": [],
        "sources": [],
        "componentReferences": [],
        **members,
        "resources": [*resources, *extra],
    }
    document = {"meta": {"schemaVersion": "v2"}, "component": component}
    descriptor = ComponentDescriptor.from_json(document, name="test")
    repository.add(descriptor, replace=True)
    return repository.get(name, version)
