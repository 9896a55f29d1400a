"""The files of a CTF in a tar or tgz file, opened for reading; and bytes of an open file."""

from __future__ import annotations

import gzip
import io
import os
import re
import stat
import tarfile
import tempfile
import weakref
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, NoReturn, cast

from ocm_pkg._typing import override
from ocm_pkg.errors import FileMissingError, InvalidDocumentError, UnsafeArchiveError
from ocm_pkg.fs.blob import BUFFER, open_regular
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.store import ctfindex, tarscan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ocm_pkg.fs.blob import Buffer

MAX_UNPACKED = 64 * 1024**3
"""Bytes that a tgz may have unpacked."""

MAX_FILES = 100_000
"""Entries that an archive may have."""

_MAX_HEADER = 1024 * 1024
_BLOB = re.compile(r"blobs/(sha256|sha512)\.([0-9a-f]+)")


class Handle:
    """An open file that is closed when nothing refers to it any more."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        weakref.finalize(self, os.close, fd)


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of an open file, read by position: many readers don't disturb each other."""

    handle: Handle
    offset: int
    size: int

    def open(self, offset: int = 0) -> BinaryIO:
        """Return a new stream from ``offset``."""
        offset = min(offset, self.size)
        stream = _PartStream(self.handle, self.offset + offset, self.size - offset)
        return cast("BinaryIO", stream)


class ArchiveFile:
    """The CTF in the file ``path``. A tgz is unpacked once, to a file without a name.

    ``files`` has the index and the blobs by their names; ``foreign`` is the first name that is no
    part of a CTF. Entries may start with ``./``. Links, devices, names that leave the archive, and
    two entries of one name are refused.
    """

    def __init__(self, path: Path, *, max_unpacked: int = MAX_UNPACKED) -> None:
        self.path = path
        self.foreign: str | None = None
        with open_regular(path) as stream:
            status = os.fstat(stream.fileno())
            self._stamp = _stamp(status)
            self.mode = stat.S_IMODE(status.st_mode)
            self.packed = stream.read(2) == b"\x1f\x8b"
            stream.seek(0)
            fd = self._unpacked(stream, max_unpacked) if self.packed else os.dup(stream.fileno())
        self._handle = Handle(fd)
        self.files = self._list()
        self.index = self._read_index()

    def is_current(self) -> bool:
        """Whether the file at the path is still this one."""
        with storage_errors(f"reading {self.path}"):
            try:
                return _stamp(self.path.stat()) == self._stamp
            except FileNotFoundError:
                return False

    def _unpacked(self, stream: BinaryIO, limit: int) -> int:
        what = f"unpacking {self.path}"
        with storage_errors(what), tempfile.TemporaryFile() as out:
            try:
                self._unpack(stream, cast("BinaryIO", out), limit)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise InvalidDocumentError(
                    f"{self.path} is no gzip file, or was cut: {error}", hint="copy it again"
                ) from error
            out.flush()
            return os.dup(out.fileno())

    def _unpack(self, stream: BinaryIO, out: BinaryIO, limit: int) -> None:
        with gzip.GzipFile(fileobj=stream, mode="rb") as unpacked:
            while chunk := unpacked.read(BUFFER):
                limit -= len(chunk)
                if limit < 0:
                    raise UnsafeArchiveError(
                        f"{self.path} unpacks to more than is allowed",
                        hint="unpack it yourself if you trust it, and use the folder",
                    )
                out.write(chunk)

    def _list(self) -> dict[str, Part]:
        """Return every file of the CTF by its name."""
        end = os.fstat(self._handle.fd).st_size
        with storage_errors(f"reading {self.path}"):
            plain = tarscan.plain_files(self._handle.fd, end, MAX_FILES)
        if plain is not None:
            return {name: Part(self._handle, *place) for name, place in plain.items()}
        files: dict[str, Part] = {}
        try:
            for name, member in self._members(end):
                if name in files:
                    self._refuse(f"{name!r} is there twice")
                if not member.isreg() or member.issparse():
                    self._refuse(f"{name!r} is no plain file")
                if member.offset_data + member.size > end:
                    self._refuse(f"{name!r} is longer than the archive")
                files[name] = Part(self._handle, member.offset_data, member.size)
        except (tarfile.TarError, EOFError, ValueError, OverflowError, OSError) as error:
            raise InvalidDocumentError(
                f"{self.path} is no tar file, or was cut: {error}", hint="copy it again"
            ) from error
        return files

    def _members(self, end: int) -> Iterator[tuple[str, tarfile.TarInfo]]:
        """Give the entries that are part of a CTF, by their names without a leading ``./``."""
        reader = cast("BinaryIO", Headers(self._handle, 0, end))
        with reader, tarfile.open(fileobj=reader, mode="r:") as archive:
            for number, member in enumerate(archive):
                if number >= MAX_FILES:
                    self._refuse(f"it has more than {MAX_FILES} entries")
                name = member.name.removeprefix("./")
                if name.startswith("/") or ".." in name.split("/"):
                    self._refuse(f"{name[:80]!r} leaves it")
                if name == ctfindex.NAME or _BLOB.fullmatch(name):
                    yield name, member
                elif not member.isdir() and self.foreign is None:
                    self.foreign = name

    def _refuse(self, why: str) -> NoReturn:
        raise UnsafeArchiveError(
            f"{self.path} is refused: {why}", hint="ask its provider for a proper CTF"
        )

    def _read_index(self) -> ctfindex.Index:
        found = self.files.get(ctfindex.NAME)
        if found is None:
            raise FileMissingError(
                f"{self.path} is no CTF: it has no {ctfindex.NAME}", hint="check the path"
            )
        if found.size > ctfindex.MAX_SIZE:
            raise InvalidDocumentError(f"the index of {self.path} has {found.size} bytes")
        with found.open() as stream:
            data = stream.read()
        return ctfindex.Index.parse(data, f"{self.path}/{ctfindex.NAME}")


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class _PartStream(io.RawIOBase):
    """Reads a part."""

    def __init__(self, handle: Handle, offset: int, size: int) -> None:
        super().__init__()
        self._handle = handle
        self._start = offset
        self._at = offset
        self._end = offset + size

    @override
    def readable(self) -> bool:
        return True

    @override
    def seekable(self) -> bool:
        return True

    @override
    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: self._start, os.SEEK_CUR: self._at, os.SEEK_END: self._end}[whence]
        self._at = max(self._start, base + offset)
        return self._at - self._start

    @override
    def readinto(self, buffer: Buffer, /) -> int:  # type: ignore[override]
        view = memoryview(buffer)[: max(0, self._end - self._at)]
        count = os.preadv(self._handle.fd, [view], self._at) if len(view) else 0
        self._at += count
        return count


class Headers(_PartStream):
    """A tar for its headers only: no extended header longer than a limit gets into memory."""

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= _MAX_HEADER:
            raise tarfile.ReadError("a header is too long")
        return super().read(size) or b""
