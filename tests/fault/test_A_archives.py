"""Hostile archives against the unpacker: nothing outside its folder changes, and it says why."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
import threading
import unicodedata
import zlib
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.errors import OcmPkgError, UnsafeArchiveError
from ocm_pkg.fs.unpack import unpack
from tests.fakes.tars import (
    BLOCK,
    PROGRAM,
    Member,
    by_library,
    folder,
    link,
    pax,
    program,
    tar,
    tgz,
)
from tests.fakes.trees import snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from ocm_pkg.fs.unpack import Unpacked

HELLO = program()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "outside").write_bytes(b"precious")
    (tmp_path / "out-evil").mkdir()
    path = tmp_path / "out"
    path.mkdir()
    return path


def opened(data: bytes, target: Path, **options: object) -> Unpacked:
    options.setdefault("compressed", data[:2] == b"\x1f\x8b")
    return unpack(io.BytesIO(data), target, what="the archive", **options)


def refused(data: bytes, target: Path, match: str, **options: object) -> None:
    """Refused for that reason, and nothing beside the folder was touched; empties the folder."""
    before = snapshot(target.parent)
    with pytest.raises(UnsafeArchiveError, match=match) as caught:
        opened(data, target, **options)
    shutil.rmtree(target)
    target.mkdir()
    assert snapshot(target.parent) == before
    assert (caught.value.code, caught.value.message.isprintable()) == ("E404", True)


def test_A_twin_a_folder_with_links_is_unpacked_whole(target: Path) -> None:
    members = (
        folder("hello/"),
        HELLO,
        Member("hello/lib/libx.so.1", b"x" * 1000),
        link("hello/libx.so", "lib/libx.so.1"),
        link("hello/lib/up", "../hello"),
        Member("hello/METADATA", b""),
    )
    found = opened(tgz(*members), target)
    assert found.program == "hello/hello"
    assert found.links == {"hello/libx.so": "lib/libx.so.1", "hello/lib/up": "../hello"}
    assert [file.path for file in found.files] == [
        "hello/hello", "hello/lib/libx.so.1", "hello/METADATA",
    ]  # fmt: skip
    assert (target / "hello/hello").read_bytes() == PROGRAM
    assert (target / "hello/libx.so").read_bytes() == b"x" * 1000


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_A_twin_what_the_standard_library_packs_is_unpacked(target: Path, form: int) -> None:
    long = tarfile.TarInfo("hello/" + "/".join("d" * 40 for _ in range(3)) + "/file")
    long.size = 600
    dot = tarfile.TarInfo("./")
    dot.type = tarfile.DIRTYPE
    hello = tarfile.TarInfo("./hello/hello")
    hello.mode = 0o755
    hello.size = 3
    data = by_library(dot, hello, long, form=form)
    found = opened(data, target, program="hello/hello")
    assert {file.path: file.size for file in found.files} == {"hello/hello": 3, long.name: 600}


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "a/..", "..", "./../evil"])
def test_A01_an_entry_that_leads_up_is_refused(target: Path, name: str) -> None:
    refused(tar(HELLO, Member(name, b"evil")), target, "has the part '..'")
    assert not (target.parent / "evil").exists()


@pytest.mark.parametrize(
    "name", ["/etc/evil", "//evil", "C:\\evil", "C:evil", "\\\\host\\share\\evil", "a\\..\\evil"]
)
def test_A02_an_absolute_entry_is_refused(target: Path, name: str) -> None:
    refused(tar(HELLO, Member(name, b"evil")), target, "is absolute|has the character")


def test_A03_a_file_through_a_link_is_refused(target: Path) -> None:
    refused(tar(link("l", ".."), Member("l/evil", b"evil")), target, "leads to")
    refused(tar(link("m", "sub"), Member("m/evil", b"evil")), target, "as a link and as a folder")
    assert not (target.parent / "evil").exists()


def test_A04_a_chain_of_links_is_refused(target: Path) -> None:
    members = (folder("d"), link("d/p", "."), link("d/p/q", ".."), Member("d/p/q/evil", b"evil"))
    refused(tar(*members), target, "leads to")
    members = (folder("d"), link("d/p", "../d"), link("d/p/q", "../x"))
    refused(tar(*members), target, "as a link and as a folder")
    refused(tar(HELLO, link("a", "b"), link("b", "a")), target, "round in a circle")
    refused(tar(HELLO, link("a", "nowhere")), target, "leads to nothing")


@pytest.mark.parametrize("place", ["../outside", "outside", "hello/hello"])
def test_A05_A06_a_hard_link_is_refused(
    target: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(target.parent)
    hard = Member("h", kind=b"1", target=place)
    refused(tar(HELLO, hard, Member("h", b"evil")), target, "a hard link")
    assert (target.parent / "outside").stat().st_nlink == 1
    assert (target.parent / "outside").read_bytes() == b"precious"


def test_A07_a_sibling_with_the_same_beginning_is_refused(target: Path) -> None:
    refused(tar(Member("../out-evil/x", b"evil")), target, "has the part '..'")
    assert not list((target.parent / "out-evil").iterdir())


@pytest.mark.parametrize("kind", [b"3", b"4", b"6", b"7", b"S", b"V", b"\xff"])
def test_A08_devices_and_unknown_entries_are_refused(target: Path, kind: bytes) -> None:
    refused(tar(HELLO, Member("node", kind=kind)), target, "has an? ")
    assert not (target / "node").exists()


@pytest.mark.parametrize("umask", [0, 0o077])
def test_A09_modes_are_our_own_whatever_the_archive_says(target: Path, umask: int) -> None:
    members = (folder("hello"), program(), Member("hello/suid", b"x", mode=0o6777))
    before = os.umask(umask)
    try:
        opened(tar(*members, Member("new/sticky", b"x", mode=0o1666)), target)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o7777 for path in target.rglob("*")}
    files = {"suid": 0o644, "sticky": 0o644}
    assert (target / "hello/hello").stat().st_mode & 0o7777 == 0o755
    assert {name: modes[name] for name in files} == files
    assert (target / "new").stat().st_mode & 0o7777 == 0o755


def test_A10_owners_and_attributes_are_ignored(target: Path) -> None:
    raw = pax(uid="0", gname="root", **{"SCHILY.xattr.user.x": "y"}, mtime="1.5")
    opened(tar(HELLO, Member("file", b"x", raw=raw)), target)
    status = (target / "file").stat()
    assert (status.st_uid, status.st_gid) == (os.geteuid(), os.getegid())
    assert os.listxattr(target / "file") == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a/x", "a/x"),
        ("a/caf\u00e9", "a/cafe\u0301"),
        ("a/Read", "a/read"),
        ("A/x", "a/y"),
        ("stra\u00dfe", "STRASSE"),
    ],
)
def test_A11_names_that_are_one_name_somewhere_are_refused(
    target: Path, first: str, second: str
) -> None:
    assert unicodedata.normalize("NFC", first).casefold()
    refused(tar(HELLO, Member(first, b"1"), Member(second, b"2")), target, "twice|one name on some")


def test_A12_a_bomb_is_refused_at_the_limit(target: Path) -> None:
    bomb = tgz(HELLO, Member("zeros", bytes(3_000_000)))
    with pytest.raises(UnsafeArchiveError):
        opened(bomb, target, max_unpacked=1_000_000)
    assert sum(path.stat().st_size for path in target.rglob("*") if path.is_file()) <= 1_000_000
    shutil.rmtree(target)
    target.mkdir()
    refused(bomb, target, "more than the 1000000 bytes", max_unpacked=1_000_000)
    refused(tar(HELLO, Member("zeros", bytes(3_000_000))), target, "more content", max_unpacked=99)


def test_A12_a_ratio_that_no_program_has_is_refused(target: Path) -> None:
    packer = zlib.compressobj(9, wbits=31)
    size = 100 * 1024 * 1024
    head = Member("zeros", size=b"%011o\0" % size).encode()
    data = packer.compress(head) + packer.compress(bytes(size)) + packer.flush()
    refused(data, target, "times its size")


def test_A13_one_layer_only_is_opened(target: Path) -> None:
    once = tgz(HELLO)
    refused(gzip.compress(once), target, "compressed once more")
    refused(gzip.compress(gzip.compress(once)), target, "compressed once more")
    found = opened(tar(HELLO, Member("inner.tar", tar(HELLO))), target)
    assert (target / "inner.tar").is_file()
    assert found.program == "hello/hello"


def test_A14_limits_of_entries_of_lengths_and_of_depth(target: Path) -> None:
    empty = b"".join(Member(f"e{number}").encode() for number in range(50))
    refused(empty + bytes(1024), target, "more than 20 entries", max_entries=20)
    path = "/".join("d" * 50 for _ in range(100))
    refused(tar(Member("x", b"", raw=pax(path=path))), target, "more than 1024 characters")
    deep = "/".join("d" for _ in range(3000))
    refused(tar(Member("x", b"", raw=pax(path=deep))), target, "characters|folders deep")
    deep = "/".join("d" for _ in range(100))
    refused(tar(Member("x", b"", raw=pax(path=deep))), target, "64 folders deep")


@pytest.mark.parametrize(
    "size",
    [b"-0000000001\0", b"\x80" + bytes(10) + b"\1", b"\xff" * 12, b"77777777777\0", b"zzz" * 4],
)
def test_A15_sizes_that_lie_are_refused_at_once(target: Path, size: bytes) -> None:
    refused(
        tar(HELLO, Member("x", b"y", size=size)), target, "no octal number|cut off|more content"
    )


def test_A15_the_file_that_makes_the_standard_library_loop_is_refused(target: Path) -> None:
    negative = b"\xff" * 11 + b"\x00"
    data = tar(HELLO, Member("x", size=negative), Member("y", b"z"))
    refused(data, target, "no octal number")


def test_A16_what_is_cut_off_damaged_or_goes_on_is_refused(target: Path) -> None:
    whole = tgz(HELLO, Member("x", b"y" * 5000))
    for data, match in (
        (whole[:-9], "cut off"),
        (whole[:-8] + b"\0\0\0\0" + whole[-4:], "damaged"),
        (whole + b"more", "after its end"),
        (whole + whole, "after its end"),
        (gzip.compress(tar(HELLO, end=b"")), "cut off"),
        (gzip.compress(tar(HELLO, end=bytes(BLOCK))), "cut off"),
        (tar(HELLO) + b"x" * BLOCK, "after its end"),
        (tar(HELLO)[: BLOCK + 5], "cut off"),
    ):
        refused(data, target, match)


def test_A17_overrides_are_checked_after_they_were_applied(target: Path) -> None:
    for raw, match in (
        (pax(path="../evil"), "has the part '..'"),
        (pax(size="99999999"), "cut off"),
        (pax(size="-1"), "no number"),
        (pax(b"g", path="all"), "global header"),
        (pax(path="a") + pax(path="b"), "path twice"),
        (Member("x", b"30 path=short\n", b"x").encode(), "broken pax"),
        (Member("x", b"nothing", b"x").encode(), "broken pax"),
        (Member("x", bytes(70_000), b"L").encode(), "extended header of"),
        (pax(**{"GNU.sparse.major": "1"}), "sparse"),
    ):
        refused(tar(Member("x", b"y", raw=raw)), target, match)
    long_name = Member("././@LongLink", b"hello/hello\0", b"L").encode()
    refused(long_name + bytes(1024), target, "before its entry")
    found = opened(tar(Member("short", PROGRAM, mode=0o755, raw=long_name)), target)
    assert found.program == "hello/hello"


@pytest.mark.parametrize(
    "name",
    [
        *(
            "a\nb",
            "a\x1b[2J",
            "a\u202eb",
            "-rf",
            "dot.",
            "space ",
            "CON",
            "nul.txt",
            "aux",
            "d/PRN",
        ),
        *("com1.so", "a\x00b".replace("\x00", "\x01"), "x" * 300, "q?", "a//b", "a/./b"),
    ],
)
def test_A18_names_that_some_system_can_not_keep_are_refused(target: Path, name: str) -> None:
    refused(tar(Member("x", b"y", raw=pax(path=name))), target, "whose name")


def test_A18_a_name_that_is_not_utf8_is_refused(target: Path) -> None:
    refused(tar(Member(b"caf\xe9", b"y")), target, "not UTF-8")


def test_A19_a_zip_is_refused(target: Path) -> None:
    refused(b"PK\x03\x04" + bytes(600), target, "is no tar")
    refused(b"PK\x03\x04" + bytes(600), target, "no gzip", compressed=True)


def test_A20_exactly_one_program_is_looked_for(target: Path) -> None:
    refused(tar(Member("readme", b"x")), target, "exactly one program and has: none")
    two = (program("one"), program("two"))
    refused(tar(*two), target, "one program and has: one, two")
    wanted = {"program": "hello"}
    refused(tar(folder("hello")), target, "which is folder", **wanted)
    refused(tar(HELLO), target, "which is folder", **wanted)
    refused(tar(Member("x", b"")), target, "which is missing", **wanted)
    refused(tar(program("prog", b"")), target, "an empty file", program="prog")


def test_A21_content_is_what_its_media_type_says(target: Path) -> None:
    refused(tgz(HELLO), target, "compressed once more", compressed=False)
    refused(tar(HELLO), target, "no gzip", compressed=True)
    page = b"<!doctype html><title>504</title>" + bytes(600)
    refused(page, target, "web page", compressed=False)
    refused(b"\x7fELF" + bytes(600), target, "is no tar", compressed=False)


def test_A22_a_folder_that_becomes_a_link_meanwhile_leads_nowhere(target: Path) -> None:
    """A thread puts a link in the place of folders all the time; not a byte goes through it."""
    trap = target.parent / "trap"
    trap.mkdir()
    done = threading.Event()

    def swap() -> None:
        aside = target.parent / "aside"
        while not done.is_set():
            for path in (target / "d", target):
                try:
                    path.rename(aside)
                    path.symlink_to(trap)
                    path.unlink()
                    aside.rename(path)
                except OSError:
                    continue

    members = [Member(f"d/e{number % 7}/f{number}", b"x") for number in range(2000)]
    thread = threading.Thread(target=swap)
    thread.start()
    try:
        opened(tar(*members, HELLO), target)
    except (OSError, OcmPkgError):
        pass
    finally:
        done.set()
        thread.join()
    assert not list(trap.rglob("*"))
