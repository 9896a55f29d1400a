"""Which proxy a request goes through, as HTTP_PROXY, HTTPS_PROXY and NO_PROXY say."""

from __future__ import annotations

import base64
import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from ocm_pkg._typing import override
from ocm_pkg.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PROXY = re.compile(
    r"(?:(https?)://)?(?:([^/@]*)@)?(\[[0-9A-Fa-f:.]+\]|[^/:@\[\]\s]+)(?::(\d{1,5}))?/?"
)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where a proxy is, and what it is told of us. ``tls``: it is spoken to over TLS itself."""

    host: str
    port: int
    tls: bool = False
    authorization: str | None = field(default=None, repr=False)

    @override
    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def proxy_for(scheme: str, host: str, port: int, environ: Mapping[str, str]) -> Proxy | None:
    """Return the proxy for a host; None for those of NO_PROXY, and for this machine itself.

    Raises ``ConfigError`` if the variable holds no address of a proxy.
    """
    for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper()):
        value = environ.get(name, "").strip()
        if value:
            break
    else:
        return None
    excepted = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if _is_local(host) or any(_excepts(one.strip(), host, port) for one in excepted.split(",")):
        return None
    return _parse(value, name)


def _parse(value: str, name: str) -> Proxy:
    match = _PROXY.fullmatch(value)
    if match is None or not 0 < int(match[4] or 1) < 65536:
        # The value is not shown: it can hold a password.
        raise ConfigError(
            f"the environment variable {name} is no address of an HTTP proxy",
            hint="write it like http://proxy.example.com:3128",
        )
    scheme, user, host, port = match.groups()
    authorization = None
    if user:
        secret = base64.b64encode(b":".join(map(unquote_to_bytes, _pair(user)))).decode()
        authorization = f"Basic {secret}"
    return Proxy(
        host.strip("[]"), int(port or _PORTS[scheme or "http"]), scheme == "https", authorization
    )


def _pair(user: str) -> tuple[str, str]:
    name, _, password = user.partition(":")
    return name, password


def _is_local(host: str) -> bool:
    address = _address(host)
    return address.is_loopback if address else host.rstrip(".").lower() == "localhost"


def _excepts(pattern: str, host: str, port: int) -> bool:
    """Whether one item of NO_PROXY covers the host: ``*``, a domain, an address, a network."""
    if pattern == "*":
        return True
    network = _network(pattern)
    address = _address(host)
    if network is not None:
        return address is not None and address in network
    match = re.fullmatch(r"(.+?):(\d+)", pattern)
    if match and (":" not in match[1] or pattern.startswith("[")):
        if int(match[2]) != port:
            return False
        pattern = match[1]
    name, host = pattern.strip("[]").lower().rstrip("."), host.lower().rstrip(".")
    name = name.removeprefix("*")
    if not name:
        return False
    if address is not None:
        return _address(name) == address
    return host.endswith(name) if name.startswith(".") else _is_within(host, name)


def _is_within(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    if "/" not in text:
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
