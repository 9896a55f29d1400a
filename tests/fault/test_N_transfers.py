"""Rows N01, N02, N03, N10 and N12, and R15: transfers over a network that fails."""

from __future__ import annotations

import hashlib
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from ocm_pkg.errors import DigestMismatchError, RegistryError, TransportError
from ocm_pkg.fs.blob import BytesBlob, FileBlob, read_all
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store.base import OCIDescriptor
from ocm_pkg.store.serving import Response
from tests.fakes.faults import lab
from tests.fakes.registrystore import REPOSITORY, connected

MIB = 1024 * 1024
LARGE = hashlib.shake_256(b"large").digest(6 * MIB)
SMALL = LARGE[:1000]


def described(data):
    return OCIDescriptor("text/plain", digest_of(data), len(data))


@pytest.fixture(params=["small", "large"])
def data(request):
    return SMALL if request.param == "small" else LARGE


@pytest.fixture
def room(data):
    with lab() as room:
        room.behind.push(REPOSITORY, BytesBlob(data), "text/plain")
        yield room


def read(room, data):
    return read_all(room.store.fetch(REPOSITORY, described(data)), 10 * MIB, "it")


def ranges(room, seen):
    """Take note of the Range of each request for a blob."""
    room.fault("GET", "/blobs/", lambda one: seen.append(one.headers.get("range")))


PLACES = {"first": lambda _size: 1, "middle": lambda size: size // 2, "last": lambda size: size - 1}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("times", [1, 2])
def test_N01_a_download_that_is_cut_goes_on_where_it_was(room, data, place, times):
    seen = []

    def cut(request):
        seen.append(request.headers.get("range"))
        whole = request.answer()
        left = whole.body.length
        return replace(whole, cut=PLACES[place](left), reset=True)

    room.fault("GET", "/blobs/", cut, times=times)
    ranges(room, seen)
    assert read(room, data) == data
    assert seen[0] is None
    assert len(seen) == times + 1 or (place == "last" and len(seen) > 1)
    starts = [int(one.removeprefix("bytes=").removesuffix("-")) for one in seen[1:]]
    assert starts == sorted(starts)
    assert all(0 < one < len(data) for one in starts) or len(data) == 1000


def test_N01_a_download_that_is_always_cut_is_given_up_after_three_tries(room, data):
    half = len(data) // 2
    room.fault("GET", "/blobs/", lambda one: replace(one.answer(), cut=half // 4))
    with pytest.raises(TransportError):
        read(room, data)
    assert room.registry.count("GET", "/blobs/") == 3


def test_N01_a_stream_can_begin_at_an_offset_and_is_resumed_there(room, data):
    blob = room.store.fetch(REPOSITORY, described(data))
    seen = []

    def cut(request):
        seen.append(request.headers["range"])
        return replace(request.answer(), cut=100)

    room.fault("GET", "/blobs/", cut, times=1)
    ranges(room, seen)
    with blob.open(200) as stream:
        assert b"".join(iter(lambda: stream.read(65536), b"")) == data[200:]
    assert seen[0] == "bytes=200-"
    with blob.open(len(data)) as stream:
        assert stream.read(10) == b""


def resumed(room, answer):
    """Cut the first answer, and answer the question for the rest in some way."""
    room.fault("GET", "/blobs/", lambda one: replace(one.answer(), cut=500), times=1)
    room.fault("GET", "/blobs/", answer, times=1)


def ignoring(request):
    request.headers = {k: v for k, v in request.headers.items() if k != "range"}
    return request.answer()


def another(content_range):
    return lambda request: request.answer().with_headers(Content_Range=content_range)


@pytest.mark.parametrize(
    "answer",
    [
        ignoring,
        another("bytes 0-99/1000"),
        another("bytes 499-999/1000"),
        another("bytes 500-998/1000"),
        another("bytes 500-999/1001"),
        another("500-999"),
        another("x" * 100),
        another(None),
        Response.error(416, "RANGE_INVALID"),
    ],
)
def test_N02_what_does_not_fit_is_not_appended(answer):
    with lab() as room:
        room.behind.push(REPOSITORY, BytesBlob(SMALL), "text/plain")
        resumed(room, answer)
        assert read(room, SMALL) == SMALL
        assert room.registry.count("GET", "/blobs/") <= 3


def test_N02_a_whole_answer_with_other_bytes_is_refused():
    with lab() as room:
        room.behind.push(REPOSITORY, BytesBlob(SMALL), "text/plain")
        other = bytes(len(SMALL))
        resumed(room, lambda request: replace(ignoring(request), body=other))
        with pytest.raises(DigestMismatchError):
            read(room, SMALL)


def test_N02_the_rest_may_come_without_the_size_of_all():
    with lab() as room:
        room.behind.push(REPOSITORY, BytesBlob(SMALL), "text/plain")
        resumed(room, another("bytes 500-999/*"))
        assert read(room, SMALL) == SMALL
        assert room.registry.count("GET", "/blobs/") == 2


def test_N12_a_page_in_place_of_a_blob_or_manifest_is_refused_with_a_hint():
    with lab() as room:
        page = Response(200, {"Content-Type": "text/html"}, b"<html>log in</html>")
        room.fault("GET", "/v2/", page)
        with pytest.raises(DigestMismatchError) as caught:
            read(room, SMALL)
        assert "proxy" in caught.value.hint
        with pytest.raises(RegistryError) as caught:
            room.store.resolve(REPOSITORY, "1.0.0")
        assert "proxy" in caught.value.hint
        with pytest.raises(RegistryError) as caught:
            room.store.tags(REPOSITORY)
        assert "proxy" in caught.value.hint


class Unreliable:
    """Fails so many of the requests, in one of several ways.

    The order of the failures is that of a seed for each repository, so that it is the same each
    time where one thread alone asks for a repository.
    """

    def __init__(self, share):
        self._randoms = {}
        self._share = share
        self.failed = 0

    def __call__(self, request):
        repository = request.path.split("/")[2]
        seeded = random.Random(f"seed {repository}")  # noqa: S311 - a seed, no secret
        chance = self._randoms.setdefault(repository, seeded)
        fails, way = chance.random() < self._share, chance.randrange(4)
        self.failed += fails
        if not fails:
            return None
        if way == 0:
            return Response.error(503, "UNAVAILABLE")
        if way == 1:
            return Response.nothing(reset=True)
        if way == 2:
            return Response.error(429, "TOOMANYREQUESTS", headers={"Retry-After": "0"})
        request.answer()
        return Response.nothing(reset=True)


def pushed_and_pulled(share, workers=4, count=50):
    unreliable = Unreliable(share)

    def work(number):
        repository = f"r{number}"
        blobs = [b"%d of %d" % (each, number) * 100 for each in range(count)]
        with connected(room.registry.url) as store:
            pushed = [store.push(repository, BytesBlob(one), "text/plain") for one in blobs]
            got = [read_all(store.fetch(repository, one), MIB, "it") for one in pushed]
        assert got == blobs
        assert all(room.behind.exists(repository, one.digest) for one in pushed)

    with lab() as room, ThreadPoolExecutor(workers) as pool:
        for method in ("HEAD", "GET", "POST", "PUT", "PATCH"):
            room.fault(method, "/v2/", unreliable, times=100_000)
        started = time.monotonic()
        list(pool.map(work, range(workers)))
        seconds = time.monotonic() - started
    return len(room.registry.requests), seconds, unreliable.failed


def test_N10_200_blobs_arrive_though_three_of_ten_requests_fail():
    needed, quick, none = pushed_and_pulled(0.0)
    assert (needed, none) == (800, 0)
    asked, slow, failed = pushed_and_pulled(0.3)
    assert failed > 200
    assert asked <= 2 * needed
    assert slow < 5 * quick + 2


class Tokens:
    """Lets requests in with the newest token only; each ``expire`` makes a newer one."""

    def __init__(self, room):
        self.number = 1
        self.given = []
        self._url = room.registry.url
        for method in ("HEAD", "GET", "POST", "PUT", "PATCH"):
            room.faults.add(method, "/v2/", self._check)
        room.faults.add("GET", "/token", self._give)
        self.then = {}

    def expire(self):
        self.number += 1

    def _give(self, _request):
        self.given.append(self.number)
        return Response.json(200, {"token": f"token-{self.number}", "expires_in": 300})

    def _check(self, request):
        if request.headers.get("authorization") != f"Bearer token-{self.number}":
            realm = f'Bearer realm="{self._url}/token",service="here"'
            return Response(401, {"WWW-Authenticate": realm})
        then = self.then.get(request.method)
        return then(request) if then else None


def test_R15_a_login_that_ends_in_an_upload_is_renewed_and_the_upload_goes_on(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    with lab(chunk=2 * MIB) as room:
        tokens = Tokens(room)
        sent = []

        def chunk(request):
            sent.append(request.body.length)
            answer = request.answer()
            tokens.expire()
            return answer

        tokens.then["PATCH"] = chunk
        tokens.then["POST"] = lambda one: one.answer().with_headers(OCI_Chunk_Min_Length="1")
        pushed = room.store.push(REPOSITORY, FileBlob(path), "text/plain")
        assert room.behind.exists(REPOSITORY, pushed.digest).size == len(LARGE)
        assert sent == [2 * MIB] * 3
        assert tokens.given == [1, 2, 3, 4]
        assert room.registry.count("POST") == 2


def test_R15_a_login_that_ends_in_a_download_is_renewed_and_the_download_goes_on():
    with lab() as room:
        room.behind.push(REPOSITORY, BytesBlob(LARGE), "text/plain")
        tokens = Tokens(room)
        seen = []

        def cut(request):
            seen.append(request.headers.get("range"))
            answer = request.answer()
            if len(seen) == 1:
                tokens.expire()
                return replace(answer, cut=4 * MIB)
            return answer

        tokens.then["GET"] = cut
        assert read(room, LARGE) == LARGE
        assert seen[0] is None
        assert len(seen) == 2
        assert int(seen[1].removeprefix("bytes=").removesuffix("-")) == 4 * MIB
        assert tokens.given == [1, 2]


@pytest.mark.parametrize("status", [401, 403, 404, 405, 410])
def test_N03_a_session_that_cannot_be_asked_is_left_for_another_one(tmp_path, status):
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    with lab() as room:
        room.fault("PUT", "/blobs/", lambda one: one.body.break_after(3 * MIB), times=1)
        room.fault("GET", "/blobs/uploads/", Response.error(status, "UNSUPPORTED"))
        known = FileBlob(path, None, len(LARGE), digest_of(LARGE))
        room.store.push(REPOSITORY, known, "text/plain")
        assert room.behind.exists(REPOSITORY, digest_of(LARGE)).size == len(LARGE)
        assert room.registry.count("POST") == 2


def test_N03_a_registry_that_fails_when_it_is_asked_is_given_up(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    with lab() as room:
        room.fault("PUT", "/blobs/", lambda one: one.body.break_after(3 * MIB))
        room.fault("GET", "/blobs/uploads/", Response.error(503, "UNAVAILABLE"))
        with pytest.raises(RegistryError, match="503"):
            room.store.push(REPOSITORY, FileBlob(path, None, len(LARGE), digest_of(LARGE)), "a/b")
        assert room.registry.count("PUT") == 1
