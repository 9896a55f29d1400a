"""Turn a constructor and the files beside it into descriptors and their content.

Digests are complete afterwards: of all content, and of every component version that is referred to.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ocm_pkg.errors import (
    ComponentVersionNotFoundError,
    DigestMismatchError,
    InvalidDocumentError,
    OcmPkgError,
    UnreachableContentError,
)
from ocm_pkg.fs.inputs import FILE_MEDIA_TYPE, Inputs
from ocm_pkg.model.access import AccessSpec
from ocm_pkg.model.descriptor import ComponentDescriptor, Resource
from ocm_pkg.model.digest import Digest, algorithm_of, digest_of
from ocm_pkg.model.identity import show
from ocm_pkg.model.normalise import normalise
from ocm_pkg.model.published import NORMALISATION, component_digest, undigested
from ocm_pkg.store.digester import digest_external, digest_spec, is_external

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ocm_pkg.fs.inputs import Workplace
    from ocm_pkg.model.constructor import (
        Constructor,
        ConstructorComponent,
        ConstructorReference,
        ConstructorResource,
        ConstructorSource,
        InputSpec,
        Provider,
    )
    from ocm_pkg.ports import Blob, ResourceRepository
    from ocm_pkg.store.copying import Contents, ElementKey

    Key: TypeAlias = tuple[str, str]
    Locate: TypeAlias = Callable[[Sequence[str | int]], tuple[str, Sequence[str]]]
    Resolve: TypeAlias = Callable[[str, str], ComponentDescriptor]

_WITHOUT = "write its digest into the constructor, or use --skip-reference-digest-processing"
_EMPTY: tuple[object, ...] = ([], {}, None)


@dataclass(frozen=True, slots=True)
class Constructed:
    """A component version that is ready to be published.

    ``contents`` has a blob with digest and size for each element that has an input. ``warnings``
    say which references have a digest that vouches for less than all below them.
    """

    descriptor: ComponentDescriptor
    contents: Contents
    warnings: tuple[str, ...] = ()


def construct(
    constructor: Constructor,
    workplace: Workplace,
    *,
    resolve: Resolve | None = None,
    locate: Locate | None = None,
    external: ResourceRepository | None = None,
) -> tuple[Constructed, ...]:
    """Return the component versions of a constructor, those that others refer to first.

    ``resolve`` returns a component version that is referred to and isn't in the constructor; each
    reference gets the digest of what it refers to. ``external`` is asked for the digest of each
    resource in an OCI registry that has none; its access stays as it is, and a digest that is
    given is taken. Without ``external`` such resources get no digest. ``locate`` returns
    ``FILE:LINE:COLUMN`` of a path in the constructor, and the line itself, for errors.

    Raises ``FileMissingError``; ``InvalidDocumentError`` for an input outside the folder, that is
    no file or folder, or of a type that needs a plugin; ``UsageError`` for a folder that can't be
    packed; ``LocalStorageError``; ``ComponentVersionNotFoundError`` and ``DigestMismatchError`` for
    a reference; ``UnreachableContentError`` for a resource that can't be read.
    """
    return _Construction(constructor, workplace, resolve, locate, external).run()


class _Construction:
    def __init__(
        self,
        constructor: Constructor,
        workplace: Workplace,
        resolve: Resolve | None,
        locate: Locate | None,
        external: ResourceRepository | None,
    ) -> None:
        self._components = {(one.name, one.version): one for one in constructor.components}
        self._place = {key: index for index, key in enumerate(self._components)}
        self._inputs = Inputs(workplace)
        self._resolve = resolve
        self._locate = locate
        self._external = external
        self._done: dict[Key, Constructed] = {}
        self._warnings: dict[Key, list[str]] = {}

    def run(self) -> tuple[Constructed, ...]:
        for key in self._components:
            self._make(key, ())
        return tuple(self._done.values())

    def _make(self, key: Key, parents: tuple[Key, ...]) -> ComponentDescriptor:
        if key in parents:
            circle = " -> ".join(f"{name}:{version}" for name, version in (*parents, key))
            raise InvalidDocumentError(
                f"component references form a circle: {circle}", hint="remove one of them"
            )
        if key not in self._done:
            component = self._components[key]
            references = []
            for index, reference in enumerate(component.component_references):
                with self._located(key, ("componentReferences", index)):
                    references.append(self._reference(reference, key, (*parents, key)))
            self._done[key] = self._component(component, references)
        return self._done[key].descriptor

    def _component(
        self, component: ConstructorComponent, references: list[dict[str, Any]]
    ) -> Constructed:
        contents: dict[ElementKey, Blob] = {}
        value = _plain(component.to_json())
        value |= {
            "provider": _provider(component.provider),
            "repositoryContexts": [],
            "resources": self._elements(component, "resources", component.resources, contents),
            "sources": self._elements(component, "sources", component.sources, contents),
            "componentReferences": references,
        }
        document: dict[str, Any] = {
            "meta": {"schemaVersion": "v2"},
            "component": value,
            "signatures": [],
            "nestedDigests": [],
        }
        what = f"{component.name}:{component.version}"
        descriptor = ComponentDescriptor.from_json(document, name=what)
        warnings = self._warnings.get((component.name, component.version), ())
        return Constructed(descriptor, contents, tuple(warnings))

    def _elements(
        self,
        component: ConstructorComponent,
        member: Literal["resources", "sources"],
        elements: Sequence[ConstructorResource | ConstructorSource],
        contents: dict[ElementKey, Blob],
    ) -> list[dict[str, Any]]:
        values = []
        for index, element in enumerate(elements):
            value = _plain(element.to_json())
            value.pop("options", None)
            if element.input is not None:
                del value["input"]
                blob = self._content(component, element.input, (member, index, "input"))
                contents[member, index] = blob
                value |= _described(blob, is_resource=member == "resources")
            elif member == "resources" and "digest" not in value:
                with self._located((component.name, component.version), (member, index, "access")):
                    value |= self._elsewhere(value)
            values.append(value)
        return values

    def _content(
        self, component: ConstructorComponent, spec: InputSpec, path: tuple[str | int, ...]
    ) -> Blob:
        with self._located((component.name, component.version), path):
            return self._inputs.blob(spec)

    def _elsewhere(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return the digest of a resource whose content is in an OCI registry."""
        resource = Resource.model_validate(value)
        if self._external is None or not is_external(resource.access):
            return {}
        try:
            digest = digest_external(self._external, resource).digest
        except UnreachableContentError as error:
            error.hint = "; or ".join(filter(None, (error.hint, _WITHOUT)))
            raise
        return {} if digest is None else {"digest": digest.to_json()}

    @contextmanager
    def _located(self, key: Key, path: tuple[str | int, ...]) -> Iterator[None]:
        """Let an error of the block say where in the constructor its cause is."""
        try:
            yield
        except OcmPkgError as error:
            if error.at is None and self._locate is not None:
                error.at, lines = self._locate(("components", self._place[key], *path))
                error.detail = (*lines, *error.detail)
            raise

    def _reference(
        self, reference: ConstructorReference, parent: Key, parents: tuple[Key, ...]
    ) -> dict[str, Any]:
        value = _plain(reference.to_json())
        child = (reference.component_name, reference.version)
        found = self._found(child, parent, parents)
        if found is None:
            return value
        if missing := undigested(found):
            self._warnings.setdefault(parent, []).append(
                f"{parent[0]}:{parent[1]} refers to {child[0]}:{child[1]}, which has no digest for "
                f"{show(missing[0].identity)}: verify will refuse that; complete the digests of "
                f"{child[0]} first, and make this one after it"
            )
        if reference.digest is None:
            spec = digest_spec(component_digest(found))
            return {**value, "digest": spec.to_json() | {"normalisationAlgorithm": NORMALISATION}}
        stated = reference.digest
        algorithm = algorithm_of(stated.hash_algorithm)
        actual = digest_of(normalise(found, stated.normalisation_algorithm), algorithm)
        if Digest(algorithm, stated.value) != actual:
            raise DigestMismatchError(
                f"the reference {reference.name!r} of {parent[0]}:{parent[1]} has another digest "
                f"than {child[0]}:{child[1]}, which has {actual}",
                hint="correct the digest, or leave it out",
            )
        return value

    def _found(
        self, child: Key, parent: Key, parents: tuple[Key, ...]
    ) -> ComponentDescriptor | None:
        if child in self._components:
            return self._make(child, parents)
        if self._resolve is None:
            return None
        try:
            return self._resolve(*child)
        except ComponentVersionNotFoundError as error:
            raise ComponentVersionNotFoundError(
                f"{parent[0]}:{parent[1]} refers to {child[0]}:{child[1]}, which is neither in "
                "the constructor nor in the repository",
                hint="add it to the repository first, or to the constructor",
            ) from error


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    return {name: member for name, member in value.items() if member not in _EMPTY}


def _provider(provider: Provider) -> str:
    """Return the provider as a descriptor has it: a name, or with labels an object as text."""
    value = _plain(provider.to_json())
    if set(value) == {"name"}:
        return provider.name
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _described(blob: Blob, *, is_resource: bool) -> dict[str, Any]:
    """Return how a descriptor reaches local content and, for a resource, its digest."""
    digest = blob.digest
    assert digest is not None  # noqa: S101 - for the type checker: every input was hashed
    access = AccessSpec.local_blob(digest, blob.media_type or FILE_MEDIA_TYPE)
    described = {"access": access.to_json()}
    if is_resource:
        described["digest"] = digest_spec(digest).to_json()
    return described
