"""A CTF in a tar or tgz file, as an OCI store that is only read."""

from __future__ import annotations

import gzip
import io
import os
import re
import tarfile
import tempfile
import weakref
import zlib
from typing import TYPE_CHECKING, BinaryIO, NoReturn, cast

from ocm_pkg._typing import override
from ocm_pkg.errors import (
    DigestMismatchError,
    FileMissingError,
    InvalidDocumentError,
    NotFoundError,
    UnsafeArchiveError,
    UsageError,
)
from ocm_pkg.fs.blob import BUFFER, VerifyingReader, open_regular
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.store import ctfindex, mapping, media
from ocm_pkg.store.base import OCIDescriptor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ocm_pkg.fs.blob import Buffer
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.ports import Blob

MAX_UNPACKED = 64 * 1024**3
"""Bytes that a tgz may have unpacked."""

MAX_FILES = 100_000
"""Entries that an archive may have."""

_MAX_HEADER = 1024 * 1024
_BLOB = re.compile(r"blobs/(sha256|sha512)\.([0-9a-f]+)")


class ArchiveStore:
    """The CTF in the file ``path``. A tgz is unpacked once, to a file without a name.

    Entries may start with ``./``. Links, devices, names that leave the archive, and two entries of
    one name are refused.
    """

    def __init__(self, path: Path, *, max_unpacked: int = MAX_UNPACKED) -> None:
        self.path = path
        with open_regular(path) as stream:
            packed = stream.read(2) == b"\x1f\x8b"
            stream.seek(0)
            self._fd = self._unpacked(stream, max_unpacked) if packed else os.dup(stream.fileno())
        self._close = weakref.finalize(self, os.close, self._fd)
        self._files = self._list()
        self._index = self._read_index()

    def close(self) -> None:
        """Close the file; blobs that were fetched can't be opened any more."""
        self._close()

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

    def _list(self) -> dict[str, tuple[int, int]]:
        """Return offset and size of every file of the CTF."""
        files: dict[str, tuple[int, int]] = {}
        end = os.fstat(self._fd).st_size
        try:
            for name, member in self._members(end):
                if name in files:
                    self._refuse(f"{name!r} is there twice")
                if not member.isreg() or member.issparse():
                    self._refuse(f"{name!r} is no plain file")
                if member.offset_data + member.size > end:
                    self._refuse(f"{name!r} is longer than the archive")
                files[name] = (member.offset_data, member.size)
        except (tarfile.TarError, EOFError, ValueError, OverflowError, OSError) as error:
            raise InvalidDocumentError(
                f"{self.path} is no tar file, or was cut: {error}", hint="copy it again"
            ) from error
        return files

    def _members(self, end: int) -> Iterator[tuple[str, tarfile.TarInfo]]:
        """Give the entries that are part of a CTF, by their names without a leading ``./``."""
        reader = cast("BinaryIO", _Headers(self._fd, 0, end))
        with reader, tarfile.open(fileobj=reader, mode="r:") as archive:
            for number, member in enumerate(archive):
                if number >= MAX_FILES:
                    self._refuse(f"it has more than {MAX_FILES} entries")
                name = member.name.removeprefix("./")
                if name.startswith("/") or ".." in name.split("/"):
                    self._refuse(f"{name[:80]!r} leaves it")
                if name == ctfindex.NAME or _BLOB.fullmatch(name):
                    yield name, member

    def _refuse(self, why: str) -> NoReturn:
        raise UnsafeArchiveError(
            f"{self.path} is refused: {why}", hint="ask its provider for a proper CTF"
        )

    def _read_index(self) -> ctfindex.Index:
        offset, size = self._files.get(ctfindex.NAME, (0, -1))
        if size < 0:
            raise FileMissingError(
                f"{self.path} is no CTF: it has no {ctfindex.NAME}", hint="check the path"
            )
        if size > ctfindex.MAX_SIZE:
            raise InvalidDocumentError(f"the index of {self.path} has {size} bytes")
        with _Part(self._fd, offset, size) as stream:
            data = stream.readall() or b""
        return ctfindex.Index.parse(data, f"{self.path}/{ctfindex.NAME}")

    def exists(self, repository: str, digest: Digest) -> OCIDescriptor | None:  # noqa: ARG002 - shared by all
        """Return digest and size of content that is there, else None; the bytes aren't checked."""
        found = self._files.get(f"{ctfindex.BLOBS}/{digest.algorithm}.{digest.hex}")
        return None if found is None else OCIDescriptor(media.OCTET_STREAM, digest, found[1])

    def fetch(self, repository: str, descriptor: OCIDescriptor) -> Blob:
        """Return content that is verified as it is read; ``NotFoundError`` if it isn't there."""
        digest = descriptor.digest
        found = self._files.get(f"{ctfindex.BLOBS}/{digest.algorithm}.{digest.hex}")
        if found is None:
            raise NotFoundError(
                f"{self.path} lacks {digest}, which {repository} refers to",
                hint="the CTF is incomplete: copy it again",
            )
        if found[1] != descriptor.size:
            raise DigestMismatchError(
                f"{digest} in {self.path} has {found[1]} bytes, expected {descriptor.size}",
                hint="the CTF was changed: copy it again",
            )
        return _PartBlob(self, self._fd, found[0], descriptor)

    def push(self, repository: str, blob: Blob, media_type: str) -> OCIDescriptor:
        """Refuse: an archive is only read."""
        raise self._read_only(f"{media_type} can't be stored in {repository}", blob)

    def resolve(self, repository: str, reference: str) -> OCIDescriptor | None:
        """Return what a tag or digest stands for, or None."""
        entry = self._index.find(repository, reference)
        if entry is None:
            return None
        found = self.exists(repository, entry.digest)
        if found is None:
            raise NotFoundError(
                f"{self.path} lacks {entry.digest}, which {repository}:{reference} refers to",
                hint="the CTF is incomplete: copy it again",
            )
        media_type = entry.media_type
        if media_type is None:
            with self.fetch(repository, found).open() as stream:
                data = stream.read(mapping.MAX_DOCUMENT)
            media_type = mapping.media_type_of(data, str(entry.digest))
        return OCIDescriptor(media_type, entry.digest, found.size)

    def tag(
        self, repository: str, descriptor: OCIDescriptor, tag: str, *, replace: bool = True
    ) -> None:
        """Refuse: an archive is only read."""
        raise self._read_only(f"{repository}:{tag} can't be set", (descriptor, replace))

    def _read_only(self, what: str, _content: object) -> UsageError:
        return UsageError(
            f"{what}: {self.path} is an archive file, which is only read",
            hint="use a CTF that is a folder",
        )

    def tags(self, repository: str) -> Sequence[str]:
        """Return all tags; empty if there is no such repository."""
        return self._index.tags(repository)

    def repositories(self) -> Sequence[str]:
        """Return the names of all repositories, sorted."""
        return self._index.repositories()


class _Part(io.RawIOBase):
    """Bytes of an open file, read by position: many at a time don't disturb each other."""

    def __init__(self, fd: int, offset: int, size: int) -> None:
        super().__init__()
        self._fd = fd
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
        count = os.preadv(self._fd, [view], self._at) if len(view) else 0
        self._at += count
        return count


class _Headers(_Part):
    """A tar for its headers only: no extended header longer than a limit gets into memory."""

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= _MAX_HEADER:
            raise tarfile.ReadError("a header is too long")
        return super().read(size) or b""


class _PartBlob:
    """A file of the archive; keeps the archive open as long as it is used."""

    def __init__(self, store: ArchiveStore, fd: int, offset: int, of: OCIDescriptor) -> None:
        self._store = store
        self._fd = fd
        self._offset = offset
        self._of = of

    @property
    def media_type(self) -> str:
        """The media type."""
        return self._of.media_type

    @property
    def size(self) -> int:
        """The size in bytes."""
        return self._of.size

    @property
    def digest(self) -> Digest:
        """The digest."""
        return self._of.digest

    def open(self, offset: int = 0) -> BinaryIO:
        """Return a new stream from ``offset``; verified if it is 0."""
        offset = min(offset, self.size)
        part = cast("BinaryIO", _Part(self._fd, self._offset + offset, self.size - offset))
        if offset:
            return part
        what = f"{self.digest} in {self._store.path}"
        return cast("BinaryIO", VerifyingReader(part, self.digest, self.size, what))
