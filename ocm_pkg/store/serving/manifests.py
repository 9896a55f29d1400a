"""Manifests over the distribution API: reading, writing with all checks, deleting, referrers."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from ocm_pkg._typing import override
from ocm_pkg.errors import InvalidDocumentError, NotFoundError
from ocm_pkg.fs.blob import BUFFER, BytesBlob, VerifyingReader, read_all
from ocm_pkg.model.digest import Digest, digest_of
from ocm_pkg.store import media
from ocm_pkg.store.manifest import Manifest
from ocm_pkg.store.serving import routes
from ocm_pkg.store.serving.children import Children
from ocm_pkg.store.serving.message import CONTENT_DIGEST, RefusedError, Response

if TYPE_CHECKING:
    from threading import Lock

    from ocm_pkg.store.base import Deletes, OCIDescriptor, OCIStore, Referrers
    from ocm_pkg.store.serving.message import Request
    from ocm_pkg.store.serving.routes import Route

_FOREIGN = ("foreign", "nondistributable")


class Listing(Protocol):
    """A store that can hold manifests which have no tag."""

    def keep(self, repository: str, descriptor: OCIDescriptor) -> None:
        """Make a manifest that was pushed one of the repository: it is found by its digest."""

    def untag(self, repository: str, tag: str) -> bool:
        """Take a tag away; false if it isn't there."""


class Manifests:
    """Answers all that concerns manifests; ``changing`` is held while tags change."""

    def __init__(self, store: OCIStore, changing: Lock, limit: int) -> None:
        self._store = store
        self._children = Children(store)
        self._changing = changing
        self._limit = limit

    def answer(self, route: Route, request: Request) -> Response:
        """Answer a request for one manifest."""
        if request.method == "PUT":
            return self._put(route, request)
        if request.method == "DELETE":
            return self._delete(route)
        return self._get(route, request)

    def _find(self, route: Route) -> OCIDescriptor:
        found = self._resolve(route.name, route.reference)
        if found is None:
            raise RefusedError(404, "MANIFEST_UNKNOWN", "the repository has no such manifest")
        return found

    def _resolve(self, name: str, reference: str) -> OCIDescriptor | None:
        try:
            found = self._store.resolve(name, reference)
        except NotFoundError:
            return None
        if found is None and ":" in reference:
            return self._children.find(name, Digest.parse(reference))
        return found

    def _get(self, route: Route, request: Request) -> Response:
        found = self._find(route)
        headers = {
            "Content-Type": found.media_type,
            CONTENT_DIGEST: str(found.digest),
            "ETag": f'"{found.digest}"',
        }
        if f'"{found.digest}"' in request.headers.get("if-none-match", ""):
            return Response(304, headers)
        if found.size > self._limit:
            raise RefusedError(500, "UNKNOWN", "the manifest is larger than any may be")
        data = read_all(self._store.fetch(route.name, found), self._limit, "the manifest")
        return Response(200, headers, data)

    def _put(self, route: Route, request: Request) -> Response:
        data = self._body(request)
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        if not kind:
            raise RefusedError(400, "MANIFEST_INVALID", "a Content-Type is needed")
        try:
            manifest = Manifest.parse(data, kind, "the manifest")
        except InvalidDocumentError as error:
            raise RefusedError(400, "MANIFEST_INVALID", error.message) from error
        digest = _digest_for(route, data)
        self._check_references(route.name, manifest)
        with self._changing:
            pushed = self._store.push(route.name, _Verified(data, digest), manifest.media_type)
            self._list(route, pushed)
        headers = {
            "Location": f"/v2/{route.name}/manifests/{route.reference}",
            CONTENT_DIGEST: str(pushed.digest),
        }
        if manifest.subject is not None:
            headers["OCI-Subject"] = str(manifest.subject.digest)
        return Response(201, headers)

    def _list(self, route: Route, pushed: OCIDescriptor) -> None:
        if ":" not in route.reference:
            self._store.tag(route.name, pushed, route.reference)
        elif hasattr(self._store, "keep"):
            cast("Listing", self._store).keep(route.name, pushed)

    def _body(self, request: Request) -> bytes:
        length = request.body.length
        out = bytearray()
        view = memoryview(bytearray(min(BUFFER, self._limit + 1)))
        while length is None or length <= self._limit:
            count = request.body.readinto(view)
            out += view[:count]
            if count == 0:
                return bytes(out)
            if len(out) > self._limit:
                break
        raise RefusedError(413, "MANIFEST_INVALID", f"a manifest has at most {self._limit} bytes")

    def _check_references(self, name: str, manifest: Manifest) -> None:
        """Refuse a manifest of which a part is missing, or of another size than it says."""
        for part in manifest.blobs:
            if any(word in part.media_type for word in _FOREIGN):
                continue
            self._check_part(part, self._store.exists(name, part.digest))
        for part in manifest.manifests:
            self._check_part(part, self._resolve(name, str(part.digest)))

    @staticmethod
    def _check_part(part: OCIDescriptor, found: OCIDescriptor | None) -> None:
        if found is None:
            raise RefusedError(
                400, "MANIFEST_BLOB_UNKNOWN", f"the repository does not have {part.digest}"
            )
        if found.size != part.size:
            raise RefusedError(
                400, "MANIFEST_INVALID", f"{part.digest} has {found.size} bytes, not {part.size}"
            )

    def _delete(self, route: Route) -> Response:
        self._find(route)
        if not hasattr(self._store, "delete") or not hasattr(self._store, "untag"):
            raise RefusedError(405, "UNSUPPORTED", "the store does not delete")
        with self._changing:
            if ":" not in route.reference:
                done = cast("Listing", self._store).untag(route.name, route.reference)
            else:
                digest = Digest.parse(route.reference)
                self._check_unused(route.name, digest)
                done = cast("Deletes", self._store).delete(route.name, digest)
        if not done:
            raise RefusedError(404, "MANIFEST_UNKNOWN", "the repository has no such manifest")
        return Response(202)

    def _check_unused(self, name: str, digest: Digest) -> None:
        if self._children.find(name, digest) is not None:
            raise RefusedError(405, "UNSUPPORTED", "an index that has a tag is made of it")

    def referrers(self, route: Route, request: Request) -> Response:
        """Answer which manifests have a digest as their subject."""
        if not hasattr(self._store, "referrers"):
            raise RefusedError(404, "UNSUPPORTED", "the store does not know referrers")
        kind = routes.parameters(request.query).get("artifactType")
        digest = Digest.parse(route.reference)
        found = cast("Referrers", self._store).referrers(route.name, digest, kind or None)
        value = {
            "schemaVersion": 2,
            "mediaType": media.OCI_INDEX,
            "manifests": [each.to_json() for each in found],
        }
        headers = {"OCI-Filters-Applied": "artifactType"} if kind else {}
        return Response.json(200, value, {**headers, "Content-Type": media.OCI_INDEX})


def _digest_for(route: Route, data: bytes) -> Digest:
    """Return the digest that a manifest is stored under, which may be in the path."""
    if ":" not in route.reference:
        return digest_of(data)
    wanted = Digest.parse(route.reference)
    if digest_of(data, wanted.algorithm) != wanted:
        raise RefusedError(400, "DIGEST_INVALID", "the manifest has another digest")
    return wanted


class _Verified(BytesBlob):
    """Bytes with a digest that may be of another algorithm than the usual one."""

    def __init__(self, data: bytes, digest: Digest) -> None:
        super().__init__(data)
        self._own = digest

    @property
    @override
    def digest(self) -> Digest:
        return self._own

    @override
    def open(self, offset: int = 0) -> BinaryIO:
        stream = super().open(offset)
        if offset:
            return stream
        reader = VerifyingReader(stream, self._own, self.size, "the manifest")
        return cast("BinaryIO", reader)
