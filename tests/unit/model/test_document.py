"""Errors of documents: which member, what is wrong in plain words, where, and what was meant."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import Field

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model import yamltext
from ocm_pkg.model.document import (
    Document,
    OwnDocument,
    near_miss,
    read_document,
    refuse_twice,
    show_path,
    unknown_key,
)


class Inner(OwnDocument):
    media_type: str
    count: int = 1
    ratio: float = 1.0
    sure: bool = False
    kind: Literal["a", "b"] = "a"
    word: str = Field(default="x", min_length=1, max_length=5)


class Outer(OwnDocument):
    items: list[Inner] = Field(default_factory=list)
    named: dict[str, Inner] = Field(default_factory=dict)
    maybe: Inner | None = None
    either: int | str = 1


class Open(Document):
    first_name: str = ""


def wrong(text: str, model: type[Document] = Outer) -> InvalidDocumentError:
    source = yamltext.load(text, name="f.yaml")
    with pytest.raises(InvalidDocumentError) as caught:
        read_document(model, source.value, source=source, what="f.yaml")
    with pytest.raises(InvalidDocumentError) as without:
        read_document(model, source.value, what="f.yaml")
    assert without.value.message == caught.value.message
    assert without.value.at is None
    return caught.value


def test_a_document_is_read_and_written_member_for_member() -> None:
    value = {"items": [{"mediaType": "x", "count": 2}], "maybe": {"mediaType": "y"}}
    assert read_document(Outer, value, what="f").to_json() == value


def test_unknown_members_of_others_are_kept_and_of_our_own_refused() -> None:
    assert read_document(Open, {"firstName": "a", "x": [1]}, what="f").to_json() == {
        "firstName": "a",
        "x": [1],
    }
    error = wrong("items:\n- mediaType: x\n  medaType: y\n")
    assert error.message == "f.yaml: items[0].medaType is not a known key"
    assert error.hint == "did you mean 'mediaType'?"
    assert (error.at, error.detail) == ("f.yaml:3:3", ("  medaType: y",))


@pytest.mark.parametrize("place", ["named:\n  some:\n    ", "maybe:\n  ", "items:\n- "])
def test_a_near_miss_is_found_wherever_the_key_stands(place: str) -> None:
    assert wrong(f"{place}medaType: x").hint == "did you mean 'mediaType'?"


def test_keys_that_are_like_no_other_are_answered_with_the_known_ones() -> None:
    assert wrong("zzz: 1").hint == "known: either, items, maybe, named"
    assert unknown_key("zzz", ["b", "a"]) == ("the key 'zzz' is unknown", "known: a, b")
    assert unknown_key("itens", ["items"])[1] == "did you mean 'items'?"
    assert near_miss("MEDIATYPE", ["mediaType"]) == "mediaType"
    assert near_miss("zzz", ["mediaType"]) is None


def test_a_missing_member_points_at_its_parent() -> None:
    error = wrong("items:\n- mediaType: x\n- count: 1\n")
    assert error.message == "f.yaml: items[1].mediaType is missing"
    assert error.at == "f.yaml:3:3"


@pytest.mark.parametrize(
    ("member", "problem"),
    [
        ("mediaType: 1.10", "mediaType must be text, but it is the number 1.1"),
        ("mediaType: true", "mediaType must be text, but it is true, a truth value"),
        ("mediaType:", "mediaType must be text, but it is empty"),
        ("mediaType: [x]", "mediaType must be text, but it is a list"),
        ("mediaType: {}", "mediaType must be text, but it is a mapping"),
        ("count: x", "count must be a whole number, but it is the text 'x'"),
        ("ratio: x", "ratio must be a number, but it is the text 'x'"),
        ("sure: no", "sure must be true or false, but it is the text 'no'"),
        ("kind: c", "kind must be 'a' or 'b', but it is the text 'c'"),
        ("word: ''", "word must not be empty"),
        ("word: xxxxxxx", "word has more than 5 characters"),
        ("count: 1.5", "count must be a whole number, but it is the number 1.5"),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(member: str, problem: str) -> None:
    media_type = "" if member.startswith("mediaType") else "\n  mediaType: x"
    error = wrong(f"maybe:\n  {member}{media_type}\n")
    assert error.message == f"f.yaml: maybe.{problem}"
    assert error.at == "f.yaml:2:3"


def test_D06_a_number_where_text_is_wanted_is_to_be_quoted() -> None:
    error = wrong("items:\n- mediaType: 1.10\n")
    assert error.hint == 'put it in quotes to keep it as it is written: mediaType: "..."'
    assert error.detail == ("- mediaType: 1.10",)
    assert wrong("maybe: {mediaType: }").hint == "write text there"
    assert wrong("maybe: {}").hint == "add mediaType"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a", "the document must be a mapping, but it is a list"),
        ("", "the document must be a mapping, but it is empty"),
        ("items: {}", "items must be a list, but it is a mapping"),
        ("named: []", "named must be a mapping, but it is a list"),
        ("maybe: 1", "maybe must be a mapping, but it is the number 1"),
        ("either: []", "either.int must be a whole number, but it is a list"),
    ],
)
def test_the_shape_of_a_document_is_checked(text: str, problem: str) -> None:
    assert wrong(text).message == f"f.yaml: {problem}"


def test_more_problems_are_listed_up_to_a_limit() -> None:
    error = wrong("items:\n" + "- {}\n" * 8)
    assert error.message == "f.yaml: items[0].mediaType is missing"
    assert error.detail[1] == "also: items[1].mediaType is missing"
    assert error.detail[-1] == "and 3 more"
    assert len(error.detail) == 6


def test_an_unknown_key_is_said_before_what_is_missing() -> None:
    error = wrong("items:\n- medaType: x\n")
    assert "medaType" in error.message
    assert error.detail[1] == "also: items[0].mediaType is missing"


def test_a_value_inside_a_document_is_read_with_its_place() -> None:
    source = yamltext.load("a:\n- x: 1\n- count: 1\n", name="f.yaml")
    with pytest.raises(InvalidDocumentError) as caught:
        read_document(Inner, {"count": 1}, source=source, what="f.yaml", inside=("a", 1))
    assert caught.value.message == "f.yaml: a[1].mediaType is missing"
    assert caught.value.at == "f.yaml:3:3"


def test_what_is_shown_has_no_control_characters() -> None:
    value: Any = {"\x1b[31m": 1}
    with pytest.raises(InvalidDocumentError) as caught:
        read_document(Outer, value, what="f")
    assert caught.value.message.isprintable()


def test_a_path_is_written_as_people_write_it() -> None:
    assert show_path(["resources", 1, "access", "type"]) == "resources[1].access.type"
    assert show_path([0, "a"]) == "[0].a"
    assert show_path([]) == ""


def test_two_items_with_the_same_key_are_refused_naming_both() -> None:
    source = yamltext.load("a:\n- x\n- y\n- x\n", name="f")
    with pytest.raises(InvalidDocumentError) as caught:
        refuse_twice(["x", "y", "x"], "the same name", source=source, what="f", inside=("a",))
    assert caught.value.message == "f: a[2] has the same name as a[0]"
    assert caught.value.at == "f:4:3"
    with pytest.raises(InvalidDocumentError):
        refuse_twice([1, 1], "the same name", source=None, what="f", inside=())
    refuse_twice(["x", "y"], "the same name", source=source, what="f", inside=("a",))
