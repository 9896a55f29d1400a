"""Reading (and with it hashing) in a thread, while what was read before is sent or written."""

from __future__ import annotations

import io
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, BinaryIO

from ocm_pkg._typing import override

if TYPE_CHECKING:
    from ocm_pkg.fs.blob import Buffer

PIECE = 512 * 1024
"""Bytes of a buffer; each of several transfers at a time has some of these."""

_SOON, _JOIN = 0.1, 1.0
"""Seconds to wait for a read that is under way when a stream is closed before its end."""


class ReadAhead(io.RawIOBase):
    """A stream that reads ``stream`` into ``count`` buffers before they are asked for.

    What reading raises is raised here, after what came before it. Closing it closes ``stream``.
    """

    def __init__(self, stream: BinaryIO, size: int = PIECE, count: int = 4) -> None:
        super().__init__()
        self._stream = stream
        self._free: SimpleQueue[memoryview | None] = SimpleQueue()
        self._full: SimpleQueue[tuple[memoryview, int] | BaseException] = SimpleQueue()
        self._current = self._left = memoryview(b"")
        self._failed: BaseException | None = None
        self._ended = False
        for _ in range(count):
            self._free.put(memoryview(bytearray(size)))
        self._thread = Thread(target=self._run, name="read-ahead", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (buffer := self._free.get()) is not None:
            try:
                count: int = self._stream.readinto(buffer)  # type: ignore[attr-defined]
            except BaseException as error:  # noqa: BLE001 - it is raised where the bytes are wanted
                self._full.put(error)
                return
            self._full.put((buffer, count))
            if not count:
                return

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Buffer, /) -> int:  # type: ignore[override]
        if not self._left and len(buffer) and not self._ended:
            self._next()
        count = min(len(buffer), len(self._left))
        memoryview(buffer)[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def _next(self) -> None:
        if self._failed is not None:
            raise self._failed
        if self._current:
            self._free.put(self._current)
        item = self._full.get()
        if isinstance(item, BaseException):
            self._failed = item
            raise item
        buffer, count = item
        self._ended = count == 0
        self._current, self._left = buffer, buffer[:count]

    @override
    def close(self) -> None:
        if not self.closed:
            while not self._free.empty():
                self._free.get()
            self._free.put(None)
            self._thread.join(_SOON)
            # A thread that waits for the network is woken by this.
            self._stream.close()
            self._thread.join(_JOIN)
        super().close()
