"""Trusted roots of Sigstore: which authorities and logs are believed, and when.

A root is read from a file, or is that of the public instance as the ``sigstore`` library brings it.
Neither the network is asked nor the library's cache, which any program of the user can write to.
What a root trusts for a time only is not trusted for certificates of another time.
"""

from __future__ import annotations

import json
import logging
import tempfile
from dataclasses import dataclass, field
from datetime import datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import quote

from ocm_pkg.errors import InvalidDocumentError, UntrustedError, UsageError, escaped
from ocm_pkg.fs.blob import open_regular
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.model.jsontext import parse_json

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.x509 import Certificate
    from sigstore.models import TrustedRoot

    from ocm_pkg.model.document import JSONObject, JSONValue
    from ocm_pkg.model.jsontext import Limits

MAX_ROOT = 4 * 1024 * 1024
INSTALL = "pip install 'ocm-pkg[sigstore]'"

_CONFIG_TYPE = "application/vnd.dev.sigstore.clienttrustconfig."
_PUBLIC_INSTANCE = "https://tuf-repo-cdn.sigstore.dev"
_TIMED = {
    "certificateAuthorities": "certificate authority",
    "tlogs": "transparency log",
    "ctlogs": "certificate log",
}


@dataclass(frozen=True, slots=True)
class TrustRoot:
    """A trusted root as JSON, and the name it is called by in messages."""

    data: bytes = field(repr=False)
    name: str


def load_root(path: Path) -> TrustRoot:
    """Return the trusted root in a file, or raise ``InvalidDocumentError`` if it is none.

    The file may be a client trust configuration, which holds a trusted root.
    """
    with open_regular(path) as stream, storage_errors(f"reading {path}"):
        data = stream.read(MAX_ROOT + 1)
    return read_root(data, name=str(path))


def read_root(data: bytes, *, name: str) -> TrustRoot:
    """Return the trusted root that is in JSON text; ``name`` is what errors call it."""
    value = document(data, name)
    if str(value.get("mediaType")).startswith(_CONFIG_TYPE):
        inner = value.get("trustedRoot")
        if not isinstance(inner, dict):
            raise InvalidDocumentError(f"{name} has no trustedRoot")
        value = inner
    if "certificateAuthorities" not in value:
        raise InvalidDocumentError(
            f"{name} is no trusted root of Sigstore: it names no certificate authorities",
            hint="give the instance's trusted_root.json, or its client trust configuration",
        )
    return TrustRoot(json.dumps(value).encode(), name)


def root_for(leaf: Certificate, root: TrustRoot | None, *, what: str) -> TrustedRoot:
    """Return what of a root (default: the public instance's) counts for a certificate.

    Raises ``UntrustedError`` if nothing is left, and ``InvalidDocumentError`` if it is no root.
    """
    from sigstore.models import TrustedRoot

    root = root or TrustRoot(shipped("trusted_root.json"), "the public Sigstore")
    value = document(root.data, root.name)
    for kind, called in _TIMED.items():
        entries = value.get(kind)
        if not isinstance(entries, list) or not entries:
            continue
        kept = [one for one in entries if _in_force(one, leaf, root.name)]
        if not kept:
            raise UntrustedError(
                f"{what} has a certificate of {leaf.not_valid_before_utc:%Y-%m-%d}, and "
                f"{root.name} trusts no {called} for that time"
            )
        value[kind] = kept
    with tempfile.NamedTemporaryFile(prefix="ocm-pkg-root.", suffix=".json") as file:
        file.write(json.dumps(value).encode())
        file.flush()
        try:
            found = TrustedRoot.from_file(file.name)
            found.get_fulcio_certs()
        except Exception as error:
            raise InvalidDocumentError(
                f"{root.name} is no trusted root of Sigstore: {reason(error)}"
            ) from error
    return found


def _in_force(entry: JSONValue, leaf: Certificate, name: str) -> bool:
    """Whether a key or authority was trusted at some time of a certificate's life."""
    if not isinstance(entry, dict):
        return True
    key = entry.get("publicKey")
    period = (key if isinstance(key, dict) else entry).get("validFor")
    if not isinstance(period, dict):
        return True
    start, end = _time(period.get("start"), name), _time(period.get("end"), name)
    began = start is not None and start <= leaf.not_valid_after_utc
    return began and (end is None or end >= leaf.not_valid_before_utc)


def _time(text: JSONValue, name: str) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InvalidDocumentError(
            f"{name} is no trusted root of Sigstore: {escaped(str(text), 40)} is no time"
        )
    return found


def shipped(name: str) -> bytes:
    """Return a file about the public instance, as the library was published with it."""
    from importlib.resources import files

    folder = files("sigstore._store").joinpath(quote(_PUBLIC_INSTANCE, safe=""))
    try:
        return folder.joinpath(name).read_bytes()
    except OSError as error:
        raise UsageError(
            f"this version of the package sigstore brings no {name}",
            hint="give the instance's own with --sigstore-root FILE",
        ) from error


def require_library(what: str) -> None:
    """Raise ``UntrustedError`` if the optional library is not installed."""
    if find_spec("sigstore") is None:
        raise UntrustedError(
            f"{what} needs the Python package sigstore, which is not installed", hint=INSTALL
        )
    # What the library warns of is not for the user's terminal: the outcome says it.
    logger = logging.getLogger("sigstore")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def document(data: bytes, name: str, limits: Limits | None = None) -> JSONObject:
    """Return the JSON object of ``data``."""
    value = parse_json(data, name=name, limits=limits)
    if not isinstance(value, dict):
        raise InvalidDocumentError(f"{name} is no JSON object")
    return value


def reason(error: Exception) -> str:
    """Return what a library says as one line, fit for a terminal, without the values it adds."""
    text = " ".join(str(error).split()).partition(" [type=")[0] or type(error).__name__
    return escaped(text, 200)
