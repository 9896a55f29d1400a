"""A registry with an image in it, in memory, and resources that refer to it."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

from ocm_pkg.fs.blob import BytesBlob, copy_blob, read_all
from ocm_pkg.model.descriptor import Resource
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import media
from ocm_pkg.store.images import Images
from ocm_pkg.store.memory import MemoryStore

if TYPE_CHECKING:
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.ports import Blob
    from ocm_pkg.store.base import OCIDescriptor, OCIStore

HOST = "registry.example"
REPOSITORY = "acme/app"
REF = f"{HOST}/{REPOSITORY}"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


class Pushes(MemoryStore):
    """Writes down what was stored, in order; refuses a manifest before its parts, as some do."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[str] = []

    def push(self, repository: str, blob: Blob, media_type: str) -> OCIDescriptor:
        pushed = super().push(repository, blob, media_type)
        self.order.append(str(pushed.digest))
        if media_type in media.MANIFESTS:
            value = json.loads(read_all(self.fetch(repository, pushed), 10_000, "it"))
            children = [*value.get("layers", ()), *value.get("manifests", ())]
            for child in [*children, *([value["config"]] if "config" in value else ())]:
                assert child["digest"] in self.order
        return pushed

    def tag(
        self, repository: str, descriptor: OCIDescriptor, tag: str, *, replace: bool = True
    ) -> None:
        assert str(descriptor.digest) in self.order
        super().tag(repository, descriptor, tag, replace=replace)
        self.order.append(tag)


class World:
    """One registry with an image in it, and ``Images`` over it."""

    def __init__(self) -> None:
        self.store = Pushes()
        self.opened: list[str] = []
        self.images = Images(self._open)
        self.top = self.image(b"layer", "1.0.0")

    def _open(self, base_url: str, _repository: str) -> OCIStore:
        self.opened.append(base_url)
        return self.store

    def image(self, layer: bytes, tag: str | None = None) -> OCIDescriptor:
        config = self.store.push(REPOSITORY, BytesBlob(b"{}"), CONFIG)
        content = self.store.push(REPOSITORY, BytesBlob(layer), LAYER)
        value = {"schemaVersion": 2, "config": config.to_json(), "layers": [content.to_json()]}
        return self.manifest(value, media.OCI_MANIFEST, tag)

    def manifest(self, value: Any, media_type: str, tag: str | None = None) -> OCIDescriptor:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        top = super(Pushes, self.store).push(REPOSITORY, BytesBlob(data), media_type)
        self.store.order.append(str(top.digest))
        if tag is not None:
            self.store.tag(REPOSITORY, top, tag)
        return top


def image(reference: str = f"{REF}:1.0.0", kind: str = "ociArtifact", **members: Any) -> Resource:
    access = {"type": kind, "imageReference": reference}
    return resource(access=access, **members)


def resource(**members: Any) -> Resource:
    value = {"name": "image", "version": "1.0.0", "type": "ociImage", "relation": "external"}
    return Resource.model_validate({**value, **members})


def spec(digest: Digest, sort: str = "ociArtifactDigest/v1") -> dict[str, str]:
    return {
        "hashAlgorithm": digest.ocm_algorithm,
        "normalisationAlgorithm": sort,
        "value": digest.hex,
    }


def files(blob: Blob) -> dict[str, bytes]:
    data = io.BytesIO()
    copy_blob(blob, data)
    data.seek(0)
    with tarfile.open(fileobj=data) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]


def layer(**members: Any) -> Resource:
    access = {"type": "ociBlob", "ref": REF, "digest": str(digest_of(b"layer")), "size": 5}
    access |= members.pop("access", {})
    return resource(access={key: one for key, one in access.items() if one is not ...}, **members)
