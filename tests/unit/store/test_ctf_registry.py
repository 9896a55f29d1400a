"""What a registry needs of a CTF, beyond component versions."""

from __future__ import annotations

import json

import pytest

from ocm_pkg.errors import FileMissingError
from ocm_pkg.fs.atomic import TEMPORARY_PREFIX
from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.fs.staged import StagedBlob
from ocm_pkg.model.digest import digest_of
from ocm_pkg.store import media
from ocm_pkg.store.archive import ArchiveStore
from ocm_pkg.store.ctf import CTFStore
from tests.fakes.registry_calls import CONFIG, described, manifest
from tests.fakes.trees import snapshot

IMAGE = manifest()
SUBJECT = described(IMAGE, media.OCI_MANIFEST)
SBOM = manifest(subject=SUBJECT, artifactType="test/sbom")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ctf"


@pytest.fixture
def store(path):
    return CTFStore(path, create=True)


def pushed(store, data, repository="a"):
    store.push(repository, BytesBlob(CONFIG), "application/vnd.oci.empty.v1+json")
    return store.push(repository, BytesBlob(data), media.OCI_MANIFEST)


def entries(path):
    return json.loads((path / "artifact-index.json").read_bytes())["artifacts"]


def test_a_manifest_that_is_kept_is_found_by_its_digest_in_its_repository(store, path):
    top = pushed(store, IMAGE)
    store.keep("a", top)
    store.keep("a", top)
    for each in (store, CTFStore(path)):
        assert each.resolve("a", str(top.digest)) == top
        assert each.resolve("b", str(top.digest)) is None
        assert list(each.tags("a")) == []
        assert list(each.repositories()) == ["a"]
    assert len(entries(path)) == 1


def test_a_manifest_that_was_kept_gets_a_tag(store, path):
    top = pushed(store, IMAGE)
    store.keep("a", top)
    store.tag("a", top, "v1")
    [entry] = entries(path)
    assert entry["tag"] == "v1"
    store.keep("a", top)
    assert len(entries(path)) == 1


def test_a_tag_goes_and_the_manifest_stays(store, path):
    top = pushed(store, IMAGE)
    store.tag("a", top, "v1")
    assert store.untag("a", "v1")
    assert not store.untag("a", "v1")
    assert CTFStore(path).resolve("a", "v1") is None
    assert CTFStore(path).resolve("a", str(top.digest)) == top


def test_a_deleted_manifest_is_gone_with_its_tags_and_its_file_stays(store):
    top = pushed(store, IMAGE)
    for repository in ("a", "b"):
        for tag in ("v1", "v2"):
            store.tag(repository, top, tag)
    assert store.delete("a", top.digest)
    assert not store.delete("a", top.digest)
    assert list(store.tags("a")) == []
    assert store.resolve("a", str(top.digest)) is None
    assert sorted(store.tags("b")) == ["v1", "v2"]
    assert store.exists("a", top.digest) is not None


def test_a_blob_is_not_deleted(store):
    blob = store.push("a", BytesBlob(b"blob"), "text/plain")
    store.tag("a", pushed(store, IMAGE), "v1")
    assert not store.delete("a", blob.digest)
    assert store.exists("a", blob.digest) is not None


def test_a_blob_is_mounted_in_the_same_ctf_only(store, path, tmp_path):
    blob = store.push("a", BytesBlob(b"blob"), "text/plain")
    other = CTFStore(tmp_path / "other", create=True)
    assert store.mount("b", blob.digest, store, "a")
    assert CTFStore(path).mount("b", blob.digest, store, "a")
    assert not store.mount("b", digest_of(b"x"), store, "a")
    assert not other.mount("b", blob.digest, store, "a")
    assert not store.mount("b", blob.digest, object(), "a")


@pytest.mark.parametrize("archive", [False, True])
def test_referrers_are_found_also_without_media_types_and_broken_ones_are_left_out(
    tmp_path, archive
):
    path = tmp_path / ("ctf.tar" if archive else "ctf")
    store = (ArchiveStore if archive else CTFStore)(path, create=True)
    for number, data in enumerate((IMAGE, SBOM, b"no manifest")):
        store.tag("a", pushed(store, data), f"v{number}")
    top = digest_of(IMAGE)
    [found] = store.referrers("a", top)
    assert (found.digest, found.artifact_type) == (digest_of(SBOM), "test/sbom")
    assert store.referrers("a", top, "test/sbom") == [found]
    assert store.referrers("a", top, "test/other") == []
    assert store.referrers("b", top) == []
    assert store.referrers("a", digest_of(SBOM)) == []


def test_an_entry_of_another_tool_has_no_media_type_and_is_a_referrer_all_the_same(store, path):
    store.tag("a", pushed(store, SBOM), "v1")
    index = path / "artifact-index.json"
    index.write_text(
        json.dumps(
            {
                "schemaVersion": 1,
                "artifacts": [{"repository": "a", "tag": "v1", "digest": str(digest_of(SBOM))}],
            }
        )
    )
    assert [one.digest for one in CTFStore(path).referrers("a", digest_of(IMAGE))] == [
        digest_of(SBOM)
    ]


def test_staged_files_are_taken_over_and_the_folder_goes(store, path):
    with store.staging() as folder:
        assert folder.parent == path
        assert folder.name.startswith(TEMPORARY_PREFIX)
        file = folder / "upload"
        file.write_bytes(b"content")
        inode = file.stat().st_ino
        store.push("a", StagedBlob(file, media.OCTET_STREAM, 7, digest_of(b"content")), "x/y")
        assert list(folder.iterdir()) == []
    [blob] = (path / "blobs").iterdir()
    assert (blob.stat().st_ino, blob.read_bytes()) == (inode, b"content")
    assert [each.name for each in path.iterdir()] == ["blobs"]


def test_only_who_writes_makes_anything(path):
    before = snapshot(path.parent)
    store = CTFStore(path)
    with pytest.raises(FileMissingError), store.staging():
        pass
    assert snapshot(path.parent) == before
