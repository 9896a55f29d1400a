"""Reading answers from bytes: what is accepted, what is refused, within which limits."""

from __future__ import annotations

import pytest

from ocm_pkg.errors import PluginProtocolError
from ocm_pkg.plugin.http import read_response
from ocm_pkg.plugin.limits import ClientLimits

LIMITS = ClientLimits(header_bytes=2000, header_count=10, interim_answers=2, body=100)
OK = b"HTTP/1.1 200 OK\r\n"


def read(data: bytes, *, method: str = "GET", step: int = 7):
    blocks = [data[start : start + step] for start in range(0, len(data), step)]
    return read_response(lambda: blocks.pop(0) if blocks else b"", method=method, limits=LIMITS)


@pytest.mark.parametrize("step", [1, 2, 5, 1000])
@pytest.mark.parametrize(
    ("data", "body"),
    [
        (OK + b"Content-Length: 5\r\n\r\nhello, and more", b"hello"),
        (OK + b"\r\nhello", b"hello"),
        (
            OK + b"Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nT: 1\r\n\r\n",
            b"hello",
        ),
        (b"HTTP/1.0 200\nA: b\n\nhello", b"hello"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n", b""),
        (OK + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", b"x"),
    ],
)
def test_answers_are_read_however_they_arrive(data, body, step):
    response = read(data, step=step)
    assert (response.status, response.body) == (200, body)


def test_header_names_are_lower_case_and_repeated_ones_are_joined():
    assert read(OK + b"A-B: 1\r\na-b:  2 \r\n\r\n").headers == {"a-b": "1, 2"}


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204)])
def test_answers_without_a_body_have_none(method, status):
    data = f"HTTP/1.1 {status} X\r\nContent-Length: 50\r\n\r\n".encode()
    assert read(data, method=method).body == b""


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"garbage\r\n\r\n", "not HTTP"),
        (b"HTTP/2 200\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 2000 X\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 301 X\r\nLocation: /\r\n\r\n", "redirect"),
        (b"HTTP/1.1 304 X\r\n\r\n", "redirect"),
        (b"HTTP/1.1 100 X\r\n\r\n" * 4, "interim"),
        (OK + b"no colon\r\n\r\n", "malformed"),
        (OK + b"A : b\r\n\r\n", "malformed"),
        (OK + b"A: b\r\n c\r\n\r\n", "malformed"),
        (OK + b"A: b\r\n" * 11 + b"\r\n", "10 headers"),
        (OK + b"A: " + b"b" * 2100 + b"\r\n\r\n", "longer than"),
        (OK + (b"A: " + b"b" * 900 + b"\r\n") * 3 + b"\r\n", "longer than|bytes of headers"),
        (OK + b"Content-Length: -1\r\n\r\n", "no number"),
        (OK + b"Content-Length: 1, 1\r\n\r\n", "no number"),
        (OK + b"Content-Length: 101\r\n\r\n", "larger than 100"),
        (OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "differ"),
        (OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "cannot be told"),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", "cannot be told"),
        (OK + b"Content-Encoding: gzip\r\n\r\n", "compressed"),
        (OK + b"\r\n" + b"x" * 101, "larger than 100"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nx\r\n", "no size"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n", "longer than"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n65\r\n", "larger than 100"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"T: 1\r\n" * 101, "trailers"),
        (OK[:-2] + b"x" * 9000, "longer than"),
    ],
)
def test_M12_what_breaks_the_rules_is_refused(data, words):
    with pytest.raises(PluginProtocolError, match=words):
        read(data)


def test_M12_many_tiny_chunks_are_refused_before_the_byte_limit():
    limits = ClientLimits(body=1 << 20)
    data = OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 70_000
    blocks = [data]
    with pytest.raises(PluginProtocolError, match="too many chunks"):
        read_response(lambda: blocks.pop() if blocks else b"", method="GET", limits=limits)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "without an answer"),
        (b"HTTP/1.1 20", "inside its answer"),
        (OK + b"A: b\r\n", "inside its answer"),
        (OK + b"Content-Length: 5\r\n\r\nhel", "2 bytes before the end"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel", "4 bytes before|2 bytes before"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", "inside its answer"),
    ],
)
def test_an_answer_that_is_cut_short_is_no_answer(data, words):
    with pytest.raises(EOFError, match=words):
        read(data)
