"""OCI artifacts that resources refer to, and single blobs of registries: content kept elsewhere."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from ocm_pkg.errors import (
    DigestMismatchError,
    InvalidDocumentError,
    NotFoundError,
    TransportError,
    UnreachableContentError,
    escaped,
)
from ocm_pkg.fs.blob import read_all
from ocm_pkg.model.digest import Digest, algorithm_of
from ocm_pkg.store import media
from ocm_pkg.store.artifact import read_artifact
from ocm_pkg.store.artifactset import parts_in
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.digester import GENERIC_BLOB, OCI_ARTIFACT, is_excluded, is_layer, outside
from ocm_pkg.store.manifest import MAX_SIZE, Manifest
from ocm_pkg.store.pinned import pinned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ocm_pkg.model.access import AccessSpec
    from ocm_pkg.model.descriptor import Resource
    from ocm_pkg.ports import Blob
    from ocm_pkg.store.base import OCIStore

_DEFAULT_TAG = "latest"
_MAX_SIZE = 2**63 - 1


class _Place(NamedTuple):
    """A repository of a registry, and what is meant in it: by its digest where there is one."""

    store: OCIStore
    repository: str
    tag: str | None
    digest: Digest | None


class Images:
    """Reads and writes content by accesses ``ociArtifact`` and (reads only) ``ociBlob``.

    ``open_store`` returns the store at a registry's ``[SCHEME://]HOST[:PORT]``, and is told the
    repository in it that is meant. Implements ``ports.ResourceRepository``. An artifact is the tar
    of its OCI image layout. Content that isn't there, or that no connection leads to, is an
    ``UnreachableContentError``; an access of another sort is refused as ``store.digester.outside``
    does.
    """

    def __init__(self, open_store: Callable[[str, str], OCIStore]) -> None:
        self._open_store = open_store

    def fetch(self, resource: Resource) -> Blob:
        """Return the content, each part of it verified as it is read.

        A digest that the resource has is the one to fetch, whatever its tag stands for today; if
        only other content is there, that is a ``DigestMismatchError``.
        """
        with _reached(resource):
            if is_layer(resource.access):
                place, wanted = self._layer(resource)
                return place.store.fetch(place.repository, wanted)
            place, top = self._top(resource)
            return read_artifact(place.store, place.repository, top, _what(resource))

    def digest(self, resource: Resource) -> Digest:
        """Return the digest of the artifact's manifest, which was read; of a blob its own.

        Which manifest, and errors, as ``fetch``. Its parts are not looked at.
        """
        with _reached(resource):
            if is_layer(resource.access):
                return self._layer(resource)[1].digest
            place, top = self._top(resource)
            data = read_all(place.store.fetch(place.repository, top), MAX_SIZE, _what(resource))
            Manifest.parse(data, top.media_type, _what(resource))
            return top.digest

    def store(self, resource: Resource, blob: Blob) -> Resource:
        """Store the artifact of a layout under the resource's reference; return both pinned to it.

        Each part is verified as it is sent, before what refers to it; the tag comes last. Raises
        ``IntegrityError`` for a blob that is no whole artifact, ``DigestMismatchError`` for one
        that is not what the resource or its reference says.
        """
        what = _what(resource)
        if not resource.access.is_oci_artifact:
            raise InvalidDocumentError(
                f"content of {what} can't be stored by an access {resource.access.type[:60]!r}",
                hint="only OCI artifacts are stored by reference: type ociArtifact",
            )
        place = self._place(resource.access.image_reference)
        found = parts_in(blob, what)
        top = found.parts[0]
        if place.digest not in {None, top.digest}:
            raise _mismatch(resource, place.digest, top.digest)
        stored = pinned(resource, top.digest)
        for part in reversed(found.parts):
            place.store.push(place.repository, found.fetch(part), part.media_type)
        tag = place.tag or (_DEFAULT_TAG if place.digest is None else None)
        if tag is not None:
            place.store.tag(place.repository, top, tag)
        return stored

    def _place(self, reference: str) -> _Place:
        from ocm_pkg.store.registry import image_name

        name = image_name(reference)
        address = name.base_url
        if "://" not in reference:
            # What a missing scheme means is not for a reference to say.
            address = address.partition("://")[2]
        store = self._open_store(address, name.repository)
        return _Place(store, name.repository, name.tag, name.digest)

    def _top(self, resource: Resource) -> tuple[_Place, OCIDescriptor]:
        """Return the manifest or index that is meant."""
        access = resource.access
        if not access.is_oci_artifact:
            raise outside(access, _what(resource))
        place = self._place(access.image_reference)
        said = stated_artifact(resource)
        if said is not None and place.digest not in {None, said}:
            raise _mismatch(resource, said, place.digest)
        wanted = place.digest or said
        top = place.store.resolve(place.repository, str(wanted)) if wanted is not None else None
        if top is None and place.digest is None:
            top = place.store.resolve(place.repository, place.tag or _DEFAULT_TAG)
            if top is not None and wanted is not None:
                raise _mismatch(resource, wanted, top.digest)
        if top is None:
            raise NotFoundError(
                f"{escaped(access.image_reference, 200)} is not there",
                hint="check the reference; its provider may have removed it",
            )
        if wanted is not None and top.digest != wanted:
            raise _mismatch(resource, wanted, top.digest)
        if top.media_type not in media.MANIFESTS:
            raise InvalidDocumentError(
                f"{_what(resource)} is no OCI artifact, but {escaped(top.media_type, 80)!r}"
            )
        return place, top

    def _layer(self, resource: Resource) -> tuple[_Place, OCIDescriptor]:
        """Return the blob that is meant."""
        access, what = resource.access, _what(resource)
        place = self._place(_required(access, "ref", what))
        digest = Digest.parse(_required(access, "digest", what))
        spec = resource.digest
        if spec is not None and spec.normalisation_algorithm == GENERIC_BLOB:
            said = _digest(resource)
            if said is not None and said.algorithm == digest.algorithm and said != digest:
                raise _mismatch(resource, said, digest)
        size = (access.model_extra or {}).get("size")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 < size <= _MAX_SIZE:
            there = place.store.exists(place.repository, digest)
            if there is None:
                raise NotFoundError(f"it has no content {digest}")
            size = there.size
        return place, OCIDescriptor(access.media_type or media.OCTET_STREAM, digest, size)


def stated_artifact(resource: Resource) -> Digest | None:
    """Return the manifest digest that a resource by reference has in its descriptor, or None.

    The tools write the same digest with either of two normalisations; any other one is an
    ``InvalidDocumentError``.
    """
    spec = resource.digest
    if spec is None or is_excluded(spec):
        return None
    if spec.normalisation_algorithm not in {OCI_ARTIFACT, GENERIC_BLOB}:
        raise InvalidDocumentError(
            f"the digest of {_what(resource)} is a {spec.normalisation_algorithm[:60]!r}, which "
            "can't be checked for this content",
            hint=f"known for it: {OCI_ARTIFACT}, {GENERIC_BLOB}",
        )
    return _digest(resource)


def _digest(resource: Resource) -> Digest | None:
    spec = resource.digest
    if spec is None or is_excluded(spec) or not spec.value:
        return None
    return Digest(algorithm_of(spec.hash_algorithm), spec.value)


def _required(access: AccessSpec, member: str, what: str) -> str:
    value = access.text(member)
    if not value:
        raise InvalidDocumentError(
            f"the access of {what}, a {access.type[:60]!r}, has no {member}",
            hint=f"give {member} as text",
        )
    return value


def _what(resource: Resource) -> str:
    return f"{resource.name}:{resource.version}"


def _mismatch(resource: Resource, said: Digest | None, found: Digest | None) -> DigestMismatchError:
    where = resource.access.text("imageReference") or resource.access.text("ref") or ""
    return DigestMismatchError(
        f"{_what(resource)} is not what was promised: expected {said}, but "
        f"{escaped(where, 200)} is {found}",
        hint="it was changed after the descriptor was made: do not use it",
    )


@contextmanager
def _reached(resource: Resource) -> Iterator[None]:
    """Say of content that can't be reached which resource's it is."""
    try:
        yield
    except (NotFoundError, TransportError) as error:
        where = resource.access.text("imageReference") or resource.access.text("ref") or ""
        raise UnreachableContentError(
            f"{_what(resource)} is outside the repository, in {escaped(where, 200)}: "
            f"{error.message}",
            hint=error.hint,
        ) from error
