"""Sigstore signatures, made with an identity token and the services of one instance.

The key is made for the one signature and never written. The authority certifies it for the identity
of the token, and the signature goes into the instance's log, from which nothing is ever removed. A
signature is given out only after it was checked like any other.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ocm_pkg.errors import (
    AuthenticationError,
    InvalidDocumentError,
    OcmPkgError,
    RegistryError,
    SignatureError,
    TransportError,
    UsageError,
    escaped,
)
from ocm_pkg.fs.blob import open_regular
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.model.descriptor import SignatureSpec
from ocm_pkg.model.jsontext import parse_json
from ocm_pkg.signing import sigstorebundle, sigstoreroot
from ocm_pkg.signing.keys import exposure

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from ocm_pkg.model.digest import Digest

CONFIG_TYPE = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
MAX_TOKEN = 64 * 1024
_SECONDS = 120.0
_SERVICES = ("caUrls", "rekorTlogUrls", "tsaUrls")


@dataclass(frozen=True, slots=True)
class SigstoreSigner:
    """An identity token and the instance to sign with. Never shown: ``repr`` has no token.

    ``config`` is a client trust configuration: the trusted root and the services' addresses.
    """

    token: str = field(repr=False)
    config: bytes = field(repr=False)
    name: str
    warnings: tuple[str, ...] = ()


def load_signer(token: Path, config: Path | None = None) -> SigstoreSigner:
    """Return what signs with the identity token in a file.

    ``config`` is a file with a client trust configuration; without one it is the public instance
    as the library describes it. Raises ``UsageError`` for a token that is none or is expired, and
    ``InvalidDocumentError`` for a configuration that can't be used.
    """
    sigstoreroot.require_library("signing with Sigstore")
    with open_regular(token) as stream, storage_errors(f"reading {token}"):
        data = stream.read(MAX_TOKEN + 1)
    text = data.decode("ascii", "replace").strip()
    if len(data) > MAX_TOKEN or not text.isascii() or text.count(".") != 2:
        raise UsageError(
            f"{token} holds no identity token",
            hint="save the token (a JWT for the audience sigstore) alone in the file",
        )
    if config is None:
        found, name = _public_config(), "the public Sigstore"
        _check_services(found, name)
    else:
        with open_regular(config) as stream, storage_errors(f"reading {config}"):
            found, name = stream.read(sigstoreroot.MAX_ROOT + 1), f"the Sigstore of {config.name}"
        _check_services(found, str(config))
    signer = SigstoreSigner(text, found, name, exposure(token))
    _identity_token(signer)
    return signer


def make_value(digest: Digest, signer: SigstoreSigner, now: datetime) -> SignatureSpec:
    """Sign the bytes of ``digest``: a bundle, checked before it is returned.

    Raises ``AuthenticationError``, ``RegistryError`` or ``TransportError`` if a service refuses,
    fails or does not answer within two minutes, ``SignatureError`` if what it gave is not valid.
    """
    what = "the new signature"
    bundle = _in_time(signer, digest)
    value = base64.b64encode(bundle.encode()).decode()
    maker = sigstorebundle.maker_of(value, what=what)
    trust = sigstorebundle.SigstoreTrust(
        sigstorebundle.Expected(maker.identity),
        sigstorebundle.Expected(maker.issuer),
        sigstoreroot.read_root(signer.config, name=signer.name),
    )
    sigstorebundle.check(value, digest, trust, now, what=what)
    return SignatureSpec(
        algorithm=sigstorebundle.ALGORITHM,
        media_type=sigstorebundle.MEDIA_TYPE,
        value=value,
        issuer=maker.issuer,
    )


def _bundle(digest: Digest, signer: SigstoreSigner) -> str:
    from sigstore.models import ClientTrustConfig
    from sigstore.sign import SigningContext

    config = ClientTrustConfig.from_json(signer.config.decode())
    context = SigningContext.from_trust_config(config)
    with context.signer(_identity_token(signer)) as made:
        return made.sign_artifact(digest.raw).to_json()


def _identity_token(signer: SigstoreSigner) -> Any:  # noqa: ANN401 - a type of the optional library
    from sigstore.oidc import IdentityError, IdentityToken

    try:
        return IdentityToken(signer.token)
    except IdentityError as error:
        cause = f": {error.__cause__}" if error.__cause__ else ""
        # Not chained: what is in a token is nobody's business.
        problem = escaped(f"{error}{cause}".replace(signer.token, "…"), 200)
    raise UsageError(
        f"the identity token can't be used: {problem}",
        hint="ask your provider for a new token, for the audience sigstore",
    )


def _in_time(signer: SigstoreSigner, digest: Digest) -> str:
    """Return the new bundle. The library waits without an end, so somebody else has the clock."""
    results: list[str] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(_bundle(digest, signer))
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            errors.append(error)

    thread = threading.Thread(target=run, name="sigstore", daemon=True)
    thread.start()
    thread.join(_SECONDS)
    if errors:
        raise _failure(errors[0], signer)
    if not results:
        raise TransportError(f"{signer.name} did not answer within {_SECONDS:.0f} seconds")
    return results[0]


def _failure(error: Exception, signer: SigstoreSigner) -> OcmPkgError:
    """Return the error to raise for one of the library, of its HTTP client, or of a service."""
    from sigstore.errors import Error

    if isinstance(error, OcmPkgError):
        return error
    cause = error.__cause__ or error.__context__ or error
    response = getattr(cause, "response", None)
    answer = str(getattr(response, "text", "")) or str(error) or str(cause)
    answer = answer or type(error).__name__
    # A service that quotes the token must not make it public.
    reason = escaped(" ".join(answer.replace(signer.token, "…").split()), 300)
    status = getattr(response, "status_code", None)
    found: OcmPkgError
    if status in {401, 403}:
        found = AuthenticationError(
            f"{signer.name} refuses the identity token (status {status}): {reason}"
        )
    elif status is not None:
        found = RegistryError(f"{signer.name} answered with status {status}: {reason}")
    elif isinstance(error, Error):
        found = SignatureError(f"{signer.name} gave what is not valid: {reason}")
    elif isinstance(error, OSError) and not isinstance(error, ValueError):
        found = TransportError(f"{signer.name} can't be reached: {reason}")
    else:
        found = RegistryError(f"{signer.name} answered otherwise than a Sigstore does: {reason}")
    if signer.token not in f"{error}{cause}":
        found.__cause__ = error
    return found


def _check_services(config: bytes, name: str) -> None:
    """Refuse a configuration without services, or one that would send the token in clear text."""
    value = parse_json(config, name=name)
    is_config = isinstance(value, dict) and value.get("mediaType") == CONFIG_TYPE
    signing = value.get("signingConfig") if is_config and isinstance(value, dict) else None
    if not isinstance(signing, dict):
        raise InvalidDocumentError(
            f"{name} is no client trust configuration: it names no services to sign with",
            hint="signing needs the addresses too; a trusted root alone is for verifying",
        )
    for kind in _SERVICES:
        services = signing.get(kind) or []
        for service in services if isinstance(services, list) else [None]:
            url = service.get("url") if isinstance(service, dict) else None
            if not isinstance(url, str) or not _is_safe(url):
                raise InvalidDocumentError(
                    f"{name} has an address in {kind} that is not https",
                    hint="plain http is for 127.0.0.1, ::1 and localhost alone",
                )


def _is_safe(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            return bool(host)
        is_local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
    return parts.scheme == "http" and is_local


def _public_config() -> bytes:
    """Return the public instance's configuration as the library was published with it."""
    parts = {
        name: parse_json(sigstoreroot.shipped(file), name=file)
        for name, file in (
            ("trustedRoot", "trusted_root.json"),
            ("signingConfig", "signing_config.v0.2.json"),
        )
    }
    return json.dumps({"mediaType": CONFIG_TYPE, **parts}).encode()
