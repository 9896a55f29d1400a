from __future__ import annotations

import gc
import gzip
import io
import shutil
import tarfile
from pathlib import Path

import pytest

from ocm_pkg.errors import (
    DigestMismatchError,
    FileMissingError,
    InvalidDocumentError,
    NotFoundError,
    UnsafeArchiveError,
)
from ocm_pkg.fs.blob import read_all
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import archivefile
from ocm_pkg.store.archive import ArchiveStore
from ocm_pkg.store.ctf import CTFStore, blob_name
from ocm_pkg.store.repository import ComponentRepository, StoredComponents
from tests.fakes.components import NAME, stored
from tests.fakes.trees import names, snapshot


@pytest.fixture
def ctf(tmp_path):
    stored(ComponentRepository(CTFStore(tmp_path / "ctf", create=True)))
    return tmp_path / "ctf"


def pack(ctf, path, mode="w", prefix="", extra=()):
    with tarfile.open(path, mode, format=tarfile.PAX_FORMAT) as tar:
        for file in sorted(ctf.rglob("*")):
            tar.add(file, prefix + str(file.relative_to(ctf)), recursive=False)
        for info, data in extra:
            tar.addfile(info, io.BytesIO(data))
    return path


def entry(name, data=b"", kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(data), kind, link
    return info, data


def read(path):
    repository = ComponentRepository(ArchiveStore(path))
    got = repository.get(NAME, "1.0.0")
    return read_all(repository.blob(got, got.component.resources[0]), 100, "it")


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("prefix", ["", "./"])
def test_an_archive_is_read_like_the_folder(ctf, tmp_path, mode, prefix):
    path = pack(ctf, tmp_path / "archive", mode, prefix)
    before = snapshot(tmp_path)
    store = ArchiveStore(path)
    repository = ComponentRepository(store)
    assert list(repository.versions(NAME)) == ["1.0.0"]
    assert StoredComponents(store).components() == [NAME]
    got = repository.get(NAME, "1.0.0")
    blob = repository.blob(got, got.component.resources[0])
    assert (blob.media_type, blob.size, blob.digest) == (
        "application/octet-stream",
        7,
        digest_of(b"content"),
    )
    with blob.open() as one, blob.open(3) as two:
        assert (one.read(2), two.read(2), one.read(), two.read()) == (b"co", b"te", b"ntent", b"nt")
    assert snapshot(tmp_path) == before


def test_files_that_are_not_of_the_format_are_passed_over(ctf, tmp_path):
    path = pack(
        ctf, tmp_path / "a", extra=[entry("README", b"x"), entry("l", kind=tarfile.SYMTYPE)]
    )
    assert read(path) == b"content"


BLOB = f"blobs/{blob_name(digest_of(b'content'))}"


@pytest.mark.parametrize(
    "extra",
    [
        entry("../evil"),
        entry("/evil"),
        entry("a/../../evil"),
        entry("./artifact-index.json", b"{}"),
        entry("blobs/sha256." + "0" * 64, kind=tarfile.SYMTYPE, link="/etc/passwd"),
        entry("blobs/sha256." + "0" * 64, kind=tarfile.LNKTYPE, link="artifact-index.json"),
        entry("blobs/sha256." + "0" * 64, kind=tarfile.FIFOTYPE),
        entry("blobs/sha256." + "0" * 64, kind=tarfile.CHRTYPE),
        entry(BLOB, b"content"),
    ],
    ids=lambda extra: f"{extra[0].name[:20]}-{extra[0].type}",
)
def test_R44_what_an_archive_must_not_have_is_refused(ctf, tmp_path, extra):
    path = pack(ctf, tmp_path / "archive", extra=[extra])
    before = snapshot(tmp_path)
    with pytest.raises(UnsafeArchiveError):
        read(path)
    assert snapshot(tmp_path) == before
    assert read(pack(ctf, tmp_path / "twin")) == b"content"


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("keep", [0.05, 0.5, 0.8])
def test_an_archive_that_was_cut_is_refused(ctf, tmp_path, mode, keep):
    path = pack(ctf, tmp_path / "archive", mode)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data.rstrip(b"\0")) * keep)])
    with pytest.raises((InvalidDocumentError, UnsafeArchiveError, FileMissingError, NotFoundError)):
        read(path)


@pytest.mark.parametrize("data", [b"", b"no tar at all", b"\x1f\x8bno gzip", bytes(10240)])
def test_a_file_that_is_no_archive_is_refused(tmp_path, data):
    (tmp_path / "a").write_bytes(data)
    with pytest.raises((InvalidDocumentError, FileMissingError)):
        ArchiveStore(tmp_path / "a")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    (tmp_path / "a").write_bytes(gzip.compress(bytes(5_000_000)))
    with pytest.raises(UnsafeArchiveError, match="more than is allowed"):
        ArchiveStore(tmp_path / "a", max_unpacked=1_000_000)


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path):
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 3_000_000
    path = tmp_path / "a"
    path.write_bytes(info.tobuf() + bytes(3_100_000))
    with pytest.raises(InvalidDocumentError, match="header is too long"):
        ArchiveStore(path)


def test_too_many_entries_are_refused(ctf, tmp_path, monkeypatch):
    monkeypatch.setattr(archivefile, "MAX_FILES", 3)
    with pytest.raises(UnsafeArchiveError, match="more than 3"):
        ArchiveStore(pack(ctf, tmp_path / "a"))


def test_content_that_was_changed_is_refused(ctf, tmp_path):
    file = ctf / BLOB
    file.write_bytes(b"CONTENT")
    with pytest.raises(DigestMismatchError):
        read(pack(ctf, tmp_path / "same-size"))
    file.write_bytes(b"longer content")
    with pytest.raises(DigestMismatchError):
        read(pack(ctf, tmp_path / "longer"))
    file.unlink()
    with pytest.raises(NotFoundError):
        read(pack(ctf, tmp_path / "gone"))
    shutil.rmtree(ctf / "blobs")
    with pytest.raises(NotFoundError):
        read(pack(ctf, tmp_path / "all-gone"))


def test_an_entry_without_media_type_is_looked_at(ctf, tmp_path):
    index = ctf / "artifact-index.json"
    text = index.read_text().replace(
        ',"mediaType":"application/vnd.oci.image.manifest.v1+json"', ""
    )
    index.write_text(text)
    assert read(pack(ctf, tmp_path / "a")) == b"content"


def test_no_handle_is_left_open(ctf, tmp_path):
    gc.collect()
    before = len(names(Path("/proc/self/fd")))
    read(pack(ctf, tmp_path / "a", "w:gz"))
    gc.collect()
    assert len(names(Path("/proc/self/fd"))) == before
