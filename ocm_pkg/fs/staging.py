"""Put the content of a plugin resource into a folder: one program, or an unpacked archive."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from ocm_pkg._typing import override
from ocm_pkg.errors import UnsafeArchiveError
from ocm_pkg.fs.filestate import record, record_link
from ocm_pkg.fs.receive import receive
from ocm_pkg.fs.unpack import unpack
from ocm_pkg.model.digest import Digest, new_hasher
from ocm_pkg.model.shape import is_compressed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path
    from typing import BinaryIO, TypeAlias

    from ocm_pkg.model.receipt import InstalledFile
    from ocm_pkg.model.shape import ShapeInfo
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


def _folder(blob: Blob, folder: Path, shape: ShapeInfo, bounds: Bounds) -> Staged:
    with blob.open() as stream:
        hashing = _Hashing(stream, bounds)
        found = unpack(
            cast("BinaryIO", hashing),
            folder,
            what=bounds.what,
            compressed=is_compressed(blob.media_type),
            program=shape.program,
            max_unpacked=bounds.limit,
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
