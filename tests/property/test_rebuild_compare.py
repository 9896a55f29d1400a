"""Laws of the comparison: any bytes give a result or a named error, and equal bytes give none."""

from __future__ import annotations

import gzip
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from ocm_pkg.errors import OcmPkgError
from ocm_pkg.fs.tarcompare import first_offset
from ocm_pkg.model.onefile import Entry, chunks_of, entries_of
from ocm_pkg.model.pyz import modules_of
from ocm_pkg.services.compare import difference
from tests.fakes.binaries import elf
from tests.fakes.elffiles import modules_archive, one_file
from tests.fakes.launchers import launcher
from tests.fakes.tars import Member, program, tgz

if TYPE_CHECKING:
    from ocm_pkg.model.rebuilt import Difference

SETTINGS = settings(derandomize=True, deadline=None, max_examples=60)
SHAPES = st.sampled_from(["file", "dir", "launcher"])
NAMES = st.text("abc", min_size=1, max_size=3)
TREES = st.dictionaries(NAMES, st.binary(max_size=30), max_size=4)
ENTRIES = st.dictionaries(
    NAMES, st.tuples(st.just(b"s"), st.binary(max_size=40), st.booleans()), max_size=4
)
SEEDS = (
    tgz(program(), Member("hello/data", b"data")),
    launcher(tgz(program()), capabilities=b"{}"),
    one_file(elf(), {"a": (b"s", b"content", True), "b": (b"z", b"modules", False)}),
    one_file(elf(), {"z": (b"z", modules_archive({"a": b"code", "b": b"more"}), False)}),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a binary with some bytes exchanged, or any bytes, or those packed."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 3))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    other = draw(st.binary(max_size=2000))
    return draw(st.sampled_from([bytes(data), other, gzip.compress(other)]))


def compared(published: bytes, rebuilt: bytes, shape: str) -> Difference | None:
    with tempfile.TemporaryDirectory() as name:
        one, other = Path(name, "published"), Path(name, "rebuilt")
        one.write_bytes(published)
        other.write_bytes(rebuilt)
        return difference(one, other, shape, Path(name))


@SETTINGS
@given(damaged(), damaged(), SHAPES)
def test_any_bytes_give_a_difference_or_a_named_error(published, rebuilt, shape):
    try:
        found = compared(published, rebuilt, shape)
    except OcmPkgError:
        return
    assert (found is None) == (published == rebuilt)
    assert str(found).isprintable()


@SETTINGS
@given(TREES, TREES)
def test_archives_differ_exactly_when_their_files_do(one, other):
    packed = [
        tgz(*(Member(name, data) for name, data in sorted(tree.items()))) for tree in (one, other)
    ]
    found = compared(*packed, "dir")
    assert (found is None) == (one == other)
    if found is not None and found.where:
        assert one[found.where[0]] != other[found.where[0]]


@SETTINGS
@given(ENTRIES)
def test_the_entries_of_an_archive_are_read_back(entries):
    data = one_file(elf(), entries)
    read = {entry.name: b"".join(chunks_of(data, entry)) for entry in entries_of(data)}
    assert read == {name: content for name, (_, content, _) in entries.items()}


@SETTINGS
@given(st.lists(st.binary(min_size=1, max_size=9)), st.lists(st.binary(min_size=1, max_size=9)))
def test_the_first_offset_is_where_the_contents_part(one, other):
    left, right = b"".join(one), b"".join(other)
    at = first_offset(iter(one), iter(other))
    if at is None:
        assert left == right
    else:
        assert left[:at] == right[:at]
        assert left[at : at + 1] != right[at : at + 1]


@SETTINGS
@given(st.dictionaries(st.text(max_size=300), st.binary(max_size=40), max_size=5))
def test_the_modules_of_an_archive_are_read_back(modules):
    data = modules_archive(modules)
    archive = Entry("PYZ.pyz", b"z", 0, len(data), len(data), is_packed=False)
    read = {entry.name: b"".join(chunks_of(data, entry)) for entry in modules_of(data, archive)}
    assert read == modules


@SETTINGS
@given(st.binary(max_size=100))
def test_any_table_of_modules_is_read_or_passed_over(table):
    data = b"PYZ\0" + bytes(4) + struct.pack("!i", 12) + table
    archive = Entry("PYZ.pyz", b"z", 0, len(data), len(data), is_packed=False)
    assert all(entry.name is not None for entry in modules_of(data, archive))
