"""Open regular files only, and say what failed while they are read."""

from __future__ import annotations

import errno
import io
import os
import stat
from typing import TYPE_CHECKING, BinaryIO, cast

from ocm_pkg._typing import override
from ocm_pkg.errors import FileMissingError, UnsafeArchiveError, UsageError
from ocm_pkg.fs.oserror import as_storage_error, storage_errors

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TypeAlias

    from ocm_pkg.errors import OcmPkgError

    Buffer: TypeAlias = "bytearray | memoryview"


class _RegularFile(io.FileIO):
    """A file whose read errors say which file it is."""

    def __init__(self, fd: int, path: Path) -> None:
        super().__init__(fd, "rb")
        self._what = f"reading {path}"

    @override
    def readinto(self, buffer: Buffer, /) -> int:  # type: ignore[override]
        with storage_errors(self._what):
            return super().readinto(buffer) or 0

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        with storage_errors(self._what):
            return super().read(-1 if size is None else size) or b""


def open_regular(path: Path, *, follow_links: bool = True) -> BinaryIO:
    """Open a regular file for reading, unbuffered; never waits on a pipe, never opens a device.

    Raises ``FileMissingError`` if it isn't there, ``UnsafeArchiveError`` for a symbolic link that
    must not be followed or anything else that is no file (``UsageError`` where links may be
    followed: the path was somebody's choice), and ``LocalStorageError`` when the system refuses.
    """
    kind = UsageError if follow_links else UnsafeArchiveError
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow_links else os.O_NOFOLLOW)
    try:
        fd = os.open(path, flags)
    except ValueError as error:
        raise UsageError(f"{str(path)!r} is no path: {error}") from error
    except OSError as error:
        raise _open_error(error, path, kind) from error
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return cast("BinaryIO", _RegularFile(fd, path))
    os.close(fd)
    raise kind(f"{path} is no regular file", hint="name a regular file")


def _open_error(error: OSError, path: Path, kind: type[OcmPkgError]) -> OcmPkgError:
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return FileMissingError(f"{path} does not exist", hint="check the path")
    if error.errno in {errno.ELOOP, errno.EMLINK}:
        return kind(f"{path} is a symbolic link", hint="put the file itself there")
    if error.errno in {errno.ENXIO, errno.ENODEV}:
        return kind(f"{path} is no regular file", hint="name a regular file")
    return as_storage_error(error, f"reading {path}")
