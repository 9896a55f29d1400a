"""Manifests that a store has only as parts of an index, as other tools may have written them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ocm_pkg.errors import OcmPkgError
from ocm_pkg.fs.blob import read_all
from ocm_pkg.store import media
from ocm_pkg.store.manifest import MAX_SIZE, Manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocm_pkg.model.digest import Digest
    from ocm_pkg.store.base import OCIDescriptor, OCIStore

_REMEMBERED = 1024
_DEPTH = 4


class Children:
    """Finds them by reading the indexes that have tags; what an index says is remembered."""

    def __init__(self, store: OCIStore) -> None:
        self._store = store
        self._known: dict[Digest, tuple[OCIDescriptor, ...]] = {}

    def find(self, repository: str, digest: Digest) -> OCIDescriptor | None:
        """Return the descriptor of a part of an index in the repository, if it is there."""
        there = self._store.exists(repository, digest)
        if there is None:
            return None
        seen: set[Digest] = set()
        for tag in self._store.tags(repository):
            top = self._store.resolve(repository, tag)
            for part in self._parts(repository, top, seen, _DEPTH) if top is not None else ():
                if part.digest == digest and part.size == there.size:
                    return replace(part, annotations={}, platform=None)
        return None

    def _parts(
        self, repository: str, index: OCIDescriptor, seen: set[Digest], depth: int
    ) -> Iterator[OCIDescriptor]:
        if index.media_type not in media.INDEXES or index.digest in seen or not depth:
            return
        seen.add(index.digest)
        for part in self._read(repository, index):
            yield part
            yield from self._parts(repository, part, seen, depth - 1)

    def _read(self, repository: str, index: OCIDescriptor) -> tuple[OCIDescriptor, ...]:
        known = self._known.get(index.digest)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            try:
                data = read_all(self._store.fetch(repository, index), MAX_SIZE, str(index.digest))
                parts = Manifest.parse(data, index.media_type, str(index.digest)).manifests
            except OcmPkgError:
                parts = ()
            known = tuple(part for part in parts if part.media_type in media.MANIFESTS)
            self._known[index.digest] = known
        return known
