"""Rows R17, R22 to R26, R43, N03 and N11: uploads that a registry answers in its own way."""

from __future__ import annotations

import hashlib

import pytest

from ocm_pkg.errors import (
    DigestMismatchError,
    RegistryError,
    StoreError,
    TransportError,
)
from ocm_pkg.fs.blob import BytesBlob, FileBlob
from ocm_pkg.model.config_credentials import Credentials
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store.memory import MemoryStore
from ocm_pkg.store.serving import Response
from tests.fakes.faults import lab
from tests.fakes.rawserver import always, answered, raw_server
from tests.fakes.registrystore import REPOSITORY

OTHER = "some/other"
SESSION = "/blobs/uploads/"
MIB = 1024 * 1024
SMALL = b"small content"
LARGE = hashlib.shake_256(b"large").digest(6 * MIB)


@pytest.fixture
def room():
    with lab() as room:
        yield room


@pytest.fixture(params=["known", "unknown"])
def large(request, tmp_path):
    """Give content that is too large for one reading, with its digest and without."""
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    digest = digest_of(LARGE) if request.param == "known" else None
    return FileBlob(path, None, len(LARGE), digest)


def arrived(room, data, repository=REPOSITORY):
    return room.behind._blobs.get((repository, digest_of(data))) == data


def pushed(room, blob=None):
    blob = blob or BytesBlob(SMALL)
    return room.store.push(REPOSITORY, blob, "text/plain")


def test_R22_an_upload_takes_three_requests_and_none_when_it_is_repeated(room):
    for _ in range(2):
        assert pushed(room).digest == digest_of(SMALL)
        assert room.methods() == ["HEAD", "POST", "PUT"]
    assert arrived(room, SMALL)


def test_R22_content_of_an_unknown_digest_is_hashed_while_it_is_sent(room, large):
    assert pushed(room, large).digest == digest_of(LARGE)
    known = ["HEAD", "POST", "PUT"]
    assert room.methods() == (known if large.digest else ["POST", "PATCH", "PUT"])
    assert arrived(room, LARGE)


def test_R22_an_answer_without_a_location_is_refused(room):
    room.fault("POST", SESSION, Response(202))
    with pytest.raises(RegistryError, match="no Location"):
        pushed(room)


@pytest.mark.parametrize("status", [200, 404, 405, 403])
def test_R22_a_registry_that_begins_no_upload_is_refused_with_its_own_words(room, status):
    room.fault("POST", SESSION, Response.error(status, "NAME_UNKNOWN", "not \x1b[31mhere"))
    with pytest.raises(StoreError, match=str(status)) as caught:
        pushed(room)
    assert "\x1b" not in caught.value.message
    assert room.methods() == ["HEAD", "POST"]
    if status == 405:
        assert "read-only" in caught.value.hint


def test_R22_a_blob_that_is_created_at_once_is_looked_for(room):
    def create(_request):
        room.behind.push(REPOSITORY, BytesBlob(SMALL), "text/plain")
        return Response(201, {"Location": "/v2/x/blobs/y"})

    room.fault("POST", SESSION, create)
    assert pushed(room).digest == digest_of(SMALL)
    assert room.methods() == ["HEAD", "POST", "HEAD"]


def test_R22_a_blob_that_is_said_to_be_created_and_is_not_there_is_refused(room):
    room.fault("POST", SESSION, Response(201))
    with pytest.raises(RegistryError, match="before it has begun"):
        pushed(room)


def test_R23_a_mount_takes_one_request(room):
    room.behind.push(OTHER, BytesBlob(SMALL), "text/plain")
    digest = digest_of(SMALL)
    assert room.store.mount(REPOSITORY, digest, room.store, OTHER)
    assert room.methods() == ["POST"]
    assert arrived(room, SMALL)


def test_R23_a_mount_that_is_answered_with_an_upload_goes_on_in_that_session(room):
    digest = digest_of(SMALL)
    assert not room.store.mount(REPOSITORY, digest, room.store, OTHER)
    assert pushed(room).digest == digest
    assert room.methods() == ["POST", "HEAD", "PUT"]
    assert arrived(room, SMALL)


@pytest.mark.parametrize("status", [401, 403, 404, 405, 500])
def test_R23_a_mount_that_is_refused_is_a_copy(room, status):
    room.fault("POST", "mount=", Response.error(status, "DENIED"))
    assert not room.store.mount(REPOSITORY, digest_of(SMALL), room.store, OTHER)
    pushed(room)
    assert arrived(room, SMALL)


def test_R23_nothing_is_mounted_from_another_registry(room):
    with lab() as other:
        assert not room.store.mount(REPOSITORY, digest_of(SMALL), other.store, OTHER)
        assert not room.store.mount(REPOSITORY, digest_of(SMALL), MemoryStore(), OTHER)
    assert room.registry.requests == []


@pytest.mark.parametrize(("status", "code"), [(400, "DIGEST_INVALID"), (413, "SIZE_INVALID")])
def test_R24_content_that_is_refused_fails_with_the_registrys_own_words(room, status, code):
    room.fault("PUT", SESSION, Response.error(status, code, "no \x1b[31mway"))
    with pytest.raises(RegistryError) as caught:
        pushed(room)
    assert (caught.value.status, caught.value.registry_code) == (status, code)
    assert "no \\x1b[31mway" in caught.value.message
    assert room.registry.count("PUT") == 1


def test_R24_a_session_that_is_gone_is_started_again(room, large):
    verb = "PUT" if large.digest else "PATCH"
    room.fault(verb, SESSION, Response.error(404, "BLOB_UPLOAD_UNKNOWN"), times=1)
    pushed(room, large)
    assert arrived(room, LARGE)
    assert room.registry.count("POST") == 2


@pytest.mark.parametrize("status", [404, 416])
def test_R24_a_session_that_is_always_gone_is_started_again_once(room, large, status):
    for verb in ("PUT", "PATCH"):
        room.fault(verb, SESSION, Response.error(status, "BLOB_UPLOAD_UNKNOWN"))
    with pytest.raises(RegistryError, match="BLOB_UPLOAD_UNKNOWN"):
        pushed(room, large)
    assert room.registry.count("POST") == 2


def test_R24_a_chunk_in_the_wrong_place_is_sent_again_from_the_right_one(room, large):
    def half(request):
        request.body.limit(MIB // 2)
        request.answer()
        return Response.error(416, "RANGE_INVALID")

    with lab(room.behind, chunk=MIB) as other:
        other.fault("POST", SESSION, chunked("1"), times=1)
        other.fault("PATCH", SESSION, half, times=1)
        pushed(other, large)
        assert other.registry.count("GET", SESSION) == 1
        assert other.registry.count("POST") == 1
    assert arrived(room, LARGE)


def chunked(least):
    return lambda request: request.answer().with_headers(OCI_Chunk_Min_Length=least)


@pytest.mark.parametrize(
    ("least", "chunks"), [("1", 6), ("2097152", 3), ("4194304", 2), ("99999999", 0), ("x", 0)]
)
def test_R25_chunks_are_at_least_as_large_as_the_registry_wants(large, least, chunks):
    with lab(chunk=MIB) as room:
        sizes = []

        def size(request):
            sizes.append(request.body.length)

        room.fault("POST", SESSION, chunked(least))
        room.fault("PATCH", SESSION, size)
        pushed(room, large)
        assert arrived(room, LARGE)
        assert len(sizes) == (chunks or (0 if large.digest else 1))
        assert all(one >= (int(least) if least.isdigit() else 0) for one in sizes[:-1])
        assert sum(sizes) in (0, len(LARGE))


@pytest.mark.parametrize("kept", [1 * MIB, 5 * MIB + 17, 2])
def test_R26_what_the_registry_did_not_keep_is_sent_again(room, tmp_path, kept):
    path = tmp_path / "large"
    path.write_bytes(LARGE)

    def partly(request):
        request.body.limit(kept)

    room.fault("PATCH", SESSION, partly, times=1)
    assert pushed(room, FileBlob(path)).digest == digest_of(LARGE)
    assert arrived(room, LARGE)
    assert room.registry.count("PATCH") == 2


def test_R26_a_registry_that_keeps_nothing_is_given_up(room, tmp_path):
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    room.fault("PATCH", SESSION, lambda request: request.body.limit(0))
    with pytest.raises(RegistryError, match="keeps nothing"):
        pushed(room, FileBlob(path))
    assert room.registry.count("PATCH") == 3


def test_R26_a_registry_that_has_more_than_was_sent_is_asked(room, tmp_path):
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    lie = {"Range": "0-99999999"}
    room.fault("PATCH", SESSION, lambda one: one.answer().with_headers(**lie), times=1)
    pushed(room, FileBlob(path))
    assert room.registry.count("GET", SESSION) == 1
    assert arrived(room, LARGE)


def test_R26_a_registry_that_always_has_more_than_was_sent_is_given_up(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    with lab(chunk=MIB) as other:
        other.fault("POST", SESSION, chunked("1"))
        for verb in ("PATCH", "GET"):
            other.fault(verb, SESSION, lambda one: one.answer().with_headers(Range="0-99999999"))
        with pytest.raises(RegistryError, match="100000000 bytes"):
            pushed(other, FileBlob(path))
        assert other.registry.count("POST") == 2


def test_R43_a_chunk_that_was_stored_and_denied_is_not_sent_again(large):
    with lab(chunk=3 * MIB) as room:

        def deny(request):
            request.answer()
            return Response.error(500, "UNKNOWN")

        room.fault("POST", SESSION, chunked("1"))
        room.fault("PATCH", SESSION, deny, times=1)
        pushed(room, large)
        assert arrived(room, LARGE)
        begun = room.asked.index(next(one for one in room.asked if one.startswith("PATCH")))
        methods = [one.split()[0] for one in room.asked[begun:]]
        assert [one for one in methods if one != "HEAD"] == ["PATCH", "GET", "PATCH", "PUT"]


@pytest.mark.parametrize("after", [0, 1, 3 * MIB, len(LARGE) - 1])
def test_N03_an_upload_that_is_cut_goes_on_where_it_was(room, large, after):
    verb = "PUT" if large.digest else "PATCH"
    room.fault(verb, SESSION, lambda request: request.body.break_after(after), times=1)
    assert pushed(room, large).digest == digest_of(LARGE)
    assert arrived(room, LARGE)
    assert room.registry.count("POST") == (1 if after > 1 else 2)


def test_N03_an_upload_that_was_committed_before_the_answer_was_lost_is_not_repeated(room, large):
    def commit(request):
        request.answer()
        return Response.nothing(reset=True)

    room.fault("PUT", "digest=", commit, times=1)
    assert pushed(room, large).digest == digest_of(LARGE)
    # A PUT without content may be repeated by the transport.
    assert room.registry.count("PUT") <= (1 if large.digest else 2)
    assert room.registry.count("POST") == 1
    assert room.methods()[-1] == "HEAD"


def test_N03_a_session_that_does_not_say_what_it_has_is_left(room, large):
    verb = "PUT" if large.digest else "PATCH"
    room.fault(verb, SESSION, lambda request: request.body.break_after(3 * MIB), times=1)
    room.fault("GET", SESSION, lambda one: one.answer().with_headers(Range=None))
    pushed(room, large)
    assert arrived(room, LARGE)
    assert room.registry.count("POST") == 2


def test_N03_a_connection_that_always_breaks_is_given_up(room, large):
    for verb in ("PUT", "PATCH"):
        room.fault(verb, SESSION, Response.nothing(reset=True))
    with pytest.raises(TransportError):
        pushed(room, large)
    assert room.registry.count("PUT") + room.registry.count("PATCH") <= 3


def test_N11_a_registry_that_restarts_between_chunks_gets_the_upload_again(large):
    behind = MemoryStore()
    with lab(behind, chunk=MIB) as room:

        def restart(request):
            room.registry.server._registry.uploads._sessions.clear()
            return request.answer()

        room.fault("POST", SESSION, chunked("1"))
        room.fault("PATCH", SESSION, None, times=2)
        room.fault("PATCH", SESSION, restart, times=1)
        pushed(room, large)
        assert arrived(room, LARGE)
        assert room.registry.count("POST") == 2


def test_R24_content_that_is_not_what_it_says_is_not_stored(room, tmp_path):
    path = tmp_path / "large"
    path.write_bytes(LARGE[:-1] + b"!")
    liar = FileBlob(path, None, len(LARGE), digest_of(LARGE))
    with pytest.raises(DigestMismatchError, match="expected"):
        pushed(room, liar)
    assert room.behind._blobs == {}
    assert room.methods()[-1] == "DELETE"
    assert len(room.registry.server._registry.uploads) == 0


@pytest.mark.parametrize("change", ["shorter", "longer"])
def test_R24_content_that_changes_its_size_is_not_stored(room, tmp_path, change):
    path = tmp_path / "large"
    path.write_bytes(LARGE[:-1] if change == "shorter" else LARGE + b"!")
    with pytest.raises(DigestMismatchError, match="changed"):
        pushed(room, FileBlob(path, None, len(LARGE)))
    assert room.behind._blobs == {}


def test_R24_content_that_is_there_with_another_size_is_refused(room):
    room.fault("HEAD", "/blobs/", Response(200, {"Content-Length": "3"}))
    with pytest.raises(DigestMismatchError, match="3 bytes"):
        pushed(room)


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("x", "/v2/some/repository/blobs/uploads/x?"),
        ("../x", "/v2/some/repository/blobs/x?"),
        ("?state=1", "/v2/some/repository/blobs/uploads/?state=1&"),
        ("/y/x?a=b", "/y/x?a=b&"),
        ("//{host}/x", "/x?"),
        ("http://{host}/x#part", "/x?"),
    ],
)
def test_R17_a_relative_location_is_resolved_by_the_standard(room, location, target):
    leads = {"Location": location.format(host=room.registry.host)}
    room.fault("POST", SESSION, lambda one: one.answer().with_headers(**leads))
    room.fault("PUT", "", Response(201))
    digest = str(pushed(room).digest).replace(":", "%3A")
    assert room.registry.requests[-1] == ("PUT", f"{target}digest={digest}")


@pytest.mark.parametrize(
    "location", ["https://user:s3cret@{}/x", "ftp://{}/x", "file:///x", "http://{}:x/", "http://[/"]
)
def test_R17_a_location_that_is_none_is_refused(room, location):
    leads = {"Location": location.format(room.registry.host)}
    room.fault("POST", SESSION, lambda one: one.answer().with_headers(**leads))
    with pytest.raises(RegistryError) as caught:
        pushed(room)
    assert "s3cret" not in caught.value.message
    assert room.methods() == ["HEAD", "POST"]


def test_R17_an_upload_in_another_origin_gets_no_credentials():
    secret = Credentials({"username": "user", "password": "s3cret"})
    with (
        raw_server(always(answered(b"", "201 Created"))) as elsewhere,
        lab(credentials=secret) as room,
    ):

        def login(request):
            if "authorization" not in request.headers:
                return Response(401, {"WWW-Authenticate": 'Basic realm="here"'})
            answer = request.answer()
            if request.method == "POST":
                return answer.with_headers(Location=f"{elsewhere.url}/x")
            return answer

        for method in ("HEAD", "POST", "PUT"):
            room.fault(method, "/v2/", login)
        pushed(room)
        [put] = elsewhere.requests
        assert (put.method, put.body) == ("PUT", SMALL)
        assert "authorization" not in put.headers
