"""The composition root: reads the environment and builds the concrete objects, here alone."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ocm_pkg.cli.output import Output
from ocm_pkg.errors import ComponentVersionNotFoundError, ConfigError, UsageError
from ocm_pkg.model.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from types import TracebackType

    from ocm_pkg.cli.options import Settings
    from ocm_pkg.fs.installation import Place
    from ocm_pkg.model.descriptor import ComponentDescriptor
    from ocm_pkg.model.reference import RepositorySpec
    from ocm_pkg.plugin.manager import PluginManager
    from ocm_pkg.ports import Repository
    from ocm_pkg.signing.trust import TrustPolicy

DEFAULT_REPOSITORY = "./ctf"


@dataclass
class Context:
    """What a command works with. Objects are built when first asked for, closed at the end."""

    settings: Settings
    environ: Mapping[str, str]
    cwd: Path
    out: Output
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
            out.log_to_stderr(settings.loglevel or "info")
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
        home = self.environ.get("USERPROFILE" if sys.platform == "win32" else "HOME", "")
        if not Path(home).is_absolute():
            raise ConfigError(
                "no home folder: HOME is not set to an absolute path",
                hint="set HOME, or XDG_DATA_HOME, XDG_CACHE_HOME and XDG_CONFIG_HOME",
            )
        return Path(home)

    @property
    def data_folder(self) -> Path:
        """Content and receipts of installed plugins."""
        return self._folder("XDG_DATA_HOME", ".local/share", "Library/Application Support")

    @property
    def cache_folder(self) -> Path:
        """What can be made again."""
        return self._folder("XDG_CACHE_HOME", ".cache", "Library/Caches")

    @property
    def config_folder(self) -> Path:
        """Keys and settings."""
        return self._folder("XDG_CONFIG_HOME", ".config", "Library/Application Support")

    def _folder(self, variable: str, elsewhere: str, on_mac: str) -> Path:
        named = self.environ.get(variable, "")
        if Path(named).is_absolute():
            return Path(named) / "ocm-pkg"
        return self.home / (on_mac if sys.platform == "darwin" else elsewhere) / "ocm-pkg"

    @property
    def plugin_folder(self) -> Path:
        """Where plugins are found and installed: one entry each."""
        named = self.settings.plugin_directory or self.environ.get("OCM_PLUGIN_DIRECTORY")
        return self.cwd / named if named else self.home / ".config/ocm/plugins"

    def repository(
        self, spec: RepositorySpec, *, create: bool = False, prefer_plugins: bool = False
    ) -> Repository:
        """Open a repository: built in where possible, else (or if preferred) through a plugin."""
        if spec.kind == "ctf" and not prefer_plugins:
            from ocm_pkg.store.provider import BuiltinProvider

            return BuiltinProvider(self.cwd).open(spec, create=create)
        manager = self.manager(prefer="external" if prefer_plugins else "builtin")
        return manager.open(spec, create=create)

    @contextmanager
    def scratch(self, spec: RepositorySpec) -> Iterator[Path]:
        """Give an empty private folder for content that goes to a repository, and remove it.

        It is beside a CTF where possible: on its file system, so that content is moved into it.
        """
        from ocm_pkg.fs.atomic import staged_folder

        beside = (self.cwd / spec.location).parent
        if spec.kind == "ctf" and os.access(beside, os.W_OK):
            with staged_folder(beside) as folder:
                yield folder
            return
        with tempfile.TemporaryDirectory(prefix="ocm-pkg-") as name:
            yield Path(name)

    def component_version(
        self, text: str, *, prefer_plugins: bool = False
    ) -> tuple[RepositorySpec, Repository, ComponentDescriptor]:
        """Return repository and descriptor for ``REPO//COMPONENT[:VERSION]``; default: the newest.

        Without a repository it is ``./ctf``. Raises ``UsageError`` if no component is named.
        """
        from ocm_pkg.model.reference import ComponentRef, RepositorySpec

        reference = ComponentRef.parse(text)
        if reference.component is None:
            raise UsageError(
                f"{text} names a repository, and a component version is wanted",
                hint="write REPOSITORY//COMPONENT:VERSION",
            )
        spec = reference.repository or RepositorySpec.parse(DEFAULT_REPOSITORY)
        repository = self.repository(spec, prefer_plugins=prefer_plugins)
        version = reference.version or next(iter(repository.versions(reference.component)), None)
        if version is None:
            raise ComponentVersionNotFoundError(
                f"{spec} has no version of {reference.component}",
                hint=f"ocm-pkg get cv {spec} lists what is there",
            )
        return spec, repository, repository.get(reference.component, version)

    @property
    def keys_folder(self) -> Path:
        """The user's own keys."""
        return self.config_folder / "keys"

    def trust(self, keys: Sequence[Path], roots: Sequence[Path]) -> TrustPolicy:
        """Return who is trusted: the keys and roots given, else the user's own public keys."""
        from ocm_pkg.signing.keys import stored_keys
        from ocm_pkg.signing.trust import TrustPolicy

        paths = [self.cwd / path for path in keys]
        if not paths and not roots:
            paths = [key.public_path for key in stored_keys(self.keys_folder)]
        return TrustPolicy.from_files(paths, [self.cwd / path for path in roots])

    def place(self, into: Path | None = None) -> Place:
        """Return where plugins are installed: the plugin folder, or ``into``, and the data."""
        from ocm_pkg.fs.installation import Place

        return Place(self.cwd / into if into else self.plugin_folder, self.data_folder)

    def manager(self, *, prefer: str = "builtin") -> PluginManager:
        """Return the manager of the plugins in the plugin folder; it ends them with the command."""
        from ocm_pkg.plugin.builtin import builtin_plugins
        from ocm_pkg.plugin.manager import PluginManager

        if prefer not in self._managers:
            self._managers[prefer] = PluginManager(
                [self.plugin_folder],
                builtin=builtin_plugins(self.cwd),
                prefer=prefer,
                environment=self.environ,
            )
            self._closing.callback(self._managers[prefer].close)
        return self._managers[prefer]
