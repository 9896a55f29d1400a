"""``ociplugin``: component versions and artifacts in OCI registries, as a plugin of both contracts.

Only the sdk is imported before the plugin listens; the first call imports the rest.
"""

from __future__ import annotations

import os
from threading import Lock
from typing import TYPE_CHECKING, Any

from ocm_pkg.sdk import Plugin, serve

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ocm_pkg.plugins.connections import Connections
    from ocm_pkg.plugins.handler import RepositoryHandler
    from ocm_pkg.plugins.resources import CredentialsHandler, ResourceHandler
    from ocm_pkg.plugins.spool import Spool
    from ocm_pkg.ports import ComponentLister
    from ocm_pkg.sdk import Credentials, Spec
    from ocm_pkg.store.registries import Registries

ID = "ocm.software/plugins/oci"
ADR_TYPE = "oci"
REPOSITORY = "OCIRepository/v1"
REPOSITORY_ALIASES = (
    *("OCIRepository", "OCIRegistry", "OCIRegistry/v1", "OCI", "OCI/v1", "oci", "oci/v1"),
    *("ociRegistry", "ociRegistry/v1"),
)
ARTIFACT = "ociArtifact/v1"
ARTIFACT_ALIASES = (
    *("ociArtifact", "OCIArtifact", "OCIArtifact/v1", "ociImage", "ociImage/v1", "OCIImage"),
    *("OCIImage/v1", "ociRegistry", "ociRegistry/v1", "OCIRegistry", "OCIRegistry/v1"),
)
BLOB = "ociBlob/v1"
BLOB_ALIASES = ("ociBlob", "OCIImageLayer", "OCIImageLayer/v1")
CONSUMER = "OCIRegistry"
DOCKER = "DockerConfig/v1"
DOCKER_ALIASES = ("DockerConfig",)
HTTP_CONFIG = ("http.config.ocm.software/v1alpha1", "http.config.ocm.software")

_TEXT = {"type": "string", "minLength": 1}


def _schema(title: str, names: tuple[str, ...], needed: str, **members: object) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "required": ["type", needed],
        "properties": {"type": {"enum": list(names)}, needed: _TEXT, **members},
    }


REPOSITORY_SCHEMA = _schema(
    "OCI repository",
    (REPOSITORY, *REPOSITORY_ALIASES),
    "baseUrl",
    baseUrl={**_TEXT, "description": "[http[s]://]HOST[:PORT]; without a scheme it is https"},
    subPath={"type": "string", "description": "where component versions are in the registry"},
)
ARTIFACT_SCHEMA = _schema(
    "OCI artifact",
    (ARTIFACT, *ARTIFACT_ALIASES),
    "imageReference",
    imageReference={**_TEXT, "description": "HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]"},
)
BLOB_SCHEMA = _schema("Blob of an OCI repository", (BLOB, *BLOB_ALIASES), "digest")
DOCKER_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Docker configuration",
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"enum": [DOCKER, *DOCKER_ALIASES]},
        "dockerConfigFile": {"type": "string"},
        "dockerConfig": {"type": ["string", "object"]},
    },
}


class OCIOpener:
    """Makes the handler of each call; ``close`` ends connections, and removes what was handed over.

    Calls come on many threads.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._http: list[dict[str, Any]] = []
        self._connections: Connections | None = None
        self._spool: Spool | None = None

    def configure(self, entry: dict[str, Any]) -> None:
        """Take settings of connections; called before any call, and later ones win."""
        self._http.append(entry)

    def repository(self, spec: Spec, credentials: Credentials) -> RepositoryHandler:
        """Return a handler for the repository of ``spec``."""
        from ocm_pkg.model.reference import RepositorySpec
        from ocm_pkg.plugins.connections import RegistryProvider
        from ocm_pkg.plugins.handler import RepositoryHandler

        provider = RegistryProvider(self._registries(spec, credentials))
        return RepositoryHandler(provider, RepositorySpec.from_spec(spec), self._handed_over())

    def components(self, spec: Spec, credentials: Credentials) -> ComponentLister:
        """Return the lister of the repository of ``spec``."""
        from ocm_pkg.model.reference import RepositorySpec
        from ocm_pkg.store.repository import StoredComponents

        store: Any = self._registries(spec, credentials).repository_store(
            RepositorySpec.from_spec(spec)
        )
        return StoredComponents(store)

    def resources(self, access: Spec, credentials: Credentials) -> ResourceHandler:
        """Return a handler for the content of an access, and its digest."""
        from ocm_pkg.plugins.resources import ResourceHandler
        from ocm_pkg.store.images import Images

        registries = self._registries(access, credentials)
        return ResourceHandler(Images(registries.store_of), self._handed_over())

    def docker(self, config: Spec, credentials: Credentials) -> CredentialsHandler:  # noqa: ARG002 - a file needs none
        """Return a handler for a Docker configuration."""
        from pathlib import Path

        from ocm_pkg.plugins.resources import CredentialsHandler
        from ocm_pkg.store.dockerconfig import DockerCredentials

        secrets = DockerCredentials(environ=os.environ, folder=Path.cwd(), home=_home())
        return CredentialsHandler(secrets, config)

    def _registries(self, spec: Spec, credentials: Credentials) -> Registries:
        from ocm_pkg.plugins.connections import Connections

        with self._lock:
            if self._connections is None:
                self._connections = Connections(os.environ, _home(), self._http)
        return self._connections.registries(identity(spec) or {}, credentials)

    def _handed_over(self) -> Spool:
        from ocm_pkg.plugins.spool import Spool

        with self._lock:
            if self._spool is None:
                self._spool = Spool()
        return self._spool

    def close(self) -> None:
        """Close connections, and remove what was handed over."""
        with self._lock:
            if self._connections is not None:
                self._connections.close()
            if self._spool is not None:
                self._spool.close()


def identity(spec: Spec) -> dict[str, str] | None:
    """Return who needs a secret for a repository or an access; nothing for other objects."""
    from ocm_pkg.plugins.connections import consumer_of

    found = consumer_of(spec)
    return None if found is None else dict(found)


def _home() -> Path | None:
    from pathlib import Path

    home = Path(os.environ.get("HOME", ""))
    return home if home.is_absolute() else None


def create(opener: OCIOpener) -> Plugin:
    """Return the plugin, with everything that it can do registered."""
    plugin = Plugin(ID)
    repository: dict[str, Any] = {
        "aliases": REPOSITORY_ALIASES,
        "schema": REPOSITORY_SCHEMA,
        "identity": identity,
    }
    versions = plugin.component_version_repository(REPOSITORY, adr_type=ADR_TYPE, **repository)
    versions(opener.repository)
    plugin.component_lister(REPOSITORY, **repository)(opener.components)
    artifact: dict[str, Any] = {
        "aliases": ARTIFACT_ALIASES,
        "schema": ARTIFACT_SCHEMA,
        "identity": identity,
    }
    blob: dict[str, Any] = {"aliases": BLOB_ALIASES, "schema": BLOB_SCHEMA, "identity": identity}
    for name, options in ((ARTIFACT, artifact), (BLOB, blob)):
        plugin.resource_repository(name, adr_type=ADR_TYPE, **options)(opener.resources)
        plugin.digest_processor(name, **options)(opener.resources)
    secrets = plugin.credential_repository(
        CONSUMER, DOCKER, aliases=DOCKER_ALIASES, schema=DOCKER_SCHEMA
    )
    secrets(opener.docker)
    for name in HTTP_CONFIG:
        plugin.configuration(name)(opener.configure)
    return plugin


def main(argv: Sequence[str] | None = None) -> int:
    """Run the plugin; return its exit status."""
    opener = OCIOpener()
    try:
        return serve(create(opener), argv)
    finally:
        opener.close()


if __name__ == "__main__":
    raise SystemExit(main())
