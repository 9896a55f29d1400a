"""A registry without a network: what the cache has of it, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO

from ocm_pkg.errors import TransportError
from ocm_pkg.fs.blob import read_all
from ocm_pkg.model.digest import Digest
from ocm_pkg.store import media
from ocm_pkg.store.base import Described, OCIDescriptor
from ocm_pkg.store.mapping import MAX_DOCUMENT, media_type_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocm_pkg.fs.blobcache import BlobCache
    from ocm_pkg.ports import Blob
    from ocm_pkg.store.cached import CachedContent

_HINT = "run it once without --offline: what it fetches is kept"


class OfflineStore:
    """An ``OCIStore`` of what ``cached`` has of ``registry``, below ``path``; read-only.

    A tag stands for what it stood for when it was last resolved. What isn't in the cache, and
    every change, is a ``TransportError`` that names it: whether the registry has it can't be told.
    """

    def __init__(self, cached: CachedContent | None, registry: str, path: str = "") -> None:
        self._cached = cached
        self._registry = registry
        self._path = path.strip("/")

    def exists(self, repository: str, digest: Digest) -> OCIDescriptor:
        """Return digest and size of content that is in the cache."""
        size = self._cached.cache.size(digest) if self._cached is not None else None
        if size is None:
            raise self._missing(repository, f"@{digest}")
        return OCIDescriptor(media.OCTET_STREAM, digest, size)

    def fetch(self, repository: str, descriptor: OCIDescriptor) -> Blob:
        """Return content of the cache, verified."""
        missing = self._missing(repository, f"@{descriptor.digest}")
        cached = self._cached
        if cached is None or cached.cache.size(descriptor.digest) != descriptor.size:
            raise missing
        return _KeptBlob(cached.cache, descriptor, missing)

    def resolve(self, repository: str, reference: str) -> OCIDescriptor:
        """Return what a tag stood for, or the manifest of a digest."""
        name = self._name(repository)
        if ":" not in reference:
            cached = self._cached
            found = cached.recall(self._registry, name, reference) if cached is not None else None
            if found is None:
                raise self._missing(repository, f":{reference}")
            return found
        there = self.exists(repository, Digest.parse(reference))
        if there.size > MAX_DOCUMENT:
            raise self._missing(repository, f"@{reference}")
        what = f"{name}@{reference}"
        data = read_all(self.fetch(repository, there), MAX_DOCUMENT, what)
        return replace(there, media_type=media_type_of(data, what))

    def tags(self, repository: str) -> Sequence[str]:
        """Return the tags that were resolved before: others may be there too."""
        cached = self._cached
        found = cached.tags(self._registry, self._name(repository)) if cached is not None else ()
        if not found:
            raise self._missing(repository, "")
        return found

    def push(self, repository: str, _blob: Blob, _media_type: str) -> OCIDescriptor:
        """Refuse: content can't be stored."""
        raise self._error(f"nothing can be stored in {self._name(repository)}")

    def tag(
        self, repository: str, _descriptor: OCIDescriptor, tag: str, *, replace: bool = True
    ) -> None:
        """Refuse: nothing can be tagged."""
        verb = "replaced" if replace else "set"
        raise self._error(f"{self._name(repository)}:{tag} can't be {verb}")

    def repositories(self) -> Sequence[str]:
        """Refuse: only the registry knows its repositories."""
        raise self._error("its repositories can't be listed")

    def _name(self, repository: str) -> str:
        return f"{self._path}/{repository}" if self._path else repository

    def _missing(self, repository: str, what: str) -> TransportError:
        return self._error(f"the cache does not have {self._name(repository)}{what}", _HINT)

    def _error(self, why: str, hint: str = "leave out --offline") -> TransportError:
        return TransportError(f"{self._registry} is not asked with --offline: {why}", hint=hint)


class _KeptBlob(Described):
    """Content of the cache; ``missing`` is raised if it is gone, or wrong, when it is read."""

    def __init__(
        self, cache: BlobCache, descriptor: OCIDescriptor, missing: TransportError
    ) -> None:
        super().__init__(descriptor)
        self._cache = cache
        self._missing = missing

    def open(self, offset: int = 0) -> BinaryIO:
        """Return a new stream from ``offset`` over verified content."""
        stream = self._cache.open(self.digest, self.size, offset)
        if stream is None:
            raise self._missing
        return stream
