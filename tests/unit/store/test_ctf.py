from __future__ import annotations

import errno
import json
import os

import pytest

from ocm_pkg.errors import (
    AlreadyExistsError,
    DigestMismatchError,
    FileMissingError,
    InvalidDocumentError,
    LocalStorageError,
    NoSpaceError,
    NotFoundError,
    OcmPkgError,
    UnsafeArchiveError,
)
from ocm_pkg.fs.atomic import TEMPORARY_PREFIX, FolderLock
from ocm_pkg.fs.blob import BytesBlob, FileBlob, verify
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import media
from ocm_pkg.store.ctf import CTFStore, blob_name
from ocm_pkg.store.ctfindex import Index
from ocm_pkg.store.repository import ComponentRepository, StoredComponents
from tests.fakes.components import NAME, stored
from tests.fakes.trees import names, snapshot


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ctf"


@pytest.fixture
def repository(path):
    return ComponentRepository(CTFStore(path, create=True))


def reread(path):
    return ComponentRepository(CTFStore(path))


def blob_file(path, data=b"content"):
    return path / "blobs" / blob_name(digest_of(data))


def leftovers(path):
    found = [*names(path), *names(path / "blobs")]
    return [name for name in found if name.startswith(TEMPORARY_PREFIX)]


def read_content(path):
    repository = reread(path)
    got = repository.get(NAME, "1.0.0")
    return verify(repository.blob(got, got.component.resources[0]))


def test_reading_changes_nothing(path, repository):
    stored(repository)
    before = snapshot(path.parent)
    read_content(path)
    reread(path).versions(NAME)
    assert snapshot(path.parent) == before


def test_only_the_two_names_of_the_format_are_there(path, repository):
    stored(repository)
    assert names(path) == ["artifact-index.json", "blobs"]
    assert all(name.startswith("sha256.") for name in names(path / "blobs"))


def test_components_are_listed(path, repository):
    for name in ("ocm.test/b", "ocm.test/a"):
        stored(repository, name=name)
    assert StoredComponents(CTFStore(path)).components() == ["ocm.test/a", "ocm.test/b"]


def test_a_folder_is_only_made_when_it_is_asked_for(path):
    with pytest.raises(FileMissingError, match="no CTF"):
        stored(reread(path))
    assert not path.exists()
    with pytest.raises(FileMissingError):
        reread(path).versions(NAME)
    assert list(ComponentRepository(CTFStore(path, create=True)).versions(NAME)) == []
    assert not path.exists()


def test_a_folder_that_is_used_for_something_else_is_refused(path, repository):
    path.mkdir()
    (path / "thesis.doc").touch()
    before = snapshot(path)
    with pytest.raises(AlreadyExistsError, match="thesis"):
        stored(repository)
    assert snapshot(path) == before


def test_an_empty_folder_or_an_unfinished_ctf_is_used(path, repository):
    (path / "blobs").mkdir(parents=True)
    stored(repository)
    assert read_content(path)


def test_moving_a_tag_keeps_the_old_entry_without_it(path, repository):
    stored(repository)
    first = json.loads((path / "artifact-index.json").read_text())["artifacts"][0]
    repository.add(repository.get(NAME, "1.0.0").with_resources([]), replace=True)
    entries = json.loads((path / "artifact-index.json").read_text())["artifacts"]
    del first["tag"]
    assert entries[0] == first
    assert [entry.get("tag") for entry in entries] == [None, "1.0.0"]


@pytest.mark.parametrize("which", ["manifest", "config", "descriptor", "content"])
@pytest.mark.parametrize("how", ["changed", "cut", "longer", "gone"])
def test_content_that_was_changed_is_refused(path, repository, which, how):
    stored(repository)
    index = json.loads((path / "artifact-index.json").read_text())
    manifest_digest = index["artifacts"][0]["digest"]
    manifest = json.loads((path / "blobs" / manifest_digest.replace(":", ".")).read_text())
    digest = {
        "manifest": manifest_digest,
        "config": manifest["config"]["digest"],
        "descriptor": manifest["layers"][0]["digest"],
        "content": manifest["layers"][1]["digest"],
    }[which]
    file = path / "blobs" / digest.replace(":", ".")
    data = file.read_bytes()
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes(
            {"changed": data[:-1] + b"~", "cut": data[:-1], "longer": data + b" "}[how]
        )
    before = snapshot(path)
    with pytest.raises(NotFoundError if how == "gone" else DigestMismatchError) as caught:
        read_content(path)
    assert digest in caught.value.message or how != "gone"
    assert snapshot(path) == before


@pytest.mark.parametrize("what", ["link", "outside", "pipe", "folder", "device"])
def test_R44_a_blob_that_is_no_file_is_refused(path, repository, what):
    stored(repository)
    file = blob_file(path)
    content = file.read_bytes()
    file.unlink()
    if what == "link":
        (path / "blobs" / "other").write_bytes(content)
        file.symlink_to("other")
    elif what == "outside":
        (path.parent / "secret").write_bytes(content)
        file.symlink_to(path.parent / "secret")
    elif what == "pipe":
        os.mkfifo(file)
    elif what == "folder":
        file.mkdir()
    else:
        file.symlink_to("/dev/zero")
    before = snapshot(path.parent)
    with pytest.raises(UnsafeArchiveError) as caught:
        read_content(path)
    assert caught.value.code == "E404"
    assert snapshot(path.parent) == before


def test_R44_a_folder_of_blobs_that_is_a_link_is_refused(path, repository):
    stored(repository)
    (path / "blobs").rename(path.parent / "elsewhere")
    (path / "blobs").symlink_to(path.parent / "elsewhere")
    with pytest.raises(UnsafeArchiveError):
        read_content(path)
    with pytest.raises(UnsafeArchiveError):
        stored(reread(path), version="2.0.0")


def test_R44_an_index_that_is_a_link_is_refused(path, repository):
    stored(repository)
    (path / "artifact-index.json").rename(path.parent / "index")
    (path / "artifact-index.json").symlink_to(path.parent / "index")
    with pytest.raises(OcmPkgError):
        read_content(path)
    assert (path.parent / "index").exists()


@pytest.mark.parametrize(
    "index",
    [
        b"",
        b"x",
        b"[]",
        b"{}",
        b'{"schemaVersion":2,"artifacts":[]}',
        b'{"schemaVersion":true,"artifacts":[]}',
        b'{"schemaVersion":1,"artifacts":{}}',
        b'{"schemaVersion":1,"artifacts":[1]}',
        b'{"schemaVersion":1,"artifacts":[{"repository":"x"}]}',
        b'{"schemaVersion":1,"extra":1}',
        b'{"schemaVersion":1,"artifacts":[{"repository":"x","digest":"sha256:../../../etc/passwd"}]}',
        b'{"schemaVersion":1,"artifacts":[{"repository":1,"digest":"x"}]}',
        b'{"schemaVersion":1,"artifacts":[],"artifacts":[]}',
    ],
)
def test_an_index_that_breaks_its_format_is_refused_and_kept(path, repository, index):
    stored(repository)
    (path / "artifact-index.json").write_bytes(index)
    with pytest.raises(InvalidDocumentError):
        read_content(path)
    with pytest.raises(InvalidDocumentError):
        stored(reread(path), version="2.0.0")
    assert (path / "artifact-index.json").read_bytes() == index


def test_an_index_without_artifacts_is_empty(path):
    path.mkdir()
    (path / "artifact-index.json").write_text('{"schemaVersion":1,"artifacts":null}')
    assert list(reread(path).versions(NAME)) == []


def test_an_entry_without_media_type_is_looked_at(path, repository):
    stored(repository)
    index = json.loads((path / "artifact-index.json").read_text())
    del index["artifacts"][0]["mediaType"]
    (path / "artifact-index.json").write_text(json.dumps(index))
    assert read_content(path)


STEPS = [
    "ctf.blob",
    "ctf.index",
    "atomic.create",
    "atomic.write",
    "atomic.sync",
    "atomic.rename",
    "atomic.sync-folder",
]


@pytest.mark.parametrize("step", STEPS)
def test_I04_a_full_disk_at_any_step_keeps_what_was_there(path, step):
    stored(ComponentRepository(CTFStore(path, create=True)))

    def fail(name):
        if name == step:
            raise OSError(errno.ENOSPC, "x", str(path / "x"))

    failing = ComponentRepository(CTFStore(path, fail_point=fail))
    with pytest.raises(NoSpaceError, match="no space"):
        stored(failing, version="2.0.0", content=b"two")
    assert read_content(path)
    found = list(reread(path).versions(NAME))
    assert found in (["1.0.0"], ["2.0.0", "1.0.0"])
    assert not leftovers(path)
    stored(reread(path), version="2.0.0", content=b"two")
    assert list(reread(path).versions(NAME)) == ["2.0.0", "1.0.0"]


def test_leftovers_of_a_killed_writer_are_removed_by_the_next_one(path, repository):
    stored(repository)
    for folder in (path, path / "blobs"):
        (folder / f"{TEMPORARY_PREFIX}1.aa").write_text("half")
    assert read_content(path)
    stored(reread(path), version="2.0.0")
    assert not leftovers(path)


def test_a_writer_that_waits_too_long_names_the_other(path, repository):
    stored(repository)
    writer = ComponentRepository(CTFStore(path, lock_timeout=0.01))
    with FolderLock(path, 0), pytest.raises(LocalStorageError, match=str(os.getpid())):
        stored(writer, version="2.0.0")
    stored(writer, version="2.0.0")


def test_content_that_is_there_is_not_read_again(path, repository, tmp_path):
    stored(repository)
    digest = digest_of(b"content")
    blob = FileBlob(tmp_path / "nowhere", size=7, digest=digest)
    assert CTFStore(path).push("x", blob, "text/plain").digest == digest


def test_content_that_is_there_and_broken_is_replaced(path, repository):
    stored(repository)
    blob_file(path).write_bytes(b"CONTENT")
    CTFStore(path).push("x", BytesBlob(b"content"), "text/plain")
    assert blob_file(path).read_bytes() == b"content"


def test_an_artifact_gets_an_entry_without_a_tag(path):
    store = CTFStore(path, create=True)
    part = store.push("r", BytesBlob(b'{"schemaVersion":2}'), media.OCI_MANIFEST)
    top = store.push("r", BytesBlob(b'{"manifests":[]}'), media.OCI_INDEX)
    store.tag("r", top, "1.0.0")
    entries = json.loads((path / "artifact-index.json").read_text())["artifacts"]
    assert [(entry["digest"], entry.get("tag")) for entry in entries] == [
        (str(part.digest), None),
        (str(top.digest), "1.0.0"),
    ]


def test_modes_do_not_depend_on_the_umask(path):
    old = os.umask(0o777)
    try:
        stored(ComponentRepository(CTFStore(path, create=True)))
    finally:
        os.umask(old)
    modes = {name: value[1] for name, value in snapshot(path.parent).items()}
    assert modes.pop("ctf") == modes.pop("ctf/blobs") == 0o755
    assert set(modes.values()) == {0o644}


def settle(path):
    """Make the index look as if it was written some time ago."""
    os.utime(path / "artifact-index.json", ns=(10**18, 10**18))


def test_an_index_that_stays_the_same_is_read_once(path, repository, monkeypatch):
    for number in range(3):
        stored(repository, version=f"1.{number}.0")
    settle(path)
    parsed = []
    parse = Index.parse
    monkeypatch.setattr(Index, "parse", lambda *given: parsed.append(1) or parse(*given))
    reader = reread(path)
    for version in reader.versions(NAME):
        assert reader.get(NAME, version).version == version
    assert len(parsed) == 1
    stored(reread(path), version="2.0.0")
    assert reader.get(NAME, "2.0.0").version == "2.0.0"


def test_an_index_that_changes_in_the_same_instant_is_read_again(path, repository):
    stored(repository)
    reader = reread(path)
    file = path / "artifact-index.json"
    status = file.stat()
    assert list(reader.versions(NAME)) == ["1.0.0"]
    file.write_bytes(file.read_bytes().replace(b'"1.0.0"', b'"2.0.0"'))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert list(reader.versions(NAME)) == ["2.0.0"]


def test_a_hint_does_not_sort_hundreds_of_versions(repository):
    with repository.batch():
        for number in range(102):
            stored(repository, version=f"1.{number}.0")
    with pytest.raises(NotFoundError) as caught:
        repository.get(NAME, "2.0.0")
    assert "many others" in caught.value.hint
