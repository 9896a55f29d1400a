"""YAML to plain data: the core schema, positions, and every limit before anything is built."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import pytest
import yaml

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.yamltext import Limits, YamlDocument, load


def value_of(text: bytes | str) -> Any:
    return load(text, name="x.yaml").value


def refused(data: bytes | str, limits: Limits | None = None) -> InvalidDocumentError:
    started = time.monotonic()
    with pytest.raises(InvalidDocumentError) as caught:
        load(data, name="x.yaml", limits=limits)
    assert time.monotonic() - started < 5
    assert caught.value.code == "E230"
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert caught.value.at is not None
    return caught.value


def test_lists_mappings_and_text_are_read() -> None:
    text = "a:\n- b\n- {c: d, 'e': \"f\\n\"}\n- - g\ng: |\n  two\n  lines\nempty: {}\nnone: []\n"
    assert value_of(text) == {
        "a": ["b", {"c": "d", "e": "f\n"}, ["g"]],
        "g": "two\nlines\n",
        "empty": {},
        "none": [],
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("~", None),
        ("null", None),
        ("Null", None),
        ("", None),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("0", 0),
        ("-12", -12),
        ("+3", 3),
        ("0o17", 15),
        ("0xFf", 255),
        ("1.5", 1.5),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("1e+21", 1e21),
        ("-1e-06", -1e-6),
        ("1.10", 1.1),
    ],
)
def test_plain_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    found = value_of(f"key: {text}")["key"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "on",
        "y",
        "Yes",
        "2020-01-01",
        "2001-12-14t21:59:43.10-05:00",
        "1_000",
        "0b11",
        "1:30",
        "NaN",
        "inf",
        "1.2.3",
        "+",
        ".",
        "1e",
        "0x",
        "tRUE",
        "=",
        "v1",
        "0o8",
    ],
)
def test_D06_everything_else_is_the_text_that_was_written(text: str) -> None:
    assert value_of(f"key: {text}") == {"key": text}
    assert value_of(f"- {text}") == [text]


def test_D06_quoted_scalars_are_text() -> None:
    assert value_of("""["1", '2', "true", '~', "1.10"]""") == ["1", "2", "true", "~", "1.10"]


@pytest.mark.parametrize(
    "text",
    [".inf", "-.INF", ".NaN", "1e400", "9" * 400, "9" * 6000, "0x" + "f" * 300],
)
def test_D06_numbers_that_no_double_holds_are_refused_with_their_place(text: str) -> None:
    error = refused(f"a: 1\nb:  {text}\n")
    assert error.at == "x.yaml:2:5"
    assert error.detail == (f"b:  {text}"[:200],)


def test_tags_of_the_core_schema_are_read() -> None:
    text = "[!!str 1, !!int '2', !!float 3, !!bool 'true', !!null '', ! 5, !!float 1.5]"
    assert value_of(text) == ["1", 2, 3.0, True, None, "5", 1.5]
    assert value_of("!!map {a: !!seq [1]}") == {"a": [1]}
    assert value_of("! {a: ! [1]}") == {"a": [1]}
    assert value_of("!!str a: 1") == {"a": 1}


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object:os.system x",
        "!!python/object/apply:os.system [x]",
        "!own {a: 1}",
        "!!set {a}",
        "!!binary aGk=",
        "!!timestamp 2020-01-01",
        "!!map [a]",
        "!!seq {a: 1}",
        "!!int x",
        "!!bool 1",
        "!!null x",
        "!!float x",
        "!!int 1.5",
        "!!int k: 1",
        "!own k: 1",
    ],
)
def test_D02_other_tags_and_values_that_break_their_tag_are_refused(text: str) -> None:
    assert refused(text).at == "x.yaml:1:1"


@pytest.mark.parametrize("text", ["<<: {a: 1}", "a: &a {b: 1}\nc:\n  <<: *a"])
def test_D02_merge_keys_are_refused(text: str) -> None:
    assert "merge" in refused(text).message


def test_a_quoted_merge_sign_is_a_key() -> None:
    assert value_of("'<<': 1") == {"<<": 1}


@pytest.mark.parametrize(
    "text", ["name: 1\nother: 2\nname: 3", "name: 1\n\n'name': 2", "a: 1\n? a\n: 2"]
)
def test_D03_a_key_twice_is_refused_naming_both_lines(text: str) -> None:
    error = refused(text)
    last = len(text.splitlines()) - (text.endswith(": 2") and "?" in text)
    assert "line 1" in error.message
    assert f"line {last}" in error.message
    assert error.at is not None
    assert error.at.startswith(f"x.yaml:{last}:")


def test_D03_the_first_of_two_keys_is_found_deep_inside() -> None:
    error = refused("a:\n- b\n- c: [1]\n  d: 1\n  c: 2\n")
    assert "line 3 and in line 5" in error.message


@pytest.mark.parametrize("text", ["? [a]\n: 1", "? {a: 1}\n: 1", "{[a]: 1}", "a: &a x\n*a : 1"])
def test_keys_that_are_no_text_are_refused(text: str) -> None:
    assert "key" in refused(text).message


def test_keys_are_the_text_that_was_written() -> None:
    assert value_of("1: a\nno: b\n~: c\n") == {"1": "a", "no": "b", "~": "c"}


def test_aliases_are_copied() -> None:
    value = value_of("a: &a [1, {b: c}]\nd: *a\ne: &e text\nf: *e\n&k g: h\ni: *k\n")
    assert value == {
        "a": [1, {"b": "c"}],
        "d": [1, {"b": "c"}],
        "e": "text",
        "f": "text",
        "g": "h",
        "i": "g",
    }
    assert value["a"] is not value["d"]


def test_the_last_anchor_of_a_name_counts() -> None:
    assert value_of("[&a 1, *a, &a 2, *a]") == [1, 1, 2, 2]


def test_D01_an_alias_bomb_is_refused_fast_and_small() -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    tracemalloc.start()
    started = time.monotonic()
    error = refused("\n".join(lines))
    elapsed, (_, peak) = time.monotonic() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "10000 values" in error.message
    assert elapsed < 5
    assert peak < 64 * 1024 * 1024


@pytest.mark.parametrize("text", ["&a [*a]", "a: &a {b: *a}", "&a [1, &a [*a]]", "*nowhere"])
def test_D01_an_anchor_inside_itself_is_refused(text: str) -> None:
    assert "no complete anchor" in refused(text).message


def test_D01_aliases_cannot_nest_deeper_than_the_limit() -> None:
    lines = ["a0: &a0 []"] + [f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 120)]
    assert "100 levels" in refused("\n".join(lines)).message


def test_D04_a_second_document_is_refused() -> None:
    assert refused("--- a\n--- b\n").at == "x.yaml:2:1"
    assert value_of("--- a\n...\n") == "a"
    assert value_of("") is None
    assert value_of("# nothing\n") is None


def test_D04_a_byte_order_mark_is_skipped() -> None:
    document = load(b"\xef\xbb\xbfa: 1", name="x")
    assert document.value == {"a": 1}
    assert document.position(["a"]) == (1, 1)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_D04_other_encodings_are_refused(encoding: str) -> None:
    refused("a: 1".encode(encoding))


def test_D04_control_characters_are_refused_with_their_place() -> None:
    error = refused("a: 1\nb: x\x00y")
    assert "U+0000" in error.message
    assert error.at == "x.yaml:2:5"
    assert refused("\x1b[0m").at == "x.yaml:1:1"


def test_D04_tabs_as_indentation_are_refused() -> None:
    assert refused("a:\n\tb: 1\n").at == "x.yaml:2:1"


def test_D04_lone_surrogates_are_refused() -> None:
    refused('"\\ud800"')
    refused("\ud800")


def test_D04_too_much_input_is_refused() -> None:
    refused(b" " * (4 * 1024 * 1024 + 1))
    assert "7 values" in refused("[1,2,3,4,5,6,7,8]", Limits(nodes=7)).message
    assert "3 values" in refused("[[],[],[],[]]", Limits(nodes=3)).message


@pytest.mark.parametrize("unit", ["[", "{a: ", "- "])
def test_D05_deep_nesting_is_refused_without_recursion(unit: str) -> None:
    assert "100 levels" in refused(unit * 100_000).message


def test_deep_keys_are_refused_at_the_first() -> None:
    assert "can't be a key" in refused("? " * 100_000).message


def test_nesting_up_to_the_limit_is_read() -> None:
    assert value_of("[" * 100 + "]" * 100)
    refused("[" * 101 + "]" * 101)


def test_a_syntax_error_names_line_and_column() -> None:
    error = refused("a: 1\nb: [1, 2\nc: }\n")
    assert error.at is not None
    assert error.at.startswith("x.yaml:3:")
    assert error.message.startswith("x.yaml is not YAML: ")


DOCUMENT = """\
name: x
list:
- a
- b: 1
  c:
    d: [e, f]
ref: &r {s: t}
again: *r
"""


@pytest.mark.parametrize(
    ("path", "position"),
    [
        ((), (1, 1)),
        (("name",), (1, 1)),
        (("list",), (2, 1)),
        (("list", 0), (3, 3)),
        (("list", 1), (4, 3)),
        (("list", 1, "c"), (5, 3)),
        (("list", 1, "c", "d"), (6, 5)),
        (("list", 1, "c", "d", 1), (6, 12)),
        (("again",), (8, 1)),
        (("nothing",), (1, 1)),
        (("list", 1, "c", "nothing"), (5, 3)),
        (("list", 7), (2, 1)),
        (("again", "s"), (8, 1)),
        (("list", 1, "c", "d", 1, "deeper"), (6, 12)),
    ],
)
def test_a_position_is_that_of_the_key_or_the_nearest_parent(
    path: tuple[str | int, ...], position: tuple[int, int]
) -> None:
    assert load(DOCUMENT, name="x").position(path) == position


def test_an_error_points_at_its_member() -> None:
    error = load(DOCUMENT, name="x").error(["list", 1, "c"], "it is wrong", "change it")
    assert (error.at, error.detail, error.hint) == ("x:5:3", ("  c:",), "change it")


def test_a_document_without_text_has_one_position() -> None:
    assert YamlDocument({"a": 1}, "x").position(["a"]) == (1, 1)


def test_without_the_c_library_the_same_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = load(DOCUMENT, name="x")
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    slow = load(DOCUMENT, name="x")
    assert slow.value == fast.value
    assert slow.position(["list", 1]) == fast.position(["list", 1])
    refused("a: [")
    refused('"\\ud800"')


def test_an_error_of_the_parser_without_a_mark_is_still_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Parser:
        def __init__(self, _text: str) -> None: ...

        def get_event(self) -> object:
            raise yaml.MarkedYAMLError("context only")

        def dispose(self) -> None: ...

    monkeypatch.setattr(yaml, "CSafeLoader", Parser)
    error = refused("a: 1")
    assert (error.at, error.message) == ("x.yaml:1:1", "x.yaml is not YAML: context only")
