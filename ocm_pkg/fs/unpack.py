"""Unpack a tar into a folder, safely: relative to open folders, and through no link.

What an archive may hold is decided by names before anything is written, and every folder, file
and link is made below handles of folders that were opened without following links. So neither an
entry nor somebody who moves folders about meanwhile leads out of the folder.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from ocm_pkg.errors import UnsafeArchiveError, escaped
from ocm_pkg.fs.gunzip import Gunzip
from ocm_pkg.fs.tarentries import TarEntries
from ocm_pkg.model.binary import HEADER_BYTES, platforms_of
from ocm_pkg.model.innerpath import collation, leads_to, problem_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from ocm_pkg.fs.tarentries import Entry

MAX_ENTRIES = 100_000
MAX_UNPACKED = 4 * 1024**3
_FOLDER_FLAGS = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_LIBRARY = re.compile(r"\.(?:so(?:\.[0-9.]+)?|dylib|dll|pyd)$")
_BUFFER = 1024 * 1024


@dataclass(frozen=True, slots=True)
class UnpackedFile:
    """A file that was written: its path inside, SHA-256 as 64 hex digits, size in bytes."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What is in the folder now; ``links`` by path, with where they lead as they were written."""

    program: str
    files: tuple[UnpackedFile, ...]
    links: dict[str, str]


def unpack(
    stream: BinaryIO,
    folder: Path,
    *,
    what: str,
    compressed: bool,
    program: str | None = None,
    max_entries: int = MAX_ENTRIES,
    max_unpacked: int = MAX_UNPACKED,
) -> Unpacked:
    """Unpack ``stream`` into the empty ``folder``; all of it is read, so its digest is checked.

    ``program`` is the path of the program; None if it is the only file, libraries apart, that is
    marked as executable and begins like a program. It gets mode 0755, other files 0644, folders
    0755; owners, times and attributes are nobody's. Links may lead to other entries inside. Raises
    ``UnsafeArchiveError`` for all else, and ``OSError``; the folder then has part of the content.
    """
    plain = Gunzip(stream, what=what, limit=max_unpacked) if compressed else stream
    unpacked = io.BufferedReader(cast("io.RawIOBase", plain), _BUFFER)
    root = os.open(folder, _FOLDER_FLAGS)
    try:
        writer = _Writer(root, what, max_unpacked)
        for entry in (entries := TarEntries(unpacked, what=what, max_entries=max_entries)):
            writer.write(entry, entries.content())
        writer.check_links()
        found = writer.mark_program(program)
    finally:
        os.close(root)
    return Unpacked(found, tuple(writer.files), writer.links)


class _Writer:
    """Writes entries below ``root``, an open folder."""

    def __init__(self, root: int, what: str, limit: int) -> None:
        self._root = root
        self._what = what
        self._room = limit
        self._known: dict[str, tuple[str, str]] = {}
        self._given: set[str] = set()
        self._programs: list[str] = []
        self.files: list[UnpackedFile] = []
        self.links: dict[str, str] = {}

    def write(self, entry: Entry, content: Iterator[bytes]) -> None:
        """Write one entry; its parents are made where the archive doesn't name them."""
        path = entry.name.removeprefix("./")
        if entry.kind == "folder":
            path = path.removesuffix("/")
            if path in ("", "."):
                return
        if problem := problem_of(path):
            raise self._bad(f"has the entry {_shown(entry.name)}, whose name {problem}")
        if path in self._given:
            raise self._bad(f"has {_shown(path)} twice")
        folder, _, name = path.rpartition("/")
        parent = self._enter(folder)
        try:
            self._remember(path, entry.kind)
            self._given.add(path)
            if entry.kind == "folder":
                _make(name, parent)
            elif entry.kind == "link":
                self._link(path, entry.target, name, parent)
            else:
                self._file(path, entry, content, name, parent)
        finally:
            os.close(parent)

    def _enter(self, path: str) -> int:
        """Return a handle of a folder, made with its parents where they are missing."""
        handle = os.dup(self._root)
        done: list[str] = []
        for part in path.split("/") if path else ():
            done.append(part)
            try:
                self._remember("/".join(done), "folder")
                _make(part, handle)
                inner = os.open(part, _FOLDER_FLAGS, dir_fd=handle)
            finally:
                os.close(handle)
            handle = inner
        return handle

    def _remember(self, path: str, kind: str) -> None:
        """Refuse a path that is there as something else, or that is another one somewhere."""
        before, kind_before = self._known.setdefault(collation(path), (path, kind))
        if before != path:
            raise self._bad(
                f"has {_shown(before)} and {_shown(path)}, which are one name on some systems"
            )
        if kind_before != kind:
            raise self._bad(f"has {_shown(path)} as a {kind_before} and as a {kind}")

    def _link(self, path: str, target: str, name: str, parent: int) -> None:
        if leads_to(path, target) is None:
            raise self._bad(f"has the link {_shown(path)}, which leads to {_shown(target)}")
        self.links[path] = target
        os.symlink(target, name, dir_fd=parent)

    def _file(
        self, path: str, entry: Entry, content: Iterator[bytes], name: str, parent: int
    ) -> None:
        self._room -= entry.size
        if self._room < 0:
            raise self._bad("has more content than is allowed")
        hasher = hashlib.sha256()
        head = b""
        handle = os.open(name, _FILE_FLAGS, 0o600, dir_fd=parent)
        with os.fdopen(handle, "wb") as out:
            os.fchmod(handle, 0o644)
            for chunk in content:
                head = head or chunk[:HEADER_BYTES]
                hasher.update(chunk)
                out.write(chunk)
        self.files.append(UnpackedFile(path, hasher.hexdigest(), entry.size))
        if entry.mode & 0o111 and not _LIBRARY.search(name) and _is_program(head):
            self._programs.append(path)

    def check_links(self) -> None:
        """Refuse links that lead to nothing in the archive, or round in a circle."""
        for link in self.links:
            path: str | None = link
            for _ in range(len(self.links) + 1):
                if path is None or path not in self.links:
                    break
                path = leads_to(path, self.links[path])
            else:
                raise self._bad(f"has the link {_shown(link)}, which leads round in a circle")
            if path is None or self._known.get(collation(path), ("",))[0] != path:
                raise self._bad(f"has the link {_shown(link)}, which leads to nothing in it")

    def mark_program(self, wanted: str | None) -> str:
        """Make the program executable; return its path."""
        if wanted is None:
            if len(self._programs) != 1:
                found = ", ".join(map(_shown, self._programs[:5])) or "none"
                raise self._bad(f"should have exactly one program and has: {found}")
            wanted = self._programs[0]
        sizes = {file.path: file.size for file in self.files}
        if not sizes.get(wanted):
            kind = self._known.get(collation(wanted), ("", "missing"))[1]
            problem = "an empty file" if wanted in sizes else kind
            raise self._bad(f"should have the program {_shown(wanted)}, which is {problem}")
        folder, _, name = wanted.rpartition("/")
        parent = self._enter(folder)
        try:
            handle = os.open(name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0), dir_fd=parent)
            try:
                os.fchmod(handle, 0o755)
            finally:
                os.close(handle)
        finally:
            os.close(parent)
        return wanted

    def _bad(self, problem: str) -> UnsafeArchiveError:
        return UnsafeArchiveError(
            f"{self._what} {problem}",
            hint="nothing of it was kept; ask its provider to pack it anew",
        )


def _is_program(head: bytes) -> bool:
    return head.startswith(b"#!") or bool(platforms_of(head))


def _make(name: str, parent: int) -> None:
    """Make a folder of mode 0755, whatever the umask, unless it is there."""
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        return
    handle = os.open(name, _FOLDER_FLAGS, dir_fd=parent)
    try:
        os.fchmod(handle, 0o755)
    finally:
        os.close(handle)


def _shown(text: str) -> str:
    return escaped(text, 200)
