from __future__ import annotations

import io
import json
import tarfile

import pytest

from ocm_pkg.errors import DigestMismatchError, InvalidDocumentError, NotFoundError, OcmPkgError
from ocm_pkg.fs.blob import BytesBlob, verify
from ocm_pkg.model.access import AccessSpec
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import media
from ocm_pkg.store.artifact import TarBlob
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.digester import digest_resource
from ocm_pkg.store.memory import MemoryStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.components import NAME, descriptor, resource

REPOSITORY = f"component-descriptors/{NAME}"


def image(store, layer=b"layer", media_type=media.OCI_MANIFEST):
    """Store an image; return its OCI descriptor."""
    config = store.push(REPOSITORY, BytesBlob(b"{}"), "application/vnd.oci.image.config.v1+json")
    content = store.push(REPOSITORY, BytesBlob(layer), "application/vnd.oci.image.layer.v1.tar")
    value = {"schemaVersion": 2, "config": config.to_json(), "layers": [content.to_json()]}
    return store.push(REPOSITORY, BytesBlob(json.dumps(value).encode()), media_type)


def with_artifact(store, top):
    """Store a component version whose resource is that artifact; return repository, descriptor."""
    access = AccessSpec.local_blob(top.digest, top.media_type)
    made = descriptor(resources=[resource("image").model_copy(update={"access": access})])
    repository = ComponentRepository(store)
    repository.add(made)
    return repository, repository.get(NAME, "1.0.0")


def test_an_artifact_is_read_as_the_tar_of_its_layout():
    store = MemoryStore()
    top = image(store)
    repository, got = with_artifact(store, top)
    blob = repository.blob(got, got.component.resources[0])
    with blob.open() as stream:
        data = stream.read()
    assert blob.size == len(data)
    assert blob.digest is None
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar}
    assert json.loads(files.pop("oci-layout")) == {"imageLayoutVersion": "1.0.0"}
    assert json.loads(files.pop("index.json"))["manifests"][0]["digest"] == str(top.digest)
    assert {name: digest_of(content).hex for name, content in files.items()} == {
        f"blobs/sha256/{digest_of(content).hex}": digest_of(content).hex
        for content in files.values()
    }
    assert len(files) == 3
    for offset in (0, 1, 511, 512, 70_000):
        with blob.open(offset) as stream:
            assert stream.read() == data[offset:]


def test_an_index_of_artifacts_is_read_with_all_of_them():
    store = MemoryStore()
    images = [image(store, layer) for layer in (b"one", b"two")]
    value = {"schemaVersion": 2, "manifests": [each.to_json() for each in images]}
    top = store.push(REPOSITORY, BytesBlob(json.dumps(value).encode()), media.OCI_INDEX)
    repository, got = with_artifact(store, top)
    with repository.blob(got, got.component.resources[0]).open() as stream:
        data = io.BytesIO(stream.read())
    with tarfile.open(fileobj=data) as tar:
        assert len(tar.getnames()) == 2 + 1 + 2 + 1 + 2


def test_the_digest_of_an_artifact_is_that_of_its_manifest():
    store = MemoryStore()
    top = image(store)
    repository, got = with_artifact(store, top)
    element = got.component.resources[0]
    assert repository.artifact(got, element) == top.digest
    completed = digest_resource(repository, got, element)
    assert completed.digest.value == top.digest.hex
    for sort in ("genericBlobDigest/v1", "ociArtifactDigest/v1"):
        spec = completed.digest.model_copy(update={"normalisation_algorithm": sort})
        kept = completed.model_copy(update={"digest": spec})
        assert digest_resource(repository, got, kept) is kept
    spec = completed.digest.model_copy(update={"value": "0" * 64})
    with pytest.raises(DigestMismatchError, match="image"):
        digest_resource(repository, got, completed.model_copy(update={"digest": spec}))


def test_a_part_that_is_missing_or_endless_is_refused():
    store = MemoryStore()
    missing = OCIDescriptor("x", digest_of(b"nowhere"), 7)
    value = {"schemaVersion": 2, "layers": [missing.to_json()]}
    top = store.push(REPOSITORY, BytesBlob(json.dumps(value).encode()), media.OCI_MANIFEST)
    repository, got = with_artifact(store, top)
    with pytest.raises(NotFoundError):
        verify(repository.blob(got, got.component.resources[0]))
    store = MemoryStore()
    top = image(store)
    for _ in range(6):
        value = {"schemaVersion": 2, "manifests": [top.to_json()]}
        top = store.push(REPOSITORY, BytesBlob(json.dumps(value).encode()), media.OCI_INDEX)
    repository, got = with_artifact(store, top)
    with pytest.raises(InvalidDocumentError, match="levels"):
        repository.blob(got, got.component.resources[0])


@pytest.mark.parametrize("data", [b"x", b"[]", b'{"layers":[1]}'])
def test_a_manifest_that_breaks_its_format_is_refused(data):
    store = MemoryStore()
    repository, got = with_artifact(
        store, store.push(REPOSITORY, BytesBlob(data), media.OCI_MANIFEST)
    )
    with pytest.raises(OcmPkgError):
        repository.blob(got, got.component.resources[0])


def test_a_manifest_alone_is_not_stored_as_content():
    repository = ComponentRepository(MemoryStore())
    with pytest.raises(InvalidDocumentError, match="more than one blob"):
        repository.put_blob(NAME, "1.0.0", resource(), BytesBlob(b"{}", media.OCI_MANIFEST))


@pytest.mark.parametrize(
    ("name", "size", "heads"),
    [
        ("blobs/sha256/" + "a" * 64, 1000, 1),
        ("blobs/sha512/" + "a" * 128, 1000, 3),
        ("blobs/sha256/" + "a" * 64, 8 * 1024**3, 3),
    ],
    ids=["usual", "long name", "large"],
)
def test_R10_a_file_with_a_long_name_or_of_8_gib_has_an_extended_header(name, size, heads):
    class Sized(BytesBlob):
        @property
        def size(self):
            return size

    tar = TarBlob([(name, Sized(b"x" * 1000))], "x/tar")
    blocks = -(-size // 512)
    assert tar.size == (heads + blocks + 2) * 512
    with tar.open() as stream:
        start = stream.read(3 * 512) + bytes(1024)
    with tarfile.open(fileobj=io.BytesIO(start)) as read:
        member = read.next()
        assert (member.name, member.size, member.offset_data) == (name, size, heads * 512)
