"""The modules in a ``PYZ`` archive: the part of a program of PyInstaller that has its Python code.

Its table is in the format of Python's ``marshal``, whose own reader is not for data of others. So
the few types that a table is made of are read here, and nothing else.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, TypeAlias

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.onefile import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocm_pkg.model.elf import Content

    Value: TypeAlias = "str | int | list[Value] | None"

KIND = b"z"
"""The kind of the entry that is such an archive."""

_MAGIC = b"PYZ\0"
_HEADER = struct.Struct("!4s4si")  # magic, the one of bytecode, where the table is
_MODULE = b"m"
_LONGEST_TABLE = 4 * 1024 * 1024
_LARGEST_MODULE = 256 * 1024 * 1024
_DEEPEST = 3
_REFERABLE = 0x80
_COUNTED = {b"[": "<i", b"(": "<i", b")": "<B"}
_TEXTS = {b"a": "<i", b"A": "<i", b"u": "<i", b"t": "<i", b"z": "<B", b"Z": "<B"}


def modules_of(data: Content, archive: Entry) -> Iterator[Entry]:
    """Give each module of an archive in ``data``, in the table's order.

    Nothing if the archive is none, is compressed, or its table is not understood.
    """
    end = min(archive.start + archive.packed, len(data))
    if archive.is_packed or archive.start + _HEADER.size > end:
        return
    magic, _, offset = _HEADER.unpack_from(data, archive.start)
    table = data[archive.start + offset : end] if offset > 0 else b""
    if magic != _MAGIC or len(table) > _LONGEST_TABLE:
        return
    try:
        found = _Table(table).read(0)
    except (InvalidDocumentError, struct.error, UnicodeDecodeError):
        return
    for row in found if isinstance(found, list) else ():
        match row:
            case [str() as name, [int(), int() as at, int() as length]] if at >= 0 <= length:
                start = archive.start + at
                yield Entry(name, _MODULE, start, length, _LARGEST_MODULE, is_packed=True)
            case _:
                return


class _Table:
    """Reads values one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._known: list[Value] = []

    def read(self, depth: int) -> Value:
        """Return the next value; raise ``InvalidDocumentError`` for a type that is not known."""
        (code,) = self._take("<B")
        kind = bytes((code & ~_REFERABLE,))
        place = len(self._known)
        if code & _REFERABLE:
            self._known.append(None)
        value = self._value(kind, depth)
        if code & _REFERABLE:
            self._known[place] = value
        return value

    def _value(self, kind: bytes, depth: int) -> Value:
        if kind == b"i":
            (number,) = self._take("<i")
            return number
        if kind == b"r":
            (place,) = self._take("<I")
            return self._known[place] if place < len(self._known) else None
        if kind in _TEXTS:
            (length,) = self._take(_TEXTS[kind])
            text = self._data[self._at : self._at + max(0, length)]
            self._at += len(text)
            return text.decode()
        if kind in _COUNTED and depth < _DEEPEST:
            (count,) = self._take(_COUNTED[kind])
            return [self.read(depth + 1) for _ in range(count)]
        raise InvalidDocumentError(f"a table of modules has a value of type {kind!r}")

    def _take(self, form: str) -> tuple[int, ...]:
        values = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return values
