from __future__ import annotations

import hashlib
import json

import pytest

from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import media
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.memory import MemoryStore
from tests.fakes.registry_calls import (
    CONFIG,
    NAME,
    Calls,
    FakeBody,
    body_of,
    code_of,
    described,
    index,
    manifest,
    value_of,
)

LAYER = b"a layer"
IMAGE = manifest(LAYER)
DIGEST = str(digest_of(IMAGE))


@pytest.fixture(params=["memory", "ctf"])
def calls(request, tmp_path):
    ctf = request.param == "ctf"
    store = CTFStore(tmp_path / "ctf", create=True) if ctf else MemoryStore()
    made = Calls(store, tmp_path)
    made.push(CONFIG)
    made.push(LAYER)
    return made


def at(reference, name=NAME):
    return f"/v2/{name}/manifests/{reference}"


def tags(calls, query="", name=NAME):
    return value_of(calls.ask("GET", f"/v2/{name}/tags/list{query}"))["tags"]


def test_a_manifest_is_put_and_read_by_tag_and_by_digest(calls):
    put = calls.put(IMAGE, "v1")
    assert (put.status, put.header("location")) == (201, at("v1"))
    assert put.header("docker-content-digest") == DIGEST
    for reference in ("v1", DIGEST):
        for method in ("GET", "HEAD"):
            got = calls.ask(method, at(reference))
            assert (got.status, body_of(got)) == (200, IMAGE)
            assert got.header("content-type") == media.OCI_MANIFEST
            assert got.header("docker-content-digest") == DIGEST


def test_a_manifest_without_a_tag_is_reached_by_its_digest(calls):
    assert calls.put(IMAGE, DIGEST).status == 201
    assert body_of(calls.ask("GET", at(DIGEST))) == IMAGE
    assert tags(calls) == []


def test_a_manifest_of_one_repository_is_not_in_another(calls):
    calls.put(IMAGE, "v1")
    for reference in ("v1", DIGEST):
        answer = calls.ask("GET", at(reference, "other/one"))
        assert code_of(answer) == (404, "MANIFEST_UNKNOWN")


def test_a_tag_moves_and_what_it_stood_for_stays(calls):
    other = manifest(annotations={"a": "b"})
    calls.put(IMAGE, "v1")
    calls.put(other, "v1")
    assert body_of(calls.ask("GET", at("v1"))) == other
    assert body_of(calls.ask("GET", at(DIGEST))) == IMAGE


def test_R10_a_manifest_has_a_sha512_if_it_is_put_so(calls):
    digest = f"sha512:{hashlib.sha512(IMAGE).hexdigest()}"
    put = calls.put(IMAGE, digest)
    assert (put.status, put.header("docker-content-digest")) == (201, digest)
    assert body_of(calls.ask("GET", at(digest))) == IMAGE


def test_an_index_is_put_after_its_parts(calls):
    top = index(IMAGE)
    refused = calls.put(top, "v1")
    assert code_of(refused) == (400, "MANIFEST_BLOB_UNKNOWN")
    calls.put(IMAGE, DIGEST)
    assert calls.put(top, "v1").status == 201
    assert calls.ask("GET", at("v1")).header("content-type") == media.OCI_INDEX


def test_a_part_that_only_the_index_names_is_found(calls):
    top = index(index(IMAGE))
    inner = index(IMAGE)
    for data in (IMAGE, inner, top):
        calls.push(data)
    pushed = OCIDescriptor(media.OCI_INDEX, digest_of(top), len(top))
    if isinstance(calls.store, MemoryStore):
        calls.store.keep(NAME, pushed)
    calls.store.tag(NAME, pushed, "v1")
    got = calls.ask("GET", at(DIGEST))
    assert (got.status, body_of(got)) == (200, IMAGE)
    assert got.header("content-type") == media.OCI_MANIFEST
    assert calls.ask("HEAD", at(digest_of(inner))).header("content-type") == media.OCI_INDEX
    assert calls.ask("HEAD", at(digest_of(LAYER))).status == 404


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"schemaVersion":2,"schemaVersion":2}',
        b"[" * 100_000,
        manifest(schemaVersion=1),
        manifest(mediaType="text/plain"),
        manifest(mediaType=media.OCI_INDEX),
        manifest(manifests=[]),
        manifest(config=...),
        manifest(layers=...),
        manifest(layers=None),
        manifest(layers=[{"mediaType": "a/b", "digest": "sha256:../../x", "size": 1}]),
        manifest(layers=[{"mediaType": "a/b", "digest": DIGEST, "size": -1}]),
        manifest(layers=[{"digest": DIGEST, "size": 1}]),
        manifest(subject={"digest": "x"}),
        manifest(annotations={"a": 1}),
    ],
)
def test_R06_R09_what_is_no_manifest_is_refused(calls, data):
    assert code_of(calls.put(data, "v1", kind=media.OCI_MANIFEST)) == (400, "MANIFEST_INVALID")
    assert calls.ask("GET", f"/v2/{NAME}/tags/list").status == 404


@pytest.mark.parametrize("kind", ["application/json", media.OCI_INDEX, "", "x"])
def test_R06_a_manifest_of_another_type_is_refused(calls, kind):
    answer = calls.ask("PUT", at("v1"), IMAGE, content_type=kind)
    assert code_of(answer) == (400, "MANIFEST_INVALID")


def test_a_manifest_may_leave_its_type_to_the_header(calls):
    data = manifest(mediaType=...)
    put = calls.ask("PUT", at("v1"), data, content_type=f"{media.DOCKER_MANIFEST}; charset=utf-8")
    assert put.status == 201
    assert calls.ask("GET", at("v1")).header("content-type") == media.DOCKER_MANIFEST


def test_a_manifest_with_another_digest_than_its_path_is_refused(calls):
    answer = calls.put(IMAGE, str(digest_of(b"other")))
    assert code_of(answer) == (400, "DIGEST_INVALID")


def test_R34_a_manifest_without_its_blobs_is_refused(calls):
    answer = calls.put(manifest(LAYER, b"missing"), "v1")
    assert code_of(answer) == (400, "MANIFEST_BLOB_UNKNOWN")
    wrong = {**described(LAYER, "text/plain"), "size": 3}
    assert code_of(calls.put(manifest(layers=[wrong]), "v1")) == (400, "MANIFEST_INVALID")


def test_layers_that_are_elsewhere_need_not_be_there(calls):
    foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    data = manifest(layers=[described(b"elsewhere", foreign)])
    assert calls.put(data, "v1").status == 201


@pytest.mark.parametrize("chunked", [False, True])
def test_R07_a_manifest_that_is_too_large_is_refused_before_it_is_read_whole(tmp_path, chunked):
    calls = Calls(MemoryStore(), tmp_path, manifest=1000)
    body = FakeBody(b" " * 5000, chunked=chunked)
    answer = calls.ask("PUT", at("v1"), body, content_type=media.OCI_MANIFEST)
    assert code_of(answer) == (413, "MANIFEST_INVALID")
    assert body.place <= 1010


def test_tags_come_sorted_and_in_pages(calls):
    for tag in ("c", "a", "d", "B", "e"):
        calls.put(IMAGE, tag)
    assert tags(calls) == ["B", "a", "c", "d", "e"]
    first = calls.ask("GET", f"/v2/{NAME}/tags/list?n=2")
    assert value_of(first) == {"name": NAME, "tags": ["B", "a"]}
    assert first.header("link") == f'</v2/{NAME}/tags/list?last=a&n=2>; rel="next"'
    assert tags(calls, "?last=a&n=2") == ["c", "d"]
    last = calls.ask("GET", f"/v2/{NAME}/tags/list?last=d&n=2")
    assert (value_of(last)["tags"], last.header("link")) == (["e"], "")
    assert tags(calls, "?n=0") == []
    assert tags(calls, "?last=zzz") == []
    assert tags(calls, "?last=b") == ["c", "d", "e"]


@pytest.mark.parametrize("n", ["-1", "x", "", "1.5", "%C2%B2", "9" * 30])
def test_a_page_has_a_number_of_names(calls, n):
    calls.put(IMAGE, "v1")
    answer = calls.ask("GET", f"/v2/{NAME}/tags/list?n={n}")
    assert code_of(answer) == (400, "PAGINATION_NUMBER_INVALID")


def test_a_repository_that_is_not_there_has_no_tags(calls):
    assert code_of(calls.ask("GET", "/v2/no/one/tags/list")) == (404, "NAME_UNKNOWN")


def test_the_catalogue_names_all_repositories_in_pages(calls):
    for name in ("b/x", "a/x", "c/x"):
        for data in (CONFIG, LAYER):
            calls.push(data, name)
        calls.put(IMAGE, "v1", name)
    assert value_of(calls.ask("GET", "/v2/_catalog")) == {"repositories": ["a/x", "b/x", "c/x"]}
    first = calls.ask("GET", "/v2/_catalog?n=1")
    assert first.header("link") == '</v2/_catalog?last=a%2Fx&n=1>; rel="next"'
    assert value_of(calls.ask("GET", "/v2/_catalog?last=a%2Fx&n=1"))["repositories"] == ["b/x"]


def test_a_tag_is_deleted_and_the_manifest_stays(calls):
    calls.put(IMAGE, "v1")
    calls.put(IMAGE, "v2")
    assert calls.ask("DELETE", at("v1")).status == 202
    assert tags(calls) == ["v2"]
    assert calls.ask("DELETE", at("v2")).status == 202
    assert body_of(calls.ask("GET", at(DIGEST))) == IMAGE
    assert tags(calls) == []
    assert code_of(calls.ask("DELETE", at("v1"))) == (404, "MANIFEST_UNKNOWN")


def test_a_manifest_is_deleted_with_its_tags_in_its_repository_only(calls):
    for name in (NAME, "other/one"):
        calls.push(CONFIG, name)
        calls.push(LAYER, name)
        calls.put(IMAGE, "v1", name)
    assert calls.ask("DELETE", at(DIGEST)).status == 202
    for reference in ("v1", DIGEST):
        assert code_of(calls.ask("GET", at(reference))) == (404, "MANIFEST_UNKNOWN")
    assert code_of(calls.ask("DELETE", at(DIGEST))) == (404, "MANIFEST_UNKNOWN")
    assert body_of(calls.ask("GET", at("v1", "other/one"))) == IMAGE
    assert calls.put(IMAGE, "v1").status == 201


def test_a_part_of_an_index_is_not_deleted_before_it(calls):
    calls.put(IMAGE, DIGEST)
    top = index(IMAGE)
    calls.put(top, "v1")
    assert code_of(calls.ask("DELETE", at(DIGEST))) == (405, "UNSUPPORTED")
    assert calls.ask("DELETE", at(digest_of(top))).status == 202
    assert calls.ask("DELETE", at(DIGEST)).status == 202
    assert calls.ask("GET", at(DIGEST)).status == 404


def test_referrers_are_found_by_their_subject_and_filtered_by_their_type(calls):
    calls.put(IMAGE, "v1")
    subject = described(IMAGE, media.OCI_MANIFEST)
    first = manifest(subject=subject, artifactType="test/sbom", annotations={"a": "b"})
    second = manifest(subject=subject, config=described(CONFIG, "test/config"))
    third = index(subject=subject, artifactType="test/index")
    for data in (first, second, third):
        put = calls.put(data, str(digest_of(data)))
        assert (put.status, put.header("oci-subject")) == (201, DIGEST)
    calls.put(manifest(annotations={"no": "subject"}), "v2")
    answer = calls.ask("GET", f"/v2/{NAME}/referrers/{DIGEST}")
    assert answer.header("content-type") == media.OCI_INDEX
    value = value_of(answer)
    assert (value["schemaVersion"], value["mediaType"]) == (2, media.OCI_INDEX)
    assert sorted(value["manifests"], key=lambda one: one["artifactType"]) == [
        {**described(second, media.OCI_MANIFEST), "artifactType": "test/config"},
        {**described(third, media.OCI_INDEX), "artifactType": "test/index"},
        {
            **described(first, media.OCI_MANIFEST),
            "artifactType": "test/sbom",
            "annotations": {"a": "b"},
        },
    ]
    some = calls.ask("GET", f"/v2/{NAME}/referrers/{DIGEST}?artifactType=test%2Fsbom")
    assert some.header("oci-filters-applied") == "artifactType"
    assert [one["digest"] for one in value_of(some)["manifests"]] == [str(digest_of(first))]


def test_a_subject_need_not_be_there_and_may_have_no_referrers(calls):
    missing = described(b"missing", media.OCI_MANIFEST)
    data = manifest(subject=missing)
    assert calls.put(data, "v1").status == 201
    found = value_of(calls.ask("GET", f"/v2/{NAME}/referrers/{missing['digest']}"))
    assert [one["digest"] for one in found["manifests"]] == [str(digest_of(data))]
    none = value_of(calls.ask("GET", f"/v2/other/one/referrers/{missing['digest']}"))
    assert none["manifests"] == []


def test_a_referrer_that_was_deleted_is_none(calls):
    calls.put(IMAGE, "v1")
    data = manifest(subject=described(IMAGE, media.OCI_MANIFEST))
    calls.put(data, "v2")
    calls.ask("DELETE", at(digest_of(data)))
    assert value_of(calls.ask("GET", f"/v2/{NAME}/referrers/{DIGEST}"))["manifests"] == []


def test_what_is_pushed_is_an_ordinary_ctf(tmp_path):
    calls = Calls(CTFStore(tmp_path / "ctf", create=True), tmp_path)
    for data in (CONFIG, LAYER):
        calls.push(data)
    calls.put(IMAGE, DIGEST)
    calls.put(IMAGE, "v1")
    calls.registry.uploads.close()
    content = json.loads((tmp_path / "ctf/artifact-index.json").read_bytes())
    entry = {"repository": NAME, "tag": "v1", "digest": DIGEST, "mediaType": media.OCI_MANIFEST}
    assert content == {"schemaVersion": 1, "artifacts": [entry]}
    assert sorted(path.name for path in (tmp_path / "ctf/blobs").iterdir()) == sorted(
        f"sha256.{digest_of(data).hex}" for data in (CONFIG, LAYER, IMAGE)
    )


def test_content_that_was_changed_in_the_ctf_is_not_given_out_as_a_manifest(tmp_path):
    calls = Calls(CTFStore(tmp_path / "ctf", create=True), tmp_path)
    for data in (CONFIG, LAYER):
        calls.push(data)
    calls.put(IMAGE, "v1")
    calls.registry.uploads.close()
    path = tmp_path / "ctf/blobs" / f"sha256.{digest_of(IMAGE).hex}"
    path.write_bytes(IMAGE.replace(b"layer", b"lawyer"[:5]))
    assert code_of(calls.ask("GET", at("v1"))) == (500, "UNKNOWN")
    assert str(tmp_path) not in body_of(calls.ask("GET", at("v1"))).decode()
    assert len(calls.log) == 2
    path.unlink()
    assert code_of(calls.ask("GET", at("v1"))) == (404, "MANIFEST_UNKNOWN")


def test_an_index_file_that_is_broken_is_the_registry_s_failure(tmp_path):
    calls = Calls(CTFStore(tmp_path), tmp_path)
    (tmp_path / "artifact-index.json").write_text("{")
    answer = calls.ask("GET", at("v1"))
    assert code_of(answer) == (500, "UNKNOWN")
    assert len(calls.log) == 1


def test_R44_a_link_in_the_ctf_is_not_followed(tmp_path):
    store = CTFStore(tmp_path / "ctf", create=True)
    calls = Calls(store, tmp_path)
    digest = calls.push(LAYER)
    calls.registry.uploads.close()
    path = tmp_path / "ctf/blobs" / digest.replace(":", ".")
    path.unlink()
    (tmp_path / "secret").write_bytes(LAYER)
    path.symlink_to(tmp_path / "secret")
    for method in ("GET", "HEAD"):
        answer = calls.ask(method, f"/v2/{NAME}/blobs/{digest}")
        assert code_of(answer) == (500, "UNKNOWN")
        assert str(tmp_path) not in body_of(answer).decode()
