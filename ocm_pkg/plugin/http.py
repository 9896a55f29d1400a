"""Reads one HTTP/1.1 answer from a function that receives bytes; no sockets here.

Strict where two readings are possible (lengths, transfer codings), and bounded everywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ocm_pkg.errors import PluginProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LENGTH = re.compile(r"[0-9]{1,15}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;.*)?")
_LINE = 8 << 10


class ResponseLimits(Protocol):
    """How much of an answer is read before it is refused."""

    @property
    def header_bytes(self) -> int:
        """Bytes of the status line and all headers together."""

    @property
    def header_count(self) -> int:
        """Number of headers."""

    @property
    def interim_answers(self) -> int:
        """Number of 1xx answers ahead of the final one."""

    @property
    def body(self) -> int:
        """Bytes of the body."""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer; header names are in lower case."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def read_response(receive: Callable[[], bytes], *, method: str, limits: ResponseLimits) -> Response:
    """Read one answer; ``receive`` returns some bytes, or none at the end of the connection.

    Raises ``PluginProtocolError`` for what is not HTTP or breaks a limit, and ``EOFError`` if
    the connection ends too early.
    """
    reader = _Reader(receive)
    for _ in range(limits.interim_answers + 1):
        status, headers = _read_head(reader, limits)
        if status >= 200:
            break
    else:
        raise PluginProtocolError("more interim answers than a call may have")
    if 300 <= status < 400:
        raise PluginProtocolError(f"answered with a redirect ({status}), which is not followed")
    if method == "HEAD" or status in {204, 304}:
        return Response(status, b"", headers)
    return Response(status, _read_body(reader, headers, limits.body), headers)


class _Reader:
    """Lines and blocks out of a receive function."""

    def __init__(self, receive: Callable[[], bytes]) -> None:
        self._receive = receive
        self._buffer = bytearray()
        self._started = False

    def fill(self) -> bool:
        """Read some more; return false at the end."""
        data = self._receive()
        self._started = self._started or bool(data)
        self._buffer += data
        return bool(data)

    def line(self, limit: int) -> bytes:
        """Return the next line without its end."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > limit:
                break
            if not self.fill():
                raise EOFError("inside its answer" if self._started else "without an answer")
        if end < 0 or end > limit:
            raise PluginProtocolError(f"a line of its answer is longer than {limit} bytes")
        line = bytes(self._buffer[:end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        return line

    def exactly(self, size: int) -> bytes:
        """Return the next ``size`` bytes."""
        while len(self._buffer) < size:
            if not self.fill():
                raise EOFError(f"{size - len(self._buffer)} bytes before the end of its answer")
        data = bytes(memoryview(self._buffer)[:size])
        del self._buffer[:size]
        return data

    def rest(self, limit: int) -> bytes:
        """Return everything up to the end of the connection."""
        while len(self._buffer) <= limit:
            if not self.fill():
                return bytes(self._buffer)
        raise _too_large(limit)


def _read_head(reader: _Reader, limits: ResponseLimits) -> tuple[int, dict[str, str]]:
    line = reader.line(_LINE)
    match = _STATUS_LINE.fullmatch(line)
    if not match:
        raise PluginProtocolError("its answer is not HTTP/1.1")
    headers: dict[str, str] = {}
    left = limits.header_bytes - len(line)
    for _ in range(limits.header_count + 1):
        line = reader.line(min(left, _LINE * 2))
        if not line:
            return int(match[1]), headers
        left -= len(line) + 2
        if left <= 0:
            raise PluginProtocolError(f"more than {limits.header_bytes} bytes of headers")
        _add_header(headers, line)
    raise PluginProtocolError(f"more than {limits.header_count} headers")


def _add_header(headers: dict[str, str], line: bytes) -> None:
    raw_name, colon, raw_value = line.partition(b":")
    if not colon or not _TOKEN.fullmatch(raw_name):
        raise PluginProtocolError("a header line of its answer is malformed")
    name, value = raw_name.decode("ascii").lower(), raw_value.strip().decode("latin-1")
    if name not in headers:
        headers[name] = value
    elif name not in {"content-length", "transfer-encoding"}:
        headers[name] += f", {value}"
    elif headers[name] != value:
        raise PluginProtocolError(f"its answer has two headers {name} that differ")


def _read_body(reader: _Reader, headers: Mapping[str, str], limit: int) -> bytes:
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise PluginProtocolError("its answer is compressed, which was not asked for")
    if coding is not None:
        if coding.lower() != "chunked" or length is not None:
            raise PluginProtocolError("its answer has a length that cannot be told")
        return _read_chunks(reader, limit)
    if length is None:
        return reader.rest(limit)
    if not _LENGTH.fullmatch(length):
        raise PluginProtocolError("the Content-Length of its answer is no number")
    if int(length) > limit:
        raise _too_large(limit)
    return reader.exactly(int(length))


def _read_chunks(reader: _Reader, limit: int) -> bytes:
    body = bytearray()
    # Each chunk costs time: bodies of one-byte chunks are refused long before the byte limit.
    for _ in range(1 << 16):
        match = _CHUNK_SIZE.fullmatch(reader.line(_LINE))
        if not match:
            raise PluginProtocolError("a chunk of its answer has no size")
        size = int(match[1], 16)
        if size == 0:
            _skip_trailers(reader)
            return bytes(body)
        if len(body) + size > limit:
            raise _too_large(limit)
        body += reader.exactly(size)
        if reader.line(2):
            raise PluginProtocolError("a chunk of its answer is longer than it says")
    raise PluginProtocolError("its answer has too many chunks")


def _skip_trailers(reader: _Reader) -> None:
    for _ in range(100):
        if not reader.line(_LINE):
            return
    raise PluginProtocolError("its answer has too many trailers")


def _too_large(limit: int) -> PluginProtocolError:
    return PluginProtocolError(f"its answer is larger than {limit} bytes")
