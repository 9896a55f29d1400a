"""A scripted server on loopback for what no HTTP server library would send."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OK = b"HTTP/1.1 200 OK\r\n"


def answered(body: bytes = b"", status: str = "200 OK", *headers: str) -> bytes:
    """Return a whole, good answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@dataclass(frozen=True)
class Received:
    """A request as it came; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    raw: bytes


class Peer:
    """The server's side of one connection."""

    def __init__(self, sock: socket.socket, server: RawServer, number: int) -> None:
        self.sock = sock
        self.server = server
        self.number = number
        self._buffer = b""

    def request(self, *, body: bool = True) -> Received:
        """Read the next request; ``EOFError`` if the client ended the connection."""
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value for name, value in (one.split(": ", 1) for one in lines)}
        length = int(headers.get("content-length", "0")) if body else 0
        while len(self._buffer) < length:
            self._more()
        content, self._buffer = self._buffer[:length], self._buffer[length:]
        received = Received(method, path, headers, content, head + b"\r\n\r\n" + content)
        self.server.requests.append(received)
        return received

    def _more(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        self._buffer += data

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.sock.sendall(data)

    def drip(self, data: bytes, every: float) -> None:
        """Send one byte at a time, until the client has had enough."""
        for number in range(len(data)):
            self.send(data[number : number + 1])
            if self.pause(every):
                return

    def pause(self, seconds: float = 30.0) -> bool:
        """Wait, but not longer than the server and the client stay; true if one of them left."""
        deadline = time.monotonic() + seconds
        poll = select.poll()
        poll.register(self.sock, getattr(select, "POLLRDHUP", select.POLLHUP))
        while (left := deadline - time.monotonic()) > 0:
            if self.server.stopped.wait(min(left, 0.02)) or poll.poll(0):
                return True
        return False

    def half_close(self) -> None:
        """Say that no more is sent, without closing."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """End the connection as a crash does."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def cut(self) -> None:
        """End the connection below TLS, which is not told."""
        if isinstance(self.sock, ssl.SSLSocket):
            self.sock = socket.socket(fileno=self.sock.detach())
        self.close()

    def close(self) -> None:
        """Close it."""
        self.sock.close()


@dataclass
class RawServer:
    """A server that listens; ``requests`` are those that its scripts read, in order."""

    port: int
    scheme: str = "http"
    host: str = "127.0.0.1"
    requests: list[Received] = field(default_factory=list)
    connections: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        """``HOST:PORT``."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL without a path."""
        return f"{self.scheme}://{self.address}"


@contextmanager
def raw_server(
    *scripts: Callable[[Peer], None], tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[RawServer]:
    """Serve each connection by the next script, and all further ones by the last."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family)
    server = RawServer(listener.getsockname()[1], "https" if tls else "http", host)
    threads: list[threading.Thread] = []
    peers: list[Peer] = []

    def handle(sock: socket.socket, number: int) -> None:
        script = scripts[min(number, len(scripts) - 1)]
        with contextlib.suppress(OSError, EOFError, ValueError):
            if tls is not None:
                sock.settimeout(10)
                try:
                    sock = tls.wrap_socket(sock, server_side=True)
                except OSError:
                    sock.close()
                    raise
            peer = Peer(sock, server, number)
            peers.append(peer)
            try:
                script(peer)
            finally:
                peer.close()

    def accept() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=handle, args=(sock, server.connections), daemon=True)
            server.connections += 1
            threads.append(thread)
            thread.start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        server.stopped.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(5)
        for peer in peers:
            with contextlib.suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)


def always(answer: bytes | Callable[[Received], bytes]) -> Callable[[Peer], None]:
    """Return a script that answers each request of its connection, which it keeps open."""

    def script(peer: Peer) -> None:
        while True:
            received = peer.request()
            peer.send(answer(received) if callable(answer) else answer)

    return script


def once(answer: bytes) -> Callable[[Peer], None]:
    """Return a script that sends these bytes to the first request, and closes."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(answer)

    return script


def silent(peer: Peer) -> None:
    """Take a request, and never answer."""
    peer.request()
    peer.pause()
