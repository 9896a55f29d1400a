"""Write a CTF as one tar or tgz: the same content always gives the same bytes."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
import tempfile
import weakref
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO, cast

from ocm_pkg.fs.blob import BUFFER, copy_blob
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.fs.tree import gzipped
from ocm_pkg.store import ctfindex
from ocm_pkg.store.archivefile import Handle, Part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ocm_pkg.model.digest import Digest
    from ocm_pkg.ports import Blob

_RECORD = 10_240


def write_archive(
    out: BinaryIO,
    index: bytes,
    blobs: Mapping[str, Part],
    *,
    packed: bool,
    step: Callable[[str], None],
) -> None:
    """Write the index, the folder and then the blobs, which are given by their names, sorted.

    Times, owners and the header of the gzip are fixed. ``step`` is called before each part.
    Raises ``OSError``.
    """
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(gzipped(out)) if packed else out
        step("archive.index")
        count = _file(stream, ctfindex.NAME, len(index), io.BytesIO(index))
        folder = tarfile.TarInfo(ctfindex.BLOBS)
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        count += stream.write(_header(folder))
        for name in sorted(blobs):
            step("archive.blob")
            with blobs[name].open() as content:
                count += _file(stream, name, blobs[name].size, content)
        step("archive.end")
        end = 2 * tarfile.BLOCKSIZE
        stream.write(bytes(end + -(count + end) % _RECORD))


def _header(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.PAX_FORMAT)


def _file(out: BinaryIO, name: str, size: int, content: BinaryIO) -> int:
    """Write one file; return how many bytes that were."""
    info = tarfile.TarInfo(name)
    info.size = size
    header = _header(info)
    out.write(header)
    left = size
    while left:
        chunk = content.read(min(left, BUFFER))
        if not chunk:
            raise OSError(f"{name} ends too early")
        out.write(chunk)
        left -= len(chunk)
    padding = -size % tarfile.BLOCKSIZE
    out.write(bytes(padding))
    return len(header) + size + padding


class Stage:
    """Content on its way into an archive, in a file without a name in ``folder``.

    It is gone when nothing refers to it any more, also if the process is killed.
    """

    def __init__(self, folder: Path) -> None:
        with storage_errors(f"writing to {folder}", folder):
            unnamed = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - lives as long as the stage
        weakref.finalize(self, unnamed.close)
        self._out = cast("BinaryIO", unnamed)
        self._handle = Handle(os.dup(unnamed.fileno()))
        self._folder = folder
        self._lock = Lock()
        self.parts: dict[Digest, Part] = {}

    def push(self, blob: Blob) -> tuple[Digest, int]:
        """Take content, reading it once; return its digest and size.

        Raises ``DigestMismatchError`` if it isn't what it promises, and ``NoSpaceError``; what was
        taken before stays.
        """
        with self._lock, storage_errors(f"writing to {self._folder}", self._folder):
            start = self._out.seek(0, os.SEEK_END)
            try:
                digest, size = copy_blob(blob, self._out)
                self._out.flush()
            except BaseException:
                self._forget(start)
                raise
            self.parts[digest] = Part(self._handle, start, size)
        return digest, size

    def _forget(self, start: int) -> None:
        """Cut off what was written in vain."""
        with contextlib.suppress(OSError):
            self._out.flush()
        with contextlib.suppress(OSError):
            os.ftruncate(self._handle.fd, start)
            self._out.seek(start)
