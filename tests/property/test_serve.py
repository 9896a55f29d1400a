"""Any bytes give an answer of the registry, and never an error that nobody named."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocm_pkg.errors import OcmPkgError
from ocm_pkg.store import media
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.manifest import Manifest
from ocm_pkg.store.serving import head, ranges
from ocm_pkg.store.serving.message import RefusedError
from tests.fakes.registry_calls import CONFIG, NAME, Calls, index, manifest, value_of

SETTINGS = settings(derandomize=True, deadline=None, max_examples=200)
WORDS = st.sampled_from(
    [
        "v2",
        "a",
        "b-c",
        "A",
        "manifests",
        "blobs",
        "uploads",
        "tags",
        "list",
        "referrers",
        "..",
        "",
        "_catalog",
        "%2e%2e",
        "%00",
        "%ff",
        "sha256:" + "a" * 64,
        "sha256:x",
        "v1",
        "0" * 32,
        "é",
    ]
)
PATHS = st.lists(WORDS | st.text(max_size=5), max_size=7).map(lambda parts: "/" + "/".join(parts))
QUERIES = st.lists(
    st.tuples(
        st.sampled_from(["n", "last", "digest", "mount", "from", "artifactType", "x"]),
        st.sampled_from(["", "1", "-1", "x", "sha256:" + "a" * 64, "%ff", "../x", "a/b"]),
    ),
    max_size=3,
).map(lambda pairs: "&".join("=".join(pair) for pair in pairs))
HEADERS = st.dictionaries(
    st.sampled_from(
        ["content_type", "content_range", "range", "if_range", "if_none_match", "origin"]
    ),
    st.sampled_from(["", "0-1", "bytes=0-", "bytes=-9", "bytes 0-1/2", media.OCI_MANIFEST, "é\0"]),
    max_size=3,
)


@pytest.fixture(scope="module")
def calls():
    with tempfile.TemporaryDirectory() as folder:
        made = Calls(CTFStore(Path(folder) / "ctf", create=True), Path(folder), sessions=5)
        made.push(CONFIG)
        made.put(manifest(), "v1")
        yield made
        made.registry.uploads.close()


@SETTINGS
@given(
    st.sampled_from(["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"]),
    PATHS,
    QUERIES,
    HEADERS,
    st.binary(max_size=50),
)
def test_any_request_is_answered(calls, method, path, query, headers, body):
    answer = calls.ask(method, f"{path}?{query}", body, **headers)
    assert 200 <= answer.status < 500, answer
    if answer.status >= 400:
        assert value_of(answer)["errors"][0]["code"].isupper()
    assert calls.log == []


@SETTINGS
@given(st.binary(max_size=300))
def test_any_document_is_stored_or_refused(calls, data):
    answer = calls.ask("PUT", f"/v2/{NAME}/manifests/x", data, content_type=media.OCI_MANIFEST)
    assert answer.status in {201, 400}


LINES = st.lists(
    st.sampled_from(
        [
            b"GET /v2/ HTTP/1.1",
            b"Host: a",
            b"Content-Length: 1",
            b"Transfer-Encoding: chunked",
            b" fold",
            b"a:b",
            b": x",
            b"\xff: \xff",
            b"a: \x00",
        ]
    )
    | st.binary(max_size=10),
    max_size=6,
)


@SETTINGS
@given(LINES)
def test_any_head_is_read_or_refused(lines):
    status = 0
    try:
        found = head.parse(b"\r\n".join(lines), 5)
    except RefusedError as refused:
        status = refused.response.status
    assert status in {0, 400, 431}
    if status == 0:
        assert found.target.startswith("/")
        assert found.length is None or found.length >= 0


@SETTINGS
@given(
    st.text(max_size=20) | st.from_regex(r"bytes=\d{0,3}-\d{0,3}", fullmatch=True),
    st.integers(0, 500),
)
def test_any_range_is_inside_or_refused(header, size):
    try:
        found = ranges.wanted(header, size)
    except ValueError:
        return
    if found is not None:
        assert 0 <= found[0] < found[0] + found[1] <= size


@SETTINGS
@given(st.data())
def test_any_change_of_a_manifest_gives_a_manifest_or_a_named_error(data):
    good = data.draw(st.sampled_from([manifest(b"x"), index(manifest(b"x"))]))
    place = data.draw(st.integers(0, len(good)))
    piece = data.draw(st.binary(max_size=4) | st.sampled_from([b"null", b"[]", b"{}", b"-1", b'"']))
    changed = good[:place] + piece + good[place + len(piece) :]
    try:
        found = Manifest.parse(changed, None, "it")
    except OcmPkgError:
        return
    assert found.media_type in media.MANIFESTS
