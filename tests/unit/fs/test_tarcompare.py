"""The first difference of two archives, whatever it is."""

from __future__ import annotations

import gzip
import io

import pytest

from ocm_pkg.errors import UnsafeArchiveError
from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.fs.tarcompare import Tars, chunks, content_difference, first_offset
from ocm_pkg.model.rebuilt import Difference
from tests.fakes.tars import Member, folder, link, pax, program, tar, tgz

SAME = (folder("hello/"), program(), Member("hello/data", b"x" * 2000), link("hello/l", "data"))


def compared(*members, base=SAME, **limits):
    return Tars(BytesBlob(tgz(*base)), BytesBlob(tgz(*members)), **limits).difference()


def test_the_same_archive_has_no_difference():
    assert compared(*SAME) is None


def test_another_byte_in_a_file_is_found_with_its_place():
    changed = (*SAME[:2], Member("hello/data", b"x" * 1234 + b"y" + b"x" * 765), SAME[3])
    assert compared(*changed) == Difference("content", ("hello/data",), 1234)


def test_a_longer_file_is_found_with_the_place_where_the_other_one_ends():
    longer = (*SAME[:2], Member("hello/data", b"x" * 2001), SAME[3])
    expected = Difference("size", ("hello/data",), 2000, "2000 bytes", "2001 bytes")
    assert compared(*longer) == expected


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        (Member("hello/data", b"x" * 2000, mode=0o755), ("mode", "0644", "0755")),
        (folder("hello/data"), ("kind", "file", "folder")),
        (link("hello/data", "hello"), ("kind", "file", "link")),
    ],
    ids=["mode", "folder", "link"],
)
def test_another_mode_or_kind_is_found(member, expected):
    what, published, rebuilt = expected
    found = compared(*SAME[:2], member, SAME[3])
    assert found == Difference(what, ("hello/data",), None, published, rebuilt)


def test_a_link_that_leads_elsewhere_is_found():
    found = compared(*SAME[:3], link("hello/l", "hello"))
    assert found == Difference("link", ("hello/l",), None, "data", "hello")


def test_a_file_that_is_missing_or_called_otherwise_is_found():
    assert compared(*SAME[:3]) == Difference("entry", (), None, "hello/l", None)
    assert compared(*SAME, Member("z")) == Difference("entry", (), None, None, "z")
    renamed = (*SAME[:3], link("hello/m", "data"))
    assert compared(*renamed) == Difference("entry", (), None, "hello/l", "hello/m")


def test_of_several_differences_the_first_one_is_told():
    changed = (SAME[0], program(content=b"#!/bin/sh\nexit 1\n"), Member("hello/data"), SAME[3])
    assert compared(*changed) == Difference("content", ("hello/hello",), 15)


def test_only_the_compression_is_told_apart_from_the_content():
    packed = tar(*SAME)
    one, other = gzip.compress(packed, 1, mtime=0), gzip.compress(packed, 9, mtime=0)
    assert one != other
    found = Tars(BytesBlob(one), BytesBlob(other)).difference()
    assert found == Difference("compression")


def test_headers_that_say_the_same_files_otherwise_are_told():
    other = bytearray(tar(*SAME))
    other[136:147] = b"%011o" % 1
    other[148:156] = b" " * 8
    other[148:156] = b"%06o\0 " % sum(other[:512])
    found = Tars(BytesBlob(tgz(*SAME)), BytesBlob(gzip.compress(bytes(other)))).difference()
    assert found == Difference("headers", (), 146)


def test_the_content_of_one_file_is_copied_from_both():
    one, other = io.BytesIO(), io.BytesIO()
    tars = Tars(BytesBlob(tgz(*SAME)), BytesBlob(tgz(*SAME[:2])))
    tars.copy("hello/data", one, other)
    assert (one.getvalue(), other.getvalue()) == (b"x" * 2000, b"")


@pytest.mark.parametrize(
    ("published", "limits"),
    [
        (b"no gzip", {}),
        (gzip.compress(b"no tar" * 200), {}),
        (tgz(*SAME)[:-20], {}),
        (tgz(*SAME), {"max_unpacked": 1000}),
        (gzip.compress(bytes(80 * 1024 * 1024)), {}),
        (tgz(*(Member(f"{number}") for number in range(5)), Member("x")), {"max_entries": 5}),
        (gzip.compress(tar(Member("a", raw=pax(path="b" * 70_000)))), {}),
    ],
    ids=["no-gzip", "no-tar", "cut-off", "too-long", "bomb", "entries", "long-name"],
)
def test_an_archive_that_is_none_or_breaks_a_limit_is_refused(published, limits):
    same = tgz(*(Member(f"{number}") for number in range(6)))
    with pytest.raises(UnsafeArchiveError):
        Tars(BytesBlob(published), BytesBlob(same), **limits).difference()


def test_chunks_of_any_length_are_compared():
    data = bytes(range(256)) * 3
    other = data[:500] + b"?" + data[501:]
    pieces = [data[at : at + 7] for at in range(0, len(data), 7)]
    assert first_offset(iter(pieces), iter([data])) is None
    assert first_offset(iter(pieces), iter([other[:13], other[13:]])) == 500
    assert first_offset(iter(pieces), iter([data, b"more"])) == len(data)
    assert first_offset(iter([]), iter([])) is None


def test_two_contents_differ_in_their_size_or_in_a_byte():
    assert content_difference(BytesBlob(b"abc"), BytesBlob(b"abc")) is None
    assert content_difference(BytesBlob(b"abc"), BytesBlob(b"abd")) == Difference("content", (), 2)
    expected = Difference("size", (), 0, "3 bytes", "2 bytes")
    assert content_difference(BytesBlob(b"abc"), BytesBlob(b"bc")) == expected
    assert list(chunks(io.BytesIO(b""))) == []
