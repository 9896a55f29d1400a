from __future__ import annotations

import pytest

from ocm_pkg.errors import AlreadyExistsError
from ocm_pkg.model.descriptor import ComponentDescriptor
from ocm_pkg.services.transfer import transfer
from ocm_pkg.store.archive import ArchiveStore
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.memory import MemoryStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.components import descriptor, stored

PARENT, CHILD = "ocm.test/parent", "ocm.test/child"


def family():
    repository = ComponentRepository(MemoryStore())
    stored(repository, name=CHILD)
    value = descriptor(PARENT).to_json()
    reference = {"name": "child", "componentName": CHILD, "version": "1.0.0"}
    value["component"]["componentReferences"] = [reference]
    repository.add(ComponentDescriptor.from_json(value, name="parent"))
    return repository


@pytest.fixture(params=["ctf", "ctf.tgz"])
def make(tmp_path, request):
    def make(**options):
        kind = CTFStore if request.param == "ctf" else ArchiveStore
        return ComponentRepository(kind(tmp_path / request.param, create=True, **options))

    return make


def copy(destination):
    return transfer(
        PARENT,
        "1.0.0",
        source=family(),
        destination=destination,
        repository="it",
        recursive=True,
    )


def test_a_component_version_and_all_it_refers_to_become_visible_by_one_write(make):
    steps = []
    done = copy(make(fail_point=steps.append))
    assert [one.component for one in done] == [CHILD, PARENT]
    assert steps.count("atomic.create") == 1
    for name in (PARENT, CHILD):
        assert make().get(name, "1.0.0").name == name


def test_a_conflict_keeps_all_of_them_out(make):
    stored(make(), name=PARENT, content=b"other")
    with pytest.raises(AlreadyExistsError):
        copy(make())
    assert list(make().versions(CHILD)) == []
    assert len(make().get(PARENT, "1.0.0").component.resources) == 1
