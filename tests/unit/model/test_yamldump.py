"""Plain data to YAML, which is read back as the same."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ocm_pkg.model.yamltext import dump, load


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        1,
        1.5,
        1e21,
        -1e-7,
        "",
        "text",
        [],
        {},
        [[]],
        [{}],
        {"a": {}},
        "no",
        "1.10",
        "0o17",
        "1e3",
        ".inf",
        "~",
        "null",
        "2020-01-01",
        "1_000",
        "<<",
        "=",
        "a\nb",
        "a\n",
        "\n",
        " a ",
        "\ta",
        "a: b",
        "# x",
        "- x",
        "*x",
        "&x",
        "!x",
        "é🚀\u2028\x07\x85",
        "trailing \nspace",
        "\n leading",
        {"1": "2", "a b": "c", "": "d", "no": "e", "a\nb": "f"},
        ["x" * 500, "word " * 100],
    ],
)
def test_what_is_dumped_is_read_back(value: Any) -> None:
    assert load(dump(value), name="x").value == value


def test_a_yaml_1_1_reader_understands_what_is_dumped() -> None:
    value = {"version": "1.10", "on": "no", "date": "2020-01-01", "half": 0.5, "many": ["1e3"]}
    assert yaml.safe_load(dump(value)) == value


def test_a_dump_is_block_style_in_the_given_order_without_anchors() -> None:
    shared = {"os": "linux"}
    assert dump({"b": [shared, shared], "a": "x\ny\n"}) == (
        "b:\n- os: linux\n- os: linux\na: |\n  x\n  y\n"
    )
