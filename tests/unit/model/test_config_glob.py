from __future__ import annotations

import pytest

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.glob import Glob


@pytest.mark.parametrize(
    ("pattern", "fits", "others"),
    [
        ("", "a.b/c", ""),
        ("*", "a.b/c a.b/c/d", ""),
        ("a.b/*", "a.b/c", "a.b/c/d a.b x.b/c"),
        ("a.b/**", "a.b/c a.b/c/d", "a.bc"),
        ("**/test", "a.b/test a.b/c/test", "a.b/testing"),
        ("*.software/*/test", "ocm.software/x/test", "ocm.software/x/y/test"),
        ("a.b/[tc]est", "a.b/test a.b/cest", "a.b/best"),
        ("a.b/[!t]est", "a.b/best", "a.b/test a.b//est"),
        ("a.b/[a-c]", "a.b/b", "a.b/d"),
        ("a.b/[ac-]", "a.b/-", "a.b/b"),
        ("a.b/?", "a.b/c", "a.b/cc a.b//"),
        ("{a.b,c.d}/{x,y}", "a.b/x c.d/y", "a.b/z"),
        ("a.b/\\*", "a.b/*", "a.b/c"),
        ("a.b/c***", "a.b/cd/e", "a.b/d"),
    ],
)
def test_a_pattern_fits_whole_names(pattern, fits, others) -> None:
    glob = Glob.parse(pattern)
    assert [name for name in fits.split() if not glob.matches(name)] == []
    assert [name for name in others.split() if glob.matches(name)] == []


@pytest.mark.parametrize("pattern", ["a[", "a]", "a[]", "{a", "a}", "a\\", "[a/b]", "x" * 501])
def test_what_is_no_pattern_is_refused(pattern) -> None:
    with pytest.raises(InvalidDocumentError, match="pattern"):
        Glob.parse(pattern)


def test_a_pattern_that_stands_for_very_many_is_refused() -> None:
    with pytest.raises(InvalidDocumentError, match="too many"):
        Glob.parse("{a,b}" * 20)


def test_no_pattern_takes_long() -> None:
    assert not Glob.parse("**a*" * 100 + "b").matches("a" * 255)
