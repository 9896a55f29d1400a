"""A registry as a store: what it asks, remembers and passes on; faults are rows of their own."""

from __future__ import annotations

import pytest

from ocm_pkg.errors import (
    AlreadyExistsError,
    DigestMismatchError,
    InvalidDocumentError,
    NotFoundError,
    RegistryError,
)
from ocm_pkg.fs.blob import BytesBlob, read_all
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import media
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.referrers import ReferrersList
from tests.fakes.direct import Direct, answered
from tests.fakes.registry_calls import CONFIG, manifest
from tests.suites.ocistore_suite import OCIStoreSuite

REPOSITORY = "demo/art"
ONE = b"one"


@pytest.fixture
def direct(tmp_path):
    return Direct(tmp_path)


@pytest.fixture
def top(direct):
    direct.store.push(REPOSITORY, BytesBlob(CONFIG), "application/vnd.oci.empty.v1+json")
    pushed = direct.store.push(REPOSITORY, BytesBlob(manifest()), media.OCI_MANIFEST)
    direct.transport.asked.clear()
    return pushed


class TestRegistryStore(OCIStoreSuite):
    @pytest.fixture
    def store(self, tmp_path):
        return Direct(tmp_path, path="some/base").store


def test_what_was_found_a_moment_ago_is_not_asked_for_again(direct):
    pushed = direct.store.push(REPOSITORY, BytesBlob(ONE), "text/plain")
    assert direct.methods == ["HEAD", "POST", "PUT"]
    assert direct.store.exists(REPOSITORY, pushed.digest).size == 3
    direct.store.push(REPOSITORY, BytesBlob(ONE), "text/plain")
    assert len(direct.methods) == 3
    direct.now += 61
    direct.store.push(REPOSITORY, BytesBlob(ONE), "text/plain")
    assert direct.methods[3:] == ["HEAD"]


def test_what_was_not_found_a_moment_ago_is_sent_without_asking_again(direct):
    assert direct.store.exists(REPOSITORY, digest_of(ONE)) is None
    before = len(direct.methods)
    direct.store.push(REPOSITORY, BytesBlob(ONE), "text/plain")
    assert direct.methods[before:] == ["POST", "PUT"]


def test_what_is_in_one_repository_is_not_in_another(direct):
    direct.store.push(REPOSITORY, BytesBlob(ONE), "text/plain")
    assert direct.store.exists("demo/other", digest_of(ONE)) is None


def test_a_manifest_is_found_by_its_digest_too(direct, top):
    for _ in range(2):
        assert direct.store.exists(REPOSITORY, top.digest) in (
            top,
            OCIDescriptor(media.OCTET_STREAM, top.digest, top.size),
        )
    direct.now += 61
    direct.behind.delete(REPOSITORY, top.digest)
    assert direct.store.exists(REPOSITORY, top.digest) is None
    assert direct.store.resolve(REPOSITORY, str(top.digest)) is None


def test_resolving_a_tag_reads_the_manifest_and_it_is_not_read_again(direct, top):
    direct.store.tag(REPOSITORY, top, "1.0.0")
    direct.transport.asked.clear()
    found = direct.store.resolve(REPOSITORY, "1.0.0")
    assert found == top
    assert read_all(direct.store.fetch(REPOSITORY, found), 9999, "it") == manifest()
    with direct.store.fetch(REPOSITORY, found).open(3) as stream:
        assert stream.read() == manifest()[3:]
    assert direct.methods == ["GET"]


def test_content_that_says_no_size_is_asked_for_it(direct):
    direct.behind.push(REPOSITORY, BytesBlob(ONE), "text/plain")

    def silent(method, _path, answer):
        return answered(answer.status) if method == "HEAD" else None

    direct.transport.change = silent
    assert direct.store.exists(REPOSITORY, digest_of(ONE)).size == 3
    assert direct.methods == ["HEAD", "GET"]
    direct.now += 61
    direct.transport.change = lambda *_: answered(200)
    with pytest.raises(RegistryError, match="how long"):
        direct.store.exists(REPOSITORY, digest_of(ONE))


def test_content_of_unknown_size_is_sent_too(direct):
    class Unknown(BytesBlob):
        size = None
        digest = None

    pushed = direct.store.push(REPOSITORY, Unknown(ONE), "text/plain")
    assert pushed == OCIDescriptor("text/plain", digest_of(ONE), 3)
    assert direct.behind.exists(REPOSITORY, pushed.digest).size == 3


def test_a_tag_for_what_is_not_there_is_refused(direct):
    nothing = OCIDescriptor(media.OCI_MANIFEST, digest_of(b"nothing"), 7)
    with pytest.raises(NotFoundError):
        direct.store.tag(REPOSITORY, nothing, "1.0.0")
    with pytest.raises(NotFoundError):
        direct.store.fetch(REPOSITORY, nothing).open()


def test_a_tag_that_is_there_is_not_written_again(direct, top):
    direct.store.tag(REPOSITORY, top, "1.0.0", replace=False)
    direct.transport.asked.clear()
    direct.store.tag(REPOSITORY, top, "1.0.0", replace=False)
    assert direct.methods == ["GET"]
    other = direct.store.push(
        REPOSITORY, BytesBlob(manifest(annotations={"a": "b"})), media.OCI_MANIFEST
    )
    with pytest.raises(AlreadyExistsError):
        direct.store.tag(REPOSITORY, other, "1.0.0", replace=False)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"size": 5}, DigestMismatchError),
        ({"media_type": media.DOCKER_MANIFEST}, InvalidDocumentError),
    ],
)
def test_a_manifest_that_is_not_what_is_said_of_it_is_refused(direct, top, change, error):
    said = {"media_type": top.media_type, "digest": top.digest, "size": top.size, **change}
    with pytest.raises(error):
        direct.store.fetch(REPOSITORY, OCIDescriptor(**said)).open()


def test_a_manifest_that_is_not_what_it_promises_is_not_sent(direct):
    class Liar(BytesBlob):
        digest = digest_of(b"other", "sha512")

    with pytest.raises(DigestMismatchError):
        direct.store.push(REPOSITORY, Liar(manifest()), media.OCI_MANIFEST)
    assert direct.methods == []


def test_blobs_and_manifests_are_deleted(direct, top):
    direct.store.push(REPOSITORY, BytesBlob(ONE), "text/plain")
    assert direct.store.delete(REPOSITORY, digest_of(ONE))
    assert direct.store.exists(REPOSITORY, digest_of(ONE)) is None
    assert direct.store.delete(REPOSITORY, top.digest)
    assert not direct.store.delete(REPOSITORY, top.digest)
    assert not direct.store.delete(REPOSITORY, digest_of(b"nothing"))


def test_many_manifests_are_not_all_kept(direct, top):
    for number in range(70):
        data = manifest(annotations={"number": str(number)})
        direct.store.push(REPOSITORY, BytesBlob(data), media.OCI_MANIFEST)
    direct.transport.asked.clear()
    assert direct.store.resolve(REPOSITORY, str(top.digest)) == top
    assert direct.methods == ["GET"]


class Cache:
    """Takes note of what it is told."""

    def __init__(self):
        self.seen, self.tags = [], []

    def blob(self, remote):
        self.seen.append(remote.digest)
        return remote

    def remember(self, *what):
        self.tags.append(what)


def test_what_is_fetched_goes_through_the_cache_and_tags_are_remembered(tmp_path):
    cache = Cache()
    direct = Direct(tmp_path, path="base", cache=cache)
    direct.store.push(REPOSITORY, BytesBlob(CONFIG), "application/vnd.oci.empty.v1+json")
    top = direct.store.push(REPOSITORY, BytesBlob(manifest()), media.OCI_MANIFEST)
    direct.store.tag(REPOSITORY, top, "1.0.0")
    assert cache.seen == []
    assert direct.store.resolve(REPOSITORY, "1.0.0") == top
    assert cache.seen == [top.digest]
    assert cache.tags == [("http://registry.test", "base/demo/art", "1.0.0", top)]
    config = OCIDescriptor("text/plain", digest_of(CONFIG), len(CONFIG))
    assert read_all(direct.store.fetch(REPOSITORY, config), 9, "it") == CONFIG
    assert cache.seen == [top.digest, config.digest]


@pytest.mark.parametrize("status", [400, 404, 405, 406, 501])
def test_a_registry_without_referrers_is_asked_for_the_tag(direct, top, status):
    def without(_method, path, _answer):
        return answered(status) if "/referrers/" in path else None

    direct.transport.change = without
    assert list(direct.store.referrers(REPOSITORY, top.digest)) == []
    assert direct.transport.asked[-1].endswith(f"/manifests/sha256-{top.digest.hex}")


def test_referrers_that_cannot_be_had_are_an_error(direct, top):
    direct.transport.change = lambda *_: answered(418)
    with pytest.raises(RegistryError, match="418"):
        direct.store.referrers(REPOSITORY, top.digest)


def test_a_tag_of_the_fallback_that_is_no_index_is_refused(direct, top):
    direct.store.tag(REPOSITORY, top, f"sha256-{top.digest.hex}")
    direct.transport.change = lambda _m, path, _a: answered(404) if "/referrers/" in path else None
    with pytest.raises(RegistryError, match="index"):
        direct.store.referrers(REPOSITORY, top.digest)


class Forgetful:
    """Manifests that another writer undoes as soon as they are written."""

    def __init__(self):
        self.written = 0

    def by_tag(self, *_what, **_more):
        return None

    def put(self, *_what):
        self.written += 1


def test_a_writer_whose_entry_is_undone_again_and_again_gives_up(direct, top):
    forgetful, waits = Forgetful(), []
    times = iter(range(100))
    referrers = ReferrersList(
        forgetful, clock=lambda: next(times), sleep=waits.append, random=lambda: 0.5
    )
    with pytest.raises(RegistryError, match="other writers"):
        referrers.added(direct.store.remote_of(REPOSITORY), digest_of(ONE), top)
    assert forgetful.written == 20
    assert waits == [5.0] * 20
