"""Certificates of code signers: chains, their validity, and the names in a signature's issuer.

Rules: the anchors are the roots that were given and nothing else, a root inside a signature only
gets in the way and is left out; the leaf must be for code signing; every certificate must be valid
at the time asked for; at most ``MAX_CHAIN`` certificates.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from ocm_pkg.errors import InvalidDocumentError, UntrustedError
from ocm_pkg.signing.rsa import weakness

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

MAX_CHAIN = 8

_UNREADABLE = (
    ValueError,
    TypeError,
    OverflowError,
    Warning,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
_UNDERSTOOD = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.CERTIFICATE_POLICIES,
    }
)


def load_der(data: bytes, *, name: str) -> x509.Certificate:
    """Return the certificate, with its extensions decoded once so that they are known to be good.

    Anything that is no certificate is an ``InvalidDocumentError``.
    """
    try:
        with warnings.catch_warnings():
            # What the library only warns of (a negative serial number, say) is refused.
            warnings.simplefilter("error")
            certificate = x509.load_der_x509_certificate(data)
            _ = (certificate.extensions, certificate.subject, certificate.issuer)
            _ = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    except _UNREADABLE as error:
        raise InvalidDocumentError(f"{name} is not a certificate that can be read") from error
    # The count of unused bits stands outside of what is signed: only 0, so one spelling.
    if not data.endswith(b"\0" + certificate.signature):
        raise InvalidDocumentError(f"{name} is not a certificate in canonical form")
    return certificate


def rsa_key(certificate: x509.Certificate) -> RSAPublicKey:
    """Return the public key, or raise ``UntrustedError`` if it is weak or not RSA."""
    try:
        key = certificate.public_key()
    except _UNREADABLE as error:
        raise UntrustedError(f"certificate {subject(certificate)} has an unusable key") from error
    if not isinstance(key, RSAPublicKey):
        raise UntrustedError(f"certificate {subject(certificate)} is not for an RSA key")
    weak = weakness(key)
    if weak:
        raise UntrustedError(f"certificate {subject(certificate)} has a weak key: {weak}")
    return key


def subject(certificate: x509.Certificate) -> str:
    """Return the subject as one line, ``CN=...,O=...,C=...``."""
    return certificate.subject.rfc4514_string() or "without a subject"


def common_name(certificate: x509.Certificate) -> str | None:
    """Return the subject's common name, if it has one."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else None


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether the certificate may sign others."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def check_signer(leaf: x509.Certificate, now: datetime) -> None:
    """Return if ``leaf`` may sign code at ``now``, or raise ``UntrustedError`` that says why not.

    Who issued it is not looked at.
    """
    _check_time(leaf, now)
    _check_extensions(leaf)
    if is_authority(leaf):
        raise UntrustedError(f"certificate {subject(leaf)} is an authority's, not a signer's")
    try:
        uses = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        uses = None
    if uses is None or ExtendedKeyUsageOID.CODE_SIGNING not in uses:
        raise UntrustedError(
            f"certificate {subject(leaf)} is not for code signing",
            hint="the certificate needs the extended key usage codeSigning",
        )
    _check_usage(leaf, "digital_signature")
    rsa_key(leaf)


def check_chain(
    chain: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], now: datetime
) -> None:
    """Return if ``chain``, leaf first, leads to one of ``roots`` at ``now``.

    Otherwise raise ``UntrustedError`` with the reason.
    """
    leaf = chain[0]
    if len(chain) > MAX_CHAIN:
        raise UntrustedError(
            f"the chain of {subject(leaf)} has {len(chain)} certificates, {MAX_CHAIN} are allowed"
        )
    check_signer(leaf, now)
    between = [
        certificate for certificate in chain[1:] if certificate.subject != certificate.issuer
    ]
    for certificate in between:
        _check_time(certificate, now)
        _check_extensions(certificate)
    _verify(leaf, between, roots, now)


def _verify(
    leaf: x509.Certificate,
    between: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    now: datetime,
) -> None:
    verifier = (
        verification.PolicyBuilder()
        .store(verification.Store(list(roots)))
        .time(now)
        .max_chain_depth(MAX_CHAIN)
        .extension_policies(
            ca_policy=_authority_policy(), ee_policy=verification.ExtensionPolicy.permit_all()
        )
        .build_client_verifier()
    )
    try:
        verifier.verify(leaf, list(between))
    except (verification.VerificationError, ValueError) as error:
        issuer = leaf.issuer.rfc4514_string()
        raise UntrustedError(
            f"the certificate {subject(leaf)}, issued by {issuer}, leads to no trusted root",
            hint="give the root with --ca FILE; the signature must carry the intermediates",
            detail=[str(error)[:300]],
        ) from error


def _authority_policy() -> verification.ExtensionPolicy:
    def constraints(
        _policy: verification.Policy, _certificate: x509.Certificate, value: x509.BasicConstraints
    ) -> None:
        if not value.ca:
            raise ValueError("an issuer in the chain is no authority")

    def usage(
        _policy: verification.Policy, _certificate: x509.Certificate, value: x509.KeyUsage | None
    ) -> None:
        if value is not None and not value.key_cert_sign:
            raise ValueError("an issuer in the chain may not sign certificates")

    agnostic = verification.Criticality.AGNOSTIC
    return (
        verification.ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, agnostic, constraints)
        .may_be_present(x509.KeyUsage, agnostic, usage)
    )


def _check_time(certificate: x509.Certificate, now: datetime) -> None:
    if now < certificate.not_valid_before_utc:
        when = f"not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M:%SZ}"
    elif now > certificate.not_valid_after_utc:
        when = f"expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M:%SZ}"
    else:
        return
    raise UntrustedError(
        f"certificate {subject(certificate)} is {when}"
        if when.startswith("not")
        else f"certificate {subject(certificate)} {when}",
        hint=f"the clock of this machine says {now:%Y-%m-%d %H:%M:%SZ}",
    )


def _check_extensions(certificate: x509.Certificate) -> None:
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise UntrustedError(
                f"certificate {subject(certificate)} has the critical extension "
                f"{extension.oid.dotted_string}, which is not understood"
            )


def _check_usage(certificate: x509.Certificate, usage: str) -> None:
    try:
        value = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not getattr(value, usage):
        raise UntrustedError(
            f"certificate {subject(certificate)} has a key usage without {usage.replace('_', ' ')}"
        )


def issuer_fits(issuer: str, leaf: x509.Certificate) -> bool:
    """Whether a signature's ``issuer`` names ``leaf``, in either meaning that is in use.

    It is the subject of the leaf, or the subject of the authority that issued the leaf; a whole
    distinguished name, or a bare common name.
    """
    if "=" not in issuer:
        return issuer == common_name(leaf)
    try:
        name = x509.Name.from_rfc4514_string(issuer)
    except ValueError:
        return False
    return any(set(name) == set(known) for known in (leaf.subject, leaf.issuer))
