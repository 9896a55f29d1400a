"""The repository suite through the plugin manager and the project's CTF plugin as a process."""

from __future__ import annotations

import pytest

from ocm_pkg.model.reference import RepositorySpec
from ocm_pkg.plugin.manager import PluginManager
from tests.fakes.own_plugins import write_own_plugin
from tests.fakes.plugin_process import environment
from tests.suites.repository_suite import RepositorySuite as _Suite


@pytest.fixture(scope="module")
def manager(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plugins")
    write_own_plugin(folder, "ctf")
    with PluginManager([folder], environment=environment(tmp_path_factory.mktemp("t"))) as manager:
        yield manager


class TestRepositoryBehindThePlugin:
    """What of the suite can hold across the contract.

    It has no replacing, and failures cross it as HTTP statuses: only "not found" and "conflict"
    keep their class.
    """

    @pytest.fixture(params=["ctf", "ctf.tgz"])
    def repository(self, manager, tmp_path, request):
        return manager.open(RepositorySpec("ctf", str(tmp_path / request.param)), create=True)

    test_a_component_version_comes_back_with_its_content = (
        _Suite.test_a_component_version_comes_back_with_its_content
    )
    test_sources_have_content_too = _Suite.test_sources_have_content_too
    test_elements_may_share_content = _Suite.test_elements_may_share_content
    test_what_is_not_there_is_not_found = _Suite.test_what_is_not_there_is_not_found
    test_nothing_is_visible_before_it_is_added = _Suite.test_nothing_is_visible_before_it_is_added
    test_versions_are_listed_newest_first = _Suite.test_versions_are_listed_newest_first
    test_adding_the_same_again_changes_nothing = _Suite.test_adding_the_same_again_changes_nothing
