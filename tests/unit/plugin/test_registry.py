"""Which plugin is taken for a capability and a type."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocm_pkg.contract.capabilities import Capabilities, Capability, Kind
from ocm_pkg.errors import ConfigError, DuplicatePluginError, PluginNotFoundError
from ocm_pkg.plugin.registry import (
    ExternalPlugin,
    ImplementedPlugin,
    Registry,
    declared_types,
    same_type,
)

READ = Capability.READ_COMPONENT_VERSION_REPOSITORY
WRITE = Capability.WRITE_COMPONENT_VERSION_REPOSITORY
BOTH = Capability.READ_WRITE_COMPONENT_VERSION_REPOSITORY


def external(name: str, text: str) -> ExternalPlugin:
    return ExternalPlugin(name, Path("/plugins", name), Capabilities.parse(text.encode()))


def adr(name: str, type_name: str, *able: str) -> ExternalPlugin:
    import json

    return external(name, json.dumps({"type": {type_name: list(able)}}))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("ctf", "CommonTransportFormat/v1", True),
        ("CTF", "ctf", True),
        ("oci", "OCIRepository/v1", True),
        ("Name", "Name/v1", True),
        ("Name/v1", "Name/v1", True),
        ("Name/v1", "Name/v2", False),
        ("Name", "name", False),
        ("ctf", "oci", False),
    ],
)
def test_spellings_of_one_type(one, other, same):
    assert same_type(one, other) is same
    assert same_type(other, one) is same


def test_a_type_is_found_by_its_name_alias_or_well_known_spelling():
    registry = Registry([ImplementedPlugin("id", "ctf", (BOTH,), "base")])
    for name in ("ctf", "CTF", "CommonTransportFormat/v1"):
        found = registry.lookup(READ, name)
        assert found.plugin.id == "id"
        assert found.type == "ctf"


@pytest.mark.parametrize(
    ("able", "asked", "served"),
    [
        ((READ,), READ, True),
        ((READ,), WRITE, False),
        ((READ,), BOTH, False),
        ((READ, WRITE), BOTH, True),
        ((BOTH,), WRITE, True),
        ((READ,), Kind.COMPONENT_VERSION_REPOSITORY, True),
        ((Kind.SIGNING_HANDLER,), Kind.SIGNING_HANDLER, True),
        ((Kind.COMPONENT_VERSION_REPOSITORY,), WRITE, True),
        ((Kind.SIGNING_HANDLER,), READ, False),
    ],
)
def test_a_built_in_serves_what_its_capabilities_come_to(able, asked, served):
    plugin = ImplementedPlugin("id", "x", able, None)
    assert (plugin.serves(asked, "x") == "x") is served


def test_an_external_plugin_is_asked_for_by_the_name_that_it_declared():
    plugin = adr("plug", "oci", "readComponentVersionRepository")
    assert plugin.serves(READ, "OCIRepository/v1") == "oci"
    assert plugin.serves(WRITE, "OCIRepository/v1") is None
    assert plugin.serves(Kind.COMPONENT_VERSION_REPOSITORY, "oci") == "oci"


def test_the_very_name_is_preferred_over_another_version_of_it():
    text = f'{{"type":{{"X":["{READ}"],"X/v1":["{READ}"]}}}}'
    assert external("p", text).serves(READ, "X/v1") == "X/v1"
    assert external("p", text).serves(READ, "X") == "X"


def test_aliases_of_the_v2_contract_count():
    text = (
        '{"capabilities":[{"type":"signingHandler","supportedSigningSpecTypes":'
        '[{"type":"Sign/v1","aliases":["Other/v3"],"jsonSchema":null}]}]}'
    )
    plugin = external("p", text)
    assert plugin.serves(Kind.SIGNING_HANDLER, "Other/v3") == "Other/v3"
    assert list(declared_types(plugin.capabilities)) == ["Sign/v1", "Other/v3"]


def test_M08_built_in_wins_unless_external_is_preferred():
    builtin = ImplementedPlugin("b", "ctf", (READ,), None)
    program = adr("p", "ctf", "readComponentVersionRepository")
    for prefer, expected in (("builtin", builtin), ("external", program)):
        registry = Registry([builtin], prefer=prefer)
        registry.set_external([program])
        assert registry.lookup(READ, "ctf").plugin is expected
        assert registry.needs_external(READ, "ctf") is (prefer == "external")
        assert registry.needs_external(READ, "other")


def test_M08_two_of_the_losing_sort_are_no_error():
    registry = Registry([ImplementedPlugin("b", "ctf", (READ,), None)])
    registry.set_external([adr(name, "ctf", READ) for name in ("one", "two")])
    assert registry.lookup(READ, "ctf").plugin.id == "b"


def test_M08_two_of_the_winning_sort_are_an_error_naming_both_in_one_order():
    plugins = [adr(name, "x", READ) for name in ("two", "one")]
    messages = set()
    for order in (plugins, plugins[::-1]):
        registry = Registry()
        registry.set_external(order)
        with pytest.raises(DuplicatePluginError) as caught:
            registry.lookup(READ, "x")
        messages.add(caught.value.message)
    assert len(messages) == 1
    assert messages.pop().endswith(": /plugins/one, /plugins/two")


def test_nobody_serves_it():
    with pytest.raises(PluginNotFoundError, match="readComponentVersionRepository for the type y"):
        Registry().lookup(READ, "y")


def test_registries_do_not_share_what_is_registered():
    one, other = Registry(), Registry()
    one.register(ImplementedPlugin("b", "x", (READ,), None))
    assert one.lookup(READ, "x")
    with pytest.raises(PluginNotFoundError):
        other.lookup(READ, "x")


def test_an_unknown_preference_is_refused():
    with pytest.raises(ConfigError):
        Registry(prefer="neither")
