"""The repository suite through the plugin manager and the project's OCI plugin as a process."""

from __future__ import annotations

from itertools import count

import pytest

from ocm_pkg.model.reference import RepositorySpec
from ocm_pkg.plugin.manager import PluginManager
from tests.fakes.own_plugins import write_own_plugin
from tests.fakes.plugin_process import environment
from tests.fakes.served import served
from tests.suites.repository_suite import RepositorySuite as _Suite


@pytest.fixture(scope="module")
def manager(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plugins")
    write_own_plugin(folder, "oci")
    with PluginManager([folder], environment=environment(tmp_path_factory.mktemp("t"))) as manager:
        yield manager


@pytest.fixture(scope="module")
def address():
    """A function that returns a new place in one registry."""
    numbers = count()
    with served() as registry:
        yield lambda: f"{registry.url}/place-{next(numbers)}"


class TestRegistryBehindThePlugin:
    """What of the suite can hold across the contract; see ``test_ctf_plugin``."""

    @pytest.fixture
    def repository(self, manager, address):
        return manager.open(RepositorySpec("oci", address()), create=True)

    test_a_component_version_comes_back_with_its_content = (
        _Suite.test_a_component_version_comes_back_with_its_content
    )
    test_sources_have_content_too = _Suite.test_sources_have_content_too
    test_elements_may_share_content = _Suite.test_elements_may_share_content
    test_what_is_not_there_is_not_found = _Suite.test_what_is_not_there_is_not_found
    test_nothing_is_visible_before_it_is_added = _Suite.test_nothing_is_visible_before_it_is_added
    test_versions_are_listed_newest_first = _Suite.test_versions_are_listed_newest_first
    test_adding_the_same_again_changes_nothing = _Suite.test_adding_the_same_again_changes_nothing
