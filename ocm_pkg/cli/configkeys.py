"""Signing keys and signing settings from the configuration, for ``sign`` and ``verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocm_pkg.cli import sigstoreconfig
from ocm_pkg.errors import UsageError
from ocm_pkg.model.config_settings import PEM
from ocm_pkg.model.consumer import GPG, RSA

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.signing.configured import KeySource, SigningDefaults
    from ocm_pkg.signing.trust import TrustPolicy

GPG_ALGORITHM = "GPG"
SIGSTORE_ALGORITHM = "Sigstore/v1alpha1"
_GPG_SIGNING = "GPGSigningConfiguration"
_RSA_ALGORITHMS = ("RSASSA-PKCS1-V1_5", "RSASSA-PSS")


def signing_defaults(
    context: Context,
    name: str,
    algorithm: str | None,
    password: bytes | None,
    *,
    key_given: bool = False,
) -> SigningDefaults:
    """Return what is configured for the signature ``name``; ``algorithm`` is the one asked for.

    Where neither says which algorithm, it is the one that the consumer with the key is for. With
    ``key_given`` the configured key, and its certificates, are left alone.
    """
    from ocm_pkg.signing.configured import SigningDefaults

    settings = context.config.signing_for(name)
    if algorithm is None and settings is not None and not settings.is_rsa:
        if settings.signer is None or settings.signer.partition("/")[0] != _GPG_SIGNING:
            raise UsageError(
                f"signature {name!r} is configured for {settings.signer}, which can't be made here",
                hint="sign with --algorithm RSASSA-PSS, or change the signing configuration; a "
                "Sigstore signature is made with --identity-token FILE",
            )
        algorithm = GPG_ALGORITHM
    algorithm = algorithm or (settings.algorithm if settings else None)
    as_pem = settings is not None and settings.encoding == PEM
    if key_given:
        return SigningDefaults(algorithm=algorithm, as_pem=as_pem)
    source = _source(context)
    for candidate in [algorithm] if algorithm else _RSA_ALGORITHMS:
        identity_type = GPG if candidate == GPG_ALGORITHM else RSA
        properties = _properties(context, identity_type, candidate, name)
        key = source.signing_key(identity_type, properties, password)
        if key is None:
            continue
        chain = source.chain(properties) if identity_type == RSA else ()
        return SigningDefaults(
            key, algorithm or _only(context, name, properties, candidate), chain, as_pem
        )
    return SigningDefaults(algorithm=algorithm, as_pem=as_pem)


def configured_trust(context: Context, general: TrustPolicy) -> TrustPolicy:
    """Return a policy that trusts the configured keys for their signatures, else ``general``."""
    from ocm_pkg.signing.configured import ConfiguredTrust

    types = {consumer.identity.get("type") for consumer in context.config.consumers}
    verifiers = {(one.verifier or "").partition("/")[0] for one in context.config.signing}
    if not types & {RSA, GPG} and sigstoreconfig.VERIFIER not in verifiers:
        return general
    source = _source(context)

    def lookup(name: str, algorithm: str) -> TrustPolicy | None:
        if algorithm == SIGSTORE_ALGORITHM:
            return sigstoreconfig.configured(context, name)
        for identity_type in (GPG, RSA):
            properties = _properties(context, identity_type, algorithm, name)
            found = source.trust(identity_type, properties) if properties else None
            if found is not None:
                return found
        return None

    return ConfiguredTrust.over(general, lookup)


def _source(context: Context) -> KeySource:
    from ocm_pkg.signing.configured import KeySource

    return KeySource(context.path_of)


def _only(context: Context, name: str, properties: Mapping[str, str], algorithm: str) -> str | None:
    """Return the algorithm if the key is for it alone; None leaves the choice open."""
    others = (
        _properties(context, RSA, other, name) for other in _RSA_ALGORITHMS if other != algorithm
    )
    return None if any(other == properties for other in others) else algorithm


def _properties(
    context: Context, identity_type: str, algorithm: str, name: str
) -> Mapping[str, str]:
    for identity in _identities(identity_type, algorithm, name):
        found = context.credentials.find(identity)
        if found is not None:
            return found.properties
    return {}


def _identities(identity_type: str, algorithm: str, name: str) -> Iterator[Mapping[str, str]]:
    yield {"type": identity_type, "algorithm": algorithm, "signature": name}
    if identity_type == GPG and algorithm == GPG_ALGORITHM:
        yield {"type": identity_type, "signature": name}
