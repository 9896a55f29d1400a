"""Which plugin serves a capability of a type: one look-up for built-in and external plugins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ocm_pkg.contract.capabilities import Capability, Kind
from ocm_pkg.errors import ConfigError, DuplicatePluginError, PluginNotFoundError, escaped
from ocm_pkg.model import types

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from ocm_pkg.contract.capabilities import Capabilities

Asked: TypeAlias = "Capability | Kind"
"""What a plugin is asked for: a capability of the ADR, or a kind of the v2 contract."""


@dataclass(frozen=True, slots=True)
class ImplementedPlugin:
    """A plugin that runs in this process: ``base`` implements the Protocol of its capabilities.

    For component version repositories that is ``ports.RepositoryProvider``. ``type`` stands for
    all its spellings (``ctf``, ``CTF``, ``CommonTransportFormat/v1``), and so do ``aliases``. One
    plugin may be registered several times under its ``id``, for types of several sorts.
    """

    id: str
    type: str
    capabilities: tuple[Asked, ...]
    base: object
    aliases: tuple[str, ...] = ()

    def serves(self, asked: Asked, type_name: str) -> str | None:
        """Return the type's name here if ``asked`` is served for it, else None."""
        if not any(same_type(name, type_name) for name in (self.type, *self.aliases)):
            return None
        if isinstance(asked, Kind):
            served = any(_kind(one) is asked for one in self.capabilities)
        else:
            served = asked in _all(self.capabilities)
        return self.type if served else None


@dataclass(frozen=True, slots=True)
class ExternalPlugin:
    """A program in a plugin folder that answered ``capabilities``."""

    name: str
    path: Path
    capabilities: Capabilities
    version: str | None = None

    @property
    def label(self) -> str:
        """The name, and the version if it is known, for messages."""
        name = escaped(self.name)
        return f"{name} {self.version}" if self.version else name

    def serves(self, asked: Asked, type_name: str) -> str | None:
        """Return the type's name as the plugin has it if ``asked`` is served for it, else None."""
        names = [name for name in declared_types(self.capabilities) if same_type(name, type_name)]
        for name in sorted(names, key=lambda name: (name != type_name, name)):
            if isinstance(asked, Kind):
                served = self.capabilities.supports(asked, name)
            else:
                served = self.capabilities.allows(asked, name)
            if served:
                return name
        return None


@dataclass(frozen=True, slots=True)
class Found:
    """The plugin that serves a pair, and the type's name as that plugin has it."""

    plugin: ImplementedPlugin | ExternalPlugin
    type: str


class Registry:
    """The plugins that are known, and the rule which of them is taken.

    A plugin that runs in this process wins over a program, unless ``prefer`` is ``external``. Two
    of the winning sort are an error for the pair that is asked for, and for no other.
    """

    def __init__(
        self, implemented: Iterable[ImplementedPlugin] = (), *, prefer: str = "builtin"
    ) -> None:
        if prefer not in ("builtin", "external"):
            raise ConfigError(
                f"cannot prefer {escaped(str(prefer), 80)} plugins", hint="builtin or external"
            )
        self._prefer = prefer
        self._implemented = list(implemented)
        self._external: tuple[ExternalPlugin, ...] = ()

    @property
    def implemented(self) -> tuple[ImplementedPlugin, ...]:
        """The plugins of this process, in the order of their registration."""
        return tuple(self._implemented)

    @property
    def prefer(self) -> str:
        """The sort that wins."""
        return self._prefer

    def register(self, plugin: ImplementedPlugin) -> None:
        """Add a plugin that runs in this process."""
        self._implemented.append(plugin)

    def set_external(self, plugins: Sequence[ExternalPlugin]) -> None:
        """Replace the programs that are known."""
        self._external = tuple(plugins)

    def needs_external(self, asked: Asked, type_name: str) -> bool:
        """Whether programs have to be known before the pair can be looked up."""
        return self._prefer == "external" or not any(
            plugin.serves(asked, type_name) for plugin in self._implemented
        )

    def lookup(self, asked: Asked, type_name: str) -> Found:
        """Return the plugin for a pair.

        Raises ``PluginNotFoundError`` if there is none, ``DuplicatePluginError`` naming all if
        there are several of the winning sort.
        """
        sorts: list[Sequence[ImplementedPlugin | ExternalPlugin]] = [
            self._implemented,
            self._external,
        ]
        for plugins in sorts if self._prefer == "builtin" else reversed(sorts):
            found = [
                Found(plugin, name)
                for plugin in plugins
                if (name := plugin.serves(asked, type_name))
            ]
            if len(found) > 1:
                raise _duplicate(asked, type_name, [one.plugin for one in found])
            if found:
                return found[0]
        raise PluginNotFoundError(
            f"no plugin has the capability {asked} for the type {escaped(type_name, 200)}",
            hint="see `ocm-pkg plugin list`, or install one: ocm-pkg plugin install REF",
        )


def same_type(one: str, other: str) -> bool:
    """Whether two type names mean the same type.

    Equal; or spellings of one well-known repository type; or a name without a version and the
    same name with one.
    """
    if one == other or types.repository_type(one) == types.repository_type(other):
        return True
    name, slash, _ = one.partition("/")
    other_name, other_slash, _ = other.partition("/")
    return name == other_name and not (slash and other_slash)


def declared_types(capabilities: Capabilities) -> Iterator[str]:
    """Yield every type name and alias that a plugin serves anything for; some may come twice."""
    yield from capabilities.types
    for kind in capabilities.kinds:
        for entry in kind.types:
            yield from entry.names


def _kind(asked: Asked) -> Kind | None:
    return asked if isinstance(asked, Kind) else asked.kind


def _all(capabilities: Iterable[Asked]) -> set[Capability]:
    """Return every capability that these come to: a kind has all of its own."""
    found: set[Capability] = set()
    for one in capabilities:
        if isinstance(one, Kind):
            found.update(capability for capability in Capability if capability.kind is one)
        else:
            found |= one.includes
    both = Capability.READ_WRITE_COMPONENT_VERSION_REPOSITORY
    return found | {both} if both.includes - {both} <= found else found


def _duplicate(
    asked: Asked, type_name: str, plugins: Sequence[ImplementedPlugin | ExternalPlugin]
) -> DuplicatePluginError:
    names = sorted(
        plugin.id if isinstance(plugin, ImplementedPlugin) else escaped(str(plugin.path))
        for plugin in plugins
    )
    return DuplicatePluginError(
        f"{len(names)} plugins have the capability {asked} for the type {escaped(type_name, 200)}: "
        + ", ".join(names),
        hint="remove one of them: ocm-pkg plugin remove NAME",
    )
