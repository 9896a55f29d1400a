"""Laws of the texts: any bytes give a value or an error of ours; what is written is read back."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ocm_pkg.errors import OcmPkgError
from ocm_pkg.model import yamltext
from ocm_pkg.model.constructor import Constructor, parse_constructor
from ocm_pkg.model.descriptor import MEDIA_TYPE_JSON, MEDIA_TYPE_YAML, ComponentDescriptor
from ocm_pkg.model.jcs import canonical, number_text
from ocm_pkg.model.jsontext import parse_json
from ocm_pkg.model.version import Version, is_version, sort_versions, tag_of, version_of
from tests.fakes.descriptors import component_json, descriptor_json, resource_json

SETTINGS = settings(derandomize=True, deadline=None, max_examples=150)

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
NUMBERS = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
JSON_LIKE = st.text(st.sampled_from(list('{}[],:"\\ \n\tntrue0.1eE+-ud8a\x00')), max_size=60)
YAML_LIKE = st.text(st.sampled_from(list("ab: -\n&*![]{}?|>'\"#%@0.1~<=,\t$")), max_size=60)
VERSION_LIKE = st.text(st.sampled_from(list("v0129.-+ab")), max_size=12)
NUMBER = st.integers(0, 30).map(str)
PRE_PART = NUMBER | st.from_regex(r"[0-9]{0,2}[a-zA-Z-][0-9a-zA-Z-]{0,3}", fullmatch=True)
VERSIONS = st.builds(
    lambda prefix, numbers, pre, build: (
        prefix + ".".join(numbers) + ("-" + ".".join(pre)) * bool(pre) + ("+" + build) * bool(build)
    ),
    st.sampled_from(["", "v"]),
    st.lists(NUMBER, min_size=1, max_size=3),
    st.lists(PRE_PART, max_size=3),
    st.from_regex(r"([0-9a-zA-Z-]{1,4}(\.[0-9a-zA-Z-]{1,3})?)?", fullmatch=True),
)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal in kind too, so that 1 is not true."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@SETTINGS
@given(st.binary(max_size=60) | JSON_LIKE | JSON_LIKE.map(str.encode))
def test_any_text_gives_json_or_an_error_of_ours(data: bytes | str) -> None:
    with suppress(OcmPkgError):
        json.dumps(parse_json(data, name="x"), allow_nan=False)


@SETTINGS
@given(st.binary(max_size=60) | YAML_LIKE | st.text(max_size=60))
def test_any_text_gives_yaml_or_an_error_of_ours(data: bytes | str) -> None:
    with suppress(OcmPkgError):
        document = yamltext.load(data, name="x")
        json.dumps(document.value, allow_nan=False)
        document.position(["a", 0, "b"])


@SETTINGS
@given(st.binary(max_size=60) | YAML_LIKE.map(str.encode), st.sampled_from([True, False]))
def test_any_bytes_give_a_descriptor_or_an_error_of_ours(data: bytes, is_json: bool) -> None:
    media_type = MEDIA_TYPE_JSON if is_json else MEDIA_TYPE_YAML
    with suppress(OcmPkgError):
        ComponentDescriptor.parse(data, media_type, name="x")


@SETTINGS
@given(st.binary(max_size=60) | YAML_LIKE.map(str.encode))
def test_any_bytes_give_a_constructor_or_an_error_of_ours(data: bytes) -> None:
    with suppress(OcmPkgError):
        parse_constructor(data, name="x", variables={"version": "1"})


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value in ``value``, but for the root."""
    keys = (
        value.keys()
        if isinstance(value, dict)
        else range(len(value))
        if isinstance(value, list)
        else ()
    )
    return [place for key in keys for place in ((*path, key), *places(value[key], (*path, key)))]


FULL = descriptor_json(
    component_json(
        creationTime="2026-01-01T00:00:00Z",
        labels=[{"name": "a", "value": {"b": 1}, "signing": True, "version": "v1"}],
        repositoryContexts=[{"type": "x"}],
        resources=[resource_json(extraIdentity={"os": "linux"}, srcRefs=[{"labels": []}])],
        sources=[{"name": "src", "version": "1", "type": "git", "access": {"type": "x"}}],
        componentReferences=[{"name": "ref", "version": "1", "componentName": "a.bc/d"}],
    ),
    signatures=[
        {
            "name": "s",
            "digest": {"hashAlgorithm": "a", "normalisationAlgorithm": "b", "value": "c"},
            "signature": {"algorithm": "a", "value": "b", "mediaType": "c"},
        }
    ],
    nestedDigests=[{"name": "example.com/x", "version": "1.0.0"}],
)
FULL_V3 = {
    "apiVersion": "ocm.software/v3alpha1",
    "kind": "ComponentVersion",
    "metadata": {"name": "a.bc/d", "version": "1", "provider": {"name": "p", "labels": []}},
    "spec": {"resources": [resource_json()], "sources": [], "references": []},
}
CONSTRUCTOR = {
    "components": [
        {
            "name": "a.bc/d",
            "version": "1",
            "provider": {"name": "p", "labels": []},
            "resources": [
                {
                    "name": "ab",
                    "type": "b",
                    "input": {"type": "utf8", "text": "${version}"},
                    "labels": [{"name": "x", "value": 1}],
                    "extraIdentity": {"os": "linux"},
                    "options": {"ownershipPolicy": "Never"},
                },
                {"name": "cd", "type": "b", "version": "1", "access": {"type": "x"}},
            ],
            "sources": [{"name": "src", "type": "git", "input": {"type": "dir", "path": "x"}}],
            "componentReferences": [{"name": "ref", "version": "1", "componentName": "a.bc/d"}],
        }
    ]
}


def changed(value: Any, path: tuple[Any, ...], member: Any) -> Any:
    """Return ``value`` with another value at ``path``."""
    if not path:
        return member
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], member)
    return copy


@settings(SETTINGS, max_examples=400)
@given(st.sampled_from([FULL, FULL_V3]), st.data())
def test_a_descriptor_with_anything_anywhere_is_read_or_refused(
    value: Any, data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from(places(value)))
    odd = changed(value, path, data.draw(VALUES))
    with suppress(OcmPkgError):
        built = ComponentDescriptor.from_json(odd, name="x")
        assert ComponentDescriptor.from_json(json.loads(built.encode()), name="x") == built
        for algorithm in ("v1", "v2", "v3", "v4alpha1"):
            normalised(built, algorithm)


def normalised(built: ComponentDescriptor, algorithm: str) -> bytes:
    from ocm_pkg.model.normalise import normalise

    return normalise(built, f"jsonNormalisation/{algorithm}")


@settings(SETTINGS, max_examples=300)
@given(st.data())
def test_a_constructor_with_anything_anywhere_is_read_or_refused(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(places(CONSTRUCTOR)))
    odd = changed(CONSTRUCTOR, path, data.draw(VALUES))
    with suppress(OcmPkgError):
        text = yamltext.dump(odd).encode()
        built = parse_constructor(text, name="x", variables={"version": "1"})
        assert isinstance(built, Constructor)


@SETTINGS
@given(VALUES)
def test_yaml_that_was_dumped_is_read_back(value: Any) -> None:
    assert same(yamltext.load(yamltext.dump(value), name="x").value, value)


@SETTINGS
@given(VALUES)
def test_json_is_read_the_same_as_json_and_as_yaml(value: Any) -> None:
    text = json.dumps(value)
    assert same(parse_json(text, name="x"), value)


@SETTINGS
@given(VALUES)
def test_every_member_of_a_document_has_a_position_in_its_text(value: Any) -> None:
    document = yamltext.load(yamltext.dump(value), name="x")
    lines = document.text.splitlines()
    for place in places(document.value):
        line, column = document.position(place)
        assert 1 <= line <= len(lines) + 1
        assert column >= 1


@SETTINGS
@given(VALUES)
def test_canonical_json_is_json_of_the_same_value_and_stable(value: Any) -> None:
    text = canonical(value)
    again = json.loads(text)
    assert canonical(again) == text
    turned = dict(reversed(value.items())) if isinstance(value, dict) else value
    assert canonical(turned) == text


@SETTINGS
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_double_leads_back_to_it(value: float) -> None:
    assert float(number_text(value)) == value


@SETTINGS
@given(st.integers(-(10**308), 10**308))
def test_the_text_of_an_integer_is_that_of_its_double(value: int) -> None:
    assert number_text(value) == number_text(float(value))
    assert math.isfinite(float(number_text(value)))


@SETTINGS
@given(VERSION_LIKE | st.text(max_size=12))
def test_any_text_is_a_version_or_an_error_of_ours(text: str) -> None:
    try:
        version = Version.parse(text)
    except OcmPkgError:
        assert not is_version(text)
    else:
        assert str(version) == text
        assert is_version(text)


@SETTINGS
@given(VERSIONS, VERSIONS, VERSIONS)
def test_versions_are_totally_ordered(one: str, other: str, third: str) -> None:
    a, b, c = Version.parse(one), Version.parse(other), Version.parse(third)
    assert [a < b, a == b, a > b].count(True) == 1
    assert not (a <= b <= c) or a <= c
    assert (a <= b) == (not b < a)
    assert not a < b or a.precedence <= b.precedence


@SETTINGS
@given(st.lists(VERSIONS, max_size=6))
def test_sorting_versions_keeps_them_all_and_their_order_does_not_matter(texts: list[str]) -> None:
    found = sort_versions(texts)
    assert sorted(found) == sorted(texts)
    assert sort_versions(reversed(texts)) == found


@SETTINGS
@given(VERSIONS)
def test_a_version_and_its_tag_lead_to_each_other(text: str) -> None:
    tag = tag_of(text)
    assert "+" not in tag
    assert ".build-" in text or version_of(tag) == text


@SETTINGS
@given(VERSIONS, NUMBER)
def test_a_release_is_newer_than_its_candidates(text: str, number: str) -> None:
    release = text.partition("+")[0].partition("-")[0]
    assert Version.parse(f"{release}-rc.{number}") < Version.parse(release)
