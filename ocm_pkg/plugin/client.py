"""HTTP/1.1 to one plugin: over its unix socket or loopback TCP, with limits on everything.

Each call has a connection of its own. A kept one could be closed by the plugin in the moment a
call is sent on it, and a call that is not idempotent could then not be repeated.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any, TypeAlias

from ocm_pkg.contract.messages import encode_credentials
from ocm_pkg.errors import PluginCallError, PluginProtocolError, PluginTimeoutError, escaped
from ocm_pkg.plugin.http import read_response
from ocm_pkg.plugin.limits import ClientLimits
from ocm_pkg.plugin.text import escape_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ocm_pkg.contract.startup import Address
    from ocm_pkg.plugin.http import Response

PeerCheck: TypeAlias = "Callable[[socket.socket], None]"
"""Raises if what listens at the other end is not the plugin that was started."""

_ERROR_TEXT = 64 << 10
_BLOCK = 256 << 10


class ConnectionLostError(PluginCallError):
    """The connection failed; ``sent`` says whether the plugin may have seen the call."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Deadline:
    """A point in time of the monotonic clock, which no clock change moves."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def seconds(self) -> float:
        """The whole time that was given."""
        return self._seconds

    @property
    def left(self) -> float:
        """The seconds that are left; 0 if there are none."""
        return max(0.0, self._end - time.monotonic())


class Client:
    """Calls one plugin at one address."""

    def __init__(
        self,
        address: Address,
        *,
        plugin: str,
        limits: ClientLimits | None = None,
        check_peer: PeerCheck | None = None,
    ) -> None:
        self._address = address
        self._plugin = plugin
        self._limits = limits or ClientLimits()
        self._check_peer = check_peer

    def send(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Response:
        """Send one request and return the answer, whatever its status.

        Raises ``ConnectionLostError`` if there is no (whole) answer, ``PluginTimeoutError``
        after ``timeout`` seconds in all, ``PluginProtocolError`` for what is not HTTP or breaks
        a limit.
        """
        deadline = Deadline(self._limits.call if timeout is None else timeout)
        head = self._head(method, path, body, headers or {})
        connection = self._connect(deadline)
        try:
            return self._exchange(connection, head, body or b"", method, deadline)
        except TimeoutError:
            raise self._timed_out(f"{method} {_bare(path)}", deadline.seconds) from None
        finally:
            connection.close()

    def healthy(self, timeout: float) -> bool:
        """Whether the plugin answers its health check.

        Any answer below 500 counts, as plugins without the endpoint are known to exist.
        """
        try:
            return self.send("GET", "/healthz", timeout=timeout).status < 500
        except (ConnectionLostError, PluginTimeoutError):
            return False

    def _exchange(
        self, connection: socket.socket, head: bytes, body: bytes, method: str, deadline: Deadline
    ) -> Response:
        sent, failure = _send_all(connection, head, body, deadline)
        if failure and not sent:
            raise ConnectionLostError(
                f"plugin {self._plugin} closed the connection: {failure.strerror}", sent=False
            ) from failure

        def receive() -> bytes:
            connection.settimeout(deadline.left or 1e-6)
            return connection.recv(_BLOCK)

        try:
            return read_response(receive, method=method, limits=self._limits)
        except PluginProtocolError as error:
            raise PluginProtocolError(
                f"plugin {self._plugin}: {error.message}",
                hint="update the plugin, or tell its provider",
            ) from error
        except EOFError as error:
            raise ConnectionLostError(
                f"plugin {self._plugin} ended the connection {error}", sent=True
            ) from failure
        except TimeoutError:
            raise
        except OSError as error:
            raise ConnectionLostError(
                f"the connection to plugin {self._plugin} broke: {error.strerror}", sent=True
            ) from error

    def _connect(self, deadline: Deadline) -> socket.socket:
        connection, target = self._socket()
        try:
            _connect(connection, target, Deadline(min(deadline.left, self._limits.connect)))
            if self._check_peer:
                self._check_peer(connection)
        except TimeoutError:
            connection.close()
            raise self._timed_out(
                "the connection", min(deadline.seconds, self._limits.connect)
            ) from None
        except OSError as error:
            connection.close()
            raise ConnectionLostError(
                f"plugin {self._plugin} does not listen at {self._address.line()}: "
                f"{error.strerror or error}",
                sent=False,
            ) from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _socket(self) -> tuple[socket.socket, str | tuple[str, int]]:
        if self._address.path is not None:
            return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), self._address.path
        host = self._address.host or ""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, (host, self._address.port)

    def _head(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> bytes:
        host = "unix" if self._address.path is not None else self._authority()
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        for line in lines:
            if not line.isascii() or not line.isprintable():
                raise PluginCallError(f"{escaped(method)} {_bare(path)} cannot be sent as HTTP")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")

    def _authority(self) -> str:
        host = self._address.host or ""
        return f"{f'[{host}]' if ':' in host else host}:{self._address.port}"

    def _timed_out(self, what: str, seconds: float) -> PluginTimeoutError:
        return PluginTimeoutError(
            f"plugin {self._plugin} did not answer {what} within {seconds:g} s",
            hint="see what it waits for in its log, or give it more time",
        )


def request_headers(credentials: Mapping[str, Any] | None, *, identity: bool) -> dict[str, str]:
    """Return the headers of a call with a JSON body.

    The credential object itself is the ``Authorization`` header, ``{}`` if there is none; a
    request for an identity has no such header, because credentials are looked up with its answer.
    """
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    if not identity:
        headers["Authorization"] = encode_credentials(credentials)
    return headers


def check_status(response: Response, *, plugin: str, what: str) -> Response:
    """Return an answer with status 200; raise ``PluginCallError`` with its text for any other."""
    if response.status == 200:
        return response
    text = error_text(response)
    raise CallStatusError(
        f"plugin {plugin} answered {what} with status {response.status}: {text}",
        status=response.status,
        text=text,
    )


def error_text(response: Response) -> str:
    """Return the text of an error answer as one printable line."""
    text = escape_bytes(response.body.strip(), _ERROR_TEXT)
    return text or "no details were given"


class CallStatusError(PluginCallError):
    """A plugin answered with a status other than 200: ``status``, and its ``text``, escaped."""

    def __init__(self, message: str, *, status: int, text: str) -> None:
        super().__init__(message, hint="see what it logs with --loglevel debug")
        self.status = status
        self.text = text


def _connect(connection: socket.socket, target: str | tuple[str, int], deadline: Deadline) -> None:
    """Connect; wait while more callers are queued than the plugin has room for."""
    pause = 0.001
    while True:
        connection.settimeout(deadline.left or 1e-6)
        try:
            connection.connect(target)
        except BlockingIOError:
            # What a unix socket with a full queue says at once, in place of waiting.
            if not deadline.left:
                raise TimeoutError from None
            time.sleep(min(pause, deadline.left))
            pause = min(pause * 2, 0.05)
        else:
            return


def _send_all(
    connection: socket.socket, head: bytes, body: bytes, deadline: Deadline
) -> tuple[bool, OSError | None]:
    """Send everything; return whether any byte left, and the error that stopped it.

    A plugin may answer and hang up before it has read a body that it refuses.
    """
    sent = False
    for part in (head + body,) if len(body) <= _BLOCK else (head, body):
        rest = memoryview(part)
        while rest:
            connection.settimeout(deadline.left or 1e-6)
            try:
                count = connection.send(rest)
            except TimeoutError:
                raise
            except OSError as error:
                return sent, error
            sent, rest = True, rest[count:]
    return sent, None


def _bare(path: str) -> str:
    return escaped(path.partition("?")[0], 200)
