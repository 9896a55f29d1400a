"""Clients that do what they should not, and the server that goes on for all others."""

from __future__ import annotations

import http.client
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from threading import Event, Thread

import pytest

from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import media
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.serving import ServerLimits
from tests.fakes.served import served
from tests.fakes.trees import snapshot

SMALL = ServerLimits(
    head=2000,
    headers=20,
    manifest=1000,
    connections=4,
    idle=0.6,
    head_seconds=0.6,
    slow_seconds=0.2,
    min_speed=100_000,
)
DATA = b"content" * 100
DIGEST = digest_of(DATA)
UPLOADS = "/v2/demo/art/blobs/uploads/"


@pytest.fixture
def registry(tmp_path):
    with served(CTFStore(tmp_path / "ctf", create=True), limits=SMALL) as running:
        yield running
        assert ask(running, "GET", "/v2/")[0] == 200
        assert running.log == []


def ask(running, method, target, body=None, **headers):
    """Return status, headers and body of one request on a connection of its own."""
    with closing(http.client.HTTPConnection(running.host, timeout=5)) as client:
        client.request(method, target, body, {"Connection": "close", **headers})
        answer = client.getresponse()
        return answer.status, answer.headers, answer.read()


def connected(running):
    return socket.create_connection(running.server.address, timeout=5)


def everything(stream):
    """Return what comes until the server hangs up."""
    found = b""
    try:
        while data := stream.recv(65536):
            found += data
    except ConnectionResetError:
        pass
    return found


def raw(running, data):
    with connected(running) as stream:
        stream.sendall(data)
        return everything(stream)


def test_a_client_that_behaves_is_served(registry):
    status, headers, _body = ask(registry, "POST", UPLOADS)
    assert status == 202
    place = headers["Location"]
    assert ask(registry, "PATCH", place, iter([DATA[:10], DATA[10:]]))[0] == 202
    assert ask(registry, "PUT", f"{place}?digest={DIGEST}")[0] == 201
    assert ask(registry, "GET", f"/v2/demo/art/blobs/{DIGEST}")[2] == DATA


def test_requests_follow_each_other_on_one_connection_even_unasked(registry):
    request = b"GET /v2/ HTTP/1.1\r\nHost: h\r\n\r\n"
    last = b"GET /v2/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    assert raw(registry, request * 5 + last).count(b"HTTP/1.1 200 OK") == 6


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /v2/ HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
        b"GET http://other/v2/ HTTP/1.1\r\n\r\n",
        b"GET /v2/ HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /v2/ HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"CONNECT other:443 HTTP/1.1\r\n\r\n",
        b"GET /v2/ HTTP/1.1\nHost: h\r\n\r\n",
    ],
)
def test_N06_N15_what_is_no_clear_request_is_refused(registry, data):
    answer = raw(registry, data)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["errors"]
    assert registry.requests == []


@pytest.mark.parametrize(
    "data",
    [
        b"GET /v2/ HTTP/1.1\r\n" + b"A: b\r\n" * 10_000 + b"\r\n",
        b"GET /v2/ HTTP/1.1\r\nA: " + b"b" * 10_000_000 + b"\r\n\r\n",
        b"GET /v2/" + b"a" * 10_000_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /v2/ HTTP/1.1\r\n" + b"A: b\r\n" * 21 + b"\r\n",
    ],
    ids=["headers", "header", "line", "few"],
)
def test_N15_header_bombs_are_refused(registry, data):
    with connected(registry) as stream:
        try:
            stream.sendall(data)
        except (ConnectionError, TimeoutError):
            return
        answer = everything(stream)
    assert not answer or answer.startswith(b"HTTP/1.1 431 ")


def test_N04_a_head_that_comes_too_slowly_ends_the_connection(registry):
    started = time.monotonic()
    with connected(registry) as stream:
        stream.sendall(b"GET /v2/ HTTP/1.1\r\nA: ")
        ended = Event()

        def drip():
            while not ended.wait(0.05):
                try:
                    stream.sendall(b"b")
                except OSError:
                    return

        dripping = Thread(target=drip)
        dripping.start()
        answer = everything(stream)
        ended.set()
        dripping.join()
    assert time.monotonic() - started < 4
    assert not answer or answer.startswith(b"HTTP/1.1 408 ")


def test_a_connection_on_which_nothing_comes_is_ended(registry):
    with connected(registry) as stream:
        assert everything(stream) == b""


@pytest.mark.parametrize("chunked", [False, True])
def test_N04_a_body_that_comes_too_slowly_ends_the_upload_but_what_came_is_kept(registry, chunked):
    place = ask(registry, "POST", UPLOADS)[1]["Location"]
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 1000"
    with connected(registry) as stream:
        stream.sendall(b"PATCH %b HTTP/1.1\r\n%b\r\n\r\n" % (place.encode(), length))
        stream.sendall((b"3E8\r\n" if chunked else b"") + DATA[:10])
        assert everything(stream).startswith(b"HTTP/1.1 408 ")
    assert ask(registry, "GET", place)[1]["Range"] == "0-9"


def test_N04_a_body_that_drips_is_too_slow_as_well(registry):
    place = ask(registry, "POST", UPLOADS)[1]["Location"]
    with connected(registry) as stream:
        stream.sendall(b"PATCH %b HTTP/1.1\r\nContent-Length: 1000\r\n\r\n" % place.encode())
        for _ in range(8):
            stream.sendall(b"x")
            time.sleep(0.05)
        assert everything(stream).startswith(b"HTTP/1.1 408 ")


def test_N04_a_client_that_does_not_read_is_left(registry):
    large = b"x" * 20_000_000
    digest = digest_of(large)
    assert ask(registry, "POST", f"{UPLOADS}?digest={digest}", large)[0] == 201
    with connected(registry) as stream:
        stream.sendall(b"GET /v2/demo/art/blobs/%b HTTP/1.1\r\n\r\n" % str(digest).encode())
        stream.recv(1)
        time.sleep(1.2)
        assert len(everything(stream)) < len(large)


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\n",
        b"5\r\nhello!\r\n",
        b"-1\r\n",
        b"0x5\r\nhello\r\n",
        b"5" * 1000,
        b"0\r\n" + b"a: b\r\n" * 40,
    ],
)
def test_chunks_that_are_none_end_the_connection(registry, body):
    place = ask(registry, "POST", UPLOADS)[1]["Location"]
    head = b"PATCH %b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" % place.encode()
    assert raw(registry, head + body) == b""
    assert ask(registry, "DELETE", place)[0] == 204


def test_N13_a_body_that_ends_early_is_no_body(registry):
    place = ask(registry, "POST", UPLOADS)[1]["Location"]
    target = f"{place}?digest={digest_of(DATA[:10])}".encode()
    with connected(registry) as stream:
        stream.sendall(b"PUT %b HTTP/1.1\r\nContent-Length: 100\r\n\r\n%b" % (target, DATA[:10]))
        stream.shutdown(socket.SHUT_WR)
        assert everything(stream) == b""
    assert ask(registry, "HEAD", f"/v2/demo/art/blobs/{digest_of(DATA[:10])}")[0] == 404


def test_R07_an_endless_manifest_is_refused_and_the_client_hears_it(registry):
    def endless():
        for _ in range(200):
            yield b" " * 1000

    kind = {"Content-Type": media.OCI_MANIFEST}
    status, _headers, body = ask(registry, "PUT", "/v2/a/manifests/v1", endless(), **kind)
    assert (status, json.loads(body)["errors"][0]["code"]) == (413, "MANIFEST_INVALID")
    status, _headers, body = ask(registry, "PUT", "/v2/a/manifests/v1", b" " * 100_000, **kind)
    assert status == 413


def test_a_client_that_asks_first_is_told_before_it_sends(registry):
    head = b"PUT /v2/A/manifests/v1 HTTP/1.1\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    answer = raw(registry, head)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Connection: close" in answer
    place = ask(registry, "POST", UPLOADS)[1]["Location"].encode()
    with connected(registry) as stream:
        stream.sendall(
            b"PATCH %b HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n"
            b"Connection: close\r\n\r\n" % place
        )
        assert stream.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        stream.sendall(b"ok")
        assert everything(stream).startswith(b"HTTP/1.1 202 ")


def test_there_are_only_so_many_connections_and_idle_ones_make_room(registry):
    idle = [connected(registry) for _ in range(4)]
    for stream in idle:
        stream.sendall(b"GET /v2/ HTTP/1.1\r\n\r\n")
        assert stream.recv(9) == b"HTTP/1.1 "
    with connected(registry) as stream:
        assert everything(stream).startswith(b"HTTP/1.1 503 ")
    deadline = time.monotonic() + 3
    while ask(registry, "GET", "/v2/")[0] != 200:
        assert time.monotonic() < deadline
    for stream in idle:
        stream.close()


def test_paths_never_leave_the_ctf(tmp_path, registry):
    (tmp_path / "secret").write_text("secret")
    before = snapshot(tmp_path)
    for path in (
        "/v2/../../secret",
        "/v2/a/blobs/../../../secret",
        "/v2/a/blobs/sha256:../../../secret",
        "/v2/a/blobs/sha256%3A..%2F..%2F..%2Fsecret",
        "/v2/a/blobs/uploads/..%2F..%2F..%2Fsecret",
        "/v2/..%2F..%2Fa/manifests/secret",
        "/v2/a/manifests/..%2Fsecret",
        "/secret",
    ):
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            status, _headers, body = ask(registry, method, path, b"x")
            assert 400 <= status < 500, (method, path)
            assert b"secret" not in body
    assert snapshot(tmp_path) == before


def test_the_server_ends_while_clients_are_in_the_middle_and_leaves_nothing(tmp_path):
    with served(CTFStore(tmp_path / "ctf", create=True)) as running:
        place = ask(running, "POST", UPLOADS)[1]["Location"]
        stream = connected(running)
        stream.sendall(b"PATCH %b HTTP/1.1\r\nContent-Length: 1000\r\n\r\nxx" % place.encode())
        idle = connected(running)
        started = time.monotonic()
        running.server.stop(grace=0.2)
        assert time.monotonic() - started < 2
        for each in (stream, idle):
            assert everything(each) == b""
            each.close()
    assert sorted(path.name for path in (tmp_path / "ctf").rglob("*")) == ["blobs"]


def test_R41_many_clients_push_and_pull_the_same_at_once(tmp_path):
    store = CTFStore(tmp_path / "ctf", create=True)
    large = DATA * 5000
    digest = digest_of(large)
    with served(store) as running, ThreadPoolExecutor(12) as threads:

        def client(number):
            name = f"repository/number{number % 3}"
            put = ask(running, "POST", f"/v2/{name}/blobs/uploads/?digest={digest}", large)[0]
            return put, ask(running, "GET", f"/v2/{name}/blobs/{digest}")[2] == large

        assert list(threads.map(client, range(12))) == [(201, True)] * 12
        assert running.log == []
    assert [path.name for path in (tmp_path / "ctf/blobs").iterdir()] == [f"sha256.{digest.hex}"]
    assert sorted(path.name for path in (tmp_path / "ctf").iterdir()) == ["blobs"]


def test_a_ctf_cannot_put_headers_into_answers(tmp_path):
    store = CTFStore(tmp_path / "ctf", create=True)
    data = b"{}"
    pushed = store.push("a", BytesBlob(data), "text/plain")
    kind = "text/html\r\nSet-Cookie: a=b\r\n\r\n<script>"
    store.tag("a", replace(pushed, media_type=kind), "v1")
    with served(store) as running:
        status, headers, body = ask(running, "GET", "/v2/a/manifests/v1")
    assert (status, headers["Set-Cookie"], body) == (200, None, data)
    assert headers["Content-Type"] == kind.replace("\r", " ").replace("\n", " ")


def test_a_server_that_ended_gives_its_port_to_the_next_one(tmp_path):
    store = CTFStore(tmp_path / "ctf", create=True)
    with served(store) as first:
        address = first.server.address
        held = http.client.HTTPConnection(first.host, timeout=5)
        held.request("GET", "/v2/")
        held.getresponse().read()
    assert first.url.endswith(f":{address[1]}")
    with pytest.raises(OSError):  # noqa: PT011 - refused, in whatever words
        ask(first, "GET", "/v2/")
    with served(store, listen=address) as second:
        assert second.url == first.url
        assert ask(second, "GET", "/v2/")[0] == 200
    held.close()
