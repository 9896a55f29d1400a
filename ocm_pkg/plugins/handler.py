"""Any ``ports.Repository`` as an implementation for the sdk.

Content that is a file of its own is handed over by its path, after its digest was verified.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ocm_pkg.errors import AmbiguousResourceError, ResourceNotFoundError
from ocm_pkg.fs.blob import FileBlob, verify
from ocm_pkg.model import identity as identities
from ocm_pkg.model.descriptor import MEDIA_TYPE_JSON, ComponentDescriptor, Resource, Source
from ocm_pkg.model.document import read_document
from ocm_pkg.sdk import Content
from ocm_pkg.store.archive import ArchiveStore
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.repository import ComponentRepository

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ocm_pkg.model.reference import RepositorySpec
    from ocm_pkg.plugins.spool import Spool
    from ocm_pkg.ports import Blob, Repository, RepositoryProvider
    from ocm_pkg.sdk import Descriptor, Element

FoundT = TypeVar("FoundT", Resource, Source)

_NO_ACCESS = {"type": "none"}


class RepositoryHandler:
    """Serves one repository to one call (``ocm_pkg.sdk.WritableRepository``)."""

    def __init__(self, provider: RepositoryProvider, spec: RepositorySpec, spool: Spool) -> None:
        self._provider = provider
        self._spec = spec
        self._spool = spool

    def versions(self, name: str) -> Sequence[str]:
        """Return the versions of a component, newest first."""
        return self._open().versions(name)

    def get(self, name: str, version: str) -> Descriptor | bytes:
        """Return the descriptor; the very bytes that are stored, if they are what is sent."""
        found = self._open().get(name, version)
        stored = found.encoded
        if stored is None or stored.media_type != MEDIA_TYPE_JSON or found.api_version is not None:
            return found.to_json()
        return stored.data

    def add(self, descriptor: Descriptor) -> None:
        """Commit a component version; the same again changes nothing, another is a conflict."""
        parsed = ComponentDescriptor.from_json(descriptor, name="the descriptor")
        self._open(create=True).add(parsed)

    def local_resource(self, name: str, version: str, identity: dict[str, str]) -> Content:
        """Return the content of the one resource that has these attributes."""
        repository = self._open()
        descriptor = repository.get(name, version)
        found = _select(descriptor.component.resources, identity, f"resource of {name}:{version}")
        return self._content(repository, descriptor, found)

    def local_source(self, name: str, version: str, identity: dict[str, str]) -> Content:
        """Return the content of the one source that has these attributes."""
        repository = self._open()
        descriptor = repository.get(name, version)
        found = _select(descriptor.component.sources, identity, f"source of {name}:{version}")
        return self._content(repository, descriptor, found)

    def put_local_resource(
        self, name: str, version: str, resource: Element, path: Path, media_type: str | None
    ) -> Element:
        """Store a file's content; return the resource with its access and digest."""
        element = read_document(Resource, _with_access(resource), what="the resource")
        return self._put(name, version, element, FileBlob(path, media_type)).to_json()

    def put_local_source(
        self, name: str, version: str, source: Element, path: Path, media_type: str | None
    ) -> Element:
        """Store a file's content; return the source with its access."""
        element = read_document(Source, _with_access(source), what="the source")
        return self._put(name, version, element, FileBlob(path, media_type)).to_json()

    def _put(self, name: str, version: str, element: FoundT, blob: Blob) -> FoundT:
        """Store content where the next call, which opens the repository again, finds it."""
        repository = self._open(create=True)
        stored = repository.put_blob(name, version, element, blob)
        if isinstance(repository, ComponentRepository) and isinstance(
            repository.store, ArchiveStore
        ):
            repository.store.flush()
        return stored

    def check_health(self) -> None:
        """Return if the repository can be opened and read."""
        self._open().versions("ocm.software/plugins/ctf")

    def _open(self, *, create: bool = False) -> Repository:
        return self._provider.open(self._spec, create=create)

    def _content(
        self, repository: Repository, descriptor: ComponentDescriptor, element: FoundT
    ) -> Content:
        blob = repository.blob(descriptor, element)
        if (
            isinstance(blob, FileBlob)
            and isinstance(repository, ComponentRepository)
            and isinstance(repository.store, CTFStore)
        ):
            verify(blob)
            path = blob.path
        else:
            path = self._spool.store(blob)
        return Content(path, element.to_json(), element.access.media_type or blob.media_type)


def _select(elements: Sequence[FoundT], identity: dict[str, str], what: str) -> FoundT:
    """Return the element of exactly that identity, or the only one that has its attributes."""
    fitting = [
        element
        for element in elements
        if identities.matches(identity, {"version": element.version, **element.identity})
    ]
    exact = [element for element in fitting if element.identity == identity]
    for found in (exact, fitting):
        if len(found) == 1:
            return found[0]
    wanted = identities.show(identity) or "no attributes"
    if fitting:
        raise AmbiguousResourceError(f"{len(fitting)} times there is a {what} with {wanted}")
    raise ResourceNotFoundError(f"there is no {what} with {wanted}")


def _with_access(element: Element) -> Element:
    """Return the element with an access: one that has none yet is about to get it."""
    return element if element.get("access") else {**element, "access": _NO_ACCESS}
