from __future__ import annotations

import pytest

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.version import Version
from ocm_pkg.model.versionrange import VersionRange


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (">=1.0.0 <2.0.0", "1.0.0 1.9.9", "0.9.9 2.0.0 1.5.0-rc.1"),
        (">=1.0.0,<2.0.0", "1.0.0", "2.0.0"),
        (">= 1.0.0 , < 2.0.0", "1.0.0", "2.0.0"),
        ("^1.2", "1.2.0 1.9.0", "1.1.9 2.0.0"),
        ("^1.2.3", "1.2.3 1.3.0", "1.2.2 2.0.0"),
        ("^0.2.3", "0.2.3 0.2.9", "0.3.0 1.0.0"),
        ("^0.0.3", "0.0.3", "0.0.4 0.1.0"),
        ("^0.0", "0.0.7", "0.1.0"),
        ("^0", "0.9.0", "1.0.0"),
        ("^*", "7.0.0", "7.0.0-rc.1"),
        ("~1.2", "1.2.0 1.2.9", "1.3.0 1.1.0"),
        ("~>1.2.3", "1.2.3 1.2.4", "1.2.2 1.3.0"),
        ("~1", "1.9.0", "2.0.0"),
        ("~0.0.0", "0.0.0 9.9.9", "1.0.0-a"),
        ("1.x", "1.0.0 1.9.9 v1.4", "2.0.0 0.9.0"),
        ("1.2.X", "1.2.5", "1.3.0"),
        ("1.2.*", "1.2.5", "1.3.0"),
        ("*", "0.0.1 5.0.0", "5.0.0-rc.1"),
        ("", "0.0.1 5.0.0", "5.0.0-rc.1"),
        ("1.2.3", "1.2.3 v1.2.3 1.2.3+build", "1.2.4"),
        ("=1.2", "1.2.0 1.2.7", "1.3.0"),
        ("!=1.2.3", "1.2.4", "1.2.3"),
        ("!=1.2", "1.3.0 2.2.0", "1.2.0 1.2.9"),
        ("!=1", "2.0.0", "1.5.0"),
        ("!=4.1-alpha", "4.1.0", "4.1.1-alpha"),
        (">1", "2.0.0", "1.0.0 1.9.0"),
        (">1.2", "1.3.0", "1.2.9"),
        (">1.2.3", "1.2.4", "1.2.3"),
        ("<=1", "1.9.9 0.1.0", "2.0.0"),
        ("<=1.2", "1.2.9", "1.3.0"),
        ("=<1.2.3", "1.2.3", "1.2.4"),
        ("<=*", "0.0.4", "1.0.0"),
        ("=>1.2", "1.2.0", "1.1.9"),
        ("<1.2", "1.1.9", "1.2.0"),
        ("1.2 - 1.4.5", "1.2.0 1.4.5", "1.4.6 1.1.0"),
        ("1.0.0 - 2.0.0, !=1.5.0", "1.4.0", "1.5.0"),
        ("^1 || ^3", "1.0.0 3.9.0", "2.0.0"),
        (">=1.0.0-0", "1.0.0-rc.1 1.0.0", "0.9.0"),
        (">=1.0.0-0 <2.0.0", "1.5.0-rc.1", "2.0.0"),
    ],
)
def test_a_range_has_the_versions_that_the_reference_says(text, inside, outside) -> None:
    found = VersionRange.parse(text)
    assert str(found) == text
    assert [version for version in inside.split() if not found.contains(version)] == []
    assert [version for version in outside.split() if found.contains(version)] == []


def test_a_version_can_be_given_parsed_and_what_is_no_version_is_never_inside() -> None:
    assert VersionRange.parse("^1").contains(Version.parse("1.2.3"))
    assert not VersionRange.parse("*").contains("latest")


@pytest.mark.parametrize(
    "text",
    [
        ">= bar",
        "BAR >= 1",
        "1.2.3.4",
        "1.2.3~ 1",
        ">=1 ||",
        "|| 1",
        "01.2",
        "1,,2",
        ">",
        "x1",
        "1-",
        "1.2.3-01",
        ">=01.0.0",
    ],
)
def test_what_is_no_range_is_refused_with_an_example(text) -> None:
    with pytest.raises(InvalidDocumentError, match="is not a version range") as caught:
        VersionRange.parse(text)
    assert "1.x" in str(caught.value.hint)


def test_a_range_of_unreasonable_length_is_refused() -> None:
    with pytest.raises(InvalidDocumentError, match="too long"):
        VersionRange.parse(">=1 " * 1000)
