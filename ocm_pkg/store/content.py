"""What an upload sends: the bytes of a blob, each hashed once, and held to what it promises."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO, cast

from ocm_pkg._typing import override
from ocm_pkg.errors import DigestMismatchError
from ocm_pkg.fs.blob import BUFFER, VerifyingReader, read_into
from ocm_pkg.fs.staged import StagedBlob
from ocm_pkg.model.digest import Digest, digest_of, new_hasher
from ocm_pkg.store.exchange import Body
from ocm_pkg.store.readahead import ReadAhead

if TYPE_CHECKING:
    from types import TracebackType

    from ocm_pkg.fs.blob import Buffer
    from ocm_pkg.ports import Blob

READ_AHEAD = 4 * BUFFER
"""From this size on, content is read and hashed in a thread of its own while it is sent."""


class Content:
    """The ``size`` bytes of ``blob``; with ``digest`` they are verified while they are read.

    Without one, their SHA-256 is ``digest`` after all of them were read. The last bytes are only
    given out if all of them are what was promised: ``DigestMismatchError`` in their place. A file
    that this command has just written and hashed is not hashed once more.
    """

    def __init__(self, blob: Blob, size: int, digest: Digest | None) -> None:
        self.size = size
        self.digest = digest
        self._blob = blob
        self._is_promised = digest is not None
        self._hasher = new_hasher()
        self._hashed = 0
        self._stream: BinaryIO | None = None
        self._position = 0

    def part(self, start: int, length: int) -> Body:
        """Return a part as a body; only the last part that was opened can be read."""
        return Body(lambda: self._open(start, length), length)

    def _open(self, start: int, length: int) -> BinaryIO:
        if self._stream is None or self._position != start:
            self.close()
            self._stream = self._from(start)
            self._position = start
        return cast("BinaryIO", _Part(self, length))

    def _from(self, start: int) -> BinaryIO:
        if isinstance(self._blob, StagedBlob):
            return self._ahead(self._blob.plain(start), self.size - start)
        if self._is_promised:
            return self._verified(start)
        stream = _Hashing(self, self._blob.open(start), start)
        return self._ahead(cast("BinaryIO", stream), self.size - start)

    def _verified(self, start: int) -> BinaryIO:
        """Return a stream that verifies: it is read from the beginning, whatever is wanted."""
        stream = verifying(self._blob.open(), cast("Digest", self.digest), self.size)
        stream = self._ahead(stream, self.size)
        view = memoryview(bytearray(min(start, BUFFER)))
        while start:
            count = read_into(stream, view[:start])
            if not count:
                break
            start -= count
        return stream

    def _ahead(self, stream: BinaryIO, size: int) -> BinaryIO:
        return cast("BinaryIO", ReadAhead(stream)) if size > READ_AHEAD else stream

    def read(self, view: memoryview) -> int:
        """Fill ``view`` from where the content is; for the parts."""
        if self._stream is None:
            raise ValueError("the content is not open")
        count = read_into(self._stream, view)
        self._position += count
        if not count and len(view):
            raise changed(f"it ends after {self._position} bytes, expected {self.size}")
        return count

    def hash(self, view: memoryview, start: int) -> None:
        """Hash what of ``view``, which begins at ``start``, was not hashed before."""
        new = view[max(0, self._hashed - start) :]
        self._hasher.update(new)
        self._hashed += len(new)
        if self._hashed > self.size:
            raise changed(f"it is longer than {self.size} bytes")
        if self._hashed == self.size:
            self.digest = Digest("sha256", self._hasher.hexdigest())

    def close(self) -> None:
        """Close what is open of the blob."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def __enter__(self) -> Content:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class WholeContent:
    """Content that is in memory, and is what its digest says."""

    def __init__(self, data: bytearray, digest: Digest) -> None:
        self.size = len(data)
        self.digest: Digest | None = digest
        self._view = memoryview(data)

    @classmethod
    def read(cls, blob: Blob, size: int, digest: Digest | None) -> WholeContent:
        """Read a blob of ``size`` bytes; ``DigestMismatchError`` if it isn't what it promises."""
        data = bytearray(size)
        view, left = memoryview(data), size
        is_staged = isinstance(blob, StagedBlob)
        with blob.plain() if isinstance(blob, StagedBlob) else blob.open() as opened:
            stream = opened if digest is None or is_staged else verifying(opened, digest, size)
            while left and (count := read_into(stream, view[size - left :])):
                left -= count
            if left or read_into(stream, memoryview(bytearray(1))):
                raise changed(f"it does not have {size} bytes")
        return cls(data, digest or digest_of(data))

    def part(self, start: int, length: int) -> Body:
        """Return a part as a body."""
        view = self._view[start : start + length]
        return Body(lambda: cast("BinaryIO", _Viewed(view)), length)


def verifying(stream: BinaryIO, digest: Digest, size: int) -> BinaryIO:
    """Return a stream that verifies what it gives: ``stream`` itself, if it does so."""
    if isinstance(stream, VerifyingReader):
        return stream
    what = "the content that is to be stored"
    return cast("BinaryIO", VerifyingReader(stream, digest, size, what))


def changed(reason: str) -> DigestMismatchError:
    """Return the error for content that is not what it should be."""
    return DigestMismatchError(
        f"the content that is to be stored changed while it was read: {reason}",
        hint="let nothing write to it, and run the command again",
    )


class _Part(io.RawIOBase):
    """A part of the content as a stream; closing it leaves the content open."""

    def __init__(self, content: Content, length: int) -> None:
        super().__init__()
        self._content = content
        self._left = length

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Buffer, /) -> int:  # type: ignore[override]
        view = memoryview(buffer)[: self._left]
        count = self._content.read(view) if len(view) else 0
        self._left -= count
        return count


class _Viewed(io.RawIOBase):
    """Bytes in memory as a stream, without a copy of them all."""

    def __init__(self, view: memoryview) -> None:
        super().__init__()
        self._left = view

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Buffer, /) -> int:  # type: ignore[override]
        count = min(len(buffer), len(self._left))
        memoryview(buffer)[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


class _Hashing(io.RawIOBase):
    """Has everything hashed that is read through it."""

    def __init__(self, content: Content, stream: BinaryIO, start: int) -> None:
        super().__init__()
        self._content = content
        self._stream = stream
        self._position = start

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Buffer, /) -> int:  # type: ignore[override]
        view = memoryview(buffer)
        count = read_into(self._stream, view)
        self._content.hash(view[:count], self._position)
        self._position += count
        if count and self._position == self._content.size:
            # What is longer than it was must not pass for what it was.
            self.readinto(bytearray(1))
        return count

    @override
    def close(self) -> None:
        self._stream.close()
        super().close()
