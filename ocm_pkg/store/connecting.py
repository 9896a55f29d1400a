"""Makes connections: dialling, through a proxy if need be, and TLS."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING

from ocm_pkg.store.connection import Connection
from ocm_pkg.store.dialling import dial
from ocm_pkg.store.exchange import ExchangeError, Phase
from ocm_pkg.store.failures import tls_failure
from ocm_pkg.store.route import connect_head
from ocm_pkg.store.wire import WireError, read_head

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ocm_pkg.store.connection import Channel
    from ocm_pkg.store.dialling import Resolve
    from ocm_pkg.store.pace import Limits
    from ocm_pkg.store.proxies import Proxy
    from ocm_pkg.store.route import Route

    TlsInTls = Callable[[socket.socket, ssl.SSLContext, str], Channel]


class Connector:
    """Makes connections, each with its TLS settings, which are read once for each host.

    ``tls_in_tls`` is for registries behind a proxy that is spoken to over TLS itself.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        home: Path | None,
        resolve: Resolve,
        tls_in_tls: TlsInTls,
    ) -> None:
        self._environ = environ
        self._home = home
        self._resolve = resolve
        self._tls_in_tls = tls_in_tls
        self._lock = threading.Lock()
        self._contexts: dict[tuple[str, int, bool], ssl.SSLContext] = {}

    def connect(self, route: Route, limits: Limits, *, insecure: bool) -> Connection:
        """Return a new connection; an ``ExchangeError`` names host and phase."""
        proxy = route.proxy
        raw = self._dial(route, limits)
        with contextlib.ExitStack() as stack:
            stack.callback(raw.close)
            channel: Channel = raw
            if proxy is not None and proxy.tls:
                channel = raw = self._wrap(raw, proxy.host, proxy.port, limits, insecure=False)
                stack.callback(raw.close)
            if proxy is not None and route.tunnelled:
                _tunnel(Connection(channel, raw, plain=not proxy.tls), route, proxy, limits)
            if route.scheme == "https":
                inner = raw if proxy is not None and proxy.tls else None
                channel = self._secure(raw, inner, route, limits, insecure=insecure)
            stack.pop_all()
        plain = route.scheme == "http" and not (proxy is not None and proxy.tls)
        return Connection(channel, _socket_of(channel, raw), plain=plain)

    def _dial(self, route: Route, limits: Limits) -> socket.socket:
        place = route.proxy or route
        try:
            raw = dial(place.host, place.port, limits.dial, resolve=self._resolve)
        except ExchangeError as error:
            if route.proxy is None:
                raise
            raise ExchangeError(
                f"{error.message} (it is the proxy for {_address(route)})",
                phase=error.phase,
                timed_out=error.timed_out,
                hint="check HTTP_PROXY, HTTPS_PROXY and NO_PROXY",
            ) from error
        # They help, but nothing depends on them; a connection that ended already refuses them.
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name in ("TCP_KEEPIDLE", "TCP_KEEPALIVE", "TCP_KEEPINTVL"):
                if (option := getattr(socket, name, None)) is not None:
                    raw.setsockopt(socket.IPPROTO_TCP, option, max(1, int(limits.keep_alive)))
        return raw

    def _secure(
        self,
        raw: socket.socket,
        inner: socket.socket | None,
        route: Route,
        limits: Limits,
        *,
        insecure: bool,
    ) -> Channel:
        if inner is None:
            return self._wrap(raw, route.host, route.port, limits, insecure=insecure)
        inner.settimeout(limits.handshake)
        context = self._context(route.host, route.port, insecure=insecure)
        try:
            return self._tls_in_tls(inner, context, _server_name(route.host))
        except OSError as error:
            raise tls_failure(error, _address(route), limits.handshake) from error

    def _wrap(
        self, raw: socket.socket, host: str, port: int, limits: Limits, *, insecure: bool
    ) -> ssl.SSLSocket:
        context = self._context(host, port, insecure=insecure)
        raw.settimeout(limits.handshake)
        try:
            return context.wrap_socket(
                raw, server_hostname=_server_name(host), suppress_ragged_eofs=False
            )
        except OSError as error:
            address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            raise tls_failure(error, address, limits.handshake) from error

    def _context(self, host: str, port: int, *, insecure: bool) -> ssl.SSLContext:
        from ocm_pkg.store.tlssettings import certificate_folders, client_context

        with self._lock:
            context = self._contexts.get((host, port, insecure))
            if context is None:
                folders = certificate_folders(host, port, self._home)
                context = client_context(folders, self._environ, insecure=insecure)
                self._contexts[host, port, insecure] = context
            return context


def _socket_of(channel: Channel, raw: socket.socket) -> socket.socket:
    return channel if isinstance(channel, socket.socket) else raw


def _server_name(host: str) -> str:
    return host.partition("%")[0].rstrip(".")


def _address(place: Route) -> str:
    return f"[{place.host}]:{place.port}" if ":" in place.host else f"{place.host}:{place.port}"


def _tunnel(connection: Connection, route: Route, proxy: Proxy, limits: Limits) -> None:
    """Ask the proxy for a connection to the registry."""
    what = f"cannot reach {_address(route)}: {Phase.PROXY} ({proxy}) failed"
    try:
        connection.send(connect_head(route, proxy), None, limits)
        connection.deadline = time.monotonic() + limits.dial
        head = read_head(connection.source)
    except (OSError, WireError) as error:
        timed_out = isinstance(error, TimeoutError)
        reason = f"its answer {error}" if isinstance(error, WireError) else "the connection broke"
        raise ExchangeError(
            f"{what}: {f'no answer within {limits.dial:g} s' if timed_out else reason}",
            phase=Phase.PROXY,
            timed_out=timed_out,
            hint="check HTTPS_PROXY and NO_PROXY, and that the proxy works",
        ) from error
    if head.status == 407:
        raise proxy_login_error(_address(route), proxy)
    if not 200 <= head.status < 300 or connection.source.waiting:
        raise ExchangeError(
            f"{what}: it answered {head.status}",
            phase=Phase.PROXY,
            hint="the proxy may not allow this host or port; ask who runs it, or set NO_PROXY",
        )


def proxy_login_error(address: str, proxy: Proxy) -> ExchangeError:
    """Return the error for the status 407."""
    known = "refuses the login that it was given" if proxy.authorization else "wants a login"
    return ExchangeError(
        f"cannot reach {address}: the proxy {proxy} {known} (407)",
        phase=Phase.PROXY,
        hint="write it into the proxy variable: http://USER:PASSWORD@HOST:PORT",
    )
