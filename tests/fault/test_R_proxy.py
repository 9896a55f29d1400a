"""Rows R35 and R38 at the level of single exchanges: cookies, and proxies."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
import time

import pytest

from ocm_pkg.errors import TransportError
from ocm_pkg.store.exchange import Phase
from tests.fakes.certificates import Authority
from tests.fakes.rawserver import always, answered, once, raw_server
from tests.fakes.transports import asking, settings

HOST = "registry.example.com"
MINE = "Bearer s3cret-of-the-test"
LOGIN = "Basic " + base64.b64encode(b"me:pass word").decode()


def passing_on(port):
    """Return the script of a proxy whose tunnels all lead to one port of this machine."""

    def script(peer):
        peer.request()
        with socket.create_connection(("127.0.0.1", port)) as other:
            peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(other, peer.sock), daemon=True)
            back.start()
            _pump(peer.sock, other)
            back.join(5)

    return script


def _pump(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


def test_R35_cookies_and_other_schemes_leave_nothing_behind():
    headers = (
        "Set-Cookie: session=1; Path=/",
        "Strict-Transport-Security: max-age=99999999",
        "WWW-Authenticate: Negotiate",
    )
    with raw_server(always(answered(b"", "401 Unauthorized", *headers))) as server, asking() as ask:
        assert ask(server.url).status == 401
        assert ask(server.url).status == 401
    for received in server.requests:
        assert not {"cookie", "authorization"} & received.headers.keys()
    assert server.scheme == "http"


def test_R38_plain_http_is_forwarded_by_the_proxy():
    with (
        raw_server(always(answered(b"here"))) as proxy,
        asking(environ={"http_proxy": f"http://me:pass%20word@{proxy.address}/"}) as ask,
    ):
        assert ask.text(f"http://{HOST}:5000/v2/?n=1") == "here"
    (received,) = proxy.requests
    assert received.path == f"http://{HOST}:5000/v2/?n=1"
    assert received.headers["host"] == f"{HOST}:5000"
    assert received.headers["proxy-authorization"] == LOGIN


def test_R38_credentials_are_never_shown_to_a_proxy_that_forwards():
    with raw_server(always(answered(b"here"))) as proxy:
        environ = {"HTTP_PROXY": proxy.address}
        with asking(environ=environ) as ask, pytest.raises(TransportError) as caught:
            ask(f"http://{HOST}/v2/", Authorization=MINE)
    assert "would be shown to the proxy" in caught.value.message
    assert f"NO_PROXY={HOST}" in caught.value.hint
    assert "s3cret" not in f"{caught.value.message}{caught.value.hint}"
    assert proxy.requests == []


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY"])
def test_R38_a_tunnel_shows_the_proxy_no_credentials_and_no_request(authority, name):
    tls = authority.issue(HOST).server_context()
    with (
        raw_server(always(answered(b"here")), tls=tls) as server,
        raw_server(passing_on(server.port)) as proxy,
    ):
        environ = {
            name: f"http://me:pass%20word@{proxy.address}",
            "SSL_CERT_FILE": str(authority.certificate),
        }
        with asking(environ=environ) as ask:
            for _ in range(2):
                assert ask.text(f"https://{HOST}/v2/", Authorization=MINE) == "here"
    (received,) = proxy.requests
    assert received.raw.decode() == (
        f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\nProxy-Authorization: {LOGIN}\r\n\r\n"
    )
    assert [one.headers["authorization"] for one in server.requests] == [MINE, MINE]
    assert not any("proxy-authorization" in one.headers for one in server.requests)


def test_R38_a_proxy_that_is_spoken_to_over_TLS_works_for_both_schemes(authority):
    tls = authority.issue(HOST).server_context()
    outer = authority.issue("127.0.0.1", file="proxy").server_context()
    environ = {"SSL_CERT_FILE": str(authority.certificate)}
    with (
        raw_server(always(answered(b"x" * 100_000)), tls=tls) as server,
        raw_server(passing_on(server.port), tls=outer) as proxy,
    ):
        environ["https_proxy"] = proxy.url
        with asking(environ=environ) as ask:
            url = f"https://{HOST}/v2/"
            assert len(ask(url, "PUT", body=bytes(300_000)).read(1 << 20)) == 100_000
    assert len(server.requests[0].body) == 300_000
    with (
        raw_server(always(answered(b"here")), tls=outer) as proxy,
        asking(environ={**environ, "http_proxy": proxy.url}) as ask,
    ):
        assert ask.text(f"http://{HOST}/v2/") == "here"


def test_R38_the_certificate_behind_the_tunnel_is_the_registrys(authority):
    tls = authority.issue("other.example.com").server_context()
    with (
        raw_server(always(answered()), tls=tls) as server,
        raw_server(passing_on(server.port)) as proxy,
    ):
        environ = {"https_proxy": proxy.url, "SSL_CERT_FILE": str(authority.certificate)}
        with asking(environ=environ) as ask, pytest.raises(TransportError) as caught:
            ask(f"https://{HOST}/v2/", Authorization=MINE)
    assert "for another name" in caught.value.message
    assert server.requests == []


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("login", ["", "me:secret@"])
def test_R38_a_proxy_that_wants_a_login_is_told(scheme, login):
    refused = answered(b"", "407 Proxy Authentication Required", "Proxy-Authenticate: Basic")
    with raw_server(always(refused)) as proxy:
        environ = {f"{scheme}_proxy": f"http://{login}{proxy.address}"}
        with asking(environ=environ) as ask, pytest.raises(TransportError) as caught:
            ask(f"{scheme}://{HOST}/v2/")
    error = caught.value
    assert error.phase is Phase.PROXY
    assert f"the proxy {proxy.address}" in error.message
    assert "(407)" in error.message
    assert "USER:PASSWORD@" in error.hint
    assert "secret" not in error.message


def test_R38_a_registry_behind_a_tunnel_is_not_taken_for_the_proxy(authority):
    tls = authority.issue(HOST).server_context()
    refused = answered(b"", "407 Proxy Authentication Required")
    with raw_server(always(refused), tls=tls) as server, raw_server(passing_on(server.port)) as one:
        environ = {"https_proxy": one.url, "SSL_CERT_FILE": str(authority.certificate)}
        with asking(environ=environ) as ask:
            assert ask(f"https://{HOST}/v2/").status == 407


def test_R38_a_proxy_that_hangs_ends_at_the_limit():
    def hangs(peer):
        peer.request()
        peer.pause()

    with raw_server(hangs) as proxy:
        environ = {"https_proxy": proxy.url, "http_proxy": proxy.url}
        with asking(environ=environ, http=settings(timeout=0.3)) as ask:
            for scheme, phase in (("https", Phase.PROXY), ("http", Phase.HEADERS)):
                started = time.monotonic()
                with pytest.raises(TransportError) as caught:
                    ask(f"{scheme}://{HOST}/v2/")
                assert time.monotonic() - started < 2
                assert (caught.value.phase, caught.value.timed_out) == (phase, True)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (answered(b"", "403 Forbidden"), "it answered 403"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "its answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\ntoo early", "it answered 200"),
        (b"", "its answer ended"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 9999, "more than 200 headers"),
    ],
)
def test_R38_a_proxy_that_makes_no_tunnel_is_told(answer, says):
    with raw_server(once(answer)) as proxy:
        environ = {"https_proxy": proxy.url}
        with asking(environ=environ) as ask, pytest.raises(TransportError) as caught:
            ask(f"https://{HOST}/v2/")
    assert says in caught.value.message
    assert caught.value.phase is Phase.PROXY
    assert f"{HOST}:443" in caught.value.message


def test_R38_a_proxy_that_is_not_there_is_told_to_be_the_proxy():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        asking(environ={"https_proxy": f"http://127.0.0.1:{port}"}) as ask,
        pytest.raises(TransportError) as caught,
    ):
        ask(f"https://{HOST}/v2/")
    assert f"(it is the proxy for {HOST}:443)" in caught.value.message
    assert "NO_PROXY" in caught.value.hint


def test_R38_what_NO_PROXY_names_and_this_machine_are_reached_directly():
    with raw_server(always(answered(b"here"))) as server, raw_server(once(b"")) as proxy:
        here = [(socket.AF_INET, ("127.0.0.1", server.port))]
        environ = {"http_proxy": proxy.url, "NO_PROXY": "other.test, .example.com"}
        with asking(environ=environ, resolve=lambda *_: here) as ask:
            assert ask.text(f"http://{HOST}/", Authorization=MINE) == "here"
            assert ask.text(f"http://127.0.0.1:{server.port}/") == "here"
    assert proxy.connections == 0
