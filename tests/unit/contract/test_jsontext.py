from __future__ import annotations

import pytest

from ocm_pkg.contract.jsontext import MAX_DEPTH, member, read_json, read_object, write_json
from ocm_pkg.errors import PluginProtocolError

NESTED = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b' {"a": [1, 2.5, null, true]}\r\n', {"a": [1, 2.5, None, True]}),
        ('"\u00e9\\ud83d\\ude00"', "\u00e9\U0001f600"),
        (b"1e308", 1e308),
        (b'{"a": {"b": {}}, "b": {}}', {"a": {"b": {}}, "b": {}}),
    ],
)
def test_one_json_value_is_read(data, value):
    assert read_json(data, what="it", limit=100) == value


def test_nesting_is_read_up_to_the_limit():
    assert read_json(NESTED, what="it", limit=1000)
    with pytest.raises(PluginProtocolError, match="nested deeper than 64"):
        read_json(b"[" + NESTED + b"]", what="it", limit=1000)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "Expecting value"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b"{} {}", "Extra data"),
        (b"\xff", "byte 0 is no UTF-8"),
        (b'{"a":1,"b":2,"a":3}', "'a' appears twice"),
        (b"NaN", "NaN is no JSON"),
        (b"-Infinity", "-Infinity is no JSON"),
        (b"1e400", "out of range"),
        (b"9" * 5000, "not one JSON value"),
        (b'"\\ud800"', "lone surrogate"),
        (b'{"\\ud800": 1}', "lone surrogate"),
        (b"[" * 9000, "nested too deep"),
        (b" " * 10001, "larger than 10000 bytes"),
    ],
)
def test_anything_else_is_refused_with_its_reason(data, reason):
    with pytest.raises(PluginProtocolError, match=reason) as caught:
        read_json(data, what="the thing", limit=10000)
    assert caught.value.message.startswith("the thing")
    assert len(caught.value.message) < 200


def test_an_object_is_asked_for():
    assert read_object("{}", what="it", limit=10) == {}
    with pytest.raises(PluginProtocolError, match="not a JSON object"):
        read_object("[]", what="it", limit=10)


def test_json_is_written_compact_and_in_ascii():
    assert write_json({"a": [1, "\u00e9\n"]}) == '{"a":[1,"\\u00e9\\n"]}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(float("nan"))


def test_a_member_is_found_in_any_letter_case():
    assert member({"JSONschema": 1}, "jsonSchema", what="it") == 1
    assert member({}, "jsonSchema", what="it") is None
    with pytest.raises(PluginProtocolError, match="'type' and 'Type'"):
        member({"type": 1, "Type": 2}, "type", what="it")
