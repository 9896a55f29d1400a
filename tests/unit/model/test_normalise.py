"""Normal forms: byte for byte those of the reference tools, and what a signature covers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.descriptor import ComponentDescriptor
from ocm_pkg.model.normalise import ALGORITHMS, V1, V2, V3, V4ALPHA1, normalise
from tests.fakes.descriptors import (
    ALL_VECTORS,
    OWN_VECTORS,
    component_json,
    descriptor,
    descriptor_json,
    normal_forms,
    resource_json,
    stored_descriptor,
)

if TYPE_CHECKING:
    from pathlib import Path

LABELS = [
    {"name": "signed", "value": {"a": None, "b": [None, 1.0]}, "signing": True, "version": "v1"},
    {"name": "unsigned", "value": 1},
    {"name": "denied", "value": 1, "signing": False},
]


def component_of(built: ComponentDescriptor, algorithm: str) -> Any:
    return json.loads(normalise(built, algorithm))["component"]


def vectors(root: Path) -> list[Any]:
    return [
        pytest.param(*case, id="/".join(case[1].parts[-4:]))
        for folder in ("components", "extra")
        for case in normal_forms(root / folder)
    ]


@pytest.mark.parametrize(("stored", "recorded", "algorithm"), vectors(OWN_VECTORS))
def test_D18_a_normal_form_is_that_of_the_reference_tools(
    stored: Path, recorded: Path, algorithm: str
) -> None:
    assert normalise(stored_descriptor(stored), algorithm) == recorded.read_bytes()


@pytest.mark.skipif(not ALL_VECTORS.is_dir(), reason="needs ../shared/vectors")
def test_D18_every_recorded_normal_form_is_met() -> None:
    cases = [case for name in ("components", "extra") for case in normal_forms(ALL_VECTORS / name)]
    assert len(cases) > 100
    for stored, recorded, algorithm in cases:
        assert normalise(stored_descriptor(stored), algorithm) == recorded.read_bytes(), recorded


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_form_survives_being_written_and_read_again(algorithm: str) -> None:
    for stored, _, _ in normal_forms(OWN_VECTORS / "components"):
        one = stored_descriptor(stored)
        again = ComponentDescriptor.from_json(json.loads(one.encode()), name="again")
        assert normalise(again, algorithm) == normalise(one, algorithm)


@pytest.mark.parametrize("name", ["", "jsonNormalisation/v5", "JSONNORMALISATION/V3", "v3"])
def test_an_unknown_algorithm_is_refused(name: str) -> None:
    with pytest.raises(InvalidDocumentError, match="not known") as caught:
        normalise(descriptor(), name)
    assert caught.value.hint is not None
    assert "v4alpha1" in caught.value.hint


def test_the_smallest_form() -> None:
    assert normalise(descriptor(), V4ALPHA1) == (
        b'{"component":{"componentReferences":[],"name":"example.com/hello",'
        b'"provider":{"name":"example.com"},"resources":[],"sources":[],"version":"1.0.0"}}'
    )
    assert normalise(descriptor(), V1) == (
        b'[{"component":[{"componentReferences":[]},{"name":"example.com/hello"},'
        b'{"provider":"example.com"},{"resources":[]},{"version":"1.0.0"}]},'
        b'{"meta":[{"schemaVersion":"v2"}]}]'
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_is_never_signed_changes_nothing(algorithm: str) -> None:
    resource = resource_json()
    plain = normalise(descriptor(resources=[resource]), algorithm)
    changed = resource_json(
        access={"type": "ociArtifact", "imageReference": "x"},
        srcRefs=[{"identitySelector": {"name": "src"}}],
        labels=[{"name": "free", "value": 1}],
        extraIdentity={},
        unknown={"member": 1},
    )
    value = descriptor_json(
        component_json(
            resources=[changed],
            repositoryContexts=[{"type": "x"}],
            labels=None,
            creationTime=None,
            unknown=1,
        ),
        signatures=[],
        nestedDigests=[{"name": "example.com/x", "version": "1.0.0"}],
    )
    assert normalise(ComponentDescriptor.from_json(value, name="cd"), algorithm) == plain


@pytest.mark.parametrize("kind", ["none", "None"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_resource_without_content_has_no_digest(algorithm: str, kind: str) -> None:
    empty = normalise(descriptor(resources=[resource_json(access={"type": kind})]), algorithm)
    without = normalise(descriptor(resources=[resource_json(digest=...)]), algorithm)
    assert empty == without


def test_D19_only_labels_that_are_flagged_are_covered() -> None:
    for member in ("labels", "provider"):
        labels = LABELS if member == "labels" else json.dumps({"name": "p", "labels": LABELS})
        built = descriptor(**{member: labels})
        for algorithm in (V2, V3):
            component = component_of(built, algorithm)
            found = component["labels"] if member == "labels" else component["provider"]["labels"]
            assert found == [
                {
                    "name": "signed",
                    "signing": True,
                    "value": {"a": None, "b": [None, 1]},
                    "version": "v1",
                }
            ]
        component = component_of(built, V4ALPHA1)
        found = component["labels"] if member == "labels" else component["provider"]["labels"]
        assert found == [{"name": "signed", "signing": True, "value": {"b": [None, 1]}}]


def test_a_null_label_value_is_kept_in_v3_and_dropped_in_v4alpha1() -> None:
    built = descriptor(labels=[{"name": "x", "value": None, "signing": True}])
    assert component_of(built, V3)["labels"] == [{"name": "x", "signing": True, "value": None}]
    assert component_of(built, V4ALPHA1)["labels"] == [{"name": "x", "signing": True}]


def test_sources_are_covered_but_for_their_access() -> None:
    source = {
        "name": "src",
        "version": "1.0.0",
        "type": "git",
        "access": {"type": "x"},
        "labels": LABELS[1:],
        "extraIdentity": {"kind": "a"},
    }
    for algorithm in (V2, V3, V4ALPHA1):
        assert component_of(descriptor(sources=[source]), algorithm)["sources"] == [
            {"name": "src", "version": "1.0.0", "type": "git", "extraIdentity": {"kind": "a"}}
        ]
    assert b"src" not in normalise(descriptor(sources=[source]), V1)


def test_references_keep_unsigned_labels_except_in_v1() -> None:
    reference = {
        "name": "ref",
        "componentName": "example.com/other",
        "version": "2.0.0",
        "extraIdentity": {"kind": "a"},
        "labels": [{**LABELS[0], "merge": {"algorithm": "x"}}, LABELS[1]],
    }
    built = descriptor(componentReferences=[reference])
    common = {key: reference[key] for key in ("name", "componentName", "version", "extraIdentity")}
    assert component_of(built, V3)["componentReferences"] == [
        {**common, "labels": [{**LABELS[0], "merge": {"algorithm": "x"}}, LABELS[1]]}
    ]
    assert component_of(built, V4ALPHA1)["componentReferences"] == [
        {
            **common,
            "digest": {"hashAlgorithm": "", "normalisationAlgorithm": "", "value": ""},
            "labels": [{"name": "signed", "signing": True, "value": {"b": [None, 1]}}, LABELS[1]],
        }
    ]
    assert b"unsigned" not in normalise(built, V1)


def test_the_digest_of_a_reference_is_covered() -> None:
    digest = {"hashAlgorithm": "SHA-256", "normalisationAlgorithm": V3, "value": "ab"}
    reference = {
        "name": "ref",
        "componentName": "example.com/other",
        "version": "2.0.0",
        "digest": {**digest, "x": 1},
    }
    built = descriptor(componentReferences=[reference])
    for algorithm in (V2, V3, V4ALPHA1):
        assert component_of(built, algorithm)["componentReferences"][0]["digest"] == digest


def test_resources_that_share_an_identity_are_told_apart_by_version_but_the_last() -> None:
    same = [resource_json(version=version) for version in ("1.0.0", "2.0.0", "3.0.0")]
    other = resource_json(extraIdentity={"os": "linux"})
    built = descriptor(resources=[same[0], other, same[1], same[2]])
    for algorithm in (V2, V3):
        found = [one.get("extraIdentity") for one in component_of(built, algorithm)["resources"]]
        assert found == [{"version": "1.0.0"}, {"os": "linux"}, {"version": "2.0.0"}, None]
    found = [one.get("extraIdentity") for one in component_of(built, V4ALPHA1)["resources"]]
    assert found == [None, {"os": "linux"}, None, None]


@pytest.mark.parametrize(
    "provider",
    ['{"name": 5}', "{broken", '{"labels": []}', "{" * 3, '{"a":' + "[" * 5000, "[1]", "null"],
)
def test_a_provider_that_only_looks_like_json_is_a_name(provider: str) -> None:
    built = descriptor(provider=provider)
    for algorithm in (V3, V4ALPHA1):
        assert component_of(built, algorithm)["provider"] == {"name": provider}
    assert json.dumps(provider).encode() in normalise(built, V1)


def test_the_labels_of_a_provider_that_are_no_objects_are_left_out() -> None:
    built = descriptor(provider='{"name":"p","labels":[5,null]}')
    assert component_of(built, V3)["provider"] == {"name": "p"}


def test_list_order_is_signed_and_key_order_is_not() -> None:
    one, other = resource_json(name="one"), resource_json(name="other")
    forward = normalise(descriptor(resources=[one, other]), V4ALPHA1)
    assert forward != normalise(descriptor(resources=[other, one]), V4ALPHA1)
    turned = dict(reversed(one.items()))
    assert forward == normalise(descriptor(resources=[turned, other]), V4ALPHA1)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_D18_one_number_has_one_form(algorithm: str) -> None:
    forms = {
        normalise(descriptor(labels=[{"name": "n", "value": number, "signing": True}]), algorithm)
        for number in (1, 1.0, 1e0)
    }
    assert len(forms) == 1


def test_a_v3alpha1_descriptor_without_content_has_an_empty_spec() -> None:
    value = {
        "apiVersion": "ocm.software/v3alpha1",
        "kind": "ComponentVersion",
        "metadata": {"name": "example.com/a", "version": "1.0.0", "provider": {"name": "p"}},
        "spec": {},
    }
    built = ComponentDescriptor.from_json(value, name="cd")
    assert json.loads(normalise(built, V1))[-1] == {"spec": []}
