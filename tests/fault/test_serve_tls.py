"""Clients of a server with TLS that do not speak it, or not well."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from contextlib import closing

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from ocm_pkg.errors import ConfigError
from ocm_pkg.fs.blob import BytesBlob
from ocm_pkg.store.ctf import CTFStore
from ocm_pkg.store.serving import Server, ServerLimits
from tests.fakes.certificates import Authority
from tests.fakes.served import served

DATA = bytes(range(256)) * 4000


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "pki")


@pytest.fixture
def pair(authority):
    return authority.issue("localhost", "127.0.0.1")


@pytest.fixture
def registry(tmp_path, pair):
    store = CTFStore(tmp_path / "ctf", create=True)
    limits = ServerLimits(idle=2.0, head_seconds=0.8)
    with served(store, tls=(pair.certificate, pair.key), limits=limits) as running:
        yield running
        assert running.log == []


def connected(running):
    return socket.create_connection(running.server.address, timeout=5)


def secured(running, authority, **versions):
    context = ssl.create_default_context(cafile=authority.certificate)
    for name, version in versions.items():
        setattr(context, name, version)
    return context.wrap_socket(connected(running), server_hostname="localhost")


def asked(stream, path):
    stream.sendall(b"GET %b HTTP/1.1\r\nConnection: close\r\n\r\n" % path.encode())
    found = b""
    while data := stream.recv(65536):
        found += data
    return found


def test_a_client_that_speaks_tls_gets_every_byte_and_a_regular_end(registry, authority):
    digest = registry.store.push("a", BytesBlob(DATA), "x/y").digest
    with secured(registry, authority) as stream:
        answer = asked(stream, f"/v2/a/blobs/{digest}")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.partition(b"\r\n\r\n")[2] == DATA


def test_R07_a_client_that_sends_too_much_hears_it(registry, authority):
    context = ssl.create_default_context(cafile=authority.certificate)
    host, port = registry.server.address
    with closing(http.client.HTTPSConnection(host, port, timeout=5, context=context)) as client:
        client.request("PUT", "/v2/a/manifests/v1", bytes(5_000_000), {"Content-Type": "x/y"})
        assert client.getresponse().status == 413


def test_R37_old_tls_is_not_spoken(registry, authority):
    with (
        pytest.warns(DeprecationWarning, match="TLS"),
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        secured(
            registry,
            authority,
            minimum_version=ssl.TLSVersion.TLSv1,
            maximum_version=ssl.TLSVersion.TLSv1_1,
        )


@pytest.mark.parametrize("data", [b"", b"GET /v2/ HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01"])
def test_who_does_not_shake_hands_is_left_soon(registry, authority, data):
    started = time.monotonic()
    with connected(registry) as stream:
        stream.sendall(data)
        try:
            while stream.recv(1000):
                pass
        except ConnectionError:
            pass
    assert time.monotonic() - started < 3
    assert registry.requests == []
    with secured(registry, authority) as stream:
        assert asked(stream, "/v2/").startswith(b"HTTP/1.1 200 OK\r\n")


def test_files_that_are_no_certificate_and_key_are_refused_at_once(tmp_path, authority, pair):
    other = authority.issue("other", file="other")
    (tmp_path / "text").write_text("no PEM")
    key = load_pem_private_key(pair.key.read_bytes(), None)
    locked = BestAvailableEncryption(b"password")
    (tmp_path / "locked").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    for certificate, key in (
        (pair.certificate, other.key),
        (tmp_path / "text", pair.key),
        (pair.certificate, tmp_path / "text"),
        (pair.certificate, tmp_path / "locked"),
        (tmp_path / "missing", pair.key),
        (tmp_path, pair.key),
    ):
        with pytest.raises(ConfigError, match="cannot serve TLS") as refused:
            Server(CTFStore(tmp_path / "ctf", create=True), tls=(certificate, key))
        assert "\n" not in refused.value.message
