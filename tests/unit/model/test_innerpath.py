from __future__ import annotations

import pytest

from ocm_pkg.model.innerpath import collation, leads_to, problem_of


@pytest.mark.parametrize("path", ["a", "hello/hello", "a/.hidden/x-1", "caf\u00e9", "a b/c"])
def test_plain_names_are_good(path):
    assert problem_of(path) is None


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("", "is empty"),
        ("x" * 1025, "more than 1024"),
        ("a\nb", "unprintable"),
        ("/a", "absolute"),
        ("/".join("a" * 65), "64 folders"),
        ("a/../b", "the part '..'"),
        ("a:b", "the character ':'"),
        ("a/-x", "begins with -"),
        ("a.", "ends with a dot"),
        ("NUL.txt", "a device"),
        ("x" * 256, "255 bytes"),
    ],
)
def test_why_a_name_is_not_taken(path, problem):
    assert problem in str(problem_of(path))


def test_names_that_are_one_somewhere_collate_alike():
    assert collation("A/Caf\u00e9") == collation("a/cafe\u0301")
    assert collation("a") != collation("b")


@pytest.mark.parametrize(
    ("link", "target", "found"),
    [
        ("a/b/link", "c", "a/b/c"),
        ("a/b/link", "../../x/y", "x/y"),
        ("link", "..", None),
        ("a/link", "../../x", None),
        ("a/link", "b/../c", None),
        ("link", "/etc/passwd", None),
    ],
)
def test_where_a_link_leads(link, target, found):
    assert leads_to(link, target) == found
