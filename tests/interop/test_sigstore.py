"""Sigstore from end to end: signed with services on loopback, verified and installed offline."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ocm_pkg.errors import (
    AuthenticationError,
    InvalidDocumentError,
    OcmPkgError,
    RegistryError,
    SignatureError,
    TransportError,
    UsageError,
)
from ocm_pkg.model.digest import digest_of
from ocm_pkg.services.sign import sign
from ocm_pkg.signing import sigstorebundle, sigstoreroot, sigstoresign
from ocm_pkg.signing.form import Request
from ocm_pkg.signing.sigstoresign import load_signer, make_value
from tests.fakes.signing import new_repository, signing_key, stored
from tests.fakes.sigstore_instance import IDENTITY, ISSUER, SigstoreInstance
from tests.fakes.sigstore_services import CERTIFICATES, ENTRIES, SECRET, identity_token, running

DIGEST = digest_of(b"normalised")


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def services():
    with running() as found:
        yield found


@pytest.fixture
def files(services, tmp_path):
    """Files with a token and with the instance's client trust configuration."""
    token, config = tmp_path / "token", tmp_path / "config.json"
    token.write_text(identity_token() + "\n")
    token.chmod(0o600)
    config.write_text(json.dumps(services.instance.client_config()))
    return token, config


def refused(files, kind: type[OcmPkgError], says: str) -> None:
    signer = load_signer(*files)
    with pytest.raises(OcmPkgError) as caught:
        make_value(DIGEST, signer, now())
    assert type(caught.value) is kind, caught.value
    assert says in caught.value.message
    chain: BaseException | None = caught.value
    while chain is not None:
        assert signer.token not in str(chain)
        chain = chain.__cause__


def test_a_signature_is_made_for_the_identity_of_the_token(services, files) -> None:
    signer = load_signer(*files)
    assert signer.token not in repr(signer)
    assert signer.warnings == ()
    spec = make_value(DIGEST, signer, now())
    assert (spec.algorithm, spec.issuer) == ("Sigstore/v1alpha1", ISSUER)
    assert spec.media_type == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert services.requests == [CERTIFICATES, ENTRIES]
    maker = sigstorebundle.maker_of(spec.value, what="it")
    assert (maker.identity, maker.issuer) == (IDENTITY, ISSUER)
    assert signer.token.encode() not in base64.b64decode(spec.value)


def test_a_refused_token_is_an_error_of_authentication(services, files) -> None:
    services.answers[CERTIFICATES] = (401, b'{"message": "who is \\u001b[31mthis"}')
    refused(files, AuthenticationError, "refuses the identity token (status 401)")
    services.answers[CERTIFICATES] = (400, files[0].read_bytes())
    refused(files, RegistryError, "answered with status 400: …")


@pytest.mark.parametrize(
    ("path", "answer", "kind", "says"),
    [
        (CERTIFICATES, (500, b"down"), RegistryError, "status 500: down"),
        (CERTIFICATES, (200, b"{}"), RegistryError, "otherwise than a Sigstore"),
        (CERTIFICATES, (200, b"nothing"), RegistryError, "otherwise than a Sigstore"),
        (ENTRIES, (409, b'{"code":409,"message":"exists"}'), RegistryError, "status 409"),
        (ENTRIES, (201, b"{}"), RegistryError, "otherwise than a Sigstore"),
        (ENTRIES, (201, b"[]"), RegistryError, "otherwise than a Sigstore"),
    ],
)
def test_what_services_answer_wrongly_is_said(services, files, path, answer, kind, says) -> None:
    services.answers[path] = answer
    refused(files, kind, says)
    del services.answers[path]
    assert make_value(DIGEST, load_signer(*files), now()), "the twin"


def test_a_certificate_without_promise_and_a_log_that_lies_are_refused(services, files) -> None:
    services.wish = lambda wish: replace(wish, with_sct=False)
    refused(files, SignatureError, "signed certificate timestamp")
    services.wish = lambda wish: replace(wish, at=wish.at - timedelta(hours=1))
    refused(files, RegistryError, "ExpiredCertificate")
    services.wish = lambda wish: replace(wish, at=wish.at + timedelta(hours=1))
    refused(files, sigstorebundle.UntrustedError, "not valid at validation time")
    services.wish = lambda wish: wish
    services.instance.log_key = SigstoreInstance().log_key
    refused(files, SignatureError, "checkpoint")


def test_no_answer_is_an_error_of_the_network(files, monkeypatch) -> None:
    config = json.loads(files[1].read_text())
    gone = json.dumps(config).replace(config["signingConfig"]["caUrls"][0]["url"], "http://[::1]:1")
    files[1].write_text(gone)
    refused(files, TransportError, "can't be reached")
    monkeypatch.setattr(sigstoresign, "_SECONDS", 0.0)
    monkeypatch.setattr(sigstoresign, "_bundle", lambda *_: sigstoresign.threading.Event().wait(1))
    refused(files, TransportError, "did not answer within")


@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("", "holds no identity token"),
        ("a.b", "holds no identity token"),
        ("é.b.c", "holds no identity token"),
        ("a.b.c" + "x" * 65536, "holds no identity token"),
        ("a.b.c", "can't be used"),
        (identity_token(exp=1), "expired"),
        (identity_token(aud="other"), "Audience"),
    ],
)
def test_a_token_that_is_none_is_refused_and_not_shown(files, token, says) -> None:
    files[0].write_text(token)
    with pytest.raises(UsageError, match=says) as caught:
        load_signer(*files)
    assert caught.value.__cause__ is None
    assert SECRET not in caught.value.message


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://fulcio.example.com", True),
        ("http://localhost:1", True),
        ("http://fulcio.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("http://[::1", False),
        ("ftp://127.0.0.1", False),
        ("https://", False),
        (7, False),
    ],
)
def test_a_token_goes_nowhere_in_clear_text(files, url, allowed) -> None:
    config = json.loads(files[1].read_text())
    config["signingConfig"]["caUrls"][0]["url"] = url
    files[1].write_text(json.dumps(config))
    if allowed:
        assert load_signer(*files)
        return
    with pytest.raises(InvalidDocumentError, match="caUrls that is not https"):
        load_signer(*files)


@pytest.mark.parametrize(
    ("wanted", "how", "says"),
    [
        ({"algorithm": "RSASSA-PSS"}, {}, "not made with an identity token"),
        ({"algorithm": "GPG"}, {}, "not made with an identity token"),
        ({"chain": ("certificate",)}, {}, "a Sigstore signature carries no certificates"),
        ({}, {"dry_run": True}, "no dry run"),
    ],
)
def test_what_does_not_go_with_a_token_is_refused_before_anything_is_public(
    services, files, wanted, how, says
) -> None:
    repository = new_repository()
    common = {"repository": repository, "descriptor": stored(repository), "now": now()}
    with pytest.raises(UsageError, match=says):
        sign(**common, key=load_signer(*files), request=Request(**wanted), **how)
    with pytest.raises(UsageError, match="not made with an RSA key"):
        sign(**common, key=signing_key(), request=Request(algorithm=sigstorebundle.ALGORITHM))
    assert services.requests == []
    done = sign(**common, key=load_signer(*files), request=Request(hash_algorithm="SHA-512"))
    assert done.form.notes == ("v1 has another form of Sigstore signatures",)
    assert len(services.requests) == 2


def test_a_trusted_root_alone_is_nothing_to_sign_with(services, files) -> None:
    files[1].write_text(json.dumps(services.instance.trusted_root()))
    with pytest.raises(InvalidDocumentError, match="no services to sign with"):
        load_signer(*files)


def test_without_a_configuration_it_is_the_public_instance(files) -> None:
    signer = load_signer(files[0])
    assert b"https://fulcio.sigstore.dev" in signer.config
    assert b"certificateAuthorities" in sigstoreroot.read_root(signer.config, name="x").data
