"""Content that a command made or copied for itself, already hashed: a store may take the file."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from ocm_pkg.fs.blob import FileBlob, open_regular

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from ocm_pkg.model.digest import Digest


class StagedBlob(FileBlob):
    """A file in a private folder, which nobody but this command knows.

    Its digest and size were computed from the very bytes that were written to it, so a store on
    the same file system keeps the file itself instead of reading and hashing it once more.
    """

    def __init__(self, path: Path, media_type: str, size: int, digest: Digest) -> None:
        super().__init__(path, media_type, size, digest, follow_links=False)

    def plain(self, offset: int = 0) -> BinaryIO:
        """Return a stream from ``offset`` that does not hash its bytes once more."""
        stream = open_regular(self.path, follow_links=False)
        stream.seek(offset)
        return stream

    def move(self, target: Path, mode: int) -> bool:
        """Sync the file and rename it to ``target``, from where it is read from now on.

        Returns false, and does nothing, if it was moved before or is on another file system.
        Raises ``OSError``. The caller syncs the folder.
        """
        if not self.path.exists() or self.path.stat().st_dev != target.parent.stat().st_dev:
            return False
        with self.path.open("rb") as stream:
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        try:
            self.path.replace(target)
        except OSError as error:
            # Two mounts of one file system have the same device number.
            if error.errno != errno.EXDEV:
                raise
            return False
        self.path = target
        return True
