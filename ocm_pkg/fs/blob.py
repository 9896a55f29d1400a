"""Content that is read as a stream: from memory, from a file, verified while it is read."""

from __future__ import annotations

import contextlib
import io
import os
from typing import TYPE_CHECKING, BinaryIO, cast

from ocm_pkg._typing import override
from ocm_pkg.errors import DigestMismatchError, InvalidDocumentError
from ocm_pkg.fs.pipeline import EarlySync, HashThread
from ocm_pkg.fs.regular import open_regular
from ocm_pkg.model.digest import Digest, new_hasher

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeAlias

    from ocm_pkg.model.digest import Hasher
    from ocm_pkg.ports import Blob

    Buffer: TypeAlias = "bytearray | memoryview"

__all__ = [
    "BUFFER",
    "BytesBlob",
    "FileBlob",
    "VerifyingReader",
    "copy_blob",
    "open_regular",
    "read_all",
    "read_into",
    "verify",
]

BUFFER = 1024 * 1024
"""How many bytes are read at a time; a few of these are in memory while content is copied."""

_SMALL = 4 * BUFFER


class VerifyingReader(io.RawIOBase):
    """A stream that hands out the last byte only if all of them are the promised ones.

    It ends at ``size``; the read that would reach the end (or finds that the content ends early or
    goes on) raises ``DigestMismatchError`` when size or digest differ. Without a size the end of
    the wrapped stream is the end. ``what`` names the content in the error. Closing it closes the
    wrapped stream.
    """

    def __init__(self, stream: BinaryIO, digest: Digest, size: int | None, what: str) -> None:
        super().__init__()
        self.digest = digest
        self.count = 0
        self.verified = False
        self._stream = stream
        self._size = size
        self._what = what
        self._hasher = new_hasher(digest.algorithm)
        self._failed: DigestMismatchError | None = None
        self._watcher: Callable[[int], None] | None = None

    def watch(self, watcher: Callable[[int], None]) -> None:
        """Call ``watcher`` with ``count`` after each read; what it raises ends the reading."""
        self._watcher = watcher

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Buffer, /) -> int:  # type: ignore[override]
        """Fill ``buffer`` with the next bytes; return how many, 0 at the verified end."""
        if self._failed is not None:
            raise self._failed
        if self.verified or not len(buffer):
            return 0
        view = memoryview(buffer)
        if self._size is not None:
            view = view[: self._size - self.count]
        count = read_into(self._stream, view) if len(view) else 0
        self._hasher.update(view[:count])
        self.count += count
        if self._watcher is not None:
            self._watcher(self.count)
        if count == 0 or self.count == self._size:
            self._finish()
        return count

    def _finish(self) -> None:
        if self._size is not None and self.count != self._size:
            self._fail(f"it ends after {self.count} bytes, expected {self._size}")
        if self._size is not None and read_into(self._stream, memoryview(bytearray(1))):
            self._fail(f"it is longer than the expected {self._size} bytes")
        got = Digest(self.digest.algorithm, self._hasher.hexdigest())
        if got != self.digest:
            self._fail(f"expected {self.digest}, got {got}")
        self.verified = True

    def _fail(self, reason: str) -> None:
        self._failed = DigestMismatchError(
            f"{self._what} is not what was promised: {reason}",
            hint="the content was changed or cut; fetch it again from where it was published",
        )
        raise self._failed

    @override
    def close(self) -> None:
        self._stream.close()
        super().close()


def read_into(stream: BinaryIO | VerifyingReader, view: memoryview) -> int:
    """Read once into ``view``, also from streams that only have ``read``."""
    readinto = getattr(stream, "readinto", None)
    if readinto is not None:
        return cast("int", readinto(view)) or 0
    data = stream.read(len(view))
    view[: len(data)] = data
    return len(data)


class _Section(io.RawIOBase):
    """The ``length`` bytes of an open file that follow its position."""

    def __init__(self, stream: BinaryIO, length: int) -> None:
        super().__init__()
        self._stream = stream
        self._left = length

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Buffer, /) -> int:  # type: ignore[override]
        view = memoryview(buffer)[: self._left]
        count = read_into(self._stream, view) if len(view) else 0
        self._left -= count
        return count

    @override
    def close(self) -> None:
        self._stream.close()
        super().close()


class BytesBlob:
    """Content that is in memory already, with its digest and size."""

    def __init__(self, data: bytes, media_type: str | None = None) -> None:
        self._data = data
        self._media_type = media_type
        self._digest: Digest | None = None

    @property
    def media_type(self) -> str | None:
        """The media type, if it is known."""
        return self._media_type

    @property
    def size(self) -> int:
        """The size in bytes."""
        return len(self._data)

    @property
    def digest(self) -> Digest:
        """The SHA-256 digest; computed at the first call."""
        if self._digest is None:
            hasher = new_hasher()
            hasher.update(self._data)
            self._digest = Digest("sha256", hasher.hexdigest())
        return self._digest

    def open(self, offset: int = 0) -> BinaryIO:
        """Return a new stream from ``offset``."""
        stream = io.BytesIO(self._data)
        stream.seek(offset)
        return stream


class FileBlob:
    """A regular file, or ``length`` bytes of it from ``offset``.

    With a ``digest``, reading from the start is verified (see ``VerifyingReader``). Symbolic links
    are followed unless ``follow_links`` is false; devices, pipes and folders are always refused.
    """

    def __init__(
        self,
        path: Path,
        media_type: str | None = None,
        size: int | None = None,
        digest: Digest | None = None,
        offset: int = 0,
        length: int | None = None,
        *,
        follow_links: bool = True,
    ) -> None:
        self.path = path
        self._media_type = media_type
        self._size = size if size is not None else length
        self._digest = digest
        self._offset = offset
        self._length = length
        self._follow_links = follow_links

    @property
    def media_type(self) -> str | None:
        """The media type, if it is known."""
        return self._media_type

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the file, and not a part."""
        return self._offset == 0 and self._length is None

    @property
    def size_promised(self) -> bool:
        """Whether the size was given, and is not just what the file has now."""
        return self._size is not None

    @property
    def size(self) -> int:
        """The size in bytes: as promised, or as the file has it now."""
        if self._size is not None:
            return self._size
        with open_regular(self.path, follow_links=self._follow_links) as stream:
            return os.fstat(stream.fileno()).st_size - self._offset

    @property
    def digest(self) -> Digest | None:
        """The digest, if it is known before reading."""
        return self._digest

    def open(self, offset: int = 0) -> BinaryIO:
        """Return a new stream from ``offset``; verified if the digest is known and it is 0."""
        stream = open_regular(self.path, follow_links=self._follow_links)
        if self._offset + offset:
            stream.seek(self._offset + offset)
        if self._length is not None:
            section = _Section(stream, max(0, self._length - offset))
            stream = cast("BinaryIO", section)
        if self._digest is None or offset:
            return stream
        reader = VerifyingReader(stream, self._digest, self._size, str(self.path))
        return cast("BinaryIO", reader)


def copy_blob(
    blob: Blob, out: BinaryIO, *, hasher: Hasher | None = None, durable: bool = False
) -> tuple[Digest, int]:
    """Copy ``blob`` to ``out`` in one pass; return the digest and size of what was copied.

    The digest is the one the stream was verified against where it has one, else SHA-256 computed
    on the way: each byte is hashed once. ``hasher`` gets all bytes too. With ``durable``, ``out``
    is a file that the caller syncs afterwards, and large content is sent to the disk early.
    Raises ``DigestMismatchError`` if the blob isn't what it promises; ``out`` then has part of it.
    """
    promised = None if isinstance(blob, FileBlob) and not blob.size_promised else blob.size
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(blob.open())
        sync = stack.enter_context(EarlySync(out.fileno())) if durable else None
        if isinstance(stream, VerifyingReader):
            return stream.digest, _copy(stream, out, hasher, sync)
        own = new_hasher()
        if promised is not None and promised <= _SMALL:
            count = _copy(stream, out, hasher, sync, own)
        else:
            count = _copy_large(stream, out, hasher, sync, own)
    digest = Digest("sha256", own.hexdigest())
    _check(blob.digest, promised, digest, count)
    return digest, count


def _copy(
    stream: BinaryIO | VerifyingReader,
    out: BinaryIO,
    hasher: Hasher | None,
    sync: EarlySync | None,
    own: Hasher | None = None,
) -> int:
    count = 0
    view = memoryview(bytearray(BUFFER))
    while length := read_into(stream, view):
        chunk = view[:length]
        for each in (own, hasher):
            if each is not None:
                each.update(chunk)
        out.write(chunk)
        count += length
        if sync is not None:
            sync.wrote(length)
    return count


def _copy_large(
    stream: BinaryIO, out: BinaryIO, hasher: Hasher | None, sync: EarlySync | None, own: Hasher
) -> int:
    count = 0
    with HashThread(own, BUFFER) as aside:
        while length := read_into(stream, view := aside.buffer()):
            out.write(view[:length])
            if hasher is not None:
                hasher.update(view[:length])
            aside.hash(view, length)
            count += length
            if sync is not None:
                sync.wrote(length)
    return count


def _check(wanted: Digest | None, size: int | None, got: Digest, count: int) -> None:
    """Compare with what the blob says of itself, for streams that don't verify themselves."""
    reason = ""
    if wanted is not None and wanted.algorithm == got.algorithm and wanted != got:
        reason = f"expected {wanted}, got {got}"
    elif size is not None and size != count:
        reason = f"{count} bytes, expected {size}"
    if reason:
        raise DigestMismatchError(
            f"the content is not what was promised: {reason}",
            hint="the content was changed or cut while it was read; try again",
        )


def read_all(blob: Blob, limit: int, what: str) -> bytes:
    """Return the content of a blob of at most ``limit`` bytes; verified as ``copy_blob`` does.

    Raises ``InvalidDocumentError`` if it is longer than ``limit``: only for documents, whose size
    has a bound.
    """
    out = io.BytesIO()
    limited = _Limited(out, limit, what)
    copy_blob(blob, cast("BinaryIO", limited))
    return out.getvalue()


class _Limited:
    """Passes writes on until a limit."""

    def __init__(self, out: BinaryIO, limit: int, what: str) -> None:
        self._out = out
        self._left = limit
        self._limit = limit
        self._what = what

    def write(self, data: memoryview) -> int:
        self._left -= len(data)
        if self._left < 0:
            raise InvalidDocumentError(
                f"{self._what} is longer than the {self._limit} bytes that are allowed",
                hint="split it, or check that it is the file you mean",
            )
        return self._out.write(data)


def verify(blob: Blob, hasher: Hasher | None = None) -> tuple[Digest, int]:
    """Read a blob to its end, keeping nothing; return its digest and size, as ``copy_blob``."""
    return copy_blob(blob, cast("BinaryIO", _Nowhere()), hasher=hasher)


class _Nowhere:
    """Takes writes and forgets them."""

    def write(self, data: memoryview) -> int:
        return len(data)
