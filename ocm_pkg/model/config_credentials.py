"""``credentials.config.ocm.software``: consumers with their secrets, and repositories of secrets.

Secrets are never shown: no ``repr`` holds one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ocm_pkg.model.config_text import Node
    from ocm_pkg.model.document import JSONValue
    from ocm_pkg.model.identity import Identity

CREDENTIALS = "Credentials/v1"
DOCKER = "DockerConfig"

_DIRECT = frozenset({"Credentials", CREDENTIALS, "DirectCredentials", "DirectCredentials/v1"})
_RSA = {
    "publicKeyPEM": "public_key_pem",
    "publicKeyPEMFile": "public_key_pem_file",
    "privateKeyPEM": "private_key_pem",
    "privateKeyPEMFile": "private_key_pem_file",
}
_OCI = {name: name for name in ("username", "password", "accessToken", "refreshToken")}
_GPG = {
    "privateKeyPGP": "privateKeyPGP",
    "privateKeyPGPFile": "privateKeyPGPFile",
    "publicKeyPGP": "publicKeyPGP",
    "publicKeyPGPFile": "publicKeyPGPFile",
    "passphrase": "passphrase",
}
_TYPED: Mapping[str, Mapping[str, str]] = {
    "OCICredentials": _OCI,
    "RSACredentials": _RSA,
    "GPGCredentials": _GPG,
}
"""Members of the typed forms, and the names that they have as properties."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The secret of one consumer: properties by name.

    The typed forms for registries, RSA and GPG are read as properties. Any other typed form (for
    Sigstore, for a plugin) is in ``typed`` as it came.
    """

    properties: Mapping[str, str] = field(repr=False)
    typed: Mapping[str, Any] | None = field(default=None, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return the credential object, as plugins get it. It holds the secret."""
        if self.typed is not None and not self.properties:
            return dict(self.typed)
        return {"type": CREDENTIALS, "properties": dict(self.properties)}


@dataclass(frozen=True, slots=True)
class Consumer:
    """One identity with its secret, and where it was configured (``FILE``, line)."""

    identity: Identity
    credentials: Credentials
    node: Node = field(repr=False)


@dataclass(frozen=True, slots=True)
class SecretRepository:
    """A repository of secrets: ``DockerConfig``, or a type that is not read here.

    ``file`` is the path as it is written; ``inline`` the content of a Docker configuration. With
    neither it is Docker's own file.
    """

    type: str
    node: Node = field(repr=False)
    file: str | None = None
    inline: str | Mapping[str, JSONValue] | None = field(default=None, repr=False)

    @property
    def is_docker(self) -> bool:
        """Whether this is a Docker configuration."""
        return self.type.partition("/")[0] == DOCKER


def read_consumers(entry: Node) -> Iterator[Consumer]:
    """Yield a consumer for each identity of an entry, in their order."""
    for node in entry.items("consumers"):
        credentials = _credentials(node)
        for identity in _identities(node):
            yield Consumer(MappingProxyType(dict(identity)), credentials, node)


def read_repositories(entry: Node) -> Iterator[SecretRepository]:
    """Yield the repositories of secrets of an entry, in their order."""
    for node in entry.items("repositories"):
        spec = node.member("repository")
        type_name = spec.required_text("type")
        if type_name.partition("/")[0] != DOCKER:
            yield SecretRepository(type_name, spec)
            continue
        inline = spec.member("dockerConfig")
        if inline.value is not None and not isinstance(inline.value, str | dict):
            raise inline.error("must be the text or the members of a Docker configuration")
        file = spec.text("dockerConfigFile") or None
        yield SecretRepository(type_name, spec, file, inline.value or None)


def _identities(node: Node) -> list[Mapping[str, str]]:
    members = node.mapping()
    found = [node.member("identity")] if members.get("identity") is not None else []
    found += node.items("identities")
    if not found:
        raise node.error("has no identity", "add identity: {type: OCIRegistry, hostname: ...}")
    for identity in found:
        identity.required_text("type")
    return [identity.text_map() for identity in found]


def _credentials(node: Node) -> Credentials:
    """Return all entries of a consumer as one; later ones win."""
    properties: dict[str, str] = {}
    typed: Mapping[str, Any] | None = None
    for entry in node.items("credentials"):
        type_name = entry.required_text("type")
        if type_name in _DIRECT:
            properties.update(entry.member("properties").text_map())
        elif names := _TYPED.get(type_name.partition("/")[0]):
            found = {name: entry.text(member) for member, name in names.items()}
            properties.update({name: text for name, text in found.items() if text is not None})
        else:
            typed = MappingProxyType(entry.mapping())
    return Credentials(MappingProxyType(properties), typed)
