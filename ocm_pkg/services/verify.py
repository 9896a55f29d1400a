"""Verify a component version: who signed it, then every byte the signature answers for.

The signature covers the digests in the descriptor; the content is not covered by anything until it
was read and digested. So after the signatures come all resources, and all component versions that
are referenced, with theirs.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocm_pkg.errors import (
    ComponentVersionNotFoundError,
    DigestMismatchError,
    IntegrityError,
    OcmPkgError,
    UnreachableContentError,
)
from ocm_pkg.fs.workers import in_order
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.identity import show
from ocm_pkg.model.normalise import normalise
from ocm_pkg.model.published import Moving, label_of
from ocm_pkg.store.closure import ReferenceLimits
from ocm_pkg.store.contentcheck import (
    FAILED,
    OK,
    SKIPPED,
    BlobCheck,
    Check,
    ExternalCheck,
    digest_in,
    stated_digest,
)
from ocm_pkg.store.copying import known_size
from ocm_pkg.store.digester import is_excluded, is_external

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from typing import TypeAlias

    from ocm_pkg.fs.workers import Turn
    from ocm_pkg.model.descriptor import ComponentDescriptor, DigestSpec, Reference
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.ports import Repository, ResourceRepository
    from ocm_pkg.signing.trust import Signer, TrustPolicy

    Waiting: TypeAlias = BlobCheck | ExternalCheck

__all__ = ["FAILED", "LEVELS", "OK", "SKIPPED", "Check", "Verification", "inspect", "verify"]

LEVELS = ("signature", "content")


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
    external: ResourceRepository | None = None,
    moving: Moving | None = None,
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
        external=external,
        moving=moving,
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
    external: ResourceRepository | None = None,
    moving: Moving | None = None,
    limits: ReferenceLimits | None = None,
) -> Verification:
    """Check the signatures and, at level ``content``, everything that they answer for.

    Failures are in the result, not raised; nothing of the content is read unless the signatures
    are good. ``names``: the signatures to look at, default all. Content that is not in
    ``repository`` is fetched by ``external``; ``skip_external`` skips it, and says so. Several
    blobs are read at once if ``moving`` says so; of ``moving`` the progress is told too.
    """
    try:
        signers = trust.check(descriptor, names=names, now=now)
    except OcmPkgError as error:
        failed = (Check.failed("signature", error),)
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
        ends = repository, None if skip_external else external
        content = _Content(*ends, skip_external, moving or Moving(), limits or ReferenceLimits())
        checks += content.checks(descriptor)
    return Verification(
        descriptor.name, descriptor.version, tuple(checks), signers, _gravest(checks)
    )


class _Content:
    """The walk over a component version and all that it references."""

    def __init__(
        self,
        repository: Repository,
        external: ResourceRepository | None,
        skip_external: bool,
        moving: Moving,
        limits: ReferenceLimits,
    ) -> None:
        self._limits = limits
        self._repository = repository
        self._external = external
        self._skip_external = skip_external
        self._executor, self._progress = moving.executor, moving.progress
        self._fetched: dict[tuple[str, str], ComponentDescriptor | OcmPkgError] = {}
        self._digests: dict[tuple[str, str, str, str], Digest] = {}

    def checks(self, root: ComponentDescriptor) -> list[Check]:
        """Return a check per reference and per resource, the root's first."""
        done: list[Check] = []
        waiting: list[Waiting] = []
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
        self._progress.expect(len(waiting))
        for checks in in_order(self._run, waiting, self._executor):
            done += checks
        return done

    def _run(self, check: Waiting, turn: Turn) -> list[Check]:
        size = None
        if isinstance(check, BlobCheck):
            try:
                size = known_size(self._repository, check.descriptor, check.resource)
            except OcmPkgError:
                # The check itself says what is wrong.
                size = None
        with self._progress.moving(label_of(check.resource), size) as moved:

            def read(count: int) -> None:
                turn.check()
                moved(count)

            return check.run(read)

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
            return Check.failed(label, error), None
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
        said = digest_in(spec, label)
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
        return Check.failed("references", IntegrityError(message, hint=hint))

    def _resources(
        self, descriptor: ComponentDescriptor, prefix: str
    ) -> tuple[list[Check], list[Waiting]]:
        """Return the checks that need no content, and those that are to be made by reading."""
        done: list[Check] = []
        by_blob: dict[Digest, BlobCheck] = {}
        outside: list[Waiting] = []
        for resource in descriptor.component.resources:
            label = f"{prefix}resource {show(resource.identity)}"
            access = resource.access
            try:
                said = stated_digest(resource, label)
                if access.is_local_blob:
                    new = BlobCheck(self._repository, descriptor, resource)
                    by_blob.setdefault(access.local_reference, new).expect(label, said, resource)
                elif said and self._external is not None and is_external(access):
                    outside.append(ExternalCheck(self._external, resource, label, said))
                elif said is None and not access.is_none:
                    done.append(Check(label, SKIPPED, "excluded from the signature"))
                elif not access.is_none:
                    done.append(self._unreachable(label, f"its content is outside ({access.type})"))
            except OcmPkgError as error:
                done.append(Check.failed(label, error))
        return done, [*by_blob.values(), *outside]

    def _unreachable(self, label: str, why: str, cause: OcmPkgError | None = None) -> Check:
        if self._skip_external:
            return Check(label, SKIPPED, f"{why}: not checked (--skip-external)")
        error = UnreachableContentError(
            f"{label} cannot be checked: {why}, and there is no client to fetch it",
            hint="--skip-external leaves it out and says so; "
            "--level signature looks at the signature alone",
        )
        error.__cause__ = cause
        return Check.failed(label, error)


def _gravest(checks: Sequence[Check]) -> OcmPkgError | None:
    failed = [check for check in checks if check.error is not None]
    failed.sort(key=lambda check: not isinstance(check.error, IntegrityError))
    if not failed:
        return None
    error = failed[0].error
    if error is not None:
        error.detail += tuple(f"{other.check}: {other.detail}" for other in failed[1:20])
    return error
