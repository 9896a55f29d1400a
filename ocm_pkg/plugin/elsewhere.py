"""Content that is kept outside of repositories, by the plugin for the type of each access."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ocm_pkg.contract.capabilities import Capability, Kind
from ocm_pkg.errors import PluginNotFoundError, PluginProtocolError, UnreachableContentError
from ocm_pkg.model.digest import Digest, algorithm_of

if TYPE_CHECKING:
    from ocm_pkg.model.descriptor import Resource
    from ocm_pkg.plugin.manager import PluginManager
    from ocm_pkg.ports import Blob, DigestProcessor, ResourceRepository


class PluginResources:
    """Fetches and stores through plugins, of this process or another (``ResourceRepository``).

    A plugin is looked for with the first resource of its type, and no sooner. Without one for a
    type its content is an ``UnreachableContentError``.
    """

    def __init__(self, manager: PluginManager) -> None:
        self._manager = manager

    def fetch(self, resource: Resource) -> Blob:
        """Return the content of ``resource``."""
        return self._for(resource, Capability.READ_RESOURCE_REPOSITORY).fetch(resource)

    def store(self, resource: Resource, blob: Blob) -> Resource:
        """Store content; return the resource with the access to it."""
        return self._for(resource, Capability.WRITE_RESOURCE_REPOSITORY).store(resource, blob)

    def digest(self, resource: Resource) -> Digest:
        """Return the digest of the artifact's manifest; of a single blob it is its own.

        A plugin that only fetches has to fetch all of it for that.
        """
        try:
            found = self._manager.get_plugin(Kind.DIGEST_PROCESSOR_REPOSITORY, resource.access.type)
        except PluginNotFoundError:
            return self._of_content(resource)
        spec = cast("DigestProcessor", found).process(resource).digest
        if spec is None:
            raise PluginProtocolError(f"the plugin gave no digest for {resource.name}")
        return Digest(algorithm_of(spec.hash_algorithm), spec.value.lower())

    def _of_content(self, resource: Resource) -> Digest:
        from ocm_pkg.store.artifactset import manifest_of
        from ocm_pkg.store.digester import blob_digest

        blob = self.fetch(resource)
        if resource.access.is_oci_artifact:
            return manifest_of(blob, resource.name)
        return blob_digest(blob)

    def _for(self, resource: Resource, asked: Capability) -> ResourceRepository:
        try:
            found = self._manager.get_plugin(asked, resource.access.type)
        except PluginNotFoundError as error:
            raise UnreachableContentError(
                f"{resource.name}:{resource.version} is outside the repository: {error.message}",
                hint=error.hint,
            ) from error
        return cast("ResourceRepository", found)
