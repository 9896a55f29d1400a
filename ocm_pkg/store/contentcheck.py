"""Compare content with what signed descriptors say of it: every byte is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, cast

from ocm_pkg.errors import (
    DigestMismatchError,
    InvalidDocumentError,
    NotFoundError,
    OcmPkgError,
    StoreError,
    UnreachableContentError,
)
from ocm_pkg.fs.blob import copy_blob, verify
from ocm_pkg.fs.watched import Reading, watched
from ocm_pkg.model.digest import Digest, algorithm_of
from ocm_pkg.store.artifactset import manifest_of
from ocm_pkg.store.digester import (
    GENERIC_BLOB,
    OCI_ARTIFACT,
    ArtifactRepository,
    Hashed,
    ManifestDigests,
    is_excluded,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ocm_pkg.model.descriptor import ComponentDescriptor, DigestSpec, Resource
    from ocm_pkg.ports import Blob, Repository, ResourceRepository

OK, FAILED, SKIPPED = "ok", "failed", "skipped"

_CONTENT_DIGESTS = frozenset({GENERIC_BLOB, OCI_ARTIFACT})


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: ``result`` is ``ok``, ``failed`` or ``skipped``."""

    check: str
    result: str
    detail: str
    error: OcmPkgError | None = None

    @classmethod
    def failed(cls, label: str, error: OcmPkgError) -> Check:
        """Return a check that failed."""
        return cls(label, FAILED, error.message, error)


def digest_in(spec: DigestSpec, label: str) -> Digest:
    """Return the digest that a descriptor states; ``DigestMismatchError`` if it is none."""
    try:
        return Digest(algorithm_of(spec.hash_algorithm), spec.value)
    except InvalidDocumentError as error:
        raise DigestMismatchError(f"{label} has no valid digest: {error.message}") from error


def stated_digest(resource: Resource, label: str) -> Digest | None:
    """Return the digest that the content must have; None if it is excluded from the signature.

    Raises ``DigestMismatchError`` if nothing vouches for the content.
    """
    spec = resource.digest
    if resource.access.is_none or (spec and is_excluded(spec)):
        return None
    if spec is None or not spec.value:
        raise DigestMismatchError(
            f"{label} has no digest, so nothing vouches for its content",
            hint="sign the component version again: signing completes missing digests",
        )
    if spec.normalisation_algorithm not in _CONTENT_DIGESTS:
        shown = spec.normalisation_algorithm[:60]
        raise DigestMismatchError(f"{label} has a digest of an unknown sort, {shown!r}")
    return digest_in(spec, label)


@dataclass(frozen=True, slots=True)
class BlobCheck:
    """One blob to read, and the resources that say what it must be: label and digest of each."""

    repository: Repository
    descriptor: ComponentDescriptor
    resource: Resource
    expected: list[tuple[str, Digest | None, bool]] = field(default_factory=list)

    @property
    def reference(self) -> Digest:
        """The digest by which it is stored."""
        return self.resource.access.local_reference

    def expect(self, label: str, said: Digest | None, resource: Resource) -> None:
        """Compare the blob with what one more resource says."""
        spec = resource.digest
        in_set = spec is not None and spec.normalisation_algorithm == OCI_ARTIFACT
        self.expected.append((label, said, in_set))

    def run(self, read: Callable[[int], None]) -> list[Check]:
        """Read the blob once; return a check per resource. ``read`` hears of the bytes."""
        try:
            found, artifact, size = self._read(read)
        except OcmPkgError as error:
            return [Check.failed(label, _with_label(error, label)) for label, *_ in self.expected]
        return [
            self._compare(label, said, found, artifact if is_artifact else found, size)
            for label, said, is_artifact in self.expected
        ]

    def _read(
        self, read: Callable[[int], None]
    ) -> tuple[dict[str, Digest], dict[str, Digest], int]:
        """Return the digests of the content, those of the OCI artifact that it is, and its size."""
        blob = watched(self.repository.blob(self.descriptor, self.resource), Reading(read))
        wanted = {said.algorithm for _, said, _ in self.expected if said is not None}
        wanted |= {self.reference.algorithm}
        hashed = Hashed(wanted - {blob.digest.algorithm if blob.digest else "sha256"})
        verified, size = copy_blob(blob, cast("BinaryIO", hashed))
        manifest = self._manifest()
        if manifest is not None:
            # Reading it to the end compared every part with the manifest that names it.
            return (found := {manifest.algorithm: manifest}), found, size
        found = {verified.algorithm: verified, **hashed.digests()}
        if not any(is_artifact for *_, is_artifact in self.expected):
            return found, {}, size
        inside = manifest_of(blob, self.resource.name)
        return found, {inside.algorithm: inside}, size

    def _manifest(self) -> Digest | None:
        """Return the digest of an OCI artifact's manifest; None for any other content."""
        if not isinstance(self.repository, ArtifactRepository):
            return None
        return self.repository.artifact(self.descriptor, self.resource)

    def _compare(
        self,
        label: str,
        said: Digest | None,
        stored: Mapping[str, Digest],
        signed: Mapping[str, Digest],
        size: int,
    ) -> Check:
        for promised, by, found in (
            (self.reference, "stored", stored),
            (said, "signed", signed),
        ):
            if promised is not None and found.get(promised.algorithm) != promised:
                actual = " ".join(map(str, found.values()))
                return Check.failed(label, _exchanged(f"{label} was {by} as {promised}", actual))
        if said is None:
            return Check(label, SKIPPED, f"excluded from the signature; stored: {self.reference}")
        return Check(label, OK, f"{size} bytes are {said}")


@dataclass(frozen=True, slots=True)
class ExternalCheck:
    """Content that is kept elsewhere, and the digest that was signed."""

    external: ResourceRepository
    resource: Resource
    label: str
    said: Digest

    def run(self, read: Callable[[int], None]) -> list[Check]:
        """Fetch the content by that digest and read it to the end; return the check of it."""
        try:
            found, size = self._read(read)
        except (StoreError, NotFoundError) as error:
            unreachable = UnreachableContentError(
                f"{self.label} cannot be checked: {error.message}",
                hint="--skip-external leaves out what is not in the repository, and says so",
            )
            unreachable.__cause__ = error
            return [Check.failed(self.label, unreachable)]
        except OcmPkgError as error:
            return [Check.failed(self.label, _with_label(error, self.label))]
        if found != self.said:
            exchanged = _exchanged(f"{self.label} was signed as {self.said}", str(found))
            return [Check.failed(self.label, exchanged)]
        where = self.resource.access.text("imageReference") or self.resource.access.type
        return [Check(self.label, OK, f"{size} bytes at {where} are {self.said}")]

    def _read(self, read: Callable[[int], None]) -> tuple[Digest, int]:
        blob: Blob = watched(self.external.fetch(self.resource), Reading(read))
        if not self.resource.access.is_oci_artifact:
            hashed = Hashed({self.said.algorithm})
            _digest, size = copy_blob(blob, cast("BinaryIO", hashed))
            return hashed.digests()[self.said.algorithm], size
        if not isinstance(self.external, ManifestDigests):
            return manifest_of(blob, self.label), blob.size or 0
        # Reading it to the end compares every part with the manifest that names it.
        _digest, size = verify(blob)
        return self.external.digest(self.resource), size


def _exchanged(what: str, actual: str) -> DigestMismatchError:
    return DigestMismatchError(
        f"{what}, but its content is {actual}",
        hint="the content was changed or exchanged after signing: do not use it",
    )


def _with_label(error: OcmPkgError, label: str) -> OcmPkgError:
    """Return the same error, of its own class, whose message says what it is about."""
    named = OcmPkgError.__new__(type(error))
    named.__dict__.update(error.__dict__)
    message = f"{label}: {error.message}"
    OcmPkgError.__init__(named, message, hint=error.hint, at=error.at, detail=error.detail)
    named.__cause__ = error
    return named
