"""The behaviour suites for a registry on loopback, which serves a store of this process."""

from __future__ import annotations

import pytest

from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.repository import ComponentRepository
from tests.fakes.registrystore import connected
from tests.fakes.served import served
from tests.suites.ocistore_suite import OCIStoreSuite
from tests.suites.repository_suite import RepositorySuite


@pytest.fixture(params=["memory", "ctf"])
def registry_store(request, tmp_path):
    behind = CTFStore(tmp_path / "ctf", create=True) if request.param == "ctf" else None
    with served(behind) as registry, connected(registry.url, path="some/base") as store:
        yield store


class TestRegistryStore(OCIStoreSuite):
    @pytest.fixture
    def store(self, registry_store):
        return registry_store


class TestRepositoryInARegistry(RepositorySuite):
    @pytest.fixture
    def repository(self, registry_store):
        return ComponentRepository(registry_store)
