from __future__ import annotations

import errno
import hashlib
import os

import pytest

from ocm_pkg.model.digest import digest_of
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.memory import MemoryStore
from ocm_pkg.store.serving import uploads
from tests.fakes.registry_calls import NAME, Calls, FakeBody, body_of, code_of
from tests.fakes.trees import names

DATA = b"0123456789"
DIGEST = str(digest_of(DATA))


@pytest.fixture(params=["memory", "ctf"])
def calls(request, tmp_path):
    ctf = request.param == "ctf"
    store = CTFStore(tmp_path / "ctf", create=True) if ctf else MemoryStore()
    made = Calls(store, tmp_path, sessions=3, session_seconds=60)
    yield made
    made.registry.uploads.close()
    assert made.log == []
    if ctf and (tmp_path / "ctf").exists():
        assert [name for name in names(tmp_path / "ctf") if name.startswith(".")] == []


def blob(digest=DIGEST, name=NAME):
    return f"/v2/{name}/blobs/{digest}"


def test_a_blob_is_read_whole_and_in_parts(calls):
    calls.push(DATA)
    whole = calls.ask("GET", blob())
    assert (whole.status, body_of(whole)) == (200, DATA)
    assert whole.header("docker-content-digest") == DIGEST
    part = calls.ask("GET", blob(), range="bytes=2-4")
    assert (part.status, body_of(part)) == (206, b"234")
    assert part.header("content-range") == "bytes 2-4/10"
    outside = calls.ask("GET", blob(), range="bytes=10-")
    assert code_of(outside) == (416, "RANGE_INVALID")
    assert outside.header("content-range") == "bytes */10"


def test_a_range_is_only_followed_if_the_blob_is_the_one_that_is_meant(calls):
    calls.push(DATA)
    assert calls.ask("GET", blob(), range="bytes=2-4", if_range=f'"{DIGEST}"').status == 206
    assert calls.ask("GET", blob(), range="bytes=2-4", if_range='"other"').status == 200
    assert calls.ask("GET", blob(), if_none_match=f'"{DIGEST}"').status == 304


def test_a_blob_that_is_not_there_is_unknown(calls):
    assert code_of(calls.ask("GET", blob())) == (404, "BLOB_UNKNOWN")
    assert calls.ask("HEAD", blob()).status == 404


def test_an_upload_in_one_request(calls):
    answer = calls.ask("POST", f"/v2/{NAME}/blobs/uploads/?digest={DIGEST}", DATA)
    assert (answer.status, answer.header("location")) == (201, blob())
    assert len(calls.registry.uploads) == 0


def test_an_upload_in_chunks_tells_what_it_has(calls):
    place = calls.session()
    for start, end in ((0, 4), (4, 7)):
        answer = calls.ask("PATCH", place, DATA[start:end], content_range=f"{start}-{end - 1}")
        assert (answer.status, answer.header("range")) == (202, f"0-{end - 1}")
        assert answer.header("location") == place
    state = calls.ask("GET", place)
    assert (state.status, state.header("range")) == (204, "0-6")
    done = calls.ask("PUT", f"{place}?digest={DIGEST}", DATA[7:], content_range="7-9")
    assert (done.status, done.header("docker-content-digest")) == (201, DIGEST)
    assert body_of(calls.ask("GET", blob())) == DATA
    assert code_of(calls.ask("GET", place)) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_a_stream_needs_no_lengths(calls):
    place = calls.session()
    assert calls.ask("PATCH", place, FakeBody(DATA, chunked=True)).status == 202
    assert calls.ask("PUT", f"{place}?digest={DIGEST}").status == 201


def test_an_upload_may_be_empty(calls):
    place = calls.session()
    assert calls.ask("GET", place).header("range") == "0-0"
    assert calls.ask("PUT", f"{place}?digest={digest_of(b'')}").status == 201
    assert body_of(calls.ask("GET", blob(digest_of(b"")))) == b""


@pytest.mark.parametrize("place_of_chunk", ["3-4", "5-6", "0-1", "x", "1-0"])
def test_a_chunk_at_another_place_is_refused_and_changes_nothing(calls, place_of_chunk):
    place = calls.session()
    calls.ask("PATCH", place, DATA[:4])
    answer = calls.ask("PATCH", place, DATA[4:6], content_range=place_of_chunk)
    assert code_of(answer) == (416, "BLOB_UPLOAD_INVALID")
    assert (answer.header("range"), answer.header("location")) == ("0-3", place)
    assert calls.ask("PUT", f"{place}?digest={DIGEST}", DATA[4:]).status == 201


def test_a_chunk_has_the_length_that_it_says(calls):
    place = calls.session()
    answer = calls.ask("PATCH", place, DATA[:4], content_range="0-9")
    assert code_of(answer) == (400, "SIZE_INVALID")


def test_N03_what_came_before_a_break_stays_and_the_upload_goes_on(calls):
    place = calls.session()
    with pytest.raises(ConnectionError):
        calls.ask("PATCH", place, FakeBody(DATA, breaks=6))
    assert calls.ask("GET", place).header("range") == "0-5"
    with pytest.raises(ConnectionError):
        calls.ask("PUT", f"{place}?digest={DIGEST}", FakeBody(DATA[6:], breaks=3))
    assert calls.ask("PUT", f"{place}?digest={DIGEST}", DATA[9:]).status == 201


def test_a_broken_upload_in_one_request_leaves_nothing(calls):
    with pytest.raises(ConnectionError):
        calls.ask("POST", f"/v2/{NAME}/blobs/uploads/?digest={DIGEST}", FakeBody(DATA, breaks=6))
    assert len(calls.registry.uploads) == 0
    assert calls.ask("HEAD", blob()).status == 404


@pytest.mark.parametrize("digest", [digest_of(b"other"), "sha256:x", "", "../../x"])
def test_content_with_another_digest_is_refused_and_not_stored(calls, digest):
    place = calls.session()
    answer = calls.ask("PUT", f"{place}?digest={digest}", DATA)
    assert code_of(answer) == (400, "DIGEST_INVALID")
    assert calls.ask("HEAD", blob()).status == 404
    again = calls.ask("POST", f"/v2/{NAME}/blobs/uploads/?digest={digest}", DATA)
    assert code_of(again) == (400, "DIGEST_INVALID")


def test_R10_sha512_is_taken(calls):
    digest = f"sha512:{hashlib.sha512(DATA).hexdigest()}"
    place = calls.session()
    assert calls.ask("PATCH", place, DATA).status == 202
    assert calls.ask("PUT", f"{place}?digest={digest}").status == 201
    assert body_of(calls.ask("GET", blob(digest))) == DATA


def test_a_full_disk_is_told_and_the_upload_can_go_on(calls, monkeypatch):
    place = calls.session()
    calls.ask("PATCH", place, DATA[:4])
    real = os.pwrite

    def full(fd, data, offset):
        monkeypatch.setattr(os, "pwrite", real)
        real(fd, data[:1], offset)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    answer = calls.ask("PATCH", place, DATA[4:7])
    assert code_of(answer) == (507, "UNKNOWN")
    assert [line[:5] for line in calls.log] == ["E111:"]
    calls.log.clear()
    assert calls.ask("GET", place).header("range") == "0-3"
    assert calls.ask("PUT", f"{place}?digest={DIGEST}", DATA[4:]).status == 201
    assert body_of(calls.ask("GET", blob())) == DATA


def test_one_request_at_a_time_uses_a_session(calls, monkeypatch):
    monkeypatch.setattr(uploads, "_BUSY_SECONDS", 0.01)
    place = calls.session()
    with calls.registry.uploads.using(place.rpartition("/")[2], NAME):
        answer = calls.ask("PATCH", place, DATA)
        assert code_of(answer) == (409, "BLOB_UPLOAD_INVALID")
        assert calls.ask("GET", place).status == 204
    assert calls.ask("PATCH", place, DATA).status == 202


def test_a_cancelled_upload_is_forgotten(calls):
    place = calls.session()
    calls.ask("PATCH", place, DATA)
    assert calls.ask("DELETE", place).status == 204
    assert code_of(calls.ask("PATCH", place, DATA)) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_a_session_belongs_to_its_repository(calls):
    place = calls.session("a/b")
    other = place.replace("a/b", "c/d")
    assert code_of(calls.ask("PATCH", other, DATA)) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_sessions_are_few_and_forgotten_when_nobody_uses_them(calls):
    places = [calls.session() for _ in range(3)]
    calls.ask("PATCH", places[0], DATA)
    full = calls.ask("POST", f"/v2/{NAME}/blobs/uploads/")
    assert code_of(full) == (429, "TOOMANYREQUESTS")
    calls.now = 50
    calls.ask("PATCH", places[0], DATA)
    calls.now = 70
    assert calls.ask("POST", f"/v2/{NAME}/blobs/uploads/").status == 202
    assert calls.ask("GET", places[0]).status == 204
    assert calls.ask("GET", places[1]).status == 404


def test_sessions_are_also_forgotten_when_nobody_asks(calls):
    place = calls.session()
    calls.ask("PATCH", place, DATA)
    calls.now = 59
    calls.registry.uploads.tidy()
    assert len(calls.registry.uploads) == 1
    calls.now = 61
    calls.registry.uploads.tidy()
    assert len(calls.registry.uploads) == 0


def test_a_registry_that_ends_begins_no_upload(calls):
    calls.registry.uploads.close()
    answer = calls.ask("POST", f"/v2/{NAME}/blobs/uploads/")
    assert code_of(answer) == (503, "UNAVAILABLE")


def test_a_blob_of_another_repository_is_mounted(calls):
    calls.push(DATA, "first/one")
    place = "/v2/second/one/blobs/uploads/"
    answer = calls.ask("POST", f"{place}?mount={DIGEST}&from=first/one")
    assert (answer.status, answer.header("location")) == (201, blob(name="second/one"))
    assert body_of(calls.ask("GET", blob(name="second/one"))) == DATA


def test_R23_what_cannot_be_mounted_is_uploaded_in_a_session(calls):
    place = f"/v2/{NAME}/blobs/uploads/"
    answer = calls.ask("POST", f"{place}?mount={DIGEST}&from=first/one")
    assert answer.status == 202
    done = calls.ask("PUT", f"{answer.header('location')}?digest={DIGEST}", DATA)
    assert done.status == 201
    invalid = calls.ask("POST", f"{place}?mount=../x&from=first/one")
    assert code_of(invalid) == (400, "DIGEST_INVALID")
    invalid = calls.ask("POST", f"{place}?mount={digest_of(b'x')}&from=../x")
    assert code_of(invalid) == (400, "NAME_INVALID")


def test_content_that_is_there_can_be_uploaded_again(calls):
    assert calls.push(DATA) == calls.push(DATA)


def test_a_read_only_registry_takes_nothing(tmp_path):
    store = CTFStore(tmp_path / "ctf", create=True)
    Calls(store, tmp_path).push(DATA)
    calls = Calls(store, tmp_path, writable=False)
    assert body_of(calls.ask("GET", blob())) == DATA
    for method, target in (
        ("POST", f"/v2/{NAME}/blobs/uploads/"),
        ("DELETE", blob()),
        ("PUT", f"/v2/{NAME}/manifests/v1"),
        ("DELETE", f"/v2/{NAME}/manifests/v1"),
        ("PATCH", f"/v2/{NAME}/blobs/uploads/{'0' * 32}"),
    ):
        assert code_of(calls.ask(method, target, DATA)) == (403, "DENIED")


def test_no_web_page_may_change_anything(calls):
    answer = calls.ask("POST", f"/v2/{NAME}/blobs/uploads/", origin="http://evil.example")
    assert code_of(answer) == (403, "DENIED")
    assert calls.ask("GET", "/v2/", origin="http://evil.example").status == 200


def test_a_method_that_a_path_does_not_have_is_refused_and_told(calls):
    answer = calls.ask("POST", "/v2/")
    assert code_of(answer) == (405, "UNSUPPORTED")
    assert answer.header("allow") == "GET, HEAD"


def test_a_blob_is_deleted_where_the_store_does_that(calls):
    calls.push(DATA)
    answer = calls.ask("DELETE", blob())
    if isinstance(calls.store, MemoryStore):
        assert answer.status == 202
        assert calls.ask("HEAD", blob()).status == 404
    else:
        assert code_of(answer) == (405, "UNSUPPORTED")
        assert calls.ask("HEAD", blob()).status == 200
    missing = calls.ask("DELETE", blob(digest_of(b"x")))
    assert code_of(missing) == (404, "BLOB_UNKNOWN")
