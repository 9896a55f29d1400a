"""Rows R35 to R38 by command: cookies, plain http, TLS and proxies on the way to a registry."""

from __future__ import annotations

import shutil
import ssl
import warnings
from pathlib import Path

import pytest

from tests.fakes.arena import NAME
from tests.fakes.certificates import Authority
from tests.fakes.rawregistry import CONTENT, World
from tests.fakes.rawserver import always, answered, raw_server

HOST = "registry.example.com"
LOGIN = """\
- type: credentials.config.ocm.software
  consumers:
  - identity: {type: OCIRegistry, hostname: registry.example.com}
    credentials:
    - {type: Credentials/v1, properties: {username: me, password: s3cret-of-the-test}}
"""


@pytest.fixture
def world(arena):
    return World(arena)


@pytest.fixture
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def certs_d(world, server):
    folder = Path(world.arena.environ["HOME"]) / ".config/containers/certs.d" / server.address
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def read(world, server):
    """Check that the component version and its content can be had."""
    assert NAME in world.arena.accepted(*world.get(server)).out
    world.arena.accepted(*world.download(server))
    assert (world.arena.work / "hello.out").read_text() == CONTENT


def test_R35_cookies_are_ignored_and_nothing_is_stored(world):
    good = world.answer

    def sticky(received):
        head, _, body = good(received).partition(b"\r\n\r\n")
        return head + b"\r\nSet-Cookie: id=1\r\nStrict-Transport-Security: max-age=9\r\n\r\n" + body

    world.answer = sticky
    with world.registry() as server:
        read(world, server)
        read(world, server)
    assert not any("cookie" in one.headers for one in server.requests)


def test_R35_a_scheme_that_nobody_speaks_is_an_error_at_once(world):
    wanted = answered(b"", "401 Unauthorized", "WWW-Authenticate: Negotiate", "Set-Cookie: a=b")
    with world.registry(lambda peer, _: peer.send(wanted)) as server:
        world.arena.refused(*world.get(server), code=5, says="E501", seconds=2)
    assert not any("authorization" in one.headers for one in server.requests)


@pytest.mark.parametrize("scheme", ["https://", ""])
def test_R36_a_plain_registry_is_not_asked_over_http_unless_it_is_written(world, scheme):
    asked = []

    def script(peer):
        asked.append(peer.sock.recv(1000))
        peer.send(answered(b"", "400 Bad Request"))

    with raw_server(script) as server:
        reference = f"{scheme}{server.address}/base//{NAME}:1.0.0"
        ended = world.arena.refused(
            *("get", "cv", reference), code=5, says="it does not speak TLS", seconds=5
        )
    assert f"http://{server.address}/" in ended.err
    assert "--plain-http" in ended.err
    assert all(one[:1] == b"\x16" for one in asked)


def test_R36_plain_http_is_taken_where_it_is_asked_for(world):
    with world.registry() as server:
        read(world, server)
        reference = f"{server.address}/base//{NAME}:1.0.0"
        world.arena.accepted("get", "cv", reference, "--plain-http")


def test_R36_a_registry_with_TLS_is_not_asked_again_over_TLS_but_told(world):
    said = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
    with world.registry(lambda peer, _: peer.send(said)) as server:
        ended = world.arena.refused(*world.get(server), code=5, says="it speaks TLS", seconds=5)
    assert f"https://{server.address}/" in ended.err


BAD = {
    "self-signed": (("127.0.0.1",), {"self_signed": True}, "its certificate is self-signed"),
    "expired": (("127.0.0.1",), {"days": (-20, -10)}, "its certificate has expired"),
    "wrong name": (("example.com",), {}, "its certificate is for another address"),
}


@pytest.mark.parametrize(("names", "how", "says"), BAD.values(), ids=BAD)
def test_R37_a_certificate_that_is_not_good_is_refused(world, authority, names, how, says):
    tls = authority.issue(*names, **how).server_context()
    with world.registry(tls=tls) as server:
        shutil.copy(authority.certificate, certs_d(world, server) / "ca.crt")
        world.arena.refused(*world.get(server), code=5, says=says, seconds=5)
        world.arena.refused(*world.download(server), code=5, says=says, seconds=5)
    assert server.requests == []


def test_R37_a_wrong_authority_is_refused_and_the_right_one_is_not(
    world, authority, tmp_path_factory
):
    other = Authority(tmp_path_factory.mktemp("other"), "Another CA")
    with world.registry(tls=authority.issue("127.0.0.1").server_context()) as server:
        trusted = certs_d(world, server) / "ca.crt"
        says = "its certificate is of an authority that is not trusted"
        ended = world.arena.refused(*world.get(server), code=5, says=says, seconds=5)
        assert f"certs.d/{server.address}/ca.crt" in ended.err
        shutil.copy(other.certificate, trusted)
        world.arena.refused(*world.get(server), code=5, says=says, seconds=5)
        shutil.copy(authority.certificate, trusted)
        read(world, server)


def test_R37_an_own_authority_can_be_named_by_the_environment(world, authority, monkeypatch):
    with world.registry(tls=authority.issue("127.0.0.1").server_context()) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
        read(world, server)


def test_R37_a_client_certificate_is_asked_for_and_shown(world, authority):
    tls = authority.issue("127.0.0.1").server_context(client_authority=authority.certificate)
    mine = authority.issue("me", client=True, file="client")
    with world.registry(tls=tls) as server:
        folder = certs_d(world, server)
        shutil.copy(authority.certificate, folder / "ca.crt")
        world.arena.refused(*world.get(server), code=5, says="client certificate", seconds=5)
        for path in (mine.certificate, mine.key):
            shutil.copy(path, folder / path.name)
        read(world, server)


def test_R37_TLS_1_1_is_refused(world, authority):
    tls = authority.issue("127.0.0.1").server_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        tls.set_ciphers("DEFAULT:@SECLEVEL=0")
        tls.minimum_version = ssl.TLSVersion.TLSv1
        tls.maximum_version = ssl.TLSVersion.TLSv1_1
    with world.registry(tls=tls) as server:
        shutil.copy(authority.certificate, certs_d(world, server) / "ca.crt")
        says = "it offers no TLS 1.2 or newer"
        world.arena.refused(*world.get(server), code=5, says=says, seconds=5)


def test_R37_checks_are_left_out_only_where_the_configuration_says_so(world, authority):
    tls = authority.issue("example.com", days=(-20, -10)).server_context()
    with world.registry(tls=tls) as server, world.registry(tls=tls) as other:
        world.settings("10s", f'hosts: {{"{server.address}": {{insecureSkipVerify: true}}}}')
        read(world, server)
        world.arena.refused(*world.get(other), code=5, says="certificate", seconds=5)


def through(world, *arguments):
    """Return the command that reads over plain http from a host that only a proxy knows."""
    reference = f"http://{HOST}/base//{NAME}:1.0.0"
    return ("get", "cv", reference, "--config", str(world.config), *arguments)


def proxied(world):
    """Return the script of a proxy behind which the registry is."""

    def answer(received):
        path = received.path.removeprefix(f"http://{HOST}")
        return world.answer(type(received)(received.method, path, {}, b"", b""))

    return always(answer)


def test_R38_the_proxy_of_the_environment_is_used(world, monkeypatch):
    with raw_server(proxied(world)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:proxy-pass@{proxy.address}")
        assert NAME in world.arena.accepted(*through(world)).out
    assert all(one.path.startswith(f"http://{HOST}/v2/") for one in proxy.requests)
    assert all("proxy-authorization" in one.headers for one in proxy.requests)


def test_R38_NO_PROXY_and_loopback_go_past_the_proxy(world, monkeypatch):
    with raw_server(proxied(world)) as proxy, world.registry() as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        read(world, server)
        monkeypatch.setenv("NO_PROXY", "example.com")
        says = f"cannot reach {HOST}:80"
        world.arena.refused(*through(world), code=5, says=says, seconds=10)
    assert proxy.requests == []


def test_R38_credentials_of_the_registry_are_not_shown_to_the_proxy(world, monkeypatch):
    world.config.write_text(world.config.read_text() + LOGIN)
    wanted = answered(b"", "401 Unauthorized", 'WWW-Authenticate: Basic realm="registry"')
    with raw_server(always(wanted)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        ended = world.arena.refused(*through(world), code=5, says="shown to the proxy", seconds=5)
    assert f"NO_PROXY={HOST}" in ended.err
    assert proxy.requests
    assert not any("authorization" in one.headers for one in proxy.requests)


def test_R38_a_proxy_that_wants_a_login_is_told(world, monkeypatch):
    refusal = answered(b"", "407 Proxy Authentication Required", "Proxy-Authenticate: Basic")
    world.arena.secrets.append("proxy-pass")
    with raw_server(always(refusal)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        world.arena.refused(*through(world), code=5, says="wants a login (407)", seconds=5)
        monkeypatch.setenv("HTTP_PROXY", f"http://me:proxy-pass@{proxy.address}")
        world.arena.refused(*through(world), code=5, says="refuses the login", seconds=5)
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:proxy-pass@{proxy.address}")
        reference = f"https://{HOST}/base//{NAME}:1.0.0"
        world.arena.refused("get", "cv", reference, code=5, says="(407)", seconds=5)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_R38_a_proxy_that_hangs_is_left_within_the_limit(world, monkeypatch, scheme):
    world.settings("200ms")

    def hangs(peer):
        peer.request()
        peer.pause()

    with raw_server(hangs) as proxy:
        monkeypatch.setenv(f"{scheme.upper()}_PROXY", proxy.url)
        reference = f"{scheme}://{HOST}/base//{NAME}:1.0.0"
        command = ("get", "cv", reference, "--config", str(world.config))
        world.arena.refused(*command, code=5, says=HOST, seconds=3)
