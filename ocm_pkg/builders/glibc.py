"""The oldest glibc that a built program runs on: the newest one that any of its files asks for."""

from __future__ import annotations

import mmap
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ocm_pkg.fs.blob import open_regular
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.model.elf import MAGIC, library_needs, version_key
from ocm_pkg.model.onefile import binaries_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocm_pkg.model.elf import Content


@dataclass(frozen=True, slots=True)
class Floor:
    """A version of glibc, and the file that needs it: its path in what was made."""

    version: str
    file: str


def floor_of(program: Path, made: Path) -> Floor | None:
    """Return the floor of ``made``, which is ``program`` itself or the folder that it is in.

    In a program that PyInstaller made as one file, the libraries that it unpacks count as well.
    None for a program that needs none: it is static, made for musl, or for another system.
    """
    with storage_errors(f"reading {made}", made.parent):
        with _content(program) as data:
            own = library_needs(data) if data else None
            if own is None or own.musl:
                return None
        files = _folder(made) if made != program else _one(program)
        return max(files, key=lambda floor: version_key(floor.version), default=None)


def _folder(folder: Path) -> Iterator[Floor]:
    for current, folders, names in os.walk(folder):
        folders.sort()
        for path in (Path(current, name) for name in sorted(names)):
            if path.is_symlink() or not path.is_file():
                continue
            with _content(path) as data:
                yield from _needed(data, str(path.relative_to(folder)))


def _one(program: Path) -> Iterator[Floor]:
    with _content(program) as data:
        yield from _needed(data, program.name)
        for name, content in binaries_of(data):
            yield from _needed(content, name)


def _needed(data: Content, name: str) -> Iterator[Floor]:
    needs = library_needs(data)
    if needs is not None and needs.glibc is not None:
        yield Floor(needs.glibc, name)


@contextmanager
def _content(path: Path) -> Iterator[Content]:
    """Give the content of a file: mapped if it is an ELF file, else nothing of it."""
    with open_regular(path) as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            yield b""
            return
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data
