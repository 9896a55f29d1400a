"""Blobs of a registry as streams that outlive lost connections, verified as they are read."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, BinaryIO, cast

from ocm_pkg._typing import override
from ocm_pkg.errors import DigestMismatchError
from ocm_pkg.fs.blob import BUFFER, VerifyingReader
from ocm_pkg.store.base import Described
from ocm_pkg.store.exchange import ExchangeError
from ocm_pkg.store.readahead import ReadAhead
from ocm_pkg.store.remote import missing

if TYPE_CHECKING:
    from ocm_pkg.fs.blob import Buffer
    from ocm_pkg.store.base import OCIDescriptor
    from ocm_pkg.store.exchange import Response
    from ocm_pkg.store.remote import Remote

TRIES = 3
"""How often a blob is asked for before a connection that breaks again is given up."""

LARGE = 4 * BUFFER
"""From this size on, receiving goes on in a thread of its own while content is hashed."""

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/(?:([0-9]{1,19})|\*)")


class RemoteBlob(Described):
    """A blob of a registry: it is asked for when it is opened.

    Each stream is a request of its own. It resumes where its connection was lost, at most three
    tries in all; then ``TransportError``. Opening one that isn't there is a ``NotFoundError``.
    """

    def __init__(self, remote: Remote, descriptor: OCIDescriptor) -> None:
        super().__init__(descriptor)
        self._remote = remote

    @property
    def remote(self) -> Remote:
        """The repository that it is in."""
        return self._remote

    def open(self, offset: int = 0) -> BinaryIO:
        """Return a new stream from ``offset``; verified if that is 0."""
        if offset >= self.size > 0:
            return io.BytesIO()
        stream = _Lasting(self._remote, self._descriptor, offset)
        stream.start()
        source = cast("BinaryIO", stream)
        if self.size - offset > LARGE:
            source = cast("BinaryIO", ReadAhead(source))
        if offset:
            return source
        what = f"{self.digest} of {self._remote.name}"
        return cast("BinaryIO", VerifyingReader(source, self.digest, self.size, what))


class _Lasting(io.RawIOBase):
    """The bytes of a blob from ``position`` on, of one answer after another."""

    def __init__(self, remote: Remote, descriptor: OCIDescriptor, position: int) -> None:
        super().__init__()
        self._remote = remote
        self._descriptor = descriptor
        self._position = position
        # One more shows that there is more than there should be; who starts later doesn't verify.
        self._end = descriptor.size + (position == 0)
        self._tries = 0
        self._ranges = True
        self._is_complete = False
        self._to_skip = 0
        self._response: Response | None = None

    def start(self) -> Response:
        """Ask for the blob from where this stream is."""
        self._tries += 1
        self._response = response = self._ask()
        return response

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Buffer, /) -> int:  # type: ignore[override]
        while not self._is_complete and self._position < self._end:
            response = self._response or self.start()
            try:
                self._skip(response)
                count = _readinto(response, memoryview(buffer)[: self._end - self._position])
            except ExchangeError as error:
                if not self._may_ask_again(error):
                    raise
            else:
                self._position += count
                return count
        return 0

    def _may_ask_again(self, error: ExchangeError) -> bool:
        """Give up the answer that broke; return whether there is a use in another one."""
        self._give_up()
        if self._position >= self._descriptor.size:
            # All bytes are here: only whether more would follow can't be told.
            self._is_complete = True
        return self._is_complete or (error.lost and self._tries < TRIES)

    def _ask(self) -> Response:
        """Return an answer that stands at the position, or that has all bytes to skip before it.

        One that is for another part is given up, and the whole blob asked for.
        """
        position, self._to_skip = self._position, 0
        if position and self._ranges:
            response = self._get(f"bytes={position}-")
            if response.status == 206 and self._goes_on(response):
                return response
            if response.status != 200:
                response.close()
                self._ranges = False
                response = self._get(None)
        else:
            response = self._get(None)
        self._check_whole(response)
        self._to_skip = position
        return response

    def _get(self, part: str | None) -> Response:
        remote, digest = self._remote, self._descriptor.digest
        headers = {"Accept": "*/*"} if part is None else {"Accept": "*/*", "Range": part}
        expect = {200, 404} if part is None else {200, 206, 404, 416}
        response = remote.call("GET", remote.url("blobs", digest), expect=expect, headers=headers)
        if response.status == 404:
            response.close()
            raise missing(remote, digest)
        return response

    def _goes_on(self, response: Response) -> bool:
        """Whether a partial answer is what is missing, all of it and nothing else."""
        match = _CONTENT_RANGE.fullmatch((response.headers.get("Content-Range") or "").strip())
        if match is None:
            return False
        first, last, whole = match.groups()
        size = self._descriptor.size
        return (int(first), int(last), int(whole or size)) == (self._position, size - 1, size)

    def _check_whole(self, response: Response) -> None:
        size, length = self._descriptor.size, response.length
        if length is None or length == size:
            return
        response.close()
        raise DigestMismatchError(
            f"{self._descriptor.digest} of {self._remote.name} has {length} bytes in "
            f"{self._remote.client.origin}, expected {size}",
            hint=response.page_hint or "it was changed or cut there, or on the way here",
        )

    def _skip(self, response: Response) -> None:
        if not self._to_skip:
            return
        view = memoryview(bytearray(min(self._to_skip, BUFFER)))
        while self._to_skip:
            count = _readinto(response, view[: self._to_skip])
            if not count:
                raise DigestMismatchError(
                    f"{self._descriptor.digest} of {self._remote.name} ended early when it was "
                    "asked for again",
                    hint="it was changed or cut where it is; try again",
                )
            self._to_skip -= count

    def _give_up(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.close()

    @override
    def close(self) -> None:
        self._tries = TRIES
        self._give_up()
        super().close()


def _readinto(response: Response, buffer: Buffer) -> int:
    return cast("int", response.stream().readinto(buffer) or 0)  # type: ignore[attr-defined]
