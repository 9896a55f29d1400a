"""Component versions in any OCI store: the one implementation of ``ports.Repository``."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, cast

from ocm_pkg import __version__
from ocm_pkg.errors import (
    AlreadyExistsError,
    ComponentVersionNotFoundError,
    IntegrityError,
    InvalidDocumentError,
    OcmPkgError,
    StoreError,
)
from ocm_pkg.fs.blob import BytesBlob, read_all
from ocm_pkg.model.access import AccessSpec
from ocm_pkg.model.descriptor import ComponentDescriptor, Resource
from ocm_pkg.model.jsontext import Limits
from ocm_pkg.model.version import is_version, sort_versions, tag_of, version_of
from ocm_pkg.store import mapping, media
from ocm_pkg.store.artifact import read_artifact
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.digester import check_digest, digest_spec, outside
from ocm_pkg.store.mapping import StoredVersion

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from ocm_pkg.model.descriptor import Source
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.ports import Batches, Blob, ElementT
    from ocm_pkg.store.base import OCIStore, Repositories

CREATOR = f"ocm-pkg/{__version__}"
_KNOWN_VERSIONS = 64
_MANY = 100
"""So many versions are not sorted for a hint: most often the caller expects that one is missing."""


class ComponentRepository:
    """Component versions in ``store``; ``creator`` is written into their manifests.

    ``documents`` bounds the component descriptors that are read.
    """

    def __init__(
        self, store: OCIStore, *, creator: str = CREATOR, documents: Limits | None = None
    ) -> None:
        self.store = store
        self._documents = documents or Limits()
        self._creator = creator
        self._stored: dict[tuple[str, str], StoredVersion] = {}

    def put_blob(self, component: str, version: str, element: ElementT, blob: Blob) -> ElementT:
        """Store content; return the element with its access, a resource with its digest too.

        A digest that the element has already is compared: ``DigestMismatchError``. The media type
        is the blob's, else that of the element's access, else ``application/octet-stream``.
        """
        repository = mapping.repository_of(component)
        tag_of(version)
        media_type = blob.media_type or element.access.media_type or media.OCTET_STREAM
        if media_type in media.MANIFESTS:
            raise InvalidDocumentError(
                f"{element.name} is an OCI artifact ({media_type}), which is more than one blob",
                hint="give it as an archive of its OCI layout",
            )
        stored = self.store.push(repository, blob, media_type)
        what = f"{element.name} of {component}:{version}"
        return self._with_access(element, stored, what)

    @staticmethod
    def _with_access(element: ElementT, stored: OCIDescriptor, what: str) -> ElementT:
        access = element.access
        if not (
            access.is_local_blob
            and access.text("localReference") == str(stored.digest)
            and access.media_type == stored.media_type
        ):
            access = AccessSpec.local_blob(
                stored.digest, stored.media_type, element.access.reference_name
            )
        if not isinstance(element, Resource):
            return element.model_copy(update={"access": access})
        if element.digest is None:
            update = {"access": access, "digest": digest_spec(stored.digest)}
            return element.model_copy(update=update)
        check_digest(element.digest, stored.digest, what)
        return element.model_copy(update={"access": access})

    def add(self, descriptor: ComponentDescriptor, *, replace: bool = False) -> None:
        """Commit a component version whose local blobs were stored before.

        The bytes of a descriptor that was read and not changed are stored as they are. Raises
        ``AlreadyExistsError`` if another descriptor is there, unless ``replace``, and
        ``ResourceNotFoundError`` if content is missing.
        """
        name, version = descriptor.name, descriptor.version
        repository, tag = mapping.repository_of(name), tag_of(version)
        if self._is_there(descriptor, replace=replace):
            return
        packed = mapping.pack(
            descriptor, self._sizes(repository, descriptor), creator=self._creator
        )
        push = self.store.push
        push(repository, BytesBlob(packed.descriptor), packed.descriptor_media_type)
        push(repository, BytesBlob(packed.config), media.CONFIG)
        top = push(repository, BytesBlob(packed.manifest), media.OCI_MANIFEST)
        if packed.index is not None:
            top = push(repository, BytesBlob(packed.index), media.OCI_INDEX)
        self._stored.pop((name, version), None)
        self.store.tag(repository, top, tag, replace=replace)

    def batch(self) -> AbstractContextManager[None]:
        """Commit what is added in the block at its end, all or nothing, if the store can do so.

        See ``ports.Batches``. In a store that can't, each component version is committed at once.
        """
        batch = getattr(self.store, "batch", None)
        return nullcontext() if batch is None else cast("Batches", self.store).batch()

    def _is_there(self, descriptor: ComponentDescriptor, *, replace: bool) -> bool:
        """Whether the same descriptor is there; another one is an error, unless ``replace``."""
        name, version = descriptor.name, descriptor.version
        try:
            there = self.find(name, version)
        except StoreError:
            raise
        except OcmPkgError:
            if replace:
                return False
            raise
        if there == descriptor:
            return True
        if there is None or replace:
            return False
        raise AlreadyExistsError(
            f"{name}:{version} is there with other content",
            hint="choose another version, or replace it with --replace",
        )

    def _sizes(self, repository: str, descriptor: ComponentDescriptor) -> dict[Digest, int]:
        digests = {digest for _kind, _element, digest in mapping.local_elements(descriptor)}
        found = {digest: self.store.exists(repository, digest) for digest in digests}
        return {digest: one.size for digest, one in found.items() if one is not None}

    def get(self, component: str, version: str) -> ComponentDescriptor:
        """Return the descriptor; every document on the way to it is verified.

        Raises ``ComponentVersionNotFoundError``, ``IntegrityError`` for content that is not what
        it should be, and ``InvalidDocumentError`` for documents that break their format.
        """
        found = self.find(component, version)
        if found is None:
            raise self._not_found(component, version)
        return found

    def find(self, component: str, version: str) -> ComponentDescriptor | None:
        """Return the descriptor as ``get`` does; None if there is no such component version."""
        stored = self._load(component, version)
        if stored is None:
            return None
        what = f"{component}:{version}"
        data, media_type = mapping.read_descriptor(
            self._read(
                component, stored.descriptor, f"the descriptor of {what}", self._documents.size
            ),
            stored.descriptor.media_type,
            what,
        )
        name = f"the descriptor of {what}"
        descriptor = ComponentDescriptor.parse(data, media_type, name=name, limits=self._documents)
        if (descriptor.name, descriptor.version) != (component, version):
            raise IntegrityError(
                f"the descriptor of {what} is that of {descriptor.name}:{descriptor.version}",
                hint="it was stored under a wrong name: ask its provider to publish it again",
            )
        return descriptor

    def _load(self, component: str, version: str) -> StoredVersion | None:
        repository, what = mapping.repository_of(component), f"{component}:{version}"
        top = self.store.resolve(repository, tag_of(version))
        if top is None:
            return None
        manifest = top
        artifacts: tuple[OCIDescriptor, ...] = ()
        if top.media_type in media.INDEXES:
            entries = mapping.read_index(self._read(component, top, f"the index of {what}"), what)
            manifest, artifacts = entries[0], entries[1:]
        data = self._read(component, manifest, f"the manifest of {what}")
        config, layers = mapping.read_manifest(data, f"the manifest of {what}")
        data = self._read(component, config, f"the config of {what}")
        stored = StoredVersion(mapping.read_config(data, layers, what), layers, artifacts)
        if len(self._stored) >= _KNOWN_VERSIONS:
            self._stored.clear()
        self._stored[component, version] = stored
        return stored

    def _not_found(self, component: str, version: str) -> ComponentVersionNotFoundError:
        return ComponentVersionNotFoundError(
            f"{component}:{version} is not in the repository", hint=self._hint(component)
        )

    def _hint(self, component: str) -> str:
        try:
            tags = self.store.tags(mapping.repository_of(component))
        except StoreError:
            return "check the version; which others there are can't be told"
        if len(tags) > _MANY:
            return "it has many others: check the version"
        versions = _versions(tags)
        if versions:
            return f"it has {', '.join(versions[:5])}" + (", ..." if len(versions) > 5 else "")
        return "it has no version of that component: check its name and the repository"

    def _read(
        self, component: str, document: OCIDescriptor, what: str, limit: int = mapping.MAX_DOCUMENT
    ) -> bytes:
        if document.size > limit:
            raise InvalidDocumentError(
                f"{what} has {document.size} bytes, more than the {limit} that are allowed",
                hint="for a descriptor, --limit document-size=SIZE allows more",
            )
        blob = self.store.fetch(mapping.repository_of(component), document)
        return read_all(blob, limit, what)

    def versions(self, component: str) -> Sequence[str]:
        """Return the versions, newest first; tags that stand for no version are left out."""
        return _versions(self.store.tags(mapping.repository_of(component)))

    def blob(self, descriptor: ComponentDescriptor, element: Resource | Source) -> Blob:
        """Return the content of a local blob, verified as it is read.

        An OCI artifact that is stored with all of its parts comes as a tar of its OCI layout.
        Raises ``UnreachableContentError`` for content outside the repository, and
        ``InvalidDocumentError`` for an access of an unknown type.
        """
        what = f"{element.name} of {descriptor.name}:{descriptor.version}"
        stored, content = self._content(descriptor, element, what)
        repository = mapping.repository_of(descriptor.name)
        if stored.is_artifact(content):
            return read_artifact(self.store, repository, content, what)
        media_type = element.access.media_type or content.media_type
        return self.store.fetch(repository, OCIDescriptor(media_type, content.digest, content.size))

    def artifact(
        self, descriptor: ComponentDescriptor, element: Resource | Source
    ) -> Digest | None:
        """Return the manifest digest of an element that is an OCI artifact with all of its parts.

        None for all other content. Its digest is the manifest's, and not that of any tar.
        """
        if not element.access.is_local_blob:
            return None
        stored, content = self._content(descriptor, element, element.name)
        return content.digest if stored.is_artifact(content) else None

    def _content(
        self, descriptor: ComponentDescriptor, element: Resource | Source, what: str
    ) -> tuple[StoredVersion, OCIDescriptor]:
        access = element.access
        if not access.is_local_blob:
            raise outside(access, what)
        key = (descriptor.name, descriptor.version)
        known = self._stored.get(key)
        if known is not None:
            try:
                return known, known.content(access, what)
            except IntegrityError:
                self._stored.pop(key, None)
        stored = self._load(*key)
        if stored is None:
            raise self._not_found(*key)
        return stored, stored.content(access, what)


def _versions(tags: Sequence[str]) -> Sequence[str]:
    return sort_versions(
        version
        for version, tag in ((version_of(tag), tag) for tag in tags)
        if is_version(version) and tag_of(version) == tag
    )


class StoredComponents:
    """Lists the components of a store that knows its repositories (``ports.ComponentLister``)."""

    def __init__(self, store: Repositories) -> None:
        self._store = store

    def components(self) -> Sequence[str]:
        """Return the names of all components, sorted."""
        found = (mapping.component_of(name) for name in self._store.repositories())
        return sorted(name for name in found if name is not None)
