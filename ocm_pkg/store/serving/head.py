"""Request line and headers: strict in what is read; pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from ocm_pkg.store.serving.message import RefusedError

_LINE = re.compile(r"([A-Z]{1,16}) (/[!-~]*) HTTP/1\.([01])")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_SINGLE = frozenset(
    {"host", "content-length", "transfer-encoding", "authorization", "expect", "content-range"}
)
_LENGTH = re.compile(r"[0-9]{1,18}")


class Head(NamedTuple):
    """A request without its body; the headers by lower-case name."""

    method: str
    target: str
    headers: dict[str, str]
    keep_alive: bool

    @property
    def chunked(self) -> bool:
        """Whether the body comes in chunks."""
        return "transfer-encoding" in self.headers

    @property
    def length(self) -> int | None:
        """How long the body is; None if it comes in chunks."""
        return None if self.chunked else int(self.headers.get("content-length", "0"))


def parse(data: bytes, most: int) -> Head:
    """Read a head without the empty line at its end, of at most ``most`` headers.

    Raises ``RefusedError`` for what could be read in two ways; the connection can't go on then.
    """
    lines = data.decode("latin-1").split("\r\n")
    line = _LINE.fullmatch(lines[0])
    if line is None:
        raise RefusedError(400, "UNSUPPORTED", "this is not an HTTP/1.1 request")
    if len(lines) - 1 > most:
        raise RefusedError(431, "UNSUPPORTED", "too many headers")
    headers: dict[str, str] = {}
    for text in lines[1:]:
        match = _HEADER.fullmatch(text)
        if match is None:
            raise RefusedError(400, "UNSUPPORTED", "a header cannot be read")
        name, value = match[1].lower(), match[2].rstrip(" \t")
        if name in headers and name in _SINGLE:
            raise RefusedError(400, "UNSUPPORTED", f"the header {name} is there twice")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    _check_body(headers)
    closes = "close" in headers.get("connection", "").lower()
    return Head(line[1], line[2], headers, keep_alive=line[3] == "1" and not closes)


def _check_body(headers: dict[str, str]) -> None:
    length, coding = headers.get("content-length"), headers.get("transfer-encoding")
    if coding is not None and (coding.lower() != "chunked" or length is not None):
        raise RefusedError(400, "UNSUPPORTED", "the length of the body is not clear")
    if length is not None and not _LENGTH.fullmatch(length):
        raise RefusedError(400, "SIZE_INVALID", "Content-Length is not a number")
