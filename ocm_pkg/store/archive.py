"""A CTF that is a tar or tgz file, as an OCI store.

Such a file can't be changed in place: what is pushed waits in a file without a name, and a commit
writes the whole archive anew and puts it in place by one rename. All blobs of the old one are
kept, like those of a folder. Writers exclude each other by a lock on the archive itself (on its
folder while there is none), and commit to what is there then, so no update is lost. Readers need
no lock: they see the archive as it was when it was opened.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, BinaryIO, cast

from ocm_pkg.errors import (
    ConflictError,
    DigestMismatchError,
    NotFoundError,
)
from ocm_pkg.fs.atomic import clean_leftovers, make_folder, storage_errors, write_file
from ocm_pkg.fs.blob import VerifyingReader, read_all, verify
from ocm_pkg.fs.lock import ReplacementLock
from ocm_pkg.store import ctfindex, mapping, media
from ocm_pkg.store.archivefile import MAX_FILES, MAX_UNPACKED, ArchiveFile
from ocm_pkg.store.archivewriter import Stage, write_archive
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.ctfindex import Index
from ocm_pkg.store.subjects import Subjects
from ocm_pkg.store.tagging import Tagger

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from ocm_pkg.model.digest import Digest
    from ocm_pkg.ports import Blob, FailPoint
    from ocm_pkg.store.archivefile import Part
    from ocm_pkg.store.ctfindex import Entry, Tagging

LOCK_TIMEOUT = 600.0
"""Seconds that a writer waits for another one, which may be writing a large archive."""

PACKED_SUFFIXES = (".tgz", ".tar.gz")
_MODE = 0o644


class ArchiveStore:
    """The archive at ``path``; with ``create`` a missing one is empty, and made at a commit.

    A new archive is gzipped if its name says so, one that is there stays as it is. Content that
    was pushed is there for others when it is committed: with a tag, or by ``flush``.
    ``fail_point`` is called before each step of a write.
    """

    def __init__(
        self,
        path: Path,
        *,
        create: bool = False,
        fail_point: FailPoint | None = None,
        lock_timeout: float = LOCK_TIMEOUT,
        max_unpacked: int = MAX_UNPACKED,
    ) -> None:
        with storage_errors(f"opening {path}"):
            self.path = path.resolve()
        self._create = create
        self._fail_point = fail_point
        self._lock_timeout = lock_timeout
        self._max_unpacked = max_unpacked
        self._tagger = Tagger(str(path), self._read, self._commit)
        self._subjects = Subjects()
        self._stages: dict[int, Stage] = {}
        self._staging = threading.Lock()
        self._file: ArchiveFile | None = None
        self._open()

    def _open(self) -> ArchiveFile | None:
        """Return the archive as it was when it was first read, or last written; None if none."""
        if self._file is None and not (self._create and not os.path.lexists(self.path)):
            self._file = ArchiveFile(self.path, max_unpacked=self._max_unpacked)
        return self._file

    def _read(self) -> Index:
        file = self._open()
        return Index() if file is None else file.index

    def _part(self, digest: Digest) -> Part | None:
        for stage in list(self._stages.values()):
            if digest in stage.parts:
                return stage.parts[digest]
        file = self._open()
        return None if file is None else file.files.get(_name(digest))

    def exists(self, repository: str, digest: Digest) -> OCIDescriptor | None:  # noqa: ARG002 - shared by all
        """Return digest and size of content that is there, else None; the bytes aren't checked."""
        part = self._part(digest)
        return None if part is None else OCIDescriptor(media.OCTET_STREAM, digest, part.size)

    def fetch(self, repository: str, descriptor: OCIDescriptor) -> Blob:
        """Return content that is verified as it is read; ``NotFoundError`` if it isn't there."""
        digest = descriptor.digest
        part = self._part(digest)
        if part is None:
            raise self._incomplete(digest, repository)
        if part.size != descriptor.size:
            raise DigestMismatchError(
                f"{digest} in {self.path} has {part.size} bytes, expected {descriptor.size}",
                hint="the CTF was changed: copy it again",
            )
        return _PartBlob(part, descriptor, f"{digest} in {self.path}")

    def _incomplete(self, digest: Digest, referrer: str) -> NotFoundError:
        return NotFoundError(
            f"{self.path} lacks {digest}, which {referrer} refers to",
            hint="the CTF is incomplete: copy it again",
        )

    def push(self, repository: str, blob: Blob, media_type: str) -> OCIDescriptor:
        """Keep content for the next commit, reading it once; what is there and good is kept."""
        stored = self._stored(blob)
        if stored is None:
            stage = self._staged()
            with storage_errors(f"writing to {self.path.parent}", self.path.parent):
                self._step("archive.push")
            stored = stage.push(blob)
        descriptor = OCIDescriptor(media_type, *stored)
        self._tagger.pushed(repository, descriptor)
        return descriptor

    def _staged(self) -> Stage:
        """Return where content of this thread waits for the next commit."""
        with self._staging:
            me = threading.get_ident()
            if not self._stages:
                make_folder(self.path.parent)
                clean_leftovers(self.path.parent)
            if me not in self._stages:
                self._stages[me] = Stage(self.path.parent)
            return self._stages[me]

    def _stored(self, blob: Blob) -> tuple[Digest, int] | None:
        """Return digest and size if the content is there already, and is what it should be."""
        digest = blob.digest
        part = None if digest is None else self._part(digest)
        if digest is None or part is None or (blob.size is not None and blob.size != part.size):
            return None
        there = OCIDescriptor(media.OCTET_STREAM, digest, part.size)
        try:
            verify(_PartBlob(part, there, str(digest)))
        except DigestMismatchError:
            return None
        return digest, part.size

    def resolve(self, repository: str, reference: str) -> OCIDescriptor | None:
        """Return what a tag or digest stands for, or None."""
        entry = self._tagger.find(repository, reference)
        if entry is None:
            return None
        found = self.exists(repository, entry.digest)
        if found is None:
            raise self._incomplete(entry.digest, f"{repository}:{reference}")
        media_type = entry.media_type
        if media_type is None:
            media_type = mapping.media_type_of(self._document(entry), str(entry.digest))
        return OCIDescriptor(media_type, entry.digest, found.size)

    def _document(self, entry: Entry) -> bytes:
        part = self._part(entry.digest)
        if part is None:
            raise self._incomplete(entry.digest, entry.repository)
        descriptor = OCIDescriptor(media.OCTET_STREAM, entry.digest, part.size)
        blob = self.fetch(entry.repository, descriptor)
        return read_all(blob, mapping.MAX_DOCUMENT, str(entry.digest))

    def referrers(
        self, repository: str, digest: Digest, artifact_type: str | None = None
    ) -> Sequence[OCIDescriptor]:
        """Return the manifests that refer to ``digest``, those of one type if it is given."""
        entries = (each for each in self._read().entries if each.repository == repository)
        found = self._subjects.referrers(entries, digest, self._document)
        return [one for one in found if artifact_type in {None, one.artifact_type}]

    def tag(
        self, repository: str, descriptor: OCIDescriptor, tag: str, *, replace: bool = True
    ) -> None:
        """Point ``tag`` at a manifest by replacing the archive: the commit."""
        self._tagger.tag(repository, descriptor, tag, replace=replace)

    def batch(self) -> AbstractContextManager[None]:
        """Hold tags back until the end of the block, and replace the archive once."""
        return self._tagger.batch()

    def flush(self) -> None:
        """Put what was pushed into the archive, for whoever tags it later."""
        self._commit(())

    def _commit(self, taggings: Sequence[Tagging]) -> None:
        staged = {key: part for one in self._stages.values() for key, part in one.parts.items()}
        with ReplacementLock(self.path, self._lock_timeout):
            self._step("archive.locked")
            if self._file is None or not self._file.is_current():
                self._file = None
            file = self._open()
            old = Index() if file is None else file.index
            index = old.with_tags(taggings, str(self.path))
            if index is old and not staged:
                return
            blobs = dict(file.files) if file is not None else {}
            blobs |= {_name(digest): part for digest, part in staged.items()}
            blobs.pop(ctfindex.NAME, None)
            self._replace(file, index, blobs)
        self._file, self._stages = None, {}

    def _replace(self, file: ArchiveFile | None, index: Index, blobs: dict[str, Part]) -> None:
        if file is not None and file.foreign is not None:
            raise ConflictError(
                f"{self.path} has {file.foreign[:80]!r}, which is no part of a CTF and would be "
                "lost",
                hint="write to a new archive",
            )
        if len(blobs) + 2 > MAX_FILES:
            raise ConflictError(
                f"{self.path} would have more than {MAX_FILES} entries",
                hint="use a CTF that is a folder",
            )
        packed = file.packed if file is not None else self.path.name.endswith(PACKED_SUFFIXES)
        write_file(
            self.path,
            lambda out: write_archive(out, index.encode(), blobs, packed=packed, step=self._step),
            file.mode if file is not None else _MODE,
            fail_point=self._fail_point,
        )

    def tags(self, repository: str) -> Sequence[str]:
        """Return all tags; empty if there is no such repository."""
        return self._tagger.tags(repository)

    def repositories(self) -> Sequence[str]:
        """Return the names of all repositories, sorted."""
        return self._read().repositories()

    def _step(self, name: str) -> None:
        if self._fail_point is not None:
            self._fail_point(name)


def _name(digest: Digest) -> str:
    return f"{ctfindex.BLOBS}/{digest.algorithm}.{digest.hex}"


class _PartBlob:
    """A file of the archive, or one on its way into it; keeps it open as long as it is used."""

    def __init__(self, part: Part, of: OCIDescriptor, what: str) -> None:
        self._part = part
        self._of = of
        self._what = what

    @property
    def media_type(self) -> str:
        """The media type."""
        return self._of.media_type

    @property
    def size(self) -> int:
        """The size in bytes."""
        return self._of.size

    @property
    def digest(self) -> Digest:
        """The digest."""
        return self._of.digest

    def open(self, offset: int = 0) -> BinaryIO:
        """Return a new stream from ``offset``; verified if it is 0."""
        part = self._part.open(offset)
        if offset:
            return part
        return cast("BinaryIO", VerifyingReader(part, self.digest, self.size, self._what))
