"""The first difference of two binaries, shape by shape; and fetching the one that was published."""

from __future__ import annotations

import gzip

import pytest

from ocm_pkg.errors import DigestMismatchError, UnsafeArchiveError, WrongBinaryError
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.rebuilt import Difference
from ocm_pkg.services.compare import difference, fetch
from tests.fakes.binaries import elf
from tests.fakes.elffiles import modules_archive, one_file
from tests.fakes.launchers import STUB, launcher
from tests.fakes.plugins_to_install import LINUX_AMD64, descriptor, resource
from tests.fakes.repository import FakeRepository
from tests.fakes.tars import Member, folder, program, tar, tgz

MODULES = {"start": (b"s", b"import hello", True), "PYZ.pyz": (b"z", b"modules", False)}


@pytest.fixture
def compare(tmp_path):
    def compared(published: bytes, rebuilt: bytes, shape: str):
        (tmp_path / "published").write_bytes(published)
        (tmp_path / "rebuilt").write_bytes(rebuilt)
        return difference(tmp_path / "published", tmp_path / "rebuilt", shape, tmp_path)

    return compared


def packed(**contents: bytes) -> bytes:
    files = (Member(f"hello/{name}", data, mode=0o755) for name, data in sorted(contents.items()))
    return tgz(folder("hello/"), *files)


@pytest.mark.parametrize(
    ("shape", "data"),
    [("file", b"x"), ("dir", b"no archive"), ("launcher", b"no launcher")],
    ids=["file", "dir", "launcher"],
)
def test_the_same_bytes_are_the_same_whatever_they_are(compare, shape, data):
    assert compare(data, data, shape) is None


def test_a_file_of_any_tool_is_compared_byte_by_byte(compare):
    assert compare(b"one", b"ona", "file") == Difference("content", (), 2)
    assert compare(b"", b"ona", "file") == Difference("size", (), 0, "0 bytes", "3 bytes")


def test_in_a_program_of_pyinstaller_the_entry_is_named(compare):
    changed = {**MODULES, "PYZ.pyz": (b"z", b"modulez", False)}
    found = compare(one_file(elf(), MODULES), one_file(elf(), changed), "file")
    assert found == Difference("content", ("PYZ.pyz",), 6)
    changed = {**MODULES, "start": (b"s", b"import hellO, and more", True)}
    found = compare(one_file(elf(), MODULES), one_file(elf(), changed), "file")
    assert found == Difference("content", ("start",), 11)


def test_in_an_archive_of_modules_the_module_is_named(compare):
    modules = {"hello": b"print(1)", "hello.more": b"print(2)"}
    one, other, third = (
        one_file(elf(), {**MODULES, "PYZ.pyz": (b"z", modules_archive(content), False)})
        for content in (
            modules,
            {**modules, "hello.more": b"print(3)"},
            {**modules, "hello.new": b"print(3)"},
        )
    )
    found = compare(one, other, "file")
    assert found == Difference("content", ("PYZ.pyz", "hello.more"), 6)
    found = compare(one, third, "file")
    assert found == Difference("entry", ("PYZ.pyz",), None, None, "hello.new")


def test_an_entry_that_is_missing_or_packed_otherwise_is_named(compare):
    one = one_file(elf(), MODULES)
    found = compare(one, one_file(elf(), {"start": MODULES["start"]}), "file")
    assert found == Difference("entry", (), None, "PYZ.pyz", None)
    loose = one_file(elf(), {**MODULES, "start": (b"s", b"import hello", False)})
    assert compare(one, loose, "file") == Difference("compression", ("start",))


def test_a_program_whose_entries_are_the_same_differs_before_them(compare):
    found = compare(one_file(elf(), MODULES), one_file(elf(183), MODULES), "file")
    assert found == Difference("content", (), 18)


def test_a_file_in_a_folder_is_named(compare):
    found = compare(packed(a=b"a", b=b"b"), packed(a=b"a", b=b"c"), "dir")
    assert found == Difference("content", ("hello/b",), 0)


def test_in_a_program_of_a_folder_the_entry_is_named_too(compare):
    changed = {**MODULES, "PYZ.pyz": (b"z", b"modulez!", False)}
    one, other = (packed(hello=one_file(elf(), entries)) for entries in (MODULES, changed))
    assert compare(one, other, "dir") == Difference("content", ("hello/hello", "PYZ.pyz"), 6)


def test_a_folder_that_was_only_packed_otherwise_is_told(compare):
    data = tar(folder("hello/"), program())
    one, other = gzip.compress(data, 1, mtime=0), gzip.compress(data, 9, mtime=0)
    assert compare(one, other, "dir") == Difference("compression")


def test_an_archive_that_is_none_is_refused(compare):
    with pytest.raises(UnsafeArchiveError, match="what was published"):
        compare(b"no archive", packed(a=b"a"), "dir")


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"stub": STUB[:-1] + b"x"}, Difference("content", ("launcher",), len(STUB) - 1)),
        ({"capabilities": b"{ }"}, Difference("size", ("capabilities",), 1, "2 bytes", "3 bytes")),
        ({"program": "hello/a"}, Difference("entry", ("trailer",), None, "hello/hello", "hello/a")),
    ],
    ids=["launcher", "capabilities", "program"],
)
def test_the_part_of_a_launcher_is_named(compare, other, expected):
    data = packed(a=b"a")
    one = launcher(data, capabilities=b"{}")
    assert compare(one, launcher(data, **{"capabilities": b"{}", **other}), "launcher") == expected


def test_a_file_in_the_payload_of_a_launcher_is_named(compare):
    one, other = launcher(packed(a=b"a")), launcher(packed(a=b"b"))
    assert compare(one, other, "launcher") == Difference("content", ("payload", "hello/a"), 0)


def test_a_trailer_that_lies_about_its_parts_differs(compare):
    data = packed(a=b"a")
    one = launcher(data, payload=digest_of(b"other"))
    found = compare(one, launcher(data), "launcher")
    assert found is not None
    assert (found.what, found.where) == ("content", ())


def test_a_launcher_without_a_trailer_is_refused(compare):
    with pytest.raises(WrongBinaryError, match="what was published has no trailer"):
        compare(b"x" * 1000, launcher(packed(a=b"a")), "launcher")


@pytest.fixture
def published():
    repository = FakeRepository()
    repository.blobs[digest_of(b"program")] = b"program"
    return repository


def fetched(repository, folder, resource_members=None, **how):
    made = descriptor("1.0.0", [resource(b"program", LINUX_AMD64, **(resource_members or {}))])
    return fetch(repository, made, made.component.resources[0], folder / "file", **how)


def test_what_is_fetched_has_the_promised_digest(published, tmp_path):
    assert fetched(published, tmp_path) == digest_of(b"program")
    assert (tmp_path / "file").read_bytes() == b"program"


def test_other_content_is_refused(published, tmp_path):
    published.lies[digest_of(b"program")] = b"another"
    with pytest.raises(DigestMismatchError, match="is not what was signed"):
        fetched(published, tmp_path)


def test_more_than_the_limit_is_refused(published, tmp_path):
    with pytest.raises(UnsafeArchiveError, match="longer than the 3 bytes"):
        fetched(published, tmp_path, limit=3)


NO_DIGEST = {
    "hashAlgorithm": "NO-DIGEST",
    "normalisationAlgorithm": "EXCLUDE-FROM-SIGNATURE",
    "value": "NO-DIGEST",
}


def test_content_that_no_signature_covers_is_refused(published, tmp_path):
    with pytest.raises(DigestMismatchError, match="excluded from the signature"):
        fetched(published, tmp_path, {"digest": NO_DIGEST})
    with pytest.raises(DigestMismatchError, match="has no digest"):
        fetched(published, tmp_path, {"digest": None})


def test_content_of_an_unsigned_version_needs_no_digest(published, tmp_path):
    assert fetched(published, tmp_path, {"digest": None}, signed=False) == digest_of(b"program")
