"""What ``intercept`` can do to a client, as ``tests/fakes/served.py`` says it."""

from __future__ import annotations

import http.client
from contextlib import closing
from dataclasses import replace
from threading import Event

import pytest

from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.store.memory import MemoryStore
from ocm_pkg.store.serving import Response
from tests.fakes.served import served

DATA = bytes(range(256)) * 40


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def blob(store):
    digest = store.push("a", BytesBlob(DATA), "text/plain").digest
    return f"/v2/a/blobs/{digest}"


def ask(running, method, target, body=None, **headers):
    with closing(http.client.HTTPConnection(running.host, timeout=5)) as client:
        client.request(method, target, body, headers)
        answer = client.getresponse()
        return answer.status, answer.headers, answer.read()


def test_without_a_fault_the_requests_are_only_noted(store, blob):
    with served(store) as running:
        assert ask(running, "GET", blob)[2] == DATA
        assert ask(running, "GET", "/v2/a/tags/list?n=1")[0] == 404
        assert running.requests == [("GET", blob), ("GET", "/v2/a/tags/list?n=1")]
        assert running.count("GET", "/blobs/") == 1
        running.forget()
        assert running.requests == []


def test_another_answer(store, blob):
    def busy(_request):
        return Response.error(429, "TOOMANYREQUESTS", headers={"Retry-After": "1"})

    with served(store, intercept=busy) as running:
        status, headers, _body = ask(running, "GET", blob)
    assert (status, headers["Retry-After"]) == (429, "1")


@pytest.mark.parametrize("reset", [False, True])
def test_no_answer(store, blob, reset):
    gone = ConnectionResetError if reset else http.client.RemoteDisconnected
    with (
        served(store, intercept=lambda _request: Response.nothing(reset=reset)) as running,
        pytest.raises(gone),
    ):
        ask(running, "GET", blob)


def test_a_part_of_the_answer(store, blob):
    def cut(request):
        return replace(request.answer(), cut=100)

    with (
        served(store, intercept=cut) as running,
        pytest.raises(http.client.IncompleteRead) as read,
    ):
        ask(running, "GET", blob)
    assert read.value.partial == DATA[:100]


def test_headers_that_lie(store, blob):
    def lie(request):
        return request.answer().with_headers(Docker_Content_Digest="sha256:0", ETag=None)

    with served(store, intercept=lie) as running:
        _status, headers, body = ask(running, "GET", blob)
    assert (headers["Docker-Content-Digest"], headers["ETag"], body) == ("sha256:0", None, DATA)


def test_a_header_several_times_and_a_body_in_pieces(store):
    first, second = Event(), Event()

    def pieces():
        yield b"one"
        first.wait(5)
        yield b"two"

    def strange(_request):
        headers = {"WWW-Authenticate": ("Basic", "Bearer")}
        return Response(401, headers, pieces())

    with (
        served(store, intercept=strange) as running,
        closing(http.client.HTTPConnection(running.host, timeout=5)) as client,
    ):
        client.request("GET", "/v2/")
        answer = client.getresponse()
        assert answer.headers.get_all("WWW-Authenticate") == ["Basic", "Bearer"]
        assert answer.read(3) == b"one"
        assert not second.is_set()
        first.set()
        assert answer.read() == b"two"


def test_a_length_that_lies(store, blob):
    def short(request):
        return request.answer().with_headers(Content_Length="10")

    with served(store, intercept=short) as running:
        assert ask(running, "GET", blob)[2] == DATA[:10]


def test_a_late_answer(store, blob):
    go_on = Event()

    def late(_request):
        assert go_on.wait(5)

    with served(store, intercept=late) as running:
        client = http.client.HTTPConnection(running.host, timeout=5)
        client.request("GET", blob)
        go_on.set()
        assert client.getresponse().read() == DATA
        client.close()


def test_R43_done_and_then_denied(store):
    def denied(request):
        if request.method != "PATCH":
            return None
        assert request.answer().status == 202
        return Response.error(500, "UNKNOWN")

    with served(store, intercept=denied) as running:
        place = ask(running, "POST", "/v2/a/blobs/uploads/")[1]["Location"]
        assert ask(running, "PATCH", place, b"0123456789")[0] == 500
        assert ask(running, "GET", place)[1]["Range"] == "0-9"


def test_R26_a_part_of_a_chunk_is_kept(store):
    def lossy(request):
        if request.method == "PATCH":
            request.body.limit(4)

    with served(store, intercept=lossy) as running:
        place = ask(running, "POST", "/v2/a/blobs/uploads/")[1]["Location"]
        status, headers, _body = ask(running, "PATCH", place, b"0123456789" * 100_000)
        assert (status, headers["Range"]) == (202, "0-3")


def test_N03_the_connection_breaks_in_the_middle_of_a_chunk(store):
    def breaks(request):
        if request.method == "PATCH":
            request.body.break_after(4)

    with served(store, intercept=breaks) as running:
        place = ask(running, "POST", "/v2/a/blobs/uploads/")[1]["Location"]
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            ask(running, "PATCH", place, b"0123456789")
        assert ask(running, "GET", place)[1]["Range"] == "0-3"
