"""Where a URL leads to: scheme, host and port, by which credentials are kept to one registry."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from ocm_pkg._typing import override
from ocm_pkg.errors import RegistryError, escaped
from ocm_pkg.store.exchange import shown

_PORTS = {"https": 443, "http": 80}
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,252}[a-z0-9_.])?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_HOSTLESS = re.compile(r"https?:(?!//[^/?#])", re.IGNORECASE)
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")
_KEPT = "%:/?#[]@!$&'()*+,;=~"
"""What ``quote`` leaves alone: all that a URL may have, escapes that are there among it."""

_SHOWN = 200
_MAX_URL = 16 * 1024
_LOCAL = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"})
"""What systems call themselves in their tables of names."""

_CLOUD = ipaddress.ip_network("fd00:ec2::/32")
"""Where a cloud's own services for a machine are; link-local in all but its number."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host (lower case, an IPv6 address in brackets) and port of a URL."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """Return the origin of an absolute URL.

        Raises ``RegistryError`` for user-info, other schemes than http and https, and whatever
        two readers could understand differently.
        """
        plain = url.isascii() and url.isprintable()
        if not plain or " " in url or "\\" in url or len(url) > _MAX_URL:
            raise _refused(url, "it is no valid URL")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise _refused(url, "it is no valid URL") from error
        if parts.scheme not in _PORTS:
            raise _refused(url, f"its scheme {parts.scheme!r} is not http or https")
        if "@" in parts.netloc:
            raise _refused(_without_user(url), "it has a user name in it")
        if "[" in parts.netloc and ":" not in host:
            raise _refused(url, "its host is no IPv6 address")
        return cls(parts.scheme, _host(host, url), _PORTS[parts.scheme] if port is None else port)

    @override
    def __str__(self) -> str:
        return f"{self.scheme}://{self.name}"

    @property
    def name(self) -> str:
        """Return ``HOST[:PORT]``, without the usual port of the scheme."""
        return self.host if self.port == _PORTS[self.scheme] else self.address

    @property
    def address(self) -> str:
        """Return ``HOST:PORT``, as the configuration names hosts."""
        return f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether this is the machine itself, as far as name or address say it."""
        name = self.host.removesuffix(".")
        if name in _LOCAL or name.endswith(".localhost"):
            return True
        address = _address(self.host)
        return address is not None and (address.is_loopback or address.is_unspecified)

    @property
    def is_link_local(self) -> bool:
        """Whether this is an address that only means something on this machine's own link."""
        address = _address(self.host)
        return address is not None and (address.is_link_local or address in _CLOUD)


def join(base_url: str, location: str) -> str:
    """Return the absolute URL that ``location`` means, seen from ``base_url`` (RFC 3986, 5.2).

    It has no fragment, and what must be escaped in it is. Raises ``RegistryError`` for user-info,
    other schemes than http and https, and a way from https to http.
    """
    text = location.strip(" \t")
    if _FORBIDDEN.search(text):
        raise _refused(text, "it has characters that no URL may have")
    if _HOSTLESS.match(text):
        raise _refused(text, "it has no host")
    if len(text) > _MAX_URL:
        raise _refused(text, f"it is longer than {_MAX_URL} characters")
    try:
        joined = urljoin(base_url, quote(text, safe=_KEPT), allow_fragments=False)
        parts = urlsplit(joined)
    except ValueError as error:
        raise _refused(text, "it is no valid URL") from error
    url = urlunsplit(parts._replace(fragment=""))
    origin = Origin.of(url)
    if origin.scheme == "http" and Origin.of(base_url).scheme == "https":
        raise _refused(url, "it leads from https to http")
    return url


def _host(host: str, url: str) -> str:
    if ":" in host:
        try:
            return f"[{ipaddress.IPv6Address(host)}]"
        except ValueError as error:
            raise _refused(url, "its host is no IPv6 address") from error
    if not _NAME.fullmatch(host) or ".." in host:
        raise _refused(url, "its host is no name and no address")
    return host


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a host is written as; also ``0x7f.1``, as resolvers read it."""
    if host.startswith("["):
        found = ipaddress.IPv6Address(host.strip("[]").partition("%")[0])
        return found.ipv4_mapped or found
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host.removesuffix(".")))
    except (OSError, ValueError):
        return None


def _without_user(url: str) -> str:
    return re.sub(r"//[^/?#]*@", "//", url, count=1)


def _refused(url: str, why: str) -> RegistryError:
    start = shown(_without_user(url)) if _SCHEME.match(url) else escaped(url, _SHOWN)
    return RegistryError(
        f"the registry leads to {start!r}, where nothing is sent: {why}",
        hint="the registry, or a proxy before it, is set up wrongly, or hostile",
    )
