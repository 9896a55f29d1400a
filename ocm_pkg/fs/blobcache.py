"""Content that was fetched before, by its digest: bounded, shared by processes, never trusted.

Each item is a file ``sha256-HEX`` that appears by a rename when it is complete and verified. What
is read is verified again before the first byte of it is given away, so nothing is synced, and
whatever happened to a file costs one more fetch at most. No method raises because of the disk: a
cache that can't be used is one that has nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from ocm_pkg._typing import override
from ocm_pkg.errors import DigestMismatchError, OcmPkgError
from ocm_pkg.fs.atomic import FolderLock, clean_leftovers, make_folder
from ocm_pkg.fs.blob import BUFFER, VerifyingReader
from ocm_pkg.fs.cachewriter import ItemWriter, UnsyncedFile
from ocm_pkg.fs.lock import is_at
from ocm_pkg.fs.regular import open_regular
from ocm_pkg.model.digest import Digest, new_hasher

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator
    from pathlib import Path

    from ocm_pkg.fs.blob import Buffer

DEFAULT_BYTES = 2 * 1024**3
"""How much is kept in all."""

MAX_ITEMS = 50_000
FREE_BYTES = 256 * 1024**2
"""So much is left free on the disk, and the size of the item once more: files come first."""

_ITEM = re.compile(r"(sha256)-([0-9a-f]{64})|(sha512)-([0-9a-f]{128})")
_INCOMING, _JOURNAL = "incoming", "journal"
_LARGEST_PART = 8
_RECOUNT_AFTER = 1024
_MAX_JOURNAL = 64 * 1024
_ROOM = 0.9
_LOCK_WAIT = 5.0


@dataclass(frozen=True, slots=True)
class Usage:
    """How many items there are (or were removed), and their bytes."""

    items: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True, order=True)
class _Item:
    used: int
    name: str
    size: int


class BlobCache:
    """Items in ``folder`` (mode 0700), of ``max_bytes`` in all (2 GiB); those used last stay.

    The folder is made when something is kept. One that belongs to somebody else, or that others
    may write to, is not used. An item larger than ``largest`` is not kept.
    """

    def __init__(
        self,
        folder: Path,
        max_bytes: int | None = None,
        *,
        max_items: int = MAX_ITEMS,
        free_bytes: int = FREE_BYTES,
    ) -> None:
        self.folder = folder
        self.max_bytes = DEFAULT_BYTES if max_bytes is None else max_bytes
        self.largest = self.max_bytes // _LARGEST_PART
        self._max_items = max_items
        self._free_bytes = free_bytes
        self._is_clean = False

    def size(self, digest: Digest) -> int | None:
        """Return the size of an item that is there, unverified; else None."""
        with contextlib.suppress(OSError):
            found = self._path(digest).lstat()
            if stat.S_ISREG(found.st_mode) and self.is_ours:
                return found.st_size
        return None

    def open(self, digest: Digest, size: int | None = None, offset: int = 0) -> BinaryIO | None:
        """Return a stream over an item, from ``offset``; None if it isn't there, whole and right.

        All of it was verified before. From the start it is a ``VerifyingReader``, which hashes
        nothing a second time. An item that is not what its name says is removed.
        """
        if not self.is_ours:
            return None
        path = self._path(digest)
        with contextlib.suppress(OSError, OcmPkgError), contextlib.ExitStack() as stack:
            stream = stack.enter_context(open_regular(path, follow_links=False))
            there = _digest(stream, digest.algorithm)
            if there != digest:
                if is_at(stream.fileno(), path):
                    path.unlink()
                return None
            found = stream.tell()
            if size is not None and size != found:
                return None
            with contextlib.suppress(OSError):
                os.utime(stream.fileno())
            stream.seek(offset)
            stack.pop_all()
            if offset:
                return stream
            return cast("BinaryIO", _VerifiedReader(stream, digest, found))
        return None

    def writer(self, digest: Digest, size: int) -> ItemWriter | None:
        """Return what takes a new item of ``size`` bytes; None if it shall or can not be kept."""
        if size > self.largest:
            return None
        try:
            if not self._is_ready(size):
                return None
            pending = UnsyncedFile(self._incoming)
        except (OSError, OcmPkgError):
            return None
        return ItemWriter(pending, size, lambda: self._put(pending, digest, size))

    def write_beside(self, path: Path, data: bytes) -> bool:
        """Put a small file somewhere below the folder, whole or not at all; true if it is there.

        It is no item: nothing verifies it, and ``prune`` leaves it. Links are not followed.
        """
        with contextlib.suppress(OSError, OcmPkgError):
            between = path.relative_to(self.folder).parents
            if any((self.folder / each).is_symlink() for each in between if each.name):
                return False
            if self._is_ready(len(data)):
                make_folder(path.parent, 0o700)
                with UnsyncedFile(self._incoming) as pending:
                    pending.stream.write(data)
                    pending.put(path)
                return True
        return False

    def _is_ready(self, size: int) -> bool:
        if not os.path.lexists(self._incoming):
            make_folder(self.folder, 0o700)
            if self.is_ours:
                make_folder(self._incoming, 0o700)
        if not self.is_ours or self._incoming.is_symlink():
            return False
        if not self._is_clean:
            clean_leftovers(self._incoming)
            self._is_clean = True
        there = os.statvfs(self._incoming)
        return there.f_bavail * there.f_frsize >= 2 * size + self._free_bytes

    def _put(self, pending: UnsyncedFile, digest: Digest, size: int) -> None:
        path = self._path(digest)
        if os.path.lexists(path):
            return
        lines, total = self._count(size)
        pending.put(path)
        if total > self.max_bytes or lines > _RECOUNT_AFTER:
            self._make_room()

    def _count(self, size: int) -> tuple[int, int]:
        """Add a size to the journal; return how many lines it has, and their sum.

        Others may add at the same time, and a recount may lose one of theirs: the sum is a guess
        that each recount puts right, which comes after so many lines at the latest.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(self.folder / _JOURNAL, flags, 0o600)
        try:
            os.write(fd, f"{size}\n".encode())
            os.lseek(fd, 0, os.SEEK_SET)
            lines = os.read(fd, _MAX_JOURNAL).split()
        finally:
            os.close(fd)
        try:
            return len(lines), sum(map(int, lines))
        except ValueError:
            return _RECOUNT_AFTER + 1, 0

    def _make_room(self) -> None:
        with contextlib.suppress(OcmPkgError):
            lock = FolderLock(self.folder, 0)
            lock.acquire()
            try:
                self._shrink(_ROOM, dry_run=False)
            finally:
                lock.release()

    def usage(self) -> Usage:
        """Return what is there now."""
        return _sum(list(self._items()))

    def prune(self, *, everything: bool = False, dry_run: bool = False) -> Usage:
        """Remove what was used longest ago until the rest is in bounds; return what was removed.

        With ``everything`` nothing stays. What dead processes left is removed too. Waits for
        another process that does the same: ``LocalStorageError`` after some seconds.
        """
        if not self.is_ours:
            return Usage()
        if dry_run:
            return self._shrink(0 if everything else 1, dry_run=True)
        with FolderLock(self.folder, _LOCK_WAIT):
            return self._shrink(0 if everything else 1, dry_run=False)

    def _shrink(self, part: float, *, dry_run: bool) -> Usage:
        """Make the cache not larger than ``part`` of its bounds, if it is larger than these."""
        items = sorted(self._items(), reverse=True)
        total, bound = sum(one.size for one in items), self.max_bytes
        if part and total <= bound and len(items) <= self._max_items:
            part = 1
        gone: list[_Item] = []
        while items and (total > bound * part or len(items) > self._max_items * part):
            gone.append(items.pop())
            total -= gone[-1].size
        if not dry_run:
            for one in gone:
                with contextlib.suppress(OSError):
                    (self.folder / one.name).unlink()
            clean_leftovers(self._incoming)
            self.write_beside(self.folder / _JOURNAL, f"{total}\n".encode())
        return _sum(gone)

    def _items(self) -> Iterator[_Item]:
        if not self.is_ours:
            return
        with contextlib.suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    if _ITEM.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                        found = entry.stat(follow_symlinks=False)
                        yield _Item(found.st_mtime_ns, entry.name, found.st_size)

    @property
    def _incoming(self) -> Path:
        """Where items are written until they are complete: on the same file system."""
        return self.folder / _INCOMING

    def _path(self, digest: Digest) -> Path:
        return self.folder / f"{digest.algorithm}-{digest.hex}"

    @property
    def is_ours(self) -> bool:
        """Whether the folder is there, the user's own, and nobody else may write to it."""
        try:
            found = self.folder.stat()
        except OSError:
            return False
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        return ours and not found.st_mode & 0o022


def _sum(items: list[_Item]) -> Usage:
    return Usage(len(items), sum(one.size for one in items))


def _digest(stream: BinaryIO, algorithm: str) -> Digest:
    hasher = new_hasher(algorithm)
    buffer = bytearray(BUFFER)
    while count := cast("io.RawIOBase", stream).readinto(buffer):
        hasher.update(memoryview(buffer)[:count])
    return Digest(algorithm, hasher.hexdigest())


class _VerifiedReader(VerifyingReader):
    """A file whose bytes were all verified when it was opened; it is looked at again at its end."""

    def __init__(self, stream: BinaryIO, digest: Digest, size: int) -> None:
        super().__init__(stream, digest, size, f"the cached {digest}")
        self._file = stream
        self._bytes = size
        self._state = _state(stream)

    @override
    def readinto(self, buffer: Buffer, /) -> int:  # type: ignore[override]
        """Fill ``buffer`` with the next bytes; return how many, 0 at the end."""
        view = memoryview(buffer)[: self._bytes - self.count]
        count = cast("io.RawIOBase", self._file).readinto(view) or 0
        self.count += count
        if self._watcher is not None:
            self._watcher(self.count)
        if (self.count == self._bytes or not count) and not self.verified:
            self._look_again()
            self.verified = True
        return count

    def _look_again(self) -> None:
        """Raise if the file changed while it was read; that it was used by others is no change."""
        if self.count == self._bytes and _state(self._file) == self._state:
            return
        self._file.seek(0)
        if self.count != self._bytes or _digest(self._file, self.digest.algorithm) != self.digest:
            raise DigestMismatchError(
                f"the cached {self.digest} was changed while it was read", hint="try again"
            )


def _state(stream: BinaryIO) -> tuple[int, int]:
    found = os.fstat(stream.fileno())
    return found.st_size, found.st_ctime_ns
