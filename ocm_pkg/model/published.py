"""What storing a component version reports, and when two descriptors mean the same content."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.identity import show
from ocm_pkg.model.normalise import normalise

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor
    from contextlib import AbstractContextManager

    from ocm_pkg.model.descriptor import (
        ComponentDescriptor,
        DigestSpec,
        Reference,
        Resource,
        Source,
    )
    from ocm_pkg.model.digest import Digest

NORMALISATION = "jsonNormalisation/v4alpha1"


@dataclass(frozen=True, slots=True)
class PublishedBlob:
    """One blob of a component version: written now (sent, or mounted), or there before."""

    digest: Digest
    size: int
    state: Literal["written", "exists"]


@dataclass(frozen=True, slots=True)
class Published:
    """A component version that is in a repository now.

    ``digest`` is the SHA-256 of the descriptor under ``jsonNormalisation/v4alpha1``: what
    ``hash cv`` prints and signatures cover, whatever bytes a store keeps. ``written`` is false if
    nothing had to be done, ``replaced`` true if other content was there.
    """

    component: str
    version: str
    digest: Digest
    repository: str
    blobs: tuple[PublishedBlob, ...]
    written: bool = True
    replaced: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``add cv -o json`` and its siblings promise."""
        return {
            "component": self.component,
            "version": self.version,
            "digest": str(self.digest),
            "repository": self.repository,
            "blobs": [
                {"digest": str(blob.digest), "size": blob.size, "state": blob.state}
                for blob in self.blobs
            ],
        }


class Progress(Protocol):
    """Hears how content moves. Called from several threads."""

    def expect(self, count: int) -> None:
        """Take note that so many more blobs are to be moved."""

    def moving(self, name: str, size: int | None) -> AbstractContextManager[Callable[[int], None]]:
        """Follow one blob while the block runs; it gets what takes the count of new bytes."""


class NoProgress:
    """Doesn't listen."""

    def expect(self, count: int) -> None:
        """Ignore it."""

    def moving(
        self,
        name: str,  # noqa: ARG002 - of the Protocol
        size: int | None,  # noqa: ARG002 - of the Protocol
    ) -> AbstractContextManager[Callable[[int], None]]:
        """Ignore it."""
        return nullcontext(lambda _count: None)


@dataclass(frozen=True, slots=True)
class Moving:
    """How content is moved: how many at once, and who hears of it.

    Without an ``executor`` it is one after the other. ``report`` is called with each blob that is
    done, in the order of the elements, from the caller's thread.
    """

    executor: Executor | None = None
    progress: Progress = field(default_factory=NoProgress)
    report: Callable[[PublishedBlob], None] = lambda _blob: None


def component_digest(descriptor: ComponentDescriptor, algorithm: str = "sha256") -> Digest:
    """Return the digest of the descriptor under ``jsonNormalisation/v4alpha1``."""
    return digest_of(normalise(descriptor, NORMALISATION), algorithm)


def same_content(one: ComponentDescriptor, other: ComponentDescriptor) -> bool:
    """Whether two descriptors are equal but for signatures and where content with a digest is."""
    mine, others = comparable(one, other)
    return mine == others and component_digest(one) == component_digest(other)


def keeps_signatures(new: ComponentDescriptor, old: ComponentDescriptor) -> bool:
    """Whether every signature of ``old`` is in ``new`` too."""
    signatures = [signature.to_json() for signature in new.signatures]
    return all(signature.to_json() in signatures for signature in old.signatures)


def elements_of(descriptor: ComponentDescriptor) -> tuple[Resource | Source, ...]:
    """Return the elements that have content: the resources, then the sources."""
    return (*descriptor.component.resources, *descriptor.component.sources)


def label_of(element: Resource | Source) -> str:
    """Return a short name of an element for people: ``hello linux amd64``."""
    return " ".join((element.name, *element.extra_identity.values()))


def undigested(descriptor: ComponentDescriptor) -> tuple[Resource | Reference, ...]:
    """Return what has no digest, so that no digest of the descriptor vouches for its content."""
    component = descriptor.component
    return (
        *(one for one in component.resources if not (one.access.is_none or _has(one.digest))),
        *(one for one in component.component_references if not _has(one.digest)),
    )


def _has(digest: DigestSpec | None) -> bool:
    return digest is not None and bool(digest.value)


def comparable(
    one: ComponentDescriptor, other: ComponentDescriptor
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return two descriptors as plain values without what may differ for the same content.

    That is: signatures, and how to reach content that is stored with at least one of the two and
    has a digest. Local content without a digest is known by its reference.
    """
    return _content(one, _local(other)), _content(other, _local(one))


def _local(descriptor: ComponentDescriptor) -> set[tuple[str, str]]:
    return {_key(one) for one in elements_of(descriptor) if one.access.is_local_blob}


def _key(element: Resource | Source) -> tuple[str, str]:
    return show(element.identity), element.version


def _content(descriptor: ComponentDescriptor, local: set[tuple[str, str]]) -> dict[str, Any]:
    value = descriptor.to_json()
    value.pop("signatures", None)
    value.pop("nestedDigests", None)
    component = value["component"]
    shown = (*(component["resources"] or []), *(component["sources"] or []))
    for element, its_value in zip(elements_of(descriptor), shown, strict=True):
        is_local, has_digest = element.access.is_local_blob, _has(getattr(element, "digest", None))
        if is_local and not has_digest:
            its_value["access"] = {"localReference": _reference(element)}
        elif has_digest and (is_local or _key(element) in local):
            del its_value["access"]
    return cast("dict[str, Any]", _without_nothing(value))


def _reference(element: Resource | Source) -> str | None:
    """Return the digest that a local reference is; None for one that only its store understands."""
    try:
        return str(element.access.local_reference)
    except InvalidDocumentError:
        return None


def _without_nothing(value: Any) -> Any:  # noqa: ANN401 - plain JSON data
    """Drop members that are null, empty lists or empty objects: stores write them as they like."""
    if isinstance(value, dict):
        kept = {name: _without_nothing(member) for name, member in value.items()}
        return {name: member for name, member in kept.items() if member not in (None, [], {})}
    if isinstance(value, list):
        return [_without_nothing(member) for member in value]
    return value
