"""Put the content of one program into the store of installed content, once and for all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ocm_pkg.fs.atomic import commit_folder, make_folder, storage_errors, sync_folder
from ocm_pkg.fs.blob import open_regular
from ocm_pkg.fs.filestate import record, state_of

if TYPE_CHECKING:
    from pathlib import Path

    from ocm_pkg.model.receipt import InstalledFile
    from ocm_pkg.ports import FailPoint


def keep_content(
    content: Path, target: Path, file: InstalledFile, *, fail_point: FailPoint | None = None
) -> tuple[Path, InstalledFile]:
    """Move the folder ``content`` to ``target``, unless the same is there; return where it is.

    ``file`` is the only one in it; returned is how it looks in its place. What is at ``target``
    with other content than it should have is repaired. The folder becomes read-only. Both must be
    on one file system. Raises ``LocalStorageError``.
    """
    with storage_errors(f"storing {target}", target.parent):
        make_folder(target.parent)
        if not target.exists():
            commit_folder(content, target, fail_point=fail_point)
            target.chmod(0o555)
            return target, file
        known = _known(target, file)
        if known is not None:
            return target, known
        _repair(content, target, file)
        return target, file


def _known(target: Path, file: InstalledFile) -> InstalledFile | None:
    """Return the file that is there, if it is the only one and has the content of ``file``."""
    names = [path.name for path in target.iterdir()]
    if len(names) != 1:
        return None
    known = record(target, names[0], file.sha256)
    same = (known.size, known.mode) == (file.size, file.mode)
    return known if same and state_of(target, (known,), full=True) == "ok" else None


def _repair(content: Path, target: Path, file: InstalledFile) -> None:
    """Replace what is at ``target``, whose program may be in use, by one rename."""
    target.chmod(0o755)
    with open_regular(content / file.path, follow_links=False) as stream:
        os.fsync(stream.fileno())
    (content / file.path).replace(target / file.path)
    for other in target.iterdir():
        if other.name != file.path:
            other.unlink()
    target.chmod(0o555)
    sync_folder(target)
