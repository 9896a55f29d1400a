"""What a Linux program or library needs of its C library: the versions that its ELF file names.

The loader refuses a file as soon as one version that the file asks for is unknown to the C library
of the machine. These versions are in the dynamic segment, which is there also in stripped files.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

    Content: TypeAlias = "bytes | mmap.mmap"

MAGIC = b"\x7fELF"
_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3
_NEEDED, _STRINGS, _VERSIONS, _VERSION_COUNT = 1, 5, 0x6FFFFFFE, 0x6FFFFFFF
_WEAK = 2  # a version that may be missing
_MOST = 10_000
_LONGEST = 4096
_VERSION = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4}){1,3}")
_PREFIX = "GLIBC_"
_MARKERS = {"GLIBC_ABI_DT_RELR": "2.36"}
"""Names that are no versions, and the first version of glibc that has them."""


@dataclass(frozen=True, slots=True)
class LibraryNeeds:
    """``glibc`` is the newest version asked for, None without any; ``musl``: for that library."""

    glibc: str | None
    musl: bool


def is_glibc_version(text: str) -> bool:
    """Whether ``text`` is a version of glibc, for example 2.36 or 2.3.4."""
    return text.isascii() and _VERSION.fullmatch(text) is not None


def version_key(version: str) -> tuple[int, ...]:
    """Return what versions of glibc are ordered by: 2.9 is older than 2.10."""
    return tuple(map(int, version.split(".")))


def newest(versions: Iterator[str]) -> str | None:
    """Return the newest of some versions of glibc; None if there are none."""
    return max(versions, key=version_key, default=None)


def library_needs(data: Content) -> LibraryNeeds | None:
    """Return what the ELF file ``data`` needs; None if it is none, or is damaged.

    A static program needs nothing. Whatever ``data`` is, at most 10,000 entries of each of its
    tables are read.
    """
    if data[:4] != MAGIC:
        return None
    try:
        return _Elf(data).needs()
    except (struct.error, OverflowError, ValueError):
        return None


def loader_of(data: Content) -> str | None:
    """Return the path of the loader that the program ``data`` is started by; None if it is static.

    None also if ``data`` is no ELF file, or is damaged.
    """
    if data[:4] != MAGIC:
        return None
    try:
        return _Elf(data).loader()
    except (struct.error, OverflowError, ValueError):
        return None


class _Elf:
    """One file; every method may raise ``struct.error`` where it ends too early."""

    def __init__(self, data: Content) -> None:
        width, encoding = struct.unpack_from("2B", data, 4)
        wide, order = width == 2, "<" if encoding == 1 else ">"
        self._data = data
        self._order = order
        self._word = order + ("Q" if wide else "I")
        self._dynamic_entry = order + ("qQ" if wide else "iI")
        (start,) = struct.unpack_from(self._word, data, 32 if wide else 28)
        size, count = struct.unpack_from(f"{order}HH", data, 54 if wide else 42)
        # type, offset, address, size in the file
        layout = f"{order}I4xQQ8xQ" if wide else f"{order}III4xI"
        self._segments = [
            struct.unpack_from(layout, data, start + index * size)
            for index in range(min(count, _MOST))
        ]

    def loader(self) -> str | None:
        paths = (self._text(start) for kind, start, _, _ in self._segments if kind == _INTERPRETER)
        return next(paths, None)

    def needs(self) -> LibraryNeeds:
        dynamic, libraries = self._dynamic()
        strings = self._offset_of(dynamic[_STRINGS]) if _STRINGS in dynamic else 0
        musl = any("musl" in self._text(strings + name) for name in libraries)
        musl = musl or "ld-musl" in (self.loader() or "")
        if _VERSIONS not in dynamic or _STRINGS not in dynamic:
            return LibraryNeeds(None, musl)
        versions = self._versions(dynamic[_VERSIONS], dynamic.get(_VERSION_COUNT, 0), strings)
        return LibraryNeeds(newest(versions), musl)

    def _dynamic(self) -> tuple[dict[int, int], list[int]]:
        """Return the entries of the dynamic segment, and where the names of libraries are."""
        found: dict[int, int] = {}
        libraries: list[int] = []
        for kind, start, _, length in self._segments:
            if kind != _DYNAMIC:
                continue
            size = struct.calcsize(self._dynamic_entry)
            for index in range(min(length // size, _MOST)):
                tag, value = struct.unpack_from(
                    self._dynamic_entry, self._data, start + index * size
                )
                if tag == 0:
                    break
                if tag == _NEEDED:
                    libraries.append(value)
                found[tag] = value
        return found, libraries

    def _offset_of(self, address: int) -> int:
        """Return where in the file is what will be loaded at ``address``."""
        for kind, start, base, length in self._segments:
            if kind == _LOAD and base <= address < base + length:
                return int(start + address - base)
        raise ValueError(address)

    def _versions(self, address: int, count: int, strings: int) -> Iterator[str]:
        """Give every version of glibc that the file insists on."""
        entry, seen = self._offset_of(address), 0
        for _ in range(min(count, _MOST)):
            names, detail, following = struct.unpack_from(
                f"{self._order}2xH4xII", self._data, entry
            )
            detail += entry
            for _ in range(names):
                seen += 1
                if seen > _MOST:
                    return
                flags, name, further = struct.unpack_from(
                    f"{self._order}4xH2xII", self._data, detail
                )
                version = _version(self._text(strings + name))
                if version is not None and not flags & _WEAK:
                    yield version
                if not further:
                    break
                detail += further
            if not following:
                return
            entry += following

    def _text(self, start: int) -> str:
        return self._data[start : start + _LONGEST].partition(b"\0")[0].decode(errors="replace")


def _version(name: str) -> str | None:
    version = name.removeprefix(_PREFIX)
    if version != name and is_glibc_version(version):
        return version
    return _MARKERS.get(name)
