"""Repeats what plugins log in our own log: escaped, line by line, with a prefix of ours."""

from __future__ import annotations

import json
import logging
from typing import Any

from ocm_pkg.errors import escaped
from ocm_pkg.plugin.text import escape_bytes

_LOG = logging.getLogger(__name__)
_LEVELS = {
    "ERROR": logging.ERROR,
    "WARN": logging.WARNING,
    "WARNING": logging.WARNING,
    "INFO": logging.INFO,
}
_NOT_SHOWN = ("level", "msg", "time")
_LINE_LIMIT = 4000


def repeat_error_line(plugin: str, line: bytes) -> None:
    """Log one line of standard error: a JSON object at its own level, other text for debugging."""
    record = _json_object(line)
    if record is None:
        _LOG.debug("plugin %s: stderr: %s", plugin, escape_bytes(line, _LINE_LIMIT))
        return
    level = _LEVELS.get(str(record.get("level", "")).upper(), logging.DEBUG)
    if _LOG.isEnabledFor(level):
        _LOG.log(level, "plugin %s: %s", plugin, _text(record))


def repeat_output_line(plugin: str, line: bytes) -> None:
    """Log a line of standard output, where nothing but the address is expected."""
    _LOG.debug("plugin %s: stdout: %s", plugin, escape_bytes(line, _LINE_LIMIT))


def _json_object(line: bytes) -> dict[str, Any] | None:
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _text(record: dict[str, Any]) -> str:
    attributes = "".join(
        f" {name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in record.items()
        if name not in _NOT_SHOWN
    )
    return escaped(f"{record.get('msg', '')}{attributes}", _LINE_LIMIT)
