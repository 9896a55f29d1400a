from __future__ import annotations

import pytest

from ocm_pkg.store.serving.head import parse
from ocm_pkg.store.serving.message import RefusedError


def read(*lines: str, most: int = 10):
    return parse("\r\n".join(lines).encode("latin-1"), most)


def test_a_head_is_read():
    head = read("PUT /v2/a?x=1 HTTP/1.1", "Host: h", "X-A:  1 ", "x-a: 2", "Content-Length: 12")
    assert (head.method, head.target, head.keep_alive) == ("PUT", "/v2/a?x=1", True)
    assert head.headers == {"host": "h", "x-a": "1, 2", "content-length": "12"}
    assert (head.length, head.chunked) == (12, False)


@pytest.mark.parametrize(
    ("lines", "keeps"),
    [
        (["GET / HTTP/1.1", "Connection: close"], False),
        (["GET / HTTP/1.1", "Connection: keep-alive, Close"], False),
        (["GET / HTTP/1.0"], False),
        (["GET / HTTP/1.1"], True),
    ],
)
def test_the_client_says_whether_the_connection_stays(lines, keeps):
    assert read(*lines).keep_alive is keeps


def test_a_body_without_length_comes_in_chunks_or_is_not_there():
    assert read("POST / HTTP/1.1", "Transfer-Encoding: Chunked").length is None
    assert read("POST / HTTP/1.1").length == 0


@pytest.mark.parametrize(
    "lines",
    [
        [""],
        ["GET /"],
        ["GET  / HTTP/1.1"],
        ["get / HTTP/1.1"],
        ["GET / HTTP/2.0"],
        ["GET http://x/ HTTP/1.1"],
        ["GET /\u00e4 HTTP/1.1"],
        ["GET / HTTP/1.1", ""],
        ["GET / HTTP/1.1", "no colon"],
        ["GET / HTTP/1.1", "a : b"],
        ["GET / HTTP/1.1", "a: b", " folded"],
        ["GET / HTTP/1.1", "a: b\0"],
        ["GET / HTTP/1.1", "a: b\nc: d"],
        ["GET / HTTP/1.1", "Content-Length: 1", "Content-Length: 1"],
        ["GET / HTTP/1.1", "Content-Length: 1", "Transfer-Encoding: chunked"],
        ["GET / HTTP/1.1", "Transfer-Encoding: gzip, chunked"],
        ["GET / HTTP/1.1", "Content-Length: -1"],
        ["GET / HTTP/1.1", "Content-Length: 1_0"],
        ["GET / HTTP/1.1", "Content-Length: \u00b2"],
        ["GET / HTTP/1.1", "Content-Length: 9999999999999999999"],
        ["GET / HTTP/1.1", "Authorization: a", "Authorization: b"],
    ],
)
def test_N06_N15_what_could_be_read_in_two_ways_is_refused(lines):
    with pytest.raises(RefusedError) as refused:
        read(*lines)
    assert refused.value.response.status == 400


def test_N15_too_many_headers_are_refused():
    assert read("GET / HTTP/1.1", *["a: b"] * 10)
    with pytest.raises(RefusedError) as refused:
        read("GET / HTTP/1.1", *["a: b"] * 11)
    assert refused.value.response.status == 431
