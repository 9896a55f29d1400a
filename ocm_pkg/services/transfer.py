"""Copy component versions from one repository to another, signatures intact."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ocm_pkg.errors import (
    AlreadyExistsError,
    ComponentVersionNotFoundError,
    IntegrityError,
    InvalidDocumentError,
    UnreachableContentError,
)
from ocm_pkg.model.published import (
    Published,
    PublishedBlob,
    component_digest,
    elements_of,
    keeps_signatures,
    same_content,
)
from ocm_pkg.store.closure import ReferenceLimits, closure
from ocm_pkg.store.copying import batched, copy_artifact, stored_size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ocm_pkg.model.descriptor import ComponentDescriptor, Resource, Source
    from ocm_pkg.ports import Blob, Repository

    ElementT = TypeVar("ElementT", Resource, Source)


def transfer(
    component: str,
    version: str,
    *,
    source: Repository,
    destination: Repository,
    repository: str,
    recursive: bool | ReferenceLimits = False,
    copy_resources: bool = False,
    replace: bool = False,
    dry_run: bool = False,
    report: Callable[[PublishedBlob], None] = lambda _blob: None,
) -> Sequence[Published]:
    """Copy a component version; return it last, after those it refers to (``recursive``).

    ``recursive`` may be the limits of that.
    They become visible together where the destination can do that (``ports.Batches``).
    ``repository`` is the text of the destination. Content is streamed, each blob once. The stored
    descriptor is the very bytes of the source, unless the destination has another way to its
    content; what signatures cover is the same in any case. The same again changes nothing;
    signatures that are new are added. Raises ``AlreadyExistsError`` if the version is there with
    other content or signatures that the source hasn't, unless ``replace``.
    ``UnreachableContentError`` if ``copy_resources`` asks for content outside the source.
    """
    if recursive:
        limits = recursive if isinstance(recursive, ReferenceLimits) else None
        descriptors = closure(source, component, version, limits)
    else:
        descriptors = (source.get(component, version),)
    if copy_resources:
        for descriptor in descriptors:
            _refuse_external(descriptor)
    one = _Transfer(source, destination, repository, dry_run=dry_run, report=report)
    with batched(destination):
        return tuple(one.run(descriptor, replace=replace) for descriptor in descriptors)


def _refuse_external(descriptor: ComponentDescriptor) -> None:
    for element in elements_of(descriptor):
        if not element.access.is_local_blob and not element.access.is_none:
            raise UnreachableContentError(
                f"{element.name!r} of {descriptor.name}:{descriptor.version} is outside the "
                f"repository (access {element.access.type[:60]!r}), which can't be copied by value",
                hint="leave out --copy-resources: the access is kept as it is",
            )


class _Transfer:
    def __init__(
        self,
        source: Repository,
        destination: Repository,
        repository: str,
        *,
        dry_run: bool,
        report: Callable[[PublishedBlob], None],
    ) -> None:
        self._source = source
        self._destination = destination
        self._repository = repository
        self._dry_run = dry_run
        self._report = report

    def run(self, descriptor: ComponentDescriptor, *, replace: bool) -> Published:
        """Copy one component version."""
        existing = self._existing(descriptor, replace=replace)
        if existing is not None and self._is_settled(existing, descriptor, replace=replace):
            return self._published(existing, self._known(descriptor, there=True), written=False)
        if self._dry_run:
            return self._published(descriptor, self._known(descriptor, there=False), written=True)
        stored, blobs = self._copy(descriptor)
        self._destination.add(stored, replace=existing is not None or replace)
        return self._published(stored, blobs, written=True)

    def _existing(
        self, descriptor: ComponentDescriptor, *, replace: bool
    ) -> ComponentDescriptor | None:
        try:
            return self._destination.get(descriptor.name, descriptor.version)
        except ComponentVersionNotFoundError:
            return None
        except (InvalidDocumentError, IntegrityError):
            if replace:
                return None
            raise

    def _is_settled(
        self, existing: ComponentDescriptor, descriptor: ComponentDescriptor, *, replace: bool
    ) -> bool:
        """Whether what is there stays; raises if it may neither stay nor go."""
        same = same_content(existing, descriptor)
        if same and keeps_signatures(existing, descriptor):
            return True
        if replace or (same and keeps_signatures(descriptor, existing)):
            return False
        what = "other signatures" if same else "other content"
        raise AlreadyExistsError(
            f"{descriptor.name}:{descriptor.version} is in {self._repository} with {what}",
            hint="raise the version, or replace it with --replace",
        )

    def _copy(
        self, descriptor: ComponentDescriptor
    ) -> tuple[ComponentDescriptor, list[PublishedBlob]]:
        blobs: list[PublishedBlob] = []
        component = descriptor.component
        resources = tuple(self._put(descriptor, one, blobs) for one in component.resources)
        sources = tuple(self._put(descriptor, one, blobs) for one in component.sources)
        if (resources, sources) == (component.resources, component.sources):
            return descriptor, blobs
        changed = component.model_copy(update={"resources": resources, "sources": sources})
        return descriptor.model_copy(update={"component": changed}), blobs

    def _put(
        self, descriptor: ComponentDescriptor, element: ElementT, blobs: list[PublishedBlob]
    ) -> ElementT:
        if not element.access.is_local_blob:
            return element
        digest = element.access.local_reference
        size = stored_size(self._destination, descriptor.name, digest)
        stored = element
        if size is not None:
            blob = PublishedBlob(digest, size, "exists")
        elif copy_artifact(self._source, self._destination, descriptor, element):
            size = stored_size(self._destination, descriptor.name, digest)
            blob = PublishedBlob(digest, size or 0, "written")
        else:
            content = self._source.blob(descriptor, element)
            stored = self._stored(descriptor, element, content)
            blob = PublishedBlob(digest, content.size or 0, "written")
        blobs.append(blob)
        self._report(blob)
        return stored

    def _stored(
        self, descriptor: ComponentDescriptor, element: ElementT, content: Blob
    ) -> ElementT:
        """Store content; return the element, as it was if the same access leads to the content."""
        name, version = descriptor.name, descriptor.version
        stored = self._destination.put_blob(name, version, element, content)
        reference = str(element.access.local_reference)
        is_same = stored.access.is_local_blob and stored.access.text("localReference") == reference
        return element if is_same else stored

    def _known(self, descriptor: ComponentDescriptor, *, there: bool) -> list[PublishedBlob]:
        """Return the blobs as far as a store can tell: of what is there, or would be written."""
        blobs = []
        for element in elements_of(descriptor):
            if element.access.is_local_blob:
                digest = element.access.local_reference
                size = stored_size(self._destination, descriptor.name, digest)
                if size is not None:
                    blobs.append(PublishedBlob(digest, size, "exists"))
                elif not there:
                    size = stored_size(self._source, descriptor.name, digest)
                    blobs.append(PublishedBlob(digest, size or 0, "written"))
        return blobs

    def _published(
        self, descriptor: ComponentDescriptor, blobs: Sequence[PublishedBlob], *, written: bool
    ) -> Published:
        distinct = {blob.digest: blob for blob in blobs}
        return Published(
            component=descriptor.name,
            version=descriptor.version,
            digest=component_digest(descriptor),
            repository=self._repository,
            blobs=tuple(distinct.values()),
            written=written,
        )
