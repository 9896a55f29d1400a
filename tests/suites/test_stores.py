from __future__ import annotations

import pytest

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


class TestRepositoryInMemory(RepositorySuite):
    @pytest.fixture
    def repository(self):
        return ComponentRepository(MemoryStore())


class TestRepositoryInACTF(RepositorySuite):
    @pytest.fixture
    def repository(self, tmp_path):
        return ComponentRepository(CTFStore(tmp_path / "ctf", create=True))
