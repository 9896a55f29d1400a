"""Say what the disk refused: an ``OSError`` as one of our errors."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ocm_pkg.errors import LocalStorageError, NoSpaceError

if TYPE_CHECKING:
    from collections.abc import Iterator

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_HINTS = {
    errno.ENOENT: "check the path; the folder has to be there",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.EACCES: "give yourself the permission, or choose another folder",
    errno.EPERM: "give yourself the permission, or choose another folder",
    errno.EMFILE: "too many open files: raise the limit (ulimit -n)",
    errno.ENFILE: "too many open files on this machine",
    errno.EISDIR: "a folder is where a file should be: move it away",
    errno.ENOTDIR: "a file is where a folder should be: move it away",
    errno.ELOOP: "a symbolic link is where a file should be: remove it",
    errno.ENOLCK: "the file system has no locks: use a folder on a local disk",
    errno.ENOTSUP: "the file system can't do that: use a folder on a local disk",
    errno.ENAMETOOLONG: "choose a shorter path",
    errno.ENOTEMPTY: "a folder with content is where the new one should be: move it away",
}


def as_storage_error(error: OSError, what: str) -> LocalStorageError:
    """Return the error to raise for ``error``; ``what`` is what was tried, on what.

    ``NoSpaceError`` for a full disk, a quota or a file size limit, with the free space where it
    can be told; ``LocalStorageError`` for all else.
    """
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in _NO_SPACE:
        return NoSpaceError(
            f"{what}: no space left ({reason}{_free_space(error.filename)})",
            hint="free some space, or choose a folder on another file system",
        )
    hint = _HINTS.get(error.errno or 0, "check the disk and its permissions")
    return LocalStorageError(f"{what}: {reason}", hint=hint)


def _free_space(path: object) -> str:
    if not isinstance(path, str | bytes | os.PathLike):
        return ""
    try:
        there = os.statvfs(Path(os.fsdecode(path)).parent)
    except OSError:
        return ""
    return f"; {there.f_bavail * there.f_frsize // 1024} KiB free"


@contextlib.contextmanager
def storage_errors(what: str, folder: Path | None = None) -> Iterator[None]:
    """Turn every ``OSError`` of the block into the error of ``as_storage_error``."""
    try:
        yield
    except OSError as error:
        if error.filename is None and folder is not None:
            error.filename = str(folder / "x")
        raise as_storage_error(error, what) from error
