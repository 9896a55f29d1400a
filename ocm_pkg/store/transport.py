"""HTTP exchanges with registries: one request, one answer, over connections that are kept."""

from __future__ import annotations

import io
import re
import threading
import time
from typing import TYPE_CHECKING, BinaryIO, cast

from ocm_pkg.errors import AuthenticationError, TransportError
from ocm_pkg.store.connecting import Connector, proxy_login_error
from ocm_pkg.store.connection import BodyStream
from ocm_pkg.store.dialling import system_resolve
from ocm_pkg.store.exchange import ExchangeError, Phase, Response, shown
from ocm_pkg.store.failures import failure, speaks_tls, wants_tls
from ocm_pkg.store.pace import Limits, TooSlowError
from ocm_pkg.store.pool import Pool
from ocm_pkg.store.proxies import proxy_for
from ocm_pkg.store.route import Route, Target, request_head
from ocm_pkg.store.wire import WireError, framing, read_head

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Mapping
    from pathlib import Path

    from ocm_pkg.model.config_settings import HttpSettings
    from ocm_pkg.store.connection import Channel, Connection
    from ocm_pkg.store.dialling import Resolve
    from ocm_pkg.store.exchange import Request
    from ocm_pkg.store.wire import Head, Source

_ECR = re.compile(r"[0-9]{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com")
_SMALL = 4 * 1024 * 1024
_EXCERPT = 64 * 1024
_TLS_WANTED = (b"HTTP request to an HTTPS server", b"plain HTTP request was sent to HTTPS")


class Transport:
    """Sends requests; safe to use from many threads.

    ``connections`` is how many are open at a time to each registry. Nothing is redirected,
    authenticated or repeated here, but what met a kept connection that the server had ended.
    Cookies are ignored. ``offline`` refuses everything.
    """

    def __init__(
        self,
        *,
        http: HttpSettings,
        environ: Mapping[str, str],
        home: Path | None,
        offline: bool = False,
        connections: int = 8,
        resolve: Resolve = system_resolve,
    ) -> None:
        self._http = http
        self._environ = environ
        self._offline = offline
        self._connections = connections
        self._connector = Connector(environ, home, resolve, _tls_in_tls)
        self._lock = threading.Lock()
        self._pools: dict[Route, Pool] = {}

    def send(self, request: Request) -> Response:
        """Return the answer; ``TransportError`` if none came, which names host and phase."""
        if self._offline:
            raise TransportError(
                f"{shown(request.url)} is not asked for: --offline is set",
                hint="leave out --offline, or use what is in the cache",
            )
        target = Target.of(request.url)
        proxy = proxy_for(target.scheme, target.host, target.port, self._environ)
        route = Route(target.scheme, target.host, target.port, proxy)
        exchange = _Exchange(request, target, route, self._settings(target), self._pool(route))
        try:
            return exchange.run(self._connector, fresh=False)
        except _StaleError:
            return exchange.run(self._connector, fresh=True)

    def close(self) -> None:
        """Close all connections; what other threads are doing with them fails at once."""
        with self._lock:
            pools = list(self._pools.values())
        for pool in pools:
            pool.close()

    def _settings(self, target: Target) -> HttpSettings:
        written = target.authority in self._http.hosts
        return self._http.for_host(target.authority if written else target.address)

    def _pool(self, route: Route) -> Pool:
        with self._lock:
            if route not in self._pools:
                self._pools[route] = Pool(self._connections, f"{route.host}:{route.port}")
            return self._pools[route]


class _StaleError(Exception):
    """A connection that was kept had been ended by the server."""


class _Exchange:
    """One request on its way to its answer."""

    def __init__(
        self, request: Request, target: Target, route: Route, settings: HttpSettings, pool: Pool
    ) -> None:
        self._request = request
        self._target = target
        self._route = route
        self._limits = Limits.of(settings)
        self._insecure = bool(settings.insecure_skip_verify)
        self._pool = pool
        forwarder = None if route.tunnelled else route.proxy
        self._head = request_head(request, target, forwarder)

    def run(self, connector: Connector, *, fresh: bool) -> Response:
        """Make the exchange; ``_StaleError`` if it is to be made again, ``fresh``."""
        limits = self._limits
        connection = self._pool.take(limits.idle, fresh=fresh)
        if connection is None:
            connection = self._pool.made(lambda: self._connect(connector))
        try:
            head, stream = self._exchange(connection)
            return self._response(head, stream)
        except _UnheardError as error:
            self._pool.give(connection, reusable=False)
            if connection.uses and not fresh and self._repeatable():
                raise _StaleError from error
            raise error.error from error.__cause__
        except BaseException:
            self._pool.give(connection, reusable=False)
            raise

    def _connect(self, connector: Connector) -> Connection:
        try:
            return connector.connect(self._route, self._limits, insecure=self._insecure)
        except ExchangeError as error:
            # Refused by what answered before: it may be starting again.
            refused = error.phase is Phase.CONNECT and not error.timed_out
            error.lost = error.lost or (refused and self._pool.worked)
            raise

    def _repeatable(self) -> bool:
        # More of a large upload may have been kept than is known here: its sender asks for that.
        body = self._request.body
        return body is None or (body.length <= _SMALL and self._request.method != "PATCH")

    def _exchange(self, connection: Connection) -> tuple[Head, BodyStream]:
        broken: OSError | None = None
        complete = False
        try:
            complete = connection.send(self._head, self._request.body, self._limits)
        except (TimeoutError, TooSlowError) as error:
            raise self._failure(error, Phase.SEND) from error
        except OSError as error:
            # The server may have said why before it ended the connection.
            broken = error
        storing = self._request.body is not None or self._request.method == "PUT"
        seconds = self._limits.stored if storing else self._limits.answer
        connection.deadline = time.monotonic() + (seconds if broken is None else min(1.0, seconds))
        try:
            head = read_head(connection.source)
            how, persistent = framing(connection.source, head, self._request.method)
        except (OSError, WireError) as error:
            raise self._no_answer(connection.source, error, broken) from (broken or error)

        def release(reusable: bool) -> None:
            self._pool.give(connection, reusable=reusable and persistent and complete)

        def explain(error: Exception) -> ExchangeError:
            return self._failure(error, Phase.BODY)

        return head, BodyStream(connection, how, self._limits, explain, release)

    def _no_answer(
        self, source: Source, error: OSError | WireError, broken: OSError | None
    ) -> Exception:
        """Return the error for no answer; ``broken`` is what happened while the request went."""
        if self._target.scheme == "http" and speaks_tls(source.waiting):
            return wants_tls(self._target)
        silent = not source.heard and not self._pool.worked
        failed = self._failure(error, Phase.HEADERS, silent=silent)
        if broken is not None and failed.phase is not Phase.TLS:
            failed = self._failure(broken, Phase.SEND, silent=silent)
        return failed if source.heard or not failed.lost else _UnheardError(failed)

    def _failure(self, error: Exception, phase: Phase, *, silent: bool = False) -> ExchangeError:
        what = f"{self._request.method} {shown(self._request.url)}"
        return failure(error, self._target, what, phase, silent=silent)

    def _response(self, head: Head, stream: BodyStream) -> Response:
        url, body = self._request.url, cast("BinaryIO", stream)
        response = Response(head.status, head.headers, url, body, stream.hurry)
        proxy = None if self._route.tunnelled else self._route.proxy
        if head.status == 407 and proxy is not None:
            stream.close()
            raise proxy_login_error(self._target.address, proxy)
        if head.status == 400 and self._target.scheme == "http":
            data = response.excerpt(_EXCERPT)
            if any(text in data for text in _TLS_WANTED):
                raise wants_tls(self._target)
            response = Response(head.status, head.headers, url, io.BytesIO(data))
        return response


class _UnheardError(Exception):
    """No byte of an answer came; ``error`` is for the caller, if that is not just stale."""

    def __init__(self, error: ExchangeError) -> None:
        super().__init__()
        self.error = error


def _tls_in_tls(raw: socket.socket, context: ssl.SSLContext, host: str) -> Channel:
    from urllib3.util.ssltransport import SSLTransport

    return cast("Channel", SSLTransport(raw, context, host, suppress_ragged_eofs=False))


def ecr_authorization(host: str) -> tuple[str, str] | None:
    """Return user and password for a private registry of AWS, from the AWS account in use.

    None unless ``host`` is such a registry and ``boto3`` is installed, which asks AWS. Raises
    ``AuthenticationError`` if AWS gives no login.
    """
    if not _ECR.fullmatch(host):
        return None
    from base64 import b64decode
    from importlib.util import find_spec
    from types import SimpleNamespace

    if find_spec("boto3") is None:
        return None
    from oras.auth.ecr import EcrAuth  # type: ignore[import-untyped]

    challenge = f'Basic realm="https://{host}/",service="ecr.amazonaws.com"'
    asked = SimpleNamespace(headers={"Www-Authenticate": challenge})
    try:
        headers, _ = EcrAuth().authenticate_request(asked, {})
        user, _, password = b64decode(headers["Authorization"].split()[1]).decode().partition(":")
    except Exception as error:  # noqa: BLE001 - boto3 and botocore have no common error
        # Not chained: their texts may hold parts of secrets.
        raise AuthenticationError(
            f"AWS gives no login for {host} ({type(error).__name__})",
            hint="check the AWS credentials: aws sts get-caller-identity",
        ) from None
    return user, password
