"""Locks between processes that leave nothing behind and die with their holder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ocm_pkg._typing import override
from ocm_pkg.errors import LocalStorageError
from ocm_pkg.fs.oserror import storage_errors

if TYPE_CHECKING:
    from types import TracebackType


def is_at(fd: int, path: Path) -> bool:
    """Whether ``path`` is still the name of the open file or folder ``fd``."""
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    ours = os.fstat(fd)
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


class FolderLock:
    """An exclusive lock on a folder itself; needs no file, so it leaves none.

    It is an ``flock``: between processes and threads, dropped by the system when its holder dies.
    """

    def __init__(self, path: Path, timeout: float) -> None:
        self.path = path
        self.timeout = timeout
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock; ``LocalStorageError`` with the holder's process number on time-out."""
        deadline = time.monotonic() + self.timeout
        pause = 0.001
        with storage_errors(f"locking {self.path}", self.path.parent):
            while not self._try():
                if time.monotonic() >= deadline:
                    raise self._busy()
                time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
                pause = min(pause * 2, 0.05)

    def _open(self) -> int:
        return os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def _try(self) -> bool:
        fd = self._open()
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._taken(fd):
                self._fd, fd = fd, -1
                return True
        except BlockingIOError:
            pass
        finally:
            if fd >= 0:
                os.close(fd)
        return False

    def _taken(self, fd: int) -> bool:
        return is_at(fd, self.path)

    def _busy(self) -> LocalStorageError:
        holder = self._holder()
        who = f"process {holder}" if holder else "another process"
        return LocalStorageError(
            f"{self.path} is in use by {who}; waited {self.timeout:g} s",
            hint=f"wait until {who} is done, or end it, then try again",
        )

    def _holder(self) -> str:
        """Return the holder's process number, as Linux tells it; empty elsewhere."""
        with contextlib.suppress(OSError, ValueError):
            inode = str(self.path.stat().st_ino)
            for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
                fields = line.split()
                if fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == inode:
                    return fields[4]
        return ""

    def release(self) -> None:
        """Give the lock back; without effect if it isn't held."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


class FileLock(FolderLock):
    """An exclusive lock between processes and threads, on a file that holds its holder's number.

    The file is removed at release; a symbolic link in its place is refused. The folder must exist.
    """

    @override
    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        fd = os.open(self.path, flags, 0o600)
        with contextlib.suppress(OSError):
            os.fchmod(fd, 0o600)
        return fd

    @override
    def _taken(self, fd: int) -> bool:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise LocalStorageError(f"{self.path} is no regular file", hint="remove it")
        if not is_at(fd, self.path):
            return False
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()}\n".encode())
        return True

    @override
    def _holder(self) -> str:
        try:
            return str(int(self.path.read_text(encoding="ascii")))
        except (OSError, ValueError):
            return ""

    @override
    def release(self) -> None:
        """Remove the file and give the lock back; without effect if it isn't held."""
        if self._fd is not None:
            with contextlib.suppress(OSError):
                self.path.unlink()
        super().release()


class ReplacementLock(FolderLock):
    """An exclusive lock on a file that its writers replace by a rename; leaves nothing behind.

    It is on the file that is there, and on its folder while there is none. The new file must be
    locked by whoever puts it there until its lock is released, as ``fs.atomic`` does it.
    """

    @override
    def _open(self) -> int:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            return os.open(self.path, flags)
        except FileNotFoundError:
            return os.open(self.path.parent, flags | os.O_DIRECTORY)

    @override
    def _taken(self, fd: int) -> bool:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            return is_at(fd, self.path.parent) and not os.path.lexists(self.path)
        return is_at(fd, self.path)
