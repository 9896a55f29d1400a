"""Bundles of Sigstore: good ones are accepted, and each bad one is refused for its own reason."""

from __future__ import annotations

import base64
import copy
import re
import socket
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from ocm_pkg.errors import OcmPkgError, SignatureError, UntrustedError
from ocm_pkg.model.digest import digest_of
from ocm_pkg.signing import sigstorebundle
from ocm_pkg.signing.sigstorebundle import Expected
from tests.fakes.signing import NOW
from tests.fakes.sigstore_instance import (
    IDENTITY,
    ISSUER,
    SIGNED,
    SigstoreInstance,
    Wish,
    b64,
    bundle_of,
    encoded,
    hashedrekord,
    root_of,
    trusting,
)

if TYPE_CHECKING:
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.signing.sigstorebundle import SigstoreTrust

INSTANCE, STRANGER = SigstoreInstance(), SigstoreInstance()
DIGEST = digest_of(b"normalised")
GOOD = INSTANCE.bundle(DIGEST.raw)
WORKFLOW = "https://git.example.com/acme/plugins/.ci/release.yaml@refs/tags/v1"
USER_NAME = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.7")


def trust(**members: object) -> SigstoreTrust:
    return trusting(INSTANCE, **members)


def check(bundle: object, trusted=None, digest: Digest = DIGEST, now=NOW):
    return sigstorebundle.check(
        encoded(bundle), digest, trusted or trust(), now, what="signature 'default'"
    )


def refused(bundle: object, says: str, kind: type[OcmPkgError] = SignatureError, **how) -> None:
    with pytest.raises(OcmPkgError) as caught:
        check(bundle, **how)
    assert type(caught.value) is kind, caught.value
    assert says in caught.value.message
    assert caught.value.exit_code == 4
    assert "\n" not in caught.value.message
    assert check(GOOD), "the twin"


def changed(*path: str | int, to: object) -> dict:
    bundle = copy.deepcopy(GOOD)
    place = bundle
    for step in path[:-1]:
        place = place[step]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return bundle


CERTIFICATE = ("verificationMaterial", "certificate")
ENTRY = ("verificationMaterial", "tlogEntries", 0)
PROOF = (*ENTRY, "inclusionProof")


def test_a_good_bundle_says_who_made_it() -> None:
    maker = check(GOOD)
    assert (maker.identity, maker.issuer) == (IDENTITY, ISSUER)
    assert re.fullmatch("sha256:[0-9a-f]{64}", maker.fingerprint)
    assert str(maker) == f"{IDENTITY} (according to {ISSUER})"
    assert check(changed("mediaType", to=sigstorebundle.BUNDLE_TYPES[1]))


def test_what_is_signed_is_the_bytes_of_the_digest_for_both_hashes() -> None:
    long = digest_of(b"normalised", "sha512")
    assert check(INSTANCE.bundle(long.raw), digest=long)
    refused(INSTANCE.bundle(long.hex.encode()), "mismatch", digest=long)


def test_neither_checks_nor_refusals_open_a_connection(monkeypatch, tmp_path) -> None:
    def forbidden(*_arguments: object, **_options: object) -> None:
        raise AssertionError("a socket")

    monkeypatch.setattr(socket, "socket", forbidden)
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    refused(GOOD, "does not vouch for", UntrustedError, trusted=trust(root=None))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wish",
    [
        Wish(identity=WORKFLOW),
        Wish(issuer_forms=("v1",)),
        Wish(issuer_forms=("v2",)),
        Wish(
            identity="robot",
            names=[x509.OtherName(USER_NAME, b"\x0c\x05robot")],
        ),
    ],
)
def test_every_form_of_a_certificate_is_read(wish: Wish) -> None:
    bundle = INSTANCE.bundle(DIGEST.raw, wish)
    assert check(bundle, trust(identity=Expected(wish.identity))).identity == wish.identity
    refused(bundle, "and not by other", UntrustedError, trusted=trust(identity=Expected("other")))


def test_another_identity_is_refused() -> None:
    for other in ("other@example.com", "release@example.co", "release@example.com.evil", " "):
        wrong = trust(identity=Expected(other))
        refused(GOOD, f"by {IDENTITY}, and not by {other}", UntrustedError, trusted=wrong)


def test_another_issuer_is_refused() -> None:
    for other in ("https://login.example.com/", "https://login.example.co"):
        wrong = trust(issuer=Expected(other))
        refused(GOOD, f"according to {ISSUER}, and not to {other}", UntrustedError, trusted=wrong)


def test_patterns_are_searched_for_and_hold_beside_a_text() -> None:
    bundle = INSTANCE.bundle(DIGEST.raw, Wish(identity=WORKFLOW))
    like = Expected(pattern=re.compile("^https://git.example.com/acme/"))
    assert check(bundle, trust(identity=like))
    assert check(bundle, trust(identity=like, issuer=Expected(ISSUER, re.compile("example"))))
    for wrong in (
        trust(identity=Expected(pattern=re.compile("^https://git.example.com/other/"))),
        trust(identity=like, issuer=Expected(ISSUER, re.compile("^http:"))),
        trust(identity=Expected("other", re.compile("acme"))),
    ):
        refused(bundle, "and not", UntrustedError, trusted=wrong)


def test_nothing_can_be_expected_that_everything_fits() -> None:
    for empty in ({}, {"text": ""}, {"pattern": re.compile("")}):
        with pytest.raises(ValueError, match="anything"):
            Expected(**empty)


def test_without_a_trusted_identity_it_is_refused() -> None:
    with pytest.raises(UntrustedError, match="no identity is trusted") as caught:
        sigstorebundle.check(encoded(GOOD), DIGEST, None, NOW, what="it")
    assert "--sigstore-identity" in str(caught.value.hint)


def test_another_artifact_is_refused_with_and_without_its_digest_in_the_bundle() -> None:
    other = digest_of(b"other")
    refused(GOOD, "message digest mismatch", digest=other)
    bare = changed("messageSignature", "messageDigest", to=None)
    assert check(bare)
    refused(bare, "Signature is invalid", digest=other)


def test_another_instances_certificate_is_refused() -> None:
    refused(GOOD, "does not vouch for", UntrustedError, trusted=trust(root=root_of(STRANGER)))
    refused(STRANGER.bundle(DIGEST.raw), "does not vouch for", UntrustedError)


def test_a_certificate_that_was_not_valid_when_it_was_logged_is_refused() -> None:
    for logged in (SIGNED + timedelta(minutes=11), SIGNED - timedelta(minutes=1)):
        late = INSTANCE.bundle(DIGEST.raw, logged=logged)
        refused(late, "not valid at validation time", UntrustedError)
    assert check(INSTANCE.bundle(DIGEST.raw, logged=SIGNED + timedelta(minutes=9)))


def test_a_bundle_without_any_vouched_time_is_refused() -> None:
    refused(changed(*ENTRY, "inclusionPromise", to=None), "inclusion promise or signed timestamp")
    refused(changed(*ENTRY, "integratedTime", to=None), "not enough sources of verified time")
    refused(changed(*ENTRY, "integratedTime", to="9" * 18), "not valid")
    moved = changed(*ENTRY, "integratedTime", to=str(int(SIGNED.timestamp()) + 60))
    refused(moved, "invalid inclusion promise")


def test_S14_a_clock_before_the_signature_is_a_refusal() -> None:
    refused(GOOD, "now it is 1970-01-01", now=datetime(1970, 1, 1, tzinfo=UTC))
    assert check(GOOD, now=datetime(2106, 1, 1, tzinfo=UTC)), "the certificate had its time"


def test_a_certificate_that_no_log_promised_is_refused() -> None:
    bare = INSTANCE.bundle(DIGEST.raw, Wish(with_sct=False))
    refused(bare, "does not contain a signed certificate timestamp")
    stranger = Wish(sct_key=ec.generate_private_key(ec.SECP256R1()))
    refused(INSTANCE.bundle(DIGEST.raw, stranger), "SCT verify failed")


def test_an_entry_that_is_not_proven_is_refused() -> None:
    refused(changed(*PROOF, to=None), "inclusionProof")
    refused(changed(*PROOF, "checkpoint", to=None), "inclusion proof, with checkpoint")
    refused(changed(*PROOF, "rootHash", to=b64(b"x" * 32)), "invalid root hash")
    refused(changed(*PROOF, "hashes", to=[]), "inclusion proof has wrong size")
    body = base64.b64decode(GOOD["verificationMaterial"]["tlogEntries"][0]["canonicalizedBody"])
    foreign = STRANGER.entry(body, SIGNED)
    refused(changed("verificationMaterial", "tlogEntries", to=[foreign]), "checkpoint")
    twice = GOOD["verificationMaterial"]["tlogEntries"] * 2
    refused(changed("verificationMaterial", "tlogEntries", to=twice), "exactly one log entry")
    refused(changed("verificationMaterial", "tlogEntries", to=[]), "exactly one log entry")


def test_an_entry_for_another_signature_is_refused() -> None:
    [entry] = INSTANCE.bundle(DIGEST.raw)["verificationMaterial"]["tlogEntries"]
    refused(changed("verificationMaterial", "tlogEntries", to=[entry]), "inconsistent")
    rubbish = INSTANCE.entry(b"{}", SIGNED)
    refused(changed("verificationMaterial", "tlogEntries", to=[rubbish]), "not valid")


def test_a_changed_signature_is_refused() -> None:
    refused(changed("messageSignature", "signature", to=b64(b"x" * 70)), "Signature is invalid")
    other = INSTANCE.bundle(DIGEST.raw)["messageSignature"]["signature"]
    refused(changed("messageSignature", "signature", to=other), "Signature is invalid")


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        (Wish(usage=ExtendedKeyUsageOID.SERVER_AUTH), "code signing"),
        (Wish(issuer_forms=()), "names no issuer"),
        (Wish(v1_issuer="https://evil.example.com"), "names two issuers"),
        (Wish(issuer="https://login\n.example.com"), "a name that is no name"),
        (Wish(issuer="x" * 2049), "a name that is no name"),
        (Wish(names=[x509.RFC822Name(IDENTITY), x509.RFC822Name("b@c.de")]), "for one identity"),
        (Wish(names=[x509.DNSName("example.com")]), "no identity of Sigstore"),
        (Wish(names=[x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\5\0")]), "no identity"),
        (Wish(names=[x509.OtherName(USER_NAME, b"\5\0")]), "not for one identity"),
    ],
)
def test_a_certificate_that_is_not_as_sigstore_makes_them_is_refused(wish, says) -> None:
    refused(INSTANCE.bundle(DIGEST.raw, wish), says)


def test_a_key_that_is_not_for_ecdsa_is_refused() -> None:
    key = rsa.generate_private_key(65537, 2048)
    certificate = INSTANCE.certificate(key.public_key())
    body = hashedrekord(DIGEST.raw, b"x", certificate)
    bundle = bundle_of(DIGEST.raw, b"x", certificate, INSTANCE.entry(body))
    refused(bundle, "not for ECDSA")


def test_what_is_no_bundle_is_refused() -> None:
    refused("", "not JSON")
    refused("!", "not base64")
    refused(encoded(GOOD) + "\n", "not base64")
    refused("QUI=" + "QUI=", "not base64")
    refused("QUJ=", "one spelling")
    refused(b64(b"nothing"), "not JSON")
    refused(b64(b"[]"), "no JSON object")
    refused(b64(b'{"a":1,"a":2}'), "no bundle of Sigstore")
    refused(b64(b"\xff"), "no bundle of Sigstore")
    refused(b64(b"[" * 100_000), "no bundle of Sigstore")
    refused("A" * (sigstorebundle.MAX_SIZE + 4), "larger than 256 KiB")
    refused(changed("mediaType", to=None), "of another version")
    refused(changed("mediaType", to="application/vnd.dev.sigstore.bundle.v0.4+json"), "version")
    refused(changed("messageSignature", to=None), "without a signature")
    refused(changed(*CERTIFICATE, to=None), "malformed")
    refused(changed(*CERTIFICATE, "rawBytes", to=b64(b"x")), "malformed")
    refused(changed(*ENTRY, "canonicalizedBody", to=None), "malformed")


def test_no_changed_byte_of_what_counts_gives_a_pass_or_a_crash() -> None:
    for path in (
        (*CERTIFICATE, "rawBytes"),
        (*ENTRY, "canonicalizedBody"),
        (*ENTRY, "inclusionPromise", "signedEntryTimestamp"),
        (*PROOF, "rootHash"),
        ("messageSignature", "signature"),
    ):
        place = GOOD
        for step in path:
            place = place[step]
        data = base64.b64decode(place)
        for index in range(0, len(data), 13):
            broken = bytearray(data)
            broken[index] ^= 1
            with pytest.raises((SignatureError, UntrustedError)):
                check(changed(*path, to=b64(bytes(broken))))
    assert check(GOOD)


def test_values_of_other_kinds_anywhere_give_no_pass_and_no_crash() -> None:
    def paths(value: object, path: tuple = ()):
        yield path
        children = value.items() if isinstance(value, dict) else ()
        children = enumerate(value) if isinstance(value, list) else children
        for key, child in children:
            yield from paths(child, (*path, key))

    harmless = {("messageSignature", "messageDigest")}
    for path in list(paths(GOOD))[1:]:
        for value in (-1, 10**300, "", "x", [], {}, True):
            try:
                check(changed(*path, to=value))
            except (SignatureError, UntrustedError):
                continue
            assert path in harmless, (path, value)


def test_a_leaf_signed_by_a_stranger_with_the_authoritys_name_is_refused() -> None:
    wrong = SigstoreInstance()
    wrong.ct_key, wrong.log_key = INSTANCE.ct_key, INSTANCE.log_key
    assert isinstance(wrong.ca.signature_hash_algorithm, hashes.SHA256)
    refused(wrong.bundle(DIGEST.raw), "does not vouch for", UntrustedError)
