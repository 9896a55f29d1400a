"""Specs against the JSON schema that a plugin gave."""

from __future__ import annotations

import base64
import importlib
import json
import sys
import types
from pathlib import Path

import pytest

from ocm_pkg.contract.capabilities import Capabilities, Kind
from ocm_pkg.errors import InvalidDocumentError, PluginProtocolError
from ocm_pkg.plugin import specs
from ocm_pkg.plugin.registry import ExternalPlugin
from ocm_pkg.plugin.specs import check_spec

KIND = Kind.SIGNING_HANDLER


def check(schema: object, spec: dict) -> None:
    text = base64.b64encode(json.dumps(schema).encode()).decode()
    entry = {"type": "Sign/v1", "aliases": ["Sign"], "jsonSchema": text}
    able = {"capabilities": [{"type": KIND, "supportedSigningSpecTypes": [entry]}]}
    plugin = ExternalPlugin("plug", Path("plug"), Capabilities.parse(json.dumps(able).encode()))
    check_spec(plugin, KIND, "Sign", spec)


def test_an_empty_schema_takes_everything():
    check({}, {"type": "Sign/v1", "anything": [1]})


def test_a_kind_or_type_without_a_schema_takes_everything():
    plugin = ExternalPlugin("plug", Path("plug"), Capabilities.parse(b'{"type":{"x":[]}}'))
    check_spec(plugin, KIND, "x", {"type": "x"})


def test_what_fits_passes_and_what_does_not_is_named():
    schema = {"properties": {"key": {"properties": {"size": {"type": "integer"}}}}}
    check(schema, {"type": "Sign/v1", "key": {"size": 1}})
    with pytest.raises(InvalidDocumentError, match=r"key\.size: 'big' is not of type 'integer'"):
        check(schema, {"type": "Sign/v1", "key": {"size": "big"}})


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "#/nowhere"},
        {"$ref": "#"},
        {"type": 5},
        {"pattern": "("},
        {"$schema": "http://127.0.0.1:9/meta", "$ref": "http://127.0.0.1:9/x"},
    ],
    ids=str,
)
def test_a_schema_that_is_wrong_or_elsewhere_is_the_fault_of_the_plugin(schema):
    with pytest.raises(PluginProtocolError, match="plugin plug gave a JSON schema"):
        check(schema, {"type": "Sign/v1"})


def test_libraries_for_formats_are_hidden_only_while_the_checker_is_imported():
    before = {name: sys.modules.pop(name, None) for name in specs._FORMATS}
    try:
        with specs._lean_import():
            for name in specs._FORMATS:
                with pytest.raises(ImportError):
                    importlib.import_module(name)
        assert not {*specs._FORMATS} & sys.modules.keys()
    finally:
        sys.modules.update({name: module for name, module in before.items() if module})


def test_a_library_that_is_imported_already_stays():
    before = sys.modules.get("isoduration")
    module = sys.modules["isoduration"] = before or types.ModuleType("isoduration")
    try:
        with specs._lean_import():
            assert sys.modules["isoduration"] is module
        assert sys.modules["isoduration"] is module
    finally:
        if before is None:
            del sys.modules["isoduration"]
