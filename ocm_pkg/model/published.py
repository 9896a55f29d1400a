"""What storing a component version reports, and when two descriptors mean the same content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.normalise import normalise

if TYPE_CHECKING:
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
    """One blob of a component version: written now, or there before."""

    digest: Digest
    size: int
    state: Literal["written", "exists"]


@dataclass(frozen=True, slots=True)
class Published:
    """A component version that is in a repository now.

    ``digest`` is the SHA-256 of the descriptor under ``jsonNormalisation/v4alpha1``: what
    ``hash cv`` prints and signatures cover, whatever bytes a store keeps. ``written`` is false if
    nothing had to be done.
    """

    component: str
    version: str
    digest: Digest
    repository: str
    blobs: tuple[PublishedBlob, ...]
    written: bool = True

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


def component_digest(descriptor: ComponentDescriptor, algorithm: str = "sha256") -> Digest:
    """Return the digest of the descriptor under ``jsonNormalisation/v4alpha1``."""
    return digest_of(normalise(descriptor, NORMALISATION), algorithm)


def same_content(one: ComponentDescriptor, other: ComponentDescriptor) -> bool:
    """Whether two descriptors are equal but for signatures and where local content is."""
    return _content(one) == _content(other) and component_digest(one) == component_digest(other)


def keeps_signatures(new: ComponentDescriptor, old: ComponentDescriptor) -> bool:
    """Whether every signature of ``old`` is in ``new`` too."""
    signatures = [signature.to_json() for signature in new.signatures]
    return all(signature.to_json() in signatures for signature in old.signatures)


def elements_of(descriptor: ComponentDescriptor) -> tuple[Resource | Source, ...]:
    """Return the elements that have content: the resources, then the sources."""
    return (*descriptor.component.resources, *descriptor.component.sources)


def undigested(descriptor: ComponentDescriptor) -> tuple[Resource | Reference, ...]:
    """Return what has no digest, so that no digest of the descriptor vouches for its content."""
    component = descriptor.component
    return (
        *(one for one in component.resources if not (one.access.is_none or _has(one.digest))),
        *(one for one in component.component_references if not _has(one.digest)),
    )


def _has(digest: DigestSpec | None) -> bool:
    return digest is not None and bool(digest.value)


def _content(descriptor: ComponentDescriptor) -> Any:  # noqa: ANN401 - plain JSON data
    value = descriptor.to_json()
    value.pop("signatures", None)
    value.pop("nestedDigests", None)
    component = value["component"]
    shown = (*(component["resources"] or []), *(component["sources"] or []))
    for element, its_value in zip(elements_of(descriptor), shown, strict=True):
        if element.access.is_local_blob:
            del its_value["access"]
    return _without_nothing(value)


def _without_nothing(value: Any) -> Any:  # noqa: ANN401 - plain JSON data
    """Drop members that are null, empty lists or empty objects: stores write them as they like."""
    if isinstance(value, dict):
        kept = {name: _without_nothing(member) for name, member in value.items()}
        return {name: member for name, member in kept.items() if member not in (None, [], {})}
    if isinstance(value, list):
        return [_without_nothing(member) for member in value]
    return value
