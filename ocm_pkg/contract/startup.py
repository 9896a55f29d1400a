"""The line that a plugin prints when it listens, and the address that it gives."""

from __future__ import annotations

import re
from typing import NamedTuple

from ocm_pkg.errors import PluginProtocolError

MAX_LINE = 64 * 1024
"""The longest line that a manager reads, in bytes."""

MAX_SOCKET_PATH = 107
"""The longest path that a unix domain socket can have on Linux, in bytes."""

_UNIX = "http+unix://"
_TCP = re.compile(r"(?:http://)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.]*):([0-9]{1,5})/?")
_LOOPBACK = {
    "": "127.0.0.1",
    "0.0.0.0": "127.0.0.1",  # noqa: S104 - read, so that it is never listened on
    "[::]": "127.0.0.1",
    "localhost": "127.0.0.1",
    "[::1]": "::1",
}
_IPV4_LOOPBACK = re.compile(r"127(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}")


class Address(NamedTuple):
    """Where a plugin listens: ``path`` of a unix domain socket, or loopback ``host`` and ``port``.

    Exactly one of ``path`` and ``host`` is set.
    """

    path: str | None = None
    host: str | None = None
    port: int = 0

    @classmethod
    def unix(cls, path: str) -> Address:
        """Return the address of a socket; the path must be absolute and short enough."""
        if not path.startswith("/") or "\0" in path or "\n" in path:
            raise PluginProtocolError(f"the socket path {path[:120]!r} is not absolute")
        size = len(path.encode(errors="surrogateescape"))
        if size > MAX_SOCKET_PATH:
            raise PluginProtocolError(
                f"the socket path {path[:120]!r} has {size} bytes, {MAX_SOCKET_PATH} are the most",
                hint="use a shorter run-time or temporary folder",
            )
        return cls(path=path)

    @classmethod
    def tcp(cls, location: str) -> Address:
        """Return the loopback address of ``HOST:PORT`` or ``http://HOST:PORT``.

        No host, and a host that means every interface, become loopback.

        Raises:
            PluginProtocolError: no such text, or the host isn't this machine's loopback.

        """
        match = _TCP.fullmatch(location)
        if match is None or int(match[2]) > 65535:
            raise PluginProtocolError(f"{location[:120]!r} is not HOST:PORT")
        host = _LOOPBACK.get(match[1])
        if host is None and _IPV4_LOOPBACK.fullmatch(match[1]):
            host = match[1]
        if host is None:
            raise PluginProtocolError(
                f"{location[:120]!r} is not on loopback",
                hint="a plugin listens on 127.0.0.1 only",
            )
        return cls(host=host, port=int(match[2]))

    @classmethod
    def parse_line(cls, line: str | bytes) -> Address | None:
        """Return the address that a line of a plugin's stdout gives; None for any other line.

        The line begins with ``http+unix://`` and an absolute path, or is ``http://HOST:PORT``; the
        Go SDK writes ``[::]:PORT``, which is read too. Unspecified hosts become loopback; any
        other host is not an address that a manager may connect to.
        """
        if isinstance(line, bytes):
            line = line.decode(errors="surrogateescape")
        text = line.removesuffix("\n").removesuffix("\r")
        try:
            if text.startswith(_UNIX):
                return cls.unix(text.removeprefix(_UNIX))
            address = cls.tcp(text)
        except PluginProtocolError:
            return None
        return address if address.port else None

    def line(self) -> str:
        """Return the line that a plugin prints, without its end."""
        if self.path is not None:
            return _UNIX + self.path
        host = f"[{self.host}]" if self.host is not None and ":" in self.host else self.host
        return f"http://{host}:{self.port}"
