"""The digest of a resource: what a descriptor says of its content, and whether it is true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ocm_pkg.errors import DigestMismatchError, InvalidDocumentError, UnreachableContentError
from ocm_pkg.fs.blob import verify
from ocm_pkg.model.descriptor import DigestSpec
from ocm_pkg.model.digest import Digest, algorithm_of, new_hasher
from ocm_pkg.store.artifactset import manifest_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ocm_pkg.errors import OcmPkgError
    from ocm_pkg.model.access import AccessSpec
    from ocm_pkg.model.descriptor import ComponentDescriptor, Resource, Source
    from ocm_pkg.ports import Blob, Repository, ResourceRepository

GENERIC_BLOB = "genericBlobDigest/v1"
OCI_ARTIFACT = "ociArtifactDigest/v1"
NO_DIGEST = "NO-DIGEST"
EXCLUDED = "EXCLUDE-FROM-SIGNATURE"
_LAYERS = frozenset({"ociblob", "ociimagelayer"})
_OUTSIDE = frozenset(
    {
        *_LAYERS,
        *("helm", "wget", "github", "git", "s3", "s3bucket"),
        *("npm", "maven", "localociblob", "relativeociref"),
    }
)
"""Access types of the specification, without version, for content that is kept elsewhere."""


@runtime_checkable
class ArtifactRepository(Protocol):
    """A repository that stores OCI artifacts with their parts."""

    def artifact(
        self, descriptor: ComponentDescriptor, element: Resource | Source
    ) -> Digest | None:
        """Return the manifest digest of an element that is such an artifact, else None."""


@runtime_checkable
class ManifestDigests(Protocol):
    """Content kept elsewhere whose digest can be told without reading all of it."""

    def digest(self, resource: Resource) -> Digest:
        """Return the digest of the resource's manifest, which was read."""


def outside(access: AccessSpec, what: str) -> OcmPkgError:
    """Return the error for content that is not stored with its component version."""
    if access.is_oci_artifact or access.is_none or access.kind.lower() in _OUTSIDE:
        return UnreachableContentError(
            f"{what} is outside the repository: its access is {access.type[:60]!r}",
            hint="transfer it with its content first, or skip external content",
        )
    return InvalidDocumentError(
        f"{what} has an access of the unknown type {access.type[:60]!r}",
        hint="a newer version, or a plugin, may know this type",
    )


def digest_spec(digest: Digest) -> DigestSpec:
    """Return the digest of a blob as a descriptor writes it."""
    return DigestSpec(
        hash_algorithm=digest.ocm_algorithm,
        normalisation_algorithm=GENERIC_BLOB,
        value=digest.hex,
    )


def artifact_spec(digest: Digest) -> DigestSpec:
    """Return the digest of an OCI artifact's manifest as a descriptor writes it."""
    return DigestSpec(
        hash_algorithm=digest.ocm_algorithm,
        normalisation_algorithm=OCI_ARTIFACT,
        value=digest.hex,
    )


def is_excluded(spec: DigestSpec) -> bool:
    """Whether the content is left out of signatures on purpose, and has no digest."""
    return spec.hash_algorithm == NO_DIGEST or spec.normalisation_algorithm == EXCLUDED


def check_digest(spec: DigestSpec, got: Digest, what: str) -> None:
    """Raise ``DigestMismatchError`` if ``spec`` is a blob's digest of ``got``'s hash, and differs.

    A digest of another sort says nothing of these bytes.
    """
    if is_excluded(spec) or spec.normalisation_algorithm != GENERIC_BLOB:
        return
    if algorithm_of(spec.hash_algorithm) == got.algorithm:
        _compare(spec, got, what)


def _compare(spec: DigestSpec, got: Digest, what: str) -> None:
    if Digest(got.algorithm, spec.value) != got:
        raise DigestMismatchError(
            f"{what} is not what the descriptor says: expected {got.algorithm}:{spec.value}, "
            f"got {got}",
            hint="the content was changed after the descriptor was made",
        )


def blob_digest(blob: Blob, algorithm: str = "sha256") -> Digest:
    """Return the digest of all bytes of a blob, read once to the end and verified on the way."""
    known = blob.digest
    if known is not None and known.algorithm == algorithm:
        return verify(blob)[0]
    hasher = new_hasher(algorithm)
    verify(blob, hasher)
    return Digest(algorithm, hasher.hexdigest())


def digest_resource(
    repository: Repository,
    descriptor: ComponentDescriptor,
    resource: Resource,
    *,
    algorithm: str = "sha256",
    external: ResourceRepository | None = None,
) -> Resource:
    """Return the resource with the digest of its content, which is read to the end.

    A digest that is there already is checked, in its own algorithm, and kept:
    ``DigestMismatchError``. Without content (access ``none``), and with a digest that excludes the
    content, the resource comes back as it is. Content outside the repository is read through
    ``external``, an OCI artifact as far as its manifest; it is an ``UnreachableContentError`` where
    that can't be. A digest of an unknown sort is an ``InvalidDocumentError``.
    """
    spec = resource.digest
    if resource.access.is_none or (spec is not None and is_excluded(spec)):
        return resource
    what = f"{resource.name} of {descriptor.name}:{descriptor.version}"
    if not resource.access.is_local_blob:
        if external is None or not is_external(resource.access):
            raise outside(resource.access, what)
        return digest_external(external, resource, algorithm=algorithm)
    if spec is not None:
        algorithm = algorithm_of(spec.hash_algorithm)
    in_set = spec is not None and spec.normalisation_algorithm == OCI_ARTIFACT
    got, sort = _content_digest(repository, descriptor, resource, algorithm, in_set=in_set)
    if spec is None:
        return resource.model_copy(update={"digest": digest_spec(got)})
    if spec.normalisation_algorithm not in sort:
        raise _unknown_sort(spec, what, sort)
    _compare(spec, got, what)
    return resource


def is_external(access: AccessSpec) -> bool:
    """Whether the content is in an OCI registry, outside the component version's repository."""
    return access.is_oci_artifact or is_layer(access)


def is_layer(access: AccessSpec) -> bool:
    """Whether the content is one blob of a registry's repository."""
    return access.kind.lower() in _LAYERS


def digest_external(
    external: ResourceRepository, resource: Resource, *, algorithm: str = "sha256"
) -> Resource:
    """Return a resource whose content is in an OCI registry with its digest; its access stays.

    An OCI artifact is known by its manifest: ``ociArtifactDigest/v1``. A digest that is there is
    checked and kept: ``DigestMismatchError``. ``UnreachableContentError`` if nothing can be read.
    """
    spec = resource.digest
    if spec is not None and is_excluded(spec):
        return resource
    if resource.access.is_oci_artifact:
        return _with_manifest(external, resource)
    got = blob_digest(
        external.fetch(resource), algorithm_of(spec.hash_algorithm) if spec else algorithm
    )
    if spec is None:
        return resource.model_copy(update={"digest": digest_spec(got)})
    if spec.normalisation_algorithm != GENERIC_BLOB:
        raise _unknown_sort(spec, resource.name, frozenset({GENERIC_BLOB}))
    _compare(spec, got, resource.name)
    return resource


def _with_manifest(external: ResourceRepository, resource: Resource) -> Resource:
    spec = resource.digest
    if isinstance(external, ManifestDigests):
        got = external.digest(resource)
    else:
        got = manifest_of(external.fetch(resource), resource.name)
    if spec is None:
        return resource.model_copy(update={"digest": artifact_spec(got)})
    check_manifest(spec, got, resource.name)
    return resource


def check_manifest(spec: DigestSpec, got: Digest, what: str) -> None:
    """Raise ``DigestMismatchError`` if ``spec`` isn't the digest of the manifest ``got``.

    The tools write that digest with either of two normalisations; another one is an
    ``InvalidDocumentError``.
    """
    if spec.normalisation_algorithm not in {OCI_ARTIFACT, GENERIC_BLOB}:
        raise _unknown_sort(spec, what, frozenset({OCI_ARTIFACT, GENERIC_BLOB}))
    if algorithm_of(spec.hash_algorithm) != got.algorithm:
        raise DigestMismatchError(
            f"{what} has a {spec.hash_algorithm} digest, but its manifest is {got}",
            hint="the content was exchanged, or the digest is not that of its manifest",
        )
    _compare(spec, got, what)


def _unknown_sort(spec: DigestSpec, what: str, known: frozenset[str]) -> InvalidDocumentError:
    return InvalidDocumentError(
        f"the digest of {what} is a {spec.normalisation_algorithm[:60]!r}, which can't be "
        "checked for this content",
        hint=f"known for it: {', '.join(sorted(known))}",
    )


def _content_digest(
    repository: Repository,
    descriptor: ComponentDescriptor,
    resource: Resource,
    algorithm: str,
    *,
    in_set: bool,
) -> tuple[Digest, frozenset[str]]:
    """Return the digest of the content, and which sorts of digests it can be compared with.

    ``in_set``: a blob is an artifact set, and the digest that of the manifest in there.
    """
    artifact = (
        repository.artifact(descriptor, resource)
        if isinstance(repository, ArtifactRepository)
        else None
    )
    blob = repository.blob(descriptor, resource)
    if artifact is None and in_set:
        return manifest_of(blob, resource.name), frozenset({OCI_ARTIFACT})
    if artifact is None:
        return blob_digest(blob, algorithm), frozenset({GENERIC_BLOB})
    verify(blob)
    return artifact, frozenset({GENERIC_BLOB, OCI_ARTIFACT})


class Hashed:
    """A place to write to that keeps nothing but digests."""

    def __init__(self, algorithms: Iterable[str]) -> None:
        self._hashers = {name: new_hasher(name) for name in algorithms}

    def write(self, data: memoryview) -> int:
        """Take bytes."""
        for hasher in self._hashers.values():
            hasher.update(data)
        return len(data)

    def digests(self) -> dict[str, Digest]:
        """Return the digest of all that was written, by its algorithm."""
        return {name: Digest(name, one.hexdigest()) for name, one in self._hashers.items()}
