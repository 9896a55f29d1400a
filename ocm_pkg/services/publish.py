"""Store a component version: its content first, then the descriptor, which is the commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from ocm_pkg.errors import (
    AlreadyExistsError,
    ComponentVersionNotFoundError,
    IntegrityError,
    InvalidDocumentError,
)
from ocm_pkg.model.published import Published, PublishedBlob, component_digest, same_content
from ocm_pkg.store.copying import stored_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocm_pkg.model.descriptor import ComponentDescriptor, Resource, Source
    from ocm_pkg.ports import Blob, Repository
    from ocm_pkg.store.copying import Contents, ElementKey

Policy: TypeAlias = Literal["abort-and-fail", "skip", "replace"]
"""What to do if the component version is there with other content."""


def publish(
    descriptor: ComponentDescriptor,
    contents: Contents,
    *,
    repository: Repository,
    source: str,
    policy: Policy = "abort-and-fail",
    dry_run: bool = False,
    report: Callable[[PublishedBlob], None] = lambda _blob: None,
) -> Published:
    """Store ``descriptor`` with ``contents``; ``source`` is the text of the repository.

    The same content again changes nothing, and signatures that were added since stay. Each blob
    is read once. ``report`` is called for each blob when it is stored. With ``dry_run`` nothing
    is written and the result is what would be. Raises ``AlreadyExistsError`` if the component
    version is there with other content, unless ``policy`` says to skip or replace it.
    """
    existing = _existing(descriptor, repository, policy)
    states = [_state(blob, descriptor, repository) for blob in contents.values()]
    if existing is not None and _is_settled(existing, descriptor, policy):
        there = tuple(PublishedBlob(blob.digest, blob.size, "exists") for blob in states)
        return _published(existing, source, there, written=False)
    if dry_run:
        return _published(descriptor, source, tuple(states), written=True)
    stored = descriptor
    for (key, blob), state in zip(contents.items(), states, strict=True):
        stored = _put(stored, key, blob, repository)
        report(state)
    repository.add(stored, replace=policy == "replace")
    return _published(stored, source, tuple(states), written=True)


def _existing(
    descriptor: ComponentDescriptor, repository: Repository, policy: Policy
) -> ComponentDescriptor | None:
    try:
        return repository.get(descriptor.name, descriptor.version)
    except ComponentVersionNotFoundError:
        return None
    except (InvalidDocumentError, IntegrityError):
        if policy == "replace":
            return None
        raise


def _is_settled(
    existing: ComponentDescriptor, descriptor: ComponentDescriptor, policy: Policy
) -> bool:
    """Whether what is there stays; raises if it may neither stay nor go."""
    if policy == "skip" or same_content(existing, descriptor):
        return True
    if policy == "replace":
        return False
    raise AlreadyExistsError(
        f"{descriptor.name}:{descriptor.version} is there already with other content",
        hint="raise the version, or use --component-version-conflict-policy replace",
    )


def _state(blob: Blob, descriptor: ComponentDescriptor, repository: Repository) -> PublishedBlob:
    digest, size = blob.digest, blob.size
    if digest is None or size is None:
        raise InvalidDocumentError(
            f"content of {descriptor.name}:{descriptor.version} has no known digest and size"
        )
    known = stored_size(repository, descriptor.name, digest) is not None
    return PublishedBlob(digest, size, "exists" if known else "written")


def _put(
    descriptor: ComponentDescriptor, key: ElementKey, blob: Blob, repository: Repository
) -> ComponentDescriptor:
    """Store one blob; return the descriptor with the access that the repository gave it."""
    member, index = key
    name, version = descriptor.name, descriptor.version
    if member == "resources":
        resources = list(descriptor.component.resources)
        resources[index] = repository.put_blob(name, version, resources[index], blob)
        return _with(descriptor, resources=tuple(resources))
    sources = list(descriptor.component.sources)
    sources[index] = repository.put_blob(name, version, sources[index], blob)
    return _with(descriptor, sources=tuple(sources))


def _with(
    descriptor: ComponentDescriptor, **elements: tuple[Resource, ...] | tuple[Source, ...]
) -> ComponentDescriptor:
    if all(getattr(descriptor.component, member) == new for member, new in elements.items()):
        return descriptor
    component = descriptor.component.model_copy(update=elements)
    return descriptor.model_copy(update={"component": component})


def _published(
    descriptor: ComponentDescriptor,
    source: str,
    blobs: tuple[PublishedBlob, ...],
    *,
    written: bool,
) -> Published:
    distinct = {blob.digest: blob for blob in blobs}
    return Published(
        component=descriptor.name,
        version=descriptor.version,
        digest=component_digest(descriptor),
        repository=source,
        blobs=tuple(distinct.values()),
        written=written,
    )
