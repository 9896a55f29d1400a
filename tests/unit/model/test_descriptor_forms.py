"""Component descriptors: what is read, what is refused, what is kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.errors import (
    InvalidDocumentError,
)
from ocm_pkg.model import yamltext
from ocm_pkg.model.descriptor import (
    MEDIA_TYPE_JSON,
    MEDIA_TYPE_YAML,
    ComponentDescriptor,
    Encoded,
)
from ocm_pkg.model.normalise import V1, V2, V3, V4ALPHA1, normalise
from tests.fakes.descriptors import (
    ALL_VECTORS,
    OWN_VECTORS,
    normal_forms,
    parse,
    resource_json,
    stored_descriptor,
)

if TYPE_CHECKING:
    from pathlib import Path


V3ALPHA1 = {
    "apiVersion": "ocm.software/v3alpha1",
    "kind": "ComponentVersion",
    "metadata": {
        "name": "example.com/a",
        "version": "1.0.0",
        "provider": {"name": "p", "labels": [{"name": "x", "value": 1}]},
    },
    "repositoryContexts": [{"type": "x"}],
    "spec": {
        "resources": [
            resource_json(version=...),
            resource_json(name="far", relation="external", version="2.0.0"),
            resource_json(name="kept", version="3.0.0"),
        ],
        "references": [{"name": "ref", "version": "1", "componentName": "a.bc/d"}],
    },
    "signatures": [],
}


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


def test_a_v3alpha1_descriptor_is_read_in_the_form_of_v2() -> None:
    data = yamltext.dump(V3ALPHA1).encode()
    built = ComponentDescriptor.parse(data, MEDIA_TYPE_YAML, name="cd")
    assert built.api_version == "ocm.software/v3alpha1"
    assert built.encoded == Encoded(data, MEDIA_TYPE_YAML)
    assert json.loads(built.component.provider) == V3ALPHA1["metadata"]["provider"]  # type: ignore[index]
    versions = [(resource.name, resource.version) for resource in built.component.resources]
    assert versions == [("hello", "1.0.0"), ("far", "2.0.0"), ("kept", "3.0.0")]
    assert built.component.component_references[0].component_name == "a.bc/d"
    assert built.to_json()["component"]["repositoryContexts"] == [{"type": "x"}]
    plain = {**V3ALPHA1, "metadata": {**V3ALPHA1["metadata"], "provider": {"name": "p"}}}  # type: ignore[dict-item]
    assert parse(plain).component.provider == "p"
    assert parse(plain).with_resources([]).api_version == "ocm.software/v3alpha1"


@pytest.mark.parametrize(
    "members",
    [
        {"kind": "Component"},
        {"kind": ...},
        {"metadata": ...},
        {"metadata": []},
        {"spec": None},
        {"metadata": {"name": "example.com/a", "version": "1", "provider": "p"}},
        {"spec": {"resources": {}}},
        {"spec": {"resources": ["x"]}},
        {"spec": {"sources": 5}},
        {"spec": {"resources": [resource_json(version=..., relation="external")]}},
        {"meta": {"schemaVersion": "v2"}},
        {"component": {}},
    ],
)
def test_D14_a_v3alpha1_descriptor_that_breaks_its_form_is_refused(members: dict[str, Any]) -> None:
    value = {key: member for key, member in {**V3ALPHA1, **members}.items() if member is not ...}
    with pytest.raises(InvalidDocumentError):
        parse(value)


def test_every_stored_vector_is_read_and_survives_a_round_trip() -> None:
    for stored, _, _ in normal_forms(OWN_VECTORS):
        built = stored_descriptor(stored)
        assert ComponentDescriptor.from_json(json.loads(built.encode()), name="again") == built


REFUSED = {
    "access-missing",
    "bad-component-name-in-descriptor",
    "bad-resource-name",
    "bad-version-in-descriptor",
    "deep-nesting",
    "descriptor-duplicate-key",
    "descriptor-not-json",
    "descriptor-trailing-data",
    "descriptor-truncated-json",
    "descriptor-unknown-mediatype",
    "duplicate-identity",
    "extra-identity-name",
    "extra-identity-nonstring",
    "huge-ints",
    "invalid-utf8",
    "provider-object",
    "schema-version-missing",
    "schema-version-v9",
    "wrong-types",
    "yaml-alias-bomb",
}
READ = {
    "descriptor-yaml",
    "name-mismatch",
    "resource-blob-missing",
    "resources-null",
    "unknown-access-type",
    "unknown-field",
    "version-mismatch",
    *(f"local-reference-{number}" for number in range(7)),
}


def malformed_descriptor(folder: Path) -> tuple[bytes, str]:
    def blob(digest: str) -> bytes:
        return (folder / "ctf" / "blobs" / digest.replace(":", ".")).read_bytes()

    index = json.loads((folder / "ctf" / "artifact-index.json").read_bytes())
    layer = json.loads(blob(index["artifacts"][0]["digest"]))["layers"][0]
    return blob(layer["digest"]), layer["mediaType"]


@pytest.mark.skipif(not ALL_VECTORS.is_dir(), reason="needs ../shared/vectors")
@pytest.mark.parametrize("name", sorted(REFUSED | READ))
def test_malformed_descriptors_are_refused_and_odd_ones_read(name: str) -> None:
    data, media_type = malformed_descriptor(ALL_VECTORS / "malformed" / name)
    if name in READ:
        built = ComponentDescriptor.parse(data, media_type, name=name)
        assert ("unknown" in str(sorted(built.to_json()["component"]))) <= (name == "unknown-field")
    else:
        with pytest.raises(InvalidDocumentError) as caught:
            ComponentDescriptor.parse(data, media_type, name=name)
        assert caught.value.message.isprintable()


def test_a_descriptor_is_written_in_v3alpha1_only_when_asked_and_means_the_same() -> None:
    value = {**V3ALPHA1, "signatures": [], "nestedDigests": []}
    asked = parse(V3ALPHA1)
    plain = asked.in_schema("v2")
    assert b"apiVersion" not in plain.encode()
    assert plain.in_schema("v2") == plain
    again = plain.in_schema("v3alpha1")
    assert again.encode() == asked.encode()
    written = json.loads(again.encode())
    assert written["metadata"]["provider"] == value["metadata"]["provider"]  # type: ignore[index]
    read = ComponentDescriptor.parse(again.encode(), MEDIA_TYPE_JSON, name="cd")
    assert read.to_json() == asked.to_json()
    for algorithm in (V1, V2, V3, V4ALPHA1):
        assert normalise(read, algorithm) == normalise(asked, algorithm)


def test_an_unchanged_schema_keeps_the_exact_bytes() -> None:
    data = yamltext.dump(V3ALPHA1).encode()
    built = ComponentDescriptor.parse(data, MEDIA_TYPE_YAML, name="cd")
    assert built.in_schema("v3alpha1").encoded == Encoded(data, MEDIA_TYPE_YAML)
    assert built.in_schema("v2").encoded is None


@pytest.mark.parametrize("text", ["{", '{"labels":[]}', "{}", "plain"])
def test_a_provider_that_is_no_object_as_text_is_a_name(text: str) -> None:
    made = parse(V3ALPHA1).in_schema("v2")
    component = made.component.model_copy(update={"provider": text})
    changed = made.model_copy(update={"component": component}).in_schema("v3alpha1")
    assert json.loads(changed.encode())["metadata"]["provider"] == {"name": text}


def test_D14_unknown_members_of_v3alpha1_are_written_where_they_were() -> None:
    spec = {**V3ALPHA1["spec"], "future": {"a": 1}}  # type: ignore[dict-item]
    metadata = {**V3ALPHA1["metadata"], "later": True}  # type: ignore[dict-item]
    made = parse({**V3ALPHA1, "spec": spec, "metadata": metadata, "other": [1]})
    written = json.loads(made.with_resources(made.component.resources).encode())
    assert written["spec"]["future"] == {"a": 1}
    assert (written["metadata"]["later"], written["other"]) == (True, [1])
    assert normalise(made, V4ALPHA1) == normalise(parse(V3ALPHA1), V4ALPHA1)
