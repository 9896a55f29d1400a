"""The entries of an archive of PyInstaller, whatever bytes they are in."""

from __future__ import annotations

import hashlib
import struct

from ocm_pkg.model.onefile import chunks_of, entries_of
from tests.fakes.binaries import elf
from tests.fakes.elffiles import one_file

TEXT = bytes(range(256)) * 1000


def content(data, entry, **how):
    return b"".join(chunks_of(data, entry, **how))


def test_every_entry_is_named_and_its_content_read_in_pieces():
    data = one_file(elf(), {"start": (b"s", TEXT, True), "PYZ.pyz": (b"z", b"modules", False)})
    one, other = entries_of(data)
    assert (one.name, one.kind, one.is_packed) == ("start", b"s", True)
    assert content(data, one) == TEXT
    assert len(list(chunks_of(data, one))) > 1
    assert content(data, one, packed=True) == data[one.start : one.start + one.packed]
    assert content(data, other) == b"modules"


def test_what_is_packed_in_many_pieces_is_read_whole():
    noise = hashlib.shake_256(b"noise").digest(200_000)
    data = one_file(elf(), {"noise": (b"b", noise, True)})
    (entry,) = entries_of(data)
    assert content(data, entry) == noise


def test_no_more_is_unpacked_than_the_entry_states():
    data = one_file(elf(), {"start": (b"s", TEXT, True)})
    (entry,) = entries_of(data.replace(struct.pack("!I", len(TEXT)), struct.pack("!I", 100)))
    assert content(data, entry) == TEXT[:100]


def test_a_damaged_entry_ends():
    data = one_file(elf(), {"start": (b"s", TEXT, True)})
    (entry,) = entries_of(data)
    broken = data.replace(b"\x78\x9c", b"\x00\x00")
    assert content(broken, entry) == b""


def test_another_program_has_no_entries():
    assert list(entries_of(elf())) == []
    assert list(entries_of(one_file(b"", {"a": (b"b", b"x", False)})[1:])) == []
