"""The range headers: what is wanted of a blob, where a chunk of an upload goes; pure."""

from __future__ import annotations

import re

_WANTED = re.compile(r"bytes=[ \t]*(?:([0-9]{1,19})-([0-9]{0,19})|-([0-9]{1,19}))[ \t]*")
_CHUNK = re.compile(r"(?:bytes[ =])?([0-9]{1,19})-([0-9]{1,19})(?:/(?:[0-9]{1,19}|\*))?")


def wanted(header: str | None, size: int) -> tuple[int, int] | None:
    """Return offset and length of the one range that is asked for; None for the whole.

    Several ranges, other units and ranges that end before they begin are ignored, as HTTP allows
    or demands it. Raises ``ValueError`` if nothing of the range is there.
    """
    match = _WANTED.fullmatch(header) if header is not None else None
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        length = min(int(suffix), size)
        if length == 0:
            raise ValueError(header)
        return size - length, length
    start = int(first)
    end = min(int(last), size - 1) if last else size - 1
    if last and int(last) < start:
        return None
    if start >= size:
        raise ValueError(header)
    return start, end - start + 1


def chunk(header: str) -> tuple[int, int]:
    """Return offset and length of a chunk, ``FIRST-LAST``; ``ValueError`` for all else."""
    match = _CHUNK.fullmatch(header.strip())
    if match is None:
        raise ValueError(header)
    first, last = int(match[1]), int(match[2])
    if last < first:
        raise ValueError(header)
    return first, last - first + 1


def received(size: int) -> str:
    """Return the ``Range`` of an upload session; what is empty looks like one byte, as agreed."""
    return f"0-{max(0, size - 1)}"
