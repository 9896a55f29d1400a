"""Change files and folders so that others see the old state or the new one, also after a crash.

Content is written next to its target under a name that starts with ``TEMPORARY_PREFIX``, synced,
renamed, and the folder is synced. A process keeps an ``flock`` on each of its temporary files and
folders, so ``clean_leftovers`` can tell those of the living from those of the dead.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ocm_pkg.errors import LocalStorageError
from ocm_pkg.fs.lock import FileLock, FolderLock, is_at
from ocm_pkg.fs.oserror import as_storage_error, storage_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from ocm_pkg.ports import FailPoint

__all__ = [
    "TEMPORARY_PREFIX",
    "FileLock",
    "FolderLock",
    "PendingFile",
    "as_storage_error",
    "clean_leftovers",
    "commit_folder",
    "folder_for",
    "make_folder",
    "missing_folders",
    "remove_empty",
    "remove_tree",
    "replace_link",
    "staged_folder",
    "storage_errors",
    "sync_folder",
    "sync_tree",
    "write_file",
]

TEMPORARY_PREFIX = ".ocm-pkg-tmp."


def _pass(_step: str, /) -> None:
    """Do nothing, at any step."""


def make_folder(path: Path, mode: int = 0o755) -> None:
    """Make ``path`` and its missing parents, with exactly ``mode`` whatever the umask is.

    A folder that is there stays as it is; anything else at ``path`` is a ``LocalStorageError``.
    """
    with storage_errors(f"making the folder {path}", path):
        _make_folders(path, mode)


def _make_folders(path: Path, mode: int, *, has_parent: bool = False) -> None:
    try:
        path.mkdir(mode=0o700)
    except FileNotFoundError:
        if path.parent == path or has_parent:
            raise
        _make_folders(path.parent, mode)
        _make_folders(path, mode, has_parent=True)
    except FileExistsError:
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "", str(path)) from None
    else:
        path.chmod(mode)
        sync_folder(path.parent)


def missing_folders(path: Path) -> list[Path]:
    """Return ``path`` and those of its parents that are not there, the deepest first."""
    return [each for each in (path, *path.parents) if not os.path.lexists(each)]


def remove_empty(folders: Iterable[Path]) -> None:
    """Remove those of ``folders`` that are there and empty, in their order."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


@contextlib.contextmanager
def folder_for(path: Path) -> Iterator[None]:
    """Make ``path`` for what the block puts there; take away again what is empty at its end.

    Only folders that it made go. Raises ``LocalStorageError``, as ``make_folder``.
    """
    made = missing_folders(path)
    try:
        make_folder(path)
        yield
    finally:
        remove_empty(made)


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable; raises ``OSError``."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        # Some network and FUSE file systems can't sync a folder.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(fd)


class PendingFile:
    """A temporary file in ``folder`` that gets its name and mode when it is complete.

    ``stream`` takes the content. ``commit`` makes it appear; leaving the ``with`` block without
    a commit removes it.
    """

    def __init__(self, folder: Path, *, fail_point: FailPoint | None = None) -> None:
        self.folder = folder
        self._fail_point = fail_point or _pass
        self._path: Path | None = None
        with storage_errors(f"writing to {folder}", folder):
            self._path, fd = _new_locked_file(folder)
        self.stream: BinaryIO = os.fdopen(fd, "wb")

    def commit(
        self, target: Path, mode: int = 0o644, *, replace: bool = True, name_durable: bool = True
    ) -> bool:
        """Sync the file and give it its name in the same folder; return whether it was put there.

        With ``replace`` false a file that is there stays. A symbolic link at ``target`` is
        replaced itself, its target untouched. With ``name_durable`` false the caller syncs the
        folder later. Raises ``LocalStorageError``.
        """
        if self._path is None:
            raise LocalStorageError(f"{target} was committed before")
        with storage_errors(f"writing {target}", self.folder):
            self._fail_point("atomic.sync")
            self.stream.flush()
            os.fchmod(self.stream.fileno(), mode)
            os.fsync(self.stream.fileno())
            self._fail_point("atomic.rename")
            placed = self._place(self._path, target, replace=replace)
            self._path = None
            if name_durable:
                self._fail_point("atomic.sync-folder")
                sync_folder(self.folder)
            self.stream.close()
        return placed

    @staticmethod
    def _place(path: Path, target: Path, *, replace: bool) -> bool:
        if replace:
            path.replace(target)
            return True
        try:
            os.link(path, target, follow_symlinks=False)
        except FileExistsError:
            path.unlink()
            return False
        path.unlink()
        return True

    def discard(self) -> None:
        """Remove the file unless it was committed; never raises."""
        path, self._path = self._path, None
        with contextlib.suppress(OSError):
            if path is not None:
                path.unlink()
        with contextlib.suppress(OSError):
            self.stream.close()

    def __enter__(self) -> PendingFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.discard()


def write_file(
    path: Path,
    data: bytes | Callable[[BinaryIO], object],
    mode: int = 0o644,
    *,
    fail_point: FailPoint | None = None,
) -> None:
    """Replace ``path`` by ``data``, or by what ``data`` writes when it is called with a stream.

    Afterwards, also after a crash, the file has its old content or all of the new, with exactly
    ``mode``. The folder must exist. Raises ``LocalStorageError`` or ``NoSpaceError``; an error of
    the callable passes through; in both cases the old file is untouched.
    """
    step = fail_point or _pass
    with storage_errors(f"writing {path}", path.parent):
        step("atomic.create")
        with PendingFile(path.parent, fail_point=fail_point) as pending:
            step("atomic.write")
            if callable(data):
                data(pending.stream)
            else:
                pending.stream.write(data)
            pending.commit(path, mode)


def _temporary_name(folder: Path) -> Path:
    return folder / f"{TEMPORARY_PREFIX}{os.getpid()}.{os.urandom(8).hex()}"


def _new_locked_file(folder: Path) -> tuple[Path, int]:
    """Return a new file and its handle; the handle holds a lock as long as it is open."""
    while True:
        path = _temporary_name(folder)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(path, flags, 0o600)
        try:
            if _lock_own(fd, path):
                return path, fd
        except BaseException:
            os.close(fd)
            path.unlink(missing_ok=True)
            raise
        os.close(fd)


def _lock_own(fd: int, path: Path) -> bool:
    """Lock what was just made; false if a clean-up removed it between the two steps."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in {errno.ENOTSUP, errno.ENOLCK, errno.EINVAL}:
            raise
        return True
    return is_at(fd, path)


@contextlib.contextmanager
def staged_folder(parent: Path, mode: int = 0o700) -> Iterator[Path]:
    """Give a new, empty folder in ``parent``; remove it at the end unless it was renamed away.

    Put it in its place with ``commit_folder``. Raises ``LocalStorageError``.
    """
    with storage_errors(f"making a folder in {parent}", parent):
        path, fd = _new_locked_folder(parent, mode)
    try:
        yield path
    finally:
        remove_tree(path)
        os.close(fd)


def _new_locked_folder(parent: Path, mode: int) -> tuple[Path, int]:
    while True:
        path = _temporary_name(parent)
        path.mkdir(mode=0o700)
        try:
            path.chmod(mode)
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        if _lock_own(fd, path):
            return path, fd
        os.close(fd)


def commit_folder(staged: Path, target: Path, *, fail_point: FailPoint | None = None) -> None:
    """Sync all of ``staged``, then rename it to ``target``, which must not exist or be empty."""
    step = fail_point or _pass
    with storage_errors(f"putting {target} in its place", target.parent):
        step("atomic.sync")
        sync_tree(staged)
        step("atomic.rename")
        staged.rename(target)
        step("atomic.sync-folder")
        sync_folder(target.parent)


def sync_tree(folder: Path) -> None:
    """Make every file and folder below ``folder`` durable; raises ``OSError``."""
    for root, _folders, files, root_fd in os.fwalk(folder, topdown=False):
        for name in files:
            if stat.S_ISREG(os.stat(name, dir_fd=root_fd, follow_symlinks=False).st_mode):
                fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=root_fd)
                try:
                    os.fsync(fd)
                finally:
                    os.close(fd)
        sync_folder(Path(root))


def replace_link(link: Path, target: Path, *, fail_point: FailPoint | None = None) -> None:
    """Make ``link`` a symbolic link to ``target`` by one rename, whatever link or file was there.

    A folder at ``link`` is a ``LocalStorageError``.
    """
    step = fail_point or _pass
    temporary = _temporary_name(link.parent)
    with storage_errors(f"linking {link}", link.parent):
        step("atomic.create")
        temporary.symlink_to(target)
        try:
            step("atomic.rename")
            temporary.replace(link)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        step("atomic.sync-folder")
        sync_folder(link.parent)


def clean_leftovers(folder: Path) -> int:
    """Remove what dead processes left in ``folder`` under our prefix; return how many.

    What a living process holds stays, whoever's it is. A missing folder has no leftovers.
    """
    removed = 0
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        with os.scandir(folder) as entries:
            ours = [each.name for each in entries if each.name.startswith(TEMPORARY_PREFIX)]
        for name in ours:
            if _is_stale(folder / name):
                remove_tree(folder / name)
                removed += 1
    return removed


def _is_stale(path: Path) -> bool:
    try:
        if not stat.S_ISREG(mode := path.lstat().st_mode) and not stat.S_ISDIR(mode):
            return not _alive(path.name.removeprefix(TEMPORARY_PREFIX).partition(".")[0])
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError, ValueError):
        return False
    except PermissionError:
        return True
    return True


def remove_tree(path: Path) -> None:
    """Remove a file, link or folder with all below, without following links; never raises.

    Folders that take their owner's rights away are given them back first.
    """
    try:
        if not stat.S_ISDIR(path.lstat().st_mode):
            path.unlink()
            return
    except OSError:
        return
    for root, folders, _files in os.walk(path):
        for name in [".", *folders]:
            with contextlib.suppress(OSError):
                inner = Path(root) / name
                if not inner.is_symlink():
                    inner.chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)
