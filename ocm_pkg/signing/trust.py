"""Who is trusted: the check that every signature has to pass.

The rules, before the code: 1. no signature is a refusal. 2. Every signature must be good and by
somebody trusted, unless names were given: then every one of those. 3. The normalised digest is
computed, never believed. 4. What a trusted key may be used for comes from the policy, not from the
signature. 5. Two signatures of one name are refused.
"""

from __future__ import annotations

import hmac
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from ocm_pkg.errors import InvalidDocumentError, SignatureError, UntrustedError
from ocm_pkg.model.digest import Digest, algorithm_of, digest_of
from ocm_pkg.model.normalise import normalise
from ocm_pkg.signing import certificates, gpg, sigstorebundle
from ocm_pkg.signing import keys as keyfiles
from ocm_pkg.signing.handlers import read_value
from ocm_pkg.signing.rsa import ALGORITHMS, is_signed_by

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from pathlib import Path

    from cryptography.x509 import Certificate

    from ocm_pkg.model.descriptor import ComponentDescriptor, Signature, SignatureSpec
    from ocm_pkg.signing.handlers import SignatureValue
    from ocm_pkg.signing.keys import PublicKey


MAX_SIGNATURES = 32
"""How many signatures a component version may have to be looked at."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Who made a signature that was found good.

    ``name`` is the signature's, ``fingerprint`` that of the key that made it, ``trusted_as`` what
    it was accepted by: a key's file name or a certificate's subject. ``digest`` is the normalised
    digest that was signed, under ``normalisation``.
    """

    name: str
    algorithm: str
    fingerprint: str
    trusted_as: str
    normalisation: str
    digest: Digest


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """Keys and roots that are trusted, and the algorithms they may be used with.

    ``keys`` are RSA keys, ``gpg_keys`` OpenPGP ones, ``roots`` the anchors of certificates;
    ``sigstore`` says whose Sigstore signatures are accepted.
    """

    keys: tuple[PublicKey, ...] = ()
    roots: tuple[Certificate, ...] = ()
    algorithms: frozenset[str] = frozenset({*ALGORITHMS, gpg.ALGORITHM, sigstorebundle.ALGORITHM})
    gpg_keys: tuple[gpg.GpgKey, ...] = ()
    max_signatures: int = MAX_SIGNATURES
    sigstore: sigstorebundle.SigstoreTrust | None = None

    @classmethod
    def from_files(cls, keys: Sequence[Path], roots: Sequence[Path] = ()) -> Self:
        """Read public keys (RSA or OpenPGP), signers' and authorities' certificates.

        An authority's certificate among ``keys`` is a root: an authority signs no components.
        """
        trusted: list[PublicKey] = []
        anchors: list[Certificate] = []
        gpg_keys: list[gpg.GpgKey] = []
        for path in keys:
            if found := gpg.load_key(path):
                gpg_keys.append(found)
            elif authority := _authorities(path):
                anchors += authority
            else:
                trusted.append(keyfiles.load_public_key(path))
        for path in roots:
            anchors += _roots(path)
        return cls(tuple(trusted), tuple(anchors), gpg_keys=tuple(gpg_keys))

    def check(
        self,
        descriptor: ComponentDescriptor,
        *,
        names: Collection[str] | None = None,
        now: datetime,
    ) -> tuple[Signer, ...]:
        """Return who signed ``descriptor``: one entry per signature, in their order.

        With ``names`` only these signatures are looked at, and each must be there. Raises
        ``UntrustedError`` if there is nothing to verify or nobody trusted made it, and
        ``SignatureError`` if a signature is wrong.
        """
        chosen = _chosen(descriptor, names, self.max_signatures)
        return tuple(self._check_one(descriptor, signature, now) for signature in chosen)

    def _check_one(
        self, descriptor: ComponentDescriptor, signature: Signature, now: datetime
    ) -> Signer:
        what = f"signature {signature.name!r} of {descriptor.name}:{descriptor.version}"
        spec = signature.signature
        is_rsa = spec.algorithm not in {gpg.ALGORITHM, sigstorebundle.ALGORITHM}
        value = read_value(spec, what=what) if is_rsa else None
        digest = checked_digest(descriptor, signature, what=what)
        if spec.algorithm not in self.algorithms:
            raise UntrustedError(f"{what} uses {spec.algorithm}, which is not accepted for it")
        if value is None:
            make = self._gpg_maker if spec.algorithm == gpg.ALGORITHM else self._sigstore_maker
            fingerprint, trusted_as = make(spec, digest, what, now)
        elif value.chain:
            key, trusted_as = self._certified(value, what, now)
            fingerprint = key.fingerprint
            if not is_signed_by(key.key, digest, value.value, value.algorithm):
                raise SignatureError(f"{what} was not made with the key of its certificate")
        else:
            key = self._maker(value, digest, what)
            fingerprint, trusted_as = key.fingerprint, key.name
        normalisation = signature.digest.normalisation_algorithm
        return Signer(
            signature.name, spec.algorithm, fingerprint, trusted_as, normalisation, digest
        )

    def _gpg_maker(
        self, spec: SignatureSpec, digest: Digest, what: str, now: datetime
    ) -> tuple[str, str]:
        if spec.media_type != gpg.MEDIA_TYPE:
            raise SignatureError(f"{what} says GPG, but media type {spec.media_type[:80]!r}")
        fingerprint, key = gpg.check(spec.value, digest, self.gpg_keys, now, what=what)
        return fingerprint, key.name

    def _sigstore_maker(
        self, spec: SignatureSpec, digest: Digest, what: str, now: datetime
    ) -> tuple[str, str]:
        if spec.media_type != sigstorebundle.MEDIA_TYPE:
            raise SignatureError(
                f"{what} says {spec.algorithm}, but media type {spec.media_type[:80]!r}"
            )
        maker = sigstorebundle.check(spec.value, digest, self.sigstore, now, what=what)
        if spec.issuer not in {None, "", maker.issuer}:
            raise SignatureError(
                f"{what} says issuer {spec.issuer[:200]!r}, but its certificate {maker.issuer!r}"
            )
        return maker.fingerprint, str(maker)

    def _maker(self, value: SignatureValue, digest: Digest, what: str) -> PublicKey:
        if not self.keys:
            raise UntrustedError(
                f"{what} needs a public key, and none is trusted",
                hint="give the signer's public key with --key FILE",
            )
        for key in self.keys:
            if is_signed_by(key.key, digest, value.value, value.algorithm):
                return key
        known = ", ".join(f"{key.name} ({_short(key.fingerprint)})" for key in self.keys)
        raise UntrustedError(
            f"{what} was made by none of the trusted keys, or was changed: {known}",
            hint="ask the signer for the public key and give it with --key FILE",
        )

    def _certified(self, value: SignatureValue, what: str, now: datetime) -> tuple[PublicKey, str]:
        leaf = value.chain[0]
        key = certificates.rsa_key(leaf)
        name = certificates.subject(leaf)
        found = keyfiles.PublicKey(key, keyfiles.fingerprint(key), name)
        if value.issuer is not None and not certificates.issuer_fits(value.issuer, leaf):
            raise SignatureError(
                f"{what} says issuer {value.issuer[:200]!r}, but its certificate is {name}, "
                f"issued by {leaf.issuer.rfc4514_string()}"
            )
        pinned = any(same_text(known.fingerprint, found.fingerprint) for known in self.keys)
        if pinned:
            certificates.check_signer(leaf, now)
        elif self.roots:
            certificates.check_chain(value.chain, self.roots, now)
        else:
            raise UntrustedError(
                f"{what} is by {name}, and no root certificate is trusted",
                hint="give the root certificate with --ca FILE",
            )
        return found, name


def _short(fingerprint: str) -> str:
    return f"{fingerprint[:19]}…"


def same_text(one: str, other: str) -> bool:
    """Whether two texts are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


def _authorities(path: Path) -> tuple[Certificate, ...]:
    """Return the certificates of a key file that begins with an authority's."""
    if not keyfiles.holds_certificates(path):
        return ()
    found = keyfiles.load_certificates(path)
    return found if all(map(certificates.is_authority, found)) else ()


def _roots(path: Path) -> tuple[Certificate, ...]:
    found = keyfiles.load_certificates(path)
    for certificate in found:
        if not certificates.is_authority(certificate):
            raise UntrustedError(
                f"{path} holds {certificates.subject(certificate)}, which is no authority",
                hint="give a signer's certificate with --key FILE, an authority's with --ca FILE",
            )
    return found


def _chosen(
    descriptor: ComponentDescriptor, names: Collection[str] | None, most: int
) -> tuple[Signature, ...]:
    what = f"{descriptor.name}:{descriptor.version}"
    counted = Counter(signature.name for signature in descriptor.signatures)
    if not counted:
        raise UntrustedError(
            f"{what} is not signed: there is nothing to verify",
            hint=f"its provider signs it with: ocm-pkg sign cv REPOSITORY//{what}",
        )
    if counted.total() > most:
        raise SignatureError(
            f"{what} has {counted.total()} signatures, {most} are allowed",
            hint="--limit signatures=NUMBER allows more",
        )
    twice = next((name for name, count in counted.items() if count > 1), None)
    if twice is not None:
        raise SignatureError(f"{what} has two signatures with the name {twice!r}")
    if names is None:
        return tuple(descriptor.signatures)
    missing = sorted(set(names) - set(counted))
    if missing or not names:
        has = ", ".join(map(repr, counted))
        wanted = " and ".join(map(repr, missing)) or "no name"
        raise UntrustedError(f"{what} has no signature {wanted}; it has {has}")
    return tuple(signature for signature in descriptor.signatures if signature.name in names)


def checked_digest(descriptor: ComponentDescriptor, signature: Signature, *, what: str) -> Digest:
    """Return the normalised digest of ``descriptor``, which is the one ``signature`` is for.

    Raises ``SignatureError`` if it is another, or if it cannot be computed.
    """
    stated = signature.digest
    try:
        algorithm = algorithm_of(stated.hash_algorithm)
        said = Digest(algorithm, stated.value)
        actual = digest_of(normalise(descriptor, stated.normalisation_algorithm), algorithm)
    except InvalidDocumentError as error:
        raise SignatureError(f"{what} is not valid: {error.message}", hint=error.hint) from error
    if actual != said:
        raise SignatureError(
            f"{what} is for another descriptor: it was changed after it was signed",
            detail=[f"signed digest {said}", f"actual digest {actual}"],
        )
    return actual
