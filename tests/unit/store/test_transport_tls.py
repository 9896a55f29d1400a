"""What a TLS context trusts and shows, from files; nothing is connected."""

from __future__ import annotations

import ssl

import pytest
from cryptography.hazmat.primitives import serialization

from ocm_pkg.errors import ConfigError, LocalStorageError
from ocm_pkg.store.tlserrors import explain
from ocm_pkg.store.tlssettings import client_context
from tests.fakes.certificates import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def trusted(context):
    """Return the names of the authorities that were read so far."""
    return [dict(one[0] for one in ca["subject"])["commonName"] for ca in context.get_ca_certs()]


def test_certificates_and_names_are_checked_from_TLS_1_2_on():
    context = client_context([], {})
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_nothing_is_checked_where_that_is_asked_for():
    context = client_context([], {}, insecure=True)
    assert not context.check_hostname
    assert context.verify_mode is ssl.CERT_NONE


def test_the_first_place_of_the_systems_authorities_is_taken(authority, tmp_path):
    bundle = str(authority.certificate)
    (tmp_path / "0a1b2c3d.0").write_bytes(authority.certificate.read_bytes())
    assert trusted(client_context([], {}, system=["/nowhere", bundle])) == ["Test CA"]
    # What is in a folder is only read when it is needed.
    assert trusted(client_context([], {}, system=[str(tmp_path), bundle])) == []
    client_context([], {}, system=[])


def test_the_environment_takes_the_place_of_the_systems_authorities(authority, tmp_path):
    other = Authority(tmp_path / "other", "Other CA")
    system = [str(other.certificate)]
    environ = {"SSL_CERT_FILE": str(authority.certificate), "SSL_CERT_DIR": f"{tmp_path}:/x"}
    assert trusted(client_context([], environ, system=system)) == ["Test CA"]
    assert trusted(client_context([], {"SSL_CERT_DIR": str(tmp_path)}, system=system)) == []


def test_folders_add_to_what_is_trusted(authority, tmp_path):
    other = Authority(tmp_path / "other", "Other CA")
    folder = other.certificate.parent
    found = trusted(client_context([folder], {}, system=[str(authority.certificate)]))
    assert sorted(found) == ["Other CA", "Test CA"]


@pytest.mark.parametrize("content", [b"", b"none", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_file_without_a_certificate_is_named(tmp_path, content):
    path = tmp_path / "ca.crt"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"ca\.crt is no certificate in PEM form") as caught:
        client_context([tmp_path], {}, system=[])
    assert caught.value.hint
    with pytest.raises(ConfigError, match=r"SSL_CERT_FILE names .*ca\.crt"):
        client_context([], {"SSL_CERT_FILE": str(path)})
    with pytest.raises(ConfigError, match="No such file"):
        client_context([], {"SSL_CERT_FILE": str(tmp_path / "gone")})


def test_a_pair_that_does_not_fit_or_needs_a_password_is_named(authority, tmp_path):
    mine = authority.issue("me", client=True, file="mine")
    other = authority.issue("you", client=True, file="yours")
    (tmp_path / "client.cert").write_bytes(mine.certificate.read_bytes())
    with pytest.raises(ConfigError, match="has no key beside it"):
        client_context([tmp_path], {}, system=[])
    loaded = serialization.load_pem_private_key(mine.key.read_bytes(), None)
    closed = loaded.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    )
    for key in (other.key.read_bytes(), b"none", closed):
        (tmp_path / "client.key").write_bytes(key)
        with pytest.raises(ConfigError, match="is no pair of certificate and plain key"):
            client_context([tmp_path], {}, system=[])
    (tmp_path / "client.key").write_bytes(mine.key.read_bytes())
    client_context([tmp_path], {}, system=[])


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(LocalStorageError, match="cannot read"):
        client_context([tmp_path / "gone"], {}, system=[])


def alert(reason):
    error = ssl.SSLError(1, "text")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (alert("WRONG_VERSION_NUMBER"), "plain http"),
        (alert("TLSV1_ALERT_PROTOCOL_VERSION"), "no TLS 1.2 or newer"),
        (alert("UNSUPPORTED_PROTOCOL"), "no TLS 1.2 or newer"),
        (alert("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "wants a client certificate"),
        (alert("SSLV3_ALERT_HANDSHAKE_FAILURE"), "it refused: handshake failure"),
        (alert("SOMETHING_ELSE"), "something else"),
        (alert(None), "it failed"),
        (ssl.SSLEOFError(8, "EOF"), "closed the connection"),
        (ConnectionResetError(), "closed the connection"),
    ],
)
def test_failures_of_TLS_have_words(error, says):
    reason, _ = explain(error, "registry.test:443")
    assert says in reason


def test_a_certificate_that_is_bad_in_another_way_is_told_in_OpenSSLs_words():
    error = ssl.SSLCertVerificationError(1, "text")
    error.verify_code, error.verify_message = 26, "unsuitable certificate purpose\x1b"
    reason, hint = explain(error, "registry.test:443")
    assert reason == "its certificate is not good: unsuitable certificate purpose\\x1b"
    assert hint
