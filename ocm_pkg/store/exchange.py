"""One HTTP exchange as values: what is asked, what was answered, and how it can fail."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO, Protocol

from ocm_pkg._typing import override
from ocm_pkg.errors import RegistryError, TransportError, escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import TracebackType

NO_HEADERS: Mapping[str, str] = MappingProxyType({})
PAGE_HINT = "a proxy or a login page answered in its place; check HTTPS_PROXY, NO_PROXY and the URL"

_USER_INFO = re.compile("://[^/]*@")
_PIECE = 64 * 1024
_PLAIN = "identity"
_PAGES = frozenset({"text/html", "application/xhtml+xml"})


class Phase(StrEnum):
    """Where an exchange was when it failed."""

    LOOK_UP = "looking up its address"
    CONNECT = "connecting"
    PROXY = "asking the proxy for a connection"
    TLS = "agreeing on TLS"
    SEND = "sending"
    HEADERS = "waiting for the answer"
    BODY = "reading the answer"


class ExchangeError(TransportError):
    """An exchange failed in ``phase``.

    ``timed_out``: nothing came, or too little, for too long. ``lost``: a connection that stood
    broke, so that another try can do better.
    """

    def __init__(
        self,
        message: str,
        *,
        phase: Phase,
        timed_out: bool = False,
        lost: bool = False,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.phase = phase
        self.timed_out = timed_out
        self.lost = lost


class Headers:
    """The headers of an answer, in their order; names in any case."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._pairs = tuple(pairs)

    def get(self, name: str) -> str | None:
        """Return the first value of that name, if there is one."""
        return next(iter(self.all(name)), None)

    def all(self, name: str) -> tuple[str, ...]:
        """Return all values of that name."""
        wanted = name.lower()
        return tuple(value for known, value in self._pairs if known.lower() == wanted)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs)

    @override
    def __repr__(self) -> str:
        # Values can be tokens.
        return f"Headers({', '.join(name for name, _ in self._pairs)})"


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent: ``open`` gives a new stream of exactly ``length`` bytes for each try."""

    open: Callable[[], BinaryIO]
    length: int

    @classmethod
    def of(cls, data: bytes) -> Body:
        """Return a body of bytes that are in memory."""
        return cls(lambda: io.BytesIO(data), len(data))


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: an absolute http or https URL without user-info."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS, repr=False)
    body: Body | None = None


class Response:
    """An answer whose body is still to be read; closing it early gives up its connection.

    Reading raises ``TransportError`` where the body is cut, stands still, or is not HTTP.
    ``hurry`` is called ahead of reading the body as a whole, which has a deadline.
    """

    def __init__(
        self,
        status: int,
        headers: Headers,
        url: str,
        stream: BinaryIO,
        hurry: Callable[[], None] | None = None,
    ) -> None:
        self.status = status
        self.headers = headers
        self.url = url
        self._stream = stream
        self._hurry = hurry

    @property
    def media_type(self) -> str:
        """The media type without its parameters, in lower case; empty if there is none."""
        return (self.headers.get("Content-Type") or "").partition(";")[0].strip().lower()

    @property
    def page_hint(self) -> str | None:
        """What to tell the user if this is a web page, and so no registry's answer."""
        return PAGE_HINT if self.media_type in _PAGES else None

    @property
    def length(self) -> int | None:
        """How many bytes the body has, as far as the headers say it."""
        value = self.headers.get("Content-Length") or ""
        return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None

    def read(self, limit: int) -> bytes:
        """Return the whole body and close; ``RegistryError`` if it is longer than ``limit``.

        So it is for a body with a ``Content-Encoding``, which was not asked for: only content
        with a digest may have one, whose bytes are taken as they are.
        """
        with self:
            coding = self.headers.get("Content-Encoding") or _PLAIN
            if coding.lower() != _PLAIN:
                raise RegistryError(
                    f"the answer of {shown(self.url)} is encoded as {escaped(coding, 100)}, "
                    "which was not asked for",
                    status=self.status,
                    hint="a proxy changes what passes through it; reach the registry without it",
                )
            data = self._first(limit + 1)
            if len(data) > limit:
                raise RegistryError(
                    f"the answer of {shown(self.url)} is longer than the {limit} bytes allowed",
                    status=self.status,
                    hint=self.page_hint,
                )
            return data

    def excerpt(self, limit: int) -> bytes:
        """Return the first ``limit`` bytes of the body, whatever follows, and close."""
        with self:
            return self._first(limit)

    def stream(self) -> BinaryIO:
        """Return the body as it was sent, never decoded; best read into large buffers.

        A ``read`` or ``readinto`` may give less than asked; at the checked end it gives nothing.
        """
        return self._stream

    def close(self) -> None:
        """Free the connection: for others if the body was read, else it is shut."""
        self._stream.close()

    def __enter__(self) -> Response:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @override
    def __repr__(self) -> str:
        return f"Response({self.status}, {shown(self.url)})"

    def _first(self, count: int) -> bytes:
        if self._hurry is not None:
            self._hurry()
        data = bytearray()
        while len(data) < count:
            piece = self._stream.read(min(_PIECE, count - len(data)))
            if not piece:
                break
            data += piece
        return bytes(data)


class Exchanger(Protocol):
    """What makes exchanges: ``store.transport.Transport``, or a fake of the tests."""

    def send(self, request: Request) -> Response:
        """Return the answer, whatever its status; ``TransportError`` if none came."""

    def close(self) -> None:
        """Close all connections."""


def shown(url: str) -> str:
    """Return a URL as errors may show it: without user-info and query, which can be secrets."""
    return escaped(_USER_INFO.sub("://***@", url.partition("?")[0]), 200)
