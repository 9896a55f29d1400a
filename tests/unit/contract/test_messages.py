from __future__ import annotations

from base64 import b64decode

import pytest

from ocm_pkg.contract.messages import (
    MAX_QUERY,
    Location,
    decode_credentials,
    decode_identity,
    decode_object,
    decode_query,
    encode_credentials,
    encode_object,
    encode_query,
)
from ocm_pkg.errors import PluginProtocolError


@pytest.mark.parametrize(
    ("value", "location"),
    [
        ({"type": "localFile", "value": "/a"}, Location("localFile", "/a")),
        (
            {"type": "unixNamedPipe", "value": "/a", "mediaType": "x/y"},
            Location("unixNamedPipe", "/a", "x/y"),
        ),
        ({"type": "remoteURL", "value": "https://a"}, Location("remoteURL", "https://a")),
    ],
)
def test_locations_are_read_and_written(value, location):
    assert Location.parse(value) == location
    assert location.to_json() == value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "not an object"),
        ({"value": "/a"}, "location.type is not a text"),
        ({"type": "localFile"}, "location.value is not a text"),
        ({"type": "localFile", "value": ""}, "location.value is not a text"),
        ({"type": "localFile", "value": "a"}, "not an absolute path"),
        ({"type": "unixNamedPipe", "value": "/a\0b"}, "not an absolute path"),
        ({"type": "ftp", "value": "/a"}, "unsupported location type 'ftp'"),
        ({"type": "localFile", "value": "/a", "mediaType": 1}, "mediaType is not a text"),
    ],
)
def test_other_locations_are_refused(value, reason):
    with pytest.raises(PluginProtocolError, match=reason):
        Location.parse(value)


def test_an_identity_is_sent_as_the_reference_sends_it():
    encoded = "eyJhcmNoaXRlY3R1cmUiOiJhbWQ2NCIsIm9zIjoibGludXgifQ=="
    assert encode_object({"os": "linux", "architecture": "amd64"}) == encoded
    assert decode_identity(encoded) == {"os": "linux", "architecture": "amd64"}
    assert b64decode(encoded) == b'{"architecture":"amd64","os":"linux"}'


@pytest.mark.parametrize("text", ["!!", "e30", "WzFd", "eyJhIjoxfQ==", "e30=\n"])
def test_an_identity_that_is_no_object_of_texts_is_refused(text):
    with pytest.raises(PluginProtocolError, match="identity"):
        decode_identity(text)


def test_an_object_is_read_back():
    assert decode_object(encode_object({"b": [1]}), what="it") == {"b": [1]}


def test_a_query_is_form_encoded_in_order():
    text = encode_query({"version": "1.4.0", "name": "acme.org/demo app"})
    assert text == "name=acme.org%2Fdemo+app&version=1.4.0"
    assert decode_query(text) == {"name": "acme.org/demo app", "version": "1.4.0"}
    assert decode_query("") == {}


@pytest.mark.parametrize(
    "text", ["a=1&a=2", "a=%ff", "a=" + "x" * MAX_QUERY, "&".join(f"a{n}=1" for n in range(40))]
)
def test_a_malformed_query_is_refused(text):
    with pytest.raises(PluginProtocolError, match="the query"):
        decode_query(text)


def test_credentials_are_the_object_itself():
    credentials = {"type": "Credentials/v1", "properties": {"password": 's3cr"et \u00e9'}}
    assert decode_credentials(encode_credentials(credentials)) == credentials
    assert encode_credentials(None) == "{}"


@pytest.mark.parametrize("header", [None, "", " ", "{}"])
def test_absent_and_empty_credentials_are_none(header):
    assert decode_credentials(header) is None


def test_credentials_that_cannot_be_read_are_refused_without_quoting_them():
    with pytest.raises(PluginProtocolError, match="incorrect authentication") as caught:
        decode_credentials("Basic s3cret")
    assert "s3cret" not in repr(caught.value)
    assert caught.value.__suppress_context__
