"""What is in a program that PyInstaller made: the archive at its end, which it reads at its start.

A program that is one file has everything in there; one in a folder has the modules.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocm_pkg.model.elf import Content

_COOKIE_MAGIC = b"MEI\014\013\012\013\016"
_COOKIE = "!8sIIII64s"  # magic, length, where the table is, its length, Python, its library
_ENTRY = "!IIIIBc"  # length of the entry, where, packed, unpacked, whether packed, kind
_BINARY = b"b"
_LARGEST = 1024**3
"""No library of more bytes is looked at."""
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: ``packed`` bytes of the program from ``start``; compressed if ``is_packed``."""

    name: str
    kind: bytes
    start: int
    packed: int
    unpacked: int
    is_packed: bool


def entries_of(data: Content) -> Iterator[Entry]:
    """Give every entry of the archive in ``data``; nothing if it is no such program.

    What is damaged ends the list.
    """
    cookie = data.rfind(_COOKIE_MAGIC)
    if cookie < 0:
        return
    try:
        _, length, table, table_length, _, _ = struct.unpack_from(_COOKIE, data, cookie)
        start = cookie + struct.calcsize(_COOKIE) - length
        if start < 0:
            return
        yield from _entries(data, start, start + table, table_length)
    except struct.error:
        return


def _entries(data: Content, start: int, table: int, length: int) -> Iterator[Entry]:
    position, head = table, struct.calcsize(_ENTRY)
    while position < table + length:
        size, offset, packed, unpacked, is_packed, kind = struct.unpack_from(_ENTRY, data, position)
        if size <= head:
            return
        name = data[position + head : position + size].rstrip(b"\0").decode(errors="replace")
        yield Entry(name, kind, start + offset, packed, unpacked, bool(is_packed))
        position += size


def chunks_of(data: Content, entry: Entry, *, packed: bool = False) -> Iterator[bytes]:
    """Give the content of an entry piece by piece; with ``packed``, as it is in ``data``.

    What is damaged ends it, and so does the length that the entry states.
    """
    end = min(entry.start + entry.packed, len(data))
    pieces = (data[at : min(at + _CHUNK, end)] for at in range(entry.start, end, _CHUNK))
    if packed or not entry.is_packed:
        yield from pieces
        return
    unpacker, left = zlib.decompressobj(), entry.unpacked
    for piece in pieces:
        rest = piece
        while left:
            try:
                out = unpacker.decompress(rest, min(left, _CHUNK))
            except zlib.error:
                return
            if not out:
                break
            yield out
            left -= len(out)
            rest = unpacker.unconsumed_tail


def is_pyinstaller(data: Content) -> bool:
    """Whether PyInstaller made this program: its boot loader starts the same file once more."""
    return data.rfind(_COOKIE_MAGIC) >= 0


def binaries_of(data: Content) -> Iterator[tuple[str, bytes]]:
    """Give name and content of every library in ``data``; nothing if it is no such program.

    What is damaged ends the list.
    """
    for entry in entries_of(data):
        if entry.kind != _BINARY or entry.unpacked > _LARGEST:
            continue
        content = data[entry.start : entry.start + entry.packed]
        if entry.is_packed:
            try:
                content = zlib.decompressobj().decompress(content, _LARGEST)
            except zlib.error:
                return
        yield entry.name, content
