"""A server on a unix socket that gives recorded answers, byte for byte, one after the other."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class RecordedServer:
    """Answers the n-th request with the n-th recorded answer, and keeps what it was asked."""

    def __init__(self, path: Path, exchanges: list[dict[str, Any]]) -> None:
        self.asked: list[tuple[str, str, dict[str, str], str]] = []
        self._exchanges = exchanges
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()

    def run(self) -> None:
        """Answer until the recording is over."""
        for exchange in self._exchanges:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._answer(connection, exchange)

    def close(self) -> None:
        """End a server that still waits."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _answer(self, connection: socket.socket, exchange: dict[str, Any]) -> None:
        with connection.makefile("rb") as stream:
            method, target, _ = stream.readline().decode().split()
            headers = {}
            while line := stream.readline().decode().strip():
                name, _, value = line.partition(": ")
                headers[name.lower()] = value
            sent = stream.read(int(headers.get("content-length", 0))).decode()
        self.asked.append((method, target, headers, sent))
        response = exchange["response"]
        body = response["body"].encode()
        headers = dict(response["headers"])
        if b"<" in body and "Content-Length" in headers:
            # Placeholders took the place of texts of another length.
            headers["Content-Length"] = str(len(body))
        lines = [f"HTTP/1.1 {response['status']} Recorded"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        data = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
        connection.sendall(data)


@contextlib.contextmanager
def recorded_server(path: Path, exchanges: list[dict[str, Any]]) -> Iterator[RecordedServer]:
    """Run a server in a thread for the block."""
    server = RecordedServer(path, exchanges)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join(5)
