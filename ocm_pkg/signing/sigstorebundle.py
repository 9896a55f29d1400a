"""Sigstore signatures: bundles, checked offline against a trusted root, an identity and its issuer.

What is signed is the bytes of the digest. A bundle is accepted only with everything in it: a
certificate of the trusted authority with the promise of the certificate log, an entry of the
transparency log with its proof, and a time at which the certificate was valid. The checks are those
of the ``sigstore`` library, which is imported when there is such a signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from ocm_pkg._typing import override
from ocm_pkg.errors import (
    InvalidDocumentError,
    OcmPkgError,
    SignatureError,
    UntrustedError,
    escaped,
)
from ocm_pkg.model.jsontext import Limits
from ocm_pkg.signing.sigstoreroot import document, reason, require_library, root_for

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.x509 import Certificate
    from sigstore.models import Bundle

    from ocm_pkg.model.digest import Digest
    from ocm_pkg.signing.sigstoreroot import TrustRoot

ALGORITHM = "Sigstore/v1alpha1"
OLD_ALGORITHM = "sigstore"
"""What the older reference tool writes: another form, which is not read."""

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
BUNDLE_TYPES = (MEDIA_TYPE, "application/vnd.dev.sigstore.bundle+json;version=0.3")
MAX_SIZE = 256 * 1024
"""Characters of a signature's value; a bundle with timestamps has some 12,000."""

_MAX_NAME = 2048
_CLOCKS_DIFFER = timedelta(minutes=5)
_ISSUER_V1, _ISSUER_V2 = "1.3.6.1.4.1.57264.1.1", "1.3.6.1.4.1.57264.1.8"
_USER_NAME = "1.3.6.1.4.1.57264.1.7"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Expected:
    """What an identity or an issuer must be: a ``text``, something with a ``pattern``, or both.

    The pattern is searched for, as the reference does: ``^`` and ``$`` make it the whole.
    """

    text: str | None = None
    pattern: re.Pattern[str] | None = None

    def __post_init__(self) -> None:
        if not self.text and (self.pattern is None or not self.pattern.pattern):
            raise ValueError("an identity or issuer that may be anything")

    def fits(self, actual: str) -> bool:
        """Whether ``actual`` is as expected."""
        if self.text is not None and actual != self.text:
            return False
        return self.pattern is None or self.pattern.search(actual) is not None

    @override
    def __str__(self) -> str:
        parts = [self.text] if self.text is not None else []
        return " and ".join(parts + ([f"like {self.pattern.pattern}"] if self.pattern else []))


@dataclass(frozen=True, slots=True)
class SigstoreTrust:
    """Whose signatures are accepted. Without a ``root`` it is that of the public instance."""

    identity: Expected
    issuer: Expected
    root: TrustRoot | None = None


@dataclass(frozen=True, slots=True)
class SigstoreMaker:
    """Who made a good signature; ``fingerprint`` is that of the key, which was for this alone."""

    identity: str
    issuer: str
    fingerprint: str

    @override
    def __str__(self) -> str:
        return f"{self.identity} (according to {self.issuer})"


def check(
    value: str, digest: Digest, trust: SigstoreTrust | None, now: datetime, *, what: str
) -> SigstoreMaker:
    """Return who signed the bytes of ``digest``.

    ``value`` is the bundle in base64. Raises ``SignatureError`` if it is none or is wrong, and
    ``UntrustedError`` if it is by somebody else, by another instance, or if nobody is trusted.
    """
    data = _decoded(value, what)
    if trust is None:
        raise UntrustedError(
            f"{what} is a Sigstore signature, and no identity is trusted",
            hint="say who must have signed: --sigstore-identity IDENTITY --sigstore-issuer URL",
        )
    require_library(what)
    return _Checked(data, digest, trust, what).maker(now)


def maker_of(value: str, *, what: str) -> SigstoreMaker:
    """Return whom the certificate of a bundle names; nothing of it is verified."""
    return _maker(_bundle(_decoded(value, what), what).signing_certificate, what)


class _Checked:
    """The check of one bundle."""

    def __init__(self, data: bytes, digest: Digest, trust: SigstoreTrust, what: str) -> None:
        self._bundle = _bundle(data, what)
        self._digest, self._trust, self._what = digest, trust, what

    def maker(self, now: datetime) -> SigstoreMaker:
        leaf = self._bundle.signing_certificate
        self._run_library()
        if leaf.not_valid_before_utc > now + _CLOCKS_DIFFER:
            raise SignatureError(
                f"{self._what} was made at {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC, and "
                f"now it is {now:%Y-%m-%d %H:%M} UTC",
                hint="set this machine's clock",
            )
        return _maker(leaf, self._what)

    def _run_library(self) -> None:
        from sigstore.errors import CertValidationError
        from sigstore.verify import Verifier

        leaf = self._bundle.signing_certificate
        root = root_for(leaf, self._trust.root, what=self._what)
        try:
            Verifier(trusted_root=root).verify_artifact(self._digest.raw, self._bundle, self)
        except OcmPkgError:
            raise
        except CertValidationError as error:
            raise UntrustedError(
                f"{self._what} has a certificate that the trusted root does not vouch for at the "
                f"time of the signature: {reason(error)}",
                hint="another instance's trusted root is given with --sigstore-root FILE",
            ) from error
        except Exception as error:  # whatever stops the check: it did not pass
            raise SignatureError(
                f"{self._what} is not valid under Sigstore's rules: {reason(error)}"
            ) from error

    def verify(self, cert: Certificate) -> None:
        """Check identity and issuer; the library calls this once it believes the certificate."""
        identity, issuer = _identity(cert, self._what), _issuer(cert, self._what)
        if not self._trust.identity.fits(identity):
            raise UntrustedError(
                f"{self._what} is by {escaped(identity, 200)}, and not by {self._trust.identity}"
            )
        if not self._trust.issuer.fits(issuer):
            raise UntrustedError(
                f"{self._what} is by {escaped(identity, 200)} according to "
                f"{escaped(issuer, 200)}, and not to {self._trust.issuer}"
            )


def _decoded(value: str, what: str) -> bytes:
    if len(value) > MAX_SIZE:
        raise SignatureError(f"{what} has a bundle larger than {MAX_SIZE // 1024} KiB")
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignatureError(f"{what} has a value that is not base64") from error
    if base64.b64encode(data).decode() != value:
        raise SignatureError(f"{what} has a value that is not base64 in its one spelling")
    return data


def _bundle(data: bytes, what: str) -> Bundle:
    """Return the bundle, well-formed; nothing of it is verified yet."""
    try:
        value = document(data, "its bundle", Limits(size=MAX_SIZE, depth=20, nodes=4000))
    except InvalidDocumentError as error:
        raise SignatureError(f"{what} has no bundle of Sigstore: {error.message}") from error
    if value.get("mediaType") not in BUNDLE_TYPES:
        media_type = escaped(str(value.get("mediaType")), 80)
        raise SignatureError(f"{what} has a bundle of another version: {media_type}")
    if not isinstance(value.get("messageSignature"), dict):
        raise SignatureError(f"{what} has a bundle without a signature of an artifact")
    require_library(what)
    from sigstore.models import Bundle

    try:
        bundle = Bundle.from_json(data)
        key = bundle.signing_certificate.public_key()
    except Exception as error:  # the library has many ways to say no
        raise SignatureError(f"{what} has a malformed bundle: {reason(error)}") from error
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

    if not isinstance(key, EllipticCurvePublicKey):
        raise SignatureError(f"{what} has a certificate whose key is not for ECDSA")
    return bundle


def _maker(certificate: Certificate, what: str) -> SigstoreMaker:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    fingerprint = f"sha256:{hashlib.sha256(key).hexdigest()}"
    return SigstoreMaker(_identity(certificate, what), _issuer(certificate, what), fingerprint)


def _identity(certificate: Certificate, what: str) -> str:
    """Return the one identity that a certificate is for."""
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        [name] = names
        if isinstance(name, x509.OtherName):
            if name.type_id.dotted_string != _USER_NAME:
                raise SignatureError(f"{what} has a certificate for no identity of Sigstore")
            found = _der_text(name.value)
        elif isinstance(name, x509.RFC822Name | x509.UniformResourceIdentifier):
            found = name.value
        else:
            raise SignatureError(f"{what} has a certificate for no identity of Sigstore")
    except (x509.ExtensionNotFound, ValueError) as error:
        raise SignatureError(f"{what} has a certificate that is not for one identity") from error
    return _printable(found, what)


def _issuer(certificate: Certificate, what: str) -> str:
    """Return who vouched for the identity: the same in each form that is there."""
    from cryptography import x509

    found: set[str] = set()
    try:
        for extension in certificate.extensions:
            value = extension.value
            if not isinstance(value, x509.UnrecognizedExtension):
                continue
            if value.oid.dotted_string == _ISSUER_V2:
                found.add(_der_text(value.value))
            elif value.oid.dotted_string == _ISSUER_V1:
                found.add(value.value.decode("utf-8"))
    except ValueError as error:
        raise SignatureError(f"{what} has a certificate with an unreadable issuer") from error
    if len(found) != 1:
        number = "two issuers" if found else "no issuer"
        raise SignatureError(f"{what} has a certificate that names {number} of the identity")
    return _printable(found.pop(), what)


def _der_text(data: bytes) -> str:
    from cryptography.hazmat import asn1

    return asn1.decode_der(str, data)


def _printable(name: str, what: str) -> str:
    if not name or len(name) > _MAX_NAME or _CONTROL.search(name):
        raise SignatureError(f"{what} has a certificate with a name that is no name")
    return name
