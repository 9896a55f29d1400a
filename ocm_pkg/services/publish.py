"""Store component versions: their content first, then the descriptors, which are the commit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from ocm_pkg.errors import (
    AlreadyExistsError,
    IntegrityError,
    InvalidDocumentError,
)
from ocm_pkg.fs.workers import in_order
from ocm_pkg.model.descriptor import Resource
from ocm_pkg.model.difference import differences
from ocm_pkg.model.published import (
    Moving,
    Published,
    PublishedBlob,
    component_digest,
    elements_of,
    label_of,
    same_content,
)
from ocm_pkg.store.attachments import attach_documents
from ocm_pkg.store.copying import batched, by_content, existing, put, stored_size
from ocm_pkg.store.digester import check_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocm_pkg.fs.workers import Turn
    from ocm_pkg.model.descriptor import ComponentDescriptor, Source
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.ports import Blob, Repository
    from ocm_pkg.store.copying import Contents

Policy: TypeAlias = Literal["abort-and-fail", "skip", "replace"]
"""What to do if the component version is there with other content."""


def publish(
    descriptor: ComponentDescriptor,
    contents: Contents,
    *,
    repository: Repository,
    source: str,
    policy: Policy = "abort-and-fail",
    dry_run: bool = False,
    moving: Moving | None = None,
) -> Published:
    """Store ``descriptor`` with ``contents``; ``source`` is the text of the repository.

    The same content again changes nothing, and signatures that were added since stay; of content
    that is missing then it is brought back. In a registry, SBOMs and provenance among the resources
    are attached too (``store.attachments``). Each blob is read once, several at a time if
    ``moving`` says so. With ``dry_run`` nothing is written and the result is what would be. Raises
    ``AlreadyExistsError`` if the component version is there with other content, unless ``policy``
    says to skip or replace it; its detail says what differs.
    """
    (published,) = publish_all(
        [(descriptor, contents)],
        repository=repository,
        source=source,
        policy=policy,
        dry_run=dry_run,
        moving=moving,
    )
    return published


def publish_all(
    versions: Sequence[tuple[ComponentDescriptor, Contents]],
    *,
    repository: Repository,
    source: str,
    policy: Policy = "abort-and-fail",
    dry_run: bool = False,
    moving: Moving | None = None,
) -> Sequence[Published]:
    """Store several component versions as ``publish`` does one; conflicts come before any write.

    They become visible in their order, and together where the repository can do that.
    """
    job = _Publication(repository, source, moving or Moving())
    plans = [job.plan(descriptor, contents, policy) for descriptor, contents in versions]
    if dry_run:
        job.look(plans)
        return tuple(job.result(plan) for plan in plans)
    job.look([plan for plan in plans if plan.settled])
    with batched(repository):
        job.store(plans)
        done = tuple(job.commit(plan, replace=policy == "replace") for plan in plans)
    for plan in plans:
        attach_documents(repository, plan.shown)
    return done


@dataclass(slots=True)
class _Plan:
    """One component version; by the number of the element: its content, and what became of it."""

    descriptor: ComponentDescriptor
    contents: dict[int, Blob]
    existing: ComponentDescriptor | None = None
    settled: bool = False
    stored: dict[int, Resource | Source] = field(default_factory=dict)
    blobs: dict[int, PublishedBlob] = field(default_factory=dict)

    @property
    def shown(self) -> ComponentDescriptor:
        """What is stored when it is done: what was there, if that stays."""
        return self.existing if self.existing and self.settled else self.descriptor


@dataclass(frozen=True, slots=True)
class _User:
    """An element whose content is to be stored, with its digest and size."""

    plan: _Plan
    number: int
    blob: Blob
    digest: Digest
    size: int

    @property
    def element(self) -> Resource | Source:
        return elements_of(self.plan.descriptor)[self.number]

    @property
    def is_stored(self) -> bool:
        """Whether its access is already the one to content with this digest."""
        access = self.element.access
        return access.is_local_blob and access.text("localReference") == str(self.digest)


class _Publication:
    def __init__(self, repository: Repository, source: str, moving: Moving) -> None:
        self._repository = repository
        self._source = source
        self._executor = moving.executor if by_content(repository) else None
        self._progress, self._report = moving.progress, moving.report

    def plan(self, descriptor: ComponentDescriptor, contents: Contents, policy: Policy) -> _Plan:
        """Look what is there; raise if it may neither stay nor go."""
        resources = len(descriptor.component.resources)
        numbered = {
            index if member == "resources" else resources + index: blob
            for (member, index), blob in contents.items()
        }
        existing = self._existing(descriptor, policy)
        plan = _Plan(descriptor, dict(sorted(numbered.items())), existing)
        if existing is None:
            return plan
        if same_content(existing, descriptor):
            plan.settled = True
        elif policy == "skip":
            plan.settled, plan.contents = True, {}
            plan.blobs = self._there(existing)
        elif policy == "abort-and-fail":
            raise AlreadyExistsError(
                f"{descriptor.name}:{descriptor.version} is there already with other content",
                hint="raise the version, or use --component-version-conflict-policy replace",
                detail=differences(existing, descriptor),
            )
        return plan

    def _there(self, existing: ComponentDescriptor) -> dict[int, PublishedBlob]:
        """Return the local content of what is there, which stays."""
        found = {}
        for number, element in enumerate(elements_of(existing)):
            if element.access.is_local_blob and by_content(self._repository):
                digest = element.access.local_reference
                size = stored_size(self._repository, existing.name, digest)
                if size is not None:
                    found[number] = PublishedBlob(digest, size, "exists")
        return found

    def _existing(
        self, descriptor: ComponentDescriptor, policy: Policy
    ) -> ComponentDescriptor | None:
        try:
            return existing(self._repository, descriptor.name, descriptor.version)
        except (InvalidDocumentError, IntegrityError):
            if policy == "replace":
                return None
            raise

    def look(self, plans: Sequence[_Plan]) -> None:
        """Take note of what is there, and of what would be written."""
        groups = self._groups(plans)
        looked = in_order(lambda users, _turn: self._look(users[0]), groups, self._executor)
        for users, blob in zip(groups, looked, strict=True):
            for user in users:
                user.plan.blobs[user.number] = blob

    def _look(self, user: _User) -> PublishedBlob:
        there = stored_size(self._repository, user.plan.descriptor.name, user.digest) is not None
        is_known = there or (user.plan.settled and not by_content(self._repository))
        return PublishedBlob(user.digest, user.size, "exists" if is_known else "written")

    def _groups(self, plans: Sequence[_Plan]) -> list[list[_User]]:
        """Return the elements with content; those together that have the same one."""
        groups: dict[object, list[_User]] = {}
        for plan in plans:
            for number, blob in plan.contents.items():
                user = _user(plan, number, blob)
                key: object = (id(plan), number)
                if by_content(self._repository) and user.is_stored:
                    key = (plan.descriptor.name, user.digest)
                groups.setdefault(key, []).append(user)
        return list(groups.values())

    def store(self, plans: Sequence[_Plan]) -> None:
        """Store all content that isn't there; what several elements have is stored once."""
        groups = [
            users
            for users in self._groups(plans)
            if any(_is_missing(user.plan, user.number) for user in users)
        ]
        self._progress.expect(len(groups))
        in_order(self._store, groups, self._executor, done=self._report)

    def _store(self, users: list[_User], turn: Turn) -> PublishedBlob:
        first = users[0]
        with self._progress.moving(label_of(first.element), first.size) as moved:

            def read(count: int) -> None:
                turn.check()
                moved(count)

            descriptor, element = first.plan.descriptor, first.element
            stored: Resource | Source
            if isinstance(element, Resource):
                stored, blob = put(self._repository, descriptor, element, first.blob, read)
            else:
                stored, blob = put(self._repository, descriptor, element, first.blob, read)
        first.plan.stored[first.number] = stored
        for user in users:
            _check(user)
            user.plan.blobs[user.number] = blob
        return blob

    def commit(self, plan: _Plan, *, replace: bool) -> Published:
        """Make a component version visible, unless it is already."""
        if not plan.settled:
            plan.descriptor = _with(plan.descriptor, plan.stored)
            self._repository.add(plan.descriptor, replace=replace)
        return self.result(plan)

    def result(self, plan: _Plan) -> Published:
        """Return what was done, or would be."""
        shown = plan.shown
        distinct = {blob.digest: blob for _number, blob in sorted(plan.blobs.items())}
        written = any(blob.state == "written" for blob in distinct.values())
        digest = component_digest(shown)
        return Published(
            component=shown.name,
            version=shown.version,
            digest=digest,
            repository=self._source,
            blobs=tuple(distinct.values()),
            written=written or not plan.settled,
            replaced=plan.existing is not None and component_digest(plan.existing) != digest,
        )


def _user(plan: _Plan, number: int, blob: Blob) -> _User:
    digest, size = blob.digest, blob.size
    if digest is None or size is None:
        descriptor = plan.descriptor
        raise InvalidDocumentError(
            f"content of {descriptor.name}:{descriptor.version} has no known digest and size"
        )
    return _User(plan, number, blob, digest, size)


def _is_missing(plan: _Plan, number: int) -> bool:
    return number not in plan.blobs or plan.blobs[number].state != "exists"


def _check(user: _User) -> None:
    element, descriptor = user.element, user.plan.descriptor
    if isinstance(element, Resource) and element.digest is not None:
        what = f"{element.name} of {descriptor.name}:{descriptor.version}"
        check_digest(element.digest, user.digest, what)


def _with(
    descriptor: ComponentDescriptor, stored: dict[int, Resource | Source]
) -> ComponentDescriptor:
    """Return the descriptor with the elements that a repository gave back, by their number."""
    before = list(elements_of(descriptor))
    after = [stored.get(number, element) for number, element in enumerate(before)]
    if after == before:
        return descriptor
    count = len(descriptor.component.resources)
    update = {"resources": tuple(after[:count]), "sources": tuple(after[count:])}
    component = descriptor.component.model_copy(update=update)
    return descriptor.model_copy(update={"component": component})
