"""Tags of a CTF on their way into its index: one at a time, or many that become visible at once."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ocm_pkg.store import media
from ocm_pkg.store.ctfindex import Entry, Tagging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ocm_pkg.store.base import OCIDescriptor
    from ocm_pkg.store.ctfindex import Index


class Tagger:
    """Passes taggings on to ``commit``: each at once, those of a batch together at its end.

    ``read`` returns the index as it is. What is held back is found by ``find`` and ``tags``, so
    the writer sees its own tags before anyone else does.
    """

    def __init__(
        self, where: str, read: Callable[[], Index], commit: Callable[[Sequence[Tagging]], None]
    ) -> None:
        self._where = where
        self._read = read
        self._commit = commit
        self._manifests: dict[tuple[str, str], Entry] = {}
        self._held: dict[tuple[str, str], Tagging] | None = None
        self._order: list[Tagging] = []

    def pushed(self, repository: str, descriptor: OCIDescriptor) -> None:
        """Take note of content that may be a part of an index that is tagged later."""
        if descriptor.media_type in media.MANIFESTS:
            entry = Entry(repository, descriptor.digest, media_type=descriptor.media_type)
            self._manifests[repository, str(descriptor.digest)] = entry

    def forget(self) -> None:
        """Forget what ``pushed`` took note of: the index has it."""
        self._manifests.clear()

    def tag(self, repository: str, descriptor: OCIDescriptor, tag: str, *, replace: bool) -> None:
        """Set a tag; see ``OCIStore.tag``."""
        entry = Entry(repository, descriptor.digest, tag, descriptor.media_type)
        tagging = Tagging(entry, self._parts(entry), replace)
        if self._held is None:
            self._commit([tagging])
        elif tagging.changes(self.find(repository, tag), self._where):
            self._held[repository, tag] = tagging
            self._order.append(tagging)
        others = {key: each for key, each in self._manifests.items() if key[0] != repository}
        self._manifests = others

    def _parts(self, tagged: Entry) -> tuple[Entry, ...]:
        """Return entries for the manifests that an index was made of."""
        if tagged.media_type not in media.INDEXES:
            return ()
        pushed = (each for each in self._manifests.values() if each.digest != tagged.digest)
        return tuple(each for each in pushed if each.repository == tagged.repository)

    def find(self, repository: str, reference: str) -> Entry | None:
        """Return the entry with a tag or digest."""
        held = (self._held or {}).get((repository, reference))
        if held is not None:
            return held.entry
        if ":" in reference:
            for tagging in reversed(self._order):
                for entry in (tagging.entry, *tagging.parts):
                    if (entry.repository, str(entry.digest)) == (repository, reference):
                        return entry
        return self._read().find(repository, reference)

    def tags(self, repository: str) -> Sequence[str]:
        """Return all tags of a repository."""
        held = (tag for name, tag in self._held or () if name == repository)
        return tuple(dict.fromkeys((*self._read().tags(repository), *held)))

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Hold tags back until the end of the block; see ``ports.Batches``."""
        if self._held is not None:
            yield
            return
        self._held = {}
        try:
            yield
            if self._order:
                self._commit(self._order)
        finally:
            self._held, self._order = None, []
