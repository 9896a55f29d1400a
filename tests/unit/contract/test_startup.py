from __future__ import annotations

import pytest

from ocm_pkg.contract.startup import Address
from ocm_pkg.errors import PluginProtocolError


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("http+unix:///run/a-plugin.socket\n", Address(path="/run/a-plugin.socket")),
        (b"http+unix:///run/a b.sock\r\n", Address(path="/run/a b.sock")),
        ("http://127.0.0.1:42587\n", Address(host="127.0.0.1", port=42587)),
        ("http://127.8.9.10:1/", Address(host="127.8.9.10", port=1)),
        ("http://localhost:80", Address(host="127.0.0.1", port=80)),
        ("http://[::1]:80", Address(host="::1", port=80)),
        ("[::]:42587\n", Address(host="127.0.0.1", port=42587)),
        ("0.0.0.0:80", Address(host="127.0.0.1", port=80)),
        (":80", Address(host="127.0.0.1", port=80)),
    ],
)
def test_an_address_line_is_read(line, address):
    assert Address.parse_line(line) == address


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\n",
        "starting up",
        " http+unix:///tmp/a.sock",
        "unix:///tmp/a.sock",
        "http+unix://tmp/a.sock",
        "http+unix:///tmp/\0a.sock",
        "http+unix:///tmp/a\nb.sock",
        "http+unix:///" + "a" * 107,
        "http://127.0.0.1:0",
        "http://127.0.0.1:65536",
        "http://127.0.0.1",
        "http://127.0.0.1:80/x",
        "http://127.0.0.1.example.com:80",
        "http://127.0.0.256:80",
        "http://example.com:80",
        "http://10.0.0.1:80",
        "http://[fe80::1]:80",
        "time: 12:30",
        b"\xff\xfe",
    ],
)
def test_any_other_line_is_none(line):
    assert Address.parse_line(line) is None


def test_a_line_is_read_back():
    for address in (Address.unix("/a/b.sock"), Address.tcp("[::1]:8"), Address.tcp(":65454")):
        assert Address.parse_line(address.line()) == address
    assert Address.tcp(":65454").line() == "http://127.0.0.1:65454"


def test_M09_a_socket_path_that_is_too_long_is_refused():
    assert Address.unix("/" + "a" * 106)
    with pytest.raises(PluginProtocolError, match="108 bytes") as caught:
        Address.unix("/" + "a" * 107)
    assert caught.value.hint
    with pytest.raises(PluginProtocolError, match="not absolute"):
        Address.unix("run/a.sock")


def test_M11_only_loopback_is_an_address():
    with pytest.raises(PluginProtocolError, match="not on loopback"):
        Address.tcp("192.168.1.1:80")
    with pytest.raises(PluginProtocolError, match="not HOST:PORT"):
        Address.tcp("80")
