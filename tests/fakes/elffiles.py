"""ELF files with a dynamic segment, as small as they can be: enough to be read, not to run."""

from __future__ import annotations

import marshal
import struct
import zlib

BASE = 0x400000


def elf_file(*, versions=(), weak=(), needed=(), interpreter=None, wide=True, order="<"):
    """Return a program that needs ``versions`` (``GLIBC_2.34``) of libc.so.6."""
    word = order + ("Q" if wide else "I")
    strings = bytearray(b"\0")

    def text(value):
        strings.extend(value.encode() + b"\0")
        return len(strings) - len(value) - 1

    names = [(text(name), 2 if name in weak else 0) for name in (*versions, *weak)]
    libraries = [text(name) for name in needed]
    file = text("libc.so.6")
    aux = b"".join(
        struct.pack(f"{order}IHHII", 0, flags, 0, name, 16 if index < len(names) - 1 else 0)
        for index, (name, flags) in enumerate(names)
    )
    need = struct.pack(f"{order}HHIII", 1, len(names), file, 16, 0) + aux if names else b""
    count = 3 if interpreter else 2
    start = 64 if wide else 52
    size = 56 if wide else 32
    tables = start + count * size
    strings_at = tables
    need_at = strings_at + len(strings)
    entries = [(1, name) for name in libraries] + [(5, BASE + strings_at)]
    entries += [(0x6FFFFFFE, BASE + need_at), (0x6FFFFFFF, 1)] if names else []
    entries.append((0, 0))
    dynamic_at = need_at + len(need)
    dynamic = b"".join(struct.pack(word + word[-1], *entry) for entry in entries)
    path_at = dynamic_at + len(dynamic)
    path = (interpreter or "").encode() + b"\0"
    total = path_at + len(path)
    segments = [(1, 0, BASE, total), (2, dynamic_at, BASE + dynamic_at, len(dynamic))]
    segments += [(3, path_at, BASE + path_at, len(path))] if interpreter else []
    if wide:
        heads = [
            struct.pack(f"{order}IIQQQQQQ", kind, 0, at, address, address, length, length, 8)
            for kind, at, address, length in segments
        ]
        header = struct.pack(
            f"{order}HHIQQQIHHHHHH", 3, 62, 1, 0, start, 0, 0, start, size, count, 0, 0, 0
        )
    else:
        heads = [
            struct.pack(f"{order}IIIIIIII", kind, at, address, address, length, length, 0, 4)
            for kind, at, address, length in segments
        ]
        header = struct.pack(
            f"{order}HHIIIIIHHHHHH", 3, 3, 1, 0, start, 0, 0, start, size, count, 0, 0, 0
        )
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1, 0]) + bytes(8)
    return ident + header + b"".join(heads) + bytes(strings) + need + dynamic + path


def one_file(program, members):
    """Return ``program`` with PyInstaller's archive behind it: name -> (kind, content, packed)."""
    body, table = b"", b""
    for name, (kind, content, packed) in members.items():
        data = zlib.compress(content) if packed else content
        label = name.encode() + b"\0"
        table += struct.pack(
            "!IIIIBc", 18 + len(label), len(body), len(data), len(content), packed, kind
        )
        table += label
        body += data
    length = len(body) + len(table) + 88
    magic = b"MEI\014\013\012\013\016"
    cookie = struct.pack("!8sIIII64s", magic, length, len(body), len(table), 311, b"libpython")
    return program + body + table + cookie


def modules_archive(modules, version=4):
    """Return PyInstaller's archive of modules (PYZ): name -> code."""
    data, table = bytearray(17), []
    for name, code in modules.items():
        packed = zlib.compress(code)
        table.append((name, (0, len(data), len(packed))))
        data += packed
    data[:12] = b"PYZ\0" + b"\xa7\x0d\x0d\x0a" + struct.pack("!i", len(data))
    return bytes(data) + marshal.dumps(table, version)
