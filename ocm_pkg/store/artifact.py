"""An OCI artifact with all of its parts as one stream: the tar of its OCI image layout."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, BinaryIO, cast

from ocm_pkg._typing import override
from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.fs.blob import BytesBlob, read_all
from ocm_pkg.model.jsontext import Limits, parse_json
from ocm_pkg.store import media
from ocm_pkg.store.base import OCIDescriptor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ocm_pkg.fs.blob import Buffer
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.ports import Blob
    from ocm_pkg.store.base import OCIStore

LAYOUT_TAR = "application/vnd.ocm.software.oci.layout.v1+tar"
MAX_PARTS = 10_000
_MAX_DOCUMENT = 4 * 1024 * 1024
_MAX_DEPTH = 4
_BLOCK = 512
_CHUNK = 64 * 1024


def read_artifact(store: OCIStore, repository: str, top: OCIDescriptor, what: str) -> TarBlob:
    """Return the layout of the manifest or index ``top``; every part is verified as it is read.

    Raises ``InvalidDocumentError`` for manifests that break their format or have no end, and
    ``NotFoundError`` for parts that are missing.
    """
    parts = parts_of(store, repository, top, what)
    index = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": [top.to_json()]}
    files: list[tuple[str, Blob]] = [
        ("oci-layout", BytesBlob(b'{"imageLayoutVersion":"1.0.0"}')),
        ("index.json", BytesBlob(json.dumps(index, separators=(",", ":")).encode())),
    ]
    files += [
        (f"blobs/{part.digest.algorithm}/{part.digest.hex}", store.fetch(repository, part))
        for part in parts
    ]
    return TarBlob(files, LAYOUT_TAR, top.digest)


def parts_of(
    store: OCIStore, repository: str, top: OCIDescriptor, what: str
) -> tuple[OCIDescriptor, ...]:
    """Return the manifest or index ``top`` and everything it leads to; errors as above.

    Each comes before what it leads to: stored in the reverse order, nothing refers to what isn't
    there yet.
    """
    walk = _Walk(store, repository, what)
    walk.collect(top, _MAX_DEPTH)
    return tuple(reversed(walk.done.values()))


class _Walk:
    """The way through an artifact; ``done`` has each part behind all that it leads to."""

    def __init__(self, store: OCIStore, repository: str, what: str) -> None:
        self.done: dict[Digest, OCIDescriptor] = {}
        self._store = store
        self._repository = repository
        self._what = what
        self._count = 0

    def collect(self, part: OCIDescriptor, depth: int) -> None:
        what = self._what
        if part.digest in self.done:
            return
        self._count += 1
        if self._count > MAX_PARTS or depth == 0:
            raise InvalidDocumentError(f"{what} has more parts or levels than an artifact may have")
        if part.media_type in media.MANIFESTS:
            data = read_all(self._store.fetch(self._repository, part), _MAX_DOCUMENT, what)
            limits = Limits(size=_MAX_DOCUMENT)
            value = parse_json(data, name=f"a manifest of {what}", limits=limits)
            if not isinstance(value, dict):
                raise InvalidDocumentError(f"a manifest of {what} is not an object")
            children = [
                OCIDescriptor.from_json(child, what=f"a part of {what}")
                for child in _children(value)
            ]
            for child in reversed(children):
                self.collect(child, depth - 1)
        self.done[part.digest] = part


def _children(value: Mapping[str, object]) -> Iterator[object]:
    if "config" in value:
        yield value["config"]
    for member in ("layers", "manifests"):
        children = value.get(member)
        if isinstance(children, list):
            yield from children


class TarBlob:
    """A tar that is made while it is read, always with the same bytes: no times, no owners.

    ``manifest`` is the digest of the artifact that it is the layout of, if it is one.
    """

    def __init__(
        self, files: Sequence[tuple[str, Blob]], media_type: str, manifest: Digest | None = None
    ) -> None:
        self._files = tuple(files)
        self._media_type = media_type
        self.manifest = manifest

    @property
    def media_type(self) -> str:
        """The media type."""
        return self._media_type

    @property
    def size(self) -> int:
        """The size in bytes."""
        heads = sum(len(_head(name, blob)) for name, blob in self._files)
        blocks = sum(-(-(blob.size or 0) // _BLOCK) for _name, blob in self._files)
        return heads + (blocks + 2) * _BLOCK

    @property
    def digest(self) -> None:
        """Not known before it was made."""
        return

    def open(self, offset: int = 0) -> BinaryIO:
        """Return a new stream from ``offset``; each file is verified before its last byte."""
        stream = _Chunks(self._chunks())
        skip = bytearray(_CHUNK)
        while offset > 0 and (count := stream.readinto(memoryview(skip)[:offset])):
            offset -= count
        return cast("BinaryIO", stream)

    def _chunks(self) -> Iterator[bytes]:
        for name, blob in self._files:
            yield _head(name, blob)
            with blob.open() as stream:
                while chunk := stream.read(_CHUNK):
                    yield chunk
            yield bytes(-(blob.size or 0) % _BLOCK)
        yield bytes(2 * _BLOCK)


def _head(name: str, blob: Blob) -> bytes:
    """Return the header of a file; the name of a sha512, or 8 GiB, need an extended one."""
    info = tarfile.TarInfo(name)
    info.size = blob.size or 0
    info.mode = 0o644
    return info.tobuf(tarfile.PAX_FORMAT)


class _Chunks(io.RawIOBase):
    """Chunks of bytes as a stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._left = memoryview(b"")

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Buffer, /) -> int:  # type: ignore[override]
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = memoryview(chunk)
        count = min(len(buffer), len(self._left))
        memoryview(buffer)[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
