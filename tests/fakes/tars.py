"""Tars written byte by byte: what no packer would write."""

from __future__ import annotations

import gzip
import io
import tarfile
from dataclasses import dataclass

BLOCK = 512
PROGRAM = b"#!/bin/sh\nexit 0\n"


@dataclass(frozen=True)
class Member:
    """One entry; ``size`` lies if it is given. ``raw`` goes in front as it is."""

    name: str | bytes
    content: bytes = b""
    kind: bytes = b"0"
    mode: int = 0o644
    target: str = ""
    size: bytes | None = None
    raw: bytes = b""

    def encode(self) -> bytes:
        name = self.name if isinstance(self.name, bytes) else self.name.encode()
        size = self.size if self.size is not None else b"%011o\0" % len(self.content)
        head = bytearray(BLOCK)
        head[0 : len(name)] = name
        head[100:108] = b"%07o\0" % self.mode
        head[108:124] = b"0001750\0" * 2
        head[124:136] = size
        head[136:148] = b"%011o\0" % 0
        head[156:157] = self.kind
        head[157 : 157 + len(self.target)] = self.target.encode()
        head[257:265] = b"ustar\x0000"
        head[148:156] = b" " * 8
        head[148:156] = b"%06o\0 " % sum(head)
        padding = bytes(-len(self.content) % BLOCK)
        return self.raw + bytes(head) + self.content + padding


def program(name: str = "hello/hello", content: bytes = PROGRAM) -> Member:
    return Member(name, content, mode=0o755)


def folder(name: str) -> Member:
    return Member(name, kind=b"5", mode=0o755)


def link(name: str, target: str) -> Member:
    return Member(name, kind=b"2", target=target)


def pax(kind: bytes = b"x", **records: str) -> bytes:
    """Return an extended header."""
    data = b"".join(_record(name, value) for name, value in records.items())
    return Member("pax", data, kind).encode()


def _record(name: str, value: str) -> bytes:
    body = f" {name}={value}\n".encode()
    length = len(body)
    while length != len(str(length)) + len(body):
        length = len(str(length)) + len(body)
    return str(length).encode() + body


def tar(*members: Member, end: bytes = bytes(2 * BLOCK)) -> bytes:
    return b"".join(member.encode() for member in members) + end


def tgz(*members: Member) -> bytes:
    return gzip.compress(tar(*members), mtime=0)


def by_library(*members: tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    """Return what the standard library packs; contents are zeros."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    return out.getvalue()
