"""Credentials for consumer identities: configured consumers, then Docker's and Podman's files.

Files are read and helpers run when a consumer needs them, once. Nothing here opens a connection,
and no secret is in a message, a log or a ``repr``.
"""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocm_pkg.errors import ConfigError, FileMissingError
from ocm_pkg.fs.regular import open_regular
from ocm_pkg.model.config_credentials import Credentials
from ocm_pkg.model.config_docker import DockerConfig
from ocm_pkg.model.consumer import OCI_REGISTRY
from ocm_pkg.store.helpers import HELPER_SECONDS, CredentialHelpers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ocm_pkg.model.config import Configuration
    from ocm_pkg.model.config_credentials import SecretRepository
    from ocm_pkg.model.config_docker import Helper
    from ocm_pkg.model.identity import Identity

MAX_FILE = 1024 * 1024

_REGISTRY_TYPES = frozenset({OCI_REGISTRY, f"{OCI_REGISTRY}/v1"})
_PODMAN_FILE = "containers/auth.json"


class CredentialStore:
    """Finds the secret of a consumer. Safe to use from many threads.

    ``environ`` is that of this process, ``folder`` what relative paths start from (the working
    directory, as in the reference), ``home`` the user's home folder, if there is one.
    ``warn`` gets one line about a file that others can read. With ``docker_by_default`` the files
    that Docker and Podman log in to are asked last, although the configuration doesn't name them.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        environ: Mapping[str, str],
        folder: Path,
        home: Path | None,
        warn: Callable[[str], None] | None = None,
        docker_by_default: bool = False,
        helper_seconds: float = HELPER_SECONDS,
    ) -> None:
        self._configuration = configuration
        self._environ = environ
        self._folder = folder
        self._home = home
        self._warn = warn
        self._by_default = docker_by_default
        self._helpers = CredentialHelpers(environ, helper_seconds)
        self._lock = threading.Lock()
        self._docker: tuple[DockerConfig, ...] | None = None
        self._files: dict[Path, DockerConfig | None] = {}
        self._answers: dict[Helper, dict[str, str] | None] = {}

    def find(self, identity: Identity) -> Credentials | None:
        """Return the secret for a consumer identity, or None if there is none.

        A consumer that is configured without a secret has none, and Docker is not asked for it.
        Raises ``ConfigError`` for a Docker configuration that can't be read and
        ``AuthenticationError`` for a helper that fails.
        """
        consumer = self._configuration.consumer(identity)
        if consumer is not None:
            found = consumer.credentials
            return found if found.properties or found.typed else None
        if identity.get("type") not in _REGISTRY_TYPES:
            return None
        with self._lock:
            properties = self._from_docker(identity)
        return Credentials(properties) if properties else None

    def credential_object(self, identity: Identity) -> dict[str, Any] | None:
        """Return the secret as plugins get it: ``{"type": ..., "properties": {...}}``."""
        found = self.find(identity)
        return None if found is None else found.to_json()

    def path_of(self, text: str) -> Path:
        """Return the file that a configuration names: ``~`` is the home folder."""
        return resolve(text, self._folder, self._home)

    def _from_docker(self, identity: Identity) -> dict[str, str] | None:
        if self._docker is None:
            self._docker = tuple(self._load_docker())
        for config in self._docker:
            helper = config.helper(identity)
            found = self._ask(helper) if helper else None
            found = found or config.entry(identity)
            if found:
                return found
        return None

    def _load_docker(self) -> list[DockerConfig]:
        repositories = [one for one in self._configuration.secret_repositories if one.is_docker]
        # The last one configured is the first one asked: later files win.
        configs = [self._docker_config(one) for one in reversed(repositories)]
        if self._by_default:
            named = login_files(self._environ, self._folder, self._home)
            configs += [self._read_docker(path) for path in named]
        return [config for config in configs if config is not None]

    def _docker_config(self, repository: SecretRepository) -> DockerConfig | None:
        if repository.inline is not None:
            line = repository.node.position[0]
            name = f"dockerConfig in {repository.node.file}:{line}"
            return DockerConfig.parse(repository.inline, name=name)
        if repository.file is None:
            path = docker_file(self._environ, self._folder, self._home)
            return self._read_docker(path) if path else None
        path = self.path_of(repository.file)
        config = self._read_docker(path)
        if config is None and self._warn:
            self._warn(f"the Docker configuration {path} does not exist")
        return config

    def _read_docker(self, path: Path) -> DockerConfig | None:
        if path not in self._files:
            try:
                data = read_private(path, self._warn)
            except FileMissingError:
                self._files[path] = None
            else:
                self._files[path] = DockerConfig.parse(data, name=str(path))
        return self._files[path]

    def _ask(self, helper: Helper) -> dict[str, str] | None:
        if helper not in self._answers:
            self._answers[helper] = self._helpers.get(helper)
        return self._answers[helper]


def docker_file(environ: Mapping[str, str], folder: Path, home: Path | None) -> Path | None:
    """Return where Docker's own configuration is, or would be; None without a home folder."""
    named = environ.get("DOCKER_CONFIG")
    docker = Path(named) if named else (home / ".docker" if home else None)
    return folder / docker / "config.json" if docker else None


def login_files(environ: Mapping[str, str], folder: Path, home: Path | None) -> Iterator[Path]:
    """Yield the files that logins are kept in, in the order in which they are asked.

    They are what ``REGISTRY_AUTH_FILE`` names, Docker's own, and the two places of Podman's.
    """
    if named := environ.get("REGISTRY_AUTH_FILE"):
        yield folder / named
    if docker := docker_file(environ, folder, home):
        yield docker
    folders = [Path(environ.get(name, "")) for name in ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME")]
    folders += [home / ".config"] if home else []
    yield from dict.fromkeys(one / _PODMAN_FILE for one in folders if one.is_absolute())


def resolve(text: str, folder: Path, home: Path | None) -> Path:
    """Return the path that a configuration means: ``~/`` is the home, else ``folder`` is added."""
    if home is not None and (text == "~" or text.startswith("~/")):
        return home / text[2:]
    return folder / text


def read_private(path: Path, warn: Callable[[str], None] | None) -> bytes:
    """Return a file that may hold secrets; ``warn`` is told if others can read or write it.

    Raises ``FileMissingError`` if it is not there, ``ConfigError`` if it is too large.
    """
    with open_regular(path) as stream:
        data = stream.read(MAX_FILE + 1)
        status = os.fstat(stream.fileno())
    if len(data) > MAX_FILE:
        raise ConfigError(f"{path} is larger than {MAX_FILE // 1024} KiB")
    if warn and (problem := exposure(path, status)):
        warn(problem)
    return data


def exposure(path: Path, status: os.stat_result) -> str | None:
    """Say in one line who else can get at a file with secrets; None if nobody can."""
    if os.name != "posix":
        return None
    if status.st_uid not in (os.geteuid(), 0):
        return f"{path} may hold secrets and belongs to another user (uid {status.st_uid})"
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        return f"{path} may hold secrets and is open to other users (mode {mode}); chmod 600 {path}"
    return None
