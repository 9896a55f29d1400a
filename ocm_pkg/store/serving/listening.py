"""Where a server listens, and with which certificate."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from typing import TYPE_CHECKING

from ocm_pkg.errors import ConfigError, UsageError

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

DEFAULT_PORT = 5000
_ADDRESS = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>[0-9]+))?"
)


def parse_address(text: str) -> tuple[str, int]:
    """Read ``HOST[:PORT]``, an IPv6 address in brackets; else ``UsageError``."""
    match = _ADDRESS.fullmatch(text)
    port = int(match["port"] or DEFAULT_PORT) if match is not None else -1
    if match is None or port > 65535 or text.isdecimal():
        raise UsageError(
            f"{text!r} is no address to listen on",
            hint="write HOST:PORT, such as 127.0.0.1:5000; 0.0.0.0:5000 is for all networks",
        )
    return match["six"] or match["host"], port


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket, or raise ``UsageError``."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise UsageError(
            f"cannot listen on {host}: there is no such address",
            hint="name an address of this machine, such as 127.0.0.1:5000",
        ) from error
    family, _kind, _protocol, _name, address = found[0]
    stream = socket.socket(family, socket.SOCK_STREAM)
    try:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stream.bind(address)
        stream.listen(128)
    except OSError as error:
        stream.close()
        raise UsageError(
            f"cannot listen on {host}:{port}: {error.strerror}",
            hint=f"another program has the port: choose another one, or {host}:0 for any"
            if error.errno == errno.EADDRINUSE
            else "name an address of this machine, and a port above 1023",
        ) from error
    return stream


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return what serves TLS 1.2 and later with these files, or raise ``ConfigError``."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(
            f"cannot serve TLS with {certificate} and {key}: {reason or 'they are no PEM files'}",
            hint="give PEM files of a certificate and of its own key, without a password",
        ) from error
    return context


def _no_password() -> str:
    raise ValueError("the key has a password")
