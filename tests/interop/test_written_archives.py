"""Archives of the reference tools, with a component version added by this project."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

import pytest

from ocm_pkg.fs.blob import verify
from ocm_pkg.store.archive import ArchiveStore
from ocm_pkg.store.repository import ComponentRepository, StoredComponents
from tests.fakes.components import NAME, stored

FOLDER = Path(__file__).parents[2].parent / "shared" / "vectors" / "archives"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs ../shared/vectors")


def content(path):
    """Return the bytes of every file by its name, and the index as it is parsed."""
    with tarfile.open(path) as tar:
        files = {
            each.name.removeprefix("./"): tar.extractfile(each).read()
            for each in tar
            if each.isfile()
        }
    return json.loads(files.pop("artifact-index.json")), files


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*")), ids=lambda path: path.name)
def test_everything_that_was_there_stays_when_something_is_added(tmp_path, path):
    copy = tmp_path / path.name
    shutil.copy(path, copy)
    old_index, old_files = content(path)
    stored(ComponentRepository(ArchiveStore(copy)), version="99.0.0")
    index, files = content(copy)
    assert index["artifacts"][: len(old_index["artifacts"])] == old_index["artifacts"]
    assert len(index["artifacts"]) == len(old_index["artifacts"]) + 1
    assert {name: files[name] for name in old_files} == old_files
    assert len(files) == len(old_files) + 4
    with tarfile.open(copy) as tar:
        assert tar.getnames() == ["artifact-index.json", "blobs", *sorted(files)]
    assert copy.read_bytes()[:2] == path.read_bytes()[:2] or not path.name.endswith("gz")
    store = ArchiveStore(copy)
    repository = ComponentRepository(store)
    for component in StoredComponents(store).components():
        for version in repository.versions(component):
            got = repository.get(component, version)
            for resource in got.component.resources:
                if resource.access.is_local_blob:
                    verify(repository.blob(got, resource))
    assert "99.0.0" in repository.versions(NAME)
