"""Tell whether installed files are still what was installed, without reading them if possible."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Literal, TypeAlias

from ocm_pkg.errors import FileMissingError, OcmPkgError
from ocm_pkg.fs.blob import BUFFER, open_regular
from ocm_pkg.model.digest import digest_of_chunks
from ocm_pkg.model.receipt import InstalledFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from ocm_pkg.model.digest import Digest

State: TypeAlias = Literal["ok", "changed", "missing"]


def record(folder: Path, path: str, sha256: str) -> InstalledFile:
    """Return how the file ``path`` in ``folder`` looks now; ``sha256`` is its known digest."""
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
    )


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
    if "changed" in states or _names(folder) != {file.path for file in files}:
        return "changed"
    return "ok"


def _file_state(folder: Path, file: InstalledFile, *, full: bool) -> State:
    try:
        now = record(folder, file.path, file.sha256)
        if now == file and not full:
            return "ok"
        if (now.size, now.mode) != (file.size, file.mode):
            return "changed"
        return "ok" if hash_file(folder / file.path).hex == file.sha256 else "changed"
    except (FileNotFoundError, NotADirectoryError, FileMissingError):
        return "missing"
    except (OSError, OcmPkgError):
        return "changed"


def _names(folder: Path) -> set[str]:
    return {
        os.path.relpath(os.path.join(root, name), folder)  # noqa: PTH118 - beside os.walk
        for root, _folders, names in os.walk(folder)
        for name in names
    }
