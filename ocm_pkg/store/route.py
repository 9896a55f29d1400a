"""Where a request goes: its target, a proxy in between, and the head that is sent; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ocm_pkg
from ocm_pkg.errors import RegistryError, TransportError, escaped
from ocm_pkg.store.exchange import shown

if TYPE_CHECKING:
    from ocm_pkg.store.exchange import Request
    from ocm_pkg.store.proxies import Proxy

_URL = re.compile(
    r"(https?)://(\[[0-9A-Fa-f:.]+(?:%25[0-9A-Za-z._~-]+)?\]|[0-9A-Za-z._-]+)(?::([0-9]{1,5}))?"
    r"(/[!$&-;=@-Z_a-z~%\[\]]*)?(\?[!$&-;=?@-Z_a-z~%\[\]/|^{}`]*)?",
    re.IGNORECASE,
)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_PORTS = {"http": 80, "https": 443}
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})


@dataclass(frozen=True, slots=True)
class Target:
    """What a URL names. ``authority`` is its ``HOST[:PORT]`` as written, ``path`` has the query."""

    scheme: str
    host: str
    port: int
    authority: str
    path: str

    @classmethod
    def of(cls, url: str) -> Target:
        """Read a URL; ``RegistryError`` for what is none, or has user-info."""
        match = _URL.fullmatch(url)
        port = int(match[3] or _PORTS[match[1].lower()]) if match else 0
        if match is None or not 0 < port < 65536 or not _is_host(match[2]):
            raise RegistryError(
                f"{shown(url)} is no http or https URL that can be asked",
                hint="check the repository as it is written; else the registry sent this URL",
            )
        host = match[2].strip("[]").replace("%25", "%").lower()
        authority = match[2].lower() + (f":{match[3]}" if match[3] else "")
        path = (match[4] or "/") + (match[5] or "")
        return cls(match[1].lower(), host, port, authority, path)

    @property
    def address(self) -> str:
        """``HOST:PORT``, as errors name it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _is_host(text: str) -> bool:
    labels = text.removesuffix(".").split(".")
    return text[0] == "[" or (len(text) < 255 and all(0 < len(one) < 64 for one in labels))


@dataclass(frozen=True, slots=True)
class Route:
    """The way to a registry; connections of one route can stand in for each other."""

    scheme: str
    host: str
    port: int
    proxy: Proxy | None

    @property
    def tunnelled(self) -> bool:
        """Whether the proxy only passes bytes on, and sees no request."""
        return self.proxy is not None and self.scheme == "https"


def request_head(request: Request, target: Target, proxy: Proxy | None) -> bytes:
    """Return the request line and headers; with ``proxy``, those of a request that it forwards.

    Raises ``TransportError`` rather than show a registry's credentials to that proxy.
    """
    path = target.path
    lines = [f"Host: {target.authority}", f"User-Agent: ocm-pkg/{ocm_pkg.__version__}"]
    lines += ["Accept-Encoding: identity"]
    if proxy is not None:
        path = f"{target.scheme}://{target.authority}{target.path}"
        if any(name.lower() in {"authorization", "cookie"} for name in request.headers):
            raise TransportError(
                f"credentials for {target.address} would be shown to the proxy {proxy}",
                hint=f"use https, or go there directly: NO_PROXY={target.host}",
            )
        if proxy.authorization is not None:
            lines.append(f"Proxy-Authorization: {proxy.authorization}")
    for name, value in request.headers.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value) or name.lower() in _OURS:
            raise TransportError(
                f"the header {escaped(name, 100)} cannot be sent to {target.address}",
                hint="a token or a name has characters that HTTP does not allow",
            )
        lines.append(f"{name}: {value}")
    if request.body is not None or request.method in _WITH_BODY:
        lines.append(f"Content-Length: {request.body.length if request.body else 0}")
    return "\r\n".join([f"{request.method} {path} HTTP/1.1", *lines, "", ""]).encode("ascii")


def connect_head(target: Route, proxy: Proxy) -> bytes:
    """Return the request for a tunnel; it has nothing of the request that goes through it."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    lines = [f"CONNECT {host}:{target.port} HTTP/1.1", f"Host: {host}:{target.port}"]
    if proxy.authorization is not None:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")
