from __future__ import annotations

import textwrap

import pytest

from ocm_pkg import sdk
from ocm_pkg.contract.capabilities import Capabilities, Capability, Kind
from ocm_pkg.contract.jsontext import write_json
from ocm_pkg.errors import DuplicatePluginError
from ocm_pkg.sdk import Plugin

READ = Capability.READ_COMPONENT_VERSION_REPOSITORY
WRITE = Capability.WRITE_COMPONENT_VERSION_REPOSITORY


class Reader:
    def __init__(self, spec, credentials):
        self.given = (spec, credentials)


class Writer(Reader):
    def add(self, descriptor):
        pass


def test_a_class_that_cannot_add_declares_reading_only():
    plugin = Plugin("p")
    assert plugin.component_version_repository("R/v1", aliases=["R"])(Reader) is Reader
    assert plugin.capabilities().types == {"R/v1": (READ,)}


def test_a_class_with_add_and_a_function_declare_writing_too():
    plugin = Plugin("p")
    plugin.component_version_repository("W/v1", adr_type="w")(Writer)
    plugin.component_version_repository("F/v1", adr_type="w")(Writer)
    plugin.component_version_repository("X/v1", writable=False)(Writer)
    assert plugin.capabilities().types == {"w": (READ, WRITE), "X/v1": (READ,)}


def test_both_contracts_are_answered_with_a_schema_for_every_type():
    plugin = Plugin("p")
    plugin.component_version_repository("R/v1", schema={"type": "object"})(Reader)
    plugin.component_version_repository("S/v1")(Reader)
    found = Capabilities.parse(write_json(plugin.capabilities().to_json()).encode())
    assert found == plugin.capabilities()
    assert [entry.schema for entry in found.kinds[0].types] == [{"type": "object"}, {}]


def test_a_plugin_without_types_is_a_plugin_that_can_do_nothing():
    assert Plugin("p").capabilities().to_json() == {"type": {}, "capabilities": []}


def test_a_name_is_registered_once():
    plugin = Plugin("p")
    plugin.component_version_repository("R/v1", aliases=["R"])(Reader)
    with pytest.raises(DuplicatePluginError, match="type R already"):
        plugin.component_version_repository("R")(Reader)


def test_a_type_is_found_by_all_its_names():
    plugin = Plugin("p")
    plugin.component_version_repository("R/v1", aliases=["R"], adr_type="r")(Reader)
    for name in ("R/v1", "R", "r"):
        assert plugin.named(name) == plugin.of_kind(Kind.COMPONENT_VERSION_REPOSITORY)
        assert plugin.named(name, Kind.COMPONENT_LISTER) == ()
    assert plugin.named("other") == ()


def test_configuration_reaches_the_function_for_its_type():
    plugin = Plugin("p")
    given = []
    plugin.configuration("custom.config/v1")(given.append)
    plugin.configure([{"type": "custom.config/v1", "n": 1}, {"type": "other"}, {}])
    assert given == [{"type": "custom.config/v1", "n": 1}]
    assert plugin.capabilities().config_types == ("custom.config/v1",)


def test_the_example_of_the_documentation_works():
    example = sdk.__doc__.partition("\n\n")[2].partition("The program answers")[0]
    names = {"__name__": "example"}
    exec(textwrap.dedent(example), names)  # noqa: S102 - our own documentation
    made = names["Hello"]({"file": "/a"}, None)
    assert made.get("example.com/a/b", "1.0.0")["component"]["version"] == "1.0.0"
    assert made.local_resource("n", "1.0.0", {"name": "a"}).path == "/a"
    with pytest.raises(sdk.NotFound):
        made.get("example.com/a/b", "2.0.0")
    assert names["plugin"].capabilities().types == {"HelloRepository/v1": (READ,)}
