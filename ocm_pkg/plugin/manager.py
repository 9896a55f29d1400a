"""The plugin manager: finds plugins, starts them when they are needed, and stops them all."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from ocm_pkg.contract.capabilities import Capability
from ocm_pkg.contract.jsontext import write_json
from ocm_pkg.errors import (
    ConfigError,
    DuplicatePluginError,
    PluginNotFoundError,
    UsageError,
    escaped,
)
from ocm_pkg.plugin.discovery import discover, probe, runnable
from ocm_pkg.plugin.limits import Limits
from ocm_pkg.plugin.registry import ExternalPlugin, ImplementedPlugin, Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType

    from ocm_pkg.contract.capabilities import Capabilities
    from ocm_pkg.model.reference import RepositorySpec
    from ocm_pkg.plugin.caller import CredentialSource
    from ocm_pkg.plugin.discovery import Accept, Discovery, VersionOf
    from ocm_pkg.plugin.http import Response
    from ocm_pkg.plugin.instance import PluginInstance
    from ocm_pkg.plugin.recording import Exchange
    from ocm_pkg.plugin.registry import Asked
    from ocm_pkg.plugin.starter import Surroundings
    from ocm_pkg.ports import Repository, RepositoryProvider

DEFAULT_IDLE_TIMEOUT = 3600.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One capability of a type that a plugin has, and whether the manager would take this plugin.

    ``wins`` is false if another plugin is taken, or if several claim the pair and none can be.
    """

    type: str
    capability: str
    wins: bool


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """One plugin: built in (no ``path``), or a program; ``reason`` says why it is not used."""

    name: str
    path: Path | None = None
    version: str | None = None
    pairs: tuple[Pair, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the manager asks its owner, if it may.

    ``accept`` says why an entry of a plugin folder must not be run (None: it may); ``version_of``
    says which version it is, for messages; ``credentials`` finds the credential object for a
    consumer identity: without it plugins are called with none, and not asked for identities.
    """

    accept: Accept | None = None
    version_of: VersionOf | None = None
    credentials: CredentialSource | None = None


class PluginManager:
    """Gives out the plugin for a capability and a type, whichever process it runs in.

    ``folders`` are searched for programs when first needed, in this order; none has to exist.
    ``builtin`` are plugins of this process; ``prefer`` (``builtin`` or ``external``) says which
    sort wins where both serve a pair. ``environment`` is that of this process: plugins get the
    allowed part of it, and ``XDG_RUNTIME_DIR`` and ``TMPDIR`` in it say where private folders are
    made, unless ``runtime_folder`` does. ``idle_timeout`` is in seconds.
    ``transport`` is ``socket`` or ``tcp``; by default a socket where one can be made.
    ``configurations`` are typed entries of the OCM configuration; a plugin is given those of the
    types that it asks for.

    Use it as a context manager, or call ``close``. Safe to use from many threads.
    """

    def __init__(
        self,
        folders: Iterable[Path],
        *,
        builtin: Sequence[ImplementedPlugin] = (),
        prefer: str = "builtin",
        environment: Mapping[str, str],
        runtime_folder: Path | None = None,
        limits: Limits | None = None,
        idle_timeout: float = DEFAULT_IDLE_TIMEOUT,
        hooks: Hooks | None = None,
        transport: str | None = None,
        configurations: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        if idle_timeout <= 0:
            raise ConfigError("the idle timeout of plugins must be more than 0 seconds")
        if transport not in (None, "socket", "tcp"):
            raise ConfigError(f"no such transport: {transport}", hint="socket or tcp")
        self._folders = tuple(folder.absolute() for folder in folders)
        self._registry = Registry(builtin, prefer=prefer)
        self._environment = dict(environment)
        self._limits = limits or Limits()
        self._hooks = hooks or Hooks()
        self._runtime_folder = runtime_folder
        self._transport = transport
        self._configurations = tuple(dict(one) for one in configurations)
        self._idle_timeout = idle_timeout
        self._around: Surroundings | None = None
        self._lock = threading.Lock()
        self._discovering = threading.Lock()
        self._discovery: Discovery | None = None
        self._instances: dict[Path, PluginInstance] = {}
        self._finding: dict[Path, threading.Lock] = {}
        self._probes: dict[Path, ExternalPlugin] = {}
        self._closed = False

    def register(self, plugin: ImplementedPlugin) -> None:
        """Add a plugin that runs in this process."""
        self._registry.register(plugin)

    def discover(self, *, again: bool = False) -> Discovery:
        """Return what is in the plugin folders; asked once, unless ``again``.

        A broken plugin is among the rejected, and never an error.
        """
        with self._discovering:
            if self._discovery is None or again:
                self._discovery = discover(
                    self._folders,
                    environment=self._environment,
                    limits=self._limits,
                    accept=self._hooks.accept,
                    version_of=self._hooks.version_of,
                )
                self._registry.set_external(self._discovery.found)
            return self._discovery

    def get_plugin(self, capability: Asked, type: str) -> Any:  # noqa: A002, ANN401 - the ADR's word; which Protocol depends on the capability
        """Return the implementation of a capability, or of a kind of the v2 contract, for a type.

        It has the Protocol of ``ports`` for that capability (``RepositoryProvider`` for component
        version repositories), whether it runs in this process or in another, which is started
        with the first call. Raises ``PluginNotFoundError`` or ``DuplicatePluginError``.
        """
        from ocm_pkg.plugin.kinds import proxy_for

        if self._registry.needs_external(capability, type):
            self.discover()
        found = self._registry.lookup(capability, type)
        if isinstance(found.plugin, ImplementedPlugin):
            return found.plugin.base
        return proxy_for(
            capability,
            self._instance(found.plugin),
            found.type,
            credentials=self._hooks.credentials,
        )

    def open(self, spec: RepositorySpec, *, create: bool = False) -> Repository:
        """Open a repository with the plugin for its type; see ``ports.RepositoryProvider``."""
        asked = Capability.READ_COMPONENT_VERSION_REPOSITORY
        try:
            provider = self.get_plugin(asked, spec.type)
        except PluginNotFoundError:
            if not create:
                raise
            provider = self.get_plugin(Capability.WRITE_COMPONENT_VERSION_REPOSITORY, spec.type)
        return cast("RepositoryProvider", provider).open(spec, create=create)

    def plugins(self) -> list[PluginInfo]:
        """Return the built-in plugins, those in the folders, and the rejected with reasons."""
        discovery = self.discover()
        implemented: dict[str, tuple[Pair, ...]] = {}
        for one in self._registry.implemented:
            implemented[one.id] = (*implemented.get(one.id, ()), *self._pairs(one))
        listed = [PluginInfo(name, pairs=pairs) for name, pairs in implemented.items()]
        listed += [
            PluginInfo(plugin.name, plugin.path, plugin.version, self._pairs(plugin))
            for plugin in discovery.found
        ]
        listed += [
            PluginInfo(entry.path.name, entry.path, reason=entry.reason)
            for entry in discovery.rejected
        ]
        return listed

    def capabilities(self, plugin: str) -> Capabilities:
        """Return what a plugin says it can do; ``plugin`` is a name, or a path with a ``/``."""
        return self.find(plugin).capabilities

    def find(self, plugin: str) -> ExternalPlugin:
        """Return the plugin of a name in the plugin folders, or in a file (a path with a ``/``).

        Only that one is run. Raises ``PluginNotFoundError``, ``DuplicatePluginError`` if several
        folders have one of that name, and what ``discovery.probe`` raises.
        """
        path = Path(plugin).absolute() if "/" in plugin else self.path_of(plugin)
        with self._lock:
            finding = self._finding.setdefault(path, threading.Lock())
        with finding:
            known = self._known(path)
            if known is None:
                known = self._probed(path, from_folder="/" not in plugin)
                self._probes[path] = known
            return known

    def _known(self, path: Path) -> ExternalPlugin | None:
        found = self._discovery.found if self._discovery else ()
        return self._probes.get(path) or next((one for one in found if one.path == path), None)

    def _probed(self, path: Path, *, from_folder: bool) -> ExternalPlugin:
        reason = runnable(path)
        if reason:
            raise PluginNotFoundError(
                f"{escaped(str(path))} is no plugin: {reason}", hint="name an executable file"
            )
        accept, version_of = self._hooks.accept, self._hooks.version_of
        reason = accept(path) if accept and from_folder else None
        if reason:
            raise UsageError(f"plugin {escaped(path.name)} is not run: {reason}")
        answer = probe(path, environment=self._environment, limits=self._limits)
        return ExternalPlugin(path.name, path, answer, version_of(path) if version_of else None)

    def _new_instance(self, plugin: ExternalPlugin) -> PluginInstance:
        """Return a record, not started; what a start needs is imported and made with the first."""
        from ocm_pkg.plugin.folders import PrivateFolder, content_parents, socket_parents
        from ocm_pkg.plugin.instance import PluginInstance
        from ocm_pkg.plugin.starter import Surroundings

        if self._around is None:
            parents = socket_parents(self._runtime_folder, self._environment)
            contents = content_parents(self._environment)
            self._around = Surroundings(
                environment=self._environment,
                sockets=PrivateFolder(parents or contents),
                content=PrivateFolder(contents),
                transport="tcp" if self._transport == "tcp" or not parents else "socket",
                idle_timeout=self._idle_timeout,
                configurations=self._configurations,
            )
        return PluginInstance(plugin, self._around, self._limits)

    def path_of(self, name: str) -> Path:
        """Return where the plugin of that name is; raises as ``find`` does, and runs nothing."""
        paths = [folder / name for folder in dict.fromkeys(self._folders)]
        paths = [path for path in paths if path.is_symlink() or path.exists()]
        if name in ("", ".", "..") or not paths:
            raise PluginNotFoundError(
                f"there is no plugin {escaped(name, 200)!r} in "
                + (", ".join(escaped(str(folder)) for folder in self._folders) or "no folder"),
                hint="see `ocm-pkg plugin list`; for a file write its path, such as ./FILE",
            )
        if len(paths) > 1:
            raise DuplicatePluginError(
                f"{len(paths)} plugins are called {escaped(name, 200)}: "
                + ", ".join(escaped(str(path)) for path in paths),
                hint="give the path of the one that you mean",
            )
        return paths[0]

    def call(
        self,
        plugin: str,
        method: str,
        path: str,
        body: Any = None,  # noqa: ANN401 - any JSON value
        *,
        credentials: Mapping[str, Any] | None = None,
        recorder: Callable[[Exchange], None] | None = None,
        timeout: float | None = None,
    ) -> Response:
        """Send one request to a plugin (see ``find``) and return its answer, whatever the status.

        ``body`` is a JSON value, or None for no body. ``recorder`` is given the exchange, without
        the credentials. ``timeout`` is in seconds, for the call without a start.
        """
        if not path.startswith("/") or " " in path or not method.isalpha():
            raise UsageError(
                f"{escaped(f'{method} {path}', 200)} cannot be sent",
                hint="write GET or POST, and a path that begins with / and has no space",
            )
        from ocm_pkg.contract.endpoints import at
        from ocm_pkg.plugin.client import request_headers

        bare = path.partition("?")[0]
        rows = at(method.upper(), bare)
        headers = request_headers(credentials, identity=bare.endswith("identity"))
        response = self.instance(plugin).call(
            method.upper(),
            path,
            body=None if body is None else write_json(body).encode(),
            headers=headers,
            idempotent=bool(rows) and all(row.idempotent for row in rows),
            timeout=timeout,
        )
        if recorder:
            from ocm_pkg.plugin.recording import Exchange

            recorder(Exchange.of(method.upper(), path, headers, body, response))
        return response

    def instance(self, plugin: str) -> PluginInstance:
        """Return the one process record of a plugin (see ``find``)."""
        return self._instance(self.find(plugin))

    def close(self) -> None:
        """Stop all plugins at the same time, wait for them, and remove all private folders."""
        with self._lock:
            self._closed = True
            instances = list(self._instances.values())
        closers = [
            threading.Thread(target=instance.close, name="close plugin") for instance in instances
        ]
        for closer in closers:
            closer.start()
        for closer in closers:
            closer.join()
        if self._around is not None:
            self._around.sockets.close()
            self._around.content.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _instance(self, plugin: ExternalPlugin) -> PluginInstance:
        with self._lock:
            if self._closed:
                raise UsageError("the plugin manager is closed")
            known = self._instances.get(plugin.path)
            if known is None:
                known = self._new_instance(plugin)
                self._instances[plugin.path] = known
            return known

    def _pairs(self, plugin: ImplementedPlugin | ExternalPlugin) -> tuple[Pair, ...]:
        return tuple(
            Pair(type_name, str(asked), self._wins(plugin, asked, type_name))
            for type_name, asked in _served(plugin)
        )

    def _wins(self, plugin: ImplementedPlugin | ExternalPlugin, asked: Asked, name: str) -> bool:
        try:
            return self._registry.lookup(asked, name).plugin is plugin
        except (DuplicatePluginError, PluginNotFoundError):
            return False


def _served(plugin: ImplementedPlugin | ExternalPlugin) -> list[tuple[str, Asked]]:
    """Return each type and capability of a plugin, sorted; kinds where the ADR says nothing."""
    if isinstance(plugin, ImplementedPlugin):
        return [(plugin.type, asked) for asked in plugin.capabilities]
    pairs: dict[tuple[str, str], tuple[str, Asked]] = {}
    for name, able in plugin.capabilities.types.items():
        pairs.update({(name, str(asked)): (name, asked) for asked in able})
    said = {(name, asked.kind) for name, asked in pairs.values() if isinstance(asked, Capability)}
    for support in plugin.capabilities.kinds:
        for entry in support.types:
            if (entry.type, support.kind) not in said:
                pairs[entry.type, str(support.kind)] = (entry.type, support.kind)
    return [pairs[key] for key in sorted(pairs)]
