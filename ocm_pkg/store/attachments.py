"""What is attached to a component version: OCI artifacts that refer to it (its referrers).

They are beside the component version and not in it: no signature of it covers them, and they can
be added later. A scan report is one; what must be trusted is a resource.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from ocm_pkg.errors import ComponentVersionNotFoundError, UsageError
from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.model.version import tag_of
from ocm_pkg.store import media
from ocm_pkg.store.mapping import repository_of
from ocm_pkg.store.repository import ComponentRepository

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocm_pkg.ports import Blob, Repository
    from ocm_pkg.store.base import OCIDescriptor, OCIStore, Referrers

TITLE = "org.opencontainers.image.title"
_EMPTY = "application/vnd.oci.empty.v1+json"


@runtime_checkable
class _Keeps(Protocol):
    """A store that forgets manifests without a tag unless it is told."""

    def keep(self, repository: str, descriptor: OCIDescriptor) -> None:
        """Make a manifest that was pushed one of the repository."""


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
    config = store.push(where, BytesBlob(b"{}"), _EMPTY)
    manifest = {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": config.to_json(),
        "layers": [{**content.to_json(), "annotations": {TITLE: title}}],
        "subject": {
            "mediaType": subject.media_type,
            "digest": str(subject.digest),
            "size": subject.size,
        },
        "annotations": {TITLE: title},
    }
    data = json.dumps(manifest, separators=(",", ":"), sort_keys=True).encode()
    pushed = store.push(where, BytesBlob(data), media.OCI_MANIFEST)
    if isinstance(store, _Keeps):
        store.keep(where, pushed)
    return pushed


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
