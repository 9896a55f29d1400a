"""Private folders for sockets and content: made when needed, gone when the manager is closed."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ocm_pkg.errors import LocalStorageError
from ocm_pkg.fs.atomic import clean_leftovers, make_folder, remove_tree, staged_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SOCKET_PATH_LIMIT = 100
"""A socket's path must be shorter in bytes: 104 is all that some systems take."""

_ROOM_FOR_NAMES = 55


class PrivateFolder:
    """A folder of our own (mode 0700) in the first parent that can be written, and folders in it.

    It is made at the first ``new``. What dead processes left in the parent under our prefix is
    removed then. ``close`` removes everything, and may be called again.
    """

    def __init__(self, parents: Iterable[Path]) -> None:
        self._parents = tuple(parents)
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._root: Path | None = None
        self._count = 0

    def new(self) -> Path:
        """Return a new, empty folder (mode 0700), or raise ``LocalStorageError``."""
        with self._lock:
            root = self._root or self._make()
            self._count += 1
            folder = root / str(self._count)
        make_folder(folder, 0o700)
        return folder

    def remove(self, folder: Path) -> None:
        """Remove a folder that ``new`` gave."""
        remove_tree(folder)

    def close(self) -> None:
        """Remove everything."""
        with self._lock:
            self._stack.close()
            self._root = None

    def _make(self) -> Path:
        failure = LocalStorageError(
            "no folder for the files of running plugins",
            hint="set TMPDIR to a folder that you can write to",
        )
        for parent in self._parents:
            clean_leftovers(parent)
            try:
                self._root = self._stack.enter_context(staged_folder(parent))
            except LocalStorageError as error:
                failure = error
            else:
                return self._root
        raise failure


def socket_parents(named: Path | None, environment: Mapping[str, str]) -> list[Path]:
    """Return the folders in which sockets can be made: writable, with a short enough path."""
    choices = [named] if named else [environment.get("XDG_RUNTIME_DIR"), *_temporary(environment)]
    return [
        Path(choice)
        for choice in choices
        if choice
        and Path(choice).is_absolute()
        and len(os.fsencode(choice)) + _ROOM_FOR_NAMES < SOCKET_PATH_LIMIT
        and _usable(choice)
    ]


def content_parents(environment: Mapping[str, str]) -> list[Path]:
    """Return the folders for content; not the run-time folder, which is often kept in memory.

    Those in which nothing can be executed come last: a plugin that is one file unpacks itself.
    """
    choices = [Path(choice) for choice in _temporary(environment) if choice and _usable(choice)]
    return sorted(choices, key=forbids_programs)


def forbids_programs(folder: Path) -> bool:
    """Whether the file system of ``folder`` is mounted so that nothing on it can be executed."""
    flag = getattr(os, "ST_NOEXEC", 0)
    try:
        return bool(flag and os.statvfs(folder).f_flag & flag)
    except OSError:
        return False


def hint_for(folder: Path | None) -> str | None:
    """Return what to do if a plugin does not run with ``folder`` as its temporary one, if that."""
    if folder is None or not forbids_programs(folder):
        return None
    return f"nothing can be executed in {folder.parent} (noexec): set TMPDIR to another folder"


@contextmanager
def temporary_folder(environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Give the variables that lead a plugin to a private folder, and remove what it leaves there.

    A plugin that is one file unpacks itself there, and can't clean up when it is killed.
    """
    with ExitStack() as stack:
        variables = {}
        for parent in content_parents(environment):
            with suppress(LocalStorageError):
                variables["TMPDIR"] = str(stack.enter_context(staged_folder(parent)))
                break
        yield variables


def _temporary(environment: Mapping[str, str]) -> list[str | None]:
    return [environment.get("TMPDIR"), "/tmp", "/var/tmp"]  # noqa: S108 - a private folder is made in it


def _usable(folder: str | Path) -> bool:
    return (
        Path(folder).is_absolute()
        and Path(folder).is_dir()
        and os.access(folder, os.W_OK | os.X_OK)
    )
