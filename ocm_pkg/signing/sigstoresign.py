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
from importlib.resources import files
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
from ocm_pkg.signing import sigstorebundle
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
    sigstorebundle.require_library("signing with Sigstore")
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
    else:
        with open_regular(config) as stream, storage_errors(f"reading {config}"):
            found, name = stream.read(sigstorebundle.MAX_ROOT + 1), str(config)
    _check_services(found, name)
    signer = SigstoreSigner(text, found, name, exposure(token))
    _identity_token(signer)
    return signer


def make_value(digest: Digest, signer: SigstoreSigner, now: datetime) -> SignatureSpec:
    """Sign the bytes of ``digest``: a bundle, checked before it is returned.

    Raises ``AuthenticationError``, ``RegistryError`` or ``TransportError`` if a service refuses,
    fails or does not answer within two minutes, ``SignatureError`` if what it gave is not valid.
    """
    what = "the new signature"
    bundle = _in_time(lambda: _bundle(digest, signer), signer)
    value = base64.b64encode(bundle.encode()).decode()
    maker = sigstorebundle.maker_of(value, what=what)
    trust = sigstorebundle.SigstoreTrust(
        sigstorebundle.Expected(maker.identity),
        sigstorebundle.Expected(maker.issuer),
        sigstorebundle.read_root(signer.config, name=signer.name),
    )
    sigstorebundle.check(value, digest, trust, now, what=what)
    return SignatureSpec(
        algorithm=sigstorebundle.ALGORITHM,
        media_type=sigstorebundle.MEDIA_TYPE,
        value=value,
        issuer=maker.issuer,
    )
