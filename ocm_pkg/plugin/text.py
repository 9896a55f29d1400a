"""What a plugin wrote, made safe to show: escaped, cut, bounded."""

from __future__ import annotations

import signal
import threading
from collections import deque

from ocm_pkg.errors import escaped

_LINE_LIMIT = 1000


def escape_bytes(data: bytes, limit: int = _LINE_LIMIT) -> str:
    """Return bytes that ought to be UTF-8 as one printable line of ``limit`` characters."""
    return escaped(data[: 4 * (limit + 1)].decode("utf-8", "backslashreplace"), limit)


class Tail:
    """The last lines of a stream; safe to fill in one thread and read in another."""

    def __init__(self, lines: int = 20) -> None:
        self._lines: deque[str] = deque(maxlen=lines)
        self._lock = threading.Lock()

    def add(self, line: bytes) -> None:
        """Keep a line, escaped and cut."""
        shown = escape_bytes(line)
        with self._lock:
            self._lines.append(shown)

    def lines(self) -> tuple[str, ...]:
        """Return the kept lines, oldest first."""
        with self._lock:
            return tuple(self._lines)


class LineSplitter:
    """Cuts a byte stream into lines; of an overlong line only the beginning is kept."""

    def __init__(self, limit: int = 64 << 10) -> None:
        self._limit = limit
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that ``data`` completes, without their ends."""
        *complete, rest = data.split(b"\n")
        lines = []
        for part in complete:
            self._keep(part)
            lines.append(bytes(self._rest).removesuffix(b"\r"))
            self._rest.clear()
        self._keep(rest)
        return lines

    def end(self) -> list[bytes]:
        """Return the unfinished last line, if there is one."""
        lines = [bytes(self._rest)] if self._rest else []
        self._rest.clear()
        return lines

    def _keep(self, part: bytes) -> None:
        self._rest += part[: self._limit - len(self._rest)]


def describe_exit(status: int) -> str:
    """Return how a process ended, in words: ``exit status 3``, ``ended by SIGSEGV``."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"ended by signal {-status}"
