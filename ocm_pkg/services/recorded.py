"""Read where the binaries of a component version come from: the provenance beside each of them.

Whoever reads it has verified the descriptor; what is read is compared with what that one promises.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocm_pkg.errors import (
    AmbiguousResourceError,
    DigestMismatchError,
    IntegrityError,
    ResourceNotFoundError,
    escaped,
)
from ocm_pkg.fs.blob import read_all
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.documents import PROVENANCE
from ocm_pkg.model.provenance import MAX_BYTES, Provenance
from ocm_pkg.model.published import label_of
from ocm_pkg.model.select import platform_of
from ocm_pkg.model.shape import shape_of
from ocm_pkg.model.types import PLUGIN_RESOURCE
from ocm_pkg.store.contentcheck import stated_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocm_pkg.model.descriptor import ComponentDescriptor, Resource
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.ports import Repository


@dataclass(frozen=True, slots=True)
class Recorded:
    """One binary of a component version, and where it comes from: None if that is not said.

    ``digest`` is what the descriptor promises of its content.
    """

    resource: Resource
    platform: Platform
    digest: Digest | None
    provenance: Provenance | None


def read_recorded(
    descriptor: ComponentDescriptor,
    repository: Repository,
    *,
    signed: bool,
    resource: str | None = None,
) -> tuple[Recorded, ...]:
    """Return every binary for a platform, sorted; with ``resource`` those of that name.

    If ``signed``, every provenance must have a digest that the signature covers. Raises
    ``ResourceNotFoundError`` if there is no binary or no provenance, ``AmbiguousResourceError`` if
    several are for one platform, ``DigestMismatchError`` if one is not what was promised, and
    ``IntegrityError`` if one is of something else, or two don't agree on the sources.
    """
    what = f"{descriptor.name}:{descriptor.version}"
    found = _by_platform(
        [
            one
            for one in descriptor.component.resources
            if one.type == PLUGIN_RESOURCE and resource in (None, one.name)
        ],
        what,
    )
    if not found:
        raise ResourceNotFoundError(
            f"{what} has no {PLUGIN_RESOURCE} for any platform"
            + (f" with the name {resource!r}" if resource is not None else ""),
            hint="only plugins that were packaged with ocm-pkg can be built again",
        )
    read = _Reader(descriptor, repository, signed=signed)
    recorded = tuple(read.recorded(one, platform) for platform, one in sorted(found.items()))
    said = [one.provenance for one in recorded if one.provenance is not None]
    if not said:
        raise ResourceNotFoundError(
            f"{what} does not say what it was built from: it has no resource"
            f" {PROVENANCE.resource_name(recorded[0].resource.name)!r}",
            hint="ask its provider to package it with this version of ocm-pkg",
        )
    _agree(said, what)
    return recorded


def _by_platform(resources: Sequence[Resource], what: str) -> dict[Platform, Resource]:
    found: dict[Platform, Resource] = {}
    for one in resources:
        platform = platform_of(one.extra_identity)
        if platform is None:
            continue
        if platform in found:
            raise AmbiguousResourceError(
                f"{what} has several resources for {platform}:"
                f" {label_of(found[platform])}; {label_of(one)}",
                hint="choose one with --resource NAME",
            )
        found[platform] = one
    return found


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the provenance of one component version."""

    descriptor: ComponentDescriptor
    repository: Repository
    signed: bool

    def recorded(self, binary: Resource, platform: Platform) -> Recorded:
        """Return what is recorded of one binary."""
        label = self._label(binary)
        promised = stated_digest(binary, label) if binary.digest else None
        name = PROVENANCE.resource_name(binary.name)
        fitting = [
            one
            for one in self.descriptor.component.resources
            if (one.name, one.type) == (name, PROVENANCE.name)
        ]
        document = _by_platform(fitting, self._label()).get(platform)
        if document is None:
            return Recorded(binary, platform, promised, None)
        what = self._label(document)
        said = Provenance.parse(self._read(document, what), name=what)
        self._check(said, what, platform, shape_of(binary).shape, promised)
        return Recorded(binary, platform, promised, said)

    def _label(self, resource: Resource | None = None) -> str:
        version = f"{self.descriptor.name}:{self.descriptor.version}"
        return version if resource is None else f"{label_of(resource)} of {version}"

    def _check(
        self, said: Provenance, what: str, platform: Platform, shape: str, promised: Digest | None
    ) -> None:
        expected: dict[str, tuple[object, object]] = {
            "component": (said.component, self.descriptor.name),
            "version": (said.version, self.descriptor.version),
            "platform": (said.platform, platform),
            "shape": (said.shape, shape),
        }
        if promised is not None and promised.algorithm == said.digest.algorithm:
            expected["digest"] = (said.digest, promised)
        for member, (here, there) in expected.items():
            if here != there:
                raise IntegrityError(
                    f"{what} is the provenance of something else: its {member} is"
                    f" {escaped(str(here), 200)}, not {there}",
                    hint="tell its provider; nothing was built",
                )

    def _read(self, document: Resource, what: str) -> bytes:
        promised = stated_digest(document, what) if self.signed or document.digest else None
        if self.signed and promised is None:
            raise DigestMismatchError(
                f"{what} is excluded from the signature, so nothing vouches for it",
                hint="ask its provider to sign it anew; nothing was built",
            )
        data = read_all(self.repository.blob(self.descriptor, document), MAX_BYTES, what)
        if promised is not None and (got := digest_of(data, promised.algorithm)) != promised:
            raise DigestMismatchError(
                f"{what} is not what was signed: expected {promised}, got {got}",
                hint="the repository was changed; nothing was built",
            )
        return data


def _agree(said: Sequence[Provenance], what: str) -> None:
    """Refuse provenance that names other sources than its sibling: a release has one source."""
    first = said[0]
    for other in said[1:]:
        for member, one, two in (
            ("commit", first.commit, other.commit),
            ("repository", first.location.repository, other.location.repository),
            ("folder", first.location.folder, other.location.folder),
            ("configuration", first.config, other.config),
            ("lock", first.lock, other.lock),
        ):
            if one != two:
                raise IntegrityError(
                    f"{what} was built from several sources: the {member} is {one} for"
                    f" {first.platform}, {two} for {other.platform}",
                    hint="tell its provider; nothing was built",
                )
