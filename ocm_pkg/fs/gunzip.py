"""Unpack gzip from a stream within limits: one member, checked, and nothing after it."""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING

from ocm_pkg._typing import override
from ocm_pkg.errors import UnsafeArchiveError

if TYPE_CHECKING:
    from typing import BinaryIO, TypeAlias

    Buffer: TypeAlias = "bytearray | memoryview"

MAX_RATIO = 200
_FREE = 64 * 1024 * 1024
"""So much is unpacked whatever the ratio: a short file of zeros is no attack."""

_CHUNK = 1024 * 1024


class Gunzip(io.RawIOBase):
    """The unpacked bytes of ``stream``; ``what`` names it in ``UnsafeArchiveError``.

    Refused: what is no gzip, is cut off or damaged, has bytes or a second member after its end,
    or has more than ``limit`` bytes, or more than ``MAX_RATIO`` for each byte that is packed.
    """

    def __init__(self, stream: BinaryIO, *, what: str, limit: int) -> None:
        super().__init__()
        self._stream = stream
        self._what = what
        self._limit = limit
        self._zlib = zlib.decompressobj(31)
        self._pending = b""
        self._packed = 0
        self._unpacked = 0

    @override
    def readable(self) -> bool:
        """Return true."""
        return True

    @override
    def readinto(self, buffer: Buffer, /) -> int:  # type: ignore[override]
        """Fill ``buffer`` as far as one step unpacks; 0 at the end."""
        view = memoryview(buffer).cast("B")
        while not self._zlib.eof:
            data = self._pending or self._more()
            try:
                out = self._zlib.decompress(data, len(view))
            except zlib.error as error:
                raise self._bad("is no gzip, or is damaged") from error
            self._pending = self._zlib.unconsumed_tail
            if out:
                self._count(len(out))
                view[: len(out)] = out
                return len(out)
        if self._zlib.unused_data or self._stream.read(1):
            raise self._bad("has bytes after its end")
        return 0

    def _more(self) -> bytes:
        data = self._stream.read(_CHUNK)
        if not data:
            raise self._bad("is cut off")
        self._packed += len(data)
        return data

    def _count(self, size: int) -> None:
        self._unpacked += size
        if self._unpacked > self._limit:
            raise self._bad(f"unpacks to more than the {self._limit} bytes that are allowed")
        if self._unpacked > max(_FREE, self._packed * MAX_RATIO):
            raise self._bad(f"unpacks to more than {MAX_RATIO} times its size")

    def _bad(self, problem: str) -> UnsafeArchiveError:
        return UnsafeArchiveError(
            f"{self._what} {problem}",
            hint="nothing of it was kept; ask its provider to pack it anew",
        )
