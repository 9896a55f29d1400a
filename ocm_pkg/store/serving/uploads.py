"""Upload sessions: blobs that come in pieces, each in a staged file until its digest is known."""

from __future__ import annotations

import contextlib
import os
from contextlib import ExitStack
from threading import Lock
from typing import TYPE_CHECKING

from ocm_pkg.fs.blob import BUFFER, FileBlob, verify
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.fs.staged import StagedBlob
from ocm_pkg.model.digest import Digest, new_hasher
from ocm_pkg.store import media
from ocm_pkg.store.serving.message import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from ocm_pkg.store.serving.message import Body

_BUSY_SECONDS = 5.0
"""How long a request waits for another one to leave its session."""


class Session:
    """One upload: what was received is in a file, and is hashed already."""

    def __init__(self, key: str, repository: str, path: Path, now: float) -> None:
        self.key = key
        self.repository = repository
        self.size = 0
        self.used = now
        self._path = path
        self._hasher = new_hasher()
        self.lock = Lock()

    def append(self, body: Body) -> None:
        """Add a body; if it breaks, what came before stays."""
        view = memoryview(bytearray(BUFFER))
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with storage_errors(f"writing {self._path}"):
            fd = os.open(self._path, flags, 0o600)
        try:
            while count := body.readinto(view):
                self._write(fd, view[:count])
        finally:
            os.close(fd)

    def _write(self, fd: int, piece: memoryview) -> None:
        # At its own place: what a failed write left behind the known end doesn't count.
        done = 0
        with storage_errors(f"writing {self._path}", self._path.parent):
            while done < len(piece):
                done += os.pwrite(fd, piece[done:], self.size + done)
        self._hasher.update(piece)
        self.size += len(piece)

    def content(self, digest: Digest) -> StagedBlob | None:
        """Return what was received if it has this digest, else None."""
        if not self._path.exists():
            self._path.touch(0o600)
        os.truncate(self._path, self.size)
        if digest.algorithm == "sha256":
            found = Digest("sha256", self._hasher.hexdigest())
        else:
            hasher = new_hasher(digest.algorithm)
            verify(FileBlob(self._path, follow_links=False), hasher)
            found = Digest(digest.algorithm, hasher.hexdigest())
        if found != digest:
            return None
        return StagedBlob(self._path, media.OCTET_STREAM, self.size, digest)

    def discard(self) -> None:
        """Remove the file; never raises."""
        with contextlib.suppress(OSError):
            self._path.unlink()


class Uploads:
    """All sessions; their folder is there from the first one until ``close``."""

    def __init__(
        self,
        staging: Callable[[], AbstractContextManager[Path]],
        *,
        limit: int,
        seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._staging = staging
        self._limit = limit
        self._seconds = seconds
        self._clock = clock
        self._lock = Lock()
        self._stack = ExitStack()
        self._folder: Path | None = None
        self._closed = False
        self._sessions: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def begin(self, repository: str) -> Session:
        """Return a new session; refused if there are too many."""
        with self._lock:
            self._forget_old()
            if self._closed:
                raise RefusedError(503, "UNAVAILABLE", "the registry is about to end")
            if len(self._sessions) >= self._limit:
                raise RefusedError(
                    429, "TOOMANYREQUESTS", "too many uploads are open", {"Retry-After": "5"}
                )
            if self._folder is None:
                self._folder = self._stack.enter_context(self._staging())
            key = os.urandom(16).hex()
            session = Session(key, repository, self._folder / key, self._clock())
            self._sessions[key] = session
            return session

    def _forget_old(self) -> None:
        oldest = self._clock() - self._seconds
        for session in list(self._sessions.values()):
            if session.used < oldest and session.lock.acquire(blocking=False):
                del self._sessions[session.key]
                session.discard()
                session.lock.release()

    def tidy(self) -> None:
        """Forget the sessions that nobody used for too long, and what they received."""
        with self._lock:
            self._forget_old()

    def find(self, key: str, repository: str) -> Session:
        """Return a session of a repository, or refuse."""
        with self._lock:
            self._forget_old()
            session = self._sessions.get(key)
            if session is None or session.repository != repository:
                raise RefusedError(404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload session")
            session.used = self._clock()
            return session

    @contextlib.contextmanager
    def using(self, key: str, repository: str) -> Iterator[Session]:
        """Give a session to one request alone."""
        session = self.find(key, repository)
        if not session.lock.acquire(timeout=_BUSY_SECONDS):
            raise RefusedError(409, "BLOB_UPLOAD_INVALID", "another request uses the session")
        try:
            self.find(key, repository)
            yield session
        finally:
            session.used = self._clock()
            session.lock.release()

    def end(self, session: Session) -> None:
        """Forget a session, and what is left of it."""
        with self._lock:
            self._sessions.pop(session.key, None)
        session.discard()

    def close(self) -> None:
        """Forget all sessions and remove the folder, for good."""
        with self._lock:
            self._closed = True
            for session in self._sessions.values():
                session.discard()
            self._sessions.clear()
            self._folder = None
            self._stack.close()
