"""Reads one HTTP/1.1 answer from a function that receives bytes; no sockets here.

Stricter than most: what allows two readings (lengths, transfer codings, folded headers) or breaks
a bound is a ``WireError``, whose text continues a sentence about the answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ocm_pkg.store.exchange import Headers

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_HEAD = 64 * 1024
MAX_LINE = 32 * 1024
MAX_HEADERS = 200
MAX_INTERIM = 10

_BUFFER = 32 * 1024
_SOME_CHUNKS, _TINY = 4096, 16
_MAX_LENGTH = 2**63 - 1
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\x00-\x08\x0a-\x1f\x7f]*)?")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?")


class WireError(Exception):
    """What came is no answer that can be read in one way only."""


class CutError(WireError):
    """The connection ended before the answer did; ``started`` if any of it had come."""

    def __init__(self, text: str, *, started: bool = True) -> None:
        super().__init__(text)
        self.started = started


class Source:
    """What comes over a connection: lines for heads, and bytes straight into others' buffers.

    ``heard`` becomes true with the first byte.
    """

    def __init__(self, receive: Callable[[memoryview], int]) -> None:
        self._receive = receive
        self._data = bytearray(_BUFFER)
        self._view = memoryview(self._data)
        self._start = self._end = 0
        self.heard = False

    @property
    def waiting(self) -> bytes:
        """What came already and was not asked for yet."""
        return bytes(self._view[self._start : self._end])

    def fill(self) -> bool:
        """Receive some more to look at; false at the end."""
        if self._start == self._end:
            self._start = self._end = 0
        elif self._start:
            self._view[: self._end - self._start] = self.waiting
            self._start, self._end = 0, self._end - self._start
        count = self._receive(self._view[self._end :])
        self._end += count
        self.heard = self.heard or count > 0
        return count > 0

    def line(self, limit: int) -> bytes:
        """Return the next line without its end."""
        while True:
            start = self._start
            end = self._data.find(b"\n", start, self._end)
            if end < 0 and self._end - start < limit:
                if not self.fill():
                    raise CutError("ended in the middle of its headers", started=self.heard)
                continue
            if end < 0 or end - start > limit:
                raise WireError(f"has a line longer than {limit} bytes")
            self._start = end + 1
            return bytes(self._view[start:end]).removesuffix(b"\r")

    def readinto(self, view: memoryview) -> int:
        """Fill some of ``view``; 0 at the end of the connection."""
        count = min(len(view), self._end - self._start)
        if not count:
            return self._receive(view)
        view[:count] = self._view[self._start : self._start + count]
        self._start += count
        return count


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers. ``persistent``: the connection can be used again."""

    status: int
    headers: Headers
    persistent: bool


def read_head(source: Source) -> Head:
    """Read up to the end of the headers of the final answer; interim ones are passed over."""
    for _ in range(MAX_INTERIM):
        head = _read_one(source)
        if head.status == 101:
            raise WireError("changes to another protocol, which was not asked for")
        if head.status >= 200:
            return head
    raise WireError(f"comes after {MAX_INTERIM} interim ones, with no end of them")


def _read_one(source: Source) -> Head:
    line = source.line(MAX_LINE)
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise WireError("is not HTTP/1.1")
    pairs: list[tuple[str, str]] = []
    size = len(line)
    started = True
    while started:
        line = source.line(MAX_LINE)
        size += len(line) + 2
        if size > MAX_HEAD:
            raise WireError(f"has more than {MAX_HEAD} bytes of headers")
        if len(pairs) > MAX_HEADERS:
            raise WireError(f"has more than {MAX_HEADERS} headers")
        started = bool(line)
        if started:
            pairs.append(_read_header(line))
    headers = Headers(pairs)
    connection = ",".join(headers.all("Connection")).lower()
    options = {option.strip() for option in connection.split(",")}
    return Head(int(match[2]), headers, match[1] == b"1" and "close" not in options)


def _read_header(line: bytes) -> tuple[str, str]:
    if line[:1] in (b" ", b"\t"):
        raise WireError("has a folded header, which HTTP/1.1 no longer has")
    name, colon, value = line.partition(b":")
    if not colon or not _TOKEN.fullmatch(name):
        raise WireError("has a line among its headers that is none")
    value = value.strip(b" \t")
    if _CONTROL.search(value):
        raise WireError(f"has control characters in its header {name.decode()}")
    try:
        return name.decode(), value.decode()
    except UnicodeDecodeError:
        raise WireError(f"has invalid bytes in its header {name.decode()}") from None


class Framing(Protocol):
    """How the end of a body is known."""

    @property
    def left(self) -> int | None:
        """How many bytes are still to come, if that is known."""

    def readinto(self, view: memoryview) -> int:
        """Fill some of ``view``, which is not empty; 0 at the end of the body."""


def framing(source: Source, head: Head, method: str) -> tuple[Framing, bool]:
    """Return how to read the body, and whether the connection can be used after it."""
    lengths, codings = head.headers.all("Content-Length"), head.headers.all("Transfer-Encoding")
    if lengths and codings:
        raise WireError("has a Content-Length and a Transfer-Encoding, which contradict each other")
    if len(lengths) > 1 or "," in "".join(lengths):
        raise WireError("has more than one Content-Length")
    length = _length(lengths[0]) if lengths else 0
    if method == "HEAD" or head.status in {204, 304}:
        return _Counted(source, 0), head.persistent
    if codings:
        if [coding.lower() for coding in codings] != ["chunked"]:
            raise WireError("has a Transfer-Encoding other than chunked")
        return _Chunked(source), head.persistent
    if lengths:
        return _Counted(source, length), head.persistent
    return _UpToClose(source), False


def _length(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= _MAX_LENGTH):
        raise WireError("has a Content-Length that is no length")
    return int(text)


class _Counted:
    """A body of a known length."""

    def __init__(self, source: Source, length: int) -> None:
        self._source = source
        self._length = length
        self._got = 0

    @property
    def left(self) -> int:
        return self._length - self._got

    def readinto(self, view: memoryview) -> int:
        left = self._length - self._got
        if not left:
            return 0
        count = self._source.readinto(view if len(view) <= left else view[:left])
        if not count:
            raise CutError(f"ended after {self._got} of {self._length} bytes")
        self._got += count
        return count


class _UpToClose:
    """A body that ends with its connection."""

    left: int | None = None

    def __init__(self, source: Source) -> None:
        self._source = source

    def readinto(self, view: memoryview) -> int:
        return self._source.readinto(view)


class _Chunked:
    """A body in chunks; its trailers are read and dropped."""

    left: int | None = None

    def __init__(self, source: Source) -> None:
        self._source = source
        self._chunk = 0
        self._count = self._size = 0
        self._ended = False

    def readinto(self, view: memoryview) -> int:
        if not self._chunk and not self._ended:
            self._next_chunk()
        if self._ended:
            return 0
        count = self._source.readinto(view[: self._chunk])
        if not count:
            raise CutError("ended in the middle of a chunk")
        self._chunk -= count
        return count

    def _next_chunk(self) -> None:
        try:
            if self._count and self._source.line(2):
                raise WireError("has a chunk that is longer than it says")
            match = _CHUNK_SIZE.fullmatch(self._source.line(MAX_LINE))
            if match is None:
                raise WireError("has a chunk without a size")
            self._chunk = int(match[1], 16)
            self._count += 1
            self._size += self._chunk
            # Each chunk costs time, whatever is in it.
            if self._count > _SOME_CHUNKS and self._size < self._count * _TINY:
                raise WireError("has too many tiny chunks")
            if not self._chunk:
                self._skip_trailers()
                self._ended = True
        except CutError:
            raise CutError("ended without its last chunk") from None

    def _skip_trailers(self) -> None:
        for _ in range(MAX_HEADERS):
            line = self._source.line(MAX_LINE)
            if not line:
                return
            _read_header(line)
        raise WireError(f"has more than {MAX_HEADERS} trailers")
