"""Keys from the configuration: one consumer for each signature name and algorithm.

What is configured for a signature is trusted for the signature of that name alone, and instead of
the keys that are trusted otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from ocm_pkg._typing import override
from ocm_pkg.errors import InvalidDocumentError, UsageError
from ocm_pkg.fs.regular import open_regular
from ocm_pkg.model.consumer import GPG, RSA
from ocm_pkg.signing import certificates, gpg, keys, pem
from ocm_pkg.signing.gpgsign import load_signing_key
from ocm_pkg.signing.trust import TrustPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime
    from pathlib import Path

    from cryptography.x509 import Certificate

    from ocm_pkg.model.descriptor import ComponentDescriptor
    from ocm_pkg.signing.gpgsign import GpgSigningKey
    from ocm_pkg.signing.keys import SigningKey
    from ocm_pkg.signing.sigstoresign import SigstoreSigner
    from ocm_pkg.signing.trust import Signer

Lookup: TypeAlias = "Callable[[str, str], TrustPolicy | None]"
"""Returns who is trusted for the signature of a name, made with an algorithm; None: as usual."""

_PRIVATE, _PUBLIC = "private_key_pem", "public_key_pem"


@dataclass(frozen=True, slots=True)
class ConfiguredTrust(TrustPolicy):
    """A policy that gives way to the configured one, for each signature that has one."""

    lookup: Lookup = lambda _name, _algorithm: None

    @classmethod
    def over(cls, general: TrustPolicy, lookup: Lookup) -> Self:
        """Return ``general``, with what ``lookup`` finds in its place."""
        return cls(**_said(general), lookup=lookup)

    @override
    def check(
        self,
        descriptor: ComponentDescriptor,
        *,
        names: Collection[str] | None = None,
        now: datetime,
    ) -> tuple[Signer, ...]:
        general = TrustPolicy(**_said(self))
        policies = {
            signature.name: replace(own, max_signatures=self.max_signatures)
            for signature in descriptor.signatures
            if (names is None or signature.name in names)
            and (own := self.lookup(signature.name, signature.signature.algorithm))
        }
        if not policies:
            return general.check(descriptor, names=names, now=now)
        wanted = [one.name for one in descriptor.signatures] if names is None else names
        return tuple(
            signer
            for name in dict.fromkeys(wanted)
            for signer in policies.get(name, general).check(descriptor, names=[name], now=now)
        )


@dataclass(frozen=True, slots=True)
class SigningDefaults:
    """What the configuration says for a signature; None and empty where it says nothing.

    ``key`` is the private key, ``algorithm`` the one to sign with (the option's, if given).
    ``certificates`` are those of the key; with ``as_pem`` the signature carries them.
    """

    key: SigningKey | GpgSigningKey | SigstoreSigner | None = None
    algorithm: str | None = None
    certificates: tuple[Certificate, ...] = ()
    as_pem: bool = False


@dataclass(frozen=True, slots=True)
class KeySource:
    """Reads the keys that the properties of a consumer hold or name.

    ``path_of`` makes a path of a text in the configuration.
    """

    path_of: Callable[[str], Path]

    def signing_key(
        self, identity_type: str, properties: Mapping[str, str], password: bytes | None = None
    ) -> SigningKey | GpgSigningKey | None:
        """Return the private key; None if there is none. Inline text wins over a file."""
        if identity_type == GPG:
            return self._gpg_signing_key(properties, password)
        if text := properties.get(_PRIVATE):
            return keys.read_private_key(text, name="the configured private key", password=password)
        if file := properties.get(f"{_PRIVATE}_file"):
            return keys.load_private_key(self.path_of(file), password)
        return None

    def _gpg_signing_key(
        self, properties: Mapping[str, str], password: bytes | None
    ) -> GpgSigningKey | None:
        file = properties.get("privateKeyPGPFile")
        if not file:
            if "privateKeyPGP" in properties:
                raise UsageError(
                    "a configured OpenPGP key must be in a file of its own",
                    hint="name it as privateKeyPGPFile",
                )
            return None
        phrase = properties.get("passphrase")
        password = password or (phrase.encode() if phrase else None)
        key = load_signing_key(self.path_of(file), password)
        if key is None:
            raise UsageError(f"{file} holds no armoured OpenPGP secret key")
        return key

    def chain(self, properties: Mapping[str, str]) -> tuple[Certificate, ...]:
        """Return the certificates for a signature, the signer's own first; there may be none."""
        text, name = self._public_text(properties)
        return keys.read_certificates(text, name=name) if text else ()

    def trust(self, identity_type: str, properties: Mapping[str, str]) -> TrustPolicy | None:
        """Return who is trusted by the properties of a consumer; None if they name no key."""
        if identity_type == GPG:
            key = self._gpg_key(properties)
            return TrustPolicy(gpg_keys=(key,)) if key else None
        text, name = self._public_text(properties)
        if not text:
            private = self.signing_key(RSA, properties)
            if not isinstance(private, keys.SigningKey):
                return None
            public = private.key.public_key()
            return TrustPolicy((keys.PublicKey(public, private.fingerprint, "private key"),))
        chain = keys.read_certificates(text, name=name)
        if not chain:
            return TrustPolicy((keys.read_public_key(text, name=name),))
        roots = tuple(filter(_is_root, chain[-1:]))
        if certificates.is_authority(chain[0]):
            return TrustPolicy(roots=roots or chain[:1])
        return TrustPolicy((keys.read_public_key(text, name=name),), roots)

    def _public_text(self, properties: Mapping[str, str]) -> tuple[str, str]:
        if text := properties.get(_PUBLIC):
            return text, "the configured public key"
        file = properties.get(f"{_PUBLIC}_file")
        return (_read(self.path_of(file)), file) if file else ("", "")

    def _gpg_key(self, properties: Mapping[str, str]) -> gpg.GpgKey | None:
        if text := properties.get("publicKeyPGP"):
            return gpg.GpgKey(text.encode(), "the configured OpenPGP key")
        file = properties.get("publicKeyPGPFile")
        if not file:
            return None
        key = gpg.load_key(self.path_of(file))
        if key is None:
            raise UsageError(f"{file} holds no armoured OpenPGP public key")
        return key


def _said(policy: TrustPolicy) -> dict[str, Any]:
    return {one.name: getattr(policy, one.name) for one in fields(TrustPolicy)}


def _is_root(certificate: Certificate) -> bool:
    return certificate.subject == certificate.issuer and certificates.is_authority(certificate)


def _read(path: Path) -> str:
    with open_regular(path) as stream:
        data = stream.read(pem.MAX_SIZE + 1)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidDocumentError(f"{path} is no PEM file: it is not text") from error
