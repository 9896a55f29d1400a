from __future__ import annotations

import io
import tarfile

import pytest

from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import archivefile, tarscan
from ocm_pkg.store.archive import ArchiveStore
from ocm_pkg.store.archivefile import ArchiveFile
from ocm_pkg.store.ctf import blob_name
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.components import stored

BLOB = f"blobs/{blob_name(digest_of(b'x'))}"


@pytest.fixture
def path(tmp_path):
    stored(ComponentRepository(ArchiveStore(tmp_path / "ctf.tar", create=True)))
    return tmp_path / "ctf.tar"


def scanned(path, limit=100):
    with path.open("rb") as stream:
        return tarscan.plain_files(stream.fileno(), path.stat().st_size, limit)


def repacked(path, change, *, format=tarfile.USTAR_FORMAT, extra=()):  # noqa: A002 - tarfile's word
    out = path.with_name("other.tar")
    with tarfile.open(path) as old, tarfile.open(out, "w", format=format) as new:
        for each in old:
            data = old.extractfile(each)
            change(each)
            new.addfile(each, data)
        for info in extra:
            info.size = 1 if info.isreg() else 0
            new.addfile(info, io.BytesIO(b"x"))
    return out


def test_what_this_package_writes_is_listed_as_tarfile_lists_it(path, monkeypatch):
    fast = ArchiveFile(path).files
    assert scanned(path) == {name: (part.offset, part.size) for name, part in fast.items()}
    monkeypatch.setattr(tarscan, "plain_files", lambda *_given: None)
    slow = ArchiveFile(path).files
    places = [
        {name: (part.offset, part.size) for name, part in each.items()} for each in (fast, slow)
    ]
    assert places[0] == places[1]
    assert len(fast) == 5


def dotted(info):
    info.name = f"./{info.name}"


def test_names_may_begin_with_a_dot(path):
    assert set(scanned(repacked(path, dotted))) == set(scanned(path))


def entry(name, kind=tarfile.REGTYPE, **members):
    info = tarfile.TarInfo(name)
    info.type = kind
    for member, value in members.items():
        setattr(info, member, value)
    return info


@pytest.mark.parametrize(
    "extra",
    [
        entry(BLOB, tarfile.SYMTYPE, linkname="/etc/passwd"),
        entry(BLOB, tarfile.LNKTYPE, linkname="artifact-index.json"),
        entry(BLOB, tarfile.FIFOTYPE),
        entry("artifact-index.json"),
        entry("README"),
        entry("../x"),
        entry("other", tarfile.DIRTYPE),
        entry(BLOB, tarfile.CONTTYPE),
        entry("blobs/sha256.x"),
        entry("d" * 90 + "/" + BLOB),
    ],
    ids=lambda info: f"{info.name[:14]}-{info.type}",
)
def test_what_is_not_plain_is_left_to_tarfile(path, extra):
    assert scanned(repacked(path, lambda _info: None, extra=[entry(BLOB)]))
    assert scanned(repacked(path, lambda _info: None, extra=[extra])) is None


def test_other_formats_are_left_to_tarfile_and_read(path):
    other = repacked(path, lambda _info: None, format=tarfile.GNU_FORMAT)
    assert scanned(other) is None
    assert ArchiveFile(other).index.entries == ArchiveFile(path).index.entries
    long = repacked(
        path, lambda info: setattr(info, "uname", "\u00e9" * 40), format=tarfile.PAX_FORMAT
    )
    assert scanned(long) is None
    assert len(ArchiveFile(long).files) == 5


def test_a_tar_that_was_cut_or_is_empty_is_left_to_tarfile(path):
    data = path.read_bytes()
    for length in (0, 100, 512, 1000, len(data.rstrip(b"\0"))):
        path.write_bytes(data[:length])
        assert scanned(path) is None
    path.write_bytes(bytes(10_240))
    assert scanned(path) is None


@pytest.mark.parametrize("place", [0, 124, 135, 148, 156, 257, 345])
def test_a_header_with_one_other_byte_is_left_to_tarfile(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    assert scanned(path) is None


def test_no_more_entries_are_listed_than_allowed(path):
    assert scanned(path, 7)
    assert scanned(path, 5) is None
    assert archivefile.MAX_FILES > 5
