"""Tell whether installed files are still what was installed, without reading them if possible."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from ocm_pkg.errors import FileMissingError, OcmPkgError
from ocm_pkg.fs.blob import BUFFER, open_regular
from ocm_pkg.model.digest import digest_of, digest_of_chunks
from ocm_pkg.model.receipt import InstalledFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from ocm_pkg.model.digest import Digest

State: TypeAlias = Literal["ok", "changed", "missing"]


def record(folder: Path, path: str, sha256: str, link: str | None = None) -> InstalledFile:
    """Return how the file ``path`` in ``folder`` looks now; ``sha256`` is its known digest.

    ``link`` is where it leads if it is a symbolic link.
    """
    info = (folder / path).lstat()
    return InstalledFile(
        path=path,
        sha256=sha256,
        size=info.st_size,
        mode=stat.S_IMODE(info.st_mode),
        mtime_ns=info.st_mtime_ns,
        ctime_ns=info.st_ctime_ns,
        inode=info.st_ino,
        device=info.st_dev,
        link=link,
    )


def record_link(folder: Path, path: str, target: str) -> InstalledFile:
    """Return how the symbolic link ``path`` looks now, which leads to ``target``."""
    return record(folder, path, digest_of(target.encode()).hex, target)


def hash_file(path: Path) -> Digest:
    """Return the SHA-256 of a regular file that is no link."""
    with open_regular(path, follow_links=False) as stream:
        return digest_of_chunks(_chunks(stream))


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(BUFFER):
        yield chunk


def state_of(folder: Path, files: Sequence[InstalledFile], *, full: bool = False) -> State:
    """Return whether ``files`` are in ``folder`` as recorded, and nothing else is.

    A file whose size, mode, times and inode are as recorded counts as unchanged; any other is
    hashed, and with ``full`` every one is.
    """
    states = {_file_state(folder, file, full=full) for file in files}
    if "missing" in states:
        return "missing"
    if "changed" in states or names_in(folder) != {file.path for file in files}:
        return "changed"
    return "ok"


def _file_state(folder: Path, file: InstalledFile, *, full: bool) -> State:
    try:
        now = record(folder, file.path, file.sha256, file.link)
        if now == file and not full:
            return "ok"
        if (now.size, now.mode) != (file.size, file.mode):
            return "changed"
        if file.link is not None:
            return "ok" if str((folder / file.path).readlink()) == file.link else "changed"
        return "ok" if hash_file(folder / file.path).hex == file.sha256 else "changed"
    except (FileNotFoundError, NotADirectoryError, FileMissingError):
        return "missing"
    except (OSError, OcmPkgError):
        return "changed"


def names_in(folder: Path) -> set[str]:
    """Return the paths of all files and links; a link to a folder is no folder."""
    found: set[str] = set()
    for root, folders, names in os.walk(folder):
        links = [name for name in folders if Path(root, name).is_symlink()]
        found.update(str(Path(root, name).relative_to(folder)) for name in (*names, *links))
    return found
