"""The files of a tar that has nothing but plain entries of a CTF, listed fast.

It knows one form, which is what this package and both reference tools write. Whatever has anything
else in it is left to ``tarfile``, so nothing is accepted here that isn't accepted there.
"""

from __future__ import annotations

import os
import re

_BLOCK = 512
_ZEROS = bytes(_BLOCK)
_FILE = re.compile(
    rb"(?:\./)?(artifact-index\.json|blobs/(?:sha256\.[0-9a-f]{64}|sha512\.[0-9a-f]{128}))"
)
_FOLDERS = frozenset({b"blobs", b"blobs/", b"./blobs", b"./blobs/", b".", b"./"})
_HEADER = re.compile(
    rb"(?P<name>.{100})(?:[0-7]{7}[\0 ]){3}(?P<size>[0-7]{11})[\0 ][0-7]{11}[\0 ]"
    rb"(?P<sum>[0-7]{6})\0 (?P<kind>[05]).{100}ustar\x0000.{64}(?:[0-7]{7}[\0 ]|\0{8}){2}"
    rb"\0{155}.{12}",
    re.DOTALL,
)


def plain_files(fd: int, end: int, limit: int) -> dict[str, tuple[int, int]] | None:
    """Return offset and size of each file of the tar ``fd``, which ends at ``end``.

    None if it has more than ``limit`` entries, anything twice, or anything that is not plain.
    """
    files: dict[str, tuple[int, int]] = {}
    at = 0
    for _ in range(limit):
        header = os.pread(fd, _BLOCK, at)
        if header == _ZEROS:
            return files or None
        found = _HEADER.fullmatch(header)
        if found is None or int(found["sum"], 8) != _sum(header):
            return None
        name, size = found["name"].rstrip(b"\0"), int(found["size"], 8)
        at += _BLOCK
        if found["kind"] == b"5":
            if size or name not in _FOLDERS:
                return None
            continue
        match = _FILE.fullmatch(name)
        if match is None or at + size > end or (key := match[1].decode()) in files:
            return None
        files[key] = (at, size)
        at += size + -size % _BLOCK
    return None


def _sum(header: bytes) -> int:
    """Return the check sum of a header, whose own field counts as spaces."""
    return sum(header) - sum(header[148:156]) + 8 * ord(" ")
