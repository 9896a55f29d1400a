"""RSASSA-PSS and RSASSA-PKCS1-V1_5 over a digest that is computed already.

The digest's bytes are what is signed, with the digest's own hash; nothing is hashed twice. The
salt of PSS is as long as the key allows when signing, and of any length when verifying.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from ocm_pkg.errors import SignatureError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

    from ocm_pkg.model.digest import Digest

PSS = "RSASSA-PSS"
PKCS1 = "RSASSA-PKCS1-V1_5"
ALGORITHMS = (PSS, PKCS1)

MIN_BITS = 2048
MAX_BITS = 16384
MIN_EXPONENT = 65537


def weakness(key: RSAPublicKey) -> str | None:
    """Return why ``key`` is too weak to be used; None if it is not."""
    numbers = key.public_numbers()
    if key.key_size < MIN_BITS:
        return f"RSA with {key.key_size} bits; at least {MIN_BITS} are needed"
    if key.key_size > MAX_BITS:
        return f"RSA with {key.key_size} bits; at most {MAX_BITS} are accepted"
    if numbers.e < MIN_EXPONENT:
        return f"RSA with the public exponent {numbers.e}; at least {MIN_EXPONENT} is needed"
    if numbers.e.bit_length() > 64 or numbers.e % 2 == 0 or numbers.n % 2 == 0:
        return "RSA with numbers that no key generator makes"
    return None


def sign_digest(key: RSAPrivateKey, digest: Digest, algorithm: str) -> bytes:
    """Return the signature of ``digest``: as many bytes as the key's modulus has."""
    return key.sign(digest.raw, _padding(algorithm, digest, signing=True), Prehashed(_hash(digest)))


def is_signed_by(key: RSAPublicKey, digest: Digest, signature: bytes, algorithm: str) -> bool:
    """Whether ``signature`` is one of ``digest``, made with ``key`` and ``algorithm``."""
    try:
        key.verify(
            signature,
            digest.raw,
            _padding(algorithm, digest, signing=False),
            Prehashed(_hash(digest)),
        )
    except InvalidSignature:
        return False
    return True


def _hash(digest: Digest) -> hashes.HashAlgorithm:
    return hashes.SHA512() if digest.algorithm == "sha512" else hashes.SHA256()


def _padding(algorithm: str, digest: Digest, *, signing: bool) -> AsymmetricPadding:
    if algorithm == PSS:
        salt = padding.PSS.MAX_LENGTH if signing else padding.PSS.AUTO
        return padding.PSS(padding.MGF1(_hash(digest)), salt)
    if algorithm == PKCS1:
        return padding.PKCS1v15()
    raise SignatureError(f"signature algorithm {algorithm[:60]!r} is not RSA")
