"""Write the content of one resource to a file, which appears only after it was verified."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ocm_pkg.errors import AmbiguousResourceError, UsageError
from ocm_pkg.fs.atomic import PendingFile, storage_errors
from ocm_pkg.fs.receive import receive
from ocm_pkg.fs.watched import Reading, watched
from ocm_pkg.model.digest import algorithm_of
from ocm_pkg.model.published import NoProgress, label_of
from ocm_pkg.store.artifact import TarBlob
from ocm_pkg.store.artifactset import manifest_of
from ocm_pkg.store.digester import (
    ArtifactRepository,
    check_digest,
    check_manifest,
    is_excluded,
    is_external,
    outside,
)

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from ocm_pkg.model.descriptor import ComponentDescriptor, DigestSpec, Resource
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.model.identity import Identity
    from ocm_pkg.model.published import Progress
    from ocm_pkg.ports import Blob, FailPoint, Repository, ResourceRepository


@dataclass(frozen=True, slots=True)
class Downloaded:
    """The file that was written; ``digest`` is the SHA-256 of its bytes."""

    component: str
    version: str
    resource: Resource
    path: Path
    digest: Digest
    size: int
    media_type: str | None

    def to_json(self) -> dict[str, Any]:
        """Return what ``download resource -o json`` prints."""
        return {
            "component": self.component,
            "version": self.version,
            "resource": self.resource.identity | {"version": self.resource.version},
            "path": str(self.path),
            "digest": str(self.digest),
            "size": self.size,
            "mediaType": self.media_type,
        }


def download(
    component: str,
    version: str,
    identity: Identity,
    *,
    repository: Repository,
    output: Path,
    external: ResourceRepository | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
    fail_point: FailPoint | None = None,
) -> Downloaded:
    """Write the resource that matches ``identity`` to ``output``, mode 0644.

    In a folder the file is called like the resource. A file that is there is replaced, a link
    itself and not what it leads to. The bytes must have the digest of the access and the one of
    the resource, or nothing is written: ``DigestMismatchError``. Content in an OCI registry outside
    the repository is read through ``external``, an OCI artifact as the tar of its layout;
    ``UnreachableContentError`` for content that nothing leads to, ``InvalidDocumentError`` for an
    access of an unknown type;
    ``ResourceNotFoundError``, ``AmbiguousResourceError`` for an identity that fits none or
    several, none of them exactly. ``dry_run`` does all of that, but for giving the file its name.
    """
    descriptor = repository.get(component, version)
    resource = _selected(descriptor, identity)
    what = f"{resource.name} of {component}:{version}"
    if not resource.access.is_local_blob and (external is None or not is_external(resource.access)):
        raise outside(resource.access, what)
    path = output / resource.name if output.is_dir() else output
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint="name a file with --output")
    blob, stated, artifact = _content(descriptor, resource, repository, external)
    algorithms = {"sha256", *([algorithm_of(stated.hash_algorithm)] if stated else [])}
    with (
        storage_errors(f"writing {path}", path.parent),
        PendingFile(path.parent, fail_point=fail_point) as pending,
        (progress or NoProgress()).moving(label_of(resource), blob.size) as moved,
    ):
        read = watched(blob, Reading(moved))
        digests = receive(read, pending.stream, what=what, algorithms=algorithms)
        if stated is not None:
            check_digest(stated, digests[algorithm_of(stated.hash_algorithm)], what)
        size = pending.stream.tell()
        if artifact is not None:
            check_manifest(artifact, manifest_of(_Written(pending.stream, size), what), what)
        if not dry_run:
            pending.commit(path)
    return Downloaded(component, version, resource, path, digests["sha256"], size, blob.media_type)


class _Written:
    """What was written to a file that has no name yet."""

    media_type = None
    digest = None

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self.size = size

    def open(self, offset: int = 0) -> BinaryIO:
        """Return a new stream from ``offset``."""
        self._stream.flush()
        stream = os.fdopen(os.dup(self._stream.fileno()), "rb")
        stream.seek(offset)
        return stream


def _selected(descriptor: ComponentDescriptor, identity: Identity) -> Resource:
    """Return the resource that matches; if several do, the one that has no other attributes."""
    try:
        return descriptor.select(identity)
    except AmbiguousResourceError:
        exact = [
            one
            for one in descriptor.component.resources
            if {"version": one.version, **one.identity} == {"version": one.version, **identity}
        ]
        if len(exact) != 1:
            raise
        return exact[0]


def _content(
    descriptor: ComponentDescriptor,
    resource: Resource,
    repository: Repository,
    external: ResourceRepository | None,
) -> tuple[Blob, DigestSpec | None, DigestSpec | None]:
    """Return the content, and the digest that its bytes, or the manifest in it, must have."""
    if external is None or not is_external(resource.access):
        blob = repository.blob(descriptor, resource)
        return blob, _stated(descriptor, resource, repository), None
    blob, stated = external.fetch(resource), resource.digest
    if stated is None or is_excluded(stated):
        return blob, None, None
    if not resource.access.is_oci_artifact:
        return blob, stated, None
    manifest = blob.manifest if isinstance(blob, TarBlob) else None
    if manifest is None:
        return blob, None, stated
    # Each of its parts is verified, beginning with the manifest.
    check_manifest(stated, manifest, resource.name)
    return blob, None, None


def _stated(
    descriptor: ComponentDescriptor, resource: Resource, repository: Repository
) -> DigestSpec | None:
    """Return the digest that the content itself must have, if the descriptor states one.

    An OCI artifact is written as an archive of its parts, and its digest is that of its manifest,
    which the repository verifies with the parts.
    """
    stated = resource.digest
    if stated is None or is_excluded(stated):
        return None
    if isinstance(repository, ArtifactRepository):
        manifest = repository.artifact(descriptor, resource)
        if manifest is not None:
            check_digest(stated, manifest, resource.name)
            return None
    return stated
