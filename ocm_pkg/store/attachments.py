"""What is attached to a component version: OCI artifacts that refer to it (its referrers).

They are beside the component version and not in it: no signature of it covers them, and they can
be added later. A scan report is one; what must be trusted is a resource.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from ocm_pkg.errors import ComponentVersionNotFoundError, UsageError
from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.documents import KINDS, LICENCES
from ocm_pkg.model.version import tag_of
from ocm_pkg.store import media
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.mapping import repository_of
from ocm_pkg.store.repository import ComponentRepository

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocm_pkg.model.descriptor import ComponentDescriptor, Resource
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.ports import Blob, Repository
    from ocm_pkg.store.base import OCIStore, Referrers

TITLE = "org.opencontainers.image.title"
_EMPTY = "application/vnd.oci.empty.v1+json"
_CONFIG = b"{}"


@runtime_checkable
class _Keeps(Protocol):
    """A store that forgets manifests without a tag unless it is told."""

    def keep(self, repository: str, descriptor: OCIDescriptor) -> None:
        """Make a manifest that was pushed one of the repository."""


@runtime_checkable
class _Tells(Protocol):
    """A store in a registry, which may have the API that tells what refers to what."""

    def referrers_by_api(self, repository: str, digest: Digest) -> Sequence[OCIDescriptor] | None:
        """Return the manifests that refer to ``digest``; None without the API."""


def attach(
    repository: Repository,
    component: str,
    version: str,
    blob: Blob,
    *,
    artifact_type: str,
    title: str,
) -> OCIDescriptor:
    """Attach content to a component version; return the manifest that refers to it.

    ``artifact_type`` is a media type, ``title`` the name of the file. The same again changes
    nothing. Raises ``ComponentVersionNotFoundError``, and ``UsageError`` where nothing can be
    attached: through a plugin, and in a store that doesn't tell what refers to what.
    """
    store, where = _store(repository), repository_of(component)
    subject = store.resolve(where, tag_of(version))
    if subject is None:
        raise ComponentVersionNotFoundError(
            f"{component}:{version} is not in the repository",
            hint="name the repository that it is in: REPOSITORY//COMPONENT:VERSION",
        )
    content = store.push(where, blob, artifact_type)
    data = _manifest(content, subject, title)
    store.push(where, BytesBlob(_CONFIG), _EMPTY)
    pushed = store.push(where, BytesBlob(data), media.OCI_MANIFEST)
    if isinstance(store, _Keeps):
        store.keep(where, pushed)
    return pushed


def attach_documents(repository: Repository, descriptor: ComponentDescriptor) -> None:
    """Attach the SBOMs and provenance among the resources of a stored component version.

    So tools find them that know registries, but not OCM. Only in a registry that tells by its API
    what refers to what: elsewhere that is kept under tags, on which older tools stop that list
    versions. What is attached already is not sent again.
    """
    named = [
        (resource, title)
        for resource in descriptor.component.resources
        if (title := _title(resource)) is not None
    ]
    if not named or not isinstance(repository, ComponentRepository):
        return
    if not isinstance(repository.store, _Tells):
        return
    where = repository_of(descriptor.name)
    subject = repository.store.resolve(where, tag_of(descriptor.version))
    there = repository.store.referrers_by_api(where, subject.digest) if subject else None
    if subject is None or there is None:
        return
    known = {one.digest for one in there}
    for resource, title in named:
        blob = repository.blob(descriptor, resource)
        kind = str(resource.access.media_type)
        content = OCIDescriptor(kind, resource.access.local_reference, blob.size or 0)
        data = _manifest(content, subject, title)
        if digest_of(data) not in known:
            attach(
                repository,
                descriptor.name,
                descriptor.version,
                blob,
                artifact_type=kind,
                title=title,
            )


def _title(resource: Resource) -> str | None:
    """Return the file's name of a document to attach; None for any other resource."""
    kind = KINDS.get(resource.type)
    access = resource.access
    if kind is None or kind is LICENCES:
        return None
    if not access.is_local_blob or access.media_type != kind.media_type:
        return None
    platform = "-".join(map(resource.extra_identity.get, ("os", "architecture"), ("", "")))
    return f"{resource.name}{f'.{platform}' if platform != '-' else ''}.json"


def _manifest(content: OCIDescriptor, subject: OCIDescriptor, title: str) -> bytes:
    manifest = {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "artifactType": content.media_type,
        "config": OCIDescriptor(_EMPTY, digest_of(_CONFIG), len(_CONFIG)).to_json(),
        "layers": [{**content.to_json(), "annotations": {TITLE: title}}],
        "subject": {
            "mediaType": subject.media_type,
            "digest": str(subject.digest),
            "size": subject.size,
        },
        "annotations": {TITLE: title},
    }
    return json.dumps(manifest, separators=(",", ":"), sort_keys=True).encode()


def attachments(repository: Repository, component: str, version: str) -> Sequence[OCIDescriptor]:
    """Return what is attached to a component version; nothing where that can't be told."""
    if not isinstance(repository, ComponentRepository):
        return ()
    if not hasattr(repository.store, "referrers"):
        return ()
    where = repository_of(component)
    subject = repository.store.resolve(where, tag_of(version))
    if subject is None:
        return ()
    return cast("Referrers", repository.store).referrers(where, subject.digest)


def _store(repository: Repository) -> OCIStore:
    if isinstance(repository, ComponentRepository) and hasattr(repository.store, "referrers"):
        return repository.store
    raise UsageError(
        "nothing can be attached in that repository",
        hint="use a CTF folder or an OCI registry, without --prefer-plugins",
    )
