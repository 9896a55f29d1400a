"""Relaxed semantic versions: what is one, which is newer, how it is tagged."""

from __future__ import annotations

import pytest

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.version import Version, is_version, sort_versions, tag_of, version_of

GOOD = [
    "1",
    "v1",
    "1.2",
    "v1.2",
    "0.0.0",
    "1.2.3",
    "v1.2.3",
    "1.2.3-rc.1",
    "1.0.0+build.5",
    "1-a",
    "1.2-0a",
    "1.0.0-alpha+001",
    "1.0.0--",
    "1.0.0-x.7.z.92",
    "1.0.0+0.build.1-rc.10000aaa",
]
BAD = [
    "",
    "latest",
    "01.0.0",
    "1.02",
    "1.0.0.0",
    "1.",
    ".1",
    "v",
    "V1.0",
    "1.0.0-",
    "1.0.0+",
    "1.0.0-01",
    "1.0.0-a..b",
    "1.0.0\n",
    " 1.0.0",
    "1.0.0 ",
    "../../x",
    "1.0.0/../../x",
    "1.0.0\0",
    "\u0661.0.0",
    "1.0.0+a+b",
    "1.0.0_1",
    "-1",
    "1." + "9" * 300,
    "not a version",
]


@pytest.mark.parametrize("text", GOOD)
def test_a_version_is_read_and_written_unchanged(text: str) -> None:
    assert str(Version.parse(text)) == text
    assert is_version(text)


@pytest.mark.parametrize("text", BAD)
def test_D08_what_is_no_version_is_refused(text: str) -> None:
    assert not is_version(text)
    with pytest.raises(InvalidDocumentError) as caught:
        Version.parse(text)
    assert caught.value.message.isprintable()
    assert caught.value.hint is not None


def test_the_parts_of_a_version_are_known() -> None:
    version = Version.parse("v1.2-rc.1+b.5")
    assert (version.numbers, version.pre, version.build) == ((1, 2, 0), "rc.1", "b.5")


def test_the_order_is_that_of_semantic_versioning() -> None:
    ordered = [
        "0.9.9",
        "1.0.0-1",
        "1.0.0-2",
        "1.0.0-10",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.1",
        "1.2",
        "v1.10",
        "2",
    ]
    assert sort_versions(reversed(ordered)) == ordered[::-1]
    assert sort_versions(ordered) == ordered[::-1]


def test_versions_of_equal_precedence_are_told_apart_by_their_text() -> None:
    one, other = Version.parse("1.0"), Version.parse("v1.0.0+b")
    assert one.precedence == other.precedence
    assert one != other
    assert one < other
    assert one == Version.parse("1.0")
    assert len({one, other, Version.parse("1.0")}) == 2
    assert one != "1.0"


def test_what_is_no_version_is_left_out_of_a_sorted_list() -> None:
    assert sort_versions(["latest", "1.0", "sha256-ab", "2.0"]) == ["2.0", "1.0"]


@pytest.mark.parametrize(
    ("version", "tag"),
    [("1.0.0", "1.0.0"), ("1.0.0+build.5", "1.0.0.build-build.5"), ("v1-a+b", "v1-a.build-b")],
)
def test_a_tag_has_no_plus_and_leads_back_to_the_version(version: str, tag: str) -> None:
    assert tag_of(version) == tag
    assert version_of(tag) == version


def test_a_version_that_is_too_long_for_a_tag_is_refused() -> None:
    assert len(tag_of("1.0.0-" + "a" * 122)) == 128
    with pytest.raises(InvalidDocumentError):
        tag_of("1.0.0-" + "a" * 123)


def test_D08_no_tag_is_made_of_what_is_no_version() -> None:
    with pytest.raises(InvalidDocumentError):
        tag_of("../../x")
