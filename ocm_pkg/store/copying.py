"""What publishing and copying can know of repositories that are stores of OCI content."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from ocm_pkg.store.artifact import parts_of
from ocm_pkg.store.mapping import repository_of
from ocm_pkg.store.repository import ComponentRepository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from ocm_pkg.model.descriptor import ComponentDescriptor, Resource, Source
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.ports import Blob, Repository

    ElementKey: TypeAlias = tuple[Literal["resources", "sources"], int]
    """Which element of a descriptor: the list, and the place in it."""

    Contents: TypeAlias = "Mapping[ElementKey, Blob]"
    """The content of those elements of a descriptor whose content is local."""


def batched(repository: Repository) -> AbstractContextManager[None]:
    """Return a block that commits what is added in it at its end, where the repository can.

    See ``ports.Batches``; elsewhere each component version is committed when it is added.
    """
    return repository.batch() if isinstance(repository, ComponentRepository) else nullcontext()


def stored_size(repository: Repository, component: str, digest: Digest) -> int | None:
    """Return the size of a blob that is stored with ``component`` already.

    None if it isn't there, or where that can't be told without fetching it.
    """
    if not isinstance(repository, ComponentRepository):
        return None
    stored = repository.store.exists(repository_of(component), digest)
    return None if stored is None else stored.size


def copy_artifact(
    source: Repository,
    destination: Repository,
    descriptor: ComponentDescriptor,
    element: Resource | Source,
) -> bool:
    """Copy an OCI artifact that is stored with all of its parts, each part as it is.

    Returns false, and does nothing, for any other content, and where one of the repositories
    doesn't store such artifacts. The parts come before the manifests that name them.
    """
    if not isinstance(source, ComponentRepository):
        return False
    if not isinstance(destination, ComponentRepository):
        return False
    digest = source.artifact(descriptor, element)
    repository = repository_of(descriptor.name)
    top = source.store.exists(repository, digest) if digest is not None else None
    if top is None:
        return False
    top = replace(top, media_type=element.access.media_type or top.media_type)
    what = f"{element.name} of {descriptor.name}:{descriptor.version}"
    for part in reversed(parts_of(source.store, repository, top, what)):
        blob = source.store.fetch(repository, part)
        destination.store.push(repository, blob, part.media_type)
    return True
