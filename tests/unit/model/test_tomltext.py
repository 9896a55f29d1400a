"""TOML with positions."""

from __future__ import annotations

import pytest

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model import tomltext

TEXT = """\
top = 1
[a.b]
  c = {d = 1}
"quoted key" = 2
[[list]]
x = 1
[[list]]
x = 2
"""


@pytest.mark.parametrize(
    ("path", "position"),
    [
        (("top",), (1, 1)),
        (("a", "b"), (2, 1)),
        (("a", "b", "c"), (3, 3)),
        (("a", "b", "c", "d"), (3, 3)),
        (("a", "b", "quoted key"), (4, 1)),
        (("list", 0, "x"), (6, 1)),
        (("list", 1, "x"), (8, 1)),
        (("nowhere",), (1, 1)),
    ],
)
def test_members_have_positions(path, position):
    document = tomltext.load(TEXT, name="x")
    assert document is not None
    assert document.position(path) == position


def test_a_table_is_found_by_its_path():
    document = tomltext.load(TEXT, name="x", prefix=("a", "b"))
    assert document is not None
    assert document.value == {"c": {"d": 1}, "quoted key": 2}
    assert document.error(("c",), "wrong").at == "x:3:3"
    assert document.error(("c",), "wrong").detail == ("  c = {d = 1}",)


@pytest.mark.parametrize("prefix", [("z",), ("a", "z"), ("top", "z")])
def test_a_table_that_is_not_there_is_none(prefix):
    assert tomltext.load(TEXT, name="x", prefix=prefix) is None


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("a = ", "x:1:5"),
        ("a = 1\nb", "x:2:2"),
        (b"\xff", "x:1:1"),
        ("a = 1979-05-27", "x"),
        ("a = " + "[" * 50_000, "x"),
        ("a = 2" + "0" * 5000, "x"),
        ("a = [1, 07:32:00]", "x"),
    ],
)
def test_what_is_refused_has_a_position(text, at):
    with pytest.raises(InvalidDocumentError) as caught:
        tomltext.load(text, name="x")
    assert caught.value.at == at
