"""Blobs over the distribution API: reading, also ranges; uploads in one piece or many; mounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ocm_pkg.errors import NotFoundError
from ocm_pkg.model.digest import Digest
from ocm_pkg.store import media
from ocm_pkg.store.serving import ranges, routes
from ocm_pkg.store.serving.message import CONTENT_DIGEST, Part, RefusedError, Response

if TYPE_CHECKING:
    from ocm_pkg.store.base import Deletes, Mounts, OCIStore
    from ocm_pkg.store.serving.message import Request
    from ocm_pkg.store.serving.routes import Route
    from ocm_pkg.store.serving.uploads import Session, Uploads

_FOR_EVER = {"Cache-Control": "max-age=31536000", "Accept-Ranges": "bytes"}


class Blobs:
    """Answers all that concerns blobs."""

    def __init__(self, store: OCIStore, uploads: Uploads) -> None:
        self._store = store
        self._uploads = uploads

    def answer(self, route: Route, request: Request) -> Response:
        """Answer a request that a route of blobs, uploads or a session has."""
        if route.kind == "uploads":
            return self._begin(route.name, request)
        if route.kind == "session":
            return self._in_session(route, request)
        if request.method == "DELETE":
            return self._delete(route)
        return self._read(route, request)

    def _read(self, route: Route, request: Request) -> Response:
        digest = Digest.parse(route.reference)
        found = self._store.exists(route.name, digest)
        if found is None:
            raise RefusedError(404, "BLOB_UNKNOWN", "the repository has no such blob")
        headers = {
            "Content-Type": media.OCTET_STREAM,
            CONTENT_DIGEST: str(digest),
            "ETag": f'"{digest}"',
            **_FOR_EVER,
        }
        if f'"{digest}"' in request.headers.get("if-none-match", ""):
            return Response(304, headers)
        try:
            blob = self._store.fetch(route.name, found)
        except NotFoundError as error:
            raise RefusedError(404, "BLOB_UNKNOWN", "the repository has no such blob") from error
        try:
            part = ranges.wanted(_range(request, digest), found.size)
        except ValueError as error:
            outside = {"Content-Range": f"bytes */{found.size}"}
            raise RefusedError(
                416, "RANGE_INVALID", "the blob has no such bytes", outside
            ) from error
        if part is None:
            return Response(200, headers, Part(blob, 0, found.size))
        offset, length = part
        headers["Content-Range"] = f"bytes {offset}-{offset + length - 1}/{found.size}"
        return Response(206, headers, Part(blob, offset, length))

    def _delete(self, route: Route) -> Response:
        if not hasattr(self._store, "delete"):
            raise RefusedError(405, "UNSUPPORTED", "the store does not delete")
        digest = Digest.parse(route.reference)
        if self._store.exists(route.name, digest) is None:
            raise RefusedError(404, "BLOB_UNKNOWN", "the repository has no such blob")
        if self._store.resolve(route.name, str(digest)) is not None or not cast(
            "Deletes", self._store
        ).delete(route.name, digest):
            raise RefusedError(405, "UNSUPPORTED", "the store keeps its blobs")
        return Response(202)

    def _begin(self, name: str, request: Request) -> Response:
        wanted = routes.parameters(request.query)
        if "mount" in wanted:
            digest = routes.digest(wanted["mount"])
            if self._mounted(name, digest, wanted.get("from")):
                return _created(name, digest)
        session = self._uploads.begin(name)
        if "digest" not in wanted:
            return _accepted(session)
        try:
            digest = routes.digest(wanted["digest"])
            with session.lock:
                session.append(request.body)
                return self._commit(session, digest)
        finally:
            self._uploads.end(session)

    def _mounted(self, name: str, digest: Digest, origin: str | None) -> bool:
        if origin is None:
            return self._store.exists(name, digest) is not None
        routes.checked_name(origin)
        if not hasattr(self._store, "mount"):
            return False
        return cast("Mounts", self._store).mount(name, digest, self._store, origin)

    def _in_session(self, route: Route, request: Request) -> Response:
        if request.method in {"GET", "HEAD"}:
            return _accepted(self._uploads.find(route.reference, route.name), 204)
        with self._uploads.using(route.reference, route.name) as session:
            if request.method == "DELETE":
                self._uploads.end(session)
                return Response(204)
            if request.method == "PATCH":
                _check_chunk(session, request)
                session.append(request.body)
                return _accepted(session)
            return self._finish(session, request)

    def _finish(self, session: Session, request: Request) -> Response:
        digest = routes.digest(routes.parameters(request.query).get("digest", ""))
        _check_chunk(session, request)
        session.append(request.body)
        try:
            return self._commit(session, digest)
        finally:
            self._uploads.end(session)

    def _commit(self, session: Session, digest: Digest) -> Response:
        content = session.content(digest)
        if content is None:
            raise RefusedError(400, "DIGEST_INVALID", "the content has another digest")
        self._store.push(session.repository, content, media.OCTET_STREAM)
        return _created(session.repository, digest)


def _range(request: Request, digest: Digest) -> str | None:
    condition = request.headers.get("if-range")
    if condition is not None and condition != f'"{digest}"':
        return None
    return request.headers.get("range")


def _check_chunk(session: Session, request: Request) -> None:
    """Refuse a chunk that does not begin where the session's content ends."""
    header = request.headers.get("content-range")
    if header is None:
        return
    state = _accepted(session).headers
    headers = {name: str(state[name]) for name in ("Location", "Range")}
    try:
        offset, length = ranges.chunk(header)
    except ValueError as error:
        raise RefusedError(
            416, "BLOB_UPLOAD_INVALID", "Content-Range cannot be read", headers
        ) from error
    if offset != session.size:
        raise RefusedError(416, "BLOB_UPLOAD_INVALID", "the chunk is not the next one", headers)
    if request.body.length is not None and request.body.length != length:
        raise RefusedError(400, "SIZE_INVALID", "Content-Range and Content-Length differ")


def _accepted(session: Session, status: int = 202) -> Response:
    headers = {
        "Location": f"/v2/{session.repository}/blobs/uploads/{session.key}",
        "Range": ranges.received(session.size),
        "Docker-Upload-UUID": session.key,
    }
    return Response(status, headers)


def _created(name: str, digest: Digest) -> Response:
    return Response(201, {"Location": f"/v2/{name}/blobs/{digest}", CONTENT_DIGEST: str(digest)})
