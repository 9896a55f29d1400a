"""One request and its answer, as values: what the routing works on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ocm_pkg.ports import Blob

JSON = "application/json"
CONTENT_DIGEST = "Docker-Content-Digest"


class Body(Protocol):
    """The body of a request, read once from start to end."""

    length: int | None
    """How many bytes it has, if the client said so."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill ``buffer`` with the next bytes; return how many, 0 at the end."""

    def limit(self, count: int) -> None:
        """Let the registry see the first ``count`` bytes only; the others are read, and lost."""

    def break_after(self, count: int) -> None:
        """Let the connection break once ``count`` bytes were read: no answer is sent."""


@dataclass(slots=True)
class Request:
    """A request that was read up to its body.

    ``target`` is path and query as they were sent, ``headers`` have lower-case names. ``answer``
    gives what the registry answers, once: a fault switch may call it and send something else.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: Body
    peer: str = ""
    respond: Callable[[Request], Response] | None = None

    @property
    def path(self) -> str:
        """The path, still percent-encoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The query, still percent-encoded; empty if there is none."""
        return self.target.partition("?")[2]

    def answer(self) -> Response:
        """Let the registry do what is asked for, and return its answer without sending it."""
        if self.respond is None:
            return Response(503)
        return self.respond(self)


@dataclass(frozen=True, slots=True)
class Part:
    """``length`` bytes of a blob, from ``offset``."""

    blob: Blob
    offset: int
    length: int

    def open(self) -> BinaryIO:
        """Return a stream that starts at the offset; it may go on after the part."""
        return self.blob.open(self.offset)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; the headers that say where its body ends are added when it is sent.

    A header with several values is sent several times. A body of several pieces is sent as they
    come, chunked unless the headers give a ``Content-Length``; what the headers say is sent even
    if it is wrong. With ``cut`` the connection is closed after so many bytes of the body, 0 means
    after the headers; ``Response.nothing()`` closes it without a byte.
    """

    status: int
    headers: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    body: bytes | Part | Iterable[bytes] = b""
    cut: int | None = None
    reset: bool = False
    """Whether a cut is a reset of the connection, and not its regular end."""

    @classmethod
    def nothing(cls, *, reset: bool = False) -> Response:
        """Return what makes the server hang up instead of answering."""
        return cls(0, cut=0, reset=reset)

    @classmethod
    def json(cls, status: int, value: object, headers: Mapping[str, str] | None = None) -> Response:
        """Return an answer with a JSON body."""
        data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return cls(status, {"Content-Type": JSON, **(headers or {})}, data)

    @classmethod
    def error(
        cls, status: int, code: str, message: str = "", headers: Mapping[str, str] | None = None
    ) -> Response:
        """Return an error of the distribution API, such as 404 and ``BLOB_UNKNOWN``."""
        text = message or HTTPStatus(status).phrase.lower()
        return cls.json(status, {"errors": [{"code": code, "message": text}]}, headers)

    def with_headers(self, **headers: str | None) -> Response:
        """Return it with other headers; ``_`` in a name stands for ``-``, None takes one away."""
        names = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        kept = {name: text for name, text in self.headers.items() if name.lower() not in names}
        added = {name: text for name, text in names.items() if text is not None}
        return replace(self, headers={**kept, **added})

    def header(self, name: str) -> str:
        """Return the (first) value of a header, or nothing."""
        for each, value in self.headers.items():
            if each.lower() == name.lower():
                return value if isinstance(value, str) else next(iter(value), "")
        return ""


class RefusedError(Exception):
    """A request that gets an error of the distribution API; never leaves the server."""

    def __init__(
        self, status: int, code: str, message: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.response = Response.error(status, code, message, headers)
