from __future__ import annotations

import socket
import threading

import pytest

from ocm_pkg.sdk import http
from ocm_pkg.sdk.http import BadRequest, Connection, Response, parse_head


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def exchange(pair, data, *, end=True):
    """Return what a connection reads of ``data``."""
    ours, theirs = pair
    sender = threading.Thread(target=_send, args=(theirs, data, end))
    sender.start()
    try:
        connection = Connection(ours)
        assert connection.wait()
        return connection.read()
    finally:
        ours.close()
        sender.join()


def _send(stream, data, end):
    try:
        stream.sendall(data)
        if end:
            stream.shutdown(socket.SHUT_WR)
    except OSError:
        return


def test_a_request_of_the_go_manager_is_read(pair):
    request = exchange(
        pair,
        b"POST /sign?a=1 HTTP/1.1\r\nHost: unix\r\nUser-Agent: Go-http-client/1.1\r\n"
        b'Content-Length: 2\r\nAuthorization: {"a":"\xc3\xa9"}\r\n\r\n{}next',
    )
    assert (request.method, request.path, request.query) == ("POST", "/sign", "a=1")
    assert request.headers["authorization"] == '{"a":"\u00e9"}'
    assert request.body == b"{}"
    assert request.keep_alive


def test_a_chunked_body_is_read(pair):
    request = exchange(
        pair,
        b"POST / HTTP/1.1\r\nHost: unix\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n0000A;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n",
    )
    assert request.body == b"abc0123456789"


def test_two_requests_in_one_packet_are_read_one_after_the_other(pair):
    ours, theirs = pair
    theirs.sendall(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n")
    connection = Connection(ours)
    paths = []
    for _ in range(2):
        assert connection.wait()
        paths.append(connection.read().path)
    assert paths == ["/a", "/b"]
    theirs.close()
    assert not connection.wait()


def test_a_body_is_asked_for_when_the_other_side_waits_for_it(pair):
    ours, theirs = pair
    theirs.sendall(
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    )

    def answer():
        assert theirs.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        theirs.sendall(b"{}")

    thread = threading.Thread(target=answer)
    thread.start()
    connection = Connection(ours)
    assert connection.wait()
    assert connection.read().body == b"{}"
    thread.join()


HOST = b"Host: unix\r\n"
POST = b"POST / HTTP/1.1\r\nHost: unix\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 400),
        (b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"get / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET http://x/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /\x00 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"A : b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\nC: d\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"A: \xff\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n" * 64 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"b" * http.MAX_HEAD + b"\r\n\r\n", 431),
        (b"A" * (http.MAX_HEAD + 70000), 431),
        (POST + b"Content-Length: -1\r\n\r\n", 400),
        (POST + b"Content-Length: 1, 1\r\n\r\n", 400),
        (POST + "Content-Length: \u0661\r\n\r\n".encode(), 400),
        (POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
        (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (POST + b"Content-Length: 16777217\r\n\r\n", 413),
        (POST + b"Content-Length: " + b"9" * 4000 + b"\r\n\r\n", 413),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 400),
        (POST + b"Expect: the-worst\r\n\r\n", 417),
        (CHUNKED + b"x\r\n", 400),
        (CHUNKED + b"1\r\nab\r\n", 400),
        (CHUNKED + b"f" * 600, 400),
        (CHUNKED + b"1000001\r\n", 413),
        (CHUNKED + b"0\r\n" + b"A: b\r\n" * 64, 431),
    ],
)
def test_M12_a_request_that_breaks_http_or_a_limit_is_refused(pair, data, status):
    with pytest.raises(BadRequest) as caught:
        exchange(pair, data)
    assert caught.value.response.status == status


@pytest.mark.parametrize("data", [b"G", POST, POST + b"Content-Length: 2\r\n\r\n{", CHUNKED + b"2"])
def test_a_request_that_ends_in_the_middle_is_no_request(pair, data):
    with pytest.raises(ConnectionError):
        exchange(pair, data)


def test_M12_headers_that_come_too_slowly_are_refused(pair, monkeypatch):
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.01)
    with pytest.raises(BadRequest) as caught:
        exchange(pair, b"GET / HTTP", end=False)
    assert caught.value.response.status == 408


def test_M12_no_time_left_is_refused_without_waiting(pair, monkeypatch):
    monkeypatch.setattr(http, "BODY_SECONDS", 0)
    with pytest.raises(BadRequest) as caught:
        exchange(pair, POST + b"Content-Length: 2\r\n\r\n", end=False)
    assert caught.value.response.status == 408


def test_a_connection_without_requests_is_given_up(pair, monkeypatch):
    monkeypatch.setattr(http, "KEEP_ALIVE_SECONDS", 0.01)
    assert not Connection(pair[0]).wait()


def test_http_1_0_and_close_end_the_connection():
    assert not parse_head(b"GET / HTTP/1.0").keep_alive
    assert not parse_head(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Close").keep_alive
    assert parse_head(b"GET / HTTP/1.0\r\nConnection: keep-alive").keep_alive


def test_headers_that_may_appear_twice_are_joined():
    assert parse_head(b"GET / HTTP/1.0\r\nA: b \r\na:\tc").headers == {"a": "b, c"}


def test_an_answer_is_one_piece_with_its_length():
    answer = Response(200, b"[]", json=True)
    assert answer.encode() == (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]"
    )
    assert answer.encode(head_only=True).endswith(b"Content-Length: 2\r\n\r\n")
    assert b"Connection: close\r\n" in answer.encode(keep_alive=False)
    assert Response(200).encode() == b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def test_an_error_is_plain_text():
    text = Response.error(405, "not so", allow="GET").encode().decode()
    assert "Content-Type: text/plain; charset=utf-8\r\n" in text
    assert "Allow: GET\r\n" in text
    assert text.endswith("\r\n\r\nnot so\n")


def test_the_last_answer_can_be_read_though_input_was_left(pair):
    ours, theirs = pair
    theirs.sendall(b"x" * 1000)
    connection = Connection(ours)
    connection.send(b"answer")
    theirs.shutdown(socket.SHUT_WR)
    connection.finish()
    ours.close()
    assert theirs.recv(100) == b"answer"
