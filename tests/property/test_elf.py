"""Files that a build leaves: any bytes give what they need, or None."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ocm_pkg.model.elf import is_glibc_version, library_needs
from ocm_pkg.model.onefile import binaries_of
from tests.fakes.elffiles import elf_file, one_file

FILES = [
    elf_file(versions=("GLIBC_2.34", "GLIBC_2.4"), needed=("libm.so.6",), interpreter="/lib/ld"),
    elf_file(versions=("GLIBC_2.34",), wide=False, order=">"),
]
PACKED = one_file(FILES[0], {"a.so": (b"b", FILES[1] * 3, 1), "b.so": (b"b", FILES[0], 0)})
CHANGES = st.lists(st.tuples(st.integers(0, 700), st.binary(min_size=1, max_size=8)), max_size=6)


def changed(data, changes):
    content = bytearray(data)
    for where, new in changes:
        content[where % len(data) : where % len(data) + len(new)] = new
    return bytes(content)


@settings(derandomize=True, deadline=None, max_examples=600)
@given(st.sampled_from(FILES), CHANGES)
def test_a_changed_file_gives_a_version_or_none(data, changes):
    needs = library_needs(changed(data, changes))
    assert needs is None or needs.glibc is None or is_glibc_version(needs.glibc)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.binary(max_size=300), st.sampled_from([b"", b"\x7fELF\x02\x01", b"\x7fELF\x01\x02"]))
def test_any_bytes_give_a_version_or_none(data, start):
    needs = library_needs(start + data)
    assert needs is None or needs.glibc is None or is_glibc_version(needs.glibc)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(CHANGES)
def test_a_changed_program_that_unpacks_itself_gives_what_can_be_read(changes):
    for name, content in binaries_of(changed(PACKED, changes)):
        assert isinstance(name, str)
        library_needs(content)
