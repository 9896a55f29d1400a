"""What publishing and copying can know of repositories that are stores of OCI content."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

from ocm_pkg.errors import (
    ComponentVersionNotFoundError,
    DigestMismatchError,
    UnreachableContentError,
)
from ocm_pkg.fs.watched import Reading, watched
from ocm_pkg.model.access import AccessSpec
from ocm_pkg.model.digest import Digest, algorithm_of
from ocm_pkg.model.published import PublishedBlob
from ocm_pkg.store import media
from ocm_pkg.store.artifact import parts_of
from ocm_pkg.store.artifactset import parts_in
from ocm_pkg.store.digester import is_excluded
from ocm_pkg.store.mapping import repository_of
from ocm_pkg.store.repository import ComponentRepository

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from ocm_pkg.model.descriptor import ComponentDescriptor, Resource, Source
    from ocm_pkg.ports import Blob, Repository, ResourceRepository
    from ocm_pkg.store.base import OCIDescriptor

    ElementKey: TypeAlias = tuple[Literal["resources", "sources"], int]
    """Which element of a descriptor: the list, and the place in it."""

    Contents: TypeAlias = "Mapping[ElementKey, Blob]"
    """The content of those elements of a descriptor whose content is local."""

ElementT = TypeVar("ElementT", "Resource", "Source")


def batched(repository: Repository) -> AbstractContextManager[None]:
    """Return a block that commits what is added in it at its end, where the repository can.

    See ``ports.Batches``; elsewhere each component version is committed when it is added.
    """
    return repository.batch() if isinstance(repository, ComponentRepository) else nullcontext()


def existing(repository: Repository, component: str, version: str) -> ComponentDescriptor | None:
    """Return a descriptor, or None if there is none; raises as ``Repository.get`` does."""
    if isinstance(repository, ComponentRepository):
        return repository.find(component, version)
    try:
        return repository.get(component, version)
    except ComponentVersionNotFoundError:
        return None


def stored_size(repository: Repository, component: str, digest: Digest) -> int | None:
    """Return the size of a blob that is stored with ``component`` already.

    None if it isn't there, or where that can't be told without fetching it.
    """
    if not isinstance(repository, ComponentRepository):
        return None
    stored = repository.store.exists(repository_of(component), digest)
    return None if stored is None else stored.size


def known_size(
    repository: Repository, descriptor: ComponentDescriptor, element: Resource | Source
) -> int | None:
    """Return the size of an element's content if the repository's documents say it."""
    if not isinstance(repository, ComponentRepository) or not element.access.is_local_blob:
        return None
    if repository.artifact(descriptor, element) is not None:
        return None
    return repository.blob(descriptor, element).size


def by_content(repository: Repository) -> bool:
    """Whether content is known by its digest, so that it is stored once for many users."""
    return isinstance(repository, ComponentRepository)


def put(
    repository: Repository,
    descriptor: ComponentDescriptor,
    element: ElementT,
    blob: Blob,
    read: Callable[[int], None],
) -> tuple[ElementT, PublishedBlob]:
    """Store content; return the element as the repository gives it back, and what was done.

    ``read`` hears of the bytes, and can end it with an error.
    """
    reading = Reading(read)
    name, version = descriptor.name, descriptor.version
    stored = repository.put_blob(name, version, element, watched(blob, reading))
    was_there = by_content(repository) and not reading.was_read
    digest = blob.digest or stored.access.local_reference
    size = blob.size or 0
    reading.at(size)
    return stored, PublishedBlob(digest, size, "exists" if was_there else "written")


def copy_content(
    source: Repository,
    destination: Repository,
    descriptor: ComponentDescriptor,
    element: ElementT,
    read: Callable[[int], None],
) -> tuple[ElementT, PublishedBlob]:
    """Copy the content of an element, stored with its component version, the shortest way.

    That is none if it is there already, a mount in one registry, else a stream. Returns the
    element with the access to its content (as it was, if that leads to it), and what was done.
    """
    digest = element.access.local_reference
    copied = copy_artifact(source, destination, descriptor, element, read=read)
    if copied is not None:
        return element, copied
    content = source.blob(descriptor, element)
    mounted = _mount(source, destination, descriptor.name, digest, content.size)
    if mounted is not None:
        read(mounted.size)
        return element, mounted
    stored, blob = put(destination, descriptor, element, content, read)
    access = stored.access
    is_same = access.is_local_blob and access.text("localReference") == str(digest)
    return element if is_same else stored, replace(blob, digest=digest)


def _mount(
    source: Repository, destination: Repository, component: str, digest: Digest, size: int | None
) -> PublishedBlob | None:
    """Let a registry take content over from itself, or find it there; None if it can't."""
    if not isinstance(source, ComponentRepository):
        return None
    if not isinstance(destination, ComponentRepository):
        return None
    mount = getattr(destination.store, "mount", None)
    if mount is None or _registry(destination) != _registry(source):
        return None
    repository = repository_of(component)
    there = destination.store.exists(repository, digest)
    if there is not None:
        return PublishedBlob(digest, there.size, "exists")
    if not mount(repository, digest, source.store, repository):
        return None
    return PublishedBlob(digest, size or 0, "written")


def _registry(repository: ComponentRepository) -> tuple[object, object]:
    """Return what differs for stores that can't share content: their sort, and their origin."""
    client = getattr(repository.store, "client", None)
    return type(repository.store), getattr(client, "origin", None)


def mount_within(
    repository: Repository,
    origin: str,
    blob: PublishedBlob,
    component: str,
    element: Resource | Source,
) -> PublishedBlob | None:
    """Give a blob of the component ``origin`` to another one of the same registry, or None."""
    if not isinstance(repository, ComponentRepository):
        return None
    if element.access.media_type in media.MANIFESTS:
        return None
    mount = getattr(repository.store, "mount", None)
    target = repository_of(component)
    if mount is None or not mount(target, blob.digest, repository.store, repository_of(origin)):
        return None
    return replace(blob, state="written")


def copy_artifact(
    source: Repository,
    destination: Repository,
    descriptor: ComponentDescriptor,
    element: Resource | Source,
    *,
    read: Callable[[int], None] = lambda _count: None,
) -> PublishedBlob | None:
    """Copy an OCI artifact that is stored with all of its parts, each part as it is.

    Returns None, and does nothing, for any other content, and where one of the repositories
    doesn't store such artifacts. The parts come before the manifests that name them.
    """
    if not isinstance(source, ComponentRepository):
        return None
    if not isinstance(destination, ComponentRepository):
        return None
    digest = source.artifact(descriptor, element)
    repository = repository_of(descriptor.name)
    top = source.store.exists(repository, digest) if digest is not None else None
    if top is None:
        return None
    there = destination.store.exists(repository, top.digest)
    if there is not None:
        return PublishedBlob(there.digest, there.size, "exists")
    top = replace(top, media_type=element.access.media_type or top.media_type)
    what = f"{element.name} of {descriptor.name}:{descriptor.version}"
    for part in reversed(parts_of(source.store, repository, top, what)):
        if part.media_type not in media.MANIFESTS:
            mounted = _mount(source, destination, descriptor.name, part.digest, part.size)
            if mounted is not None:
                continue
        _push(destination, repository, source.store.fetch(repository, part), part, read)
    return PublishedBlob(top.digest, top.size, "written")


def _push(
    destination: ComponentRepository,
    repository: str,
    blob: Blob,
    part: OCIDescriptor,
    read: Callable[[int], None],
) -> None:
    destination.store.push(repository, watched(blob, Reading(read)), part.media_type)


def copy_external(
    external: ResourceRepository,
    destination: Repository,
    descriptor: ComponentDescriptor,
    resource: Resource,
    read: Callable[[int], None],
) -> tuple[Resource, PublishedBlob]:
    """Copy content that is kept elsewhere; return the resource with the access to the copy.

    What is signed stays: an OCI artifact is stored part by part, as it is, so that the digest of
    its manifest is still the one that the resource has. Raises ``DigestMismatchError`` if what is
    fetched is not what the resource's digest says, ``UnreachableContentError`` if it can't be.
    """
    what = f"{resource.name} of {descriptor.name}:{descriptor.version}"
    content = external.fetch(resource)
    if not (resource.access.is_oci_artifact and isinstance(destination, ComponentRepository)):
        stored, blob = put(destination, descriptor, resource, content, read)
        return resource.model_copy(update={"access": stored.access}), blob
    found = parts_in(content, what)
    top = found.parts[0]
    said = _stated(resource)
    if said is not None and top.digest != said:
        raise DigestMismatchError(
            f"{what} was signed as {said}, but {resource.access.image_reference[:200]!r} is "
            f"{top.digest}",
            hint="the image was changed after the component version was made: do not use it",
        )
    repository = repository_of(descriptor.name)
    there = destination.store.exists(repository, top.digest) is not None
    if not there:
        for part in reversed(found.parts):
            _push(destination, repository, found.fetch(part), part, read)
    access = AccessSpec.local_blob(top.digest, top.media_type, _hint(resource))
    blob = PublishedBlob(top.digest, top.size, "exists" if there else "written")
    return resource.model_copy(update={"access": access}), blob


def _stated(resource: Resource) -> Digest | None:
    """Return the digest of its manifest that a resource by reference has, if it has one."""
    spec = resource.digest
    if spec is None or not spec.value or is_excluded(spec):
        return None
    return Digest(algorithm_of(spec.hash_algorithm), spec.value)


def _hint(resource: Resource) -> str | None:
    """Return ``repository:tag`` of an image, for whoever makes an image of the copy again."""
    reference = resource.access.image_reference.partition("@")[0]
    host, _, path = reference.rpartition("://")[2].partition("/")
    return path or host or None


def outside_of(descriptor: ComponentDescriptor, element: Resource | Source) -> Exception:
    """Return the error for content that nothing here can copy."""
    return UnreachableContentError(
        f"{element.name!r} of {descriptor.name}:{descriptor.version} is outside the "
        f"repository (access {element.access.type[:60]!r}), which can't be copied by value",
        hint="leave out --copy-resources: the access is kept as it is",
    )
