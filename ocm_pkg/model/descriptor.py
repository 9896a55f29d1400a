"""Component descriptors: what a component version consists of, as it is stored and signed.

Models of schema v2. What others wrote is kept: unknown members, unknown access types, and, for a
descriptor that was not changed, the exact bytes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field, PrivateAttr

from ocm_pkg._typing import override
from ocm_pkg.errors import (
    AlreadyExistsError,
    AmbiguousResourceError,
    InvalidDocumentError,
    ResourceNotFoundError,
)
from ocm_pkg.model import identity as identities
from ocm_pkg.model.access import AccessSpec
from ocm_pkg.model.document import Document, read_document, refuse_twice
from ocm_pkg.model.jsontext import parse_json
from ocm_pkg.model.naming import (
    ComponentName,
    ElementName,
    ExtraIdentity,
    LabelVersion,
    NoneAsList,
    NonEmpty,
    SignatureName,
    Time,
    VersionText,
)
from ocm_pkg.model.v3alpha1 import API_VERSION, as_v2, as_v3alpha1

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ocm_pkg.model.document import JSONValue
    from ocm_pkg.model.identity import Identity
    from ocm_pkg.model.jsontext import Limits
    from ocm_pkg.model.yamltext import YamlDocument

SCHEMA_VERSION = "v2"
SAME_ELEMENT = "the same name, version and extraIdentity"
MEDIA_TYPE_JSON = "application/vnd.ocm.software.component-descriptor.v2+json"
MEDIA_TYPE_YAML = "application/vnd.ocm.software.component-descriptor.v2+yaml"
JSON_MEDIA_TYPES = frozenset(
    {MEDIA_TYPE_JSON, "application/vnd.gardener.cloud.cnudie.component-descriptor.v2+json"}
)
YAML_MEDIA_TYPES = frozenset(
    {MEDIA_TYPE_YAML, "application/vnd.gardener.cloud.cnudie.component-descriptor.v2+yaml"}
)


@dataclass(frozen=True, slots=True)
class Encoded:
    """The exact bytes of a descriptor, which is what digests of it cover, and their media type."""

    data: bytes
    media_type: str


class Label(Document):
    """A named piece of information; only with ``signing`` do signatures cover it."""

    name: NonEmpty
    value: Any
    version: LabelVersion | None = None
    signing: bool | None = None
    merge: dict[str, Any] | None = None


Labels: TypeAlias = Annotated[tuple[Label, ...], NoneAsList]


class DigestSpec(Document):
    """A digest as descriptors write it: which bytes, which hash, lower-case hex."""

    hash_algorithm: str
    normalisation_algorithm: str
    value: str


class SourceReference(Document):
    """Which source of the same component version a resource was made from."""

    identity_selector: dict[str, str] | None = None
    labels: Labels = ()


class Element(Document):
    """What resources, sources and references have in common.

    Name and every attribute of ``extra_identity`` together are the identity: a plugin is one
    resource per platform, all of them with the same name.
    """

    name: ElementName
    version: VersionText
    extra_identity: ExtraIdentity = Field(default_factory=dict)
    labels: Labels = ()

    @property
    def identity(self) -> dict[str, str]:
        """The attributes that set this element apart from its siblings."""
        return {**self.extra_identity, "name": self.name}

    @property
    def key(self) -> tuple[str, ...]:
        """What no two elements of one list may share: name, version and ``extra_identity``."""
        attributes = sorted(self.extra_identity.items())
        return (self.name, self.version, *(text for pair in attributes for text in pair))

    def label(self, name: str) -> Label | None:
        """Return the label of that name, or nothing."""
        return next((label for label in self.labels if label.name == name), None)


class Resource(Element):
    """One artifact that a component version delivers."""

    type: NonEmpty
    relation: Literal["local", "external"]
    access: AccessSpec
    src_refs: Annotated[tuple[SourceReference, ...], NoneAsList] = ()
    digest: DigestSpec | None = None


class Source(Element):
    """What a component version was made from."""

    type: NonEmpty
    access: AccessSpec


class Reference(Element):
    """Another component version that belongs to this one."""

    component_name: ComponentName
    digest: DigestSpec | None = None


class SignatureSpec(Document):
    """A signature value and how it was made."""

    algorithm: NonEmpty
    value: NonEmpty
    media_type: NonEmpty
    issuer: str | None = None


class Timestamp(Document):
    """When a timestamp authority saw a signature: its answer, and the time in there."""

    value: str
    time: Time | None = None


class Signature(Document):
    """A named signature of the normalised descriptor's digest."""

    name: SignatureName
    digest: DigestSpec
    signature: SignatureSpec
    timestamp: Timestamp | None = None


class ArtifactDigest(Document):
    """The digest of one element of a component version further down."""

    name: ElementName
    version: VersionText
    extra_identity: ExtraIdentity = Field(default_factory=dict)
    digest: DigestSpec | None = None


class NestedDigest(Document):
    """What a signature says of a component version further down."""

    name: ComponentName
    version: VersionText
    digest: DigestSpec | None = None
    resource_digests: Annotated[tuple[ArtifactDigest, ...], NoneAsList] = ()


class Meta(Document):
    """Which schema the descriptor follows."""

    schema_version: Literal["v2"]


class Component(Document):
    """Name, version and content of a component version; its lists may be null, but not missing."""

    name: ComponentName
    version: VersionText
    provider: NonEmpty
    creation_time: Time | None = None
    labels: Labels = ()
    repository_contexts: Annotated[tuple[dict[str, Any], ...], NoneAsList]
    resources: Annotated[tuple[Resource, ...], NoneAsList]
    sources: Annotated[tuple[Source, ...], NoneAsList]
    component_references: Annotated[tuple[Reference, ...], NoneAsList]


class ComponentDescriptor(Document):
    """The descriptor of one component version.

    Two are equal if their JSON is, whatever bytes they came from.
    """

    meta: Meta
    component: Component
    signatures: Annotated[tuple[Signature, ...], NoneAsList] = ()
    nested_digests: Annotated[tuple[NestedDigest, ...], NoneAsList] = ()

    _encoded: Encoded | None = PrivateAttr(default=None)
    _api_version: str | None = PrivateAttr(default=None)

    @classmethod
    def parse(
        cls, data: bytes, media_type: str, *, name: str, limits: Limits | None = None
    ) -> ComponentDescriptor:
        """Read a stored descriptor; ``name`` is what errors call it.

        ``media_type`` is one of ``JSON_MEDIA_TYPES`` or ``YAML_MEDIA_TYPES``. Anything that
        breaks the schema or the rules for names, versions and identities is an
        ``InvalidDocumentError``.
        """
        source: YamlDocument | None = None
        if media_type in JSON_MEDIA_TYPES:
            value = parse_json(data, name=name, limits=limits)
        elif media_type in YAML_MEDIA_TYPES:
            from ocm_pkg.model import yamltext

            source = yamltext.load(data, name=name, limits=limits)
            value = source.value
        else:
            raise InvalidDocumentError(
                f"{name} has the media type {media_type[:100]!r}, which is no component descriptor",
                hint=f"known: {MEDIA_TYPE_JSON}, {MEDIA_TYPE_YAML}",
            )
        descriptor = cls._read(value, source, name)
        descriptor._encoded = Encoded(bytes(data), media_type)  # noqa: SLF001  (an instance of this class)
        return descriptor

    @classmethod
    def from_json(cls, value: JSONValue, *, name: str) -> ComponentDescriptor:
        """Read a descriptor from JSON data, with the same checks as ``parse``."""
        return cls._read(value, None, name)

    @classmethod
    def _read(cls, value: JSONValue, source: YamlDocument | None, name: str) -> ComponentDescriptor:
        api_version = value.get("apiVersion") if isinstance(value, dict) else None
        if isinstance(value, dict) and "apiVersion" in value:
            value, source = as_v2(value, name), None
        _check_schema_version(value, source, name)
        descriptor = read_document(cls, value, source=source, what=name)
        _check_unique(descriptor, source, name)
        if api_version is not None:
            descriptor._api_version = API_VERSION  # noqa: SLF001  (an instance of this class)
        return descriptor

    @property
    def name(self) -> str:
        """The component's name."""
        return self.component.name

    @property
    def version(self) -> str:
        """The component's version."""
        return self.component.version

    @property
    def encoded(self) -> Encoded | None:
        """The bytes that this descriptor was parsed from; nothing once it was changed."""
        return self._encoded

    @property
    def api_version(self) -> str | None:
        """The ``apiVersion`` of a descriptor that is written in another schema than v2."""
        return self._api_version

    def in_schema(self, schema: str) -> ComponentDescriptor:
        """Return the same component version, to be written in schema ``v2`` or ``v3alpha1``."""
        copy, wanted = self.model_copy(), API_VERSION if schema == "v3alpha1" else None
        if wanted != self._api_version:
            copy._api_version, copy._encoded = wanted, None  # noqa: SLF001  (of this class)
        return copy

    def encode(self) -> bytes:
        """Return the descriptor in its schema as JSON: sorted keys, no white space."""
        value = self.to_json() if self._api_version is None else as_v3alpha1(self.to_json())
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    def select(self, identity: Identity) -> Resource:
        """Return the one resource that has every attribute of ``identity``.

        ``version`` may be among the attributes. Raises ``ResourceNotFoundError`` or
        ``AmbiguousResourceError``, which list the candidates.
        """
        resources = self.component.resources
        found = [one for one in resources if identities.matches(identity, _with_version(one))]
        if len(found) == 1:
            return found[0]
        wanted = identities.show(identity) or "no identity"
        where = f"{self.name}:{self.version}"
        if found:
            raise AmbiguousResourceError(
                f"{len(found)} resources of {where} match {wanted}",
                hint="add attributes to --identity until one is left",
                detail=_candidates(found),
            )
        raise ResourceNotFoundError(
            f"{where} has no resource that matches {wanted}",
            hint="choose one of these with --identity" if resources else "it has no resources",
            detail=_candidates(resources),
        )

    def with_resources(self, resources: Iterable[Resource]) -> ComponentDescriptor:
        """Return a copy with other resources."""
        component = self.component.model_copy(update={"resources": tuple(resources)})
        return self.model_copy(update={"component": component})

    def signature(self, name: str) -> Signature | None:
        """Return the signature of that name, or nothing."""
        return next((one for one in self.signatures if one.name == name), None)

    def with_signature(self, signature: Signature, *, replace: bool = False) -> ComponentDescriptor:
        """Return a copy with ``signature``; one of the same name is replaced, or is an error."""
        if self.signature(signature.name) is None:
            signatures = (*self.signatures, signature)
        elif replace:
            signatures = tuple(
                signature if one.name == signature.name else one for one in self.signatures
            )
        else:
            raise AlreadyExistsError(
                f"{self.name}:{self.version} has a signature {signature.name!r} already",
                hint="choose another name with --signature, or replace it with --force",
            )
        return self.model_copy(update={"signatures": signatures})

    @override
    def model_copy(
        self, *, update: Mapping[str, Any] | None = None, deep: bool = False
    ) -> ComponentDescriptor:
        """Return a copy; if anything is updated, it has no ``encoded`` bytes any more."""
        copy = super().model_copy(update=update, deep=deep)
        if update:
            copy._encoded = None  # noqa: SLF001  (an instance of this class)
        return copy

    @override
    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ComponentDescriptor):
            return NotImplemented
        return self.to_json() == other.to_json()

    @override
    def __hash__(self) -> int:
        return hash((self.name, self.version))


def _check_schema_version(value: JSONValue, source: YamlDocument | None, name: str) -> None:
    meta = value.get("meta") if isinstance(value, dict) else None
    found = meta.get("schemaVersion") if isinstance(meta, dict) else None
    if not isinstance(found, str) or found == SCHEMA_VERSION:
        return
    message = f"{name}: meta.schemaVersion is {found[:40]!r}, which is not known"
    hint = "known are v2 and ocm.software/v3alpha1; a newer ocm-pkg may know it"
    if source is not None:
        raise source.error(("meta", "schemaVersion"), message, hint)
    raise InvalidDocumentError(message, hint=hint)


def _check_unique(descriptor: ComponentDescriptor, source: YamlDocument | None, name: str) -> None:
    component = descriptor.component
    lists: dict[str, Sequence[Element]] = {
        "resources": component.resources,
        "sources": component.sources,
        "componentReferences": component.component_references,
    }
    for member, elements in lists.items():
        keys = [element.key for element in elements]
        refuse_twice(keys, SAME_ELEMENT, source=source, what=name, inside=("component", member))
    names = [signature.name for signature in descriptor.signatures]
    refuse_twice(names, "the same name", source=source, what=name, inside=("signatures",))


def _with_version(element: Element) -> dict[str, str]:
    return {"version": element.version, **element.identity}


def _candidates(elements: Iterable[Element]) -> list[str]:
    return [identities.show(_with_version(element)) for element in elements][:20]
