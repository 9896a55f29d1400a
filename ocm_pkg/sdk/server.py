"""A small HTTP server for one plugin: a socket, a loop, a thread for each connection."""

from __future__ import annotations

import os
import select
import socket
import stat
import struct
import threading
import time
from typing import TYPE_CHECKING

from ocm_pkg.contract.startup import Address
from ocm_pkg.errors import PluginProtocolError
from ocm_pkg.sdk.http import BadRequest, Connection, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocm_pkg.sdk.http import Request
    from ocm_pkg.sdk.idle import IdleTracker
    from ocm_pkg.sdk.listener import Listener
    from ocm_pkg.sdk.log import Log

MAX_CONNECTIONS = 64
"""Connections served at once; more wait in the queue of the socket."""

GRACE_SECONDS = 5.0
"""How long calls in progress may take when the plugin is told to end."""

_LONGEST_WAIT = 3600.0
_STOP = b"\0"  # no signal has this number


class Server:
    """Answers requests on a listener until it is stopped, idle for long, or its manager is gone.

    ``answer`` is called on many threads; what it raises is a defect and ends only its connection.
    """

    def __init__(
        self,
        listener: Listener,
        answer: Callable[[Request], Response],
        *,
        idle: IdleTracker,
        log: Log,
        lifeline: int | None = None,
    ) -> None:
        self._listener = listener
        self._answer = answer
        self._idle = idle
        self._log = log
        self._lifeline = lifeline
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_in.setblocking(False)

    @property
    def wakeup(self) -> int:
        """A descriptor for ``signal.set_wakeup_fd``: signals end the waiting, as they should.

        A signal that comes between two waits, or to another thread, interrupts no system call;
        its handler would run when the wait is over, which may be much later.
        """
        return self._wake_in.fileno()

    def stop(self) -> None:
        """Make ``run`` return; may be called from any thread, and from a signal handler."""
        try:
            self._wake_in.send(_STOP)
        except OSError:
            return

    def run(self) -> str:
        """Serve; return why it ended, once calls in progress had their time to end."""
        waiter = select.poll()
        stream = self._listener.stream
        waiter.register(stream, select.POLLIN)
        waiter.register(self._wake_out, select.POLLIN)
        if self._lifeline is not None:
            waiter.register(self._lifeline, select.POLLIN)
        try:
            reason = self._loop(waiter, stream)
        finally:
            self._listener.close()
        if not self._idle.close(GRACE_SECONDS):
            self._log.write("WARN", "calls were still running at the end")
        return reason

    def close(self) -> None:
        """Stop listening, if that is still to be done, and give back what ``stop`` needed."""
        self._listener.close()
        self._wake_in.close()
        self._wake_out.close()

    def _loop(self, waiter: select.poll, stream: socket.socket) -> str:
        while True:
            wait = min(self._idle.remaining(), _LONGEST_WAIT)
            ready = {number for number, _ in waiter.poll(wait * 1000 + 1)}
            if self._wake_out.fileno() in ready and _STOP in self._wake_out.recv(4096):
                return "stopped"
            if self._lifeline in ready and _at_end(self._lifeline):
                return "the manager has gone"
            if stream.fileno() in ready:
                self._accept(stream)
            elif not ready and self._idle.close_if_idle():
                return "idle"

    def _accept(self, stream: socket.socket) -> None:
        if not self._slots.acquire(timeout=0.1):
            return
        try:
            peer, _ = stream.accept()
        except OSError as error:
            self._slots.release()
            self._log.write("WARN", "a connection was not accepted", error=str(error))
            return
        threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        try:
            with peer:
                if not _is_ours(peer):
                    self._log.write("WARN", "refused a connection of another user")
                    return
                if peer.family != socket.AF_UNIX:
                    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = Connection(peer)
                while connection.wait() and self._exchange(connection):
                    pass
                connection.finish()
        except OSError:
            return
        finally:
            self._slots.release()

    def _exchange(self, connection: Connection) -> bool:
        """Answer one request; say whether the connection may be used again."""
        if not self._idle.begin():
            answer = Response.error(503, "the plugin is ending; the call was not carried out")
            connection.send(answer.encode(keep_alive=False))
            return False
        started = time.perf_counter_ns()
        try:
            try:
                request = connection.read()
                if self._listener.address.path is None:
                    _check_host(request)
            except BadRequest as error:
                connection.send(error.response.encode(keep_alive=False))
                self._log.write(
                    "WARN", "refused a request", status=error.response.status, error=str(error)
                )
                return False
            if (request.method, request.path) == ("POST", "/shutdown"):
                self.stop()
                return False
            response = self._answer(request)
            connection.send(
                response.encode(head_only=request.method == "HEAD", keep_alive=request.keep_alive)
            )
            self._log_call(request, response, started)
            return request.keep_alive
        finally:
            self._idle.end()

    def _log_call(self, request: Request, response: Response, started: int) -> None:
        if request.path != "/healthz":
            self._log.write(
                "INFO",
                "call",
                method=request.method,
                path=request.path,
                status=response.status,
                ms=round((time.perf_counter_ns() - started) / 1e6, 3),
            )


def is_pipe(descriptor: int) -> bool:
    """Say whether a file descriptor is a pipe: then its end means that the manager is gone."""
    try:
        return stat.S_ISFIFO(os.fstat(descriptor).st_mode)
    except OSError:
        return False


def _at_end(descriptor: int | None) -> bool:
    try:
        return descriptor is not None and not os.read(descriptor, 65536)
    except OSError:
        return True


def _is_ours(peer: socket.socket) -> bool:
    """Say whether the other side runs as the same user, or as root; not known on TCP."""
    option = getattr(socket, "SO_PEERCRED", None)
    if peer.family != socket.AF_UNIX or option is None:
        return True
    _, user, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, option, 12))
    return user in (0, os.getuid())


def _check_host(request: Request) -> None:
    """Refuse what a web page sends through a browser to a name that it made mean loopback."""
    host = request.headers.get("host", "")
    try:
        Address.tcp(host if ":" in host.rpartition("]")[2] else f"{host}:80")
    except PluginProtocolError as error:
        raise BadRequest(400, "the Host header is not loopback") from error
    if "origin" in request.headers:
        raise BadRequest(400, "requests of web pages are refused")
