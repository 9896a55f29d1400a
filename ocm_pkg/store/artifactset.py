"""Artifact sets: an OCI artifact with all of its parts in one tar, as the older tool stores it.

An OCI image layout in a tar is one of them; blobs may be named ``blobs/sha256.<hex>`` too.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import tarfile
import tempfile
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, cast

from ocm_pkg.errors import IntegrityError, InvalidDocumentError, UnsafeArchiveError
from ocm_pkg.fs.blob import BUFFER, VerifyingReader, read_all, verify
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.model.digest import Digest
from ocm_pkg.model.jsontext import Limits, parse_json
from ocm_pkg.store.archivefile import MAX_FILES, MAX_UNPACKED, Handle, Headers, Part
from ocm_pkg.store.artifact import parts_of
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.mapping import MAX_DOCUMENT, media_type_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocm_pkg.model.document import JSONValue
    from ocm_pkg.ports import Blob
    from ocm_pkg.store.base import OCIStore

_INDEXES = ("index.json", "artifact-set-descriptor.json")
_PART = re.compile(r"blobs/(sha256|sha512)[./]([0-9a-f]+)")
_MAIN, _TAGS = "software.ocm/main", "software.ocm/tags"


def manifest_of(blob: Blob, what: str, *, max_unpacked: int = MAX_UNPACKED) -> Digest:
    """Return the digest of the manifest that an artifact set is about.

    It and every part that it leads to are there and are what their digests say. Anything else is
    an ``IntegrityError``, and what can't be an honest archive an ``UnsafeArchiveError``.
    """
    try:
        parts = _Parts(_files(_unpacked(blob, what, max_unpacked), what), what)
        top = parts.top()
        # Only ``fetch`` is needed of a store to follow a manifest.
        for part in parts_of(cast("OCIStore", parts), "", top, what):
            verify(parts.fetch("", part))
    except InvalidDocumentError as error:
        raise IntegrityError(
            f"{what} has the digest of an OCI artifact, but is none: {error.message}",
            hint="the content was changed or exchanged: do not use it",
        ) from error
    return top.digest


def parts_in(blob: Blob, what: str, *, max_unpacked: int = MAX_UNPACKED) -> ArtifactParts:
    """Return the OCI artifact that an artifact set is about; each part is verified as it is read.

    Errors as ``manifest_of``, here or when a part is read.
    """
    try:
        return ArtifactParts(_Parts(_files(_unpacked(blob, what, max_unpacked), what), what), what)
    except InvalidDocumentError as error:
        raise IntegrityError(f"{what} is no OCI artifact: {error.message}") from error


class ArtifactParts:
    """A manifest or index, ``parts[0]``, and everything that it leads to."""

    def __init__(self, files: _Parts, what: str) -> None:
        self._files = files
        # Only ``fetch`` is needed of a store to follow a manifest.
        self.parts = parts_of(cast("OCIStore", files), "", files.top(), what)

    def fetch(self, part: OCIDescriptor) -> Blob:
        """Return the content of a part."""
        return self._files.fetch("", part)


class _Parts:
    """The files of an artifact set."""

    def __init__(self, files: Mapping[str, Part], what: str) -> None:
        self._files = files
        self._what = what

    def top(self) -> OCIDescriptor:
        """Return the manifest or index that the set is about."""
        name = next((name for name in _INDEXES if name in self._files), None)
        if name is None:
            raise InvalidDocumentError(f"it has no {_INDEXES[0]}")
        part = self._files[name]
        if part.size > MAX_DOCUMENT:
            raise InvalidDocumentError(f"its index has {part.size} bytes")
        with part.open() as stream:
            data = stream.read()
        value = parse_json(data, name=f"the index of {self._what}", limits=Limits(MAX_DOCUMENT))
        digest = Digest.parse(_main(value))
        manifest = self._part(digest)
        blob = _PartBlob(manifest, digest, manifest.size, self._what)
        media_type = media_type_of(read_all(blob, MAX_DOCUMENT, self._what), self._what)
        return OCIDescriptor(media_type, digest, manifest.size)

    def fetch(self, _repository: str, part: OCIDescriptor) -> _PartBlob:
        """Return a part, verified as it is read."""
        return _PartBlob(self._part(part.digest), part.digest, part.size, self._what)

    def _part(self, digest: Digest) -> Part:
        found = self._files.get(str(digest))
        if found is None:
            raise InvalidDocumentError(f"its part {digest} is missing")
        return found


class _PartBlob:
    """One file of an artifact set, which has the digest and the size that its user expects."""

    media_type = None

    def __init__(self, part: Part, digest: Digest, size: int, what: str) -> None:
        self._part = part
        self._what = what
        self.digest = digest
        self.size = size

    def open(self, offset: int = 0) -> BinaryIO:
        """Return a new stream; from the start it is verified."""
        if offset:
            return self._part.open(offset)
        what = f"{self.digest} of {self._what}"
        reader = VerifyingReader(self._part.open(), self.digest, self.size, what)
        return cast("BinaryIO", reader)


def _main(index: JSONValue) -> str:
    """Return the digest of the one manifest that the index of a set says is meant."""
    entries = index.get("manifests") if isinstance(index, dict) else None
    if not isinstance(index, dict) or not isinstance(entries, list):
        raise InvalidDocumentError("its index has no manifests")
    main = _annotation(index, _MAIN)
    if not main and len(entries) == 1 and isinstance(entries[0], dict):
        main = str(entries[0].get("digest"))
    found = {
        str(entry.get("digest"))
        for entry in entries
        if isinstance(entry, dict)
        and main
        and (entry.get("digest") == main or main in _annotation(entry, _TAGS).split(","))
    }
    if len(found) != 1:
        raise InvalidDocumentError("its index does not say which manifest is meant")
    return found.pop()


def _annotation(value: Mapping[str, Any], name: str) -> str:
    annotations = value.get("annotations")
    return str(annotations.get(name, "")) if isinstance(annotations, dict) else ""


def _unpacked(blob: Blob, what: str, limit: int) -> Handle:
    """Return a file without a name that has the tar."""
    with storage_errors(f"unpacking {what}"), tempfile.TemporaryFile() as out:
        try:
            with io.BufferedReader(cast("io.RawIOBase", blob.open())) as stream:
                if stream.peek(2)[:2] == b"\x1f\x8b":
                    with gzip.GzipFile(fileobj=stream, mode="rb") as unpacked:
                        _copy(cast("BinaryIO", unpacked), cast("BinaryIO", out), limit, what)
                else:
                    _copy(stream, cast("BinaryIO", out), limit, what)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InvalidDocumentError(f"it is no gzip file, or was cut: {error}") from error
        out.flush()
        return Handle(os.dup(out.fileno()))


def _copy(stream: BinaryIO, out: BinaryIO, limit: int, what: str) -> None:
    while chunk := stream.read(BUFFER):
        limit -= len(chunk)
        if limit < 0:
            _refuse(what, "it unpacks to more than is allowed")
        out.write(chunk)


def _files(handle: Handle, what: str) -> dict[str, Part]:
    """Return the index by its name, and every part by its digest."""
    end = os.fstat(handle.fd).st_size
    files: dict[str, Part] = {}
    try:
        reader = cast("BinaryIO", Headers(handle, 0, end))
        with reader, tarfile.open(fileobj=reader, mode="r:") as archive:
            for number, member in enumerate(archive):
                if number >= MAX_FILES:
                    _refuse(what, f"it has more than {MAX_FILES} entries")
                name = member.name.removeprefix("./")
                match = _PART.fullmatch(name)
                if match is None and name not in _INDEXES:
                    continue
                key = f"{match[1]}:{match[2]}" if match else name
                if key in files:
                    _refuse(what, f"{name!r} is there twice")
                if not member.isreg() or member.issparse():
                    _refuse(what, f"{name!r} is no plain file")
                if member.offset_data + member.size > end:
                    raise InvalidDocumentError(f"{name!r} is longer than the archive")
                files[key] = Part(handle, member.offset_data, member.size)
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise InvalidDocumentError(f"it is no tar file, or was cut: {error}") from error
    return files


def _refuse(what: str, why: str) -> NoReturn:
    raise UnsafeArchiveError(f"{what} is refused: {why}", hint="ask its provider for another one")
