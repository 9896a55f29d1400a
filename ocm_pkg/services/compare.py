"""Compare a binary that was built again with the one that was published, and name what differs."""

from __future__ import annotations

import mmap
from contextlib import contextmanager
from itertools import zip_longest
from typing import TYPE_CHECKING

from ocm_pkg.errors import DigestMismatchError, InvalidDocumentError, WrongBinaryError
from ocm_pkg.fs.blob import FileBlob, open_regular
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.fs.receive import receive
from ocm_pkg.fs.staging import read_trailer
from ocm_pkg.fs.tarcompare import (
    PUBLISHED,
    REBUILT,
    Tars,
    content_difference,
    first_offset,
)
from ocm_pkg.fs.watched import Reading, watched
from ocm_pkg.model.onefile import chunks_of, entries_of
from ocm_pkg.model.published import NoProgress, label_of
from ocm_pkg.model.pyz import KIND as PYZ
from ocm_pkg.model.pyz import modules_of
from ocm_pkg.model.rebuilt import Difference
from ocm_pkg.store.contentcheck import stated_digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ocm_pkg.model.descriptor import ComponentDescriptor, Resource
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.model.elf import Content
    from ocm_pkg.model.onefile import Entry
    from ocm_pkg.model.published import Progress
    from ocm_pkg.ports import Repository

MAX_BINARY = 4 * 1024**3
"""How long a published binary may be, in bytes."""


def fetch(
    repository: Repository,
    descriptor: ComponentDescriptor,
    resource: Resource,
    path: Path,
    *,
    signed: bool = True,
    limit: int = MAX_BINARY,
    progress: Progress | None = None,
) -> Digest:
    """Write the content of ``resource`` to the new file ``path``; return its SHA-256.

    The bytes must have the digest that ``descriptor`` states, which must be there if ``signed``;
    raises ``DigestMismatchError``, ``UnsafeArchiveError`` for more than ``limit`` bytes.
    """
    what = f"{label_of(resource)} of {descriptor.name}:{descriptor.version}"
    stated = stated_digest(resource, what) if signed or resource.digest else None
    if signed and stated is None:
        raise DigestMismatchError(
            f"{what} is excluded from the signature, so nothing vouches for its content",
            hint="ask its provider to publish it with digests",
        )
    blob = repository.blob(descriptor, resource)
    algorithms = {"sha256", stated.algorithm if stated else "sha256"}
    moving = (progress or NoProgress()).moving(label_of(resource), blob.size)
    with storage_errors(f"writing {path}", path.parent), path.open("xb") as out, moving as moved:
        read = watched(blob, Reading(moved))
        digests = receive(read, out, what=what, algorithms=algorithms, limit=limit)
    if stated is not None and (got := digests[stated.algorithm]) != stated:
        raise DigestMismatchError(
            f"{what} is not what was signed: expected {stated}, got {got}",
            hint="the repository was changed; take it from where it was published",
        )
    return digests["sha256"]


def difference(published: Path, rebuilt: Path, shape: str, work: Path) -> Difference | None:
    """Return the first difference of two binaries of ``shape``; None if they are the same bytes.

    An archive is compared unpacked first, then as it was packed; a launcher part by part; a
    program of PyInstaller entry by entry. ``work`` is a folder for what has to be unpacked for
    that. Raises ``UnsafeArchiveError`` for an archive that is none, or breaks its limits, and
    ``WrongBinaryError`` for a launcher without a trailer.
    """
    with storage_errors(f"comparing {published} with {rebuilt}", work):
        if content_difference(FileBlob(published), FileBlob(rebuilt)) is None:
            return None
        if shape == "dir":
            return _archives(FileBlob(published), FileBlob(rebuilt), work)
        if shape == "launcher":
            return _launchers(published, rebuilt, work)
        return _programs(published, rebuilt)


def _archives(published: FileBlob, rebuilt: FileBlob, work: Path) -> Difference | None:
    tars = Tars(published, rebuilt)
    found = tars.difference()
    if found is None or found.what not in ("content", "size"):
        return found
    left, right = work / "published.file", work / "rebuilt.file"
    with left.open("wb") as one, right.open("wb") as other:
        tars.copy(found.where[0], one, other)
    inner = _entries(left, right)
    return inner.inside(*found.where) if inner else found


def _launchers(published: Path, rebuilt: Path, work: Path) -> Difference | None:
    try:
        one, other = read_trailer(published, PUBLISHED), read_trailer(rebuilt, REBUILT)
    except InvalidDocumentError as error:
        raise WrongBinaryError(error.message, hint=error.hint) from error
    sizes = (
        (one.launcher_size, one.capabilities_size),
        (
            other.launcher_size,
            other.capabilities_size,
        ),
    )
    for index, part in enumerate(("launcher", "capabilities")):
        left, right = (
            FileBlob(path, offset=sum(size[:index]), length=size[index])
            for path, size in zip((published, rebuilt), sizes, strict=True)
        )
        if found := content_difference(left, right):
            return found.inside(part)
    left, right = (
        FileBlob(path, offset=trailer.payload_offset, length=trailer.payload_size)
        for path, trailer in ((published, one), (rebuilt, other))
    )
    if found := _archives(left, right, work):
        return found.inside("payload")
    if one.program != other.program:
        return Difference("entry", ("trailer",), None, one.program, other.program)
    return content_difference(FileBlob(published), FileBlob(rebuilt))


def _programs(published: Path, rebuilt: Path) -> Difference | None:
    found = content_difference(FileBlob(published), FileBlob(rebuilt))
    return _entries(published, rebuilt) or found


def _entries(published: Path, rebuilt: Path) -> Difference | None:
    """Return in which entry of PyInstaller's archives two programs differ; None if in none."""
    with _mapped(published) as one, _mapped(rebuilt) as other:
        return _first(one, entries_of(one), other, entries_of(other))


def _first(
    one: Content, lefts: Iterator[Entry], other: Content, rights: Iterator[Entry]
) -> Difference | None:
    """Return in which of some entries two programs differ, and in which module of an archive."""
    for left, right in zip_longest(lefts, rights):
        if left is None or right is None or (left.name, left.kind) != (right.name, right.kind):
            names = (None if entry is None else entry.name for entry in (left, right))
            return Difference("entry", (), None, *names)
        found = _entry(one, left, other, right)
        if found is None:
            continue
        if left.kind == PYZ:
            modules = modules_of(one, left), modules_of(other, right)
            found = _first(one, modules[0], other, modules[1]) or found
        return found.inside(left.name)
    return None


def _entry(one: Content, left: Entry, other: Content, right: Entry) -> Difference | None:
    packed = first_offset(chunks_of(one, left, packed=True), chunks_of(other, right, packed=True))
    if packed is None:
        return None
    offset = first_offset(chunks_of(one, left), chunks_of(other, right))
    return Difference("compression" if offset is None else "content", offset=offset)


@contextmanager
def _mapped(path: Path) -> Iterator[Content]:
    with open_regular(path) as stream:
        if not stream.read(1):
            yield b""
            return
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data
