"""HTTP/1.1 on a stream, as little as the contract needs: strict in what it reads, and limited."""

from __future__ import annotations

import re
import socket
import time
from typing import TYPE_CHECKING, NamedTuple

from ocm_pkg.contract.messages import MAX_BODY

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_HEAD = 128 * 1024
"""The largest request line with headers, in bytes; queries and credentials go there."""

MAX_HEADERS = 64
HEAD_SECONDS = 5.0
"""How long the request line and the headers may take, from their first byte."""

BODY_SECONDS = 15.0
KEEP_ALIVE_SECONDS = 300.0
"""How long a connection may be open without a request."""

SEND_SECONDS = 30.0

_REQUEST_LINE = re.compile(r"([A-Z]{1,16}) (/[!-~]*) HTTP/1\.([01])")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(;[^\r\n]{0,256})?")
_SINGLE = {"host", "content-length", "transfer-encoding", "authorization", "expect"}
_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    417: "Expectation Failed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class Request(NamedTuple):
    """One request; ``headers`` by lower-case name, ``query`` still encoded."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""
    keep_alive: bool = True


class Response(NamedTuple):
    """One answer: JSON, or plain text that says what went wrong."""

    status: int
    body: bytes = b""
    json: bool = False
    allow: str = ""

    @classmethod
    def error(cls, status: int, message: str, *, allow: str = "") -> Response:
        """Return an answer with a plain text message."""
        return cls(status, message.encode(errors="replace") + b"\n", allow=allow)

    def encode(self, *, head_only: bool = False, keep_alive: bool = True) -> bytes:
        """Return the bytes to send, headers and body in one."""
        lines = [f"HTTP/1.1 {self.status} {_REASONS[self.status]}"]
        if self.json:
            lines.append("Content-Type: application/json")
        elif self.body:
            lines += ["Content-Type: text/plain; charset=utf-8", "X-Content-Type-Options: nosniff"]
        if self.allow:
            lines.append(f"Allow: {self.allow}")
        if not keep_alive:
            lines.append("Connection: close")
        head = "\r\n".join([*lines, f"Content-Length: {len(self.body)}", "", ""]).encode()
        return head if head_only else head + self.body


class BadRequest(Exception):  # noqa: N818 - the status's own name; never leaves the sdk
    """A request that cannot be read; the connection ends after ``response``."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.response = Response.error(status, message)


class Connection:
    """Reads requests from a connected socket and answers them, one after the other."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._buffer = bytearray()

    def wait(self) -> bool:
        """Wait for the first byte of a request; False if the other side has gone."""
        if self._buffer:
            return True
        self._stream.settimeout(KEEP_ALIVE_SECONDS)
        try:
            return self._receive()
        except OSError:
            return False

    def read(self) -> Request:
        """Return the request whose first byte is there.

        Raises:
            BadRequest: it breaks HTTP or a limit, or takes too long.
            ConnectionError: the other side went away in the middle.

        """
        request = parse_head(self._read_head())
        length = request.headers.get("content-length")
        chunked = "transfer-encoding" in request.headers
        if not chunked and length in (None, "0"):
            return request
        if length is not None and (len(length) > 10 or int(length) > MAX_BODY):
            raise BadRequest(413, f"the body is larger than {MAX_BODY} bytes")
        if request.headers.get("expect"):
            self._stream.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        deadline = time.monotonic() + BODY_SECONDS
        body = self._read_chunks(deadline) if chunked else self._take(int(length or 0), deadline)
        return request._replace(body=body)

    def send(self, data: bytes) -> None:
        """Send all of ``data``, or raise ``OSError``."""
        self._stream.settimeout(SEND_SECONDS)
        self._stream.sendall(data)

    def finish(self) -> None:
        """Say that nothing more comes, and let the other side read the last answer.

        Closing with unread input would reset the connection and lose the answer.
        """
        self._stream.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + 1.0
        while (remaining := deadline - time.monotonic()) > 0:
            self._stream.settimeout(remaining)
            if not self._stream.recv(65536):
                return

    def _receive(self) -> bool:
        data = self._stream.recv(65536)
        self._buffer += data
        return bool(data)

    def _fill(self, deadline: float) -> None:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise BadRequest(408, "the request took too long")
        self._stream.settimeout(remaining)
        try:
            received = self._receive()
        except TimeoutError as error:
            raise BadRequest(408, "the request took too long") from error
        if not received:
            raise ConnectionError("the request ended in the middle")

    def _read_head(self) -> bytes:
        deadline = time.monotonic() + HEAD_SECONDS
        searched = 0
        while (end := self._buffer.find(b"\r\n\r\n", searched)) < 0 and len(
            self._buffer
        ) <= MAX_HEAD:
            searched = max(0, len(self._buffer) - 3)
            self._fill(deadline)
        if end < 0 or end > MAX_HEAD:
            raise BadRequest(431, f"the headers are larger than {MAX_HEAD} bytes")
        head = bytes(self._buffer[:end])
        del self._buffer[: end + 4]
        return head

    def _take(self, count: int, deadline: float) -> bytes:
        while len(self._buffer) < count:
            self._fill(deadline)
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def _line(self, deadline: float, limit: int) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0 and len(self._buffer) <= limit:
            self._fill(deadline)
        if end < 0 or end > limit:
            raise BadRequest(400, "a line of the body is too long")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _read_chunks(self, deadline: float) -> bytes:
        body = bytearray()
        while True:
            match = _CHUNK_SIZE.fullmatch(self._line(deadline, 512))
            if match is None:
                raise BadRequest(400, "malformed chunk")
            size = int(match[1], 16)
            if len(body) + size > MAX_BODY:
                raise BadRequest(413, f"the body is larger than {MAX_BODY} bytes")
            if size == 0:
                break
            body += self._take(size, deadline)
            if self._take(2, deadline) != b"\r\n":
                raise BadRequest(400, "malformed chunk")
        for _ in range(MAX_HEADERS):
            if not self._line(deadline, 4096):
                return bytes(body)
        raise BadRequest(431, f"more than {MAX_HEADERS} trailers")


def parse_head(head: bytes) -> Request:
    """Return the request that begins with ``head`` (without the empty line), its body unread.

    Raises:
        BadRequest: it breaks HTTP/1.1, or its framing could be read in two ways.

    """
    try:
        first, *lines = head.decode().split("\r\n")
    except UnicodeDecodeError as error:
        raise BadRequest(400, "the headers are no UTF-8") from error
    match = _REQUEST_LINE.fullmatch(first)
    if match is None:
        raise BadRequest(400, "malformed request line")
    path, _, query = match[2].partition("?")
    headers = _parse_headers(lines)
    newest = match[3] == "1"
    if newest and "host" not in headers:
        raise BadRequest(400, "the Host header is missing")
    _check_framing(headers)
    wish = headers.get("connection", "" if newest else "close").lower()
    return Request(match[1], path, query, headers, keep_alive="close" not in wish)


def _parse_headers(lines: list[str]) -> dict[str, str]:
    if len(lines) > MAX_HEADERS:
        raise BadRequest(431, f"more than {MAX_HEADERS} headers")
    headers: dict[str, str] = {}
    for line in lines:
        match = _HEADER.fullmatch(line)
        if match is None:
            raise BadRequest(400, "malformed header")
        name, value = match[1].lower(), match[2].rstrip(" \t")
        if name not in headers:
            headers[name] = value
        elif name in _SINGLE:
            raise BadRequest(400, f"the {match[1]} header appears twice")
        else:
            headers[name] += f", {value}"
    return headers


def _check_framing(headers: Mapping[str, str]) -> None:
    length = headers.get("content-length")
    encoding = headers.get("transfer-encoding")
    if length is not None and not (length.isascii() and length.isdigit()):
        raise BadRequest(400, "malformed Content-Length")
    if encoding is not None and encoding.lower() != "chunked":
        raise BadRequest(400, "a Transfer-Encoding other than chunked")
    if encoding is not None and length is not None:
        raise BadRequest(400, "both Content-Length and Transfer-Encoding")
    if headers.get("expect", "100-continue").lower() != "100-continue":
        raise BadRequest(417, "an expectation other than 100-continue")
