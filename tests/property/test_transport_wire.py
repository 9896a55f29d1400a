"""Any bytes from a server are an answer with a bounded head, or one named error."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from ocm_pkg.store.wire import MAX_HEADERS, Source, WireError, framing, read_head

LINES = st.sampled_from(
    [
        *(b"HTTP/1.1 200 OK", b"HTTP/1.0 404", b"HTTP/1.1 100 Continue", b"HTTP/1.1 204 x"),
        *(b"Content-Length: 5", b"Content-Length: 0", b"Transfer-Encoding: chunked"),
        *(b"", b"5", b"hello", b"0", b" folded", b"A: b", b"Connection: close", b"ffffffffffffff"),
    ]
)
TEXTS = st.lists(LINES | st.binary(max_size=20), max_size=12).map(b"\r\n".join)


@settings(derandomize=True, max_examples=300)
@given(TEXTS | st.binary(max_size=200), st.integers(1, 50), st.sampled_from(["GET", "HEAD"]))
def test_any_bytes_are_an_answer_or_a_wire_error(data, step, method):
    pieces = [data[start : start + step] for start in range(0, len(data), step)]

    def receive(view):
        piece = pieces.pop(0) if pieces else b""
        view[: len(piece)] = piece
        return len(piece)

    source = Source(receive)
    with contextlib.suppress(WireError):
        head = read_head(source)
        assert 200 <= head.status < 600
        assert len(list(head.headers)) <= MAX_HEADERS
        for name, value in head.headers:
            assert name.isprintable()
            assert "\n" not in value
        how, _ = framing(source, head, method)
        view, body = memoryview(bytearray(64)), 0
        while count := how.readinto(view):
            body += count
        assert body <= len(data)
