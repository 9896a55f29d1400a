"""Headers of programs for several platforms; enough for a header check, not to run."""

from __future__ import annotations

import struct


def elf(machine=62, width=2, data=1, system=0, kind=3) -> bytes:
    """Return the header of an ELF program; by default for linux/amd64."""
    order = "<" if data == 1 else ">"
    ident = b"\x7fELF" + bytes([width, data, 1, system]) + bytes(8)
    return ident + struct.pack(f"{order}HHI", kind, machine, 1) + bytes(40)


def pe(machine=0x8664, flags=0x0022) -> bytes:
    """Return the header of a Windows program."""
    start = b"MZ" + bytes(0x3A) + struct.pack("<I", 0x80)
    return (
        start + bytes(0x40) + b"PE\0\0" + struct.pack("<HHIIIHH", machine, 3, 0, 0, 0, 240, flags)
    )


def macho(machine=0x0100000C, kind=2) -> bytes:
    """Return the header of a Mach-O program; by default for darwin/arm64."""
    return struct.pack("<IIIIIIII", 0xFEEDFACF, machine, 0, kind, 0, 0, 0, 0)


def universal(*machines: int) -> bytes:
    """Return the header of a Mach-O program for several architectures."""
    entries = b"".join(struct.pack(">IIIII", machine, 0, 4096, 1, 12) for machine in machines)
    return struct.pack(">II", 0xCAFEBABE, len(machines)) + entries
