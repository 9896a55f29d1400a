"""Copy component versions from one repository to another, signatures intact."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from ocm_pkg.errors import (
    AlreadyExistsError,
    IntegrityError,
    InvalidDocumentError,
)
from ocm_pkg.fs.workers import in_order
from ocm_pkg.model.descriptor import Resource
from ocm_pkg.model.difference import differences
from ocm_pkg.model.identity import show
from ocm_pkg.model.published import (
    Moving,
    Published,
    PublishedBlob,
    component_digest,
    elements_of,
    keeps_signatures,
    label_of,
    same_content,
)
from ocm_pkg.store.attachments import attach_documents
from ocm_pkg.store.closure import ReferenceLimits, closure
from ocm_pkg.store.copying import (
    batched,
    by_content,
    copy_content,
    copy_external,
    existing,
    known_size,
    mount_within,
    outside_of,
    stored_size,
)
from ocm_pkg.store.digester import ManifestDigests, is_external

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ocm_pkg.fs.workers import Turn
    from ocm_pkg.model.descriptor import ComponentDescriptor, Source
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.ports import Repository, ResourceRepository


def transfer(
    component: str,
    version: str,
    *,
    source: Repository,
    destination: Repository,
    repository: str,
    recursive: bool | ReferenceLimits = False,
    external: ResourceRepository | None = None,
    replace: bool = False,
    dry_run: bool = False,
    moving: Moving | None = None,
) -> Sequence[Published]:
    """Copy a component version; return it last, after those it refers to (``recursive``).

    ``recursive`` may be the limits of that.
    They become visible together where the destination can do that (``ports.Batches``).
    ``repository`` is the text of the destination. Content is streamed, each blob once, several at
    a time if ``moving`` says so; in one registry it is mounted. ``external`` fetches content of
    resources that is kept elsewhere, which is then stored with its component version; without it
    the access is kept as it is. In a registry, SBOMs and provenance among the resources are
    attached too (``store.attachments``).

    The stored descriptor is the very bytes of the source, unless the destination has another way
    to its content; what signatures cover is the same in any case. The same again changes nothing;
    signatures that are new are added. Raises ``AlreadyExistsError`` if a version is there with
    other content, or signatures that the source hasn't, unless ``replace``: before anything is
    written, with the difference as its detail.
    ``UnreachableContentError`` for content that ``external`` can't fetch.
    """
    if recursive:
        limits = recursive if isinstance(recursive, ReferenceLimits) else None
        descriptors = closure(source, component, version, limits)
    else:
        descriptors = (source.get(component, version),)
    job = _Transfer(source, destination, repository, external, moving or Moving())
    plans = job.plans(descriptors, replace=replace)
    job.reach(plans)
    if dry_run:
        return job.preview(plans)
    with batched(destination):
        job.move(plans)
        done = tuple(job.commit(plan, replace=replace) for plan in plans)
    for plan in plans:
        attach_documents(destination, plan.shown)
    return done


@dataclass(slots=True)
class _Plan:
    """One component version: what is there of it, and what becomes of its content.

    ``stored`` and ``blobs`` are by the number of the element.
    """

    descriptor: ComponentDescriptor
    existing: ComponentDescriptor | None
    settled: bool
    stored: dict[int, Resource | Source] = field(default_factory=dict)
    blobs: dict[int, PublishedBlob] = field(default_factory=dict)

    @property
    def wanted(self) -> Iterator[tuple[int, Resource | Source]]:
        """Number and element of what is not there yet."""
        for number, element in enumerate(elements_of(self.descriptor)):
            if number not in self.blobs and number not in self.stored:
                yield number, element

    @property
    def shown(self) -> ComponentDescriptor:
        """What is at the destination when it is done: what was there, if that stays."""
        return self.existing if self.existing and self.settled else self.result()

    def result(self) -> ComponentDescriptor:
        """Return the descriptor with the accesses that its content got."""
        count = len(self.descriptor.component.resources)
        elements = [
            self.stored.get(number, element)
            for number, element in enumerate(elements_of(self.descriptor))
        ]
        if elements == list(elements_of(self.descriptor)):
            return self.descriptor
        update = {"resources": tuple(elements[:count]), "sources": tuple(elements[count:])}
        changed = self.descriptor.component.model_copy(update=update)
        return self.descriptor.model_copy(update={"component": changed})


class _Transfer:
    def __init__(
        self,
        source: Repository,
        destination: Repository,
        repository: str,
        external: ResourceRepository | None,
        moving: Moving,
    ) -> None:
        self._source = source
        self._destination = destination
        self._repository = repository
        self._external = external
        self._executor = moving.executor if by_content(destination) else None
        self._progress, self._report = moving.progress, moving.report

    def plans(self, descriptors: Sequence[ComponentDescriptor], *, replace: bool) -> list[_Plan]:
        """Look what is there; raise if any of it may neither stay nor go."""
        plan = partial(self._plan, replace=replace)
        plans = in_order(lambda one, _turn: plan(one), descriptors, self._executor)
        for user, blob in self._looked(one for one in plans if one.settled):
            if blob.state == "exists":
                user.plan.blobs[user.number] = blob
        return plans

    def _plan(self, descriptor: ComponentDescriptor, *, replace: bool) -> _Plan:
        existing = self._existing(descriptor, replace=replace)
        if existing is None:
            return _Plan(descriptor, None, settled=False)
        same = same_content(existing, descriptor)
        settled = self._is_settled(existing, descriptor, same=same, replace=replace)
        plan = _Plan(descriptor, existing, settled)
        there = {_key(one): one for one in elements_of(existing)}
        for number, element in enumerate(elements_of(descriptor)):
            found = there.get(_key(element)) if same else None
            if found is None or found.access == element.access:
                continue
            # What is there is stored in another way, or in a copy: that stays.
            if settled or (found.access.is_local_blob and not element.access.is_local_blob):
                plan.stored[number] = found
        return plan

    def _wanted(self, plan: _Plan) -> Iterable[tuple[int, Resource | Source]]:
        """Return number and element of what is not there yet, as far as anybody can tell."""
        return () if plan.settled and not by_content(self._destination) else plan.wanted

    def _looked(self, plans: Iterable[_Plan]) -> Iterator[tuple[_User, PublishedBlob]]:
        """Look for wanted content at the destination: all that is local, each blob once."""
        users: dict[tuple[str, Digest], list[_User]] = {}
        for plan in plans:
            for number, element in self._wanted(plan):
                if element.access.is_local_blob:
                    key = (plan.descriptor.name, element.access.local_reference)
                    users.setdefault(key, []).append(_User(plan, number, element))
        looked = in_order(lambda key, _turn: self._look(*key), list(users), self._executor)
        for blob, group in zip(looked, users.values(), strict=True):
            yield from ((user, blob) for user in group)

    def _look(self, component: str, digest: Digest) -> PublishedBlob:
        size = stored_size(self._destination, component, digest)
        if size is not None:
            return PublishedBlob(digest, size, "exists")
        return PublishedBlob(digest, stored_size(self._source, component, digest) or 0, "written")

    def _existing(
        self, descriptor: ComponentDescriptor, *, replace: bool
    ) -> ComponentDescriptor | None:
        try:
            return existing(self._destination, descriptor.name, descriptor.version)
        except (InvalidDocumentError, IntegrityError):
            if replace:
                return None
            raise

    def _is_settled(
        self,
        existing: ComponentDescriptor,
        descriptor: ComponentDescriptor,
        *,
        same: bool,
        replace: bool,
    ) -> bool:
        """Whether what is there stays; raises if it may neither stay nor go."""
        if same and keeps_signatures(existing, descriptor):
            return self._external is None or not any(map(_is_outside, existing.component.resources))
        if replace or (same and keeps_signatures(descriptor, existing)):
            return False
        what = "other signatures" if same else "other content"
        raise AlreadyExistsError(
            f"{descriptor.name}:{descriptor.version} is in {self._repository} with {what}",
            hint="raise the version, or replace it with --replace",
            detail=differences(existing, descriptor),
        )

    def reach(self, plans: Sequence[_Plan]) -> None:
        """Raise if content that is kept elsewhere can't be fetched: before anything is written."""
        if self._external is None:
            return
        users = [
            _User(plan, number, element)
            for plan in plans
            for number, element in plan.wanted
            if _is_outside(element)
        ]
        in_order(lambda user, _turn: self._reach(user), users, self._executor)

    def _reach(self, user: _User) -> None:
        if not is_external(user.element.access):
            raise outside_of(user.plan.descriptor, user.element)
        external: object = self._external
        if isinstance(external, ManifestDigests) and isinstance(user.element, Resource):
            external.digest(user.element)

    def move(self, plans: Sequence[_Plan]) -> None:
        """Bring all content to the destination; what several elements have is moved once."""
        moves: dict[object, list[_User]] = {}
        for plan in plans:
            for number, element in self._wanted(plan):
                key: object
                if element.access.is_local_blob:
                    digest = element.access.local_reference
                    key = digest if by_content(self._destination) else (id(plan), number)
                elif self._external is not None and _is_outside(element):
                    key = (id(plan), number)
                else:
                    continue
                moves.setdefault(key, []).append(_User(plan, number, element))
        self._progress.expect(len(moves))
        in_order(self._move, list(moves.values()), self._executor, done=self._report)

    def _move(self, users: list[_User], turn: Turn) -> PublishedBlob:
        """Move one blob to the repository of each component that has it; return the first."""
        done: dict[str, PublishedBlob] = {}
        first = users[0]
        size = known_size(self._source, first.plan.descriptor, first.element)
        with self._progress.moving(label_of(first.element), size) as moved:

            def read(count: int) -> None:
                turn.check()
                moved(count)

            for user in users:
                name = user.plan.descriptor.name
                if name not in done:
                    done[name] = self._again(user, done) or self._move_to(user, read)
                user.plan.blobs[user.number] = done[name]
        return done[first.plan.descriptor.name]

    def _again(self, user: _User, done: Mapping[str, PublishedBlob]) -> PublishedBlob | None:
        """Take a blob over from another component's repository at the destination, or None."""
        for origin, blob in done.items():
            name = user.plan.descriptor.name
            return mount_within(self._destination, origin, blob, name, user.element)
        return None

    def _move_to(self, user: _User, read: Callable[[int], None]) -> PublishedBlob:
        descriptor, element = user.plan.descriptor, user.element
        stored: Resource | Source
        if isinstance(element, Resource):
            stored, blob = self._copy(descriptor, element, read)
        else:
            ends = self._source, self._destination
            stored, blob = copy_content(*ends, descriptor, element, read)
        user.plan.stored[user.number] = stored
        return blob

    def _copy(
        self, descriptor: ComponentDescriptor, resource: Resource, read: Callable[[int], None]
    ) -> tuple[Resource, PublishedBlob]:
        if self._external is None or resource.access.is_local_blob:
            return copy_content(self._source, self._destination, descriptor, resource, read)
        return copy_external(self._external, self._destination, descriptor, resource, read)

    def commit(self, plan: _Plan, *, replace: bool) -> Published:
        """Make a component version visible, unless it is already."""
        moved = any(blob.state == "written" for blob in plan.blobs.values())
        if plan.settled:
            return self._published(plan.existing or plan.descriptor, plan, written=moved)
        stored = plan.result()
        self._destination.add(stored, replace=plan.existing is not None or replace)
        return self._published(stored, plan, written=True)

    def preview(self, plans: Sequence[_Plan]) -> tuple[Published, ...]:
        """Return what ``commit`` would, as far as stores can tell; write nothing."""
        for user, blob in self._looked(plans):
            user.plan.blobs[user.number] = blob
        return tuple(
            self._published(
                plan.existing if plan.existing and plan.settled else plan.descriptor,
                plan,
                written=not plan.settled,
            )
            for plan in plans
        )

    def _published(
        self, descriptor: ComponentDescriptor, plan: _Plan, *, written: bool
    ) -> Published:
        distinct = {blob.digest: blob for _number, blob in sorted(plan.blobs.items())}
        digest = component_digest(descriptor)
        return Published(
            component=descriptor.name,
            version=descriptor.version,
            digest=digest,
            repository=self._repository,
            blobs=tuple(distinct.values()),
            written=written,
            replaced=plan.existing is not None and component_digest(plan.existing) != digest,
        )


@dataclass(frozen=True, slots=True)
class _User:
    """An element that has some content."""

    plan: _Plan
    number: int
    element: Resource | Source


def _is_outside(element: Resource | Source) -> bool:
    access = element.access
    return isinstance(element, Resource) and not (access.is_local_blob or access.is_none)


def _key(element: Resource | Source) -> tuple[object, ...]:
    return type(element), show(element.identity), element.version
