"""Two things that a large copy does aside: hashing, and getting written content to the disk."""

from __future__ import annotations

import contextlib
import os
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from ocm_pkg.model.digest import Hasher

_SYNC_EVERY = 64 * 1024 * 1024


class HashThread:
    """Hashes buffers in a thread of its own, while its caller writes and reads.

    ``hashlib`` gives the interpreter free, so both run at once. ``buffer`` waits for a buffer that
    is free again: memory stays bounded. At the end of the ``with`` block everything was hashed.
    """

    def __init__(self, hasher: Hasher, size: int, count: int = 4) -> None:
        self._hasher = hasher
        self._free: SimpleQueue[memoryview] = SimpleQueue()
        self._full: SimpleQueue[tuple[memoryview, int] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="hash", daemon=True)
        for _ in range(count):
            self._free.put(memoryview(bytearray(size)))

    def buffer(self) -> memoryview:
        """Return a buffer to fill."""
        return self._free.get()

    def hash(self, buffer: memoryview, length: int) -> None:
        """Hash the first ``length`` bytes of a buffer, which is the thread's from now on."""
        self._full.put((buffer, length))

    def _run(self) -> None:
        while (item := self._full.get()) is not None:
            buffer, length = item
            self._hasher.update(buffer[:length])
            self._free.put(buffer)

    def __enter__(self) -> HashThread:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._full.put(None)
        self._thread.join()


class EarlySync:
    """Starts to sync a file while it is still written, so that its sync at the end is short.

    It promises nothing: errors show up again at that last sync.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._written = 0
        self._asked: SimpleQueue[bool] = SimpleQueue()
        self._thread: Thread | None = None

    def wrote(self, count: int) -> None:
        """Take note of ``count`` more bytes."""
        before, self._written = self._written, self._written + count
        if before // _SYNC_EVERY == self._written // _SYNC_EVERY:
            return
        if self._thread is None:
            self._thread = Thread(target=self._run, name="sync", daemon=True)
            self._thread.start()
        self._asked.put(True)

    def _run(self) -> None:
        datasync = getattr(os, "fdatasync", os.fsync)
        while self._asked.get():
            with contextlib.suppress(OSError):
                datasync(self._fd)

    def __enter__(self) -> EarlySync:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._thread is not None:
            self._asked.put(False)
            self._thread.join()
