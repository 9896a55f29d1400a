"""Which platform a program's header says it is for: ELF, Mach-O, PE."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from ocm_pkg.errors import WrongBinaryError
from ocm_pkg.model.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER_BYTES = 4096
"""How much of a file ``sniff_platform`` needs; less is enough for a smaller file."""

_ELF = b"\x7fELF"
_ELF_MACHINES: dict[tuple[int, int, int], str] = {
    # (machine, class: 1 = 32 bit, 2 = 64 bit, data: 1 = little endian, 2 = big)
    (3, 1, 1): "386",
    (8, 2, 1): "mips64le",
    (21, 2, 1): "ppc64le",
    (21, 2, 2): "ppc64",
    (22, 2, 2): "s390x",
    (40, 1, 1): "arm",
    (62, 2, 1): "amd64",
    (183, 2, 1): "arm64",
    (243, 2, 1): "riscv64",
    (258, 2, 1): "loong64",
}
_ELF_SYSTEMS = {0: "linux", 2: "netbsd", 3: "linux", 6: "solaris", 9: "freebsd", 12: "openbsd"}
_ELF_PROGRAM_TYPES = (2, 3)  # a program at a fixed address, or position independent

_MACHO_64, _MACHO_32 = 0xFEEDFACF, 0xFEEDFACE
_MACHO_FAT, _MACHO_FAT_64 = 0xCAFEBABE, 0xCAFEBABF
_MACHO_MACHINES = {7: "386", 0x01000007: "amd64", 12: "arm", 0x0100000C: "arm64"}
_MACHO_PROGRAM = 2
_MACHO_MOST = 16  # a Java class file has the same magic, and a version of at least 45 there

_PE_MACHINES = {0x14C: "386", 0x1C0: "arm", 0x1C4: "arm", 0x8664: "amd64", 0xAA64: "arm64"}
_PE_IS_PROGRAM, _PE_IS_LIBRARY = 0x0002, 0x2000


def sniff_platform(header: bytes, wanted: Platform | None = None) -> Platform | None:
    """Return the platform of the program that starts with ``header``; None if it is none.

    ``header`` is the first ``HEADER_BYTES`` of the file. A universal Mach-O is for several
    platforms: the result is ``wanted`` if that is one of them, else the first.
    """
    platforms = platforms_of(header)
    if wanted in platforms:
        return wanted
    return platforms[0] if platforms else None


def platforms_of(header: bytes) -> tuple[Platform, ...]:
    """Return every platform that the program is for: none, one, or several for a Mach-O."""
    try:
        if header.startswith(_ELF):
            return tuple(_elf(header))
        if header.startswith(b"MZ"):
            return tuple(_pe(header))
        return tuple(_macho(header))
    except struct.error:
        return ()


def elf_header(architecture: str) -> bytes:
    """Return how a Linux program for one of ``platform.ARCHITECTURES`` begins."""
    known = {name: key for key, name in _ELF_MACHINES.items()}
    machine, width, data = known[architecture]
    fields = struct.pack("<HHI" if data == 1 else ">HHI", _ELF_PROGRAM_TYPES[0], machine, 1)
    return _ELF + bytes((width, data, 1, 0)) + bytes(8) + fields


def _elf(header: bytes) -> Iterator[Platform]:
    width, data, _, system = struct.unpack_from("4B", header, 4)
    kind, machine = struct.unpack_from("<HH" if data == 1 else ">HH", header, 16)
    architecture = _ELF_MACHINES.get((machine, width, data))
    if architecture and system in _ELF_SYSTEMS and kind in _ELF_PROGRAM_TYPES:
        yield Platform(_ELF_SYSTEMS[system], architecture)


def _pe(header: bytes) -> Iterator[Platform]:
    (start,) = struct.unpack_from("<I", header, 0x3C)
    signature, machine = struct.unpack_from("<4sH", header, start)
    (flags,) = struct.unpack_from("<H", header, start + 22)
    is_program = flags & _PE_IS_PROGRAM and not flags & _PE_IS_LIBRARY
    if signature == b"PE\0\0" and machine in _PE_MACHINES and is_program:
        yield Platform("windows", _PE_MACHINES[machine])


def _macho(header: bytes) -> Iterator[Platform]:
    (magic,) = struct.unpack_from("<I", header)
    if magic in (_MACHO_64, _MACHO_32):
        machine, _, kind = struct.unpack_from("<III", header, 4)
        if machine in _MACHO_MACHINES and kind == _MACHO_PROGRAM:
            yield Platform("darwin", _MACHO_MACHINES[machine])
        return
    magic, count = struct.unpack_from(">II", header)
    if magic not in (_MACHO_FAT, _MACHO_FAT_64) or count > _MACHO_MOST:
        return
    for index in range(count):
        entry = 20 if magic == _MACHO_FAT else 32
        (machine,) = struct.unpack_from(f">I{entry - 4}x", header, 8 + index * entry)
        if machine in _MACHO_MACHINES:
            yield Platform("darwin", _MACHO_MACHINES[machine])


def check_header(header: bytes, wanted: Platform, what: str) -> None:
    """Refuse a program that its own header says is for another platform, or that is none.

    A script, which starts with ``#!``, is good for every platform that can run one. Raises
    ``WrongBinaryError``; ``what`` names the program in it.
    """
    platforms = platforms_of(header)
    if wanted in platforms or (header.startswith(b"#!") and wanted.os != "windows"):
        return
    found = f"is for {' and '.join(map(str, platforms))}" if platforms else "is no program"
    raise WrongBinaryError(
        f"{what} {found}, not for {wanted} as its identity says",
        hint="tell its provider; nothing was installed",
    )
