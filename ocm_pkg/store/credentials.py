"""Credentials for consumer identities: configured consumers, then Docker's configuration.

Files are read and helpers run when a consumer needs them, once. A helper has a time limit and a
size limit, and is looked up in the absolute folders of the search path alone. Nothing here opens a
connection, and no secret is in a message, a log or a ``repr``.
"""

from __future__ import annotations

import os
import shutil
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocm_pkg.errors import AuthenticationError, ConfigError, FileMissingError
from ocm_pkg.fs.process import ProgramError, child_environment, run
from ocm_pkg.fs.regular import open_regular
from ocm_pkg.model.config_credentials import Credentials
from ocm_pkg.model.config_docker import DockerConfig, read_answer, says_not_found
from ocm_pkg.model.consumer import OCI_REGISTRY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ocm_pkg.model.config import Configuration
    from ocm_pkg.model.config_credentials import SecretRepository
    from ocm_pkg.model.config_docker import Helper
    from ocm_pkg.model.identity import Identity

HELPER_SECONDS = 10.0
MAX_ANSWER = 256 * 1024
MAX_FILE = 1024 * 1024

_REGISTRY_TYPES = frozenset({OCI_REGISTRY, f"{OCI_REGISTRY}/v1"})
_LOADER = ("LD_", "DYLD_", "PYTHON", "_PYI", "_MEI")


class CredentialStore:
    """Finds the secret of a consumer. Safe to use from many threads.

    ``environ`` is that of this process, ``folder`` what relative paths start from (the working
    directory, as in the reference), ``home`` the user's home folder, if there is one.
    ``warn`` gets one line about a file that others can read. With ``docker_by_default`` Docker's
    own file is used although no entry of the configuration says so.
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
        self._seconds = helper_seconds
        self._lock = threading.Lock()
        self._docker: tuple[DockerConfig, ...] | None = None
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
        if not repositories and self._by_default:
            configs.append(self._default_docker())
        return [config for config in configs if config is not None]

    def _docker_config(self, repository: SecretRepository) -> DockerConfig | None:
        if repository.inline is not None:
            line = repository.node.position[0]
            name = f"dockerConfig in {repository.node.file}:{line}"
            return DockerConfig.parse(repository.inline, name=name)
        if repository.file is None:
            return self._default_docker()
        path = self.path_of(repository.file)
        config = self._read_docker(path)
        if config is None and self._warn:
            self._warn(f"the Docker configuration {path} does not exist")
        return config

    def _default_docker(self) -> DockerConfig | None:
        named = self._environ.get("DOCKER_CONFIG")
        folder = Path(named) if named else (self._home / ".docker" if self._home else None)
        return self._read_docker(self._folder / folder / "config.json") if folder else None

    def _read_docker(self, path: Path) -> DockerConfig | None:
        try:
            data = read_private(path, self._warn)
        except FileMissingError:
            return None
        return DockerConfig.parse(data, name=str(path))

    def _ask(self, helper: Helper) -> dict[str, str] | None:
        if helper not in self._answers:
            self._answers[helper] = self._run(helper)
        return self._answers[helper]

    def _run(self, helper: Helper) -> dict[str, str] | None:
        program = self._program(helper)
        try:
            done = run(
                [program, "get"],
                env=self._environment(),
                timeout=self._seconds,
                max_output=MAX_ANSWER,
                input=f"{helper.server}\n".encode(),
            )
        except ProgramError as error:
            # Not chained: the error carries what the helper said.
            problem = error.message
        else:
            if done.returncode == 0:
                return self._answer(done.stdout, helper)
            if says_not_found(done.stdout) or says_not_found(done.stderr):
                return None
            problem = f"{helper.program} failed with status {done.returncode}"
        raise AuthenticationError(
            f"no credentials for {helper.server}: {problem}",
            hint=f"check {helper.program}, or remove it from the Docker configuration",
        )

    @staticmethod
    def _answer(output: bytes, helper: Helper) -> dict[str, str]:
        try:
            return read_answer(output, helper=helper)
        except ConfigError as error:
            raise AuthenticationError(
                f"no credentials for {helper.server}: {error.message}",
                hint=f"log in again, or remove {helper.name} from the Docker configuration",
            ) from error

    def _program(self, helper: Helper) -> str:
        folders = self._environ.get("PATH", "").split(os.pathsep)
        path = os.pathsep.join(folder for folder in folders if Path(folder).is_absolute())
        program = shutil.which(helper.program, path=path) if path else None
        if program is None:
            raise AuthenticationError(
                f"no credentials for {helper.server}: {helper.program} is not installed",
                hint=f"install {helper.program}, or remove it from the Docker configuration",
            )
        return program

    def _environment(self) -> dict[str, str]:
        """Return the user's environment: helpers need their own variables (cloud, keychain)."""
        own = {name: value for name, value in self._environ.items() if not name.startswith(_LOADER)}
        return child_environment(self._environ, own)


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
