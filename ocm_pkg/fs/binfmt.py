"""Which programs of other processors the kernel runs by an emulator (binfmt_misc)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def is_registered(header: bytes, registrations: Path) -> bool:
    """Whether the kernel has an emulator for programs that begin with ``header``.

    ``registrations`` is the folder of binfmt_misc. False where it can't be read.
    """
    try:
        if not (registrations / "status").read_text().startswith("enabled"):
            return False
        entries = [
            path.read_text()
            for path in sorted(registrations.iterdir())
            if path.name not in ("register", "status")
        ]
    except OSError:
        return False
    return any(_matches(header, entry) for entry in entries)


def _matches(header: bytes, entry: str) -> bool:
    """Whether an entry, as the kernel shows it, is enabled and for ``header``."""
    lines = entry.splitlines()
    values = dict(line.split(" ", 1) for line in lines if " " in line)
    if lines[:1] != ["enabled"] or "magic" not in values:
        return False
    try:
        magic, start = bytes.fromhex(values["magic"]), int(values.get("offset", "0"))
        mask = bytes.fromhex(values.get("mask", "ff" * len(magic)))
    except ValueError:
        return False
    part = header[start : start + len(magic)]
    return len(part) == len(magic) == len(mask) and all(
        one & bits == other & bits for one, other, bits in zip(magic, part, mask, strict=True)
    )
