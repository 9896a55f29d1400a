"""Upload of one blob: a session of the registry, resumed when a connection is lost.

Content whose digest is known goes in one PUT, other content in one PATCH, and in chunks where the
registry asks for it or after a loss. Before anything is sent again, the registry is asked whether
it has the blob after all, and then how much of it; a session that it has forgotten is started
again, once.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from ocm_pkg.errors import AuthenticationError, OcmPkgError, RegistryError, StoreError, escaped
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store.exchange import Body, ExchangeError
from ocm_pkg.store.remote import PUSH
from ocm_pkg.store.retry import RETRIED, TOO_MANY

if TYPE_CHECKING:
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.store.content import Content, WholeContent
    from ocm_pkg.store.exchange import Response
    from ocm_pkg.store.remote import Remote
    from ocm_pkg.store.retry import Patience

CHUNK = 64 * 1024 * 1024
"""Bytes of a chunk, where chunks are sent; a registry may ask for larger ones."""

_RANGE = re.compile(r"(?:bytes[= ])?0-([0-9]{1,19})")
_MISPLACED = frozenset({404, 416})
_NOTHING = Body.of(b"")
_STREAM = "application/octet-stream"
_MAX_STALLS = 2


@dataclass(frozen=True, slots=True)
class Session:
    """An upload that a registry has begun: where it goes on, and the least size of a chunk."""

    location: str
    chunk: int | None = None

    @classmethod
    def of(cls, remote: Remote, response: Response) -> Session:
        """Return what the answer to a POST says; ``RegistryError`` if it has no good location."""
        least = response.headers.get("OCI-Chunk-Min-Length") or ""
        known = least.isascii() and least.isdigit() and len(least) < 20
        return cls(remote.client.location(response), int(least) if known else None)


class Upload:
    """Stores ``content`` in ``remote``; ``session`` is one that a mount has begun.

    ``chunk`` is the size of chunks where they are needed.
    """

    def __init__(
        self,
        remote: Remote,
        content: Content | WholeContent,
        *,
        session: Session | None = None,
        chunk: int = CHUNK,
    ) -> None:
        self._remote = remote
        self._content = content
        self._session = session
        self._chunk = chunk
        self._offset = 0
        self._was_misplaced = False
        self._was_restarted = False
        self._is_sending = False
        self._is_unsure = False

    def run(self) -> None:
        """Send it; when this returns, the registry has the blob.

        Raises ``DigestMismatchError`` if the content isn't what it promises, ``RegistryError`` with
        the registry's own words, ``TransportError`` if it can't be reached.
        """
        patience = self._remote.client.patience()
        try:
            while not self._is_done(patience):
                self._is_sending = False
        except OcmPkgError as error:
            if not isinstance(error, StoreError):
                self._cancel()
            raise
        patience.succeeded()

    def _is_done(self, patience: Patience) -> bool:
        """Make a try; return false if another one is to be made."""
        try:
            if self._is_unsure:
                if self._is_committed():
                    return True
                self._look()
            session = self._session or self._begin()
            if session is not None:
                self._send(session)
        except (ExchangeError, RegistryError) as error:
            self._recover(error, patience)
            return False
        return True

    def _recover(self, error: ExchangeError | RegistryError, patience: Patience) -> None:
        """Prepare another try, or raise ``error`` again if there is no use in it."""
        if not self._is_sending:
            raise error
        self._is_unsure = True
        if isinstance(error, RegistryError) and error.status in _MISPLACED:
            if self._was_restarted:
                raise error
            gone = error.status == 404 or self._was_misplaced
            self._was_misplaced = True
            if gone:
                self._forget()
            return
        lost = isinstance(error, ExchangeError) and error.lost
        broken = isinstance(error, RegistryError) and error.status in RETRIED - {TOO_MANY}
        seconds = patience.wait() if lost or broken else None
        if seconds is None:
            raise error
        self._remote.client.pause(seconds)

    def _is_committed(self) -> bool:
        """Whether the registry has the blob: the answer that said so may have been lost."""
        digest = self._content.digest
        if digest is None:
            return False
        url = self._remote.url("blobs", digest)
        response = self._remote.call("HEAD", url, expect={200, 404}, actions=PUSH)
        response.close()
        return response.status == 200

    def _look(self) -> None:
        """Ask how much of the content the session has; forget one that can't go on."""
        self._is_unsure = False
        session = self._session
        if session is None:
            return
        try:
            answer = self._remote.call("GET", session.location, expect={200, 204}, actions=PUSH)
        except (RegistryError, AuthenticationError) as error:
            if isinstance(error, RegistryError) and error.status >= 500:
                raise
            # Not all registries tell; some don't let it be asked.
            self._forget()
            return
        answer.close()
        kept = _kept(answer)
        # "0-0" is said of one byte, and of none.
        if kept is None or not 1 < kept <= self._content.size:
            self._forget()
            return
        self._offset = kept
        self._move_on(session, answer)

    def _forget(self) -> None:
        self._session, self._offset = None, 0
        self._was_restarted = self._was_restarted or self._was_misplaced

    def _begin(self) -> Session | None:
        """Return a new session; None if the registry has the blob at once."""
        url = self._remote.url("blobs", "uploads/")
        try:
            answer = self._remote.call("POST", url, expect={201, 202}, actions=PUSH, body=_NOTHING)
        except RegistryError as error:
            raise _with_hint(error, 405, "it may be read-only: ask who runs it") from error
        answer.close()
        if answer.status == 202:
            self._session = Session.of(self._remote, answer)
            return self._session
        if self._is_committed():
            return None
        raise self._remote.error("that the upload is complete before it has begun", status=201)

    def _move_on(self, session: Session, answer: Response) -> Session:
        if answer.headers.get("Location"):
            session = replace(session, location=self._remote.client.location(answer))
        self._session = session
        return session

    def _send(self, session: Session) -> None:
        self._is_sending = True
        content = self._content
        step = content.size
        if session.chunk is not None:
            step = max(session.chunk, self._chunk)
        if content.digest is not None and self._offset == 0 and content.size <= step:
            self._finish(session, content.digest, content.part(0, content.size))
            return
        session = self._send_chunks(session, step)
        self._finish(session, content.digest or digest_of(b""), _NOTHING)

    def _send_chunks(self, session: Session, step: int) -> Session:
        size, stalls = self._content.size, 0
        while self._offset < size:
            start, length = self._offset, min(step, size - self._offset)
            headers = {"Content-Type": _STREAM}
            if length < size:
                headers["Content-Range"] = f"{start}-{start + length - 1}"
            answer = self._remote.call(
                "PATCH",
                session.location,
                expect={202},
                actions=PUSH,
                headers=headers,
                body=self._content.part(start, length),
                idempotent=False,
            )
            answer.close()
            session = self._move_on(session, answer)
            self._offset = self._stored(answer, start, start + length)
            stalls = stalls + 1 if self._offset == start else 0
            if stalls > _MAX_STALLS:
                raise self._remote.error("again and again that it keeps nothing of a blob")
        return session

    def _stored(self, answer: Response, start: int, end: int) -> int:
        """Return how much the registry has after a chunk: maybe less than what was sent."""
        kept = _kept(answer)
        if kept is None or (kept == 1 and end == 1):
            return end
        if kept == 1 and start == 0:
            return 0
        if not start <= kept <= end:
            raise self._remote.error(
                f"that it has {kept} bytes of a blob, of which {start} to {end} can be there",
                status=416,
            )
        return kept

    def _finish(self, session: Session, digest: Digest, body: Body) -> None:
        mark = "&" if "?" in session.location else "?"
        try:
            answer = self._remote.call(
                "PUT",
                f"{session.location}{mark}digest={quote(str(digest), safe='')}",
                expect={201},
                actions=PUSH,
                headers={"Content-Type": _STREAM},
                body=body,
                idempotent=False,
            )
        except RegistryError as error:
            if digest.algorithm == "sha256":
                raise
            hint = f"many registries take sha256 digests only, and no {digest.algorithm}"
            raise _with_hint(error, 400, hint) from error
        answer.close()
        stored = answer.headers.get("Docker-Content-Digest") or str(digest)
        if stored.startswith(f"{digest.algorithm}:") and stored != str(digest):
            raise self._remote.error(f"that it stored {digest} as {escaped(stored, 100)}")

    def _cancel(self) -> None:
        """Let the registry throw away what it got of content that turned out to be wrong."""
        session = self._session
        if session is not None:
            with contextlib.suppress(StoreError):
                url = session.location
                self._remote.call("DELETE", url, expect={200, 202, 204}, actions=PUSH).close()


def _kept(answer: Response) -> int | None:
    """Return how many bytes a session has; None if the answer doesn't say it."""
    match = _RANGE.fullmatch((answer.headers.get("Range") or "").strip())
    return int(match[1]) + 1 if match else None


def _with_hint(error: RegistryError, status: int, hint: str) -> RegistryError:
    if error.status != status or error.hint:
        return error
    return RegistryError(
        error.message, status=error.status, registry_code=error.registry_code, hint=hint
    )
