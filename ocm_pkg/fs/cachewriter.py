"""Keeps a second copy of content while it is read, without delaying its reader."""

from __future__ import annotations

from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from ocm_pkg._typing import override
from ocm_pkg.fs.atomic import PendingFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_ASIDE = 4 * 1024**2
"""Content above this is written in a thread of its own."""

_BUFFER = 1024**2
_BUFFERS = 2


class UnsyncedFile(PendingFile):
    """A temporary file that gets its name without a sync: its readers verify what they read."""

    def put(self, target: Path) -> None:
        """Give the file its name, on the same file system; raises ``OSError``."""
        if self._path is not None:
            self.stream.flush()
            self._path.replace(target)
            self._path = None

    @override
    def __enter__(self) -> UnsyncedFile:
        return self


class ItemWriter:
    """Takes the content of one item; nothing that it does raises.

    After a failed write the item is given up, and the rest of it goes nowhere. End it with
    ``commit``, or with ``discard``.
    """

    def __init__(self, pending: PendingFile, size: int, put: Callable[[], None]) -> None:
        self._pending = pending
        self._put = put
        self._failed = False
        self._aside = _Aside(self._write) if size > _ASIDE else None

    def write(self, data: memoryview) -> None:
        """Take the next bytes, which are copied: the buffer is the caller's again."""
        if self._failed:
            return
        if self._aside is None:
            self._write(data)
        else:
            self._aside.write(data)

    def _write(self, data: memoryview) -> None:
        try:
            while len(data) and not self._failed:
                data = data[self._pending.stream.write(data) :]
        except OSError:
            self._failed = True

    def commit(self) -> None:
        """Let the item appear: all of it was taken, and it was verified."""
        self._settle()
        try:
            if not self._failed:
                self._put()
        except OSError:
            pass
        finally:
            self._pending.discard()

    def discard(self) -> None:
        """Forget the item."""
        self._failed = True
        self._settle()
        self._pending.discard()

    def _settle(self) -> None:
        aside, self._aside = self._aside, None
        if aside is not None:
            aside.finish()


class _Aside:
    """Calls ``write`` in a thread with what it is given, through a few buffers."""

    def __init__(self, write: Callable[[memoryview], None]) -> None:
        self._write = write
        self._free: SimpleQueue[memoryview] = SimpleQueue()
        self._full: SimpleQueue[memoryview | None] = SimpleQueue()
        for _ in range(_BUFFERS):
            self._free.put(memoryview(bytearray(_BUFFER)))
        self._thread = Thread(target=self._run, name="cache", daemon=True)
        self._thread.start()

    def write(self, data: memoryview) -> None:
        while len(data):
            buffer = self._free.get()
            count = min(len(buffer), len(data))
            buffer[:count] = data[:count]
            self._full.put(buffer[:count])
            data = data[count:]

    def _run(self) -> None:
        while (filled := self._full.get()) is not None:
            self._write(filled)
            buffer = filled.obj
            filled.release()
            self._free.put(memoryview(buffer))

    def finish(self) -> None:
        """Wait until everything was written."""
        self._full.put(None)
        self._thread.join()
