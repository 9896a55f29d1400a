"""Rows R07 to R10 and R31: bounds, digests and names, checked before anything is made of them."""

from __future__ import annotations

import hashlib
import json
import threading
import tracemalloc

import pytest

from ocm_pkg.errors import (
    DigestMismatchError,
    InvalidDocumentError,
    InvalidReferenceError,
    OcmPkgError,
    RegistryError,
)
from ocm_pkg.fs.blob import BytesBlob, read_all
from ocm_pkg.model.digest import Digest, digest_of
from ocm_pkg.store import media
from ocm_pkg.store.artifact import read_artifact
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.repository import ComponentRepository
from ocm_pkg.store.serving import Response
from tests.fakes.components import NAME, stored
from tests.fakes.faults import lab
from tests.fakes.registrystore import REPOSITORY, manifest

MIB = 1024 * 1024


@pytest.fixture
def room():
    with lab() as room:
        yield room


@pytest.fixture
def endless():
    """Give an answer whose body has no end, and stop it at last."""
    stop = threading.Event()

    def pieces():
        yield b"["
        while not stop.is_set():
            yield b'"tag",' * 10_000

    def answer(status=200, media_type=media.OCI_MANIFEST, **headers):
        return lambda _request: Response(status, {"Content-Type": media_type, **headers}, pieces())

    yield answer
    stop.set()


def bounded(function, *arguments):
    """Return the error of a call, and check that it took little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(OcmPkgError) as caught:
            function(*arguments)
        assert tracemalloc.get_traced_memory()[1] < 24 * MIB
    finally:
        tracemalloc.stop()
    return caught.value


def test_R07_an_endless_manifest_is_refused_at_the_limit(room, endless):
    room.fault("GET", "/manifests/", endless())
    error = bounded(room.store.resolve, REPOSITORY, "1.0.0")
    assert "longer than the 4194304 bytes" in error.message


def test_R07_a_manifest_of_100_MiB_is_refused_by_its_length(room):
    size = 100 * MIB
    headers = {"Content-Type": media.OCI_MANIFEST, "Content-Length": str(size)}
    room.fault("GET", "/manifests/", lambda _one: Response(200, headers, iter([b"{"])))
    assert "longer than" in bounded(room.store.resolve, REPOSITORY, "1.0.0").message
    room.faults.clear()
    large = OCIDescriptor(media.OCI_MANIFEST, digest_of(b"x"), size)
    with pytest.raises(InvalidDocumentError, match="more than the 4194304"):
        room.store.fetch(REPOSITORY, large)


def test_R07_endless_lists_of_tags_and_referrers_are_refused_at_the_limit(room, endless):
    room.fault("GET", "/tags/list", endless(media_type="application/json"))
    room.fault("GET", "/referrers/", endless(media_type=media.OCI_INDEX))
    assert "longer than" in bounded(room.store.tags, REPOSITORY).message
    error = bounded(room.store.referrers, REPOSITORY, digest_of(b"x"))
    assert "longer than" in error.message


@pytest.mark.parametrize("status", [400, 404, 418, 500])
def test_R07_of_an_endless_error_only_the_beginning_is_kept(room, endless, status):
    room.fault("PUT", "/blobs/uploads/", endless(status, "text/plain"))
    room.fault("DELETE", "/blobs/uploads/", endless(status, "text/plain"))
    error = bounded(room.store.push, REPOSITORY, BytesBlob(b"content"), "text/plain")
    assert len(error.message) < 1000
    assert str(status) in error.message


def test_R07_a_manifest_just_below_the_limit_is_taken(room):
    config = room.store.push(REPOSITORY, BytesBlob(b"{}"), "application/vnd.oci.empty.v1+json")
    value = {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "config": config.to_json(),
        "layers": [],
        "annotations": {"long": "x" * (4 * MIB - 400)},
    }
    data = json.dumps(value).encode()
    top = room.store.push(REPOSITORY, BytesBlob(data), media.OCI_MANIFEST)
    room.store.tag(REPOSITORY, top, "1.0.0")
    with lab(room.behind) as other:
        assert other.store.resolve(REPOSITORY, "1.0.0") == top
        assert read_all(other.store.fetch(REPOSITORY, top), 4 * MIB, "it") == data


def index_of(*entries):
    value = {
        "schemaVersion": 2,
        "mediaType": media.OCI_INDEX,
        "manifests": [entry.to_json() for entry in entries],
    }
    return BytesBlob(json.dumps(value).encode())


def nested(room, levels):
    top = manifest(room.behind)
    for _ in range(levels):
        top = room.behind.push(REPOSITORY, index_of(top), media.OCI_INDEX)
    return top


def test_R08_indexes_in_indexes_are_refused_at_the_limit_of_depth(room):
    top = nested(room, 1000)
    with pytest.raises(InvalidDocumentError, match="levels"):
        read_artifact(room.store, REPOSITORY, top, "it")
    assert len(room.registry.requests) < 10


def test_R08_an_index_of_two_levels_is_read(room):
    top = nested(room, 2)
    assert read_artifact(room.store, REPOSITORY, top, "it").size > 0


def test_R08_an_index_that_contains_itself_is_not_what_its_digest_says(room):
    digest = digest_of(b"what no index can be")
    itself = OCIDescriptor(media.OCI_INDEX, digest, 500)
    body = json.dumps(
        {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": [itself.to_json()]}
    ).encode()
    body += b" " * (500 - len(body))
    room.fault("GET", "/manifests/", Response(200, {"Content-Type": media.OCI_INDEX}, body))
    with pytest.raises(DigestMismatchError):
        read_artifact(room.store, REPOSITORY, itself, "it")


BAD_DIGESTS = [
    "sha256:../../x",
    "sha256:" + "A" * 64,
    "sha256:" + "a" * 63,
    "sha256:" + "a" * 65,
    "md5:" + "a" * 32,
    "sha256:" + "a" * 64 + "\n",
    "sha384:" + "a" * 96,
    "sha256:sha256:" + "a" * 64,
    "sha256-" + "a" * 64,
    "",
    "../../../etc/passwd",
]


@pytest.mark.parametrize("text", BAD_DIGESTS)
def test_R09_a_digest_that_is_none_is_refused_before_it_is_used(room, text):
    if ":" in text:
        with pytest.raises(InvalidDocumentError):
            room.store.resolve(REPOSITORY, text)
    layer = {"mediaType": "text/plain", "digest": text, "size": 1}
    for member in ("config", "layers"):
        value = {
            "schemaVersion": 2,
            "mediaType": media.OCI_MANIFEST,
            "config": {**layer, "digest": str(digest_of(b"x"))},
            "layers": [],
            member: layer if member == "config" else [layer],
        }
        body = json.dumps(value).encode()
        answer = Response(200, {"Content-Type": media.OCI_MANIFEST}, body)
        room.faults.clear()
        room.fault("GET", "/manifests/", answer)
        with pytest.raises(InvalidDocumentError):
            ComponentRepository(room.store).get(NAME, "1.0.0")
    assert not any("blobs" in one for one in room.asked)
    assert all("/../" not in target for _method, target in room.registry.requests)


class Sha512Blob(BytesBlob):
    @property
    def digest(self):
        return Digest("sha512", hashlib.sha512(self._data).hexdigest())


def test_R10_sha512_works_end_to_end(room):
    blob = Sha512Blob(b"content" * 1000)
    pushed = room.store.push(REPOSITORY, blob, "text/plain")
    assert pushed.digest == blob.digest
    with lab(room.behind) as other:
        assert other.store.exists(REPOSITORY, pushed.digest).size == blob.size
        assert read_all(other.store.fetch(REPOSITORY, pushed), 9999, "it") == b"content" * 1000
        other.fault("GET", "/blobs/", Response(200, {}, b"c0ntent" * 1000))
        with pytest.raises(DigestMismatchError, match="sha512"):
            read_all(other.store.fetch(REPOSITORY, pushed), 9999, "it")


def test_R10_a_manifest_with_sha512_works_end_to_end(room):
    data = room.behind._blobs[REPOSITORY, manifest(room.behind).digest]
    pushed = room.store.push(REPOSITORY, Sha512Blob(data), media.OCI_MANIFEST)
    assert pushed.digest.algorithm == "sha512"
    with lab(room.behind) as other:
        assert other.store.resolve(REPOSITORY, str(pushed.digest)) == pushed
        assert read_all(other.store.fetch(REPOSITORY, pushed), 9999, "it") == data


def test_R10_a_registry_without_sha512_gets_a_clear_error(room):
    refused = Response.error(400, "DIGEST_INVALID", "provided digest did not match")
    room.fault("PUT", "/blobs/uploads/", refused)
    with pytest.raises(RegistryError, match="DIGEST_INVALID") as caught:
        room.store.push(REPOSITORY, Sha512Blob(b"content"), "text/plain")
    assert "sha256 digests only" in caught.value.hint


@pytest.mark.parametrize(
    "name", ["Upper/case", "a//b", "/a", "a/", "a/../b", "a b", "a_", "a" * 256, "", "ü", "a\n"]
)
def test_R31_a_repository_that_no_registry_has_is_refused_without_asking(room, name):
    digest = digest_of(b"x")
    blob = OCIDescriptor("text/plain", digest, 1)
    for call in (
        lambda: room.store.exists(name, digest),
        lambda: room.store.fetch(name, blob),
        lambda: room.store.push(name, BytesBlob(b"x"), "text/plain"),
        lambda: room.store.resolve(name, "1.0.0"),
        lambda: room.store.tag(name, blob, "1.0.0"),
        lambda: room.store.tags(name),
    ):
        with pytest.raises(InvalidReferenceError):
            call()
    assert room.registry.requests == []


@pytest.mark.parametrize("tag", ["1.0.0+5", "a" * 129, ".a", "-a", "a/b", "a b", "", "a\n", "ä"])
def test_R31_a_tag_that_no_registry_has_is_refused_without_asking(room, tag):
    top = OCIDescriptor(media.OCI_MANIFEST, digest_of(b"x"), 1)
    with pytest.raises(InvalidReferenceError):
        room.store.resolve(REPOSITORY, tag)
    with pytest.raises(InvalidReferenceError):
        room.store.tag(REPOSITORY, top, tag)
    assert room.registry.requests == []


def test_R31_a_plus_in_a_version_is_mapped_and_comes_back(room):
    added = stored(ComponentRepository(room.store), version="1.0.0+build.5")
    assert list(room.store.tags(f"component-descriptors/{NAME}")) == ["1.0.0.build-build.5"]
    repository = ComponentRepository(room.store)
    assert list(repository.versions(NAME)) == ["1.0.0+build.5"]
    assert repository.get(NAME, "1.0.0+build.5") == added


def test_R31_a_version_that_is_too_long_is_refused_without_asking(room):
    with pytest.raises(OcmPkgError):
        stored(ComponentRepository(room.store), version="1.0.0-" + "a" * 123)
    assert room.registry.requests == []
