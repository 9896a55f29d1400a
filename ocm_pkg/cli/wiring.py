"""The composition root: reads the environment and builds the concrete objects, here alone."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ocm_pkg.cli.folders import home_of, own_folder
from ocm_pkg.cli.output import Output
from ocm_pkg.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from types import TracebackType

    from ocm_pkg.cli.options import Settings
    from ocm_pkg.cli.sigstoreconfig import SigstoreOptions
    from ocm_pkg.fs.installation import Place
    from ocm_pkg.model.config import Configuration
    from ocm_pkg.model.descriptor import ComponentDescriptor
    from ocm_pkg.model.jsontext import Limits
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.reference import RepositorySpec
    from ocm_pkg.plugin.manager import PluginManager
    from ocm_pkg.ports import Repository, ResourceRepository
    from ocm_pkg.signing.trust import TrustPolicy
    from ocm_pkg.store.base import OCIStore
    from ocm_pkg.store.cached import CachedContent
    from ocm_pkg.store.closure import ReferenceLimits
    from ocm_pkg.store.credentials import CredentialStore
    from ocm_pkg.store.registries import Registries


@dataclass
class Context:
    """What a command works with. Objects are built when first asked for, closed at the end."""

    settings: Settings
    environ: Mapping[str, str]
    cwd: Path
    out: Output
    limits: Mapping[str, int] = field(default_factory=dict)
    _closing: ExitStack = field(default_factory=ExitStack)
    _managers: dict[str, PluginManager] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> Context:
        """Return the context of this process."""
        out = Output(
            color=settings.color or "auto",
            quiet=bool(settings.quiet),
            no_color=bool(os.environ.get("NO_COLOR")),
        )
        if settings.loglevel or settings.verbose:
            from ocm_pkg.cli.logs import log_to

            log_to(sys.stderr, settings.loglevel or "info")
        if settings.limit:
            from ocm_pkg.cli.limits import parse

            return cls(settings, os.environ, Path.cwd(), out, parse(settings.limit))
        return cls(settings, os.environ, Path.cwd(), out)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.close()

    @property
    def platform(self) -> Platform:
        """The platform of this machine."""
        from ocm_pkg.model.platform import Platform

        if sys.platform == "win32":
            return Platform.of("windows", self.environ.get("PROCESSOR_ARCHITECTURE", "amd64"))
        machine = os.uname()
        return Platform.of(machine.sysname, machine.machine)

    @property
    def offline(self) -> bool:
        """Whether no connection to the network may be opened."""
        return bool(self.settings.offline)

    def now(self) -> datetime:
        """Return the time, in UTC."""
        from datetime import UTC, datetime

        return datetime.now(UTC)

    @property
    def home(self) -> Path:
        """The user's home folder."""
        return home_of(self.environ)

    @property
    def data_folder(self) -> Path:
        """Content and receipts of installed plugins."""
        return own_folder(self.environ, "data")

    @property
    def cache_folder(self) -> Path:
        """What can be made again."""
        return own_folder(self.environ, "cache")

    @property
    def config_folder(self) -> Path:
        """Keys and settings."""
        return own_folder(self.environ, "config")

    @cached_property
    def config_files(self) -> tuple[Path, ...]:
        """The configuration files that are there, a later one wins; none has been read."""
        from ocm_pkg.cli import configfiles

        if self.settings.config:
            return configfiles.named_files(self.settings.config, self.cwd)
        program = Path(sys.executable if getattr(sys, "frozen", False) else sys.argv[0])
        executable = program if program.is_absolute() else None
        return configfiles.existing(
            configfiles.candidates(
                self.environ, home=self.known_home, cwd=self.cwd, executable=executable
            )
        )

    @cached_property
    def config(self) -> Configuration:
        """The OCM configuration; read when first asked for."""
        from ocm_pkg.cli.configfiles import load

        return load(self.config_files, self.out.warn)

    @property
    def known_home(self) -> Path | None:
        """The user's home folder, or None."""
        try:
            return self.home
        except ConfigError:
            return None

    def path_of(self, text: str) -> Path:
        """Return the path that a configuration means, as the reference does."""
        from ocm_pkg.store.credentials import resolve

        return resolve(text, self.cwd, self.known_home)

    @cached_property
    def credentials(self) -> CredentialStore:
        """Credentials for consumers: those configured, then Docker's and Podman's logins."""
        from ocm_pkg.store.credentials import CredentialStore

        return CredentialStore(
            self.config,
            environ=self.environ,
            folder=self.cwd,
            home=self.known_home,
            warn=self.out.warn,
            docker_by_default=True,
        )

    @cached_property
    def plugin_folders(self) -> tuple[Path, ...]:
        """Where plugins are found: the folder of the option, of the variable, or configured."""
        named = self.settings.plugin_directory or self.environ.get("OCM_PLUGIN_DIRECTORY")
        if named:
            return (self.cwd / named,)
        configured = self.config.plugins.locations if self.config_files else ()
        if not configured:
            return (self.home / ".config/ocm/plugins",)
        self._warn_of_local_plugins()
        return tuple(self.path_of(text) for text in configured)

    def _warn_of_local_plugins(self) -> None:
        """Say if a file of the working folder, which may be somebody else's, names programs."""
        if self.settings.config or self.cwd == self.known_home:
            return
        for entry in self.config.entries:
            folder = Path(entry.node.file).parent
            if entry.kind == "plugin.config.ocm.software" and folder in (
                self.cwd,
                self.cwd / ".ocm",
            ):
                self.out.warn(f"{entry.node.file} says where plugins are run from")

    @property
    def plugin_folder(self) -> Path:
        """Where plugins are installed: one entry each."""
        return self.plugin_folders[0]

    def repository(
        self, spec: RepositorySpec, *, create: bool = False, prefer_plugins: bool = False
    ) -> Repository:
        """Open a repository: built in where possible, else (or if preferred) through a plugin."""
        spec = self._unaliased(spec)
        is_registry = spec.kind == "oci" and self.has_registries
        if (is_registry or spec.kind == "ctf") and not prefer_plugins:
            from ocm_pkg.store.provider import BuiltinProvider

            opened = BuiltinProvider(
                self.cwd,
                max_unpacked=self.limits.get("archive-size"),
                documents=self.documents,
                registry=self.registries.repository_store if is_registry else None,
            )
            return opened.open(spec, create=create)
        from ocm_pkg.cli.pluginhost import for_plugin

        manager = self.manager(prefer="external" if prefer_plugins else "builtin")
        return manager.open(for_plugin(self, spec), create=create)

    @property
    def has_registries(self) -> bool:
        """Whether this program was made with the client of OCI registries."""
        from ocm_pkg.store import has_registries

        return has_registries()

    @cached_property
    def registries(self) -> Registries:
        """The OCI registries; connections are made when they are needed."""
        from ocm_pkg.store.registries import LazyCredentials, Registries

        found = Registries(
            http=self.config.http if self.config_files else None,
            environ=self.environ,
            home=self.known_home,
            credentials=LazyCredentials(lambda: self.credentials),
            cache=self.cache,
            offline=self.offline,
            plain_http=bool(self.settings.plain_http),
        )
        self._closing.callback(found.close)
        return found

    @property
    def external(self) -> ResourceRepository:
        """Content that is outside of repositories: artifacts of registries, or by plugins."""
        if self.has_registries:
            from ocm_pkg.store.images import Images

            def open_store(address: str, repository: str) -> OCIStore:
                # The configuration is read when it is needed, and not before.
                return self.registries.store_of(address, repository)

            return Images(open_store)
        from ocm_pkg.plugin.elsewhere import PluginResources

        return PluginResources(self.manager())

    @cached_property
    def cache(self) -> CachedContent | None:
        """What was fetched from registries; None if there is no folder for it."""
        from ocm_pkg.fs.blobcache import BlobCache
        from ocm_pkg.store.cached import CachedContent

        try:
            folder = self.cache_folder / "blobs"
        except ConfigError:
            return None
        return CachedContent(BlobCache(folder, self.limits.get("cache-size")))

    @property
    def documents(self) -> Limits:
        """How large descriptors and constructors may be."""
        from ocm_pkg.model.jsontext import Limits

        standard = Limits()
        size = self.limits.get("document-size", standard.size)
        # Values and keys are counted too, and grow with the size.
        nodes = max(standard.nodes, standard.nodes * size // standard.size)
        return replace(standard, size=size, nodes=nodes)

    @property
    def references(self) -> ReferenceLimits:
        """How far references to other component versions are followed."""
        from ocm_pkg.store.closure import MAX_COMPONENTS, MAX_DEPTH, ReferenceLimits

        depth = self.limits.get("reference-depth", MAX_DEPTH)
        return ReferenceLimits(depth, self.limits.get("components", MAX_COMPONENTS))

    def _unaliased(self, spec: RepositorySpec) -> RepositorySpec:
        """Return the repository that a plain word is configured to mean, unless it is a folder."""
        is_word = spec.kind == "ctf" and spec.location.replace("-", "").isalnum()
        if not (is_word and self.config_files) or (self.cwd / spec.location).exists():
            return spec
        return self.config.aliases.get(spec.location, spec)

    @contextmanager
    def scratch(self, spec: RepositorySpec) -> Iterator[Path]:
        """Give an empty private folder for content that goes to a repository, and remove it.

        It is beside a CTF where possible: on its file system, so that content is moved into it.
        """
        import tempfile

        from ocm_pkg.fs.atomic import staged_folder

        beside = (self.cwd / spec.location).parent
        if spec.kind == "ctf" and os.access(beside, os.W_OK):
            with staged_folder(beside) as folder:
                yield folder
            return
        folder_name = self.config.filesystem.temp_folder if self.config_files else None
        parent = self.path_of(folder_name) if folder_name else None
        with tempfile.TemporaryDirectory(prefix="ocm-pkg-", dir=parent) as name:
            yield Path(name)

    def component_version(
        self, text: str, *, prefer_plugins: bool = False
    ) -> tuple[RepositorySpec, Repository, ComponentDescriptor]:
        """Return repository and descriptor for ``REPO//COMPONENT[:VERSION]``; default: the newest.

        Without a repository it is where resolvers say, or ``./ctf``. Raises ``UsageError`` if no
        component is named.
        """
        from ocm_pkg.cli.locating import find
        from ocm_pkg.model.reference import ComponentRef

        found = find(self, ComponentRef.parse(text), prefer_plugins=prefer_plugins)
        return found.spec, found.repository, found.repository.get(found.component, found.version)

    @property
    def keys_folder(self) -> Path:
        """The user's own keys."""
        return self.config_folder / "keys"

    def trust(
        self,
        keys: Sequence[Path],
        roots: Sequence[Path],
        sigstore: SigstoreOptions | None = None,
    ) -> TrustPolicy:
        """Return who is trusted: who is given, else the configured and the own keys."""
        from ocm_pkg.signing.keys import stored_keys
        from ocm_pkg.signing.trust import TrustPolicy

        paths = [self.cwd / path for path in keys]
        given = bool(keys or roots or sigstore)
        if not given:
            paths = [key.public_path for key in stored_keys(self.keys_folder)]
        policy = TrustPolicy.from_files(paths, [self.cwd / path for path in roots])
        if "signatures" in self.limits:
            policy = replace(policy, max_signatures=self.limits["signatures"])
        if sigstore:
            from ocm_pkg.cli.sigstoreconfig import named

            policy = replace(policy, sigstore=named(sigstore, self.cwd))
        if given or not self.config_files:
            return policy
        from ocm_pkg.cli.configkeys import configured_trust

        return configured_trust(self, policy)

    def place(self, into: Path | None = None) -> Place:
        """Return where plugins are installed: the plugin folder, or ``into``, and the data."""
        from ocm_pkg.fs.installation import Place

        return Place(self.cwd / into if into else self.plugin_folder, self.data_folder)

    def manager(self, *, prefer: str = "builtin") -> PluginManager:
        """Return the manager of the plugins in the plugin folder; it ends them with the command."""
        from ocm_pkg.cli.pluginhost import plugin_manager

        if prefer not in self._managers:
            self._managers[prefer] = plugin_manager(self, prefer)
            self._closing.callback(self._managers[prefer].close)
        return self._managers[prefer]
