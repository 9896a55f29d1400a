"""Strict JSON: what two readers could understand differently is refused."""

from __future__ import annotations

import json
import time

import pytest

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.jsontext import Limits, line_of, parse_json


def refused(data: bytes | str, limits: Limits | None = None) -> InvalidDocumentError:
    with pytest.raises(InvalidDocumentError) as caught:
        parse_json(data, name="x.json", limits=limits)
    assert caught.value.code == "E230"
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value


def test_a_value_of_every_kind_is_read() -> None:
    text = '{"a": [1, -2.5, 1e3, true, false, null, "\\u00e9\\n", {}], "b": "\\ud83d\\ude80"}'
    assert parse_json(text, name="x") == {
        "a": [1, -2.5, 1000.0, True, False, None, "é\n", {}],
        "b": "🚀",
    }
    assert parse_json(text.encode(), name="x") == json.loads(text)


def test_brackets_in_text_are_no_structure() -> None:
    assert parse_json('["' + "[" * 500 + '\\"]"]', name="x") == ["[" * 500 + '"]']


def test_a_syntax_error_names_line_and_column_and_shows_the_line() -> None:
    error = refused('{\n "a": 1,\n "b": oops\n}')
    assert error.at == "x.json:3:7"
    assert error.detail == (' "b": oops',)


def test_D03_a_key_twice_is_refused_by_name() -> None:
    assert "'name' twice" in refused('{"name": 1, "other": 2, "name": 1}').message
    assert parse_json('[{"name": 1}, {"name": 2}]', name="x")


@pytest.mark.parametrize(
    "data", ["", " ", "{} {}", "[1,]", "{a: 1}", "'a'", "[1] // no", "01", "+1"]
)
def test_what_is_not_one_json_value_is_refused(data: str) -> None:
    assert refused(data).at is not None


def test_D04_a_byte_order_mark_is_refused() -> None:
    refused(b"\xef\xbb\xbf{}")


def test_D04_other_encodings_are_refused_with_their_position() -> None:
    assert refused("{}".encode("utf-16")).at == "x.json:1:1"
    error = refused(b'{"a":\n "b\xff"}')
    assert error.at == "x.json:2:4"
    assert error.hint is not None


def test_D04_half_of_a_surrogate_pair_is_refused() -> None:
    refused('"\\ud800"')
    refused('{"a\\udc00": 1}')
    refused('"\ud800"')


def test_D04_more_than_the_size_limit_is_refused_before_parsing() -> None:
    assert "more than 10 bytes" in refused(b'"0123456789"', Limits(size=10)).message
    assert parse_json(b'"01234567"', name="x", limits=Limits(size=10)) == "01234567"


def test_a_size_limit_counts_bytes_of_text_too() -> None:
    refused('"ééééé"', Limits(size=10))


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_D05_deep_nesting_is_refused_without_recursion(opening: str) -> None:
    started = time.monotonic()
    assert "100 levels" in refused(opening * 100_000).message
    assert time.monotonic() - started < 5
    assert "100 levels" in refused("[" * 101 + "]" * 101).message
    assert parse_json("[" * 100 + "]" * 100, name="x")


def test_closing_too_often_is_a_syntax_error() -> None:
    refused("]" * 200)


def test_too_many_values_are_refused() -> None:
    refused("[" + "1," * 30 + "1]", Limits(nodes=10))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_D06_what_is_no_finite_number_is_refused(number: str) -> None:
    assert number in refused(f"[{number}]").message


def test_D06_numbers_beyond_a_double_are_refused() -> None:
    assert "1e400" in refused("1e400").message
    assert "400 digits" in refused("9" * 400).message
    assert "5000 digits" in refused("-" + "9" * 5000).message
    assert "309 digits" in refused("9" * 309).message
    assert parse_json("9" * 308, name="x") == int("9" * 308)
    assert parse_json("-1e308", name="x") == -1e308


def test_a_line_is_found_and_cut() -> None:
    assert line_of("a\nb\r\nc", 2) == "b"
    assert line_of("a\nb\nc", 3) == "c"
    assert len(line_of("x" * 1000, 1)) == 200
