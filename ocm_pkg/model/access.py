"""How the content of a resource or source is reached; an unknown sort is kept as it came."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.digest import Digest
from ocm_pkg.model.document import Document

LOCAL_BLOB = "localBlob/v1"
"""The spelling that we write; readers of every age understand it."""

_LOCAL_BLOB = frozenset({"localBlob", "LocalBlob"})
_OCI_ARTIFACT = frozenset(
    {"ociArtifact", "OCIArtifact", "ociRegistry", "ociImage", "OCIImage", "OCIRegistry"}
)
NONE_TYPES = frozenset({"none", "None"})
"""The two spellings of the access of an element that has no content."""


class AccessSpec(Document):
    """The ``access`` of an element: a type and whatever members that type has."""

    type: Annotated[str, Field(min_length=1)]

    @classmethod
    def local_blob(
        cls, digest: Digest, media_type: str, reference_name: str | None = None
    ) -> AccessSpec:
        """Return the access to a blob stored with the component version.

        ``reference_name`` is a ``repository:tag`` hint for a later upload as OCI artifact.
        """
        spec = {"type": LOCAL_BLOB, "localReference": str(digest), "mediaType": media_type}
        if reference_name is not None:
            spec["referenceName"] = reference_name
        return cls.model_validate(spec)

    @property
    def kind(self) -> str:
        """The type without ``/v1``; other versions of a type are types of their own."""
        return self.type.removesuffix("/v1")

    @property
    def is_local_blob(self) -> bool:
        """Whether the content is a blob of the component version's own repository."""
        return self.kind in _LOCAL_BLOB

    @property
    def is_oci_artifact(self) -> bool:
        """Whether the content is an OCI image or index that ``image_reference`` names."""
        return self.kind in _OCI_ARTIFACT

    @property
    def is_none(self) -> bool:
        """Whether the element is declared to have no content at all."""
        return self.type in NONE_TYPES

    @property
    def local_reference(self) -> Digest:
        """The digest of a local blob; anything that is no digest is refused."""
        return Digest.parse(self._required("localReference"))

    @property
    def media_type(self) -> str | None:
        """The media type of the content, if the access names one."""
        return self.text("mediaType")

    @property
    def reference_name(self) -> str | None:
        """The ``repository:tag`` hint of a local blob, if there is one."""
        return self.text("referenceName")

    @property
    def image_reference(self) -> str:
        """The reference of an OCI artifact, as it is written in the descriptor."""
        return self._required("imageReference")

    def text(self, member: str) -> str | None:
        """Return a member that is text (wire name), or nothing if there is none."""
        value = (self.model_extra or {}).get(member)
        return value if isinstance(value, str) else None

    def _required(self, member: str) -> str:
        value = self.text(member)
        if value is None:
            raise InvalidDocumentError(
                f"an access of type {self.type[:60]!r} has no {member}",
                hint=f"give {member} as text",
            )
        return value
