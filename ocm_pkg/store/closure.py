"""A component version and all that it refers to, directly and further down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocm_pkg.errors import DigestMismatchError, InvalidDocumentError
from ocm_pkg.model.digest import Digest, algorithm_of, digest_of
from ocm_pkg.model.normalise import normalise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocm_pkg.model.descriptor import ComponentDescriptor, Reference
    from ocm_pkg.ports import Repository

MAX_DEPTH = 64
MAX_COMPONENTS = 1000


@dataclass(frozen=True, slots=True)
class ReferenceLimits:
    """How far references are followed: levels below the first, and component versions in all."""

    depth: int = MAX_DEPTH
    components: int = MAX_COMPONENTS


def closure(
    repository: Repository, component: str, version: str, limits: ReferenceLimits | None = None
) -> Sequence[ComponentDescriptor]:
    """Return the component version and what it refers to; what is referred to comes first.

    Each is read once. Raises ``InvalidDocumentError`` for a cycle, or for more levels or
    component versions than allowed, and ``DigestMismatchError`` if one is not what the digest of
    a reference says.
    """
    return _Walk(repository, limits or ReferenceLimits()).run(component, version)


class _Walk:
    def __init__(self, repository: Repository, limits: ReferenceLimits) -> None:
        self._repository = repository
        self._limits = limits
        self._known: dict[tuple[str, str], ComponentDescriptor] = {}
        self._done: dict[tuple[str, str], ComponentDescriptor] = {}

    def run(self, component: str, version: str) -> Sequence[ComponentDescriptor]:
        self._visit((component, version), ())
        return tuple(self._done.values())

    def _visit(self, key: tuple[str, str], path: tuple[tuple[str, str], ...]) -> None:
        if key in path:
            circle = " -> ".join(f"{name}:{version}" for name, version in (*path, key))
            raise InvalidDocumentError(f"component references form a circle: {circle[:500]}")
        if len(path) > self._limits.depth:
            raise InvalidDocumentError(
                f"component references go deeper than {self._limits.depth} levels",
                hint="--limit reference-depth=NUMBER allows more",
            )
        descriptor = self._get(key)
        if key in self._done:
            return
        for reference in descriptor.component.component_references:
            child = (reference.component_name, reference.version)
            self._visit(child, (*path, key))
            check_reference(reference, self._known[child], f"{key[0]}:{key[1]}")
        self._done[key] = descriptor

    def _get(self, key: tuple[str, str]) -> ComponentDescriptor:
        if key not in self._known:
            if len(self._known) >= self._limits.components:
                raise InvalidDocumentError(
                    f"component references lead to more than {self._limits.components} components",
                    hint="--limit components=NUMBER allows more",
                )
            self._known[key] = self._repository.get(*key)
        return self._known[key]


def check_reference(reference: Reference, found: ComponentDescriptor, parent: str) -> None:
    """Raise ``DigestMismatchError`` if ``found`` is not what the reference's digest says.

    A reference without a digest promises nothing.
    """
    stated = reference.digest
    if stated is None or not stated.value:
        return
    algorithm = algorithm_of(stated.hash_algorithm)
    promised = Digest(algorithm, stated.value)
    actual = digest_of(normalise(found, stated.normalisation_algorithm), algorithm)
    if actual != promised:
        raise DigestMismatchError(
            f"{found.name}:{found.version} is not what {parent} refers to: "
            f"expected {promised}, got {actual}",
            hint="one of the two was changed; get both from where they were published",
        )
