"""The built-in plugins, through the same look-up as all others."""

from __future__ import annotations

import pytest

from ocm_pkg.contract.capabilities import Capability, Kind
from ocm_pkg.errors import ConfigError, PluginNotFoundError, UsageError
from ocm_pkg.model.reference import RepositorySpec
from ocm_pkg.plugin.builtin import CTF_ID, builtin_plugins
from ocm_pkg.plugin.manager import PluginManager


@pytest.fixture
def manager(tmp_path):
    with PluginManager(
        [tmp_path / "none"], builtin=builtin_plugins(tmp_path), environment={}
    ) as manager:
        yield manager


@pytest.mark.parametrize("type_name", ["ctf", "CTF", "CommonTransportFormat/v1"])
def test_a_ctf_is_opened_under_any_spelling(manager, type_name):
    repository = manager.open(RepositorySpec(type_name, "./archive"), create=True)
    assert list(repository.versions("example.com/x")) == []


def test_the_built_in_both_reads_and_writes_and_is_listed(manager):
    for asked in (
        Capability.READ_COMPONENT_VERSION_REPOSITORY,
        Capability.WRITE_COMPONENT_VERSION_REPOSITORY,
        Kind.COMPONENT_VERSION_REPOSITORY,
    ):
        assert manager.get_plugin(asked, "ctf") is builtin_base(manager)
    (listed,) = manager.plugins()
    assert listed.name == CTF_ID
    assert listed.path is None
    assert all(pair.wins for pair in listed.pairs)


def builtin_base(manager: PluginManager) -> object:
    return manager.get_plugin(Capability.READ_COMPONENT_VERSION_REPOSITORY, "CTF")


@pytest.mark.parametrize("create", [False, True])
def test_a_type_that_nobody_serves_is_not_found(manager, create):
    with pytest.raises(PluginNotFoundError, match="for the type Other/v1"):
        manager.open(RepositorySpec("Other/v1", "x"), create=create)


@pytest.mark.parametrize("name", ["nobody", "", "..", "\x1b[31m"])
def test_a_name_that_is_no_plugin_is_not_found(manager, name):
    with pytest.raises(PluginNotFoundError) as caught:
        manager.capabilities(name)
    assert caught.value.message.isprintable()


def test_options_that_are_wrong_are_refused():
    for options in ({"idle_timeout": 0}, {"transport": "smoke"}, {"prefer": "neither"}):
        with pytest.raises(ConfigError):
            PluginManager([], environment={}, **options)


@pytest.mark.parametrize(("method", "path"), [("GET", "x"), ("GET /x", "/x"), ("GET", "/x y")])
def test_a_request_that_is_none_is_refused_before_anything_is_run(manager, method, path):
    with pytest.raises(UsageError, match="cannot be sent"):
        manager.call("nobody", method, path)


def test_closing_twice_is_allowed(manager):
    manager.close()
    manager.close()
