"""A wire to a real server that is cut, on both sides, when so many bytes went over it."""

from __future__ import annotations

import contextlib
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Cutter:
    """Forwards connections to ``host``; ``cut(up=...)`` or ``cut(down=...)`` arms it once."""

    def __init__(self, host: str) -> None:
        name, _, port = host.rpartition(":")
        self._target = (name, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._left: dict[str, int] = {}
        self.cuts = 0
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, target: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self, *, up: int | None = None, down: int | None = None) -> None:
        """Cut after so many more bytes to the server, or from it."""
        with self._lock:
            self._left = {
                way: count for way, count in (("up", up), ("down", down)) if count is not None
            }

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                self._sockets += (client, server)
                self._start(self._pump, client, server, "up")
                self._start(self._pump, server, client, "down")

    def _pump(self, source: socket.socket, target: socket.socket, way: str) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                allowed = self._allowed(way, len(data))
                target.sendall(data[:allowed])
                if allowed < len(data):
                    self.cuts += 1
                    for end in (source, target):
                        end.shutdown(socket.SHUT_RDWR)
                    return
            target.shutdown(socket.SHUT_WR)

    def _allowed(self, way: str, count: int) -> int:
        with self._lock:
            if way not in self._left:
                return count
            left = self._left[way]
            self._left[way] = left - count
            if left >= count:
                return count
            self._left = {}
            return left

    def close(self) -> None:
        """Listen no more, and let all connections go."""
        for one in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(5)


@contextmanager
def cutter(host: str) -> Iterator[Cutter]:
    """Give a wire to ``host``, which is ``127.0.0.1:PORT``."""
    wire = Cutter(host)
    try:
        yield wire
    finally:
        wire.close()
