"""Rows R18, R27 and R28: lists of tags, repositories and referrers, as registries give them."""

from __future__ import annotations

import json
import threading
import time

import pytest

from ocm_pkg.errors import AuthenticationError, RegistryError
from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import media
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.serving import Response
from tests.fakes.faults import lab
from tests.fakes.rawserver import always, answered, raw_server
from tests.fakes.registrystore import REPOSITORY, connected, manifest

TAGS = "/tags/list"
CATALOG = "/v2/_catalog"
SBOM = "application/spdx+json"


@pytest.fixture
def room():
    with lab(sleep=lambda seconds: time.sleep(seconds / 20)) as room:
        yield room


def page(tags, link=None, member="tags"):
    headers = {} if link is None else {"Link": link}
    return Response.json(200, {"name": REPOSITORY, member: tags}, headers)


def paged(pages, form='<{}>; rel="next"'):
    """Answer with one page after another, with links to them."""

    def answer(request):
        number = int(request.query.partition("page=")[2] or 0)
        last = number + 1 == len(pages)
        target = f"{request.path}?page={number + 1}"
        return page(pages[number], None if last else form.format(target))

    return answer


@pytest.mark.parametrize(
    "form",
    [
        '<{}>; rel="next"',
        "<{}>; rel=next",
        '<{}>;rel="prev next"',
        '</v2/x>; rel="prev", <{}>; title="a, b"; rel="next"',
        "<{}> ; REL=Next ; x",
    ],
)
def test_R18_a_list_of_several_pages_is_read_to_its_end(room, form):
    pages = [["1.0.0", "1.1.0"], [], ["2.0.0"]]
    room.fault("GET", TAGS, paged(pages, form))
    assert list(room.store.tags(REPOSITORY)) == ["1.0.0", "1.1.0", "2.0.0"]
    assert room.registry.count("GET", TAGS) == 3


@pytest.mark.parametrize("location", ["?n=2&page=1", "list?page=1", "../tags/list?page=1"])
def test_R18_a_relative_link_is_resolved_by_the_standard(room, location):
    room.fault("GET", "page=1", page(["2.0.0"]))
    room.fault("GET", TAGS, page(["1.0.0"], f'<{location}>; rel="next"'))
    assert list(room.store.tags(REPOSITORY)) == ["1.0.0", "2.0.0"]


@pytest.mark.parametrize("absolute", ["http://{}/x", "//{}/x", "http://user:pass@{}/x"])
def test_R18_a_link_to_another_origin_is_not_followed(room, absolute):
    with raw_server(always(answered(b'{"tags":["9.9.9"]}'))) as elsewhere:
        link = f'<{absolute.format(elsewhere.address)}>; rel="next"'
        room.fault("GET", TAGS, page(["1.0.0"], link))
        with pytest.raises(RegistryError):
            room.store.tags(REPOSITORY)
        assert elsewhere.requests == []
        assert elsewhere.connections == 0


def test_R18_a_page_that_leads_back_is_refused(room):
    room.fault("GET", "page=1", page(["2.0.0"], f'<{_path(room)}?page=2>; rel="next"'))
    room.fault("GET", TAGS, page(["1.0.0"], f'<{_path(room)}?page=1>; rel="next"'))
    with pytest.raises(RegistryError, match="leads back"):
        room.store.tags(REPOSITORY)
    room.faults.clear()
    room.fault("GET", TAGS, lambda one: page(["1.0.0"], f'<{one.target}>; rel="next"'))
    with pytest.raises(RegistryError, match="leads back"):
        room.store.tags(REPOSITORY)


def _path(room):
    return f"/v2/{room.store.remote_of(REPOSITORY).name}/tags/list"


def test_R18_pages_without_end_are_refused_at_the_limit(room):
    def another(request):
        number = int(request.query.partition("page=")[2] or 0) + 1
        return page([], f'<{request.path}?page={number}>; rel="next"')

    room.fault("GET", TAGS, another, times=100_000)
    with pytest.raises(RegistryError, match="pages"):
        room.store.tags(REPOSITORY)
    assert room.registry.count("GET", TAGS) <= 1000


def test_R18_100_000_tags_are_read_and_more_are_refused(room):
    tags = [f"1.{number}.0" for number in range(100_000)]
    pages = [tags[start : start + 10_000] for start in range(0, len(tags), 10_000)]
    room.fault("GET", TAGS, paged(pages))
    assert list(room.store.tags(REPOSITORY)) == sorted(tags)
    room.faults.clear()
    room.fault("GET", TAGS, paged([*pages, ["2.0.0"]]))
    with pytest.raises(RegistryError, match="more than 100000"):
        room.store.tags(REPOSITORY)


def test_R28_a_full_page_without_a_link_is_followed_by_what_comes_after_its_last_tag(room):
    tags = sorted(f"1.{number}.0" for number in range(2500))

    def answer(request):
        after = request.query.partition("last=")[2]
        return page([tag for tag in tags if tag > after][:1000])

    room.fault("GET", TAGS, answer)
    assert list(room.store.tags(REPOSITORY)) == tags
    assert room.registry.count("GET", TAGS) == 3


def test_R28_a_registry_that_ignores_n_and_last_is_read_once_or_twice(room):
    for count, requests in ((1000, 2), (2500, 1)):
        tags = [f"1.{number}.0" for number in range(count)]
        room.faults.clear()
        room.registry.forget()
        room.fault("GET", TAGS, page(tags))
        assert list(room.store.tags(REPOSITORY)) == sorted(tags)
        assert room.registry.count("GET", TAGS) == requests


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["2.0.0", "1.0.0", "2.0.0", "1.0.0"], ["1.0.0", "2.0.0"]),
        (None, []),
        ([], []),
        (["ok", "no tag", "../x", "a\x1b[31m", ""], ["ok"]),
    ],
)
def test_R28_tags_come_once_and_sorted(room, tags, expected):
    room.fault("GET", TAGS, page(tags))
    assert list(room.store.tags(REPOSITORY)) == expected


@pytest.mark.parametrize("body", [b"[]", b'{"tags":{}}', b'{"tags":[1]}', b"{}x", b"", b"<html>"])
def test_R28_a_list_that_is_none_is_refused(room, body):
    room.fault("GET", TAGS, Response(200, {"Content-Type": "application/json"}, body))
    if body == b"[]":
        body = b'["1.0.0"]'
    with pytest.raises(RegistryError):
        room.store.tags(REPOSITORY)


def test_R28_an_unknown_repository_has_no_tags(room):
    assert list(room.store.tags("nobody/knows")) == []


def test_R28_repositories_are_those_below_the_path():
    with lab(path="my/base") as room:
        for name in ("my/base/one", "my/base/two/three", "my/based", "other"):
            top = manifest(room.behind, 0, name)
            room.behind.tag(name, top, "1.0.0")
        assert list(room.store.repositories()) == ["one", "two/three"]
        with connected(room.registry.url) as whole:
            assert "other" in whole.repositories()


def test_a_web_page_in_the_place_of_tags_is_no_missing_repository():
    page_of_a_proxy = answered(b"<html>", "404 Not Found", "Content-Type: text/html")
    with (
        raw_server(always(page_of_a_proxy)) as server,
        connected(server.url) as store,
        pytest.raises(RegistryError, match="404 Not Found: a web page") as caught,
    ):
        store.tags(REPOSITORY)
    assert "proxy" in caught.value.hint


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_R28_a_registry_that_does_not_list_repositories_says_so(room, status):
    room.fault("GET", CATALOG, Response.error(status, "UNSUPPORTED"))
    with pytest.raises(RegistryError, match="does not list its repositories") as caught:
        room.store.repositories()
    assert "REPOSITORY//COMPONENT" in caught.value.hint
    assert ("ocm-pkg login" in caught.value.hint) == (status in {401, 403})


def referrer(store, subject, number=0, artifact_type=SBOM):
    """Push an attachment of ``subject``."""
    config = store.push(REPOSITORY, BytesBlob(b"{}"), "application/vnd.oci.empty.v1+json")
    value = {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": config.to_json(),
        "layers": [],
        "subject": subject.to_json(),
        "annotations": {"number": str(number)},
    }
    return store.push(REPOSITORY, BytesBlob(json.dumps(value).encode()), media.OCI_MANIFEST)


def without_the_api(room):
    """Let the registry be one of before the referrers API."""
    room.fault("GET", "/referrers/", Response.error(404, "UNSUPPORTED"), times=10_000)
    hide = {"OCI_Subject": None}
    room.fault("PUT", "/manifests/", lambda one: one.answer().with_headers(**hide), times=10_000)


def digests(found):
    return {one.digest for one in found}


@pytest.mark.parametrize("api", [True, False])
def test_R27_what_refers_to_a_manifest_is_found(room, api):
    if not api:
        without_the_api(room)
    subject = manifest(room.store)
    assert list(room.store.referrers(REPOSITORY, subject.digest)) == []
    sbom = referrer(room.store, subject)
    other = referrer(room.store, subject, artifact_type="text/other")
    found = room.store.referrers(REPOSITORY, subject.digest)
    assert digests(found) == {sbom.digest, other.digest}
    [one] = room.store.referrers(REPOSITORY, subject.digest, SBOM)
    assert (one.digest, one.artifact_type, one.size) == (sbom.digest, SBOM, sbom.size)
    assert one.annotations == {"number": "0"}
    tag = f"sha256-{subject.digest.hex}"
    assert (tag in room.store.tags(REPOSITORY)) is not api


def test_R27_a_filter_that_was_not_applied_is_applied(room):
    subject = manifest(room.store)
    sbom = referrer(room.store, subject)
    referrer(room.store, subject, artifact_type="text/other")

    def unfiltered(request):
        request.target = request.path
        return request.answer().with_headers(OCI_Filters_Applied="artifactType")

    room.fault("GET", "/referrers/", unfiltered)
    found = room.store.referrers(REPOSITORY, subject.digest, SBOM)
    assert digests(found) == {sbom.digest}


def test_R27_an_API_that_appears_later_is_used(room):
    subject = manifest(room.store)
    without_the_api(room)
    referrer(room.store, subject)
    room.faults.clear()
    second = referrer(room.store, subject, 2)
    found = room.store.referrers(REPOSITORY, subject.digest)
    assert second.digest in digests(found)


def test_R27_pages_of_referrers_are_all_read(room):
    subject = manifest(room.store)
    entries = [
        OCIDescriptor(media.OCI_MANIFEST, digest_of(bytes([number])), 1, artifact_type=SBOM)
        for number in range(3)
    ]

    def answer(request):
        number = int(request.query.partition("page=")[2] or 0)
        value = {
            "schemaVersion": 2,
            "mediaType": media.OCI_INDEX,
            "manifests": [entries[number].to_json()],
        }
        headers = {"Content-Type": media.OCI_INDEX}
        if number < 2:
            headers["Link"] = f'<{request.path}?page={number + 1}>; rel="next"'
        return Response(200, headers, json.dumps(value).encode())

    room.fault("GET", "/referrers/", answer)
    assert len(room.store.referrers(REPOSITORY, subject.digest)) == 3


def test_R27_an_answer_that_is_no_index_is_not_the_API(room):
    subject = manifest(room.store)
    without_the_api(room)
    sbom = referrer(room.store, subject)
    room.faults.clear()
    room.fault("GET", "/referrers/", Response(200, {"Content-Type": "text/html"}, b"<html>"))
    assert digests(room.store.referrers(REPOSITORY, subject.digest)) == {sbom.digest}


@pytest.mark.parametrize("separate", [False, True], ids=["one-store", "ten-stores"])
def test_R27_ten_writers_at_once_lose_no_entry(room, separate):
    without_the_api(room)
    subject = manifest(room.store)
    pushed, failed = [], []

    def write(number):
        try:
            if separate:
                with connected(room.registry.url) as own:
                    pushed.append(referrer(own, subject, number).digest)
            else:
                pushed.append(referrer(room.store, subject, number).digest)
        except Exception as error:  # noqa: BLE001 - told to the test
            failed.append(error)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(10)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failed == []
    found = room.store.referrers(REPOSITORY, subject.digest)
    assert digests(found) == set(pushed)
    assert len(found) == 10


def test_R27_a_referrer_that_is_deleted_is_no_longer_listed(room):
    without_the_api(room)
    subject = manifest(room.store)
    one, two = (referrer(room.store, subject, number) for number in range(2))
    assert room.store.delete(REPOSITORY, one.digest)
    assert digests(room.store.referrers(REPOSITORY, subject.digest)) == {two.digest}
    assert not room.store.delete(REPOSITORY, one.digest)


def test_R27_a_referrer_that_could_not_be_deleted_is_still_listed(room):
    without_the_api(room)
    subject = manifest(room.store)
    one = referrer(room.store, subject)
    room.fault("DELETE", "/manifests/", Response.error(403, "DENIED"))
    with pytest.raises(AuthenticationError):
        room.store.delete(REPOSITORY, one.digest)
    assert digests(room.store.referrers(REPOSITORY, subject.digest)) == {one.digest}


def test_R27_a_registry_that_does_not_delete_says_so(room):
    top = manifest(room.store)
    room.fault("DELETE", "/manifests/", Response.error(405, "UNSUPPORTED"))
    with pytest.raises(RegistryError, match="405") as caught:
        room.store.delete(REPOSITORY, top.digest)
    assert "settings" in caught.value.hint


def test_R18_a_list_that_needs_a_login_says_so(room):
    room.fault("GET", TAGS, Response.error(401, "UNAUTHORIZED"))
    with pytest.raises(AuthenticationError):
        room.store.tags(REPOSITORY)
