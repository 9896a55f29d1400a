"""Put the content of a plugin resource into a folder: one program, or an unpacked archive."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from ocm_pkg._typing import override
from ocm_pkg.errors import (
    DigestMismatchError,
    InvalidDocumentError,
    UnsafeArchiveError,
    WrongBinaryError,
)
from ocm_pkg.fs.blob import FileBlob, open_regular, read_all
from ocm_pkg.fs.filestate import record, record_link
from ocm_pkg.fs.receive import receive
from ocm_pkg.fs.unpack import unpack
from ocm_pkg.model.binary import HEADER_BYTES, check_header
from ocm_pkg.model.digest import Digest, digest_of, new_hasher
from ocm_pkg.model.shape import TAR_GZIP, ShapeInfo, is_compressed
from ocm_pkg.model.trailer import MAX_CAPABILITIES, SIZE, Trailer

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path
    from typing import BinaryIO, TypeAlias

    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.receipt import InstalledFile
    from ocm_pkg.ports import Blob, FailPoint

    Buffer: TypeAlias = "bytearray | memoryview"


@dataclass(frozen=True, slots=True)
class Staged:
    """What was written: the path of the program, every file, and the digests of the resource."""

    program: str
    files: tuple[InstalledFile, ...]
    digests: Mapping[str, Digest]


@dataclass(frozen=True, slots=True)
class Bounds:
    """The digests to compute, and how many bytes may arrive; ``what`` names it in errors."""

    what: str
    algorithms: Collection[str]
    limit: int
    fail_point: FailPoint


@dataclass(frozen=True, slots=True)
class StagedLauncher:
    """What a launcher carried: its content, unpacked, and its answer to ``capabilities``."""

    content: Staged
    capabilities: bytes


def stage(blob: Blob, folder: Path, name: str, shape: ShapeInfo, bounds: Bounds) -> Staged:
    """Write ``blob`` into the new ``folder``: as the file ``name``, or unpacked (shape ``dir``).

    All of it is read and hashed on the way, before anything of it is used. Raises
    ``DigestMismatchError``, ``UnsafeArchiveError``, ``OSError``.
    """
    folder.mkdir()
    folder.chmod(0o755)
    if shape.shape == "dir":
        return _folder(blob, folder, shape, bounds)
    path = folder / name
    with path.open("xb") as stream:
        digests = receive(
            blob,
            stream,
            what=bounds.what,
            algorithms=bounds.algorithms,
            limit=bounds.limit,
            fail_point=bounds.fail_point,
        )
    path.chmod(0o755)
    return Staged(name, (record(folder, name, digests["sha256"].hex),), digests)


def check_program(program: Path, platform: Platform, what: str) -> None:
    """Refuse a file that is no program for ``platform`` (``WrongBinaryError``)."""
    with open_regular(program, follow_links=False) as stream:
        check_header(stream.read(HEADER_BYTES), platform, what)


def read_trailer(file: Path, name: str) -> Trailer:
    """Return the trailer of a launcher, or raise ``InvalidDocumentError``; ``name`` is for that."""
    with open_regular(file, follow_links=False) as stream:
        size = os.fstat(stream.fileno()).st_size
        stream.seek(max(0, size - SIZE))
        return Trailer.parse(stream.read(SIZE), file_size=size, name=name)


def stage_launcher(
    file: Path, folder: Path, digests: Mapping[str, Digest], bounds: Bounds
) -> StagedLauncher:
    """Unpack what the launcher ``file``, whose digest was checked, carries into ``folder``.

    ``digests`` are those of the file. Raises ``WrongBinaryError`` if it has no valid trailer,
    ``DigestMismatchError`` if a part isn't what the trailer says, ``UnsafeArchiveError``.
    """
    try:
        trailer = read_trailer(file, bounds.what)
    except InvalidDocumentError as error:
        raise WrongBinaryError(error.message, hint=error.hint) from error
    answer = FileBlob(file, offset=trailer.launcher_size, length=trailer.capabilities_size)
    capabilities = read_all(answer, MAX_CAPABILITIES, bounds.what)
    if digest_of(capabilities) != trailer.capabilities:
        raise _changed(bounds.what, "its answer to capabilities")
    folder.mkdir()
    folder.chmod(0o755)
    payload = FileBlob(file, TAR_GZIP, offset=trailer.payload_offset, length=trailer.payload_size)
    inner = replace(bounds, algorithms={"sha256"})
    limit = min(bounds.limit, trailer.unpacked_size)
    content = _folder(payload, folder, ShapeInfo("dir", trailer.program), inner, limit)
    if content.digests["sha256"] != trailer.payload:
        raise _changed(bounds.what, "its payload")
    return StagedLauncher(replace(content, digests=digests), capabilities)


def _changed(what: str, part: str) -> DigestMismatchError:
    return DigestMismatchError(
        f"{what} is a launcher that was changed: {part} is not what its trailer says",
        hint="ask its provider to pack it anew; nothing was installed",
    )


def _folder(
    blob: Blob, folder: Path, shape: ShapeInfo, bounds: Bounds, limit: int | None = None
) -> Staged:
    with blob.open() as stream:
        hashing = _Hashing(stream, bounds)
        found = unpack(
            cast("BinaryIO", hashing),
            folder,
            what=bounds.what,
            compressed=is_compressed(blob.media_type),
            program=shape.program,
            max_unpacked=bounds.limit if limit is None else limit,
        )
        digests = hashing.digests()
    files = [record(folder, file.path, file.sha256) for file in found.files]
    links = [record_link(folder, path, target) for path, target in found.links.items()]
    return Staged(found.program, (*files, *links), digests)


class _Hashing(io.RawIOBase):
    """Hashes what is read, up to the limit."""

    def __init__(self, stream: BinaryIO, bounds: Bounds) -> None:
        super().__init__()
        self._stream = stream
        self._bounds = bounds
        self._left = bounds.limit
        self._hashers = {name: new_hasher(name) for name in bounds.algorithms}

    @override
    def readable(self) -> bool:
        """Return true."""
        return True

    @override
    def readinto(self, buffer: Buffer, /) -> int:  # type: ignore[override]
        """Read, and hash what came."""
        view = memoryview(buffer)
        data = self._stream.read(len(view))
        self._left -= len(data)
        if self._left < 0:
            raise UnsafeArchiveError(
                f"{self._bounds.what} is longer than the {self._bounds.limit} bytes allowed"
            )
        self._bounds.fail_point("receive.write")
        for hasher in self._hashers.values():
            hasher.update(data)
        view[: len(data)] = data
        return len(data)

    def digests(self) -> dict[str, Digest]:
        """Return the digests of all that was read."""
        return {name: Digest(name, hasher.hexdigest()) for name, hasher in self._hashers.items()}
