"""Listens, and gives each client a thread."""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import time
from pathlib import Path
from tempfile import gettempdir
from threading import Lock, Thread, current_thread
from typing import TYPE_CHECKING, cast

from ocm_pkg.fs.atomic import staged_folder
from ocm_pkg.store.serving.connection import Connection
from ocm_pkg.store.serving.htpasswd import Passwords
from ocm_pkg.store.serving.limits import ServerLimits
from ocm_pkg.store.serving.listening import listen, tls_context
from ocm_pkg.store.serving.message import Response
from ocm_pkg.store.serving.registry import VERSION_HEADER, Registry
from ocm_pkg.store.serving.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from types import TracebackType

    from ocm_pkg.store.base import OCIStore
    from ocm_pkg.store.serving.message import Request

    Intercept = Callable[[Request], "Response | None"]

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_PAUSE = 0.05
_TIDY = 60.0
"""Seconds after which old upload sessions are looked for, should nobody come."""

_CHALLENGE = {**VERSION_HEADER, "WWW-Authenticate": 'Basic realm="ocm-pkg", charset="UTF-8"'}
_BUSY_BODY = b'{"errors":[{"code":"TOOMANYREQUESTS","message":"too many connections"}]}'
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
) % (len(_BUSY_BODY), _BUSY_BODY)


class Server:
    """An OCI registry over ``store``, from ``start`` (or the ``with`` block) to ``stop``.

    ``listen`` is a host and a port, 0 picks a free one. ``htpasswd`` is a file of users, ``tls``
    the files of a certificate chain and its key. ``log`` takes lines for whoever runs the server.

    ``intercept`` is for tests: it is called in the client's thread with each request before
    anything is done for it. It may wait; it may return None, and the registry answers; or it
    returns the ``Response`` to send: its own, or a changed one of ``request.answer()``. With
    ``request.body.limit`` and ``break_after`` it loses a part of what the client sends.
    """

    def __init__(
        self,
        store: OCIStore,
        *,
        listen: tuple[str, int] = ("127.0.0.1", 0),
        writable: bool = False,
        htpasswd: Path | None = None,
        tls: tuple[Path, Path] | None = None,
        intercept: Intercept | None = None,
        limits: ServerLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
        log: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.store = store
        self.writable = writable
        self.address = listen
        """Where it listens: address and port, numeric once it has started."""
        self._limits = limits or ServerLimits()
        self._passwords = Passwords.read(htpasswd) if htpasswd is not None else None
        self._tls = tls_context(*tls) if tls is not None else None
        self._intercept = intercept
        self._log = log
        self._registry = Registry(
            store,
            writable=writable,
            limits=self._limits,
            staging=_staging(store),
            clock=clock,
            log=log,
        )
        self._lock = Lock()
        self._clients: dict[Thread, Connection] = {}
        self._wake: socket.socket | None = None
        self._thread: Thread | None = None
        self._closing = False

    @property
    def host(self) -> str:
        """Address and port in one text, as in an image reference."""
        host, port = self.address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def url(self) -> str:
        """The base URL."""
        return f"{'https' if self._tls else 'http'}://{self.host}"

    def start(self) -> None:
        """Listen; raises ``UsageError`` if the address can't be had."""
        listening = listen(*self.address)
        host, port = listening.getsockname()[:2]
        self.address = (host, port)
        awake, self._wake = socket.socketpair()
        self._thread = Thread(
            target=self._accept, args=(listening, awake), name="registry", daemon=True
        )
        self._thread.start()

    def stop(self, grace: float = 5.0) -> None:
        """End: requests under way have ``grace`` seconds; nothing half written is left."""
        if self._wake is None or self._thread is None:
            return
        self._closing = True
        self._wake.close()
        self._thread.join()
        deadline = time.monotonic() + grace
        self._end_clients(busy_too=False)
        while self._clients and time.monotonic() < deadline:
            for thread in self._threads():
                thread.join(max(0.0, min(0.05, deadline - time.monotonic())))
            self._end_clients(busy_too=False)
        self._end_clients(busy_too=True)
        for thread in self._threads():
            thread.join(grace)
        self._registry.uploads.close()
        self._wake = None

    def _threads(self) -> list[Thread]:
        with self._lock:
            return list(self._clients)

    def _end_clients(self, *, busy_too: bool) -> None:
        with self._lock:
            for connection in self._clients.values():
                if busy_too or not connection.busy:
                    with contextlib.suppress(OSError):
                        connection.wire.stream.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _accept(self, listening: socket.socket, awake: socket.socket) -> None:
        with listening, awake, selectors.DefaultSelector() as selector:
            listening.setblocking(False)
            selector.register(listening, selectors.EVENT_READ)
            selector.register(awake, selectors.EVENT_READ)
            while awake not in (ready := {key.fileobj for key, _ in selector.select(_TIDY)}):
                self._registry.uploads.tidy()
                if ready:
                    self._accept_one(listening)

    def _accept_one(self, listening: socket.socket) -> None:
        try:
            stream, peer = listening.accept()
        except OSError as error:
            if error.errno in _EXHAUSTED:
                time.sleep(_PAUSE)
        else:
            self._admit(stream, str(peer[0]))

    def _admit(self, stream: socket.socket, peer: str) -> None:
        with self._lock:
            full = len(self._clients) >= self._limits.connections
        if full:
            # Who only waits with an open connection has to make room for those who come.
            self._end_clients(busy_too=False)
            with contextlib.suppress(OSError), stream:
                stream.settimeout(0)
                if self._tls is None:
                    stream.send(_BUSY)
            return
        connection = Connection(
            Wire(stream, self._limits), peer, self._answer, lambda: self._closing
        )
        thread = Thread(target=self._serve, args=(connection,), name="client", daemon=True)
        with self._lock:
            self._clients[thread] = connection
        try:
            thread.start()
        except RuntimeError:
            # No more threads: this client has to come again.
            with self._lock:
                del self._clients[thread]
            stream.close()

    def _serve(self, connection: Connection) -> None:
        try:
            if self._encrypted(connection.wire):
                connection.run()
        finally:
            with self._lock:
                self._clients.pop(current_thread(), None)
                connection.wire.stream.close()

    def _encrypted(self, wire: Wire) -> bool:
        """Shake hands if there is TLS; false if the client can't or won't."""
        try:
            wire.stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is None:
                return True
            wire.stream.settimeout(self._limits.head_seconds)
            stream = self._tls.wrap_socket(
                wire.stream, server_side=True, do_handshake_on_connect=False
            )
            with self._lock:
                wire.stream = stream
            stream.do_handshake()
        except (OSError, ValueError):
            return False
        return True

    def _answer(self, request: Request) -> Response:
        request.respond = self._respond
        if self._intercept is not None:
            response = self._intercept(request)
            if response is not None:
                return response
        return request.answer()

    def _respond(self, request: Request) -> Response:
        if self._passwords is not None and not self._passwords.accepts(
            request.headers.get("authorization")
        ):
            return Response.error(401, "UNAUTHORIZED", "authentication required", _CHALLENGE)
        return self._registry.answer(request)


def _staging(store: OCIStore) -> Callable[[], AbstractContextManager[Path]]:
    own = getattr(store, "staging", None)
    if own is not None:
        return cast("Callable[[], AbstractContextManager[Path]]", own)
    return lambda: staged_folder(Path(gettempdir()))
