"""Manifests and indexes of any artifact: what they refer to and say; pure."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.jsontext import Limits, parse_json
from ocm_pkg.store import media
from ocm_pkg.store.base import OCIDescriptor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocm_pkg.model.digest import Digest

MAX_SIZE = 4 * 1024 * 1024
"""Bytes that a manifest or index may have."""

_LIMITS = Limits(size=MAX_SIZE)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest (``blobs``: its config and layers) or an index (``manifests``).

    ``artifact_type`` is what a list of referrers says: the config's media type if there is no
    other.
    """

    media_type: str
    blobs: tuple[OCIDescriptor, ...]
    manifests: tuple[OCIDescriptor, ...]
    subject: OCIDescriptor | None
    artifact_type: str | None
    annotations: Mapping[str, str]

    @classmethod
    def parse(cls, data: bytes, media_type: str | None, what: str) -> Manifest:
        """Read a document of ``media_type``; without one, of the type that it gives itself.

        Raises ``InvalidDocumentError`` if it isn't a manifest or index of OCI or Docker, says that
        it is of another type, or could be read as both.
        """
        value = parse_json(data, name=what, limits=_LIMITS)
        if not isinstance(value, dict) or value.get("schemaVersion") != 2:
            raise InvalidDocumentError(f"{what} is no document with schema version 2")
        kind = media_type or _own_type(value)
        if kind not in media.MANIFESTS:
            raise InvalidDocumentError(f"{what} is no manifest or index, but {kind[:80]!r}")
        if value.get("mediaType", kind) != kind:
            raise InvalidDocumentError(f"{what} says that it is {str(value['mediaType'])[:80]!r}")
        if ("layers" in value or "config" in value) and "manifests" in value:
            raise InvalidDocumentError(f"{what} is a manifest and an index at once")
        return cls._read(value, kind, what)

    @classmethod
    def _read(cls, value: dict[str, Any], kind: str, what: str) -> Manifest:
        subject, artifact_type = value.get("subject"), value.get("artifactType")
        blobs: tuple[OCIDescriptor, ...] = ()
        manifests: tuple[OCIDescriptor, ...] = ()
        if kind in media.INDEXES:
            manifests = _list(value, "manifests", what)
        else:
            config = OCIDescriptor.from_json(value.get("config"), what=f"the config of {what}")
            blobs = (config, *_list(value, "layers", what))
            artifact_type = artifact_type or config.media_type
        annotations = value.get("annotations")
        return cls(
            kind,
            blobs,
            manifests,
            None
            if subject is None
            else OCIDescriptor.from_json(subject, what=f"the subject of {what}"),
            artifact_type if isinstance(artifact_type, str) else None,
            MappingProxyType(_texts(annotations, what)),
        )

    def referrer(self, digest: Digest, size: int) -> OCIDescriptor:
        """Return how a list of referrers names this document, which has ``digest`` and ``size``."""
        return OCIDescriptor(
            self.media_type,
            digest,
            size,
            self.annotations,
            artifact_type=self.artifact_type,
        )


def _own_type(value: dict[str, Any]) -> str:
    named = value.get("mediaType")
    if isinstance(named, str):
        return named
    return media.OCI_INDEX if "manifests" in value else media.OCI_MANIFEST


def _list(value: dict[str, Any], member: str, what: str) -> tuple[OCIDescriptor, ...]:
    entries = value.get(member)
    if not isinstance(entries, list):
        raise InvalidDocumentError(f"{what} has no {member}")
    return tuple(
        OCIDescriptor.from_json(entry, what=f"{member}[{number}] of {what}")
        for number, entry in enumerate(entries)
    )


def _texts(annotations: object, what: str) -> dict[str, str]:
    if annotations is None:
        return {}
    if isinstance(annotations, dict) and all(isinstance(v, str) for v in annotations.values()):
        return annotations
    raise InvalidDocumentError(f"the annotations of {what} are not an object of texts")
