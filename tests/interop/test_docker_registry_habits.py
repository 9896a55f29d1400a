"""What distribution 2.8.2 does otherwise than the specification: it is still so, and survived."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import pytest

from ocm_pkg.fs.blob import BytesBlob, read_all
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import media
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.registries import Registries
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.components import NAME, stored
from tests.fakes.docker_registry import docker_registry, needs_docker_registry
from tests.fakes.forwarder import forwarder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.fakes.docker_registry import RunningRegistry

pytestmark = needs_docker_registry
REPOSITORY = "component-descriptors/ocm.test/demo"
OTHER = "component-descriptors/ocm.test/other"
DATA = b"0123456789" * 1000


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def location(self) -> str:
        return self.headers["Location"]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return itertools.count()


@pytest.fixture
def path(numbers: Iterator[int]) -> str:
    """A part of the registry that no other test has."""
    return f"habit-{next(numbers)}"


@pytest.fixture
def store(registry: RunningRegistry, path: str):
    with Registries() as registries:
        yield registries.store_of(f"{registry.url}/{path}")


def ask(
    registry: RunningRegistry, method: str, target: str, body: bytes = b"", **headers: str
) -> Answer:
    """Make a request without any client of ours; ``a_b`` is the header ``a-b``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(http.client.HTTPConnection(registry.host)) as connection:
        connection.request(method, target.removeprefix(registry.url), body=body, headers=named)
        with connection.getresponse() as answer:
            return Answer(answer.status, dict(answer.getheaders()), answer.read())


def begin(registry: RunningRegistry, repository: str) -> str:
    return ask(registry, "POST", f"/v2/{repository}/blobs/uploads/").location


def pushed_manifest(store, number: int = 0, subject: OCIDescriptor | None = None) -> OCIDescriptor:
    config = store.push(REPOSITORY, BytesBlob(b"{}"), "application/vnd.oci.empty.v1+json")
    value = {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "artifactType": "application/x-test",
        "config": config.to_json(),
        "layers": [config.to_json()],
        "annotations": {"number": str(number)},
    }
    if subject:
        value["subject"] = subject.to_json()
    return store.push(REPOSITORY, BytesBlob(json.dumps(value).encode()), media.OCI_MANIFEST)


def test_a_chunk_at_the_wrong_offset_is_accepted_and_the_session_is_lost(registry, path):
    octets = "application/octet-stream"
    first = begin(registry, f"{path}/raw")
    second = ask(registry, "PATCH", first, b"01234", Content_Range="0-4", Content_Type=octets)
    wrong = ask(
        registry, "PATCH", second.location, b"56789", Content_Range="7-11", Content_Type=octets
    )
    assert (wrong.status, wrong.headers["Range"]) == (202, "0-9")
    assert ask(registry, "GET", first).status == 404


@pytest.mark.parametrize("when", ["before", "after"])
def test_N03_an_upload_that_loses_its_connection_arrives_whole(registry, path, when):
    lost = threading.Event()

    def lose(what: str) -> None:
        if what.startswith(("PATCH", "PUT")) and "/blobs/" in what and not lost.is_set():
            lost.set()
            raise ConnectionAbortedError

    with forwarder(registry.host, **{when: lose}) as proxy, Registries() as registries:
        store = registries.store_of(f"{proxy.url}/{path}")
        pushed = store.push(REPOSITORY, BytesBlob(DATA), "text/plain")
        assert lost.is_set()
        assert read_all(store.fetch(REPOSITORY, pushed), len(DATA), "it") == DATA


def test_a_session_that_is_gone_is_begun_again(registry, path):
    moved = threading.Event()

    def move(what: str) -> None:
        """End the session behind the client's back."""
        if what.startswith(("PATCH", "PUT")) and "/blobs/" in what and not moved.is_set():
            moved.set()
            assert ask(registry, "DELETE", what.split(" ", 1)[1].partition("&digest")[0]).status

    with forwarder(registry.host, before=move) as proxy, Registries() as registries:
        store = registries.store_of(f"{proxy.url}/{path}")
        pushed = store.push(REPOSITORY, BytesBlob(DATA), "text/plain")
        assert moved.is_set()
        assert read_all(store.fetch(REPOSITORY, pushed), len(DATA), "it") == DATA


def test_a_mount_is_answered_by_201_or_202(registry, path, store):
    pushed = store.push(REPOSITORY, BytesBlob(DATA), "text/plain")
    target = f"/v2/{path}/{OTHER}/blobs/uploads/?from={path}/{REPOSITORY}&mount="
    assert ask(registry, "POST", f"{target}{pushed.digest}").status == 201
    assert ask(registry, "POST", f"{target}{digest_of(b'nowhere')}").status == 202


def test_R23_what_can_be_mounted_is_and_what_cannot_is_sent(registry, store):
    pushed = store.push(REPOSITORY, BytesBlob(DATA), "text/plain")
    before = len(registry.requests())
    assert store.mount(OTHER, pushed.digest, store, REPOSITORY) is True
    assert store.exists(OTHER, pushed.digest).size == len(DATA)
    missing = digest_of(b"nowhere")
    assert store.mount(OTHER, missing, store, REPOSITORY) is False
    assert store.exists(OTHER, missing) is None
    sent = [one for one in registry.requests()[before:] if one.startswith(("PUT", "PATCH"))]
    assert sent == []
    assert store.push(OTHER, BytesBlob(b"nowhere"), "text/plain").digest == missing
    assert store.exists(OTHER, missing) is not None


def test_content_in_the_post_is_ignored(registry, path):
    target = f"/v2/{path}/raw/blobs/uploads/?digest={digest_of(DATA)}"
    answer = ask(registry, "POST", target, DATA, Content_Type="application/octet-stream")
    assert (answer.status, answer.headers["Range"]) == (202, "0-0")
    assert ask(registry, "HEAD", f"/v2/{path}/raw/blobs/{digest_of(DATA)}").status == 404


@pytest.mark.parametrize("size", [0, 1, 1000, 3_000_000])
def test_content_of_any_size_arrives(store, size):
    data = bytes(size)
    pushed = store.push(REPOSITORY, BytesBlob(data), "text/plain")
    assert pushed == OCIDescriptor("text/plain", digest_of(data), size)
    assert read_all(store.fetch(REPOSITORY, pushed), size + 1, "it") == data


def test_reading_from_the_end_on_gives_nothing(registry, path, store):
    pushed = store.push(REPOSITORY, BytesBlob(DATA), "text/plain")
    target = f"/v2/{path}/{REPOSITORY}/blobs/{pushed.digest}"
    with pytest.raises(http.client.IncompleteRead):
        ask(registry, "GET", target, Range=f"bytes={len(DATA)}-")
    blob = store.fetch(REPOSITORY, pushed)
    for offset in (0, 1, len(DATA) - 1, len(DATA)):
        with blob.open(offset) as stream:
            assert stream.read() == DATA[offset:]


def test_R31_a_plus_in_a_tag_is_refused_and_mapped(registry, path, store):
    top = pushed_manifest(store)
    got = ask(
        registry,
        "GET",
        f"/v2/{path}/{REPOSITORY}/manifests/{top.digest}",
        Accept=media.OCI_MANIFEST,
    )
    target = f"/v2/{path}/{REPOSITORY}/manifests/1.0.0+build.7"
    refused = ask(registry, "PUT", target, got.body, Content_Type=media.OCI_MANIFEST)
    assert refused.status == 404
    repository = ComponentRepository(store)
    stored(repository, version="1.0.0+build.7")
    assert list(repository.versions(NAME)) == ["1.0.0+build.7"]
    assert repository.get(NAME, "1.0.0+build.7").version == "1.0.0+build.7"


def test_R28_tags_are_unsorted_in_one_page_and_null_when_there_are_none(registry, path, store):
    top = pushed_manifest(store)
    names = ["1.0.0", "b", "a", "10", "2", "z"]
    for name in names:
        store.tag(REPOSITORY, top, name)
    listed = ask(registry, "GET", f"/v2/{path}/{REPOSITORY}/tags/list?n=2")
    assert "Link" not in listed.headers
    assert sorted(json.loads(listed.body)["tags"]) == sorted(names)
    assert sorted(store.tags(REPOSITORY)) == sorted(names)
    assert store.delete(REPOSITORY, top.digest) is True
    listed = ask(registry, "GET", f"/v2/{path}/{REPOSITORY}/tags/list")
    assert json.loads(listed.body)["tags"] is None
    assert list(store.tags(REPOSITORY)) == []
    assert store.delete(REPOSITORY, top.digest) is False


def test_R27_without_a_referrers_api_the_tag_scheme_is_used(registry, path, store):
    top = pushed_manifest(store)
    store.tag(REPOSITORY, top, "1.0.0")
    assert ask(registry, "GET", f"/v2/{path}/{REPOSITORY}/referrers/{top.digest}").status == 404
    assert list(store.referrers(REPOSITORY, top.digest)) == []
    attached = [pushed_manifest(store, number, top) for number in (1, 2)]
    found = store.referrers(REPOSITORY, top.digest)
    assert {one.digest for one in found} == {one.digest for one in attached}
    assert {one.artifact_type for one in found} == {"application/x-test"}
    assert list(store.referrers(REPOSITORY, top.digest, "application/x-other")) == []
    assert sorted(store.tags(REPOSITORY)) == ["1.0.0", str(top.digest).replace(":", "-")]
    assert store.resolve(REPOSITORY, "1.0.0") == top


def test_R34_a_manifest_without_its_blobs_is_refused(registry, path):
    config = OCIDescriptor("application/vnd.oci.empty.v1+json", digest_of(b"{}"), 2)
    value = {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "config": config.to_json(),
        "layers": [],
    }
    data = json.dumps(value).encode()
    target = f"/v2/{path}/raw/manifests/1.0.0"
    assert ask(registry, "PUT", target, data, Content_Type=media.OCI_MANIFEST).status == 400


def test_R10_content_by_sha512_is_taken_and_answered_as_sha256(registry, path, store):
    digest = digest_of(DATA, "sha512")
    target = begin(registry, f"{path}/{REPOSITORY}")
    answer = ask(registry, "PUT", f"{target}&digest={digest}", DATA)
    assert (answer.status, answer.headers["Docker-Content-Digest"]) == (201, str(digest_of(DATA)))
    blob = store.fetch(REPOSITORY, OCIDescriptor("text/plain", digest, len(DATA)))
    assert read_all(blob, len(DATA), "it") == DATA


def test_repositories_are_listed_over_several_pages(registry, store):
    names = [f"component-descriptors/ocm.test/{name}" for name in "cab"]
    for name in names:
        store.push(name, BytesBlob(DATA), "text/plain")
    assert "Link" in ask(registry, "GET", "/v2/_catalog?n=1").headers
    assert list(store.repositories()) == sorted(names)
