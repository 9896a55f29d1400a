from __future__ import annotations

import pytest

from ocm_pkg.store.serving import ranges


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-0", (0, 1)),
        ("bytes=2-5", (2, 4)),
        ("bytes=2-", (2, 8)),
        ("bytes=-3", (7, 3)),
        ("bytes=-30", (0, 10)),
        ("bytes=9-99", (9, 1)),
        ("bytes=5-2", None),
        ("bytes=0-1,3-4", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("lines=0-1", None),
        ("bytes=\u0661-\u0662", None),
    ],
)
def test_one_range_is_followed_and_all_else_is_ignored(header, expected):
    assert ranges.wanted(header, 10) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-11", "bytes=-0", f"bytes={10**18}-"])
def test_a_range_of_which_nothing_is_there_is_refused(header):
    with pytest.raises(ValueError, match="bytes"):
        ranges.wanted(header, 10)


def test_nothing_of_an_empty_blob_can_be_asked_for():
    with pytest.raises(ValueError, match="bytes"):
        ranges.wanted("bytes=0-", 0)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("0-9", (0, 10)),
        (" 5-5 ", (5, 1)),
        ("bytes 0-9/10", (0, 10)),
        ("bytes=0-9", (0, 10)),
        ("bytes 0-9/*", (0, 10)),
    ],
)
def test_the_place_of_a_chunk_is_read_in_all_common_forms(header, expected):
    assert ranges.chunk(header) == expected


@pytest.mark.parametrize("header", ["", "5-4", "0", "-5", "0-", "a-b", "0-9/x", "0-9-10"])
def test_no_place_of_a_chunk_is_guessed(header):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        ranges.chunk(header)


def test_what_was_received_is_told_as_first_and_last_byte():
    assert [ranges.received(size) for size in (0, 1, 10)] == ["0-0", "0-0", "0-9"]
