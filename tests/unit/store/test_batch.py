from __future__ import annotations

import json
import tarfile

import pytest

from ocm_pkg.errors import AlreadyExistsError
from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.store import media
from ocm_pkg.store.archive import ArchiveStore
from ocm_pkg.store.copying import batched
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.memory import MemoryStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.components import NAME, stored


@pytest.fixture(params=["ctf", "ctf.tar", "ctf.tgz"])
def make(tmp_path, request):
    def make(**options):
        kind = CTFStore if request.param == "ctf" else ArchiveStore
        return ComponentRepository(kind(tmp_path / request.param, create=True, **options))

    return make


def read_index(store):
    if isinstance(store, CTFStore):
        return json.loads((store.path / "artifact-index.json").read_text())["artifacts"]
    with tarfile.open(store.path) as tar:
        return json.load(tar.extractfile("artifact-index.json"))["artifacts"]


def test_a_batch_is_written_once_and_seen_by_others_at_its_end(make):
    stored(make())
    steps = []
    repository = make(fail_point=steps.append)
    with repository.batch():
        for number in range(5):
            stored(repository, version=f"2.{number}.0", content=b"%d" % number)
        assert len(repository.versions(NAME)) == 6
        assert repository.get(NAME, "2.3.0").version == "2.3.0"
        assert list(make().versions(NAME)) == ["1.0.0"]
    assert len(make().versions(NAME)) == 6
    assert [steps.count(step) for step in ("atomic.create", "archive.index", "ctf.index")] in (
        [1, 0, 1],
        [1, 1, 0],
    )


def test_an_error_in_a_batch_leaves_what_was_there(make):
    stored(make())
    repository = make()

    def work():
        with repository.batch():
            stored(repository, version="2.0.0")
            raise KeyError

    with pytest.raises(KeyError):
        work()
    for each in (repository, make()):
        assert list(each.versions(NAME)) == ["1.0.0"]
    stored(repository, version="3.0.0")
    assert list(make().versions(NAME)) == ["3.0.0", "1.0.0"]


def test_a_version_that_another_writer_added_meanwhile_stops_the_whole_batch(make):
    stored(make())
    repository = make()

    def work():
        with repository.batch():
            stored(repository, version="2.0.0", content=b"two")
            stored(repository, version="3.0.0", content=b"three")
            stored(make(), version="3.0.0", content=b"other")

    with pytest.raises(AlreadyExistsError, match=r"3\.0\.0"):
        work()
    assert list(make().versions(NAME)) == ["3.0.0", "1.0.0"]


def test_versions_of_other_writers_are_kept(make):
    repository = make()
    with repository.batch():
        stored(repository, version="2.0.0", content=b"two")
        stored(make(), version="3.0.0", content=b"three")
    assert list(make().versions(NAME)) == ["3.0.0", "2.0.0"]


def test_the_same_version_twice_in_a_batch_is_as_without_one(make):
    repository = make()
    with repository.batch():
        first = stored(repository)
        repository.add(first)
        with pytest.raises(AlreadyExistsError):
            repository.add(first.with_resources([]))
        repository.add(first.with_resources([]), replace=True)
    assert make().get(NAME, "1.0.0").component.resources == ()
    assert [entry.get("tag") for entry in read_index(make().store)] == [None, "1.0.0"]


def test_a_batch_in_a_batch_is_a_part_of_it(make):
    repository = make()
    with repository.batch():
        with repository.batch():
            stored(repository)
        assert list(make().versions(NAME)) == []
    assert list(make().versions(NAME)) == ["1.0.0"]


def test_an_empty_batch_makes_nothing(make):
    repository = make()
    with repository.batch():
        pass
    assert not repository.store.path.exists()


def test_parts_of_an_index_are_listed_and_found_in_a_batch(make):
    store = make().store
    with store.batch():
        part = store.push("r", BytesBlob(b'{"schemaVersion":2}'), media.OCI_MANIFEST)
        top = store.push("r", BytesBlob(b'{"manifests":[]}'), media.OCI_INDEX)
        store.tag("r", top, "1.0.0")
        assert store.resolve("r", str(part.digest)) == part
        assert store.resolve("r", str(top.digest)) == top
    assert [(entry["digest"], entry.get("tag")) for entry in read_index(make().store)] == [
        (str(part.digest), None),
        (str(top.digest), "1.0.0"),
    ]


def test_a_store_without_batches_commits_each_version():
    repository = ComponentRepository(MemoryStore())
    with batched(repository):
        stored(repository)
        assert list(ComponentRepository(repository.store).versions(NAME)) == ["1.0.0"]
    with batched(object()):
        pass


def test_a_folder_that_is_reached_through_a_link_is_written(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    repository = ComponentRepository(CTFStore(tmp_path / "link", create=True, lock_timeout=0.1))
    stored(repository)
    assert list(ComponentRepository(CTFStore(tmp_path / "real")).versions(NAME)) == ["1.0.0"]
