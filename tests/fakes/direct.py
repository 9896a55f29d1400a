"""A registry store over a registry of this process, without sockets: for unit tests."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from ocm_pkg.store.client import RegistryClient
from ocm_pkg.store.exchange import Headers, Response
from ocm_pkg.store.memory import MemoryStore
from ocm_pkg.store.registry import RegistryStore
from tests.fakes.registry_calls import Calls, body_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ocm_pkg.store.exchange import Request


class DirectTransport:
    """Hands requests to a registry; ``change`` may give another answer to one.

    ``change`` is called with the method, the path and the answer of the registry.
    """

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.asked: list[str] = []
        self.change: Callable[[str, str, Response], Response | None] = lambda *_: None

    def send(self, request: Request) -> Response:
        data = b""
        if request.body is not None:
            with request.body.open() as stream:
                data = b"".join(iter(lambda: stream.read(65536), b""))
            assert len(data) == request.body.length
        target = request.url.removeprefix("http://registry.test")
        self.asked.append(f"{request.method} {target}")
        headers = {name.replace("-", "_"): value for name, value in request.headers.items()}
        answer = self.calls.ask(request.method, target, data, **headers)
        body = b"" if answer.status == 204 else body_of(answer)
        pairs = [(name, str(value)) for name, value in answer.headers.items()]
        pairs.append(("Content-Length", str(len(body))))
        given = answered(answer.status, b"" if request.method == "HEAD" else body, *pairs)
        return self.change(request.method, target, given) or given

    def close(self) -> None:
        pass


def answered(status: int, body: bytes = b"", *headers: tuple[str, str]) -> Response:
    """Return an answer that was received."""
    return Response(status, Headers(headers), "http://registry.test/v2/x", io.BytesIO(body))


class Direct:
    """``store`` and the registry that it is connected to; ``now`` is its clock."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self.behind = MemoryStore()
        self.transport = DirectTransport(Calls(self.behind, folder))
        client = RegistryClient(
            "http://registry.test", self.transport, sleep=self.waits.append, random=lambda: 1.0
        )
        self.store = RegistryStore(
            client,
            clock=lambda: self.now,
            sleep=self.waits.append,
            random=lambda: 0.5,
            **options,
        )

    @property
    def methods(self) -> list[str]:
        """The methods of the requests so far."""
        return [one.partition(" ")[0] for one in self.transport.asked]
