"""Log records on standard error, for those who ask for them."""

from __future__ import annotations

import logging
from typing import TextIO

from ocm_pkg._typing import override
from ocm_pkg.errors import escaped


class _OneLine(logging.Formatter):
    """A record stays one line, whatever a plugin put into it."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        return escaped(super().format(record))


def log_to(stream: TextIO, level: str) -> None:
    """Print log records of ``level`` (``debug``, ``info``, ``warn``, ``error``) and above."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_OneLine("%(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger("ocm_pkg")
    root.addHandler(handler)
    root.setLevel("WARNING" if level == "warn" else level.upper())
