"""What differs first between two contents, read side by side: any two streams, or two archives.

Both sides are read in step, so whatever they are, a few buffers are all that is held of them.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, BinaryIO, cast

from ocm_pkg.fs.gunzip import Gunzip
from ocm_pkg.fs.tarentries import TarEntries
from ocm_pkg.fs.unpack import MAX_ENTRIES, MAX_UNPACKED
from ocm_pkg.model.rebuilt import Difference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocm_pkg.fs.tarentries import Entry
    from ocm_pkg.ports import Blob

PUBLISHED = "what was published"
REBUILT = "what was built"
_CHUNK = 1024 * 1024


def first_offset(one: Iterator[bytes], other: Iterator[bytes]) -> int | None:
    """Return the first byte in which two contents differ; None if they are the same.

    It is the length of the shorter one, if the longer one begins like it. The chunks, of any
    length from 1, don't have to match.
    """
    at, left, right = 0, memoryview(b""), memoryview(b"")
    while True:
        left = left or memoryview(next(one, b""))
        right = right or memoryview(next(other, b""))
        size = min(len(left), len(right))
        if left[:size] != right[:size]:
            return at + next(place for place in range(size) if left[place] != right[place])
        if not size:
            return at if left or right else None
        at += size
        left, right = left[size:], right[size:]


def chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Give what is left of ``stream``."""
    while chunk := stream.read(_CHUNK):
        yield chunk


def content_difference(published: Blob, rebuilt: Blob) -> Difference | None:
    """Return how two contents differ, as bytes; None if they are the same."""
    with published.open() as one, rebuilt.open() as other:
        offset = first_offset(chunks(one), chunks(other))
    if offset is None:
        return None
    if published.size != rebuilt.size:
        return _sizes(published.size, rebuilt.size, offset)
    return Difference("content", offset=offset)


def _sizes(published: int | None, rebuilt: int | None, offset: int) -> Difference:
    sides = (None if size is None else f"{size} bytes" for size in (published, rebuilt))
    return Difference("size", (), offset, *sides)


@dataclass(frozen=True, slots=True)
class Tars:
    """Two tars in gzip; of each no more is read than its limits allow (``UnsafeArchiveError``)."""

    published: Blob
    rebuilt: Blob
    max_entries: int = MAX_ENTRIES
    max_unpacked: int = MAX_UNPACKED

    def difference(self) -> Difference | None:
        """Return how the tars differ: entry by entry, then in their headers, then packed."""
        with self._plain(self.published, PUBLISHED) as one, self._plain(self.rebuilt) as other:
            offset = first_offset(chunks(one), chunks(other))
        if offset is not None:
            return self._of_entries() or Difference("headers", offset=offset)
        same = content_difference(self.published, self.rebuilt) is None
        return None if same else Difference("compression")

    def _of_entries(self) -> Difference | None:
        with self._plain(self.published, PUBLISHED) as one, self._plain(self.rebuilt) as other:
            ours, theirs = self._entries(one, PUBLISHED), self._entries(other, REBUILT)
            for pair in zip_longest(ours, theirs):
                if found := _entry(*pair, ours, theirs):
                    return found
        return None

    def copy(self, name: str, published: BinaryIO, rebuilt: BinaryIO) -> None:
        """Write the content of the file ``name`` of both; nothing where there is none."""
        for blob, what, out in (
            (self.published, PUBLISHED, published),
            (self.rebuilt, REBUILT, rebuilt),
        ):
            with self._plain(blob, what) as stream:
                entries = self._entries(stream, what)
                for entry in entries:
                    if entry.name == name:
                        out.writelines(entries.content())
                        break

    @contextmanager
    def _plain(self, blob: Blob, what: str = REBUILT) -> Iterator[BinaryIO]:
        with blob.open() as packed:
            plain = Gunzip(packed, what=what, limit=self.max_unpacked)
            yield io.BufferedReader(cast("io.RawIOBase", plain), _CHUNK)

    def _entries(self, stream: BinaryIO, what: str) -> TarEntries:
        return TarEntries(stream, what=what, max_entries=self.max_entries)


def _entry(
    one: Entry | None, other: Entry | None, ours: TarEntries, theirs: TarEntries
) -> Difference | None:
    """Compare the entries that both archives have at the same place."""
    if one is None or other is None or one.name != other.name:
        names = (None if entry is None else entry.name for entry in (one, other))
        return Difference("entry", (), None, *names)
    where = (one.name,)
    for what, left, right in (
        ("kind", one.kind, other.kind),
        ("link", one.target, other.target),
        ("mode", f"{one.mode:04o}", f"{other.mode:04o}"),
    ):
        if left != right:
            return Difference(what, where, None, left, right)
    offset = first_offset(ours.content(), theirs.content())
    if offset is None:
        return None
    if one.size != other.size:
        return _sizes(one.size, other.size, offset).inside(*where)
    return Difference("content", where, offset)
