"""One client's connection: its requests one after the other, each read, answered and sent."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import time
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

from ocm_pkg.errors import OcmPkgError
from ocm_pkg.fs.blob import BUFFER, FileBlob, open_regular
from ocm_pkg.store.serving import head
from ocm_pkg.store.serving.message import Part, RefusedError, Request, Response
from ocm_pkg.store.serving.wire import WireBody

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ocm_pkg.store.serving.wire import Wire

_DRAIN = 256 * 1024
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What may not be in a header: a media type can come from a file that others wrote."""

_RESET = struct.pack("ii", 1, 0)


class HangUp(Exception):  # noqa: N818 - no error: the connection is at its end
    """Nothing more is sent or read."""


class Connection:
    """Reads requests from ``wire`` and answers them by ``answer`` until one side has enough.

    ``closing`` says whether the server is about to end: no further request is read then.
    """

    def __init__(
        self,
        wire: Wire,
        peer: str,
        answer: Callable[[Request], Response],
        closing: Callable[[], bool],
    ) -> None:
        self.wire = wire
        self._peer = peer
        self._answer = answer
        self._closing = closing
        self.busy = False

    def run(self) -> None:
        """Go on until the connection is at its end; raises nothing."""
        with contextlib.suppress(OSError, HangUp):
            while not self._closing() and self.wire.wait():
                self.busy = True
                if not self._one():
                    self.wire.finish()
                    return
                self.busy = False

    def _one(self) -> bool:
        """Answer one request; return whether there may be another one."""
        try:
            found = head.parse(self.wire.head(), self.wire.limits.headers)
        except RefusedError as refused:
            self._send(refused.response, keep_alive=False, head_only=False)
            return False
        except TimeoutError:
            late = Response.error(408, "UNSUPPORTED", "the request took too long")
            self._send(late, keep_alive=False, head_only=False)
            return False
        waits = found.headers.get("expect", "").lower() == "100-continue"
        body = WireBody(self.wire, found.length, before=self._go_on if waits else None)
        request = Request(found.method, found.target, found.headers, body, self._peer)
        try:
            response = self._answer(request)
        except TimeoutError:
            late = Response.error(408, "UNSUPPORTED", "the body took too long")
            self._send(late, keep_alive=False, head_only=False)
            return False
        if response.status == 0:
            self._hang_up(response)
        keep_alive = found.keep_alive and not self._closing() and self._rest(body)
        self._send(response, keep_alive=keep_alive, head_only=found.method == "HEAD")
        return keep_alive

    def _go_on(self) -> None:
        self.wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    @staticmethod
    def _rest(body: WireBody) -> bool:
        """Read what is left of a body, if it is little; whether the next request can follow."""
        if body.untouched:
            return body.length == 0
        if body.length is not None and body.length > _DRAIN:
            return body.ended
        return body.drain(_DRAIN)

    def _send(self, response: Response, *, keep_alive: bool, head_only: bool) -> None:
        pieces, headers = _framed(response)
        if not keep_alive:
            headers.append("Connection: close")
        top = _head(response.status, headers)
        if head_only or response.status in {204, 304}:
            self.wire.send(top)
        elif response.cut is not None:
            self.wire.send(top)
            self._send_cut(response, pieces)
            self._hang_up(response)
        elif isinstance(response.body, bytes):
            self.wire.send(top + response.body)
        elif isinstance(response.body, Part):
            self.wire.send(top)
            self._send_part(response.body)
        else:
            self.wire.send(top)
            for piece in pieces:
                self.wire.send(piece)

    def _send_cut(self, response: Response, pieces: Iterable[bytes]) -> None:
        left = response.cut or 0
        for piece in pieces if left else ():
            self.wire.send(piece[:left])
            left -= len(piece)
            if left <= 0:
                break

    def _send_part(self, part: Part) -> None:
        if not isinstance(part.blob, FileBlob) or not part.blob.is_whole:
            for piece in read_part(part):
                self.wire.send(piece)
            return
        try:
            with open_regular(part.blob.path, follow_links=False) as file:
                self.wire.send_file(file, part.offset, part.length)
        except OcmPkgError as error:
            raise HangUp from error

    def _hang_up(self, response: Response) -> None:
        if response.reset:
            self.wire.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        raise HangUp


def read_part(part: Part) -> Iterator[bytes]:
    """Give the bytes of a part; ends the connection if the content is not what it should be."""
    left = part.length
    view = memoryview(bytearray(min(BUFFER, left)))
    try:
        with part.open() as stream:
            while left:
                count = stream.readinto(view[:left])  # type: ignore[attr-defined]
                if not count:
                    raise HangUp
                yield bytes(view[:count])
                left -= count
    except OcmPkgError as error:
        raise HangUp from error


def _framed(response: Response) -> tuple[Iterable[bytes], list[str]]:
    """Return the pieces of the body, and all headers, with those that say where the body ends."""
    headers = []
    for name, value in response.headers.items():
        values = (value,) if isinstance(value, str) else value
        headers += [f"{name}: {_CONTROL.sub(' ', each)}" for each in values]
    sized = bool(response.header("Content-Length"))
    body = response.body
    if isinstance(body, Part):
        pieces: Iterable[bytes] = read_part(body)
        length: int | None = body.length
    elif isinstance(body, bytes):
        pieces, length = [body], len(body)
    else:
        pieces, length = body, None
    if not sized and length is not None and response.status not in {204, 304}:
        headers.append(f"Content-Length: {length}")
    elif not sized and length is None:
        headers.append("Transfer-Encoding: chunked")
        pieces = _chunks(pieces)
    return pieces, headers


def _chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        if piece:
            yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def _head(status: int, headers: list[str]) -> bytes:
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "Unknown"
    date = f"Date: {formatdate(time.time(), usegmt=True)}"
    lines = [f"HTTP/1.1 {status} {reason}", date, "X-Content-Type-Options: nosniff", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
