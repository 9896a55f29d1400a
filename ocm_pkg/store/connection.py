"""One connection to a registry: sending a request over it, and the body of an answer."""

from __future__ import annotations

import contextlib
import io
import select
import socket
import threading
import time
from typing import TYPE_CHECKING, BinaryIO, Protocol

from ocm_pkg._typing import override
from ocm_pkg.errors import DigestMismatchError
from ocm_pkg.fs.blob import read_into
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.store.exchange import ExchangeError
from ocm_pkg.store.pace import Pace, TooSlowError
from ocm_pkg.store.wire import Source, WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocm_pkg.store.exchange import Body
    from ocm_pkg.store.pace import Limits
    from ocm_pkg.store.wire import Framing

BUFFER = 1024 * 1024
"""How many bytes of a body are read and sent at a time."""

_INTERIM = b"HTTP/1.1 1"
_TLS_PIECE = 64 * 1024
_DRAINED = 64 * 1024
_DRAIN_SECONDS = 0.05


class Channel(Protocol):
    """What a connection needs of a socket, with TLS or without."""

    def settimeout(self, value: float | None, /) -> None:
        """Limit the seconds that one call waits."""

    def recv_into(self, buffer: memoryview, /) -> int:
        """Receive into a buffer; 0 at the end."""

    def send(self, data: memoryview, /) -> int:
        """Send some of the data."""

    def fileno(self) -> int:
        """Return the number of the open file."""

    def close(self) -> None:
        """Close it."""


class Connection:
    """A connection that stands. ``uses`` counts the exchanges that were made over it."""

    def __init__(self, channel: Channel, raw: socket.socket, *, plain: bool) -> None:
        self.uses = 0
        self.idle_since = 0.0
        self.deadline: float | None = None
        self.owner = threading.get_ident()
        self._channel = channel
        self._raw = raw
        self._plain = plain
        self.source = Source(self._receive)

    def patience(self, seconds: float) -> None:
        """Let each call wait that long; there is no deadline any more."""
        self.deadline = None
        self._channel.settimeout(seconds)

    def _receive(self, view: memoryview) -> int:
        if self.deadline is not None:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._channel.settimeout(left)
        return self._channel.recv_into(view)

    def send(self, head: bytes, body: Body | None, limits: Limits) -> bool:
        """Send a request; false if an answer, or the end, came before all of it was sent."""
        self.patience(limits.timeout)
        self.source.heard = False
        sender = _Sender(self._channel, self._raw if self._plain else None, limits.timeout)
        if body is None or not body.length:
            sender.send(memoryview(head))
            return True
        with body.open() as stream:
            buffer = memoryview(bytearray(min(BUFFER, len(head) + body.length)))
            buffer[: len(head)] = head
            start, left = len(head), body.length
            while left:
                filled = start + _fill(stream, buffer[start : start + left], body.length, left)
                left -= filled - start
                if not left:
                    _check_ended(stream, body.length)
                if not sender.send(buffer[:filled]):
                    return False
                start = 0
        return True

    def has_news(self) -> bool:
        """Whether something came, or the connection ended, without anybody asking."""
        poll = select.poll()
        poll.register(self._raw, select.POLLIN)
        return bool(self.source.waiting) or bool(poll.poll(0))

    def is_over(self) -> bool:
        """Whether more came than belongs to the answer that was read."""
        if self.source.waiting:
            return True
        if not self._plain or not self.has_news():
            return False
        with contextlib.suppress(OSError):
            return bool(self._raw.recv(1, socket.MSG_PEEK))
        return False

    def shut(self) -> None:
        """End the connection at once, also for a thread that waits for it."""
        with contextlib.suppress(OSError):
            self._raw.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()


class _Sender:
    """Sends what it is given, until the other side answers ahead of its time.

    With TLS (no ``raw``) that is not noticed: what came may be TLS's own.
    """

    def __init__(self, channel: Channel, raw: socket.socket | None, timeout: float) -> None:
        self._channel = channel
        self._raw = raw
        self._timeout = timeout
        self._pace = Pace(timeout, time.monotonic)
        # TLS sends all that it is given, or times out: with less it keeps up on slow lines.
        self._most = BUFFER if raw is not None else _TLS_PIECE
        self._poll = select.poll()
        if raw is not None:
            self._poll.register(raw, select.POLLIN | select.POLLOUT)

    def send(self, view: memoryview) -> bool:
        """Send all of it; false if that is no longer wanted."""
        while view:
            self._pace.start()
            if self._raw is not None and self._is_answered(self._raw):
                return False
            count = self._channel.send(view[: self._most])
            self._pace.moved(count)
            view = view[count:]
        return True

    def _is_answered(self, raw: socket.socket) -> bool:
        """Wait until more can be sent, or an answer came."""
        while True:
            ready = self._poll.poll(self._timeout * 1000)
            if not ready:
                raise TimeoutError
            if not ready[0][1] & ~select.POLLOUT:
                return False
            with contextlib.suppress(OSError):
                if raw.recv(len(_INTERIM), socket.MSG_PEEK).startswith(_INTERIM):
                    # It stays unread until all is sent.
                    self._poll.modify(raw, select.POLLOUT)
                    continue
            return True


def _fill(stream: BinaryIO, view: memoryview, length: int, left: int) -> int:
    """Fill ``view`` from a body, of whose ``length`` bytes ``left`` are still to come."""
    filled = 0
    while filled < len(view):
        count = _readinto(stream, view[filled:])
        if not count:
            raise _changed(f"it ends after {length - left + filled} of {length} bytes")
        filled += count
    return filled


def _readinto(stream: BinaryIO, view: memoryview) -> int:
    with storage_errors("cannot read what is to be sent"):
        return read_into(stream, view)


def _check_ended(stream: BinaryIO, length: int) -> None:
    if _readinto(stream, memoryview(bytearray(1))):
        raise _changed(f"it is longer than {length} bytes")


def _changed(reason: str) -> DigestMismatchError:
    return DigestMismatchError(
        f"content changed while it was sent: {reason}", hint="leave it alone, and try again"
    )


class BodyStream(io.RawIOBase):
    """The body of an answer, as it was sent.

    ``release`` is called once, when all was read or the stream is closed: with whether the
    connection can be used again. ``explain`` makes the error for what reading raised.
    """

    def __init__(
        self,
        connection: Connection,
        framing: Framing,
        limits: Limits,
        explain: Callable[[Exception], ExchangeError],
        release: Callable[[bool], None],
    ) -> None:
        super().__init__()
        self._connection = connection
        self._framing = framing
        self._limits = limits
        self._explain = explain
        self._release: Callable[[bool], None] | None = release
        self._pace = Pace(limits.timeout, time.monotonic)
        self._failed: ExchangeError | None = None
        self._reading = False
        connection.patience(limits.timeout)
        if framing.left == 0:
            self._let_go(reusable=not connection.is_over())

    def hurry(self) -> None:
        """Give what is left of the body a deadline."""
        if self._release is not None:
            self._connection.deadline = time.monotonic() + self._limits.timeout

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Fill some of ``buffer``; 0 at the end of the body."""
        if self._failed is not None:
            raise self._failed
        view = memoryview(buffer)
        if self._release is None or not view:
            return 0
        self._reading = True
        try:
            self._pace.start()
            count = self._framing.readinto(view)
            self._pace.moved(count)
            if not count or self._framing.left == 0:
                self._finish()
        except (OSError, WireError, TooSlowError) as error:
            raise self._fail(error) from error
        finally:
            self._reading = False
        return count

    def _finish(self) -> None:
        over = self._connection.is_over()
        self._let_go(reusable=not over)
        if over:
            raise WireError("goes on after its end")

    def _fail(self, error: Exception) -> ExchangeError:
        self._let_go(reusable=False)
        self._failed = self._explain(error)
        return self._failed

    def _let_go(self, *, reusable: bool) -> None:
        release, self._release = self._release, None
        if release is not None:
            release(reusable)

    @override
    def close(self) -> None:
        """Give the connection up, unless the little that is left of the body is there already.

        A thread that reads meanwhile is told that the connection broke.
        """
        if self._reading:
            self._connection.shut()
        elif not self.closed and self._release is not None:
            with contextlib.suppress(OSError, WireError, TooSlowError, ExchangeError):
                self._drain()
        self._let_go(reusable=False)
        super().close()

    def _drain(self) -> None:
        left = self._framing.left
        if left is None or left > _DRAINED:
            return
        self._connection.deadline = time.monotonic() + _DRAIN_SECONDS
        scratch = memoryview(bytearray(left))
        while self._release is not None:
            self.readinto(scratch)
