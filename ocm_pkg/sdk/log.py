"""A plugin's log: JSON lines on stderr, as plugin managers read them."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from ocm_pkg._typing import override
from ocm_pkg.contract.jsontext import write_json

if TYPE_CHECKING:
    import logging

MAX_LINE = 4096
"""The longest line in bytes: a pipe takes it whole or not at all, so lines never mix."""

_LONGEST_TEXT = 2500


class Log:
    """Writes log lines to a file descriptor; never blocks on a reader that went away.

    A line that a full pipe cannot take is dropped: a call must not wait for its log.
    """

    def __init__(self, descriptor: int = 2) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def write(self, level: str, message: str, **attributes: Any) -> None:  # noqa: ANN401 - JSON
        """Write one line; ``level`` is DEBUG, INFO, WARN or ERROR, attributes are JSON values."""
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        entry = {
            "time": f"{stamp}.{int(now * 1000) % 1000:03d}Z",
            "level": level,
            "msg": _cut(message),
            **{
                name: _cut(value) if isinstance(value, str) else value
                for name, value in attributes.items()
            },
        }
        line = write_json(entry)
        while len(line) >= MAX_LINE and len(entry) > 3:
            entry.popitem()
            line = write_json(entry)
        self._send(line.encode() + b"\n")

    def _send(self, line: bytes) -> None:
        waiter = select.poll()
        waiter.register(self._descriptor, select.POLLOUT)
        with self._lock:
            try:
                if any(event & select.POLLOUT for _, event in waiter.poll(0)):
                    os.write(self._descriptor, line)
            except OSError:
                return


def _cut(text: str) -> str:
    # Twice over, as JSON in ASCII may take six bytes for a character.
    shown = text if len(text) <= _LONGEST_TEXT else "..." + text[-_LONGEST_TEXT:]
    return shown if len(write_json(shown)) <= _LONGEST_TEXT + 100 else "..." + shown[-400:]


def bridge_logging(log: Log) -> None:
    """Send what plugin code logs with ``logging`` to ``log``, if it uses ``logging`` at all."""
    if "logging" not in sys.modules:
        return
    import logging

    class Bridge(logging.Handler):
        """Writes records as lines of the plugin's log."""

        @override
        def emit(self, record: logging.LogRecord) -> None:
            level = "WARN" if record.levelname == "WARNING" else record.levelname
            log.write(level, record.getMessage(), logger=record.name)

    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(Bridge())
