"""What a store of OCI content must be able to do, and the descriptor by which content is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ocm_pkg.ports import Blob

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_MAX_SIZE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class OCIDescriptor:
    """Media type, digest and size of some content, as manifests and indexes name it."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    platform: Mapping[str, Any] | None = None
    artifact_type: str | None = None

    @classmethod
    def from_json(cls, value: object, *, what: str) -> OCIDescriptor:
        """Read the JSON form; ``what`` names it in the ``InvalidDocumentError`` for all else."""
        if not isinstance(value, dict):
            raise InvalidDocumentError(f"{what} is not an object")
        media_type, size = value.get("mediaType"), value.get("size")
        if not isinstance(media_type, str) or not media_type:
            raise InvalidDocumentError(f"{what} has no media type")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _MAX_SIZE:
            raise InvalidDocumentError(f"{what} has no valid size")
        digest = value.get("digest")
        if not isinstance(digest, str):
            raise InvalidDocumentError(f"{what} has no digest")
        platform = value.get("platform")
        artifact_type = value.get("artifactType")
        return cls(
            media_type,
            Digest.parse(digest),
            size,
            _annotations(value.get("annotations"), what),
            platform if isinstance(platform, dict) else None,
            artifact_type if isinstance(artifact_type, str) else None,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form; empty members are left out."""
        value: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": self.size,
        }
        if self.annotations:
            value["annotations"] = dict(sorted(self.annotations.items()))
        if self.platform is not None:
            value["platform"] = dict(self.platform)
        if self.artifact_type is not None:
            value["artifactType"] = self.artifact_type
        return value


def _annotations(value: object, what: str) -> Mapping[str, str]:
    if value is None:
        return _NOTHING
    if isinstance(value, dict) and all(isinstance(text, str) for text in value.values()):
        return MappingProxyType(dict(value))
    raise InvalidDocumentError(f"the annotations of {what} are not an object of texts")


class Described:
    """The part of a ``ports.Blob`` that an OCI descriptor already says."""

    def __init__(self, descriptor: OCIDescriptor) -> None:
        self._descriptor = descriptor

    @property
    def media_type(self) -> str:
        """The media type."""
        return self._descriptor.media_type

    @property
    def size(self) -> int:
        """The size in bytes."""
        return self._descriptor.size

    @property
    def digest(self) -> Digest:
        """The digest."""
        return self._descriptor.digest


class OCIStore(Protocol):
    """Blobs, manifests and tags, each in a repository ``component-descriptors/COMPONENT``."""

    def exists(self, repository: str, digest: Digest) -> OCIDescriptor | None:
        """Return digest and size of content that is there, else None; the bytes aren't checked."""

    def fetch(self, repository: str, descriptor: OCIDescriptor) -> Blob:
        """Return content that is verified as it is read; ``NotFoundError`` if it isn't there."""

    def push(self, repository: str, blob: Blob, media_type: str) -> OCIDescriptor:
        """Store content durably, reading it once at most; it may be there already.

        Raises ``DigestMismatchError`` if the blob isn't what it promises; nothing is stored then.
        """

    def resolve(self, repository: str, reference: str) -> OCIDescriptor | None:
        """Return what a tag or digest stands for, or None."""

    def tag(
        self, repository: str, descriptor: OCIDescriptor, tag: str, *, replace: bool = True
    ) -> None:
        """Point ``tag`` at a manifest that was pushed: the commit.

        Without ``replace``, a tag that points elsewhere stays, with an ``AlreadyExistsError``.
        """

    def tags(self, repository: str) -> Sequence[str]:
        """Return all tags, in no special order; empty if there is no such repository."""


class Repositories(Protocol):
    """A store that can say which repositories it holds."""

    def repositories(self) -> Sequence[str]:
        """Return the names of all repositories, sorted."""


class Mounts(Protocol):
    """A store that can take over content from another repository of its own, without a copy."""

    def mount(self, repository: str, digest: Digest, source: object, origin: str) -> bool:
        """Make a blob of ``origin``, a repository of the store ``source``, one of ``repository``.

        Returns false, and changes nothing, if ``source`` is elsewhere or the store can't do it.
        """


class Referrers(Protocol):
    """A store that knows which manifests have another one as their ``subject``."""

    def referrers(
        self, repository: str, digest: Digest, artifact_type: str | None = None
    ) -> Sequence[OCIDescriptor]:
        """Return the manifests that refer to ``digest``, those of one type if it is given."""


class Deletes(Protocol):
    """A store that can forget content."""

    def delete(self, repository: str, digest: Digest) -> bool:
        """Delete a manifest, with its tags, or a blob; false if it isn't there."""


class ContentCache(Protocol):
    """Keeps content that was fetched, and what tags stood for."""

    def blob(self, remote: Blob) -> Blob:
        """Return content of a known digest and size from the cache, else ``remote`` while kept."""

    def remember(self, registry: str, repository: str, tag: str, descriptor: OCIDescriptor) -> None:
        """Keep what a tag stands for, for times without a network."""
