"""Sizes as people write and read them."""

from __future__ import annotations

import re

from ocm_pkg.errors import UsageError

_SIZE = re.compile(r"([0-9]{1,15}) ?(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)?")
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def size_of(text: str) -> int:
    """Return the bytes that ``500MB`` or ``16GiB`` means, or raise ``UsageError``."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is not a size", hint="write for example 500MB or 16GiB")
    unit = match[2] or "B"
    base = 1024 if "i" in unit else 1000
    return int(match[1]) * int(base ** "BKMGT".index(unit[0].upper()))


def human_size(size: int | None) -> str:
    """Return a size for people: ``12 B``, ``1.5 MiB``; ``-`` if it is not known."""
    if size is None:
        return "-"
    shown, unit = float(size), 0
    while shown >= 1024 and unit < len(_UNITS) - 1:
        shown, unit = shown / 1024, unit + 1
    return f"{size} B" if unit == 0 else f"{shown:.1f} {_UNITS[unit]}"
