"""Put the content of one program into the store of installed content, once and for all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ocm_pkg.fs.atomic import (
    commit_folder,
    make_folder,
    remove_empty,
    remove_tree,
    storage_errors,
    sync_folder,
)
from ocm_pkg.fs.blob import open_regular
from ocm_pkg.fs.filestate import names_in, record, state_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ocm_pkg.model.receipt import InstalledFile
    from ocm_pkg.ports import FailPoint


def keep_content(
    content: Path,
    target: Path,
    files: Sequence[InstalledFile],
    *,
    fail_point: FailPoint | None = None,
) -> tuple[Path, tuple[InstalledFile, ...]]:
    """Move the folder ``content`` to ``target``, unless the same is there; return where it is.

    ``files`` is all that is in it; returned is how they look in their place, in this order. What
    is at ``target`` with other content than it should have is repaired. The folder becomes
    read-only. Both must be on one file system. Raises ``LocalStorageError``.
    """
    with storage_errors(f"storing {target}", target.parent):
        make_folder(target.parent)
        if not target.exists():
            commit_folder(content, target, fail_point=fail_point)
            target.chmod(0o555)
            return target, tuple(files)
        known = _known(target, files)
        if known is not None:
            return target, known
        _repair(content, target, files)
        return target, tuple(files)


def _known(target: Path, files: Sequence[InstalledFile]) -> tuple[InstalledFile, ...] | None:
    """Return the files that are there, if they are these and no others, with their content.

    A single one may be there under another name.
    """
    paths = [file.path for file in files]
    there = names_in(target)
    if len(paths) == len(there) == 1:
        paths = list(there)
    if there != set(paths):
        return None
    known = tuple(
        record(target, path, file.sha256, file.link)
        for path, file in zip(paths, files, strict=True)
    )
    same = all(
        (now.size, now.mode) == (file.size, file.mode)
        for now, file in zip(known, files, strict=True)
    )
    return known if same and state_of(target, known, full=True) == "ok" else None


def _repair(content: Path, target: Path, files: Sequence[InstalledFile]) -> None:
    """Replace what is at ``target``, which may be in use, file by file by renames."""
    target.chmod(0o755)
    for file in files:
        source, place = content / file.path, target / file.path
        _make_way(place, target)
        if file.link is None:
            with open_regular(source, follow_links=False) as stream:
                os.fsync(stream.fileno())
        source.replace(place)
    for name in names_in(target) - {file.path for file in files}:
        (target / name).unlink()
    for root, folders, _names in os.walk(target, topdown=False):
        remove_empty([target.joinpath(root, name) for name in folders])
    target.chmod(0o555)
    sync_folder(target)


def _make_way(place: Path, target: Path) -> None:
    """Make real folders of the parents of ``place``, and remove a folder that is in its place."""
    for parent in reversed([one for one in place.parents if one.is_relative_to(target)]):
        if parent != target and (parent.is_symlink() or not parent.is_dir()):
            remove_tree(parent)
            parent.mkdir()
    if place.is_dir() and not place.is_symlink():
        remove_tree(place)
