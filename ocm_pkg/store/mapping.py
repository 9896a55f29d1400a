"""A component version as OCI content: manifest, config and layers, and back; pure.

What is written is what both reference implementations read: a manifest whose config names the
layer with the component descriptor, then one layer for each distinct local blob. Local blobs that
are OCI artifacts themselves are entries of an index instead, whose first entry is that manifest.
"""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ocm_pkg.errors import (
    IntegrityError,
    InvalidDocumentError,
    InvalidReferenceError,
    ResourceNotFoundError,
)
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.jsontext import Limits, parse_json
from ocm_pkg.model.reference import component_name_ok
from ocm_pkg.store import media
from ocm_pkg.store.base import OCIDescriptor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ocm_pkg.model.access import AccessSpec
    from ocm_pkg.model.descriptor import ComponentDescriptor, Resource, Source
    from ocm_pkg.model.digest import Digest

MAX_DOCUMENT = 4 * 1024 * 1024
"""Bytes that a manifest, index, config or descriptor may have."""

_PREFIX = "component-descriptors/"
_LIMITS = Limits(size=MAX_DOCUMENT)
_PLATFORM_KEYS = ("architecture", "os", "os.version", "os.features", "variant")


def repository_of(component: str) -> str:
    """Return the OCI repository of a component; ``InvalidReferenceError`` for no component name."""
    if not component_name_ok(component):
        raise InvalidReferenceError(
            f"{component[:80]!r} is not a component name",
            hint="a component name looks like example.com/plugins/hello",
        )
    return _PREFIX + component


def component_of(repository: str) -> str | None:
    """Return the component of an OCI repository, or None if it holds none."""
    name = repository.removeprefix(_PREFIX)
    return name if name != repository and component_name_ok(name) else None


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """What manifest, or index and manifest, say of a component version."""

    descriptor: OCIDescriptor
    layers: tuple[OCIDescriptor, ...]
    artifacts: tuple[OCIDescriptor, ...] = ()
    _contents: Mapping[Digest, OCIDescriptor] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found: dict[Digest, OCIDescriptor] = {}
        for each in (*self.layers, *self.artifacts):
            if each.digest != self.descriptor.digest:
                found.setdefault(each.digest, each)
        object.__setattr__(self, "_contents", found)

    def content(self, access: AccessSpec, what: str) -> OCIDescriptor:
        """Return the layer or artifact that a local blob access refers to.

        Raises ``InvalidDocumentError`` for a reference that is no digest, and ``IntegrityError``
        for one that the manifest does not have.
        """
        wanted = access.local_reference
        if wanted in self._contents:
            return self._contents[wanted]
        raise IntegrityError(
            f"{what} refers to {wanted}, which the component version does not have",
            hint="the component version is broken: ask its provider to publish it again",
        )

    def is_artifact(self, content: OCIDescriptor) -> bool:
        """Whether content is an OCI artifact with blobs of its own, and not just bytes."""
        return content.media_type in media.MANIFESTS and content in self.artifacts


@dataclass(frozen=True, slots=True)
class Packed:
    """The documents of a component version, in the order in which they are stored."""

    descriptor: bytes
    descriptor_media_type: str
    config: bytes
    manifest: bytes
    index: bytes | None


def pack(descriptor: ComponentDescriptor, sizes: Mapping[Digest, int], *, creator: str) -> Packed:
    """Return the documents for ``descriptor``, whose local blobs have the given ``sizes``.

    The bytes that the descriptor was read from are kept if nothing was changed. The same input
    gives the same bytes. Raises ``ResourceNotFoundError`` for a local blob without a size.
    """
    data, media_type = _encoded(descriptor)
    layer = OCIDescriptor(media_type, digest_of(data), len(data))
    config = _json({"componentDescriptorLayer": layer.to_json()})
    annotations = {
        media.COMPONENT_VERSION: f"{descriptor.name}:{descriptor.version}",
        media.CREATOR: creator,
    }
    contents = _contents(descriptor, sizes)
    layers = [layer, *(each for each in contents if each.media_type not in media.MANIFESTS)]
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": media.OCI_MANIFEST,
            "artifactType": media.DESCRIPTOR,
            "config": OCIDescriptor(media.CONFIG, digest_of(config), len(config)).to_json(),
            "layers": [each.to_json() for each in layers],
            "annotations": annotations,
        }
    )
    artifacts = [each for each in contents if each.media_type in media.MANIFESTS]
    index = _index(manifest, artifacts, annotations) if artifacts else None
    return Packed(data, media_type, config, manifest, index)


def _encoded(descriptor: ComponentDescriptor) -> tuple[bytes, str]:
    encoded = descriptor.encoded
    if encoded is not None and encoded.media_type in media.DESCRIPTOR_PLAIN:
        return encoded.data, encoded.media_type
    return descriptor.encode(), media.DESCRIPTOR_JSON


def _index(
    manifest: bytes, artifacts: Sequence[OCIDescriptor], annotations: Mapping[str, str]
) -> bytes:
    first = OCIDescriptor(
        media.OCI_MANIFEST,
        digest_of(manifest),
        len(manifest),
        annotations,
        artifact_type=media.DESCRIPTOR,
    )
    return _json(
        {
            "schemaVersion": 2,
            "mediaType": media.OCI_INDEX,
            "manifests": [each.to_json() for each in (first, *artifacts)],
            "annotations": dict(annotations),
        }
    )


def local_elements(
    descriptor: ComponentDescriptor,
) -> Iterable[tuple[str, Resource | Source, Digest]]:
    """Give kind, element and digest of everything whose content is a local blob."""
    for kind, elements in (
        ("resource", descriptor.component.resources),
        ("source", descriptor.component.sources),
    ):
        for element in elements:
            if element.access.is_local_blob:
                yield kind, element, element.access.local_reference


def _contents(descriptor: ComponentDescriptor, sizes: Mapping[Digest, int]) -> list[OCIDescriptor]:
    """Return one OCI descriptor for each distinct local blob, in the order of the elements."""
    users: dict[Digest, list[tuple[str, Resource | Source]]] = {}
    for kind, element, digest in local_elements(descriptor):
        users.setdefault(digest, []).append((kind, element))
    return [_content(digest, elements, sizes) for digest, elements in users.items()]


def _content(
    digest: Digest, users: Sequence[tuple[str, Resource | Source]], sizes: Mapping[Digest, int]
) -> OCIDescriptor:
    first = users[0][1]
    if digest not in sizes:
        raise ResourceNotFoundError(
            f"the content of {first.name} ({digest}) is not in the repository",
            hint="store its content before the component version",
        )
    artifact = [
        {"identity": {**element.extra_identity, "name": element.name, "version": element.version},
         "kind": kind}
        for kind, element in users
    ]  # fmt: skip
    platforms = [_platform(element.extra_identity) for _kind, element in users]
    return OCIDescriptor(
        first.access.media_type or media.OCTET_STREAM,
        digest,
        sizes[digest],
        {media.ARTIFACT: _json(artifact, sort=True).decode()},
        platforms[0] if all(each == platforms[0] for each in platforms) else None,
    )


def _platform(extra_identity: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the OCI platform of an identity; ``os`` and ``architecture`` are required in one."""
    found: dict[str, Any] = {
        key: extra_identity[key] for key in _PLATFORM_KEYS if key in extra_identity
    }
    if not found:
        return None
    if "os.features" in found:
        found["os.features"] = found["os.features"].split(",")
    return {"architecture": "", "os": "", **found}


def _json(value: object, *, sort: bool = False) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=sort)
    return text.encode()


def media_type_of(data: bytes, what: str) -> str:
    """Return the media type that a manifest or index gives itself; if none, what it looks like."""
    value = parse_json(data, name=what, limits=_LIMITS)
    members = value if isinstance(value, dict) else {}
    named = members.get("mediaType")
    if isinstance(named, str):
        return named
    return media.OCI_INDEX if "manifests" in members else media.OCI_MANIFEST


def read_manifest(data: bytes, what: str) -> tuple[OCIDescriptor, tuple[OCIDescriptor, ...]]:
    """Return config and layers of a component version's manifest, else ``InvalidDocumentError``."""
    value = _document(data, media.OCI_MANIFEST, what)
    config = OCIDescriptor.from_json(value.get("config"), what=f"the config of {what}")
    if config.media_type not in media.CONFIGS:
        raise InvalidDocumentError(
            f"{what} is no component version: its config is {config.media_type[:80]!r}"
        )
    return config, _list(value, "layers", what)


def read_index(data: bytes, what: str) -> tuple[OCIDescriptor, ...]:
    """Return the entries of an index: first the descriptor's manifest, then OCI artifacts."""
    entries = _list(_document(data, media.OCI_INDEX, what), "manifests", what)
    if not entries or entries[0].media_type != media.OCI_MANIFEST:
        raise InvalidDocumentError(
            f"{what} is no component version: its first entry is no manifest"
        )
    return entries


def read_config(data: bytes, layers: Sequence[OCIDescriptor], what: str) -> OCIDescriptor:
    """Return the layer with the component descriptor, as the config names it."""
    value = parse_json(data, name=f"the config of {what}", limits=_LIMITS)
    named = value.get("componentDescriptorLayer") if isinstance(value, dict) else None
    layer = OCIDescriptor.from_json(named, what=f"the descriptor layer of {what}")
    if layer.media_type not in media.DESCRIPTOR_PLAIN | media.DESCRIPTOR_TAR:
        raise InvalidDocumentError(
            f"{what} has a component descriptor of type {layer.media_type[:80]!r}",
            hint="this version reads component descriptors v2 as JSON, YAML and YAML in a tar",
        )
    if all((layer.digest, layer.size) != (each.digest, each.size) for each in layers):
        raise InvalidDocumentError(f"the config of {what} names a layer that the manifest lacks")
    return layer


def read_descriptor(data: bytes, media_type: str, what: str) -> tuple[bytes, str]:
    """Return a descriptor's text and its media type, taken out of the tar if it is in one.

    The tar must have the entry ``component-descriptor.yaml`` (a leading ``/`` doesn't count) as a
    regular file, or it is an ``InvalidDocumentError``.
    """
    if media_type in media.DESCRIPTOR_PLAIN:
        return data, media_type
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                if member.name.lstrip("/") == media.DESCRIPTOR_FILE and _is_plain(member, data):
                    start = member.offset_data
                    return data[start : start + member.size], media.DESCRIPTOR_YAML
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise InvalidDocumentError(f"the descriptor of {what} is no tar: {error}") from error
    raise InvalidDocumentError(
        f"the descriptor of {what} is a tar without {media.DESCRIPTOR_FILE}",
        hint=f"the entry is named exactly {media.DESCRIPTOR_FILE}, without ./",
    )


def _is_plain(member: tarfile.TarInfo, data: bytes) -> bool:
    return (
        member.isreg() and not member.issparse() and member.offset_data + member.size <= len(data)
    )


def _document(data: bytes, media_type: str, what: str) -> dict[str, Any]:
    value = parse_json(data, name=what, limits=_LIMITS)
    if not isinstance(value, dict) or value.get("schemaVersion") != 2:
        raise InvalidDocumentError(f"{what} is no OCI document with schema version 2")
    if value.get("mediaType", media_type) != media_type:
        raise InvalidDocumentError(f"{what} says that it is {str(value['mediaType'])[:80]!r}")
    return value


def _list(value: Mapping[str, Any], member: str, what: str) -> tuple[OCIDescriptor, ...]:
    entries = value.get(member)
    if not isinstance(entries, list):
        raise InvalidDocumentError(f"{what} has no {member}")
    return tuple(
        OCIDescriptor.from_json(entry, what=f"{member}[{number}] of {what}")
        for number, entry in enumerate(entries)
    )
