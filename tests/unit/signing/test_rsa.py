from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from ocm_pkg.errors import SignatureError
from ocm_pkg.model.digest import digest_of
from ocm_pkg.signing.rsa import ALGORITHMS, PKCS1, PSS, is_signed_by, sign_digest, weakness

DIGESTS = [digest_of(b"content", algorithm) for algorithm in ("sha256", "sha512")]


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize("digest", DIGESTS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_was_signed_verifies_and_only_that(key, algorithm, digest) -> None:
    signature = sign_digest(key, digest, algorithm)
    public = key.public_key()
    assert len(signature) == 256
    assert is_signed_by(public, digest, signature, algorithm)
    assert not is_signed_by(public, digest_of(b"other"), signature, algorithm)
    assert not is_signed_by(public, digest, signature[:-1] + b"\0", algorithm)
    assert not is_signed_by(public, digest, signature[:-1], algorithm)
    assert not is_signed_by(public, digest, b"", algorithm)


def test_S04_one_padding_is_never_read_as_the_other(key) -> None:
    for made, read in ((PSS, PKCS1), (PKCS1, PSS)):
        signature = sign_digest(key, DIGESTS[0], made)
        assert not is_signed_by(key.public_key(), DIGESTS[0], signature, read)
        assert is_signed_by(key.public_key(), DIGESTS[0], signature, made)


def test_S04_a_sha1_signature_and_an_unknown_algorithm_are_refused(key) -> None:
    sha1 = key.sign(b"\0" * 20, padding.PKCS1v15(), Prehashed(hashes.SHA1()))  # noqa: S303
    assert not is_signed_by(key.public_key(), DIGESTS[0], sha1, PKCS1)
    for algorithm in ("none", "", "RSA", "rsassa-pss"):
        with pytest.raises(SignatureError, match="is not RSA"):
            sign_digest(key, DIGESTS[0], algorithm)


@pytest.mark.parametrize("salt", [0, 1, 20, 32, 222])
def test_S04_any_salt_length_verifies_under_pss(key, salt) -> None:
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), salt)
    signature = key.sign(DIGESTS[0].raw, scheme, Prehashed(hashes.SHA256()))
    assert is_signed_by(key.public_key(), DIGESTS[0], signature, PSS)


def test_the_salt_is_as_long_as_the_key_allows_when_signing(key) -> None:
    signature = sign_digest(key, DIGESTS[0], PSS)
    exactly = padding.PSS(padding.MGF1(hashes.SHA256()), 256 - 32 - 2)
    key.public_key().verify(signature, DIGESTS[0].raw, exactly, Prehashed(hashes.SHA256()))


def test_S05_weak_keys_are_named_with_their_weakness(key) -> None:
    assert weakness(key.public_key()) is None
    numbers = key.public_key().public_numbers()
    assert "exponent 3" in str(weakness(rsa.RSAPublicNumbers(3, numbers.n).public_key()))
    assert "1024 bits" in str(
        weakness(rsa.RSAPublicNumbers(65537, numbers.n >> 1024 | 1).public_key())
    )
    huge = rsa.RSAPublicNumbers(65537, 1 << 16384 | 1).public_key()
    assert "at most" in str(weakness(huge))
    odd = rsa.RSAPublicNumbers((1 << 70) | 1, numbers.n).public_key()
    assert "no key generator" in str(weakness(odd))
