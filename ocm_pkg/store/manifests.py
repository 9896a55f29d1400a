"""Manifests and indexes of a registry: fetched, checked, stored, and read back where needed."""

from __future__ import annotations

import io
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO

from ocm_pkg.errors import (
    DigestMismatchError,
    InvalidDocumentError,
    RegistryError,
    escaped,
)
from ocm_pkg.model.digest import Digest, digest_of
from ocm_pkg.store import media
from ocm_pkg.store.base import Described, OCIDescriptor
from ocm_pkg.store.exchange import Body
from ocm_pkg.store.known import Known
from ocm_pkg.store.manifest import Manifest as Document
from ocm_pkg.store.remote import MAX_DOCUMENT, PULL, PUSH, missing, read_document

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocm_pkg.store.exchange import Response
    from ocm_pkg.store.remote import Remote

ACCEPTED = ", ".join(sorted(media.MANIFESTS))
DIGEST_HEADER = "Docker-Content-Digest"

_VAGUE = frozenset({"", "application/json", "application/octet-stream", "text/plain"})
_OLD = "application/vnd.docker.distribution.manifest.v1"
_MAX_KEPT = 64
_MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or index: the very bytes, and what they are."""

    descriptor: OCIDescriptor
    data: bytes


class Manifests:
    """The manifests of a registry; some that were read or stored last are kept in memory."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[tuple[str, Digest], Manifest] = OrderedDict()
        self._size = 0
        self._seen = Known[bool](clock)

    def by_tag(
        self, remote: Remote, tag: str, *, actions: tuple[str, ...] = PULL
    ) -> Manifest | None:
        """Return what a tag stands for now, or None."""
        found = _get(remote, tag, actions, None)
        if found is not None:
            self._keep(remote, found)
        return found

    def by_digest(
        self,
        remote: Remote,
        digest: Digest,
        *,
        actions: tuple[str, ...] = PULL,
        is_there: bool = False,
    ) -> Manifest | None:
        """Return a manifest, or None; ``DigestMismatchError`` if the registry has other bytes.

        With ``is_there`` it must have been there a moment ago, and not just once.
        """
        with self._lock:
            kept = self._kept.get((remote.name, digest))
        if kept is not None and (not is_there or self._seen.get(remote.name, digest)):
            return kept
        found = _get(remote, str(digest), actions, digest)
        if found is None:
            self.forget(remote, digest)
        else:
            self._keep(remote, found)
        return found

    def put(self, remote: Remote, manifest: Manifest, reference: str) -> Response:
        """Store a manifest under its digest or a tag; return the answer, which is closed.

        ``DigestMismatchError`` if the registry has other bytes afterwards.
        """
        descriptor = manifest.descriptor
        response = remote.call(
            "PUT",
            remote.url("manifests", reference),
            expect={201},
            actions=PUSH,
            headers={"Content-Type": descriptor.media_type},
            body=Body.of(manifest.data),
        )
        response.close()
        if response.headers.get(DIGEST_HEADER) != str(descriptor.digest):
            stored = _get(remote, reference, PUSH, None)
            if stored is None or stored.data != manifest.data:
                raise DigestMismatchError(
                    f"{remote.client.origin} has something else as {remote.name} {reference} than "
                    f"the {descriptor.digest} that was stored",
                    hint="a registry that rewrites manifests can't hold component versions",
                )
        self._keep(remote, manifest)
        return response

    def forget(self, remote: Remote, digest: Digest) -> None:
        """Forget a manifest that is no more."""
        self._seen.pop(remote.name, digest)
        with self._lock:
            gone = self._kept.pop((remote.name, digest), None)
            self._size -= len(gone.data) if gone else 0

    def _keep(self, remote: Remote, manifest: Manifest) -> None:
        key = (remote.name, manifest.descriptor.digest)
        self._seen.put(*key, value=True)
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = manifest
            self._size += len(manifest.data)
            while len(self._kept) > _MAX_KEPT or self._size > _MAX_BYTES:
                _key, oldest = self._kept.popitem(last=False)
                self._size -= len(oldest.data)


def _get(
    remote: Remote, reference: str, actions: tuple[str, ...], wanted: Digest | None
) -> Manifest | None:
    response = remote.call(
        "GET",
        remote.url("manifests", reference),
        expect={200, 404},
        actions=actions,
        headers={"Accept": ACCEPTED},
    )
    if response.status == 404:
        response.close()
        return None
    what = f"{remote.name} {reference}"
    stated, claimed = response.media_type, response.headers.get(DIGEST_HEADER)
    hint = response.page_hint
    data = read_document(response, what)
    if hint is not None:
        raise remote.error(f"{reference} with a web page", status=200, hint=hint)
    digest = _digest(data, wanted, claimed, what)
    media_type = checked_type(data, stated, what)
    return Manifest(OCIDescriptor(media_type, digest, len(data)), data)


def _digest(data: bytes, wanted: Digest | None, claimed: str | None, what: str) -> Digest:
    """Return the digest of what came, which must be the one wanted, and the one claimed."""
    try:
        named = Digest.parse(claimed) if claimed else None
    except InvalidDocumentError as error:
        raise RegistryError(f"the registry gives {what} a digest that is none: {error}") from error
    for expected in (wanted, named):
        if expected is None:
            continue
        got = digest_of(data, expected.algorithm)
        if got != expected:
            raise DigestMismatchError(
                f"{what} is not what was promised: expected {expected}, got {got}",
                hint="the content was changed or cut; fetch it again from where it was published",
            )
    return wanted or named or digest_of(data)


def checked_type(data: bytes, stated: str, what: str) -> str:
    """Return the media type of a manifest, on which its header, its body and its form agree.

    Raises ``InvalidDocumentError`` if they don't: two readers would see two different things.
    """
    if stated.startswith(_OLD):
        raise InvalidDocumentError(
            f"{what} is a manifest of the old schema 1", hint="ask its provider to push it again"
        )
    return Document.parse(data, None if stated in _VAGUE else stated, what).media_type


class ManifestBlob(Described):
    """A manifest as content: read when it is opened, and verified."""

    def __init__(self, manifests: Manifests, remote: Remote, descriptor: OCIDescriptor) -> None:
        if descriptor.size > MAX_DOCUMENT:
            raise InvalidDocumentError(
                f"the manifest {descriptor.digest} of {remote.name} has {descriptor.size} bytes, "
                f"more than the {MAX_DOCUMENT} that are allowed"
            )
        super().__init__(descriptor)
        self._manifests = manifests
        self._remote = remote

    def open(self, offset: int = 0) -> BinaryIO:
        """Return a new stream from ``offset``; ``NotFoundError`` if it isn't there."""
        remote, wanted = self._remote, self._descriptor
        found = self._manifests.by_digest(remote, wanted.digest)
        if found is None:
            raise missing(remote, wanted.digest)
        if found.descriptor.size != wanted.size:
            raise DigestMismatchError(
                f"{wanted.digest} of {remote.name} has {found.descriptor.size} bytes, expected "
                f"{wanted.size}",
                hint="what refers to it is wrong: ask its provider to publish it again",
            )
        if found.descriptor.media_type != wanted.media_type:
            raise InvalidDocumentError(
                f"{wanted.digest} of {remote.name} is {found.descriptor.media_type!r}, and not the "
                f"{escaped(wanted.media_type, 80)!r} that it is said to be"
            )
        stream = io.BytesIO(found.data)
        stream.seek(offset)
        return stream
