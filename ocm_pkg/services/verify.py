"""Verify a component version: who signed it, then every byte the signature answers for.

The signature covers the digests in the descriptor; the content is not covered by anything until it
was read and digested. So after the signatures come all resources, and all component versions that
are referenced, with theirs.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from ocm_pkg.errors import (
    ComponentVersionNotFoundError,
    DigestMismatchError,
    IntegrityError,
    InvalidDocumentError,
    OcmPkgError,
    UnreachableContentError,
)
from ocm_pkg.fs.blob import copy_blob
from ocm_pkg.model.digest import Digest, algorithm_of, digest_of
from ocm_pkg.model.identity import show
from ocm_pkg.model.normalise import normalise
from ocm_pkg.store.artifactset import manifest_of
from ocm_pkg.store.closure import ReferenceLimits
from ocm_pkg.store.digester import (
    GENERIC_BLOB,
    OCI_ARTIFACT,
    ArtifactRepository,
    Hashed,
    is_excluded,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from concurrent.futures import Executor
    from datetime import datetime
    from typing import BinaryIO

    from ocm_pkg.model.descriptor import ComponentDescriptor, DigestSpec, Reference, Resource
    from ocm_pkg.ports import Repository
    from ocm_pkg.signing.trust import Signer, TrustPolicy

OK, FAILED, SKIPPED = "ok", "failed", "skipped"
LEVELS = ("signature", "content")

_CONTENT_DIGESTS = frozenset({GENERIC_BLOB, OCI_ARTIFACT})


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: ``result`` is ``ok``, ``failed`` or ``skipped``."""

    check: str
    result: str
    detail: str
    error: OcmPkgError | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """What ``inspect`` found.

    ``error`` is the gravest failure (wrong content before unreachable content), with the others in
    its detail; None if there is no failure.
    """

    component: str
    version: str
    checks: tuple[Check, ...]
    signatures: tuple[Signer, ...]
    error: OcmPkgError | None = None

    @property
    def result(self) -> str:
        """``ok`` if there is at least one good signature and no failure, else ``failed``."""
        return OK if self.signatures and self.error is None else FAILED


def verify(
    *,
    repository: Repository,
    descriptor: ComponentDescriptor,
    trust: TrustPolicy,
    now: datetime,
    names: Collection[str] | None = None,
    level: str = "content",
    skip_external: bool = False,
    executor: Executor | None = None,
    limits: ReferenceLimits | None = None,
) -> Verification:
    """Do what ``inspect`` does and raise the gravest failure, if there is one."""
    found = inspect(
        repository=repository,
        descriptor=descriptor,
        trust=trust,
        now=now,
        names=names,
        level=level,
        skip_external=skip_external,
        executor=executor,
        limits=limits,
    )
    if found.error is not None:
        raise found.error
    return found


def inspect(
    *,
    repository: Repository,
    descriptor: ComponentDescriptor,
    trust: TrustPolicy,
    now: datetime,
    names: Collection[str] | None = None,
    level: str = "content",
    skip_external: bool = False,
    executor: Executor | None = None,
    limits: ReferenceLimits | None = None,
) -> Verification:
    """Check the signatures and, at level ``content``, everything that they answer for.

    Failures are in the result, not raised; nothing of the content is read unless the signatures
    are good. ``names``: the signatures to look at, default all. ``skip_external`` skips what is
    not in ``repository``, and says so. Content is read in the threads of ``executor``.
    """
    try:
        signers = trust.check(descriptor, names=names, now=now)
    except OcmPkgError as error:
        failed = (_failed("signature", error),)
        return Verification(descriptor.name, descriptor.version, failed, (), error)
    checks = [
        Check(
            f"signature {signer.name}",
            OK,
            f"{signer.algorithm} over {signer.normalisation}, by {signer.trusted_as} "
            f"({signer.fingerprint})",
        )
        for signer in signers
    ]
    if level == "content":
        content = _Content(repository, skip_external, executor, limits or ReferenceLimits())
        checks += content.checks(descriptor)
    return Verification(
        descriptor.name, descriptor.version, tuple(checks), signers, _gravest(checks)
    )


class _Content:
    """The walk over a component version and all that it references."""

    def __init__(
        self,
        repository: Repository,
        skip_external: bool,
        executor: Executor | None,
        limits: ReferenceLimits,
    ) -> None:
        self._limits = limits
        self._repository = repository
        self._skip_external = skip_external
        self._executor = executor
        self._fetched: dict[tuple[str, str], ComponentDescriptor | OcmPkgError] = {}
        self._digests: dict[tuple[str, str, str, str], Digest] = {}

    def checks(self, root: ComponentDescriptor) -> list[Check]:
        """Return a check per reference and per resource, the root's first."""
        done: list[Check] = []
        waiting: list[_BlobCheck] = []
        seen = {(root.name, root.version)}
        queue = deque([(root, "", 0)])
        while queue:
            descriptor, prefix, depth = queue.popleft()
            known, unread = self._resources(descriptor, prefix)
            done += known
            waiting += unread
            for reference in descriptor.component.component_references:
                check, child = self._reference(reference, prefix)
                done.append(check)
                if len(self._fetched) >= self._limits.components or depth >= self._limits.depth:
                    done.append(self._too_many(root))
                    return done
                if child is None or (child.name, child.version) in seen:
                    continue
                seen.add((child.name, child.version))
                queue.append((child, f"{child.name}:{child.version} ", depth + 1))
        results = self._executor.map(_BlobCheck.run, waiting) if self._executor else None
        for checks in results or map(_BlobCheck.run, waiting):
            done += checks
        return done

    def _reference(
        self, reference: Reference, prefix: str
    ) -> tuple[Check, ComponentDescriptor | None]:
        """Compare a reference's digest with the component version that it names."""
        label = f"{prefix}reference {show(reference.identity)}"
        what = f"{reference.component_name}:{reference.version}"
        try:
            digest = reference.digest
            if digest is None or not digest.value:
                raise DigestMismatchError(f"{label} has no digest, so nothing vouches for {what}")
            child = self._get(reference.component_name, reference.version)
            self._compare_reference(child, digest, label)
        except ComponentVersionNotFoundError as error:
            return self._unreachable(label, f"{what} is not in this repository", error), None
        except OcmPkgError as error:
            return _failed(label, error), None
        return Check(label, OK, f"{what} has the digest {digest.value}"), child

    def _get(self, component: str, version: str) -> ComponentDescriptor:
        """Return a component version, which is read once, or raise what reading it gave."""
        key = (component, version)
        if key not in self._fetched:
            try:
                self._fetched[key] = self._repository.get(component, version)
            except OcmPkgError as error:
                self._fetched[key] = error
        found = self._fetched[key]
        if isinstance(found, OcmPkgError):
            raise found
        return found

    def _compare_reference(self, child: ComponentDescriptor, spec: DigestSpec, label: str) -> None:
        if is_excluded(spec):
            raise DigestMismatchError(
                f"{label} is excluded from the signature; nothing vouches for it"
            )
        said = _digest(spec, label)
        key = (child.name, child.version, spec.normalisation_algorithm, said.algorithm)
        if key not in self._digests:
            normalised = normalise(child, spec.normalisation_algorithm)
            self._digests[key] = digest_of(normalised, said.algorithm)
        if self._digests[key] != said:
            raise DigestMismatchError(
                f"{label} was signed as {said}, but {child.name}:{child.version} is "
                f"{self._digests[key]}",
                hint="the referenced component version was changed after this one was signed",
            )

    def _too_many(self, root: ComponentDescriptor) -> Check:
        message = (
            f"{root.name}:{root.version} references more than {self._limits.components} "
            f"component versions, or deeper than {self._limits.depth} levels"
        )
        hint = "--limit components=NUMBER and --limit reference-depth=NUMBER allow more"
        return _failed("references", IntegrityError(message, hint=hint))

    def _resources(
        self, descriptor: ComponentDescriptor, prefix: str
    ) -> tuple[list[Check], list[_BlobCheck]]:
        """Return the checks that need no content, and those that are to be made by reading."""
        done: list[Check] = []
        by_blob: dict[Digest, _BlobCheck] = {}
        for resource in descriptor.component.resources:
            label = f"{prefix}resource {show(resource.identity)}"
            try:
                said = _stated_digest(resource, label)
                if resource.access.is_local_blob:
                    reference = resource.access.local_reference
                    new = _BlobCheck(self._repository, descriptor, resource, reference)
                    is_artifact = _is_artifact_digest(resource)
                    expected = by_blob.setdefault(reference, new).expected
                    expected.append((label, said, is_artifact))
                elif not resource.access.is_none:
                    why = f"its content is outside ({resource.access.type})"
                    done.append(self._unreachable(label, why))
            except OcmPkgError as error:
                done.append(_failed(label, error))
        return done, list(by_blob.values())

    def _unreachable(self, label: str, why: str, cause: OcmPkgError | None = None) -> Check:
        if self._skip_external:
            return Check(label, SKIPPED, f"{why}: not checked (--skip-external)")
        error = UnreachableContentError(
            f"{label} cannot be checked: {why}, and there is no client to fetch it",
            hint="--skip-external leaves it out and says so; "
            "--level signature looks at the signature alone",
        )
        error.__cause__ = cause
        return _failed(label, error)


def _gravest(checks: Sequence[Check]) -> OcmPkgError | None:
    failed = [check for check in checks if check.error is not None]
    failed.sort(key=lambda check: not isinstance(check.error, IntegrityError))
    if not failed:
        return None
    error = failed[0].error
    if error is not None:
        error.detail += tuple(f"{other.check}: {other.detail}" for other in failed[1:20])
    return error


def _failed(label: str, error: OcmPkgError) -> Check:
    return Check(label, FAILED, error.message, error)


def _digest(spec: DigestSpec, label: str) -> Digest:
    try:
        return Digest(algorithm_of(spec.hash_algorithm), spec.value)
    except InvalidDocumentError as error:
        raise DigestMismatchError(f"{label} has no valid digest: {error.message}") from error


def _stated_digest(resource: Resource, label: str) -> Digest | None:
    """Return the digest that the content must have; None if it is excluded from the signature."""
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
    return _digest(spec, label)


def _is_artifact_digest(resource: Resource) -> bool:
    return resource.digest is not None and resource.digest.normalisation_algorithm == OCI_ARTIFACT


@dataclass(frozen=True, slots=True)
class _BlobCheck:
    """One blob to read, and the resources that say what it must be."""

    repository: Repository
    descriptor: ComponentDescriptor
    resource: Resource
    reference: Digest
    expected: list[tuple[str, Digest | None, bool]] = field(default_factory=list)

    def run(self) -> list[Check]:
        """Read the blob once; return a check per resource."""
        try:
            found, artifact, size = self._read()
        except OcmPkgError as error:
            return [_failed(label, _with_label(error, label)) for label, *_ in self.expected]
        return [
            self._compare(label, said, found, artifact if is_artifact else found, size)
            for label, said, is_artifact in self.expected
        ]

    def _read(self) -> tuple[dict[str, Digest], dict[str, Digest], int]:
        """Return the digests of the content, those of the OCI artifact that it is, and its size."""
        blob = self.repository.blob(self.descriptor, self.resource)
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
                error = DigestMismatchError(
                    f"{label} was {by} as {promised}, but its content is {actual}",
                    hint="the content was changed or exchanged after signing: do not use it",
                )
                return _failed(label, error)
        if said is None:
            return Check(label, SKIPPED, f"excluded from the signature; stored: {self.reference}")
        return Check(label, OK, f"{size} bytes are {said}")


def _with_label(error: OcmPkgError, label: str) -> OcmPkgError:
    named = type(error)(f"{label}: {error.message}", hint=error.hint, at=error.at)
    named.__cause__ = error
    return named
