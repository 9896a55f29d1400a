"""A package index on the loopback interface, with TLS and a password."""

from __future__ import annotations

import base64
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from tests.fakes.certificates import Pair


class PackageIndex:
    """Serves the wheels of a folder; ``asked`` are the paths of the requests with the password."""

    def __init__(self, folder: Path, pair: Pair, user: str, password: str) -> None:
        self.asked: list[str] = []
        wanted = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.headers.get("Authorization") != wanted:
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="packages"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                index.asked.append(self.path)
                name = self.path.strip("/").rpartition("/")[2]
                wheel = folder / name
                if self.path.startswith("/files/") and wheel.is_file():
                    self._answer("application/octet-stream", wheel.read_bytes())
                else:
                    self._answer("text/html", index.page(folder, name).encode())

            def _answer(self, kind: str, content: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = pair.server_context().wrap_socket(
            self._server.socket, server_side=True
        )
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"https://{user}:{password}@127.0.0.1:{self._server.server_port}/simple"

    @staticmethod
    def page(folder: Path, project: str) -> str:
        """Return the page of a project: links to its wheels."""
        files = [
            path.name
            for path in sorted(folder.glob("*.whl"))
            if re.sub(r"[-_.]+", "-", path.name.partition("-")[0]).lower() == project
        ]
        return "<html>" + "".join(f'<a href="/files/{name}">{name}</a>' for name in files)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
