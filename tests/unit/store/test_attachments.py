"""Files beside a component version, in each store that can tell what refers to what."""

from __future__ import annotations

import pytest

from ocm_pkg.errors import ComponentVersionNotFoundError, UsageError
from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.store.attachments import attach, attachments
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.memory import MemoryStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.components import NAME, stored
from tests.fakes.repository import FakeRepository

VERSION = "1.0.0"
BOM = "application/vnd.cyclonedx+json"


@pytest.fixture(params=["memory", "ctf"])
def repository(request, tmp_path):
    store = MemoryStore() if request.param == "memory" else CTFStore(tmp_path / "ctf", create=True)
    made = ComponentRepository(store)
    stored(made)
    return made


def attached(repository, content=b"{}", artifact_type=BOM):
    blob = BytesBlob(content)
    return attach(repository, NAME, VERSION, blob, artifact_type=artifact_type, title="bom.json")


def test_what_is_attached_is_found_and_changes_no_version(repository):
    before = repository.get(NAME, VERSION)
    stored = attached(repository)
    (found,) = attachments(repository, NAME, VERSION)
    assert (found.digest, found.artifact_type) == (stored.digest, BOM)
    assert found.annotations["org.opencontainers.image.title"] == "bom.json"
    assert repository.get(NAME, VERSION) == before
    assert list(repository.versions(NAME)) == [VERSION]


def test_the_same_again_changes_nothing_and_another_is_added(repository):
    assert attached(repository).digest == attached(repository).digest
    assert len(attachments(repository, NAME, VERSION)) == 1
    attached(repository, b"[]", "text/plain")
    assert {one.artifact_type for one in attachments(repository, NAME, VERSION)} == {
        BOM,
        "text/plain",
    }


def test_nothing_is_attached_to_what_is_not_there(repository):
    with pytest.raises(ComponentVersionNotFoundError):
        attach(repository, NAME, "9.9.9", BytesBlob(b""), artifact_type=BOM, title="x")
    assert attachments(repository, NAME, "9.9.9") == ()


def test_a_repository_that_can_not_tell_has_none_and_takes_none():
    plugin = FakeRepository()
    assert attachments(plugin, NAME, VERSION) == ()
    with pytest.raises(UsageError, match="nothing can be attached"):
        attach(plugin, NAME, VERSION, BytesBlob(b""), artifact_type=BOM, title="x")
