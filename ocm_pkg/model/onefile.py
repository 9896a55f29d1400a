"""The libraries in a program that PyInstaller made as one file: it unpacks them when it starts."""

from __future__ import annotations

import struct
import zlib
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


def binaries_of(data: Content) -> Iterator[tuple[str, bytes]]:
    """Give name and content of every library in ``data``; nothing if it is no such program.

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
        yield from _binaries(data, start, start + table, table_length)
    except (struct.error, zlib.error):
        return


def _binaries(data: Content, start: int, table: int, length: int) -> Iterator[tuple[str, bytes]]:
    position, head = table, struct.calcsize(_ENTRY)
    while position < table + length:
        size, offset, packed, unpacked, is_packed, kind = struct.unpack_from(_ENTRY, data, position)
        if size <= head:
            return
        if kind == _BINARY and unpacked <= _LARGEST:
            content = data[start + offset : start + offset + packed]
            if is_packed:
                content = zlib.decompressobj().decompress(content, _LARGEST)
            name = data[position + head : position + size].rstrip(b"\0")
            yield name.decode(errors="replace"), content
        position += size
