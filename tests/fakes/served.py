"""A registry in this process, on loopback; ``intercept`` makes it misbehave.

with served() as registry:                          # memory; writable
with served(CTFStore(folder, create=True), htpasswd=file, tls=(certificate, key)) as registry:

def intercept(request: Request) -> Response | None: # called before anything is done
    request.method, request.path, request.query, request.headers["range"]
    return None                                     # answer as always
    return Response.error(429, "TOOMANYREQUESTS", headers={"Retry-After": "1"})
    return Response.nothing(reset=True)             # hang up; with reset=True by RST
    event.wait(5); return None                      # a late answer
    return replace(request.answer(), cut=100)       # 100 bytes of the right body, then the end
    return request.answer().with_headers(Docker_Content_Digest="sha256:0...", Location=None)
    return replace(request.answer(), body=b"other") # other content, its length is right
    return Response(200, {"Content-Length": "9"}, pieces())   # a body that comes in pieces,
                                                    # each when the generator gives it
    request.answer(); return Response.error(500, "UNKNOWN")   # done, and then denied
    request.body.limit(10); return None             # only 10 bytes of a chunk are stored
    request.body.break_after(10); return None       # 10 bytes are stored, then the reset
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from ocm_pkg.store.memory import MemoryStore
from ocm_pkg.store.serving import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ocm_pkg.store.base import OCIStore
    from ocm_pkg.store.serving import Request, Response

    Intercept = Callable[[Request], Response | None]


@dataclass
class Served:
    """A running registry, and what it was asked."""

    server: Server
    store: OCIStore
    log: list[str] = field(default_factory=list)
    _requests: list[tuple[str, str]] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    @property
    def url(self) -> str:
        """The base URL: ``http://127.0.0.1:PORT``."""
        return self.server.url

    @property
    def host(self) -> str:
        """Address and port: ``127.0.0.1:PORT``."""
        return self.server.host

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Method and target (path and query as they were sent) of all requests so far."""
        with self._lock:
            return list(self._requests)

    def forget(self) -> None:
        """Begin the list of requests anew."""
        with self._lock:
            self._requests.clear()

    def count(self, method: str, part: str = "") -> int:
        """Return how many requests had this method, and this text in their target."""
        return sum(1 for each, target in self.requests if each == method and part in target)

    def add(self, request: Request) -> None:
        """Take note of a request."""
        with self._lock:
            self._requests.append((request.method, request.target))


@contextmanager
def served(
    store: OCIStore | None = None,
    *,
    intercept: Intercept | None = None,
    writable: bool = True,
    **options: Any,
) -> Iterator[Served]:
    """Serve ``store``, one in memory if there is none; ``options`` are those of ``Server``."""
    store = MemoryStore() if store is None else store
    running: Served

    def seen(request: Request) -> Response | None:
        running.add(request)
        return None if intercept is None else intercept(request)

    log: list[str] = []
    server = Server(store, writable=writable, intercept=seen, log=log.append, **options)
    running = Served(server, store, log)
    server.start()
    try:
        yield running
    finally:
        server.stop(grace=1.0)
