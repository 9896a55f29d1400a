"""Whatever a manager or a plugin sends: a value or an error of ours; what we write, we read."""

from __future__ import annotations

import json
import socket

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ocm_pkg.contract.capabilities import (
    Capabilities,
    Capability,
    Kind,
    KindSupport,
    TypeSupport,
)
from ocm_pkg.contract.config import PluginConfig, parse_duration
from ocm_pkg.contract.endpoints import ENDPOINTS
from ocm_pkg.contract.jsontext import read_json, write_json
from ocm_pkg.contract.messages import (
    Location,
    decode_credentials,
    decode_identity,
    decode_object,
    decode_query,
    encode_object,
    encode_query,
)
from ocm_pkg.contract.startup import Address
from ocm_pkg.errors import OcmPkgError
from ocm_pkg.sdk.http import BadRequest, Connection, Request

PROPERTY = settings(derandomize=True, deadline=None, max_examples=200)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9.]{0,10}(/v[1-9])?", fullmatch=True)
SCHEMAS = st.none() | st.dictionaries(TEXT, JSON, max_size=3)
KEYS = st.sampled_from(
    ["type", "capabilities", "aliases", "jsonSchema", "supportedInputTypes", "Type", "x"]
)
ALMOST = st.recursive(
    st.none() | st.booleans() | NAMES | st.sampled_from([*Kind, *Capability, "e30="]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=15,
)


@st.composite
def type_supports(draw):
    """Draw type entries whose names are all different."""
    names = draw(st.lists(NAMES, unique=True, max_size=6))
    entries = []
    while names:
        count = draw(st.integers(1, len(names)))
        entries.append(TypeSupport(names[0], tuple(names[1:count]), draw(SCHEMAS)))
        names = names[count:]
    return tuple(entries)


@st.composite
def capabilities(draw):
    """Draw what a plugin could say."""
    kinds = []
    for kind in draw(st.lists(st.sampled_from(Kind), unique=True)):
        if kind is Kind.CREDENTIAL_REPOSITORY:
            kinds.append(KindSupport(kind, *(draw(type_supports()) for _ in range(3))))
        else:
            kinds.append(KindSupport(kind, draw(type_supports())))
    able = st.lists(st.sampled_from(Capability), unique=True).map(tuple)
    types = draw(st.dictionaries(NAMES, able, max_size=4))
    return Capabilities(types, tuple(kinds), config_types=tuple(draw(st.lists(NAMES, max_size=2))))


@PROPERTY
@given(capabilities())
def test_capabilities_that_were_written_are_read_back(value):
    assert Capabilities.parse(write_json(value.to_json()).encode()) == value


@PROPERTY
@given(st.binary(max_size=200) | ALMOST.map(lambda value: json.dumps(value).encode()))
@example(b'{"capabilities":[null]}')
@example(b'{"type":{"a":[null]}}')
def test_any_output_gives_capabilities_or_an_error_of_ours(data):
    try:
        found = Capabilities.parse(data)
    except OcmPkgError:
        return
    again = Capabilities.parse(write_json(found.to_json()).encode())
    assert (again.types, again.kinds) == (found.types, found.kinds)
    for kind in Kind:
        for capability in Capability:
            assert not found.allows(capability, "none of them")
        assert not found.supports(kind, "none of them")


@PROPERTY
@given(capabilities(), NAMES)
def test_what_is_allowed_is_supported(value, name):
    for name_asked in (
        name,
        *value.types,
        *(one for k in value.kinds for t in k.types for one in t.names),
    ):
        for capability in Capability:
            if capability.kind is not None and value.allows(capability, name_asked):
                assert value.supports(capability.kind, name_asked)


@PROPERTY
@given(JSON)
def test_json_is_read_back(value):
    assert read_json(write_json(value), what="it", limit=10**6) == value


CONFIGS = st.builds(
    PluginConfig,
    id=TEXT.filter(bool),
    type=st.sampled_from(["socket", "tcp"]),
    location=st.none() | TEXT.filter(bool),
    idle_timeout_ns=st.integers(1, 2**63 - 1),
    config_types=st.lists(st.dictionaries(TEXT, JSON, max_size=2), max_size=2).map(tuple),
)


@PROPERTY
@given(CONFIGS, st.sampled_from(["adr", "v2"]))
def test_a_configuration_is_read_back(config, contract):
    assert PluginConfig.parse(config.to_json(contract)) == config


@PROPERTY
@given(st.text() | JSON.map(json.dumps))
def test_any_text_gives_a_configuration_or_an_error_of_ours(text):
    for parse in (PluginConfig.parse, parse_duration, decode_query, decode_credentials):
        try:
            parse(text)
        except OcmPkgError:
            continue


@PROPERTY
@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(["ns", "us", "ms", "s", "m", "h"])))
)
def test_durations_add_up(parts):
    text = "".join(f"{count}{unit}" for count, unit in parts) or "0"
    assert parse_duration(text) == sum(parse_duration(f"{count}{unit}") for count, unit in parts)


@PROPERTY
@given(st.binary(max_size=200) | st.from_regex(rb"(http(\+unix)?://)?[\[\]:.0-9a-z/]{0,30}\n"))
def test_any_line_gives_an_address_that_is_written_the_same_or_none(line):
    found = Address.parse_line(line)
    if found is not None:
        assert Address.parse_line(found.line()) == found
        assert found.path is None or found.path.startswith("/")
        assert found.host is None or found.host.startswith("127.") or found.host == "::1"


@PROPERTY
@given(st.dictionaries(TEXT, TEXT, max_size=5))
def test_identities_and_queries_are_read_back(value):
    assert decode_identity(encode_object(value)) == value
    assert decode_query(encode_query(value)) == value


@PROPERTY
@given(st.text(max_size=50) | st.binary(max_size=50).map(lambda data: data.decode("latin-1")))
def test_any_query_value_gives_an_object_or_an_error_of_ours(text):
    try:
        assert isinstance(decode_object(text, what="it"), dict)
    except OcmPkgError:
        return


@PROPERTY
@given(JSON | st.dictionaries(st.sampled_from(["type", "value", "mediaType"]), JSON | TEXT))
def test_any_location_is_absolute_or_an_error_of_ours(value):
    try:
        found = Location.parse(value)
    except OcmPkgError:
        return
    assert found.type == "remoteURL" or found.value.startswith("/")


@PROPERTY
@given(
    st.sampled_from(ENDPOINTS), st.binary(max_size=60) | JSON.map(lambda v: json.dumps(v).encode())
)
def test_any_answer_gives_a_value_or_an_error_of_ours(row, body):
    try:
        row.read_answer(body)
    except OcmPkgError:
        return


LINES = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n", b"POST /sign?a=b HTTP/1.1\r\n", b"Host: unix\r\n", b"\r\n",
        b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"3\r\n", b"abc", b"0\r\n",
        b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"\n", b" ", b"a: b\r\n",
    ]
)  # fmt: skip


@PROPERTY
@given(st.binary(max_size=300) | st.lists(LINES | st.binary(max_size=5), max_size=12).map(b"".join))
@example(
    b"POST / HTTP/1.1\r\nHost: unix\r\nContent-Length: 3\r\n\r\nabc"
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
)
def test_any_bytes_on_a_connection_give_requests_or_a_refusal(data):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        connection = Connection(ours)
        try:
            while connection.wait():
                request = connection.read()
                assert isinstance(request, Request)
                assert request.path.startswith("/")
        except (BadRequest, ConnectionError):
            return
