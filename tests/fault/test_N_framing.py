"""Rows N06, N07 and N15 at the level of single exchanges: answers that are no good HTTP."""

from __future__ import annotations

import gzip

import pytest

from ocm_pkg.errors import RegistryError
from tests.fakes.rawserver import OK, always, answered, once, raw_server
from tests.fakes.transports import asking, failing

LENGTHS = {
    "too small": (b"Content-Length: 3\r\n\r\nabcdef", "goes on after its end"),
    "too large": (b"Content-Length: 10\r\n\r\nabcdef", "ended after 6 of 10 bytes"),
    "two": (
        b"Content-Length: 6\r\nContent-Length: 7\r\n\r\nabcdef",
        "more than one Content-Length",
    ),
    "two equal": (b"Content-Length: 6\r\nContent-Length: 6\r\n\r\nabcdef", "more than one"),
    "a list": (b"Content-Length: 6, 6\r\n\r\nabcdef", "more than one"),
    "negative": (b"Content-Length: -6\r\n\r\nabcdef", "is no length"),
    "signed": (b"Content-Length: +6\r\n\r\nabcdef", "is no length"),
    "text": (b"Content-Length: six\r\n\r\nabcdef", "is no length"),
    "huge": (b"Content-Length: 99999999999999999999999\r\n\r\nabcdef", "is no length"),
    "with chunked": (
        b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n",
        "contradict",
    ),
    "another coding": (b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "other than chunked"),
    "a chunk without size": (b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n", "without a size"),
    "a chunk too long": (b"Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n", "longer"),
    "a negative chunk": (b"Transfer-Encoding: chunked\r\n\r\n-2\r\nab\r\n", "without a size"),
    "no last chunk": (b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "last chunk"),
    "tiny chunks": (b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 5000, "tiny chunks"),
}


@pytest.mark.parametrize(("rest", "says"), LENGTHS.values(), ids=LENGTHS)
def test_N06_a_length_that_does_not_hold_is_refused(rest, says):
    with raw_server(once(OK + rest)) as server, asking() as ask:
        error = failing(ask, server.url)
    assert says in error.message
    assert server.address in error.message


def test_N06_the_same_bytes_with_a_true_length_are_read():
    answers = [
        answered(b"abcdef"),
        OK + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n3\r\ndef\r\n0\r\nA: b\r\n\r\n",
        OK + b"\r\nabcdef",
        b"HTTP/1.1 100 Continue\r\n\r\n" + answered(b"abcdef"),
    ]
    for one in answers:
        with raw_server(once(one)) as server, asking() as ask:
            assert ask.text(server.url) == "abcdef"


def test_N06_a_length_over_the_limit_of_a_document_is_refused():
    with raw_server(always(answered(b"x" * 2000))) as server, asking() as ask:
        with pytest.raises(RegistryError, match="longer than the 1000 bytes"):
            ask(server.url).read(1000)
        assert len(ask(server.url).read(2000)) == 2000


@pytest.mark.parametrize("coding", ["gzip", "br", "gzip, gzip"])
def test_N07_an_encoded_body_is_given_as_it_was_sent(coding):
    data = gzip.compress(bytes(1 << 20))
    answer = answered(data, "200 OK", f"Content-Encoding: {coding}")
    with raw_server(always(answer)) as server, asking() as ask:
        assert ask(server.url).stream().read(1 << 16) == data
        with pytest.raises(RegistryError, match=f"encoded as {coding}, which was not asked for"):
            ask(server.url).read(1 << 16)
    assert server.requests[0].headers["accept-encoding"] == "identity"


HEADS = {
    "many headers": (OK + b"".join(b"A%d: b\r\n" % n for n in range(10_000)), "more than 200"),
    "one of 10 MiB": (OK + b"A: " + b"b" * (10 << 20) + b"\r\n\r\n", "line longer than"),
    "64 KiB of headers": (OK + (b"A: " + b"b" * 10_000 + b"\r\n") * 10, "bytes of headers"),
    "a zero byte": (OK + b"A: b\x00c\r\n\r\n", "control characters"),
    "a carriage return": (OK + b"A: b\rc\r\n\r\n", "control characters"),
    "an escape": (OK + b"A: \x1b[31m\r\n\r\n", "control characters"),
    "invalid UTF-8": (OK + b"A: \xff\xfe\r\n\r\n", "invalid bytes"),
    "a folded header": (OK + b"A: b\r\n c\r\n\r\n", "folded"),
    "a name with a space": (OK + b"A b: c\r\n\r\n", "that is none"),
    "no colon": (OK + b"Abc\r\n\r\n", "that is none"),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "is not HTTP"),
    "another version": (b"HTTP/3.0 200 OK\r\n\r\n", "is not HTTP"),
    "no status": (b"HTTP/1.1 OK\r\n\r\n", "is not HTTP"),
    "status 999": (b"HTTP/1.1 999 OK\r\n\r\n", "is not HTTP"),
    "interim answers": (b"HTTP/1.1 100 Continue\r\n\r\n" * 50, "interim"),
    "another protocol": (b"HTTP/1.1 101 Switching\r\n\r\n", "another protocol"),
}


@pytest.mark.parametrize(("data", "says"), HEADS.values(), ids=HEADS)
def test_N15_a_head_that_breaks_a_bound_or_the_form_is_refused(data, says):
    with raw_server(once(data)) as server, asking() as ask:
        error = failing(ask, server.url)
    assert says in error.message
    assert error.seconds < 2
    assert "\x1b" not in error.message


def test_N15_many_and_long_but_honest_headers_are_read():
    headers = [f"A{number}: {'b' * 200}" for number in range(150)]
    with raw_server(always(answered(b"", "200 OK", *headers))) as server, asking() as ask:
        assert ask(server.url).headers.get("a149") == "b" * 200
