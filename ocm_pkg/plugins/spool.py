"""Content that a plugin hands over, and that is no file of its own."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ocm_pkg.fs.atomic import PendingFile, remove_tree, storage_errors
from ocm_pkg.fs.blob import copy_blob

if TYPE_CHECKING:
    from ocm_pkg.ports import Blob


class Spool:
    """A private folder for content that is no file of its own; made when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folder: Path | None = None

    def store(self, blob: Blob) -> Path:
        """Return a file with the content, verified while it was written."""
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="ocm-"))
        with PendingFile(self._folder) as pending:
            with storage_errors(f"writing to {self._folder}", self._folder):
                digest, _ = copy_blob(blob, pending.stream)
            path = self._folder / digest.hex
            pending.commit(path, 0o600, name_durable=False)
        return path

    def close(self) -> None:
        """Remove the folder and all that is in it."""
        with self._lock:
            if self._folder is not None:
                remove_tree(self._folder)
                self._folder = None
