"""Component descriptors: what is read, what is refused, what is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocm_pkg.errors import (
    AlreadyExistsError,
    AmbiguousResourceError,
    InvalidDocumentError,
    ResourceNotFoundError,
)
from ocm_pkg.model import yamltext
from ocm_pkg.model.descriptor import (
    JSON_MEDIA_TYPES,
    MEDIA_TYPE_JSON,
    MEDIA_TYPE_YAML,
    YAML_MEDIA_TYPES,
    ComponentDescriptor,
    DigestSpec,
    Encoded,
    Signature,
    SignatureSpec,
)
from tests.fakes.descriptors import (
    HEX,
    component_json,
    descriptor,
    descriptor_json,
    parse,
    resource_json,
)


def refused(value: Any) -> InvalidDocumentError:
    """Return the error for JSON data, after checking that YAML text gives it with a position."""
    with pytest.raises(InvalidDocumentError) as caught:
        parse(value)
    with pytest.raises(InvalidDocumentError) as placed:
        ComponentDescriptor.parse(yamltext.dump(value).encode(), MEDIA_TYPE_YAML, name="cd")
    assert placed.value.message == caught.value.message
    assert placed.value.at is not None
    assert caught.value.message.isprintable()
    return caught.value


def refused_component(**members: Any) -> str:
    return refused(descriptor_json(component_json(**members))).message


def refused_resource(**members: Any) -> str:
    return refused_component(resources=[resource_json(**members)])


def signature(name: str = "default", value: str = "ab") -> Signature:
    return Signature(
        name=name,
        digest=DigestSpec(
            hash_algorithm="SHA-256",
            normalisation_algorithm="jsonNormalisation/v4alpha1",
            value=HEX,
        ),
        signature=SignatureSpec(algorithm="RSASSA-PSS", value=value, media_type="x/y"),
    )


def test_a_descriptor_is_read() -> None:
    built = parse(descriptor_json(component_json(resources=[resource_json()])))
    [resource] = built.component.resources
    assert (built.name, built.version) == ("example.com/hello", "1.0.0")
    assert (resource.name, resource.relation) == ("hello", "local")
    assert resource.access.is_local_blob
    assert resource.digest is not None
    assert resource.digest.value == HEX
    assert built.api_version is None


@pytest.mark.parametrize("media_type", sorted(JSON_MEDIA_TYPES | YAML_MEDIA_TYPES))
def test_every_media_type_of_a_descriptor_is_read(media_type: str) -> None:
    data = json.dumps(descriptor_json()).encode()
    built = ComponentDescriptor.parse(data, media_type, name="cd")
    assert built.encoded == Encoded(data, media_type)


@pytest.mark.parametrize("media_type", ["", "application/json", f"{MEDIA_TYPE_YAML}+tar"])
def test_other_media_types_are_refused(media_type: str) -> None:
    with pytest.raises(InvalidDocumentError, match="media type"):
        ComponentDescriptor.parse(b"{}", media_type, name="cd")


def test_what_was_read_is_written_member_for_member() -> None:
    value = descriptor_json(
        component_json(
            labels=[
                {"name": "x", "value": [1, None, 2.5], "version": "v1", "merge": {"algorithm": "a"}}
            ],
            creationTime="2026-01-01T00:00:00Z",
            unknown={"deep": [{"a": None}]},
            repositoryContexts=[{"type": "x", "more": 1}],
            resources=[resource_json(extraIdentity={"os": "linux"}, srcRefs=[], unknown=5)],
            sources=[
                {"name": "src", "version": "1", "type": "git", "access": {"type": "odd", "a": {}}}
            ],
            componentReferences=[{"name": "ref", "version": "1", "componentName": "a.bc/d"}],
        ),
        signatures=[signature().to_json()],
        nestedDigests=[{"name": "example.com/n", "version": "1.0.0", "more": 1}],
        extra="kept",
    )
    built = parse(value)
    assert built.to_json() == value
    assert json.loads(built.encode()) == value
    assert parse(value) == ComponentDescriptor.from_json(value, name="other")


def test_the_encoding_is_compact_and_sorted() -> None:
    text = descriptor(provider="é").encode().decode()
    assert text.startswith('{"component":{"componentReferences":[],"name":"example.com/hello"')
    assert '"provider":"é"' in text


def test_lists_that_are_null_are_read_as_empty_and_written() -> None:
    lists = ("resources", "sources", "componentReferences", "repositoryContexts")
    built = parse(descriptor_json(component_json(**dict.fromkeys(lists)), signatures=None))
    written = built.to_json()["component"]
    assert [written[name] for name in lists] == [[], [], [], []]
    assert built.signatures == ()


def test_an_identity_that_is_null_is_empty() -> None:
    [resource] = descriptor(
        resources=[resource_json(extraIdentity=None, labels=None)]
    ).component.resources
    assert resource.identity == {"name": "hello"}
    assert resource.labels == ()


def test_a_label_is_found_by_its_name() -> None:
    label = {"name": "x", "value": {"a": 1}, "signing": True}
    [resource] = descriptor(resources=[resource_json(labels=[label])]).component.resources
    found = resource.label("x")
    assert found is not None
    assert (found.signing, found.value) == (True, {"a": 1})
    assert resource.label("y") is None


@pytest.mark.parametrize(
    "value", [[], "x", None, 5, {}, {"meta": 5}, {"meta": {}}, {"meta": {"schemaVersion": 2}}]
)
def test_what_is_no_descriptor_is_refused(value: Any) -> None:
    refused(value)


@pytest.mark.parametrize("version", ["v9", "v2-beta", "", "v1", "V2"])
def test_D14_an_unknown_schema_version_is_refused(version: str) -> None:
    error = refused(descriptor_json(meta={"schemaVersion": version}))
    assert "meta.schemaVersion" in error.message
    assert error.hint is not None


@pytest.mark.parametrize("api_version", ["ocm.software/v3alpha2", "v1", None, 5, {}])
def test_D14_an_unknown_api_version_is_refused(api_version: Any) -> None:
    with pytest.raises(InvalidDocumentError, match="apiVersion"):
        parse({"apiVersion": api_version, "kind": "ComponentVersion"})


@pytest.mark.parametrize("member", ["name", "version", "provider"])
def test_required_members_of_the_component(member: str) -> None:
    assert refused_component(**{member: ...}).endswith(f"component.{member} is missing")
    refused_component(**{member: None})
    refused_component(**{member: ""})
    refused_component(**{member: 1.10})


def test_D06_a_version_that_is_a_number_is_to_be_quoted() -> None:
    error = refused(descriptor_json(component_json(resources=[resource_json(version=1.10)])))
    assert error.hint is not None
    assert "quotes" in error.hint


def test_a_provider_object_is_refused() -> None:
    assert "provider must be text" in refused_component(provider={"name": "p"})


@pytest.mark.parametrize(
    "name",
    [
        "nodomain",
        "nodomain/x",
        ".",
        "..",
        "../x",
        "a/../../b",
        "UPPER.test/x",
        "ocm.test",
        "ocm.test/x/",
        "ocm.test//x",
        "/ocm.test/x",
        "ocm.test/x y",
        "ocm.test/\x1b[31m",
        "ocm.test/\u202ex",
        "\u043ecm.test/x",
        "-ocm.test/x",
        "ocm.test/-x",
        "ocm.test/" + "x" * 5000,
        "ocm.test/x\n",
    ],
)
def test_D07_a_name_that_is_no_component_name_is_refused_and_shown_escaped(name: str) -> None:
    message = refused_component(name=name)
    assert "component name" in message
    assert len(message) < 400
    refused_component(componentReferences=[{"name": "ref", "version": "1", "componentName": name}])


@pytest.mark.parametrize("name", ["ocm.test/x_y/z.w", "a-b.c.de/f/g", "ocm.test/" + "x" * 246])
def test_good_component_names_are_read(name: str) -> None:
    assert descriptor(name=name).name == name


@pytest.mark.parametrize(
    "name",
    ["", "a", "A", "a.b", "../Bad Name", "-ab", "ab-", "a/b", "..", "ab\n", "é" * 3, "x" * 256],
)
def test_D07_a_name_that_is_no_element_name_is_refused(name: str) -> None:
    assert "name" in refused_resource(name=name)
    refused_component(sources=[{**resource_json(name=name), "relation": ...} | {"relation": "x"}])


@pytest.mark.parametrize(
    "version", ["not a version", "../../x", "1.0.0/../../x", "1.0.0\0", "01.0", ""]
)
def test_D08_a_version_that_is_none_is_refused(version: str) -> None:
    value = descriptor_json(component_json(version=version))
    with pytest.raises(InvalidDocumentError, match="version"):
        parse(value)
    with pytest.raises(InvalidDocumentError, match="version"):
        parse(descriptor_json(component_json(resources=[resource_json(version=version)])))


@pytest.mark.parametrize(
    ("identity", "problem"),
    [
        ({"name": "x"}, "own"),
        ({"os": 5}, "must be text"),
        ({"a": "x"}, "'a'"),
        ({"os.version": "x"}, "'os.version'"),
        ({"OS": "x"}, "'OS'"),
        (["os"], "must be a mapping"),
        ("os", "must be a mapping"),
        ({"os": None}, "must be text"),
    ],
)
def test_D09_an_identity_that_breaks_the_rules_is_refused(identity: Any, problem: str) -> None:
    assert problem in refused_resource(extraIdentity=identity)


@pytest.mark.parametrize(
    "members",
    [
        {"type": ""},
        {"type": ...},
        {"relation": ...},
        {"relation": "locaL"},
        {"access": ...},
        {"access": None},
        {"access": {}},
        {"access": "x"},
        {"digest": {}},
        {"digest": "x"},
        {"labels": {}},
        {"labels": ["x"]},
        {"labels": [{"name": "x"}]},
        {"labels": [{"value": 1}]},
        {"labels": [{"name": "", "value": 1}]},
        {"labels": [{"name": "x", "value": 1, "signing": "true"}]},
        {"labels": [{"name": "x", "value": 1, "version": "1"}]},
        {"srcRefs": [5]},
    ],
)
def test_a_resource_that_breaks_the_schema_is_refused_by_its_path(members: dict[str, Any]) -> None:
    assert "component.resources[0]" in refused_resource(**members)


@pytest.mark.parametrize("time", ["yesterday", "2026-01-01", "2026-01-01T00:00:00"])
def test_a_creation_time_that_is_none_is_refused(time: str) -> None:
    assert "creationTime" in refused_component(creationTime=time)


@pytest.mark.parametrize("member", ["resources", "sources", "componentReferences"])
def test_lists_of_another_kind_are_refused(member: str) -> None:
    assert f"component.{member} must be a list" in refused_component(**{member: {}})
    assert f"component.{member}[0] must be a mapping" in refused_component(**{member: [1]})


@pytest.mark.parametrize("member", ["resources", "sources", "componentReferences"])
def test_D10_two_elements_with_one_identity_are_refused(member: str) -> None:
    element = resource_json(componentName="a.bc/d", extraIdentity={"os": "linux", "arch": "x"})
    again = {**element, "extraIdentity": {"arch": "x", "os": "linux"}}
    message = refused_component(**{member: [element, {**element, "name": "other"}, again]})
    assert f"component.{member}[2] has the same name, version and extraIdentity" in message
    assert f"component.{member}[0]" in message
    several = [element, {**element, "version": "2"}, {**element, "extraIdentity": {}}]
    assert descriptor(**{member: several})


def test_two_signatures_of_one_name_are_refused() -> None:
    value = descriptor_json(signatures=[signature().to_json(), signature().to_json()])
    assert "signatures[1] has the same name as signatures[0]" in refused(value).message


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 20000, b'{"a":1,"a":2}', b"{}{}"])
def test_bytes_that_are_no_json_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidDocumentError):
        ComponentDescriptor.parse(data, MEDIA_TYPE_JSON, name="cd")


def platform_resources() -> list[dict[str, Any]]:
    return [
        resource_json(extraIdentity={"os": system, "architecture": "amd64"})
        for system in ("linux", "darwin")
    ]


def test_a_resource_is_selected_by_some_of_its_attributes() -> None:
    built = descriptor(resources=platform_resources())
    assert built.select({"os": "linux"}).extra_identity["os"] == "linux"
    selected = built.select({"name": "hello", "os": "darwin", "version": "1.0.0"})
    assert selected.extra_identity["os"] == "darwin"


def test_a_selection_that_fits_several_or_none_lists_the_candidates() -> None:
    built = descriptor(resources=platform_resources())
    with pytest.raises(AmbiguousResourceError) as several:
        built.select({"name": "hello"})
    assert several.value.detail == (
        "name=hello,architecture=amd64,os=linux,version=1.0.0",
        "name=hello,architecture=amd64,os=darwin,version=1.0.0",
    )
    with pytest.raises(AmbiguousResourceError, match="no identity"):
        built.select({})
    with pytest.raises(ResourceNotFoundError) as none:
        built.select({"os": "plan9"})
    assert len(none.value.detail) == 2
    with pytest.raises(ResourceNotFoundError) as empty:
        descriptor().select({"os": "plan9"})
    assert empty.value.hint == "it has no resources"


def test_the_exact_bytes_are_kept_until_something_changes() -> None:
    data = json.dumps(
        descriptor_json(component_json(resources=[resource_json()])), indent=3
    ).encode()
    built = ComponentDescriptor.parse(data, MEDIA_TYPE_JSON, name="cd")
    assert built.encoded == Encoded(data, MEDIA_TYPE_JSON)
    assert built.model_copy().encoded == built.encoded
    changed = built.with_resources([])
    assert changed.encoded is None
    assert changed.component.resources == ()
    assert built.encoded is not None
    assert built.with_signature(signature()).encoded is None
    assert ComponentDescriptor.from_json(built.to_json(), name="cd").encoded is None


def test_equality_is_that_of_the_json() -> None:
    one, other = parse(descriptor_json()), descriptor()
    assert one == other
    assert hash(one) == hash(other)
    assert one != descriptor(version="2.0.0")
    assert one != "a descriptor"


def test_signatures_are_added_and_replaced_by_name() -> None:
    built = descriptor().with_signature(signature("one")).with_signature(signature("two"))
    assert [found.name for found in built.signatures] == ["one", "two"]
    assert built.signature("three") is None
    with pytest.raises(AlreadyExistsError, match="'one'"):
        built.with_signature(signature("one"))
    replaced = built.with_signature(signature("one", "cd"), replace=True)
    assert [found.signature.value for found in replaced.signatures] == ["cd", "ab"]
    found = replaced.signature("one")
    assert found is not None
    assert found.to_json()["signature"] == {
        "algorithm": "RSASSA-PSS",
        "value": "cd",
        "mediaType": "x/y",
    }
    assert parse(replaced.to_json()) == replaced
