"""Which versions of glibc a file asks for."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from ocm_pkg.model.elf import (
    LibraryNeeds,
    is_glibc_version,
    library_needs,
    loader_of,
    newest,
    version_key,
)
from ocm_pkg.model.onefile import binaries_of, is_pyinstaller
from tests.fakes.binaries import elf, macho, pe
from tests.fakes.elffiles import elf_file, one_file

NOTHING = LibraryNeeds(None, musl=False)


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("order", ["<", ">"])
def test_the_newest_version_that_is_asked_for_counts(wide, order):
    data = elf_file(versions=("GLIBC_2.4", "GLIBC_2.34", "GLIBC_2.9"), wide=wide, order=order)
    assert library_needs(data) == LibraryNeeds("2.34", musl=False)


@pytest.mark.parametrize(
    ("versions", "needs"),
    [
        (("GLIBC_2.2.5",), "2.2.5"),
        (("GLIBC_2.9", "GLIBC_2.10"), "2.10"),
        (("GLIBC_2.17", "GLIBC_ABI_DT_RELR"), "2.36"),
        (("GLIBCXX_3.4.30", "GCC_3.0", "GLIBC_PRIVATE", "GLIBC_", "GLIBC_2", "GLIBC_2.x"), None),
        (("2.36", "GLIBC_2.٣"), None),
    ],
)
def test_only_versions_of_glibc_count(versions, needs):
    assert library_needs(elf_file(versions=versions)) == LibraryNeeds(needs, musl=False)


def test_a_version_that_may_be_missing_does_not_count():
    data = elf_file(versions=("GLIBC_2.17",), weak=("GLIBC_2.38",))
    assert library_needs(data) == LibraryNeeds("2.17", musl=False)


def test_a_static_program_needs_nothing():
    assert library_needs(elf_file()) == NOTHING
    assert library_needs(elf()) == NOTHING


@pytest.mark.parametrize(
    "built_for_musl",
    [
        elf_file(interpreter="/lib/ld-musl-x86_64.so.1"),
        elf_file(needed=("libz.so.1", "libc.musl-x86_64.so.1")),
    ],
)
def test_a_program_for_musl_is_recognised(built_for_musl):
    assert library_needs(built_for_musl) == LibraryNeeds(None, musl=True)


def test_a_program_for_glibc_is_not_taken_for_one_for_musl():
    data = elf_file(
        versions=("GLIBC_2.36",), needed=("libc.so.6",), interpreter="/lib64/ld-linux-x86-64.so.2"
    )
    assert library_needs(data) == LibraryNeeds("2.36", musl=False)


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"#!/bin/sh\n", pe(), macho(), bytes(200)])
def test_what_is_no_elf_file_has_no_needs_to_read(data):
    assert library_needs(data) is None


def test_a_file_that_ends_too_early_has_none_either():
    data = elf_file(versions=("GLIBC_2.34",))
    assert library_needs(data[:120]) is None
    outside = data.replace(struct.pack("<Q", 0x6FFFFFFE), struct.pack("<Q", 0x6FFFFFFF))
    assert library_needs(outside) == NOTHING


def test_versions_that_lie_outside_the_file_are_damage():
    data = bytearray(elf_file(versions=("GLIBC_2.34",)))
    where = data.index(struct.pack("<Q", 0x6FFFFFFE))
    data[where + 8 : where + 16] = struct.pack("<Q", 2**60)
    assert library_needs(bytes(data)) is None


@pytest.mark.parametrize("step", [1, 16])
def test_a_table_of_versions_that_leads_on_and_on_is_left_in_time(step):
    data = elf_file(versions=("GLIBC_2.34",)) + bytes(100_000)
    changed = bytearray(data)
    where = changed.index(struct.pack("<Q", 0x6FFFFFFF))
    changed[where + 8 : where + 16] = struct.pack("<Q", 2**63 - 1)
    need = data.index(struct.pack("<HH", 1, 1), 176)
    changed[need + 12 : need + 16] = struct.pack("<I", step)
    library_needs(bytes(changed))


def test_no_more_than_ten_thousand_versions_are_read():
    data = elf_file(versions=("GLIBC_2.4",) * 10_000 + ("GLIBC_2.34",))
    assert library_needs(data) == LibraryNeeds("2.4", musl=False)


def test_versions_are_ordered_by_number():
    assert newest(iter(["2.9", "2.10", "2.2.5"])) == "2.10"
    assert newest(iter([])) is None
    assert version_key("2.2.5") < version_key("2.3") < version_key("2.10")


@pytest.mark.parametrize("text", ["2.36", "2.3.4", "10.0"])
def test_versions_of_glibc(text):
    assert is_glibc_version(text)


@pytest.mark.parametrize(
    "text", ["", "2", "2.", "2.36\n", "v2.36", "2.36-1", "2.٣", "2" * 9 + ".1"]
)
def test_texts_that_are_no_version_of_glibc(text):
    assert not is_glibc_version(text)


SYSTEM = next(iter(Path("/lib").glob("*/libstdc++.so.6")), None)


@pytest.mark.skipif(SYSTEM is None, reason="there is no libstdc++ of glibc on this machine")
def test_a_library_of_this_system_needs_a_glibc():
    needs = library_needs(SYSTEM.read_bytes())
    assert needs is not None
    assert not needs.musl
    assert version_key(needs.glibc or "0.0") >= (2, 17)


def test_libraries_in_a_program_that_unpacks_itself_are_found():
    library = elf_file(versions=("GLIBC_2.30",))
    members = {
        "pyi-contents": (b"o", b"", 0),
        "libz.so.1": (b"b", library, 1),
        "plain.so": (b"b", b"content", 0),
        "data": (b"x", library, 1),
    }
    found = dict(binaries_of(one_file(elf(), members)))
    assert found == {"libz.so.1": library, "plain.so": b"content"}


def test_a_program_that_is_no_such_or_is_damaged_has_none():
    data = one_file(elf(), {"libz.so.1": (b"b", b"content" * 100, 1)})
    assert not list(binaries_of(elf()))
    assert not list(binaries_of(data[:-30]))
    assert not list(binaries_of(data[70:]))
    assert not list(binaries_of(data.replace(b"\x78\x9c", b"\x00\x00")))
    assert not list(binaries_of(data.replace(struct.pack("!I", 28), bytes(4), 1)))


@pytest.mark.parametrize("wide", [True, False])
def test_the_loader_of_a_program_is_in_its_header(wide):
    assert loader_of(elf_file(interpreter="/lib/ld-linux.so.2", wide=wide)) == "/lib/ld-linux.so.2"


@pytest.mark.parametrize(
    "data", [b"", elf_file(), elf_file()[:70], pe()], ids=["empty", "static", "cut", "windows"]
)
def test_a_static_program_or_none_at_all_has_no_loader(data):
    assert loader_of(data) is None


def test_a_program_of_pyinstaller_is_known_by_its_archive():
    assert is_pyinstaller(one_file(elf(), {}))
    assert not is_pyinstaller(elf())
