from __future__ import annotations

import json

import pytest

from ocm_pkg.contract.config import DEFAULT_IDLE_TIMEOUT_NS, PluginConfig, parse_duration
from ocm_pkg.errors import ConfigError, PluginProtocolError

FULL = PluginConfig("ociplugin", "socket", "/run/x/p.sock", 3600 * 10**9)


def test_the_design_document_gets_type_socket_and_the_location():
    assert json.loads(FULL.to_json("adr")) == {
        "id": "ociplugin",
        "type": "socket",
        "location": "/run/x/p.sock",
        "idleTimeout": 3600000000000,
    }


def test_the_v2_library_gets_type_unix_and_what_its_manager_sends():
    assert FULL._replace(location=None).to_json("v2") == (
        '{"id":"ociplugin","type":"unix","pluginType":"","idleTimeout":3600000000000}'
    )
    assert json.loads(FULL.to_json("v2"))["location"] == "/run/x/p.sock"


@pytest.mark.parametrize("contract", ["adr", "v2"])
@pytest.mark.parametrize(
    "config",
    [
        FULL,
        PluginConfig("a", "tcp", "127.0.0.1:80", 1),
        PluginConfig("a", "tcp"),
        PluginConfig("a", "socket", config_types=({"type": "c/v1", "n": 1},)),
    ],
)
def test_what_is_written_is_read_back(config, contract):
    assert PluginConfig.parse(config.to_json(contract)) == config


@pytest.mark.parametrize("idle", [0, -1, 2**63])
@pytest.mark.parametrize("contract", ["adr", "v2"])
def test_an_idle_timeout_that_would_end_the_plugin_at_once_is_never_sent(contract, idle):
    with pytest.raises(ConfigError, match="isn't more than 0"):
        FULL._replace(idle_timeout_ns=idle).to_json(contract)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, DEFAULT_IDLE_TIMEOUT_NS),
        (200000000, 200000000),
        ("1h30m", 5400 * 10**9),
        ("250ms", 250 * 10**6),
    ],
)
def test_an_idle_timeout_is_nanoseconds_or_a_duration(value, expected):
    text = json.dumps({"id": "a", "type": "unix", "idleTimeout": value})
    assert PluginConfig.parse(text).idle_timeout_ns == expected


@pytest.mark.parametrize(
    ("text", "error", "reason"),
    [
        ("", PluginProtocolError, "not one JSON value"),
        ("[]", PluginProtocolError, "not a JSON object"),
        ('{"type":"unix"}', PluginProtocolError, "no ID"),
        ('{"id":"","type":"unix"}', PluginProtocolError, "no ID"),
        ('{"id":1,"type":"unix"}', PluginProtocolError, "id is not a text"),
        ('{"id":"a"}', PluginProtocolError, "unknown plugin type"),
        ('{"id":"a","type":"grpc"}', PluginProtocolError, "unknown plugin type: grpc"),
        ('{"id":"a","type":"tcp","location":1}', PluginProtocolError, "location is not a text"),
        ('{"id":"a","type":"tcp","idleTimeout":1.5}', PluginProtocolError, "idleTimeout"),
        ('{"id":"a","type":"tcp","idleTimeout":true}', PluginProtocolError, "idleTimeout"),
        ('{"id":"a","type":"tcp","idleTimeout":0}', ConfigError, "more than 0"),
        ('{"id":"a","type":"tcp","idleTimeout":"-1s"}', ConfigError, "more than 0"),
        ('{"id":"a","type":"tcp","idleTimeout":"soon"}', ConfigError, "no duration"),
        ('{"id":"a","type":"tcp","configTypes":{}}', PluginProtocolError, "configTypes"),
        ('{"id":"a","type":"tcp","configTypes":[1]}', PluginProtocolError, "configTypes"),
    ],
)
def test_a_wrong_configuration_is_refused_with_its_reason(text, error, reason):
    with pytest.raises(error, match=reason):
        PluginConfig.parse(text)


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0", 0),
        ("1ns", 1),
        ("1us", 1000),
        ("1\u00b5s", 1000),
        ("1\u03bcs", 1000),
        ("1.5s", 1500000000),
        ("1.s", 10**9),
        ("-2m", -120 * 10**9),
        ("+1h2m3s4ms", 3723004000000),
    ],
)
def test_durations_are_those_of_go(text, nanoseconds):
    assert parse_duration(text) == nanoseconds


@pytest.mark.parametrize(
    "text",
    ["", "-", "1", "s", "1d", "1 h", "1h ", "--1s", ".", "1e3s", "9" * 50 + "h", "300000h" * 20],
)
def test_other_texts_are_no_durations(text):
    with pytest.raises(ConfigError):
        parse_duration(text)
