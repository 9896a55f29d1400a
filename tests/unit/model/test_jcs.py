"""Canonical JSON of RFC 8785, with its own examples."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.jcs import MAX_DEPTH, canonical, number_text

# RFC 8785, appendix B: bits of the double, its text.
RFC_NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


@pytest.mark.parametrize(("bits", "text"), RFC_NUMBERS.items())
def test_numbers_are_written_as_the_rfc_says(bits: str, text: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert number_text(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (-5, "-5"),
        (1.0, "1"),
        (100.0, "100"),
        (0.1, "0.1"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (1.5e-7, "1.5e-7"),
        (1e16, "10000000000000000"),
        (1.5e300, "1.5e+300"),
        (-2.5e-5, "-0.000025"),
        (2**53, "9007199254740992"),
        (2**53 + 1, "9007199254740992"),
        (-(2**53) - 1, "-9007199254740992"),
        (10**21, "1e+21"),
        (123456789012345678901, "123456789012345680000"),
    ],
)
def test_integers_pass_through_doubles(number: float, text: str) -> None:
    assert number_text(number) == text


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf"), 10**400, -(10**400)])
def test_numbers_without_canonical_text_are_refused(number: float) -> None:
    with pytest.raises(InvalidDocumentError, match="can't be signed"):
        canonical([number])


def test_the_example_of_the_rfc() -> None:
    value: Any = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    assert canonical(value).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_keys_are_sorted_by_utf_16_code_units() -> None:
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    expected = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert list(json.loads(canonical(dict.fromkeys(keys, 1)))) == expected
    assert canonical({"b": 1, "a": {"d": 1, "c": 2}}) == b'{"a":{"c":2,"d":1},"b":1}'


def test_only_what_must_be_is_escaped() -> None:
    assert canonical('\b\t\n\f\r"\\\x01\x1f/<>&\x7f\u2028🚀').decode() == (
        '"\\b\\t\\n\\f\\r\\"\\\\\\u0001\\u001f/<>&\x7f\u2028🚀"'
    )


def test_empty_values_stay() -> None:
    assert (
        canonical({"a": [], "b": {}, "c": "", "d": [[], {}]})
        == b'{"a":[],"b":{},"c":"","d":[[],{}]}'
    )


@pytest.mark.parametrize("value", ["\ud800", {"\udc00": 1}, ["a", {"b": "\udfff"}]])
def test_half_surrogate_pairs_are_refused(value: Any) -> None:
    with pytest.raises(InvalidDocumentError):
        canonical(value)


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"a": inner}])
def test_values_that_are_too_deep_are_refused(wrap: Any) -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH + 1):
        value = wrap(value)
    assert canonical(value)
    with pytest.raises(InvalidDocumentError, match="deeper"):
        canonical(wrap(value))
