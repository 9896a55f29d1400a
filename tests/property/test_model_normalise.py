"""D18, D19: a normal form changes whenever something that it covers changes, and only then."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ocm_pkg.model.descriptor import ComponentDescriptor
from ocm_pkg.model.normalise import ALGORITHMS, V1, V4ALPHA1, normalise
from tests.fakes.descriptors import HEX, component_json, descriptor_json, resource_json

SETTINGS = settings(derandomize=True, deadline=None, max_examples=150)

DIGEST = {
    "hashAlgorithm": "SHA-256",
    "normalisationAlgorithm": "jsonNormalisation/v3",
    "value": HEX,
}
LABEL = {"name": "signed", "value": "text", "signing": True}
VALUE = descriptor_json(
    component_json(
        creationTime="2026-01-01T00:00:00Z",
        labels=[dict(LABEL), {"name": "free", "value": "x"}],
        resources=[
            resource_json(
                extraIdentity={"os": "linux", "architecture": "amd64"},
                labels=[dict(LABEL), {"name": "free", "value": "x"}],
            ),
            resource_json(name="other"),
        ],
        sources=[
            {
                "name": "src",
                "version": "1.0.0",
                "type": "git",
                "access": {"type": "x"},
                "labels": [dict(LABEL)],
            }
        ],
        componentReferences=[
            {"name": "ref", "version": "1.0.0", "componentName": "a.bc/d", "digest": DIGEST}
        ],
    )
)

COMPONENT = "component"
SIGNED: list[tuple[Any, ...]] = [
    (COMPONENT, "name"),
    (COMPONENT, "version"),
    (COMPONENT, "provider"),
    (COMPONENT, "creationTime"),
    *((COMPONENT, "labels", 0, member) for member in ("name", "value")),
    *((COMPONENT, "resources", 0, member) for member in ("name", "version", "type", "relation")),
    (COMPONENT, "resources", 0, "extraIdentity", "os"),
    *((COMPONENT, "resources", 0, "digest", member) for member in DIGEST),
    *((COMPONENT, "resources", 0, "labels", 0, member) for member in ("name", "value")),
    *(
        (COMPONENT, "componentReferences", 0, member)
        for member in ("name", "version", "componentName")
    ),
    *((COMPONENT, "componentReferences", 0, "digest", member) for member in DIGEST),
]
SIGNED_BUT_FOR_V1: list[tuple[Any, ...]] = [
    *((COMPONENT, "sources", 0, member) for member in ("name", "version", "type")),
    (COMPONENT, "sources", 0, "labels", 0, "value"),
]
UNSIGNED: list[tuple[Any, ...]] = [
    (COMPONENT, "labels", 1, "name"),
    (COMPONENT, "labels", 1, "value"),
    (COMPONENT, "resources", 0, "labels", 1, "value"),
    (COMPONENT, "resources", 0, "access", "type"),
    (COMPONENT, "resources", 0, "access", "localReference"),
    (COMPONENT, "sources", 0, "access", "type"),
]
GOOD = {
    "name": ["zz", "yy"],
    "version": ["9.9.9", "1.0.0+b", "v1.0.0", "1.0"],
    "creationTime": ["2026-01-01T00:00:01Z", "2026-01-01T00:00:00+00:00"],
    "relation": ["external"],
    "componentName": ["a.bc/e"],
    "type": ["changed"],
}


def with_change(path: tuple[Any, ...], member: Any) -> dict[str, Any]:
    value = copy.deepcopy(VALUE)
    parent: Any = value
    for part in path[:-1]:
        parent = parent[part]
    parent[path[-1]] = member
    return value


def form(value: dict[str, Any], algorithm: str) -> bytes:
    return normalise(ComponentDescriptor.from_json(value, name="cd"), algorithm)


def other_values(path: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    """Return values that are valid at ``path`` and differ from the one that is there."""
    if path == (COMPONENT, "name"):
        return st.sampled_from(["a.bc/x", "a.bc/y"])
    if path[-2:] == ("labels", "value") or path[-1] == "value":
        return st.text(st.characters(codec="utf-8"), min_size=1, max_size=5)
    return st.sampled_from(GOOD.get(path[-1], ["x1", "\u00e9", "<&>"]))


def current(path: tuple[Any, ...]) -> Any:
    found: Any = VALUE
    for part in path:
        found = found[part]
    return found


@settings(SETTINGS, max_examples=400)
@given(st.sampled_from(ALGORITHMS), st.sampled_from(SIGNED + SIGNED_BUT_FOR_V1), st.data())
def test_D18_a_change_of_a_covered_member_changes_the_bytes(
    algorithm: str, path: tuple[Any, ...], data: st.DataObject
) -> None:
    member = data.draw(other_values(path).filter(lambda drawn: drawn != current(path)))
    is_covered = algorithm != V1 or path not in SIGNED_BUT_FOR_V1
    assert (form(with_change(path, member), algorithm) != form(VALUE, algorithm)) == is_covered


@SETTINGS
@given(st.sampled_from(ALGORITHMS), st.sampled_from(UNSIGNED), st.text(min_size=1, max_size=5))
def test_D19_a_change_of_anything_else_does_not(
    algorithm: str, path: tuple[Any, ...], text: str
) -> None:
    member = "odd/v1" if path[-1] == "type" else text
    assert form(with_change(path, member), algorithm) == form(VALUE, algorithm)


@SETTINGS
@given(st.sampled_from(ALGORITHMS), st.sampled_from(["labels", "resources"]))
def test_D19_the_flag_itself_is_covered(algorithm: str, where: str) -> None:
    labels = (COMPONENT, "labels") if where == "labels" else (COMPONENT, "resources", 0, "labels")
    removed = with_change((*labels, 0, "signing"), False)
    added = with_change((*labels, 1, "signing"), True)
    assert len({form(value, algorithm) for value in (VALUE, removed, added)}) == 3


@SETTINGS
@given(st.permutations(["name", "version", "provider", "labels", "resources", "sources"]))
def test_the_order_of_keys_never_matters(order: list[str]) -> None:
    component = VALUE[COMPONENT]
    turned = {key: component[key] for key in (*order, *(set(component) - set(order)))}
    for algorithm in ALGORITHMS:
        assert form({**VALUE, COMPONENT: turned}, algorithm) == form(VALUE, algorithm)


@SETTINGS
@given(st.sampled_from(ALGORITHMS), st.sampled_from(["resources", "labels"]))
def test_removing_an_element_changes_the_bytes(algorithm: str, member: str) -> None:
    shorter = with_change((COMPONENT, member), VALUE[COMPONENT][member][1:])
    assert form(shorter, algorithm) != form(VALUE, algorithm)


@SETTINGS
@given(
    st.text(st.characters(codec="utf-8"), max_size=5),
    st.text(st.characters(codec="utf-8"), max_size=5),
)
def test_different_text_never_has_one_form(one: str, other: str) -> None:
    forms = [
        form(with_change((COMPONENT, "labels", 0, "value"), text), V4ALPHA1)
        for text in (one, other)
    ]
    assert (forms[0] == forms[1]) == (one == other)
