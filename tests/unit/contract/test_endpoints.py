from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from ocm_pkg.contract.capabilities import Kind
from ocm_pkg.contract.endpoints import ENDPOINTS, at, endpoint
from ocm_pkg.errors import PluginProtocolError

VECTORS = Path(__file__).parents[2] / "vectors" / "plugin-contract"
SESSIONS = json.loads((VECTORS / "manager-requests.json").read_text())["plugins"]
EXCHANGES = [
    pytest.param(session, exchange, id=f"{session['plugin']} {exchange['request']['target']}")
    for session in SESSIONS
    for exchange in session["exchanges"]
]


@pytest.mark.parametrize(("session", "exchange"), EXCHANGES)
def test_every_recorded_request_has_its_endpoint(session, exchange):
    request, response = exchange["request"], exchange["response"]
    path, _, query = request["target"].partition("?")
    kinds = {entry["type"] for entry in session["capabilities_printed"]["capabilities"]}
    rows = [row for row in at(request["method"], path) if row.kind in {None, *kinds}]
    assert len(rows) == 1
    sent = set(request["json"]) if "json" in request else {name for name, _ in parse_qsl(query)}
    required = {name for name in rows[0].request if not name.endswith("?")}
    known = {name.rstrip("?") for name in rows[0].request}
    assert required <= sent <= known
    body = json.dumps(response["json"]) if "json" in response else response.get("body", "")
    if response["status"] == 200:
        assert rows[0].read_answer(body.encode()) == response.get("json")


def test_each_kind_has_each_operation_once():
    keys = [(row.kind, row.operation) for row in ENDPOINTS]
    assert len(set(keys)) == len(keys)
    assert {row.kind for row in ENDPOINTS} == {None, *Kind}
    for kind, operation in keys:
        assert endpoint(kind, operation).operation == operation
    with pytest.raises(KeyError):
        endpoint(Kind.SIGNING_HANDLER, "identity")
    assert at("PUT", "/sign") == ()


def test_no_operation_that_writes_may_be_repeated():
    assert not any(row.writes and row.idempotent for row in ENDPOINTS)
    assert {row.operation for row in ENDPOINTS if row.writes} == {
        "add",
        "put_local_resource",
        "put_local_source",
    }


CV = Kind.COMPONENT_VERSION_REPOSITORY


@pytest.mark.parametrize(
    ("row", "body", "value"),
    [
        (endpoint(CV, "add"), b"whatever", None),
        (endpoint(CV, "versions"), b'["1"]', ["1"]),
        (endpoint(CV, "identity"), b"null", None),
        (endpoint(CV, "identity"), b'{"identity":null}', {"identity": None}),
        (endpoint(Kind.COMPONENT_LISTER, "list"), b'{"list":["a"]}', {"list": ["a"]}),
    ],
)
def test_answers_of_the_right_shape_are_read(row, body, value):
    assert row.read_answer(body) == value


@pytest.mark.parametrize(
    ("row", "body", "reason"),
    [
        (endpoint(CV, "versions"), b"", "not one JSON value"),
        (endpoint(CV, "versions"), b"null", "not an array of strings"),
        (endpoint(CV, "versions"), b"[1]", "not an array of strings"),
        (endpoint(CV, "get"), b"null", "not an object"),
        (endpoint(CV, "identity"), b"[]", "not an object or null"),
        (endpoint(CV, "local_resource"), b'{"resource":{}}', "location is not an object"),
        (endpoint(Kind.COMPONENT_LISTER, "list"), b'{"list":{}}', "list is not an array"),
        (endpoint(Kind.COMPONENT_LISTER, "list"), b'{"list":[],"header":1}', "header is not"),
    ],
)
def test_M12_right_json_of_the_wrong_type_is_refused(row, body, reason):
    with pytest.raises(PluginProtocolError, match=reason):
        row.read_answer(body)
