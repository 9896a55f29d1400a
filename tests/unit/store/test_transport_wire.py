"""Answers of HTTP/1.1, read from bytes that come in any pieces."""

from __future__ import annotations

import pytest

from ocm_pkg.store.wire import CutError, Source, WireError, framing, read_head


def source(*pieces):
    """Return a source to which the bytes come in these pieces."""
    waiting = list(pieces)

    def receive(view):
        if not waiting:
            return 0
        count = min(len(view), len(waiting[0]))
        view[:count] = waiting[0][:count]
        waiting[0] = waiting[0][count:]
        if not waiting[0]:
            waiting.pop(0)
        return count

    return Source(receive)


def read(*pieces, method="GET", size=7):
    """Return status, body, and whether the connection can be used again."""
    got = source(*pieces)
    head = read_head(got)
    how, again = framing(got, head, method)
    body = bytearray()
    view = memoryview(bytearray(size))
    while count := how.readinto(view):
        body += view[:count]
    return head.status, bytes(body), again


WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
    b"4\r\n0123\r\n6 ;name=value\r\n456789\r\n0\r\nTrailer: x\r\n\r\n"
)


@pytest.mark.parametrize("data", [WHOLE, CHUNKED])
@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_an_answer_is_the_same_in_whatever_pieces_it_comes(data, step):
    pieces = [data[start : start + step] for start in range(0, len(data), step)]
    assert read(*pieces) == (200, b"0123456789", True)


@pytest.mark.parametrize("step", [1, 5, 1000])
@pytest.mark.parametrize("data", [WHOLE, CHUNKED])
def test_an_answer_that_is_cut_anywhere_is_an_error(data, step):
    for end in range(0, len(data) - 1, step):
        with pytest.raises(CutError) as caught:
            read(data[:end])
        assert caught.value.started == (end > 0)


@pytest.mark.parametrize(
    ("head", "method"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "HEAD"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "DELETE"),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", "GET"),
    ],
)
def test_answers_that_have_no_body_end_with_their_head(head, method):
    assert read(head, method=method)[1:] == (b"", True)


@pytest.mark.parametrize(
    ("data", "again"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, Close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\n\r\n", False),
    ],
)
def test_it_is_told_whether_the_connection_can_be_used_again(data, again):
    assert read(data) == (200, b"", again)


def test_a_body_without_a_length_goes_to_the_end_of_the_connection():
    assert read(b"HTTP/1.1 200 OK\r\n\r\nab", b"c") == (200, b"abc", False)


def test_interim_answers_are_passed_over():
    assert read(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 3 + WHOLE)[0] == 200


def test_values_of_headers_lose_only_the_space_around_them():
    head = read_head(source("HTTP/1.1 200 OK\r\nA: \t b c \t\r\nB:\r\nC: d é\r\n\r\n".encode()))
    assert list(head.headers) == [("A", "b c"), ("B", ""), ("C", "d é")]


@pytest.mark.parametrize("ending", [b"\x00", b"\r", b"\x7f", b"\x1b"])
def test_trailers_and_reasons_are_held_to_the_form_of_headers(ending):
    with pytest.raises(WireError):
        read(CHUNKED.replace(b"Trailer: x", b"Trailer: " + ending + b"x"))
    with pytest.raises(WireError):
        read(WHOLE.replace(b"OK", b"O" + ending + b"K"))


def test_what_follows_an_answer_is_still_there():
    got = source(WHOLE + b"more")
    how, _ = framing(got, read_head(got), "GET")
    assert how.readinto(memoryview(bytearray(100))) == 10
    assert how.left == 0
    assert got.waiting == b"more"
    assert got.heard


def test_nothing_heard_is_told_apart_from_a_cut():
    got = source()
    with pytest.raises(CutError) as caught:
        read_head(got)
    assert not caught.value.started
    assert not got.heard
