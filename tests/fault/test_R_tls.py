"""Rows R36 and R37 (and N13 with TLS): plain http and TLS at the level of single exchanges."""

from __future__ import annotations

import contextlib
import shutil
import ssl
import warnings

import pytest

from ocm_pkg.errors import ConfigError, TransportError
from ocm_pkg.model.config_settings import HttpSettings
from ocm_pkg.store.exchange import Phase
from tests.fakes.certificates import Authority
from tests.fakes.rawserver import OK, always, answered, once, raw_server
from tests.fakes.transports import asking, settings

HERE = always(answered(b"here"))


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


def trusting(authority):
    return {"SSL_CERT_FILE": str(authority.certificate)}


def refusal(url, **more):
    """Return the error of an exchange that TLS must refuse."""
    with asking(**more) as ask, pytest.raises(TransportError) as caught:
        ask.text(url)
    assert caught.value.code == "E503"
    return caught.value


def certs_d(home, server, kind=".config/containers"):
    folder = home / kind / "certs.d" / server.address
    folder.mkdir(parents=True)
    return folder


def test_R36_a_server_without_TLS_is_told_and_is_not_asked_in_plain_http():
    bad = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n400"
    received = []

    def script(peer):
        received.append(peer.sock.recv(1000))
        peer.send(bad)

    with raw_server(script) as server:
        error = refusal(f"https://{server.address}/v2/")
    assert error.message == (
        f"cannot reach {server.address}: agreeing on TLS failed: "
        "it does not speak TLS; it seems to be plain http"
    )
    assert f"http://{server.address}/" in error.hint
    assert "--plain-http" in error.hint
    assert [one[0] for one in received] == [0x16]


def test_R36_a_server_that_waits_for_plain_http_is_a_guess_in_the_hint():
    with raw_server(HERE) as server:
        error = refusal(f"https://{server.address}/", http=settings(handshake_timeout=0.2))
    assert error.timed_out
    assert f"for plain http, write http://{server.address}/" in error.hint
    assert server.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
        answered(b"<h1>The plain HTTP request was sent to HTTPS port</h1>", "400 Bad Request"),
    ],
)
def test_R36_a_server_with_TLS_that_is_asked_in_plain_http_is_told(answer):
    with raw_server(once(answer)) as server:
        error = refusal(f"{server.url}/v2/")
    assert "it speaks TLS, and was asked in plain http" in error.message
    assert f"https://{server.address}/" in error.hint


def test_R36_a_server_with_TLS_that_just_ends_the_connection_is_a_guess_in_the_hint(authority):
    context = authority.issue("127.0.0.1").server_context()

    def script(peer):
        with contextlib.closing(context.wrap_socket(peer.sock, server_side=True)):
            pytest.fail("this is no TLS")

    with raw_server(script) as server:
        error = refusal(server.url)
    assert f"if it speaks TLS, write https://{server.address}/" in error.hint


def test_R36_another_bad_request_is_an_answer():
    with raw_server(always(answered(b"why", "400 Bad Request"))) as server, asking() as ask:
        response = ask(server.url)
        assert (response.status, response.read(10)) == (400, b"why")


def test_R36_plain_http_works_where_the_url_says_so():
    with raw_server(HERE) as server, asking() as ask:
        assert ask.text(server.url) == "here"


REFUSED = {
    "self-signed": ({"self_signed": True}, "its certificate is self-signed", "certs.d"),
    "expired": ({"days": (-20, -10)}, "its certificate has expired", "renewed"),
    "not valid yet": ({"days": (10, 20)}, "its certificate is not valid yet", "clock"),
}


@pytest.mark.parametrize(("how", "says", "fix"), REFUSED.values(), ids=REFUSED)
def test_R37_a_certificate_that_is_not_good_is_refused_with_the_reason(authority, how, says, fix):
    pair = authority.issue("127.0.0.1", **how)
    with raw_server(HERE, tls=pair.server_context()) as server:
        error = refusal(server.url, environ=trusting(authority))
    assert error.message == f"cannot reach {server.address}: agreeing on TLS failed: {says}"
    assert error.phase is Phase.TLS
    assert fix in error.hint
    assert server.requests == []


@pytest.mark.parametrize(("name", "says"), [("example.com", "address"), ("10.0.0.1", "address")])
def test_R37_a_certificate_for_another_name_is_refused(authority, name, says):
    pair = authority.issue(name)
    with raw_server(HERE, tls=pair.server_context()) as server:
        assert f"for another {says}" in refusal(server.url, environ=trusting(authority)).message
        by_name = refusal(f"https://localhost:{server.port}/", environ=trusting(authority))
    assert "for another name" in by_name.message


def test_R37_a_certificate_of_an_unknown_authority_is_refused_with_what_to_do(authority, tmp_path):
    pair = authority.issue("127.0.0.1")
    other = Authority(tmp_path / "other", "Another CA")
    with raw_server(HERE, tls=pair.server_context()) as server:
        for environ in ({}, trusting(other)):
            error = refusal(server.url, environ=environ)
            assert "of an authority that is not trusted" in error.message
            assert f"certs.d/{server.address}/ca.crt" in error.hint
            assert "SSL_CERT_FILE" in error.hint
    assert server.requests == []


def test_R37_an_own_authority_works_by_file_by_folder_and_by_certs_d(authority, tmp_path):
    pair = authority.issue("127.0.0.1", "localhost")
    with raw_server(HERE, tls=pair.server_context()) as server:
        with asking(environ=trusting(authority)) as ask:
            assert ask.text(server.url) == "here"
            assert ask.text(f"https://localhost:{server.port}/") == "here"
        for kind in (".config/containers", ".docker"):
            home = tmp_path / kind.replace("/", "-")
            shutil.copy(authority.certificate, certs_d(home, server, kind) / "any.crt")
            with asking(home=home) as ask:
                assert ask.text(server.url) == "here"


def test_R37_what_certs_d_trusts_for_one_registry_is_not_trusted_for_another(authority, tmp_path):
    pair = authority.issue("127.0.0.1")
    context = pair.server_context()
    with raw_server(HERE, tls=context) as one, raw_server(HERE, tls=context) as other:
        shutil.copy(authority.certificate, certs_d(tmp_path, one) / "ca.crt")
        with asking(home=tmp_path) as ask:
            assert ask.text(one.url) == "here"
            with pytest.raises(TransportError, match="not trusted"):
                ask.text(other.url)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_R37_a_client_certificate_is_shown_where_it_is_needed(authority, tmp_path, version):
    context = authority.issue("127.0.0.1").server_context(client_authority=authority.certificate)
    context.maximum_version = version
    mine = authority.issue("me", client=True, file="client")
    with raw_server(HERE, tls=context) as server:
        without = refusal(server.url, environ=trusting(authority))
        folder = certs_d(tmp_path, server)
        for path in (mine.certificate, mine.key):
            shutil.copy(path, folder / path.name)
        with asking(environ=trusting(authority), home=tmp_path) as ask:
            assert ask.text(server.url, "PUT", body=b"content") == "here"
    assert "client certificate" in f"{without.message} {without.hint}"
    assert "client.cert" in without.hint


def test_R37_TLS_1_1_is_refused_and_1_2_is_not(authority):
    old = authority.issue("127.0.0.1").server_context()
    new = authority.issue("127.0.0.1", file="new").server_context()
    new.maximum_version = ssl.TLSVersion.TLSv1_2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.set_ciphers("DEFAULT:@SECLEVEL=0")
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with raw_server(HERE, tls=old) as server:
        error = refusal(server.url, environ=trusting(authority))
    assert "it offers no TLS 1.2 or newer" in error.message
    with raw_server(HERE, tls=new) as server, asking(environ=trusting(authority)) as ask:
        assert ask.text(server.url) == "here"


def test_R37_checks_are_only_left_out_by_configuration_and_for_that_host(authority):
    context = authority.issue("example.com", days=(-20, -10)).server_context()
    with raw_server(HERE, tls=context) as server, raw_server(HERE, tls=context) as other:
        loose = HttpSettings(insecure_skip_verify=True)
        http = HttpSettings(timeout=2 * 10**9, hosts={server.address: loose})
        with asking(http=http) as ask:
            assert ask.text(server.url) == "here"
            with pytest.raises(TransportError, match="certificate"):
                ask.text(other.url)


def test_R37_a_server_that_ends_or_never_finishes_the_handshake_is_told():
    with raw_server(lambda peer: peer.close()) as server:
        error = refusal(f"https://{server.address}/")
        assert (error.phase, "closed the connection" in error.message) == (Phase.TLS, True)
    with raw_server(lambda peer: peer.pause()) as server:
        error = refusal(f"https://{server.address}/", http=settings(handshake_timeout=0.2))
        assert (error.phase, error.timed_out) == (Phase.TLS, True)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("ca.crt", b"no certificate", "ca.crt is no certificate in PEM form"),
        ("client.cert", b"no certificate", "client.cert has no key beside it"),
    ],
)
def test_R37_a_file_of_certs_d_that_is_wrong_is_named(authority, tmp_path, name, content, says):
    with raw_server(HERE, tls=authority.issue("127.0.0.1").server_context()) as server:
        (certs_d(tmp_path, server) / name).write_bytes(content)
        with asking(home=tmp_path) as ask, pytest.raises(ConfigError, match=says):
            ask.text(server.url)


def test_N13_TLS_that_is_cut_without_a_close_notice_is_a_truncation(authority):
    def script(peer):
        peer.request()
        peer.send(OK + b"\r\nno length, so only the close notice says that this is all")
        peer.cut() if peer.number == 0 else peer.sock.unwrap()

    tls = authority.issue("127.0.0.1").server_context()
    with raw_server(script, tls=tls) as server, asking(environ=trusting(authority)) as ask:
        with pytest.raises(TransportError, match="TLS ended without its close notice"):
            ask.text(server.url)
        assert ask.text(server.url).startswith("no length")


def test_N13_TLS_that_is_cut_in_the_middle_of_a_body_is_a_truncation(authority):
    def script(peer):
        peer.request()
        peer.send(OK + b"Content-Length: 1000\r\n\r\nabc")
        peer.cut()

    tls = authority.issue("127.0.0.1").server_context()
    with raw_server(script, tls=tls) as server:
        assert refusal(server.url, environ=trusting(authority)).lost
