"""A proxy on loopback before a real registry: every request goes through a hook of the test."""

from __future__ import annotations

import http.client
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from ocm_pkg._typing import override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SINGLE = ("connection", "transfer-encoding", "content-length", "keep-alive")


class Forwarder(ThreadingHTTPServer):
    """``before`` is called ahead of each request that goes on, ``after`` when it was answered."""

    daemon_threads = True
    block_on_close = False

    def __init__(
        self, host: str, before: Callable[[str], object], after: Callable[[str], object]
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.host, self.before, self.after = host, before, after

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients of the tests are killed."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Forwarder

    @override
    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._onward = http.client.HTTPConnection(self.server.host)

    @override
    def finish(self) -> None:
        self._onward.close()
        super().finish()

    def _forward(self) -> None:
        body = self._body()
        what = f"{self.command} {self.path}"
        self.server.before(what)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _SINGLE}
        # The host stays the one that the client named, so that Locations lead through here.
        self._onward.request(self.command, self.path, body=body, headers=headers)
        with self._onward.getresponse() as answer:
            data = answer.read()
            self.server.after(what)
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in (*_SINGLE, "date"):
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _forward  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Write no log."""


@contextmanager
def forwarder(
    host: str,
    *,
    before: Callable[[str], object] = lambda _: None,
    after: Callable[[str], object] = lambda _: None,
) -> Iterator[Forwarder]:
    """Run a proxy before the registry at ``host``; the hooks get texts like ``GET /v2/``."""
    server = Forwarder(host, before, after)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.05), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
