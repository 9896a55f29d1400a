"""Signature values: how the algorithms write them, and the handlers that make and check them.

Two encodings of an RSA signature: plain (lower-case hex, one media type per algorithm) and PEM
(with the signer's certificates). The algorithm must agree with the media type, and the text has
one spelling, so that no signature can be written in two ways.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from ocm_pkg.errors import InvalidDocumentError, SignatureError, UsageError
from ocm_pkg.model.descriptor import SignatureSpec
from ocm_pkg.signing import certificates, gpg, pem, sigstorebundle
from ocm_pkg.signing.rsa import ALGORITHMS, MAX_BITS, PKCS1, PSS, sign_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.x509 import Certificate

    from ocm_pkg.model.digest import Digest
    from ocm_pkg.signing.keys import SigningKey

PEM_MEDIA_TYPE = "application/x-pem-file"
PLAIN_MEDIA_TYPES = {
    PSS: "application/vnd.ocm.signature.rsa.pss",
    PKCS1: "application/vnd.ocm.signature.rsa",
}

_HEX = re.compile(r"(?:[0-9a-f]{2})+")


@dataclass(frozen=True, slots=True)
class SignatureValue:
    """A signature entry, read: nothing in it is trusted yet. ``chain``: the leaf first."""

    algorithm: str
    value: bytes
    chain: tuple[Certificate, ...] = ()
    issuer: str | None = None


def read_value(spec: SignatureSpec, *, what: str) -> SignatureValue:
    """Return what ``spec`` says, or raise ``SignatureError`` if it is no valid entry."""
    if spec.algorithm == sigstorebundle.OLD_ALGORITHM:
        raise SignatureError(
            f"{what} is a Sigstore signature in the form of the older tool (v1), which is not "
            "supported",
            hint=f"ask its provider for one of the form {sigstorebundle.ALGORITHM}",
        )
    if spec.algorithm not in ALGORITHMS:
        supported = (*ALGORITHMS, gpg.ALGORITHM, sigstorebundle.ALGORITHM)
        raise SignatureError(
            f"{what} uses the algorithm {spec.algorithm[:60]!r}, which is not supported",
            hint=f"supported are {', '.join(supported)}",
        )
    if spec.media_type == PEM_MEDIA_TYPE:
        return _read_pem(spec, what)
    if spec.media_type != PLAIN_MEDIA_TYPES[spec.algorithm]:
        raise SignatureError(
            f"{what} says algorithm {spec.algorithm}, but media type {spec.media_type[:80]!r}"
        )
    if len(spec.value) > MAX_BITS // 4 or not _HEX.fullmatch(spec.value):
        raise SignatureError(f"{what} has a value that is not lower-case hex")
    return SignatureValue(spec.algorithm, bytes.fromhex(spec.value), (), spec.issuer)


def _read_pem(spec: SignatureSpec, what: str) -> SignatureValue:
    try:
        parsed = pem.parse_signature(spec.value, name=what)
        chain = tuple(
            certificates.load_der(data, name=f"certificate {index} of {what}")
            for index, data in enumerate(parsed.certificates, 1)
        )
    except InvalidDocumentError as error:
        raise SignatureError(error.message) from error
    if parsed.algorithm not in (None, spec.algorithm):
        raise SignatureError(f"{what} names {spec.algorithm}, its PEM text another algorithm")
    return SignatureValue(spec.algorithm, parsed.value, chain, spec.issuer or None)


def make_value(
    digest: Digest, key: SigningKey, algorithm: str, chain: Sequence[Certificate] = ()
) -> SignatureSpec:
    """Sign ``digest``: plain hex, or PEM if there is a ``chain`` (leaf first, roots left out).

    No issuer is written: each reference tool would expect another one.
    """
    value = sign_digest(key.key, digest, algorithm)
    if not chain:
        return SignatureSpec(
            algorithm=algorithm, media_type=PLAIN_MEDIA_TYPES[algorithm], value=value.hex()
        )
    leaf = certificates.rsa_key(chain[0])
    if leaf.public_numbers() != key.key.public_key().public_numbers():
        raise UsageError(
            f"the first certificate, {certificates.subject(chain[0])}, is not for this key",
            hint="the chain file must begin with the signer's own certificate",
        )
    carried = [
        certificate.public_bytes(Encoding.DER)
        for index, certificate in enumerate(chain)
        if index == 0 or certificate.subject != certificate.issuer
    ]
    text = pem.encode_signature(pem.SignaturePem(algorithm, value, tuple(carried)))
    return SignatureSpec(algorithm=algorithm, media_type=PEM_MEDIA_TYPE, value=text)
