"""Docker's configuration as a repository of credentials: the ``DockerConfig/v1`` of OCM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ocm_pkg.errors import ConfigError, escaped
from ocm_pkg.model.config import Configuration
from ocm_pkg.model.config_credentials import DOCKER, read_repositories
from ocm_pkg.model.config_text import Node
from ocm_pkg.model.yamltext import YamlDocument
from ocm_pkg.store.credentials import CredentialStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ocm_pkg.model.document import JSONValue
    from ocm_pkg.model.identity import Identity
    from ocm_pkg.ports import Spec

DOCKER_CONFIG = f"{DOCKER}/v1"


class DockerCredentials:
    """Secrets of registries in Docker configurations (``ports.CredentialRepository``).

    ``environ`` is that of this process, ``folder`` what relative paths start from, ``home`` the
    user's home folder, if there is one.
    """

    def __init__(self, *, environ: Mapping[str, str], folder: Path, home: Path | None) -> None:
        self._environ = environ
        self._folder = folder
        self._home = home

    def resolve(self, config: Spec, identity: Identity) -> dict[str, Any] | None:
        """Return the credential object for a consumer of the type ``OCIRegistry``, or nothing.

        ``config`` may have ``dockerConfigFile``, a path, or ``dockerConfig``, the members or the
        text of such a file; without either it is Docker's own. Raises ``ConfigError`` for a
        configuration that can't be read, ``AuthenticationError`` for a helper that fails.
        """
        if str(config.get("type")).partition("/")[0] != DOCKER:
            raise ConfigError(
                f"{escaped(str(config.get('type')), 100)!r} is no {DOCKER_CONFIG}",
                hint=f"write type: {DOCKER_CONFIG}",
            )
        store = CredentialStore(
            _configuration(config), environ=self._environ, folder=self._folder, home=self._home
        )
        return store.credential_object(identity)


def _configuration(config: Spec) -> Configuration:
    """Return a configuration that names one repository of credentials, and nothing else."""
    value: JSONValue = {"repositories": [{"repository": dict(config)}]}
    node = Node(value, YamlDocument(value, "the credential repository"))
    return Configuration(secret_repositories=tuple(read_repositories(node)))
