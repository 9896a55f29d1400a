from __future__ import annotations

from pathlib import Path

import pytest

from ocm_pkg.errors import InvalidDocumentError, UntrustedError, UsageError
from ocm_pkg.model.consumer import GPG, RSA
from ocm_pkg.services.sign import sign
from ocm_pkg.signing import certificates, keys
from ocm_pkg.signing.configured import ConfiguredTrust, KeySource
from ocm_pkg.signing.form import Request
from ocm_pkg.signing.trust import TrustPolicy
from tests.fakes.signing import NOW, new_repository, public_key, signing_key, stored, trusting

VECTORS = Path(__file__).parents[2] / "vectors/keys"
SOURCE = KeySource(lambda text: VECTORS / text)


def text(name: str) -> str:
    return (VECTORS / name).read_text()


@pytest.mark.parametrize(
    "properties",
    [
        {"private_key_pem": text("test-key-a.private.pem")},
        {"private_key_pem_file": "test-key-a.private.pem"},
        {"private_key_pem_file": "test-key-a.private.pkcs1.pem"},
        {
            "private_key_pem": text("test-key-a.private.pem"),
            "private_key_pem_file": "test-key-b.private.pem",
        },
    ],
)
def test_a_private_key_is_inline_or_in_a_file_and_inline_wins(properties) -> None:
    found = SOURCE.signing_key(RSA, properties)
    assert found.fingerprint == keys.load_public_key(VECTORS / "test-key-a.public.pem").fingerprint


def test_without_a_private_key_there_is_none() -> None:
    assert SOURCE.signing_key(RSA, {"public_key_pem_file": "test-key-a.public.pem"}) is None
    assert SOURCE.signing_key(GPG, {}) is None


def test_an_openpgp_key_must_be_in_a_file() -> None:
    with pytest.raises(UsageError, match="file of its own"):
        SOURCE.signing_key(GPG, {"privateKeyPGP": "x"})
    with pytest.raises(UsageError, match="no armoured OpenPGP secret key"):
        SOURCE.signing_key(GPG, {"privateKeyPGPFile": "test-key-a.private.pem"})
    with pytest.raises(UsageError, match="no armoured OpenPGP public key"):
        SOURCE.trust(GPG, {"publicKeyPGPFile": "test-key-a.public.pem"})


@pytest.mark.parametrize(
    "properties",
    [
        {"public_key_pem": text("test-key-a.public.pem")},
        {"public_key_pem_file": "test-key-a.public.pem"},
        {"public_key_pem_file": "test-key-a.public.pkcs1.pem"},
        {"private_key_pem_file": "test-key-a.private.pem"},
    ],
)
def test_a_public_key_is_trusted_also_if_only_its_private_half_is_there(properties) -> None:
    [key] = SOURCE.trust(RSA, properties).keys
    assert key.fingerprint == keys.load_public_key(VECTORS / "test-key-a.public.pem").fingerprint


def test_certificates_give_the_signer_s_key_and_the_root() -> None:
    leaf = SOURCE.trust(RSA, {"public_key_pem_file": "test-leaf.chain.pem"})
    assert (len(leaf.keys), leaf.roots) == (1, ())
    whole = SOURCE.trust(RSA, {"public_key_pem_file": "test-leaf.chain-with-root.pem"})
    assert (len(whole.keys), len(whole.roots)) == (1, 1)
    root = SOURCE.trust(RSA, {"public_key_pem": text("test-root-ca.cert.pem")})
    assert (root.keys, len(root.roots)) == ((), 1)
    middle = SOURCE.trust(RSA, {"public_key_pem_file": "test-intermediate-ca.cert.pem"})
    assert (middle.keys, len(middle.roots)) == ((), 1)


def test_nothing_named_is_nobody_trusted() -> None:
    assert SOURCE.trust(RSA, {}) is None
    assert SOURCE.trust(GPG, {"passphrase": "x"}) is None


def test_openpgp_keys_are_inline_or_in_a_file() -> None:
    inline = SOURCE.trust(GPG, {"publicKeyPGP": text("test-gpg.public.asc")})
    in_file = SOURCE.trust(GPG, {"publicKeyPGPFile": "test-gpg.public.asc"})
    assert inline.gpg_keys[0].armoured == in_file.gpg_keys[0].armoured


def test_the_chain_is_what_the_public_side_holds() -> None:
    chain = SOURCE.chain({"public_key_pem_file": "test-leaf.chain.pem"})
    assert not certificates.is_authority(chain[0])
    assert SOURCE.chain({"public_key_pem_file": "test-key-a.public.pem"}) == ()
    assert SOURCE.chain({}) == ()


def test_a_file_that_is_no_text_is_refused(tmp_path) -> None:
    (tmp_path / "key.pem").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidDocumentError, match="is not text"):
        KeySource(lambda name: tmp_path / name).trust(RSA, {"public_key_pem_file": "key.pem"})


def signed(*names_and_keys: tuple[str, int]):
    repository = new_repository()
    descriptor = stored(repository)
    for name, number in names_and_keys:
        descriptor = sign(
            repository=repository,
            descriptor=descriptor,
            key=signing_key(number),
            now=NOW,
            request=Request(name),
        ).descriptor
    return descriptor


def policy(general: TrustPolicy, **numbers: int) -> ConfiguredTrust:
    def lookup(name: str, algorithm: str) -> TrustPolicy | None:
        assert algorithm.startswith("RSASSA-")
        return trusting(numbers[name]) if name in numbers else None

    return ConfiguredTrust(general.keys, general.roots, lookup=lookup)


def test_a_configured_key_is_trusted_for_the_signature_of_its_name() -> None:
    descriptor = signed(("release", 0), ("other", 1))
    signers = policy(trusting(1), release=0).check(descriptor, now=NOW)
    assert [(one.name, one.trusted_as) for one in signers] == [
        ("release", public_key(0).name),
        ("other", public_key(1).name),
    ]


def test_a_configured_key_is_trusted_for_no_other_signature() -> None:
    with pytest.raises(UntrustedError, match="made by none of the trusted keys"):
        policy(trusting(1), release=0).check(signed(("release", 0), ("other", 0)), now=NOW)
    with pytest.raises(UntrustedError, match="made by none of the trusted keys"):
        policy(trusting(0, 1), release=0).check(signed(("release", 1)), now=NOW)


def test_without_a_configured_key_all_is_as_usual() -> None:
    assert policy(trusting(0)).check(signed(("x", 0)), now=NOW)[0].name == "x"
    with pytest.raises(UntrustedError, match="not signed"):
        policy(trusting(0), release=0).check(signed(), now=NOW)


def test_only_the_named_signatures_are_looked_at_and_all_must_be_there() -> None:
    descriptor = signed(("release", 0), ("other", 1))
    trust = policy(TrustPolicy(), release=0)
    [signer] = trust.check(descriptor, names=["release"], now=NOW)
    assert signer.name == "release"
    with pytest.raises(UntrustedError, match="has no signature 'missing'"):
        trust.check(descriptor, names=["release", "missing"], now=NOW)
