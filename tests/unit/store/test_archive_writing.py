from __future__ import annotations

import errno
import gc
import gzip
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from ocm_pkg.errors import (
    AlreadyExistsError,
    ConflictError,
    DigestMismatchError,
    FileMissingError,
    LocalStorageError,
    NoSpaceError,
    OcmPkgError,
)
from ocm_pkg.fs.blob import BytesBlob, read_all
from ocm_pkg.fs.lock import ReplacementLock
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import archive as archives
from ocm_pkg.store.archive import ArchiveStore
from ocm_pkg.store.ctf import CTFStore, blob_name
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.components import NAME, stored
from tests.fakes.trees import names, snapshot, untouched


@pytest.fixture(params=["ctf.tar", "ctf.tgz"])
def path(tmp_path, request):
    return tmp_path / request.param


def repository(path, **options):
    return ComponentRepository(ArchiveStore(path, create=True, **options))


def content(path, version="1.0.0"):
    reread = ComponentRepository(ArchiveStore(path))
    got = reread.get(NAME, version)
    return read_all(reread.blob(got, got.component.resources[0]), 100, "it")


def members(path):
    with tarfile.open(path) as tar:
        return tar.getmembers()


def test_the_entries_are_named_and_ordered_as_the_strict_reader_wants(path):
    stored(repository(path))
    found = members(path)
    assert [each.name for each in found[:2]] == ["artifact-index.json", "blobs"]
    assert found[1].isdir()
    blobs = [each.name for each in found[2:]]
    assert len(blobs) == 4
    assert blobs == sorted(blobs)
    assert f"blobs/{blob_name(digest_of(b'content'))}" in blobs
    for each in found:
        assert (each.mtime, each.uid, each.gid, each.uname, each.gname) == (0, 0, 0, "", "")
        assert each.mode == (0o755 if each.isdir() else 0o644)


@pytest.mark.parametrize("name", ["ctf.tar", "ctf.tgz", "ctf.tar.gz"])
def test_the_name_says_if_a_new_archive_is_gzipped(tmp_path, name):
    path = tmp_path / name
    stored(repository(path))
    head = path.read_bytes()[:10]
    if path.name.endswith("gz"):
        assert head[:3] == b"\x1f\x8b\x08"
        assert head[3:8] == bytes(5)
    else:
        assert path.stat().st_size % 10_240 == 0
        assert head == b"artifact-i"


def test_the_same_content_gives_the_same_bytes(path):
    for folder, versions in (("one", ["1.0.0", "2.0.0"]), ("two", ["2.0.0", "1.0.0"])):
        (path.parent / folder).mkdir()
        target = repository(path.parent / folder / path.name)
        for version in versions:
            stored(target, version=version, content=version.encode())
        index = ArchiveStore(path.parent / folder / path.name).tags(f"component-descriptors/{NAME}")
        assert sorted(index) == ["1.0.0", "2.0.0"]
    one, two = ((path.parent / each / path.name).read_bytes() for each in ("one", "two"))
    again = path.parent / "one" / path.name
    again.unlink()
    target = repository(again)
    for version in ["1.0.0", "2.0.0"]:
        stored(target, version=version, content=version.encode())
    assert again.read_bytes() == one
    assert len(one) == len(two) or path.name.endswith("gz")


def test_an_archive_has_the_bytes_of_a_folder_with_the_same_content(path):
    stored(repository(path))
    stored(ComponentRepository(CTFStore(path.parent / "folder", create=True)))
    with tarfile.open(path) as tar:
        for each in tar.getmembers():
            if each.isfile():
                data = tar.extractfile(each).read()
                assert data == (path.parent / "folder" / each.name).read_bytes()


def test_what_was_there_is_kept(path):
    stored(repository(path), content=b"one")
    first = content(path)
    stored(repository(path), version="2.0.0", content=b"two")
    assert (first, content(path), content(path, "2.0.0")) == (b"one", b"one", b"two")
    assert names(path.parent) == [path.name]


def test_a_version_that_is_replaced_stays_reachable_by_its_digest(path):
    target = repository(path)
    stored(target)
    target.add(target.get(NAME, "1.0.0").with_resources([]), replace=True)
    with tarfile.open(path) as tar:
        index = json.load(tar.extractfile("artifact-index.json"))
    assert [each.get("tag") for each in index["artifacts"]] == [None, "1.0.0"]
    assert f"blobs/{blob_name(digest_of(b'content'))}" in [each.name for each in members(path)]


def test_adding_the_same_again_leaves_the_file_alone(path):
    target = repository(path)
    first = stored(target)
    before = untouched(path)
    target.add(first)
    stored(repository(path))
    assert untouched(path) == before


def test_the_form_and_mode_of_an_archive_stay(tmp_path):
    stored(repository(tmp_path / "ctf.tgz"))
    other = tmp_path / "packed"
    (tmp_path / "ctf.tgz").rename(other)
    other.chmod(0o440)
    stored(repository(other), version="2.0.0")
    assert other.read_bytes()[:2] == b"\x1f\x8b"
    assert other.stat().st_mode & 0o777 == 0o440


def test_a_link_to_an_archive_stays_a_link(path):
    real = path.parent / "real"
    real.mkdir()
    stored(repository(real / path.name))
    path.symlink_to(real / path.name)
    stored(repository(path), version="2.0.0", content=b"two")
    assert path.is_symlink()
    assert content(real / path.name, "2.0.0") == b"two"
    assert names(real) == [path.name]


def test_nothing_is_made_before_something_is_added(path):
    target = repository(path)
    assert list(target.versions(NAME)) == []
    assert names(path.parent) == []
    target.put_blob(
        NAME, "1.0.0", stored(repository(path)).component.resources[0], BytesBlob(b"content")
    )
    assert names(path.parent) == [path.name]


def test_an_archive_is_only_made_when_it_is_asked_for(path):
    with pytest.raises(FileMissingError):
        ArchiveStore(path)
    assert names(path.parent) == []


def test_missing_folders_are_made(path):
    deep = path.parent / "a" / "b" / path.name
    stored(repository(deep))
    assert content(deep) == b"content"


def test_a_reader_keeps_what_it_opened(path):
    stored(repository(path))
    reader = ComponentRepository(ArchiveStore(path))
    got = reader.get(NAME, "1.0.0")
    blob = reader.blob(got, got.component.resources[0])
    stored(repository(path), version="2.0.0")
    assert list(reader.versions(NAME)) == ["1.0.0"]
    assert read_all(blob, 100, "it") == b"content"


def test_a_writer_commits_to_what_is_there_then(path):
    stored(repository(path))
    one, two = repository(path), repository(path)
    stored(one, version="2.0.0", content=b"two")
    stored(two, version="3.0.0", content=b"three")
    assert [content(path, f"{n}.0.0") for n in (1, 2, 3)] == [b"content", b"two", b"three"]
    with pytest.raises(AlreadyExistsError):
        stored(one, version="3.0.0", content=b"other")
    assert content(path, "3.0.0") == b"three"


def test_a_writer_that_waits_too_long_says_so(path):
    stored(repository(path))
    target = repository(path, lock_timeout=0.01)
    with (
        ReplacementLock(path, 0),
        pytest.raises(LocalStorageError, match=f"process {os.getpid()}"),
    ):
        stored(target, version="2.0.0")
    with ReplacementLock(path.parent / "new.tar", 0), pytest.raises(LocalStorageError):
        stored(repository(path.parent / "new.tar", lock_timeout=0.01))
    stored(target, version="2.0.0")
    assert names(path.parent) == [path.name]


def test_what_would_be_lost_is_not_overwritten(tmp_path):
    path = tmp_path / "ctf.tar"
    stored(repository(path))
    with tarfile.open(path, "a") as tar:
        info = tarfile.TarInfo("README")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    before = path.read_bytes()
    with pytest.raises(ConflictError, match="README"):
        stored(repository(path), version="2.0.0")
    assert path.read_bytes() == before


def test_an_archive_never_gets_more_entries_than_are_read(path, monkeypatch):
    stored(repository(path))
    monkeypatch.setattr(archives, "MAX_FILES", 8)
    with pytest.raises(ConflictError, match="more than 8"):
        stored(repository(path), version="2.0.0", content=b"two")
    assert content(path) == b"content"


@pytest.mark.parametrize("data", [b"", b"no tar", b"\x1f\x8bno gzip"])
def test_a_file_that_is_no_archive_is_refused_and_kept(path, data):
    path.write_bytes(data)
    with pytest.raises(OcmPkgError):
        stored(repository(path))
    assert path.read_bytes() == data


def test_content_that_is_there_and_broken_is_replaced(tmp_path):
    path = tmp_path / "ctf.tar"
    stored(repository(path))
    path.write_bytes(path.read_bytes().replace(b"content" + bytes(20), b"CONTENT" + bytes(20)))
    with pytest.raises(DigestMismatchError):
        content(path)
    store = ArchiveStore(path)
    store.push("r", BytesBlob(b"content"), "text/plain")
    store.flush()
    assert content(path) == b"content"


def test_flushed_content_is_there_for_another_writer(path):
    store = ArchiveStore(path, create=True)
    pushed = store.push("r", BytesBlob(b"content"), "text/plain")
    assert not path.exists()
    store.flush()
    assert read_all(ArchiveStore(path).fetch("r", pushed), 10, "it") == b"content"
    assert list(ArchiveStore(path).tags("r")) == []


def test_content_that_lied_leaves_nothing_behind(path):
    class Liar(BytesBlob):
        digest = digest_of(b"other")

    store = ArchiveStore(path, create=True)
    one = store.push("r", BytesBlob(b"one"), "text/plain")
    with pytest.raises(DigestMismatchError):
        store.push("r", Liar(b"content"), "text/plain")
    two = store.push("r", BytesBlob(b"two"), "text/plain")
    assert [read_all(store.fetch("r", each), 9, "it") for each in (one, two)] == [b"one", b"two"]
    store.flush()
    assert len(members(path)) == 4


STEPS = [
    "archive.push",
    "atomic.create",
    "atomic.write",
    "archive.index",
    "archive.blob",
    "archive.end",
    "atomic.sync",
    "atomic.rename",
]


@pytest.mark.parametrize("step", STEPS)
def test_I04_a_full_disk_at_any_step_keeps_the_archive_byte_for_byte(path, step):
    stored(repository(path))
    before = snapshot(path.parent)

    def fail(name):
        if name == step:
            raise OSError(errno.ENOSPC, "x", str(path))

    with pytest.raises(NoSpaceError, match="no space"):
        stored(repository(path, fail_point=fail), version="2.0.0", content=b"two")
    assert snapshot(path.parent) == before
    stored(repository(path), version="2.0.0", content=b"two")
    assert content(path, "2.0.0") == b"two"


def test_no_handle_is_left_open_by_a_writer(path):
    gc.collect()
    before = len(names(Path("/proc/self/fd")))
    stored(repository(path))
    stored(repository(path), version="2.0.0")
    gc.collect()
    assert len(names(Path("/proc/self/fd"))) == before


def test_a_long_digest_fits_into_a_header(tmp_path):
    data = b"content"
    path = tmp_path / "ctf.tgz"
    stored(repository(path))
    name = f"blobs/{blob_name(digest_of(data, 'sha512'))}"
    with tarfile.open(path) as old, tarfile.open(tmp_path / "b.tar", "w") as new:
        for each in old:
            new.addfile(each, old.extractfile(each))
        info = tarfile.TarInfo(name)
        info.size = len(data)
        new.addfile(info, io.BytesIO(data))
    stored(repository(tmp_path / "b.tar"), version="2.0.0")
    assert name in [each.name for each in members(tmp_path / "b.tar")]
    assert gzip.decompress(path.read_bytes())[:5] == b"artif"
