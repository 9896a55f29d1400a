"""Content of OCI registries behind accesses, and Docker's credentials, for the sdk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ocm_pkg.fs.blob import FileBlob
from ocm_pkg.model.descriptor import Resource
from ocm_pkg.model.document import read_document
from ocm_pkg.sdk import Content
from ocm_pkg.store.pinned import pinned

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ocm_pkg.plugins.spool import Spool
    from ocm_pkg.ports import CredentialRepository, Spec
    from ocm_pkg.sdk import Element
    from ocm_pkg.store.images import Images


class ResourceHandler:
    """Serves one call (``ocm_pkg.sdk.WritableResources`` and ``DigestProcessor``)."""

    def __init__(self, images: Images, spool: Spool) -> None:
        self._images = images
        self._spool = spool

    def fetch(self, resource: Element) -> Content:
        """Return the content of the resource as a file, verified."""
        blob = self._images.fetch(_read(resource))
        return Content(self._spool.store(blob), resource, blob.media_type)

    def store(self, resource: Element, path: Path, media_type: str | None) -> Element:
        """Store a file's content where the access says; return the resource with its access."""
        return self._images.store(_read(resource), FileBlob(path, media_type)).to_json()

    def process(self, resource: Element) -> Element:
        """Return the resource with its digest, and its access pinned to it."""
        found = _read(resource)
        return pinned(found, self._images.digest(found)).to_json()


class CredentialsHandler:
    """Serves one call for credentials (``ocm_pkg.sdk.CredentialRepository``)."""

    def __init__(self, repository: CredentialRepository, config: Spec) -> None:
        self._repository = repository
        self._config = config

    def resolve(self, identity: dict[str, str]) -> Mapping[str, Any] | None:
        """Return the credential object for a consumer identity, or nothing."""
        return self._repository.resolve(self._config, identity)


def _read(resource: Element) -> Resource:
    return read_document(Resource, resource, what="the resource")
