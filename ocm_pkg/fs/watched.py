"""Content that tells how far it was read: for progress, and to end a copy that is in vain."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO, cast

from ocm_pkg._typing import override
from ocm_pkg.fs.blob import FileBlob, VerifyingReader, read_into
from ocm_pkg.fs.staged import StagedBlob

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ocm_pkg.fs.blob import Buffer
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.ports import Blob


class Reading:
    """What is known of the reading of one blob.

    ``read`` is called after each read with the count of new bytes: what is read a second time
    counts 0. An error that it raises ends the reading. ``was_read`` says whether anybody asked for
    the content at all.
    """

    def __init__(self, read: Callable[[int], None]) -> None:
        self.was_read = False
        self._read = read
        self._furthest = 0

    def at(self, position: int) -> None:
        """Take note that the content was read up to ``position``."""
        new = max(0, position - self._furthest)
        self._furthest += new
        self._read(new)

    def open(self, opened: Callable[[int], BinaryIO], offset: int) -> BinaryIO:
        """Return the stream from ``offset`` that ``opened`` gives, watched."""
        self.was_read = True
        self._read(0)
        stream = opened(offset)
        if isinstance(stream, VerifyingReader):
            stream.watch(self.at)
            return stream
        return cast("BinaryIO", _WatchedStream(stream, offset, self))


def watched(blob: Blob, reading: Reading) -> Blob:
    """Return ``blob`` so that ``reading`` hears of what is read, and all else is as it was."""
    return _WatchedFile(blob, reading) if isinstance(blob, StagedBlob) else _Watched(blob, reading)


def file_of(blob: Blob) -> FileBlob | None:
    """Return the file that a blob is, watched or not; None if it is none."""
    inner = blob.blob if isinstance(blob, _Watched) else blob
    return inner if isinstance(inner, FileBlob) else None


class _Watched:
    def __init__(self, blob: Blob, reading: Reading) -> None:
        self.blob = blob
        self._reading = reading

    @property
    def media_type(self) -> str | None:
        return self.blob.media_type

    @property
    def size(self) -> int | None:
        return self.blob.size

    @property
    def digest(self) -> Digest | None:
        return self.blob.digest

    def open(self, offset: int = 0) -> BinaryIO:
        return self._reading.open(self.blob.open, offset)


class _WatchedFile(StagedBlob):
    """A file that a store may take, which counts as read then."""

    def __init__(self, blob: StagedBlob, reading: Reading) -> None:
        super().__init__(blob.path, blob.media_type or "", blob.size, cast("Digest", blob.digest))
        self._blob = blob
        self._reading = reading

    @property
    @override
    def media_type(self) -> str | None:
        return self._blob.media_type

    @override
    def open(self, offset: int = 0) -> BinaryIO:
        return self._reading.open(self._blob.open, offset)

    @override
    def plain(self, offset: int = 0) -> BinaryIO:
        return self._reading.open(self._blob.plain, offset)

    @override
    def move(self, target: Path, mode: int) -> bool:
        if not self._blob.move(target, mode):
            return False
        self.path = self._blob.path
        self._reading.was_read = True
        self._reading.at(self.size)
        return True


class _WatchedStream(io.RawIOBase):
    def __init__(self, stream: BinaryIO, position: int, reading: Reading) -> None:
        super().__init__()
        self._stream = stream
        self._position = position
        self._reading = reading

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Buffer, /) -> int:  # type: ignore[override]
        count = read_into(self._stream, memoryview(buffer))
        self._position += count
        self._reading.at(self._position)
        return count

    @override
    def close(self) -> None:
        self._stream.close()
        super().close()
