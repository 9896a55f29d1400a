"""Write content to a file in one pass: hashed on the way, and never more than is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, cast

from ocm_pkg.errors import UnsafeArchiveError
from ocm_pkg.fs.blob import copy_blob
from ocm_pkg.model.digest import Digest, new_hasher

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ocm_pkg.model.digest import Hasher
    from ocm_pkg.ports import Blob, FailPoint


def receive(
    blob: Blob,
    out: BinaryIO,
    *,
    what: str,
    algorithms: Collection[str] = ("sha256",),
    limit: int | None = None,
    fail_point: FailPoint = lambda _step: None,
) -> Mapping[str, Digest]:
    """Copy ``blob`` to ``out``; return the digest of what was written for each algorithm.

    Raises ``DigestMismatchError`` if the blob isn't what it promises, ``UnsafeArchiveError`` if it
    has more than ``limit`` bytes; ``out`` then has part of it. ``what`` names it in the error.
    """
    limited = _Limited(out, limit, what, fail_point)
    limited.check(blob.size or 0)
    known = blob.digest
    # The copying itself tells the SHA-256, unless the content is known by another digest.
    told = {"sha256"} if known is None or known.algorithm == "sha256" else set()
    wanted = set(algorithms) - told
    hashers = _Hashers(wanted) if wanted else None
    copied, _size = copy_blob(blob, cast("BinaryIO", limited), hasher=hashers)
    return {**(hashers.digests() if hashers else {}), copied.algorithm: copied}


class _Limited:
    """Passes bytes on until the limit."""

    def __init__(self, out: BinaryIO, limit: int | None, what: str, fail_point: FailPoint) -> None:
        self._out = out
        self._limit = limit
        self._what = what
        self._count = 0
        self._fail_point = fail_point

    def check(self, count: int) -> None:
        if self._limit is not None and count > self._limit:
            raise UnsafeArchiveError(
                f"{self._what} is longer than the {self._limit} bytes that are allowed"
            )

    def write(self, data: memoryview) -> int:
        self._count += len(data)
        self.check(self._count)
        self._fail_point("receive.write")
        return self._out.write(data)


class _Hashers:
    """Several hashers that look like one."""

    def __init__(self, algorithms: Collection[str]) -> None:
        self._hashers: dict[str, Hasher] = {name: new_hasher(name) for name in algorithms}

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        for hasher in self._hashers.values():
            hasher.update(data)

    def hexdigest(self) -> str:
        return next(iter(self._hashers.values())).hexdigest()

    def digests(self) -> dict[str, Digest]:
        return {name: Digest(name, hasher.hexdigest()) for name, hasher in self._hashers.items()}
