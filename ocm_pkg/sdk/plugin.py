"""What a plugin author writes against: ``Plugin``, and what an implementation looks like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypeVar

from ocm_pkg.contract.capabilities import (
    Capabilities,
    Capability,
    Kind,
    KindSupport,
    TypeSupport,
)
from ocm_pkg.errors import DuplicatePluginError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

Spec: TypeAlias = dict[str, Any]
"""A typed object, ``{"type": ..., ...}``: a repository, an access, a configuration."""

Credentials: TypeAlias = "dict[str, Any] | None"
"""A credential object, ``{"type": ..., "properties": {...}}``; None if there is none."""

Element: TypeAlias = dict[str, Any]
"""A resource or source of a component descriptor, as JSON."""

Descriptor: TypeAlias = dict[str, Any]
"""A component descriptor, schema version 2, as JSON."""


class Content(NamedTuple):
    """Content to hand over: a file's absolute path, and the element that it belongs to.

    Without ``media_type`` the one in the element's access is told.
    """

    path: str | Path
    element: Element
    media_type: str | None = None


class ReadableRepository(Protocol):
    """Component versions that can be read. One is made for each call, with the call's spec.

    Raise ``NotFound``, ``Unauthorized`` or ``ValueError`` where they fit. Calls come on several
    threads at once, each with an object of its own.
    """

    def versions(self, name: str) -> Sequence[str]:
        """Return the versions of a component; empty if there are none."""

    def get(self, name: str, version: str) -> Descriptor | bytes:
        """Return the descriptor, or its JSON text as it is stored; or raise ``NotFound``."""

    def local_resource(self, name: str, version: str, identity: dict[str, str]) -> Content:
        """Return the content and the resource whose identity has these attributes."""

    def local_source(self, name: str, version: str, identity: dict[str, str]) -> Content:
        """Return the content and the source whose identity has these attributes."""


class WritableRepository(ReadableRepository, Protocol):
    """Component versions that can be read and written: content first, then the descriptor."""

    def add(self, descriptor: Descriptor) -> None:
        """Commit a component version whose local content is there already."""

    def put_local_resource(
        self, name: str, version: str, resource: Element, path: Path, media_type: str | None
    ) -> Element:
        """Store the file at ``path`` (absolute; leave it there); return it with its access."""

    def put_local_source(
        self, name: str, version: str, source: Element, path: Path, media_type: str | None
    ) -> Element:
        """Store the file at ``path`` (absolute; leave it there); return it with its access."""


class ComponentLister(Protocol):
    """Names the components of a repository. One is made for each call, with the repository."""

    def components(self) -> Sequence[str]:
        """Return the names of all components."""


class ReadableResources(Protocol):
    """Content reached by an access of its own. One is made for each call, with the access."""

    def fetch(self, resource: Element) -> Content:
        """Return the content of the resource."""


class WritableResources(ReadableResources, Protocol):
    """Content reached by an access of its own, which can be written too."""

    def store(self, resource: Element, path: Path, media_type: str | None) -> Element:
        """Store the file at ``path`` (absolute; leave it there) where the access says.

        Return the resource with the access by which it is reached from now on.
        """


class DigestProcessor(Protocol):
    """Completes digests. One is made for each call, with the access of the resource."""

    def process(self, resource: Element) -> Element:
        """Return the resource with its digest, and its access pinned to that content."""


class CredentialRepository(Protocol):
    """Secrets of consumers. One is made for each call, with the configuration of the repository."""

    def resolve(self, identity: dict[str, str]) -> Mapping[str, Any] | None:
        """Return the credential object for a consumer identity, or nothing."""


Factory: TypeAlias = "Callable[[Spec, Credentials], Any]"
"""Makes the object of one call: a class, or a function that imports what is heavy."""

FactoryT = TypeVar("FactoryT", bound="Callable[..., Any]")
IdentityOf: TypeAlias = "Callable[[Spec], Mapping[str, str] | None]"
"""Returns the consumer identity that credentials for a typed object are looked up by, or nothing.

Types of several kinds may have one name: each function has to return nothing for what isn't its.
"""


class Implementation(NamedTuple):
    """What serves one type of one kind.

    ``adr_type`` is the type's name in the ADR's answer, ``capabilities`` what it says there.
    ``spec_types`` are the types of the object that a call comes with, where that is not what the
    plugin is looked up by.
    """

    kind: Kind
    support: TypeSupport
    factory: Factory
    adr_type: str
    capabilities: tuple[Capability, ...] = ()
    writable: bool = False
    identity: IdentityOf | None = None
    spec_types: tuple[TypeSupport, ...] = ()

    @property
    def spec_names(self) -> tuple[str, ...]:
        """Every name that the type of a call's object may have."""
        if self.spec_types:
            return tuple(name for entry in self.spec_types for name in entry.names)
        return (*self.support.names, self.adr_type)


class Plugin:
    """A plugin: what it can do, and the implementations.

    ``id`` names it in logs. Register implementations, then give it to ``serve``. An implementation
    is a class, or a function that makes one, called for each call with the call's typed object and
    its credentials. If importing its needs takes long, register a function that imports them: it
    runs only once the server listens.

    Common options of all registrations: ``schema`` is the JSON schema of the typed objects
    (default: accept all), ``adr_type`` the name in the ADR's answer (default: ``type``).
    ``writable`` defaults to whether a class has the method that writes, and to True for functions.
    ``identity(spec)`` returns the consumer identity that credentials are looked up by (default:
    the class's static method of that name, or none).
    """

    def __init__(self, id: str) -> None:  # noqa: A002 - the contract's own word
        self.id = id
        self._implementations: list[Implementation] = []
        self._configured: dict[str, Callable[[dict[str, Any]], None]] = {}

    def component_version_repository(
        self,
        type: str,  # noqa: A002 - the contract's own word
        *,
        aliases: Iterable[str] = (),
        schema: Mapping[str, Any] | None = None,
        adr_type: str | None = None,
        writable: bool | None = None,
        identity: IdentityOf | None = None,
    ) -> Callable[[FactoryT], FactoryT]:
        """Register a repository type: ``ReadableRepository`` or ``WritableRepository``."""
        support = TypeSupport(type, tuple(aliases), schema or {})
        return self._both_ways(support, _VERSIONS, adr_type, writable, identity)

    def resource_repository(
        self,
        type: str,  # noqa: A002 - the contract's own word
        *,
        aliases: Iterable[str] = (),
        schema: Mapping[str, Any] | None = None,
        adr_type: str | None = None,
        writable: bool | None = None,
        identity: IdentityOf | None = None,
    ) -> Callable[[FactoryT], FactoryT]:
        """Register an access type: ``ReadableResources`` or ``WritableResources``."""
        support = TypeSupport(type, tuple(aliases), schema or {})
        return self._both_ways(support, _RESOURCES, adr_type, writable, identity)

    def component_lister(
        self,
        type: str,  # noqa: A002 - the contract's own word
        *,
        aliases: Iterable[str] = (),
        schema: Mapping[str, Any] | None = None,
        identity: IdentityOf | None = None,
    ) -> Callable[[FactoryT], FactoryT]:
        """Register a repository type whose components can be listed: ``ComponentLister``."""
        support = TypeSupport(type, tuple(aliases), schema or {})
        return self._one_way(Kind.COMPONENT_LISTER, support, identity)

    def digest_processor(
        self,
        type: str,  # noqa: A002 - the contract's own word
        *,
        aliases: Iterable[str] = (),
        schema: Mapping[str, Any] | None = None,
        identity: IdentityOf | None = None,
    ) -> Callable[[FactoryT], FactoryT]:
        """Register an access type whose digests are known: ``DigestProcessor``."""
        support = TypeSupport(type, tuple(aliases), schema or {})
        return self._one_way(Kind.DIGEST_PROCESSOR_REPOSITORY, support, identity)

    def credential_repository(
        self,
        consumer: str,
        type: str,  # noqa: A002 - the contract's own word
        *,
        aliases: Iterable[str] = (),
        schema: Mapping[str, Any] | None = None,
        identity: IdentityOf | None = None,
    ) -> Callable[[FactoryT], FactoryT]:
        """Register a ``CredentialRepository`` for identities of the type ``consumer``.

        ``type``, ``aliases`` and ``schema`` are those of its configuration.
        """

        def register(factory: FactoryT) -> FactoryT:
            self.register(
                Implementation(
                    Kind.CREDENTIAL_REPOSITORY,
                    TypeSupport(consumer, (), {}),
                    factory,
                    adr_type=consumer,
                    capabilities=(Capability.CREDENTIAL_REPOSITORY_PLUGIN,),
                    identity=identity or getattr(factory, "identity", None),
                    spec_types=(TypeSupport(type, tuple(aliases), schema or {}),),
                )
            )
            return factory

        return register

    def _both_ways(
        self,
        support: TypeSupport,
        able: _Both,
        adr_type: str | None,
        writable: bool | None,
        identity: IdentityOf | None,
    ) -> Callable[[FactoryT], FactoryT]:
        def register(factory: FactoryT) -> FactoryT:
            writes = able.writes(factory) if writable is None else writable
            self.register(
                Implementation(
                    able.kind,
                    support,
                    factory,
                    adr_type=adr_type or support.type,
                    capabilities=(able.read, able.write) if writes else (able.read,),
                    writable=writes,
                    identity=identity or getattr(factory, "identity", None),
                )
            )
            return factory

        return register

    def _one_way(
        self, kind: Kind, support: TypeSupport, identity: IdentityOf | None
    ) -> Callable[[FactoryT], FactoryT]:
        def register(factory: FactoryT) -> FactoryT:
            found = identity or getattr(factory, "identity", None)
            self.register(
                Implementation(kind, support, factory, adr_type=support.type, identity=found)
            )
            return factory

        return register

    def register(self, implementation: Implementation) -> None:
        """Register an implementation; its names must be new to its kind in this plugin."""
        for name in implementation.support.names:
            if any(name in known.support.names for known in self.of_kind(implementation.kind)):
                raise DuplicatePluginError(
                    f"{self.id} has the {implementation.kind} type {name} already"
                )
        self._implementations.append(implementation)

    def configuration(
        self,
        type: str,  # noqa: A002 - the contract's own word
    ) -> Callable[[FactoryT], FactoryT]:
        """Register a function for configuration objects of ``type``; called before any call."""

        def register(function: FactoryT) -> FactoryT:
            self._configured[type] = function
            return function

        return register

    def configure(self, objects: Iterable[dict[str, Any]]) -> None:
        """Hand the manager's configuration objects to the functions registered for them."""
        for item in objects:
            function = self._configured.get(str(item.get("type")))
            if function is not None:
                function(item)

    def capabilities(self) -> Capabilities:
        """Return the answer to the ``capabilities`` command, for both contracts."""
        types: dict[str, tuple[Capability, ...]] = {}
        kinds: dict[Kind, KindSupport] = {}
        for known in self._implementations:
            if known.capabilities:
                before = types.get(known.adr_type, ())
                types[known.adr_type] = tuple(dict.fromkeys((*before, *known.capabilities)))
            kind = kinds.get(known.kind, KindSupport(known.kind, ()))
            kinds[known.kind] = kind._replace(
                types=(*kind.types, known.support),
                repository_types=(*kind.repository_types, *known.spec_types),
            )
        return Capabilities(types, tuple(kinds.values()), config_types=tuple(self._configured))

    def of_kind(self, kind: Kind) -> tuple[Implementation, ...]:
        """Return the implementations of a kind, in the order of their registration."""
        return tuple(known for known in self._implementations if known.kind is kind)

    def named(self, type_name: str, kind: Kind | None = None) -> tuple[Implementation, ...]:
        """Return what serves calls with objects of a type, by any of its names."""
        return tuple(
            known
            for known in self._implementations
            if kind in (None, known.kind) and type_name in known.spec_names
        )


class _Both(NamedTuple):
    """A kind that reads and may write, in the ADR's words, and the method that writes."""

    kind: Kind
    read: Capability
    write: Capability
    method: str

    def writes(self, factory: object) -> bool:
        return not isinstance(factory, type) or hasattr(factory, self.method)


_VERSIONS = _Both(
    Kind.COMPONENT_VERSION_REPOSITORY,
    Capability.READ_COMPONENT_VERSION_REPOSITORY,
    Capability.WRITE_COMPONENT_VERSION_REPOSITORY,
    "add",
)
_RESOURCES = _Both(
    Kind.RESOURCE_REPOSITORY,
    Capability.READ_RESOURCE_REPOSITORY,
    Capability.WRITE_RESOURCE_REPOSITORY,
    "store",
)
