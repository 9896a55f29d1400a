"""The OCM configuration: what the reference tools' files say, as one value.

Files are ``generic.config.ocm.software/v1`` documents: lists of typed entries. They are merged in
the order they are given, and later ones win. Entries of types that are not read here stay in the
list, by name; they are never an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from ocm_pkg.model import config_credentials as secrets
from ocm_pkg.model import config_resolvers as resolving
from ocm_pkg.model import config_settings as settings
from ocm_pkg.model.config_text import Node, load_document
from ocm_pkg.model.consumer import most_specific

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ocm_pkg.model.config_credentials import Consumer, SecretRepository
    from ocm_pkg.model.config_resolvers import Resolver
    from ocm_pkg.model.identity import Identity
    from ocm_pkg.model.reference import RepositorySpec

GENERIC = "generic.config.ocm.software"
MAX_NESTING = 8


class Kind(StrEnum):
    """Types of entries that are read, without their version."""

    CREDENTIALS = "credentials.config.ocm.software"
    RESOLVERS = "resolvers.config.ocm.software"
    OLD_RESOLVERS = "ocm.config.ocm.software"
    SIGNING = "signing.config.ocm.software"
    TRANSFER = "transfer.config.ocm.software"
    HTTP = "http.config.ocm.software"
    FILESYSTEM = "filesystem.config.ocm.software"
    PLUGINS = "plugin.config.ocm.software"
    REGISTRIES = "plugin.registry.config.ocm.software"
    VERSION_CHECK = "versioncheck.cli.config.ocm.software"


_VERSIONS: Mapping[Kind, frozenset[str]] = {
    Kind.CREDENTIALS: frozenset({"v1"}),
    Kind.OLD_RESOLVERS: frozenset({"v1"}),
    Kind.PLUGINS: frozenset({"v2alpha1"}),
}
_ALPHA = frozenset({"v1alpha1"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a file; ``kind`` is None if its type, or its version, is not read here."""

    type: str
    kind: Kind | None
    node: Node = field(repr=False)


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that was configured. An empty one configures nothing.

    ``consumers`` and ``secret_repositories`` are for ``store.credentials``; ``resolvers`` are in
    the order to try; ``registries`` are the references of plugin catalogs.
    """

    entries: tuple[Entry, ...] = ()
    consumers: tuple[Consumer, ...] = field(default=(), repr=False)
    secret_repositories: tuple[SecretRepository, ...] = field(default=(), repr=False)
    resolvers: tuple[Resolver, ...] = ()
    aliases: Mapping[str, RepositorySpec] = field(default_factory=lambda: MappingProxyType({}))
    signing: tuple[settings.SigningSettings, ...] = ()
    plugins: settings.PluginSettings = field(default_factory=settings.PluginSettings)
    registries: tuple[str, ...] = ()
    http: settings.HttpSettings = field(default_factory=settings.HttpSettings)
    filesystem: settings.FilesystemSettings = field(default_factory=settings.FilesystemSettings)
    transfer: settings.TransferSettings = field(default_factory=settings.TransferSettings)

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Self:
        """Read entries, in the order of their files; raises ``ConfigError`` with the place."""
        known = tuple(entries)

        def nodes(kind: Kind) -> list[Node]:
            return [entry.node for entry in known if entry.kind is kind]

        credentials = nodes(Kind.CREDENTIALS)
        old = nodes(Kind.OLD_RESOLVERS)
        resolvers = [
            one for node in nodes(Kind.RESOLVERS) for one in resolving.read_resolvers(node)
        ]
        resolvers += [one for node in old for one in resolving.read_old_resolvers(node)]
        aliases = {name: spec for node in old for name, spec in _aliases(node)}
        registries = [
            one for node in nodes(Kind.REGISTRIES) for one in settings.read_registries(node)
        ]
        http = map(settings.read_http, nodes(Kind.HTTP))
        filesystem = map(settings.read_filesystem, nodes(Kind.FILESYSTEM))
        transfer = map(settings.read_transfer, nodes(Kind.TRANSFER))
        return cls(
            entries=known,
            consumers=tuple(one for node in credentials for one in secrets.read_consumers(node)),
            secret_repositories=tuple(
                one for node in credentials for one in secrets.read_repositories(node)
            ),
            resolvers=tuple(resolvers),
            aliases=MappingProxyType(aliases),
            signing=tuple(map(settings.read_signing, nodes(Kind.SIGNING))),
            plugins=settings.merged_plugins(map(settings.read_plugins, nodes(Kind.PLUGINS))),
            registries=tuple(dict.fromkeys(registries)),
            http=settings.merged_http(http),
            filesystem=settings.merged([settings.FilesystemSettings(), *filesystem]),
            transfer=settings.merged([settings.TransferSettings(), *transfer]),
        )

    def consumer(self, identity: Identity) -> Consumer | None:
        """Return the configured consumer that fits an identity best; None if none fits."""
        identities = [consumer.identity for consumer in self.consumers]
        best = most_specific(identities, identity)
        return None if best is None else self.consumers[best]

    def signing_for(self, signature: str) -> settings.SigningSettings | None:
        """Return the settings for a signature's name: its own before general ones, the last."""
        own = [one for one in self.signing if one.signature == signature]
        general = [one for one in self.signing if one.signature is None]
        found = own or general
        return found[-1] if found else None

    def resolvers_for(self, component: str, version: str | None) -> tuple[Resolver, ...]:
        """Return the rules to follow for a component version, in the order to try."""
        return resolving.choose(self.resolvers, component, version)


def parse_entries(data: bytes, *, name: str) -> tuple[Entry, ...]:
    """Return the entries of a configuration file; ``name`` is what errors and origins call it.

    An entry may be such a document itself: its entries stand in its place. An empty file has none.
    """
    document = load_document(data, name=name)
    return tuple(_entries(Node(document.value, document), 0))


def _entries(node: Node, depth: int) -> Iterator[Entry]:
    if node.value is None:
        return
    if node.required_text("type") not in (GENERIC, f"{GENERIC}/v1"):
        raise node.error(
            f"is no {GENERIC}/v1",
            f"begin the file with `type: {GENERIC}/v1` and put entries under `configurations:`",
        )
    if depth > MAX_NESTING:
        raise node.error("is inside too many others", "write the entries out")
    for item in node.items("configurations"):
        type_name = item.required_text("type")
        if type_name in (GENERIC, f"{GENERIC}/v1"):
            yield from _entries(item, depth + 1)
        else:
            yield Entry(type_name, _kind(type_name), item)


def _kind(type_name: str) -> Kind | None:
    name, _, version = type_name.partition("/")
    kind = next((kind for kind in Kind if kind == name), None)
    if kind is None or (version and version not in _VERSIONS.get(kind, _ALPHA)):
        return None
    return kind


def _aliases(node: Node) -> Iterable[tuple[str, RepositorySpec]]:
    return resolving.read_aliases(node).items()
