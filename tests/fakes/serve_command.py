"""``ocm-pkg serve`` as a process of its own."""

from __future__ import annotations

import http.client
import json
import signal
import ssl
import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ocm_pkg.model.digest import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocm_pkg.model.digest import Digest


@dataclass
class Serving:
    """The running command; ``url`` is what it printed."""

    process: subprocess.Popen[str]
    url: str
    authority: Path | None = None

    def ask(
        self, method: str, target: str, body: object = None, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Return status, headers and body of one request."""
        with closing(self.connect()) as client:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            client.request(method, target, body, named)  # type: ignore[arg-type]
            answer = client.getresponse()
            return answer.status, answer.headers, answer.read()

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection, over TLS if that is what it serves."""
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        if self.authority is None:
            return http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
        context = ssl.create_default_context(cafile=self.authority)
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=20, context=context)

    def push(self, name: str, data: bytes) -> Digest:
        """Store a blob; return its digest."""
        digest = digest_of(data)
        status, _headers, _body = self.ask(
            "POST", f"/v2/{name}/blobs/uploads/?digest={digest}", data
        )
        assert status == 201
        return digest

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(20)


@contextmanager
def serving(
    ctf: Path | str, *options: object, cwd: Path, authority: Path | None = None
) -> Iterator[Serving]:
    """Run the command on a free port of loopback."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "ocm_pkg",
            "serve",
            str(ctf),
            "--listen",
            "127.0.0.1:0",
            "-o",
            "json",
            *map(str, options),
        ],
        cwd=cwd,
        env={"HOME": str(cwd), "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            yield Serving(process, json.loads(line)["url"], authority)
        finally:
            process.kill()
