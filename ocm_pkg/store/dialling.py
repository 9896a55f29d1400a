"""Connects to a host by whichever of its addresses answers first (RFC 8305), within a deadline."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import time
from threading import Thread
from typing import TYPE_CHECKING, TypeAlias

from ocm_pkg.store.exchange import ExchangeError, Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Address: TypeAlias = "tuple[socket.AddressFamily, tuple[str | int | bytes, ...]]"
"""Family and socket address."""

Resolve: TypeAlias = "Callable[[str, int], Sequence[Address]]"
"""Looks a host name up; ``OSError`` where it is not known."""

HEAD_START = 0.25
"""Seconds that an address has before the next one is tried at the same time."""


def system_resolve(host: str, port: int) -> Sequence[Address]:
    """Look a host up as the system does."""
    # As bytes: a text would be encoded for international names, which takes 5 ms to load.
    found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


def dial(
    host: str, port: int, timeout: float, *, resolve: Resolve = system_resolve
) -> socket.socket:
    """Return a connected socket, or raise an ``ExchangeError`` after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    addresses = _in_turn(_look_up(host, port, timeout, resolve))
    with contextlib.ExitStack() as stack:
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        race = stack.enter_context(_Race(target, timeout))
        for address in addresses:
            winner = race.start(address) or race.wait(min(HEAD_START, deadline - time.monotonic()))
            if winner is not None:
                return winner
        while race.running:
            winner = race.wait(deadline - time.monotonic())
            if winner is not None:
                return winner
            if time.monotonic() >= deadline:
                break
        raise race.lost()


def _look_up(host: str, port: int, timeout: float, resolve: Resolve) -> Sequence[Address]:
    """Look up in a thread: the system's own look-up has no deadline that we could set."""
    results: list[Sequence[Address] | OSError | UnicodeError] = []

    def run() -> None:
        try:
            results.append(resolve(host, port))
        except (OSError, UnicodeError) as error:
            results.append(error)

    if _is_address(host):
        run()
    else:
        thread = Thread(target=run, name="look-up", daemon=True)
        thread.start()
        thread.join(timeout)
    hint = "check the name, and the network; behind a proxy, set HTTPS_PROXY"
    if not results:
        raise ExchangeError(
            f"cannot reach {host}:{port}: looking up its address took more than {timeout:g} s",
            phase=Phase.LOOK_UP,
            timed_out=True,
            hint=hint,
        )
    (result,) = results
    if isinstance(result, (OSError, UnicodeError)) or not result:
        reason = getattr(result, "strerror", None) or "it has none"
        raise ExchangeError(
            f"cannot reach {host}:{port}: looking up its address failed: {reason}",
            phase=Phase.LOOK_UP,
            hint=hint,
        ) from (result if isinstance(result, Exception) else None)
    return result


def _is_address(host: str) -> bool:
    families = (socket.AF_INET6,) if ":" in host else (socket.AF_INET,)
    for family in families:
        with contextlib.suppress(OSError, UnicodeError):
            socket.inet_pton(family, host.partition("%")[0])
            return True
    return False


def _in_turn(addresses: Sequence[Address]) -> Iterator[Address]:
    """Return the addresses in the system's order, but with the two families taking turns."""
    first = [one for one in addresses if one[0] == addresses[0][0]]
    other = [one for one in addresses if one[0] != addresses[0][0]]
    for number in range(max(len(first), len(other))):
        yield from first[number : number + 1]
        yield from other[number : number + 1]


class _Race:
    """Connections that are being made at the same time; those that did not win are closed."""

    def __init__(self, target: str, timeout: float) -> None:
        self._target = target
        self._timeout = timeout
        self._selector = selectors.DefaultSelector()
        self._reasons: list[str] = []

    @property
    def running(self) -> bool:
        return bool(self._selector.get_map())

    def start(self, address: Address) -> socket.socket | None:
        """Start to connect; return the socket if that succeeded at once."""
        family, target = address
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            self._reasons.append(_reason(error))
            return None
        sock.setblocking(False)
        try:
            sock.connect(target)
        except BlockingIOError:
            self._selector.register(sock, selectors.EVENT_WRITE, target[0])
            return None
        except OSError as error:
            self._reasons.append(_reason(error))
            sock.close()
            return None
        return sock

    def wait(self, seconds: float) -> socket.socket | None:
        """Wait for one to end; return it if it is connected."""
        if not self.running:
            return None
        for key, _ in self._selector.select(max(0.0, seconds)):
            sock = key.fileobj
            if not isinstance(sock, socket.socket):
                continue
            self._selector.unregister(sock)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if not code:
                return sock
            self._reasons.append(os.strerror(code).lower())
            sock.close()
        return None

    def lost(self) -> ExchangeError:
        """Return the error that says why none is connected."""
        if timed_out := self.running:
            self._reasons.append(f"no answer within {self._timeout:g} s")
        reasons = ", ".join(dict.fromkeys(self._reasons)) or "it has no address"
        return ExchangeError(
            f"cannot reach {self._target}: connecting failed: {reasons}",
            phase=Phase.CONNECT,
            timed_out=timed_out,
            hint="check host and port, that the registry runs, and the network",
        )

    def __enter__(self) -> _Race:
        return self

    def __exit__(self, *_: object) -> None:
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
