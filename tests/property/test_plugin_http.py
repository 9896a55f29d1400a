"""Any bytes give an answer or one of two named errors, within the limits."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ocm_pkg.errors import PluginProtocolError
from ocm_pkg.plugin.http import read_response
from ocm_pkg.plugin.limits import ClientLimits
from ocm_pkg.plugin.text import LineSplitter, escape_bytes

LIMITS = ClientLimits(header_bytes=500, header_count=5, interim_answers=2, body=50)
PIECES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 100 C\r\n\r\n",
        b"Content-Length: 3\r\n",
        b"Content-Length: 99999999999999\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"\r\n",
        b"3\r\nabc\r\n",
        b"0\r\n\r\n",
        b"abc",
        b"\x00\xff",
    ]
)


@settings(derandomize=True, deadline=None)
@given(st.lists(st.one_of(PIECES, st.binary(max_size=20)), max_size=12), st.integers(1, 50))
def test_any_bytes_give_an_answer_or_a_named_error(pieces, step):
    data = b"".join(pieces)
    blocks = [data[start : start + step] for start in range(0, len(data), step)]
    try:
        response = read_response(
            lambda: blocks.pop(0) if blocks else b"", method="GET", limits=LIMITS
        )
    except (PluginProtocolError, EOFError):
        return
    assert 200 <= response.status < 600
    assert len(response.body) <= LIMITS.body


@settings(derandomize=True, deadline=None)
@given(st.binary(max_size=300), st.integers(1, 30))
def test_lines_do_not_depend_on_how_bytes_arrive(data, step):
    splitter = LineSplitter(limit=1000)
    lines = []
    for start in range(0, len(data), step):
        lines += splitter.feed(data[start : start + step])
    lines += splitter.end()
    *complete, rest = data.split(b"\n")
    assert lines == [*(line.removesuffix(b"\r") for line in complete), *([rest] if rest else [])]


@settings(derandomize=True, deadline=None)
@given(st.binary(max_size=300))
def test_shown_bytes_are_one_printable_line(data):
    assert escape_bytes(data, 100).isprintable()
