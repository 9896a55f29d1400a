"""A CTF that is a folder, as an OCI store: ``artifact-index.json`` and ``blobs/sha256.HEX``.

Content is synced to disk before the index names it, and the index is replaced by one rename: that
is the commit. Writers exclude each other by a lock on the folder itself, which needs no file;
readers need no lock. Reading changes nothing.
"""

from __future__ import annotations

import contextlib
import stat
import threading
import time
from typing import TYPE_CHECKING

from ocm_pkg.errors import (
    AlreadyExistsError,
    DigestMismatchError,
    FileMissingError,
    InvalidDocumentError,
    LocalStorageError,
    NotFoundError,
    UnsafeArchiveError,
)
from ocm_pkg.fs.atomic import (
    FolderLock,
    PendingFile,
    clean_leftovers,
    make_folder,
    missing_folders,
    remove_empty,
    staged_folder,
    storage_errors,
    sync_folder,
    write_file,
)
from ocm_pkg.fs.blob import FileBlob, copy_blob, read_all, verify
from ocm_pkg.fs.staged import StagedBlob
from ocm_pkg.store import ctfindex, mapping, media
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.ctfindex import Entry, Index
from ocm_pkg.store.subjects import Subjects
from ocm_pkg.store.tagging import Tagger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ocm_pkg.errors import OcmPkgError
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.ports import Blob, FailPoint
    from ocm_pkg.store.ctfindex import Tagging

LOCK_TIMEOUT = 60.0
"""Seconds that a writer waits for another one; each holds the lock only for the index."""

_SETTLED = 100_000_000
"""Nanoseconds after which a file that changes again is sure to have another time stamp."""


def blob_name(digest: Digest) -> str:
    """Return the file name of a blob."""
    return f"{digest.algorithm}.{digest.hex}"


class CTFStore:
    """The folder ``path``; with ``create`` a missing one is empty, and made when written to.

    Blobs belong to all repositories of the CTF. ``fail_point`` is called before each step of a
    write. A tag that moves leaves its old entry in the index without a tag; blobs are never
    removed.
    """

    def __init__(
        self,
        path: Path,
        *,
        create: bool = False,
        fail_point: FailPoint | None = None,
        lock_timeout: float = LOCK_TIMEOUT,
    ) -> None:
        self.path = path
        self._create = create
        self._fail_point = fail_point
        self._lock_timeout = lock_timeout
        self._prepared = False
        self._preparing = threading.Lock()
        self._made: list[Path] = []
        self._tagger = Tagger(str(path), self._read, self._commit)
        self._known: tuple[tuple[int, ...], Index] | None = None
        self._subjects = Subjects()

    def exists(self, repository: str, digest: Digest) -> OCIDescriptor | None:  # noqa: ARG002 - shared by all
        """Return digest and size of content that is there, else None; the bytes aren't checked."""
        size = self._size(digest)
        return None if size is None else OCIDescriptor(media.OCTET_STREAM, digest, size)

    def fetch(self, repository: str, descriptor: OCIDescriptor) -> Blob:
        """Return content that is verified as it is read; ``NotFoundError`` if it isn't there."""
        size = self._size(descriptor.digest)
        if size is None:
            raise NotFoundError(
                f"{self.path} lacks {descriptor.digest}, which {repository} refers to",
                hint="the CTF is incomplete: copy it again",
            )
        if size != descriptor.size:
            raise DigestMismatchError(
                f"{descriptor.digest} in {self.path} has {size} bytes, expected {descriptor.size}",
                hint="the CTF was changed or cut: copy it again",
            )
        path = self._blob_path(descriptor.digest)
        return FileBlob(path, descriptor.media_type, size, descriptor.digest, follow_links=False)

    def _blob_path(self, digest: Digest) -> Path:
        return self.path / ctfindex.BLOBS / blob_name(digest)

    def _size(self, digest: Digest) -> int | None:
        """Return the size of a blob's file; anything but a file in a folder is refused."""
        path = self._blob_path(digest)
        with storage_errors(f"reading {path}"):
            try:
                folder, status = path.parent.lstat(), path.lstat()
            except (FileNotFoundError, NotADirectoryError):
                return None
        if not stat.S_ISDIR(folder.st_mode) or not stat.S_ISREG(status.st_mode):
            raise UnsafeArchiveError(
                f"{path} is no regular file in a folder of the CTF",
                hint="a CTF has neither links nor devices: copy it again from where it was made",
            )
        return status.st_size

    def push(self, repository: str, blob: Blob, media_type: str) -> OCIDescriptor:
        """Store content durably, reading it once; content that is there and good is kept."""
        self._prepare()
        stored = self._stored(blob) or self._write(blob)
        descriptor = OCIDescriptor(media_type, stored[0], stored[1])
        self._tagger.pushed(repository, descriptor)
        return descriptor

    def _stored(self, blob: Blob) -> tuple[Digest, int] | None:
        """Return digest and size if the content is there already, and is what it should be."""
        digest = blob.digest
        size = None if digest is None else self._size(digest)
        if digest is None or size is None or (blob.size is not None and blob.size != size):
            return None
        try:
            verify(FileBlob(self._blob_path(digest), None, size, digest, follow_links=False))
        except DigestMismatchError:
            return None
        return digest, size

    def _write(self, blob: Blob) -> tuple[Digest, int]:
        folder = self.path / ctfindex.BLOBS
        if isinstance(blob, StagedBlob) and blob.digest is not None:
            with storage_errors(f"writing to {folder}", folder):
                self._step("ctf.blob")
                if blob.move(self._blob_path(blob.digest), 0o644):
                    return blob.digest, blob.size
        with (
            storage_errors(f"writing to {folder}", folder),
            PendingFile(folder, fail_point=self._fail_point) as pending,
        ):
            self._step("ctf.blob")
            digest, size = copy_blob(blob, pending.stream, durable=True)
            pending.commit(self._blob_path(digest), 0o644, name_durable=False)
        return digest, size

    def resolve(self, repository: str, reference: str) -> OCIDescriptor | None:
        """Return what a tag or digest stands for, or None."""
        entry = self._tagger.find(repository, reference)
        if entry is None:
            return None
        size = self._size(entry.digest)
        if size is None:
            raise NotFoundError(
                f"{self.path} lacks {entry.digest}, which {repository}:{reference} refers to",
                hint="the CTF is incomplete: copy it again",
            )
        return OCIDescriptor(entry.media_type or self._type(entry), entry.digest, size)

    def _type(self, entry: Entry) -> str:
        """Return the media type that a manifest gives itself, for an entry without one."""
        return mapping.media_type_of(self._document(entry), str(entry.digest))

    def _document(self, entry: Entry) -> bytes:
        path = self._blob_path(entry.digest)
        blob = FileBlob(path, None, None, entry.digest, follow_links=False)
        return read_all(blob, mapping.MAX_DOCUMENT, str(entry.digest))

    def tag(
        self, repository: str, descriptor: OCIDescriptor, tag: str, *, replace: bool = True
    ) -> None:
        """Point ``tag`` at a manifest by replacing the index: the commit."""
        self._prepare()
        self._tagger.tag(repository, descriptor, tag, replace=replace)

    @contextlib.contextmanager
    def batch(self) -> Iterator[None]:
        """Hold tags back until the end of the block, and replace the index once.

        After an error, folders that were made and are empty are gone; content that is complete
        stays for the next try.
        """
        try:
            with self._tagger.batch():
                yield
        except BaseException:
            with self._preparing:
                remove_empty(self._made)
                self._prepared = False
            raise

    def _commit(self, taggings: Sequence[Tagging]) -> None:
        self._change(lambda index: index.with_tags(taggings, str(self.path)))

    def _change(self, edit: Callable[[Index], Index]) -> bool:
        """Replace the index by what ``edit`` makes of it; false if that is the same index."""
        with FolderLock(self.path.resolve(), self._lock_timeout):
            index = self._read()
            changed = edit(index)
            if changed is index:
                return False
            with storage_errors(f"writing to {self.path}", self.path):
                sync_folder(self.path / ctfindex.BLOBS)
                self._step("ctf.index")
            data = changed.encode()
            write_file(self.path / ctfindex.NAME, data, fail_point=self._fail_point)
            return True

    def keep(self, repository: str, descriptor: OCIDescriptor) -> None:
        """Make a manifest that was pushed one of the repository: it is found by its digest."""
        entry = Entry(repository, descriptor.digest, media_type=descriptor.media_type)
        self._change(lambda index: index.with_manifest(entry))
        self._tagger.forget()

    def untag(self, repository: str, tag: str) -> bool:
        """Take a tag away; what it stood for stays. False if it isn't there."""
        return self._change(lambda index: index.without_tag(repository, tag))

    def delete(self, repository: str, digest: Digest) -> bool:
        """Take a manifest with its tags out of the index; false if it isn't there, as for a blob.

        The file stays: it may be a part of something else.
        """
        return self._change(lambda index: index.without(repository, digest))

    def mount(self, repository: str, digest: Digest, source: object, origin: str) -> bool:  # noqa: ARG002 - shared by all
        """Say whether a blob is there already; see ``store.base.Mounts``."""
        same = isinstance(source, CTFStore) and source.path.resolve() == self.path.resolve()
        return same and self._size(digest) is not None

    def referrers(
        self, repository: str, digest: Digest, artifact_type: str | None = None
    ) -> Sequence[OCIDescriptor]:
        """Return the manifests that refer to ``digest``, those of one type if it is given."""
        entries = (each for each in self._read().entries if each.repository == repository)
        found = self._subjects.referrers(entries, digest, self._document)
        return [one for one in found if artifact_type in {None, one.artifact_type}]

    @contextlib.contextmanager
    def staging(self) -> Iterator[Path]:
        """Give an empty folder, until the end of the block, for files that ``push`` may take."""
        self._prepare()
        with staged_folder(self.path) as folder:
            yield folder

    def tags(self, repository: str) -> Sequence[str]:
        """Return all tags; empty if there is no such repository."""
        return self._tagger.tags(repository)

    def repositories(self) -> Sequence[str]:
        """Return the names of all repositories, sorted."""
        return self._read().repositories()

    def _read(self) -> Index:
        """Return the index; the one that was read before if the file is still the same."""
        path = self.path / ctfindex.NAME
        try:
            with storage_errors(f"reading {path}"):
                status = path.lstat()
        except LocalStorageError as error:
            if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
                return self._none(error)
            raise
        stamp = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if self._known is not None and self._known[0] == stamp:
            return self._known[1]
        try:
            data = read_all(FileBlob(path, follow_links=False), ctfindex.MAX_SIZE, str(path))
        except FileMissingError as error:
            return self._none(error)
        if not data:
            raise InvalidDocumentError(
                f"{path} is empty", hint="copy it again, or remove it to start an empty CTF"
            )
        index = Index.parse(data, str(path))
        # A file that was changed just now may change again without getting another time.
        is_settled = time.time_ns() - status.st_mtime_ns > _SETTLED
        self._known = (stamp, index) if is_settled else None
        return index

    def _none(self, error: OcmPkgError) -> Index:
        if self._create:
            return Index()
        raise FileMissingError(
            f"{self.path} is no CTF: there is no {ctfindex.NAME}",
            hint="check the path; `ocm-pkg publish` makes a CTF",
        ) from error

    def _prepare(self) -> None:
        """Make the folders if they may be made, and remove what a killed writer left."""
        with self._preparing:
            if not self._prepared:
                self._make_ready()
                self._prepared = True

    def _make_ready(self) -> None:
        blobs = self.path / ctfindex.BLOBS
        with storage_errors(f"writing to {self.path}", self.path):
            if not (self.path / ctfindex.NAME).exists():
                self._check_new()
            self._made = missing_folders(blobs)
            if not self.path.is_dir():
                make_folder(self.path)
            if blobs.is_symlink():
                raise UnsafeArchiveError(f"{blobs} is a symbolic link", hint="remove it")
            make_folder(blobs)
        clean_leftovers(self.path)
        clean_leftovers(blobs)

    def _check_new(self) -> None:
        """Refuse to start a CTF unasked, or in a folder that is used for something else."""
        if not self._create:
            raise FileMissingError(
                f"{self.path} is no CTF: there is no {ctfindex.NAME}",
                hint="check the path, or ask for a new one to be made",
            )
        if not self.path.is_dir():
            return
        ours = {ctfindex.NAME, ctfindex.BLOBS}
        for entry in self.path.iterdir():
            if entry.name not in ours and not entry.name.startswith("."):
                raise AlreadyExistsError(
                    f"{self.path} is no CTF and not empty: it has {entry.name!r}",
                    hint="name a new folder for the CTF",
                )

    def _step(self, name: str) -> None:
        if self._fail_point is not None:
            self._fail_point(name)
