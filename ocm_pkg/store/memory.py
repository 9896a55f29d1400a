"""An OCI store in memory, for dry runs and tests."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from ocm_pkg.errors import AlreadyExistsError, NotFoundError
from ocm_pkg.fs.blob import BytesBlob, copy_blob
from ocm_pkg.model.digest import Digest
from ocm_pkg.store import media
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocm_pkg.ports import Blob


class MemoryStore:
    """Everything that is pushed stays in memory until the store is gone."""

    def __init__(self) -> None:
        self._blobs: dict[tuple[str, Digest], bytes] = {}
        self._types: dict[tuple[str, Digest], str] = {}
        self._tags: dict[str, dict[str, OCIDescriptor]] = {}

    def exists(self, repository: str, digest: Digest) -> OCIDescriptor | None:
        """Return digest and size of content that is there, else None."""
        data = self._blobs.get((repository, digest))
        if data is None:
            return None
        media_type = self._types.get((repository, digest), media.OCTET_STREAM)
        return OCIDescriptor(media_type, digest, len(data))

    def fetch(self, repository: str, descriptor: OCIDescriptor) -> Blob:
        """Return content; ``NotFoundError`` if it isn't there."""
        data = self._blobs.get((repository, descriptor.digest))
        if data is None:
            raise NotFoundError(f"{repository} has no content {descriptor.digest}")
        return BytesBlob(data, descriptor.media_type)

    def push(self, repository: str, blob: Blob, media_type: str) -> OCIDescriptor:
        """Keep content."""
        out = io.BytesIO()
        digest, size = copy_blob(blob, out)
        self._blobs[repository, digest] = out.getvalue()
        self._types[repository, digest] = media_type
        return OCIDescriptor(media_type, digest, size)

    def resolve(self, repository: str, reference: str) -> OCIDescriptor | None:
        """Return what a tag or digest stands for, or None."""
        if ":" in reference:
            digest = Digest.parse(reference)
            known = self._types.get((repository, digest)) in media.MANIFESTS
            return self.exists(repository, digest) if known else None
        return self._tags.get(repository, {}).get(reference)

    def tag(
        self, repository: str, descriptor: OCIDescriptor, tag: str, *, replace: bool = True
    ) -> None:
        """Point ``tag`` at a manifest; see ``OCIStore.tag``."""
        tags = self._tags.setdefault(repository, {})
        if not replace and tag in tags and tags[tag].digest != descriptor.digest:
            raise AlreadyExistsError(f"{repository}:{tag} is there with other content")
        tags[tag] = descriptor

    def tags(self, repository: str) -> Sequence[str]:
        """Return all tags."""
        return tuple(self._tags.get(repository, {}))

    def keep(self, repository: str, descriptor: OCIDescriptor) -> None:
        """Make a manifest that was pushed one of the repository: it is found by its digest."""
        self._types[repository, descriptor.digest] = descriptor.media_type
        self._tags.setdefault(repository, {})

    def untag(self, repository: str, tag: str) -> bool:
        """Take a tag away; false if it isn't there."""
        return self._tags.get(repository, {}).pop(tag, None) is not None

    def repositories(self) -> Sequence[str]:
        """Return the names of all repositories, sorted."""
        return sorted(self._tags)

    def mount(self, repository: str, digest: Digest, source: object, origin: str) -> bool:
        """Take over a blob from another repository; see ``store.base.Mounts``."""
        data = self._blobs.get((origin, digest)) if source is self else None
        if data is None:
            return False
        self._blobs[repository, digest] = data
        return True

    def delete(self, repository: str, digest: Digest) -> bool:
        """Delete a manifest, with its tags, or a blob; false if it isn't there."""
        if self._blobs.pop((repository, digest), None) is None:
            return False
        self._types.pop((repository, digest), None)
        tags = self._tags.get(repository, {})
        for tag in [name for name, found in tags.items() if found.digest == digest]:
            del tags[tag]
        return True

    def referrers(
        self, repository: str, digest: Digest, artifact_type: str | None = None
    ) -> Sequence[OCIDescriptor]:
        """Return the manifests that refer to ``digest``, those of one type if it is given."""
        found = []
        for (name, own), media_type in list(self._types.items()):
            if name != repository or media_type not in media.MANIFESTS:
                continue
            data = self._blobs[name, own]
            manifest = Manifest.parse(data, media_type, str(own))
            if manifest.subject is not None and manifest.subject.digest == digest:
                found.append(manifest.referrer(own, len(data)))
        return [one for one in found if artifact_type in {None, one.artifact_type}]
