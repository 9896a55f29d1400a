from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import pytest

from ocm_pkg.contract.capabilities import (
    MAX_SIZE,
    Capabilities,
    Capability,
    Kind,
    KindSupport,
    TypeSupport,
)
from ocm_pkg.errors import PluginProtocolError

VECTORS = Path(__file__).parents[2] / "vectors" / "plugin-contract"
ACCEPTANCE = json.loads((VECTORS / "capabilities-acceptance.json").read_text())["cases"]
ADR = json.loads((VECTORS / "adr-0001-examples.json").read_text())

# Where the answer deliberately differs from the reference, and why.
DIFFERENT = {
    "empty object": "neither key is there: the program is not a plugin (contract, section 8)",
    "unknown capability type": "only the unknown capability is ignored, and reported",
    "unknown beside known": "only the unknown capability is ignored, and reported",
    "capability type with version": "an unknown capability: ignored, and reported",
}


def parse(value):
    return Capabilities.parse(json.dumps(value).encode())


def one_type(**entry):
    entry = {"type": "ProbeInput/v1", **entry}
    return {"capabilities": [{"type": "inputRepository", "supportedInputTypes": [entry]}]}


@pytest.mark.parametrize("case", ACCEPTANCE, ids=lambda case: case["case"])
def test_answers_are_accepted_as_by_the_reference_or_better(case):
    accepted = case["accepted"] != (case["case"] in DIFFERENT)
    data = case["stdout"].encode()
    if not accepted:
        with pytest.raises(PluginProtocolError):
            Capabilities.parse(data)
        return
    found = Capabilities.parse(data)
    if case["accepted"]:
        assert len(found.kinds) == len(case["registered"])
        assert not found.unknown
    else:
        assert found.unknown in (("futureThing",), ("inputRepository/v1",))


@pytest.mark.parametrize("case", ADR["capabilities"], ids=lambda case: case["case"])
def test_the_answers_of_the_design_document_are_read(case):
    found = parse(case["stdout_json"])
    expected = case.get("same_as", case["stdout_json"]["type"])
    assert {name: [str(one) for one in able] for name, able in found.types.items()} == expected
    assert not found.unknown


def test_what_is_written_is_read_back():
    capabilities = Capabilities(
        types={"oci": (Capability.READ_RESOURCE_REPOSITORY,), "x/v1": ()},
        kinds=(
            KindSupport(
                Kind.COMPONENT_VERSION_REPOSITORY,
                (TypeSupport("oci/v1", ("oci",), {"type": "object"}), TypeSupport("x/v1")),
            ),
            KindSupport(
                Kind.CREDENTIAL_REPOSITORY,
                (TypeSupport("Identity/v1"),),
                (TypeSupport("Vault/v1", (), {}),),
                (TypeSupport("Token/v1", ("Token",)),),
            ),
        ),
        config_types=("custom.config/v1",),
    )
    assert parse(capabilities.to_json()) == capabilities
    first = capabilities.to_json()["capabilities"][0]["supportedRepositorySpecTypes"][1]
    assert first == {"type": "x/v1", "aliases": None, "jsonSchema": None}


def test_both_keys_are_always_written_and_empty_lists_left_out():
    kind = KindSupport(Kind.CREDENTIAL_REPOSITORY, ())
    assert Capabilities({}, (kind,)).to_json() == {
        "type": {},
        "capabilities": [
            {
                "type": "credentialRepository",
                "supportedConsumerIdentityTypes": [],
                "supportedCredentialRepositorySpecTypes": [],
            }
        ],
    }


def test_unknown_names_of_the_adr_are_ignored_and_reported():
    found = parse({"type": {"oci": ["flyRepository", "readResourceRepository"], "x": None}})
    assert found.types == {"oci": (Capability.READ_RESOURCE_REPOSITORY,), "x": ()}
    assert found.unknown == ("flyRepository",)
    assert found.contracts == ("adr",)


def test_a_schema_is_read_from_base64_json():
    def schema(text):
        found = parse(one_type(jsonSchema=b64encode(text).decode()))
        return found.kinds[0].types[0].schema

    assert schema(b'{"type":"object"}') == {"type": "object"}
    assert schema(b"true") == {}
    assert schema(b"false") == {"not": {}}
    assert parse(one_type(jsonSchema="")).kinds[0].types[0].schema is None
    assert parse(one_type(jsonSchema="e3\n0=\r\n")).kinds[0].types[0].schema == {}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "not a JSON object"),
        ({"type": []}, "type is not an object"),
        ({"type": {"oci": "read"}}, "type.oci is not an array"),
        ({"type": {"oci": [1]}}, "type.oci is not an array of texts"),
        ({"type": {"../oci": []}}, "no type name"),
        ({"type": {"oci": []}, "Type": {}}, "'type' and 'Type'"),
        ({"capabilities": {}}, "capabilities is not an array"),
        ({"capabilities": [None]}, r"capabilities\[0\] is not an object"),
        ({"capabilities": [{}]}, r"capabilities\[0\].type is not a text"),
        ({"capabilities": [], "supportedConfigTypes": ["a b"]}, "'a b' is no type name"),
        (one_type(type="a/b/c"), "no type name"),
        (one_type(type="a/v1beta1/"), "no type name"),
        (one_type(type="a" * 200), "no type name"),
        (one_type(type=1), "type is not a text"),
        (one_type(aliases=["ProbeInput", 1]), "not an array of texts"),
        (one_type(jsonSchema="e30"), "not base64"),
        (one_type(jsonSchema="W10="), "not a JSON schema"),
        (one_type(jsonSchema="e3t9"), "not one JSON value"),
        (one_type(jsonSchema={}), "not a JSON schema in base64"),
        ({"capabilities": [{"type": "inputRepository", "supportedInputTypes": [1]}]}, "not an obj"),
        (
            {
                "capabilities": [
                    {
                        "type": "inputRepository",
                        "supportedInputTypes": [{"type": "A/v1", "aliases": ["A"]}, {"type": "A"}],
                    }
                ]
            },
            "type A twice",
        ),
    ],
)
def test_an_answer_that_breaks_the_contract_is_refused(value, reason):
    with pytest.raises(PluginProtocolError, match=reason):
        parse(value)


@pytest.mark.parametrize(
    "data",
    [
        b'{"type":{},"type":{}}',
        b'{"type":' + b"[" * 100000,
        b'{"type":{}}' + b" " * MAX_SIZE,
        b'log line\n{"type":{}}',
        b'{"type":{}}\nlog line',
        b"\x7fELF",
        b"",
    ],
    ids=["duplicate", "deep", "large", "before", "after", "binary", "nothing"],
)
def test_D17_a_capability_document_that_is_not_one_json_object_is_refused(data):
    with pytest.raises(PluginProtocolError) as caught:
        Capabilities.parse(data)
    assert caught.value.code == "E703"
    assert len(caught.value.message) < 300


def test_D17_positive_twin_white_space_around_is_accepted():
    assert Capabilities.parse(b'\n {"type":{}}\r\n').contracts == ("adr",)


@pytest.mark.parametrize("capability", Capability)
def test_each_name_is_read_as_value_and_as_the_constant_of_the_document(capability):
    constant = capability[0].upper() + capability[1:]
    for name in (capability, constant, f"{capability}Capability", f"{constant}Capability"):
        assert Capability.read(name) is capability


def test_generic_has_no_kind_and_the_others_have():
    assert [one for one in Capability if one.kind is None] == [Capability.GENERIC]


READ = Capability.READ_COMPONENT_VERSION_REPOSITORY
WRITE = Capability.WRITE_COMPONENT_VERSION_REPOSITORY
BOTH = Capability.READ_WRITE_COMPONENT_VERSION_REPOSITORY
CV = Kind.COMPONENT_VERSION_REPOSITORY
V2 = KindSupport(CV, (TypeSupport("Hello/v1", ("hello",)),))


@pytest.mark.parametrize(
    ("capabilities", "type_name", "allowed"),
    [
        (Capabilities({"oci": (READ,)}), "oci", {READ}),
        (Capabilities({"oci": (READ, WRITE)}), "oci", {READ, WRITE, BOTH}),
        (Capabilities({"oci": (BOTH,)}), "oci", {READ, WRITE, BOTH}),
        (Capabilities({"oci": (READ,)}), "ctf", set()),
        (Capabilities({}, (V2,)), "Hello/v1", {READ, WRITE, BOTH}),
        (Capabilities({}, (V2,)), "hello", {READ, WRITE, BOTH}),
        (Capabilities({"hello": (READ,)}, (V2,)), "Hello/v1", {READ}),
        (Capabilities({"Hello/v1": (READ,)}, (V2,)), "hello", {READ}),
        (Capabilities({"Hello/v1": (Capability.GENERIC,)}, (V2,)), "hello", {READ, WRITE, BOTH}),
        (Capabilities({"oci": (Capability.GENERIC,)}), "oci", {Capability.GENERIC}),
    ],
)
def test_only_what_a_plugin_declares_may_be_asked_of_it(capabilities, type_name, allowed):
    found = {one for one in Capability if capabilities.allows(one, type_name)}
    assert found == allowed


def test_a_kind_is_supported_by_either_contract():
    capabilities = Capabilities({"oci": (READ,)}, (V2,))
    assert capabilities.supports(CV, "oci")
    assert capabilities.supports(CV, "hello")
    assert not capabilities.supports(CV, "other")
    assert not capabilities.supports(Kind.RESOURCE_REPOSITORY, "oci")
    assert capabilities.kind(CV) is V2
    assert capabilities.kind(Kind.SIGNING_HANDLER) is None
