"""The commands with Sigstore: signed on loopback, verified and installed without a connection."""

from __future__ import annotations

import base64
import json
import socket

import pytest

from tests.fakes import rawctf
from tests.fakes.arena import NAME, REF, Arena
from tests.fakes.sigstore_instance import IDENTITY, ISSUER, SigstoreInstance
from tests.fakes.sigstore_services import SECRET, identity_token, running

PROGRAM = '#!/bin/sh\necho \'{"type":{"Hello/v1":["generic"]}}\'\n'
ROOT = ("--sigstore-root", "root.json")
WHO = ("--sigstore-identity", IDENTITY, "--sigstore-issuer", ISSUER, *ROOT)
VERIFY = ("verify", "cv", REF)
INSTALL = ("plugin", "install", REF, "--platform", "linux/amd64")
SIGN = ("sign", "cv", REF, "--identity-token", "token", "--sigstore-root", "services.json")
VERIFIER = """\
type: generic.config.ocm.software/v1
configurations:
- type: signing.config.ocm.software/v1alpha1
  verifier: {type: SigstoreVerificationConfiguration/v1alpha1, MEMBERS}
"""
MEMBERS = f"certificateIdentity: {IDENTITY}, certificateOIDCIssuer: '{ISSUER}'"
CREDENTIALS = """\
- type: credentials.config.ocm.software
  consumers:
  - identity: {type: SigstoreVerifier/v1alpha1, signature: default}
    credentials:
    - TRUSTED
"""
TYPED = "{type: TrustedRoot/v1alpha1, trustedRootJSONFile: root.json}"


@pytest.fixture
def arena(tmp_path, capsys, monkeypatch):
    """A component version signed with Sigstore, and no way to a network any more."""
    arena = Arena(tmp_path, capsys, monkeypatch)
    arena.secrets.append(SECRET)
    identity = {"os": "linux", "architecture": "amd64"}
    one = {"name": "hello", "type": "ocmPlugin", "input": {"type": "utf8", "text": PROGRAM}}
    arena.constructor(resources=[{**one, "extraIdentity": identity}])
    arena.accepted("add", "cv")
    with running() as services:
        arena.file("services.json", json.dumps(services.instance.client_config()))
        arena.file("root.json", json.dumps(services.instance.trusted_root()))
        arena.file("token", identity_token()).chmod(0o600)
        ended = arena.accepted(*SIGN, "-o", "json")
        arena.refused(*SIGN, code=8, says="has a signature 'default' already")
        arena.refused(*SIGN, "--force", "--dry-run", says="no dry run")
        arena.refused(*SIGN, "--force", "--offline", says="--offline forbids")
    arena.clean(ended)
    assert ended.json["signer"] == f"{IDENTITY} (according to {ISSUER})"
    assert ended.json["algorithm"] == "Sigstore/v1alpha1"
    assert ended.json["normalisation"] == "jsonNormalisation/v4alpha1"

    def forbidden(*_arguments: object, **_options: object) -> None:
        raise AssertionError("a socket")

    monkeypatch.setattr(socket, "socket", forbidden)
    return arena


def test_it_is_verified_and_installed_with_identity_and_issuer(arena) -> None:
    ended = arena.accepted(*VERIFY, *WHO, "--offline", "-o", "json")
    [signature] = ended.json["signatures"]
    assert signature["signer"] == f"{IDENTITY} (according to {ISSUER})"
    installed = arena.accepted(*INSTALL, *WHO, "--offline", "-o", "json").json
    assert installed["signature"]["name"] == "default"


def test_a_client_trust_configuration_is_as_good_as_its_root(arena) -> None:
    arena.accepted(*VERIFY, *WHO[:-2], "--sigstore-root", "services.json")


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ((), 4, "no identity is trusted"),
        (WHO[:-2], 4, "does not vouch for"),
        (("--sigstore-identity", IDENTITY, *ROOT), 2, "--sigstore-issuer is not given"),
        (("--sigstore-issuer", ISSUER, *ROOT), 2, "--sigstore-identity is not given"),
        (ROOT, 2, "--sigstore-identity is not given"),
        ((*WHO[:-1], "token"), 2, "not JSON"),
        ((*WHO[:-1], "nowhere.json"), 3, "nowhere.json"),
        (("--sigstore-identity", "other", *WHO[2:]), 4, f"by {IDENTITY}, and not by other"),
        ((*WHO[:3], "https://other.example.com", *ROOT), 4, f"according to {ISSUER}, and not to"),
    ],
)
def test_without_the_right_identity_issuer_and_root_it_is_refused(
    arena, options, code, says
) -> None:
    arena.refused(*VERIFY, *options, code=code, says=says)
    arena.refused(*INSTALL, *options, code=code, says=says)
    arena.accepted(*VERIFY, *WHO)


def test_a_changed_descriptor_signature_or_issuer_is_refused(arena) -> None:
    good = rawctf.read(arena.ctf, NAME, "1.0.0")
    value = good["signatures"][0]["signature"]["value"]
    other = SigstoreInstance()
    wrong = other.bundle(bytes.fromhex(good["signatures"][0]["digest"]["value"]))
    for change, says in (
        ({"value": value[:-8] + "A" * 8}, "Sigstore"),
        ({"value": encoded(wrong)}, "does not vouch for"),
        ({"value": "A" * 300_000}, "larger than 256 KiB"),
        ({"issuer": "https://other.example.com"}, "says issuer"),
        ({"algorithm": "sigstore"}, "older tool"),
        ({"mediaType": "application/vnd.ocm.signature.rsa"}, "media type"),
    ):
        rawctf.change(
            arena.ctf, NAME, "1.0.0", lambda one, change=change: sign_of(one).update(change)
        )
        arena.refused(*VERIFY, *WHO, code=4, says=says)
        arena.refused(*INSTALL, *WHO, code=4, says=says)
        rawctf.change(arena.ctf, NAME, "1.0.0", lambda one: sign_of(one).update(sign_of(good)))
    arena.accepted(*VERIFY, *WHO)
    rawctf.change(arena.ctf, NAME, "1.0.0", lambda one: one["component"].update(provider="evil"))
    arena.refused(*VERIFY, *WHO, code=4, says="changed after it was signed")


def sign_of(descriptor):
    return descriptor["signatures"][0]["signature"]


def encoded(bundle) -> str:
    return base64.b64encode(json.dumps(bundle).encode()).decode()


@pytest.mark.parametrize(
    "members",
    [
        MEMBERS,
        f"{MEMBERS}, privateInfrastructure: true",
        "certificateIdentityRegexp: '^release@', certificateOIDCIssuerRegexp: 'login.example'",
        f"{MEMBERS}, certificateIdentityRegexp: '^release@'",
    ],
)
@pytest.mark.parametrize("inline", [False, True])
def test_the_configured_verifier_is_enough(arena, members, inline) -> None:
    trusted = TYPED
    if inline:
        text = json.dumps((arena.work / "root.json").read_text())
        trusted = f"{{type: Credentials/v1, properties: {{trustedRootJSON: {text}}}}}"
    text = VERIFIER.replace("MEMBERS", members) + CREDENTIALS.replace("TRUSTED", trusted)
    arena.file(".ocmconfig", text)
    arena.accepted(*VERIFY)
    arena.accepted(*INSTALL)


@pytest.mark.parametrize(
    ("members", "with_root", "code", "says"),
    [
        (MEMBERS.replace(IDENTITY, "other"), True, 4, "and not by other"),
        (MEMBERS.replace(ISSUER, "https://other.example.com"), True, 4, "and not to"),
        ("certificateIdentityRegexp: '^$', " + MEMBERS.partition(", ")[2], True, 4, "like ^$"),
        (MEMBERS, False, 4, "does not vouch for"),
        (f"{MEMBERS}, privateInfrastructure: true", False, 2, "no trusted root is configured"),
        (MEMBERS.partition(", ")[0], True, 2, "has no certificateOIDCIssuer"),
        (MEMBERS.partition(", ")[2], True, 2, "has no certificateIdentity"),
        (f"{MEMBERS}, certificateIdentityRegexp: '('", True, 2, "is no regular expression"),
        (f"{MEMBERS}, certificateIdentityRegexp: '{'x' * 1001}'", True, 2, "longer than 1000"),
    ],
)
def test_a_configured_verifier_that_does_not_fit_refuses(
    arena, members, with_root, code, says
) -> None:
    text = VERIFIER.replace("MEMBERS", members)
    text += CREDENTIALS.replace("TRUSTED", TYPED) if with_root else ""
    arena.file(".ocmconfig", text)
    arena.refused(*VERIFY, code=code, says=says)
    arena.accepted(*VERIFY, *WHO)


def test_a_configured_root_that_is_no_text_is_said(arena) -> None:
    trusted = "{type: TrustedRoot/v1alpha1, trustedRootJSON: {a: b}}"
    text = VERIFIER.replace("MEMBERS", MEMBERS) + CREDENTIALS.replace("TRUSTED", trusted)
    arena.file(".ocmconfig", text)
    arena.refused(*VERIFY, code=2, says="is no text")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--algorithm", "Sigstore"), "with an identity token, and none is given"),
        (("--sigstore-root", "services.json"), "without --identity-token"),
        (("--identity-token", "token", "--algorithm", "GPG"), "not for GPG"),
        (("--identity-token", "token", "--key", "x"), "--key does not go with"),
        (("--identity-token", "token", "--encoding", "plain"), "--encoding does not go with"),
        (("--identity-token", "token", "--chain", "x"), "--chain does not go with"),
        (("--identity-token", "root.json"), "holds no identity token"),
    ],
)
def test_options_that_do_not_go_together_are_refused(arena, options, says) -> None:
    arena.refused("sign", "cv", REF, "--signature", "second", *options, says=says)
