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
"""A repository specification: ``{"type": ..., ...}``."""

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

    def get(self, name: str, version: str) -> Descriptor:
        """Return the descriptor, or raise ``NotFound``."""

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


Factory: TypeAlias = "Callable[[Spec, Credentials], ReadableRepository]"
"""Makes the repository of one call: a class, or a function that imports what is heavy."""

FactoryT = TypeVar("FactoryT", bound="Callable[..., Any]")


class RepositoryType(NamedTuple):
    """One repository type that a plugin serves."""

    support: TypeSupport
    adr_type: str
    writable: bool
    factory: Factory
    identity: Callable[[Spec], Mapping[str, str] | None] | None

    @property
    def capabilities(self) -> tuple[Capability, ...]:
        """What the type can do, in the ADR's words."""
        read = (Capability.READ_COMPONENT_VERSION_REPOSITORY,)
        return (*read, Capability.WRITE_COMPONENT_VERSION_REPOSITORY) if self.writable else read


class Plugin:
    """A plugin: what it can do, and the implementations.

    ``id`` names it in logs. Register implementations, then give it to ``serve``.
    """

    def __init__(self, id: str) -> None:  # noqa: A002 - the contract's own word
        self.id = id
        self._repositories: list[RepositoryType] = []
        self._configured: dict[str, Callable[[dict[str, Any]], None]] = {}

    def component_version_repository(
        self,
        type: str,  # noqa: A002 - the contract's own word
        *,
        aliases: Iterable[str] = (),
        schema: Mapping[str, Any] | None = None,
        adr_type: str | None = None,
        writable: bool | None = None,
        identity: Callable[[Spec], Mapping[str, str] | None] | None = None,
    ) -> Callable[[FactoryT], FactoryT]:
        """Register a class, or a function that makes one, for a repository type.

        It is called as ``factory(spec, credentials)`` for each call. If importing its needs takes
        long, register a function that imports them: it runs only once the server listens.

        ``schema`` is the JSON schema of the specs (default: accept all). ``adr_type`` is the name
        in the ADR's answer (default: ``type``). ``writable`` defaults to whether a class has
        ``add``, and to True for functions. ``identity(spec)`` returns the consumer identity that
        credentials are looked up by (default: the class's static method of that name, or none).
        """

        def register(factory: FactoryT) -> FactoryT:
            self.register(
                RepositoryType(
                    support=TypeSupport(type, tuple(aliases), schema or {}),
                    adr_type=adr_type or type,
                    writable=_is_writable(factory) if writable is None else writable,
                    factory=factory,
                    identity=identity or getattr(factory, "identity", None),
                )
            )
            return factory

        return register

    def register(self, repository: RepositoryType) -> None:
        """Register a repository type; its names must be new to this plugin."""
        for name in repository.support.names:
            if any(name in known.support.names for known in self._repositories):
                raise DuplicatePluginError(f"{self.id} has the repository type {name} already")
        self._repositories.append(repository)

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
        for known in self._repositories:
            before = types.get(known.adr_type, ())
            types[known.adr_type] = tuple(dict.fromkeys((*before, *known.capabilities)))
        kinds: tuple[KindSupport, ...] = ()
        if self._repositories:
            served = tuple(known.support for known in self._repositories)
            kinds = (KindSupport(Kind.COMPONENT_VERSION_REPOSITORY, served),)
        return Capabilities(types, kinds, config_types=tuple(self._configured))

    def repository(self, type_name: str) -> RepositoryType | None:
        """Return the repository type with that name, alias or name in the ADR's answer."""
        for known in self._repositories:
            if type_name in (*known.support.names, known.adr_type):
                return known
        return None

    @property
    def only_repository(self) -> RepositoryType | None:
        """The repository type of a plugin that has just one."""
        return self._repositories[0] if len(self._repositories) == 1 else None


def _is_writable(factory: object) -> bool:
    return not isinstance(factory, type) or hasattr(factory, "add")
