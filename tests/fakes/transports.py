"""Transports with short limits, and requests in one line."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.errors import TransportError
from ocm_pkg.model.config_settings import HttpSettings
from ocm_pkg.store.exchange import Body, Request
from ocm_pkg.store.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ocm_pkg.store.exchange import Response


def settings(**seconds: float) -> HttpSettings:
    """Return settings of durations in seconds."""
    return HttpSettings(**{name: int(value * 1e9) for name, value in seconds.items()})


class Asker:
    """Asks over one transport."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def __call__(
        self, url: str, method: str = "GET", *, body: Body | bytes | None = None, **headers: str
    ) -> Response:
        """Return the answer; ``_`` in the name of a header stands for ``-``."""
        content = Body.of(body) if isinstance(body, bytes) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.transport.send(Request(method, url, named, content))

    def text(self, url: str, method: str = "GET", **more: Any) -> str:
        """Return the whole body of the answer, at most 64 KiB."""
        return self(url, method, **more).read(65536).decode()


@contextmanager
def asking(
    *,
    http: HttpSettings | None = None,
    environ: Mapping[str, str] | None = None,
    home: Path | None = None,
    **more: Any,
) -> Iterator[Asker]:
    """Give something to ask with; without ``http``, nothing may take over five seconds."""
    http = http or settings(timeout=5)
    transport = Transport(http=http, environ=environ or {}, home=home, **more)
    try:
        yield Asker(transport)
    finally:
        transport.close()


def failing(ask: Asker, url: str, method: str = "GET", **more: Any) -> Any:
    """Return the error of an exchange that must fail; its ``seconds`` are how long that took."""
    started = time.monotonic()
    with pytest.raises(TransportError) as caught:
        ask(url, method, **more).read(1 << 20)
    error: Any = caught.value
    error.seconds = time.monotonic() - started
    assert error.code == "E503"
    return error
