"""A transport that answers from a script and keeps what it was asked."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from ocm_pkg.store.exchange import Headers, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ocm_pkg.store.exchange import Request


@dataclass(frozen=True)
class Asked:
    """A request as it arrived: its body was opened and read once."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None

    def header(self, name: str) -> str | None:
        """Return a header's value, whatever the case of its name."""
        return next((v for k, v in self.headers.items() if k.lower() == name.lower()), None)


def answer(
    status: int = 200,
    body: bytes | str | dict[str, Any] | list[Any] = b"",
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
) -> Callable[[Request], Response]:
    """Return a scripted answer; a ``dict`` or ``list`` is sent as JSON."""
    pairs = list(headers.items() if hasattr(headers, "items") else headers)
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
        if not any(name.lower() == "content-type" for name, _ in pairs):
            pairs.append(("Content-Type", "application/json"))
    data = body.encode() if isinstance(body, str) else body
    if not any(name.lower() == "content-length" for name, _ in pairs):
        pairs.append(("Content-Length", str(len(data))))

    def respond(request: Request) -> Response:
        sent = b"" if request.method == "HEAD" else data
        return Response(status, Headers(pairs), request.url, io.BytesIO(sent))

    return respond


class FakeTransport:
    """Pops one item of its script for each request: a function of the request, or an error.

    With ``default``, that function answers when the script has ended. ``asked`` has all requests.
    """

    def __init__(
        self,
        script: Iterable[Callable[[Request], Response] | BaseException] = (),
        default: Callable[[Request], Response] | None = None,
    ) -> None:
        self.script = list(script)
        self.default = default
        self.asked: list[Asked] = []
        self.closed = False
        self._lock = Lock()

    def send(self, request: Request) -> Response:
        body = None
        if request.body is not None:
            with request.body.open() as stream:
                body = stream.read()
            assert len(body) == request.body.length
        with self._lock:
            self.asked.append(Asked(request.method, request.url, dict(request.headers), body))
            assert self.script or self.default, f"not in the script: {request}"
            item = self.script.pop(0) if self.script else self.default
        if isinstance(item, BaseException):
            raise item
        return item(request)

    def close(self) -> None:
        self.closed = True
