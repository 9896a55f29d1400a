"""A repository in memory, with switches for what a bad one does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocm_pkg.errors import AlreadyExistsError, ComponentVersionNotFoundError
from ocm_pkg.fs.blob import BytesBlob, read_all
from ocm_pkg.model.access import AccessSpec
from ocm_pkg.model.version import sort_versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocm_pkg.model.descriptor import ComponentDescriptor, Resource, Source
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.ports import Blob, ElementT

LIMIT = 64 * 1024 * 1024


class FakeRepository:
    """Keeps descriptors and blobs; counts how often each blob is opened.

    ``lies`` gives other bytes for a digest, without saying so.
    """

    def __init__(self) -> None:
        self.descriptors: dict[tuple[str, str], ComponentDescriptor] = {}
        self.blobs: dict[Digest, bytes] = {}
        self.lies: dict[Digest, bytes] = {}
        self.calls: list[str] = []

    def put_blob(self, component: str, version: str, element: ElementT, blob: Blob) -> ElementT:
        self.calls.append(f"put {component}:{version} {element.name}")
        data = read_all(blob, LIMIT, element.name)
        digest = BytesBlob(data).digest
        self.blobs[digest] = data
        media_type = blob.media_type or element.access.media_type or "application/octet-stream"
        return element.model_copy(update={"access": AccessSpec.local_blob(digest, media_type)})

    def add(self, descriptor: ComponentDescriptor, *, replace: bool = False) -> None:
        self.calls.append(f"add {descriptor.name}:{descriptor.version}")
        key = (descriptor.name, descriptor.version)
        if not replace and self.descriptors.get(key, descriptor) != descriptor:
            raise AlreadyExistsError("there with other content")
        self.descriptors[key] = descriptor

    def get(self, component: str, version: str) -> ComponentDescriptor:
        self.calls.append(f"get {component}:{version}")
        try:
            return self.descriptors[component, version]
        except KeyError:
            raise ComponentVersionNotFoundError(f"{component}:{version} is not there") from None

    def versions(self, component: str) -> Sequence[str]:
        return sort_versions(version for name, version in self.descriptors if name == component)

    def blob(self, descriptor: ComponentDescriptor, element: Resource | Source) -> Blob:
        digest = element.access.local_reference
        self.calls.append(f"blob {descriptor.name}:{descriptor.version} {element.name}")
        data = self.lies.get(digest, self.blobs[digest])
        return BytesBlob(data, element.access.media_type)
