"""The socket of one client: what comes in and goes out, always within limits of time and size."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import socket
import time
from typing import TYPE_CHECKING, BinaryIO

from ocm_pkg.store.serving.message import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocm_pkg.store.serving.limits import ServerLimits

_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]{0,256})?")
_BUFFER = 64 * 1024
_PIECE = 16 * 1024 * 1024
_LINE = 512
_TRAILERS = 16
_LINGER = 2.0


class Pace:
    """Holds one transfer to a minimum speed, once it has lasted for some time."""

    def __init__(self, limits: ServerLimits) -> None:
        self._grace = limits.slow_seconds
        self._speed = limits.min_speed
        self._start = time.monotonic()
        self._count = 0

    def moved(self, count: int) -> None:
        """Take note of bytes; raises ``TimeoutError`` if they are too few by now."""
        self._count += count
        seconds = time.monotonic() - self._start - self._grace
        if seconds > 0 and self._count < seconds * self._speed:
            raise TimeoutError("the client is too slow")


class Wire:
    """A connected socket with a small buffer of what came in and was not asked for yet."""

    def __init__(self, stream: socket.socket, limits: ServerLimits) -> None:
        self.stream = stream
        self.limits = limits
        self._buffer = bytearray()

    def wait(self) -> bool:
        """Wait for the first byte of a request; false if none comes."""
        if self._buffer:
            return True
        self.stream.settimeout(self.limits.idle)
        try:
            return self._receive() > 0
        except OSError:
            return False

    def _receive(self) -> int:
        data = self.stream.recv(_BUFFER)
        self._buffer += data
        return len(data)

    def head(self) -> bytes:
        """Return the bytes up to the empty line, without it.

        Raises ``RefusedError`` if there are too many, ``TimeoutError`` if they take too long, and
        ``ConnectionError`` if they end early.
        """
        deadline = time.monotonic() + self.limits.head_seconds
        searched = 0
        while (end := self._buffer.find(b"\r\n\r\n", searched)) < 0:
            self._check_head(len(self._buffer))
            searched = max(0, len(self._buffer) - 3)
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the head takes too long")
            self.stream.settimeout(left)
            if not self._receive():
                raise ConnectionError("the head ends early")
        self._check_head(end)
        head = bytes(self._buffer[:end])
        del self._buffer[: end + 4]
        return head

    def _check_head(self, size: int) -> None:
        if size > self.limits.head:
            raise RefusedError(431, "UNSUPPORTED", "the headers are too long")

    def line(self, pace: Pace) -> bytes:
        """Return a short line without its end, or raise ``ConnectionError``."""
        while (end := self._buffer.find(b"\r\n")) < 0:
            pace.moved(0)
            if len(self._buffer) > _LINE or not self._receive():
                raise ConnectionError("a line is missing")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def readinto(self, view: memoryview) -> int:
        """Fill ``view`` with what is next; raises ``ConnectionError`` at the end of it all."""
        if self._buffer:
            count = min(len(view), len(self._buffer))
            view[:count] = self._buffer[:count]
            del self._buffer[:count]
            return count
        count = self.stream.recv_into(view)
        if count == 0:
            raise ConnectionError("the body ends early")
        return count

    def send(self, data: bytes | memoryview) -> None:
        """Send it all."""
        self.stream.settimeout(self.limits.idle + len(data) / max(1, self.limits.min_speed))
        self.stream.sendall(data)

    def send_file(self, file: BinaryIO, offset: int, length: int) -> None:
        """Send a part of an open file, by the system itself where it can."""
        pace = Pace(self.limits)
        self.stream.settimeout(self.limits.idle)
        send = self._send_read if hasattr(self.stream, "unwrap") else self._send_by_system
        while length:
            count = send(file, offset, min(length, _PIECE))
            if not count:
                raise ConnectionError("the file became shorter")
            pace.moved(count)
            offset += count
            length -= count

    def _send_by_system(self, file: BinaryIO, offset: int, length: int) -> int:
        while True:
            try:
                return os.sendfile(self.stream.fileno(), file.fileno(), offset, length)
            except BlockingIOError:
                self._wait_to_send()

    def _wait_to_send(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self.stream, selectors.EVENT_WRITE)
            if not selector.select(self.limits.idle):
                raise TimeoutError("the client does not read")

    def _send_read(self, file: BinaryIO, offset: int, length: int) -> int:
        data = os.pread(file.fileno(), min(length, _BUFFER), offset)
        self.stream.sendall(data)
        return len(data)

    def finish(self) -> None:
        """Say that nothing more comes, and read for a moment what is on its way.

        A client that is still sending would otherwise lose the answer by a reset.
        """
        unwrap = getattr(self.stream, "unwrap", None)
        if unwrap is not None:
            # Says so within TLS; it would wait for the same from the other side.
            self.stream.settimeout(0)
            with contextlib.suppress(OSError, ValueError):
                unwrap()
        socket.socket.shutdown(self.stream, socket.SHUT_WR)
        deadline = time.monotonic() + _LINGER
        view = memoryview(bytearray(_BUFFER))
        while (left := deadline - time.monotonic()) > 0:
            self.stream.settimeout(left)
            # Below TLS: nobody wants to know any more what it says.
            if not socket.socket.recv_into(self.stream, view):
                return


class WireBody:
    """The body of one request, as long as it says or in chunks; see ``message.Body``."""

    def __init__(
        self, wire: Wire, length: int | None, *, before: Callable[[], None] | None = None
    ) -> None:
        self.length = length
        self._wire = wire
        self._before = before
        self._left = length if length is not None else 0
        self._ended = length == 0
        self._seen = 0
        self._limit: int | None = None
        self._break: int | None = None
        self._pace: Pace | None = None

    @property
    def ended(self) -> bool:
        """Whether it was read to its end."""
        return self._ended

    @property
    def untouched(self) -> bool:
        """Whether the client waits to be asked for the body, and was not."""
        return self._before is not None

    def limit(self, count: int) -> None:
        """See ``message.Body``."""
        self._limit = count

    def break_after(self, count: int) -> None:
        """See ``message.Body``."""
        self._break = count

    def readinto(self, buffer: memoryview) -> int:
        """See ``message.Body``; raises ``OSError`` if the client hangs up or is too slow."""
        if self._break is not None:
            buffer = buffer[: self._break - self._seen]
            if not len(buffer):
                raise ConnectionAbortedError("broken on purpose")
        if self._limit is not None and self._seen >= self._limit:
            self.drain(None)
            return 0
        if self._limit is not None:
            buffer = buffer[: self._limit - self._seen]
        return self._read(buffer)

    def _read(self, buffer: memoryview) -> int:
        if self._before is not None:
            before, self._before = self._before, None
            before()
        if self._pace is None:
            self._pace = Pace(self._wire.limits)
            self._wire.stream.settimeout(self._wire.limits.idle)
        if self.length is None and not self._ended and self._left == 0:
            self._next_chunk(self._pace)
        if self._ended:
            return 0
        count = self._receive(buffer[: self._left])
        self._seen += count
        self._left -= count
        self._pace.moved(count)
        if self._left == 0:
            self._end_piece(self._pace)
        return count

    def _receive(self, buffer: memoryview) -> int:
        try:
            return self._wire.readinto(buffer)
        except (ConnectionError, TimeoutError):
            raise
        except OSError as error:
            raise ConnectionAbortedError(str(error)) from error

    def _end_piece(self, pace: Pace) -> None:
        if self.length is not None:
            self._ended = True
        elif self._wire.line(pace):
            raise ConnectionError("a chunk is longer than it says")

    def _next_chunk(self, pace: Pace) -> None:
        match = _CHUNK_SIZE.fullmatch(self._wire.line(pace))
        if match is None:
            raise ConnectionError("this is not a chunk")
        self._left = int(match[1], 16)
        if self._left == 0:
            self._ended = True
            for _ in range(_TRAILERS):
                if not self._wire.line(pace):
                    return
            raise ConnectionError("too many trailers")

    def drain(self, most: int | None) -> bool:
        """Read and forget what is left, if it is not more than ``most``; whether it all was."""
        view = memoryview(bytearray(_BUFFER))
        count = 0
        while not self._ended and (most is None or count <= most):
            count += self._read(view)
        return self._ended
