from __future__ import annotations

import pytest

from ocm_pkg.store.archive import ArchiveStore
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.memory import MemoryStore
from ocm_pkg.store.repository import ComponentRepository
from tests.suites.ocistore_suite import OCIStoreSuite
from tests.suites.repository_suite import RepositorySuite


class TestMemoryStore(OCIStoreSuite):
    @pytest.fixture
    def store(self):
        return MemoryStore()


class TestCTFStore(OCIStoreSuite):
    @pytest.fixture
    def store(self, tmp_path):
        return CTFStore(tmp_path / "ctf", create=True)


class TestArchiveStore(OCIStoreSuite):
    @pytest.fixture(params=["ctf.tar", "ctf.tgz"])
    def store(self, tmp_path, request):
        return ArchiveStore(tmp_path / request.param, create=True)


class TestCTFStoreInABatch(OCIStoreSuite):
    @pytest.fixture(params=["ctf", "ctf.tgz"])
    def store(self, tmp_path, request):
        kind = ArchiveStore if request.param.endswith("tgz") else CTFStore
        store = kind(tmp_path / request.param, create=True)
        with store.batch():
            yield store


class TestRepositoryInMemory(RepositorySuite):
    @pytest.fixture
    def repository(self):
        return ComponentRepository(MemoryStore())


class TestRepositoryInACTF(RepositorySuite):
    @pytest.fixture
    def repository(self, tmp_path):
        return ComponentRepository(CTFStore(tmp_path / "ctf", create=True))


class TestRepositoryInAnArchive(RepositorySuite):
    @pytest.fixture(params=["ctf.tar", "ctf.tgz"])
    def repository(self, tmp_path, request):
        return ComponentRepository(ArchiveStore(tmp_path / request.param, create=True))


class TestRepositoryInABatch(RepositorySuite):
    @pytest.fixture(params=["ctf", "ctf.tgz"])
    def repository(self, tmp_path, request):
        kind = ArchiveStore if request.param.endswith("tgz") else CTFStore
        repository = ComponentRepository(kind(tmp_path / request.param, create=True))
        with repository.batch():
            yield repository
