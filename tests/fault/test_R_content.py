"""Rows R01 to R06, R33 and R34: what a registry gives, or keeps, is not what it should be."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest

from ocm_pkg.errors import (
    DigestMismatchError,
    InvalidDocumentError,
    OcmPkgError,
    RegistryError,
    StoreError,
)
from ocm_pkg.fs.blob import BytesBlob, read_all
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import media
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.repository import ComponentRepository
from ocm_pkg.store.serving import Response
from tests.fakes.components import NAME, stored
from tests.fakes.faults import lab
from tests.fakes.registrystore import REPOSITORY, manifest

CONTENT = b"content of a blob" * 1000
BLOB = OCIDescriptor("text/plain", digest_of(CONTENT), len(CONTENT))


@pytest.fixture
def room():
    with lab() as room:
        room.behind.push(REPOSITORY, BytesBlob(CONTENT), "text/plain")
        top = manifest(room.behind)
        room.behind.tag(REPOSITORY, top, "1.0.0")
        room.top = top
        yield room


def read(room, descriptor=BLOB):
    return read_all(room.store.fetch(REPOSITORY, descriptor), 2 * len(CONTENT), "it")


def test_R01_to_R05_content_that_is_what_it_should_be_is_read(room):
    assert read(room) == CONTENT
    assert room.store.resolve(REPOSITORY, "1.0.0") == room.top
    assert read(room, room.top)


def test_R01_a_body_with_other_bytes_is_refused(room):
    other = CONTENT[:-1] + b"!"
    room.fault("GET", "/blobs/", lambda request: replace(request.answer(), body=other))
    with pytest.raises(DigestMismatchError) as caught:
        read(room)
    assert str(BLOB.digest) in caught.value.message
    assert str(digest_of(other)) in caught.value.message
    assert room.registry.count("GET", "/blobs/") == 1


@pytest.mark.parametrize("body", [CONTENT[:-1], CONTENT + b"x"], ids=["shorter", "longer"])
@pytest.mark.parametrize("sort", ["right", "wrong", "none"])
def test_R02_a_body_of_another_size_is_refused(room, body, sort):
    given = 0

    def pieces():
        nonlocal given
        for start in range(0, len(body), 1000):
            given += 1
            yield body[start : start + 1000]

    def answer(_request):
        if sort == "none":
            return Response(200, {}, pieces())
        length = len(body) if sort == "right" else len(CONTENT)
        return Response(200, {"Content-Length": str(length)}, pieces(), cut=len(body))

    room.fault("GET", "/blobs/", answer)
    with pytest.raises((DigestMismatchError, StoreError)) as caught:
        read(room)
    assert caught.value.code in {"E401", "E503"}


def test_R02_an_endless_body_is_read_up_to_its_size_only(room):
    stop = threading.Event()

    def pieces():
        while not stop.is_set():
            yield bytes(1000)

    room.fault("GET", "/blobs/", lambda _request: Response(200, {}, pieces()))
    with pytest.raises(DigestMismatchError, match=r"longer|expected"):
        read(room)
    stop.set()


def test_R03_a_manifest_with_other_bytes_is_refused_whatever_the_header_says(room):
    other = b'{"schemaVersion":2,"layers":[]}'
    claimed = str(room.top.digest)
    room.fault(
        "GET",
        "/manifests/sha256:",
        Response(
            200, {"Content-Type": media.OCI_MANIFEST, "Docker-Content-Digest": claimed}, other
        ),
    )
    with pytest.raises(DigestMismatchError, match=str(digest_of(other))):
        read(room, room.top)
    with pytest.raises(DigestMismatchError):
        room.store.resolve(REPOSITORY, claimed)


def test_R04_a_digest_that_is_missing_on_a_pull_by_tag_is_computed(room):
    room.fault(
        "GET", "/manifests/", lambda one: one.answer().with_headers(Docker_Content_Digest=None)
    )
    assert room.store.resolve(REPOSITORY, "1.0.0") == room.top


@pytest.mark.parametrize(
    ("claimed", "error"),
    [
        ("sha256:" + "0" * 64, DigestMismatchError),
        ("sha512:" + "0" * 128, DigestMismatchError),
        ("sha256:../../x", RegistryError),
        ("md5:" + "0" * 32, RegistryError),
    ],
)
def test_R04_a_digest_that_lies_on_a_pull_by_tag_is_refused(room, claimed, error):
    room.fault(
        "GET", "/manifests/", lambda one: one.answer().with_headers(Docker_Content_Digest=claimed)
    )
    with pytest.raises(error):
        room.store.resolve(REPOSITORY, "1.0.0")


def test_R05_a_tag_that_moves_while_it_is_read_gives_one_version_or_the_other():
    with lab() as room:
        own = ComponentRepository(room.behind)
        first = stored(own, content=b"one")
        repository = ComponentRepository(room.store)
        element = own.put_blob(
            NAME,
            "1.0.0",
            first.component.resources[0].model_copy(update={"digest": None}),
            BytesBlob(b"two"),
        )
        component = first.component.model_copy(update={"resources": (element,)})
        moved = first.model_copy(update={"component": component})
        room.fault("GET", "/blobs/", lambda _request: own.add(moved, replace=True), times=1)
        got = repository.get(NAME, "1.0.0")
        assert got == first
        assert read_all(repository.blob(got, got.component.resources[0]), 9, "it") == b"one"
        assert room.registry.count("GET", "/manifests/1.0.0") == 1
        assert repository.get(NAME, "1.0.0") == moved


INDEX = {"schemaVersion": 2, "manifests": []}
IMAGE = {"schemaVersion": 2, "config": BLOB.to_json(), "layers": []}


@pytest.mark.parametrize(
    ("stated", "value"),
    [
        (media.OCI_MANIFEST, {**INDEX, "mediaType": media.OCI_INDEX}),
        (media.OCI_INDEX, {**IMAGE, "mediaType": media.OCI_MANIFEST}),
        (media.OCI_MANIFEST, INDEX),
        (media.OCI_INDEX, IMAGE),
        (media.OCI_MANIFEST, {**IMAGE, **INDEX}),
        (media.OCI_INDEX, {**IMAGE, **INDEX}),
        (media.DOCKER_MANIFEST, {**IMAGE, "mediaType": media.OCI_MANIFEST}),
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", {"schemaVersion": 1}),
        ("application/octet-stream", {**IMAGE, "mediaType": "text/plain"}),
        ("image/png", IMAGE),
        (media.OCI_MANIFEST, []),
        (media.OCI_MANIFEST, {**IMAGE, "mediaType": 7}),
    ],
)
def test_R06_a_manifest_that_two_would_read_differently_is_refused(room, stated, value):
    data = json.dumps(value).encode()
    room.fault("GET", "/manifests/", Response(200, {"Content-Type": stated}, data))
    with pytest.raises(InvalidDocumentError):
        room.store.resolve(REPOSITORY, "1.0.0")
    with pytest.raises(InvalidDocumentError):
        read(room, OCIDescriptor(media.OCI_MANIFEST, digest_of(data), len(data)))


@pytest.mark.parametrize(
    ("stated", "value"),
    [
        (media.OCI_MANIFEST, {**IMAGE, "mediaType": media.OCI_MANIFEST}),
        (media.OCI_MANIFEST, IMAGE),
        (media.OCI_INDEX, INDEX),
        (media.DOCKER_INDEX, {**INDEX, "mediaType": media.DOCKER_INDEX}),
        (f"{media.OCI_MANIFEST}; charset=utf-8", IMAGE),
        (None, {**IMAGE, "mediaType": media.DOCKER_MANIFEST}),
        ("application/json", IMAGE),
        ("text/plain", INDEX),
    ],
)
def test_R06_a_manifest_that_is_one_thing_is_taken(room, stated, value):
    data = json.dumps(value).encode()
    headers = {} if stated is None else {"Content-Type": stated}
    room.fault("GET", "/manifests/", Response(200, headers, data))
    found = room.store.resolve(REPOSITORY, "1.0.0")
    assert (found.digest, found.size) == (digest_of(data), len(data))
    expected = value.get("mediaType") or (media.OCI_INDEX if "manifests" in value else None)
    assert found.media_type == (expected or media.OCI_MANIFEST)


def test_R06_what_refers_to_a_manifest_as_an_index_is_refused(room):
    with pytest.raises(InvalidDocumentError, match=r"not the .*index"):
        read(room, replace(room.top, media_type=media.OCI_INDEX))


def test_R33_a_registry_that_rewrites_manifests_is_found_out(room):
    def rewrite(request):
        if request.method == "PUT":
            return Response(201, {"Docker-Content-Digest": str(digest_of(b"other"))})
        body = json.dumps({**IMAGE, "annotations": {"rewritten": "yes"}}).encode()
        return Response(200, {"Content-Type": media.OCI_MANIFEST}, body)

    for method in ("PUT", "GET"):
        room.fault(method, "/manifests/", rewrite)
    with pytest.raises(DigestMismatchError, match="something else"):
        manifest(room.store, 7)


@pytest.mark.parametrize("claimed", [None, "sha256:" + "0" * 64])
def test_R33_an_answer_without_the_right_digest_is_checked_by_reading_back(room, claimed):
    room.fault(
        "PUT", "/manifests/", lambda one: one.answer().with_headers(Docker_Content_Digest=claimed)
    )
    top = manifest(room.store, 7)
    room.store.tag(REPOSITORY, top, "7.0.0")
    assert room.behind.resolve(REPOSITORY, "7.0.0") == top
    assert room.registry.count("GET", f"/manifests/{top.digest}") == 1
    assert room.registry.count("GET", "/manifests/7.0.0") == 1


def test_R34_blobs_come_before_the_manifest_and_the_tag_last():
    with lab() as room:
        repository = ComponentRepository(room.store)
        added = stored(repository, content=b"content")
        changes = [one for one in room.asked if one.startswith("PUT")]
        kinds = [one.split()[1].partition(":")[0].rpartition("/")[0] for one in changes]
        assert kinds[:3] == ["blobs/uploads"] * 3
        assert [one.split("/")[-1][:6] for one in changes[3:]] == ["sha256", "1.0.0"]
        assert ComponentRepository(room.behind).get(NAME, "1.0.0") == added


@pytest.mark.parametrize("place", ["/blobs/uploads/", "/manifests/sha256:", "/manifests/1.0.0"])
def test_R34_an_unfinished_push_is_invisible(place):
    with lab() as room:
        room.fault("PUT", place, Response.error(400, "DENIED", "not today"))
        with pytest.raises(OcmPkgError, match="not today"):
            stored(ComponentRepository(room.store), content=b"content")
        assert list(room.store.tags(f"component-descriptors/{NAME}")) == []
        room.faults.clear()
        stored(ComponentRepository(room.store), content=b"content")
        assert ComponentRepository(room.behind).get(NAME, "1.0.0")


def test_R34_a_manifest_whose_blob_is_gone_again_is_refused_by_the_registry():
    with lab() as room:
        repository = ComponentRepository(room.store)
        first = stored(repository, content=b"content")
        name = f"component-descriptors/{NAME}"
        digest = first.component.resources[0].access.local_reference
        room.behind.delete(name, digest)
        with pytest.raises(RegistryError, match="MANIFEST_BLOB_UNKNOWN"):
            stored(repository, version="2.0.0", content=b"content")
        stored(repository, version="2.0.0", content=b"content")
        assert room.behind.exists(name, digest)
