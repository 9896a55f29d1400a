"""What TLS connections to a registry trust and show: authorities and client certificates."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from ocm_pkg.errors import ConfigError, LocalStorageError, escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_AUTHORITIES = (
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_SYSTEM = ("/etc/containers/certs.d", "/etc/docker/certs.d")
_OWN = (".config/containers/certs.d", ".docker/certs.d")


def certificate_folders(
    host: str, port: int, home: Path | None, system: Sequence[str] = _SYSTEM
) -> tuple[Path, ...]:
    """Return the folders that have certificates for a host, those of the user first.

    They are the ``certs.d/HOST:PORT`` and ``certs.d/HOST`` of Podman and Docker.
    """
    name = f"[{host}]" if ":" in host else host
    own = [home / folder for folder in _OWN] if home else []
    found = (
        base / entry
        for base in (*own, *map(Path, system))
        for entry in (f"{name}:{port}", name)
        if entry.strip(".")
    )
    return tuple(folder for folder in found if folder.is_dir())


def client_context(
    folders: Sequence[Path],
    environ: Mapping[str, str],
    *,
    insecure: bool = False,
    system: Sequence[str] = _AUTHORITIES,
) -> ssl.SSLContext:
    """Return a context for TLS 1.2 and newer: checks certificate and name, unless ``insecure``.

    The system's authorities (the first of ``system`` that is there), or those of SSL_CERT_FILE
    and SSL_CERT_DIR, are trusted, and those that ``folders`` add. Raises ``ConfigError`` for a
    file that holds no certificate or key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        _trust(context, environ, system)
    for folder in folders:
        for path in _files(folder, ".crt"):
            _load(context, path)
        for path in _files(folder, ".cert"):
            _show(context, path)
    return context


def _trust(context: ssl.SSLContext, environ: Mapping[str, str], system: Sequence[str]) -> None:
    file, folder = environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR")
    if file:
        _load(context, Path(file), "SSL_CERT_FILE names ")
    for part in filter(None, (folder or "").split(":")):
        context.load_verify_locations(capath=part)
    if file or folder:
        return
    # Folders come first: certificates are looked up in them, but a bundle is read whole (30 ms).
    for path in map(Path, system):
        if any(path.glob("*.0")):
            context.load_verify_locations(capath=path)
            break
        if path.is_file():
            _load(context, path)
            break
    else:
        context.load_default_certs()


def _files(folder: Path, suffix: str) -> Iterator[Path]:
    try:
        yield from sorted(path for path in folder.iterdir() if path.suffix == suffix)
    except OSError as error:
        raise LocalStorageError(
            f"cannot read {folder}: {(error.strerror or 'failed').lower()}",
            hint="check its permissions",
        ) from error


def _load(context: ssl.SSLContext, path: Path, prefix: str = "") -> None:
    try:
        context.load_verify_locations(cafile=path)
    except (ssl.SSLError, OSError) as error:
        raise _unusable(f"{prefix}{path}", "certificate in PEM form", error) from error


def _show(context: ssl.SSLContext, path: Path) -> None:
    key = path.with_suffix(".key")
    if not key.exists():
        raise ConfigError(
            f"{path} has no key beside it", hint=f"put its private key into {key}, or remove it"
        )
    try:
        context.load_cert_chain(path, key, password=_no_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise _unusable(f"{path} or its key", "pair of certificate and plain key", error) from error


def _no_password() -> str:
    # OpenSSL would ask for it on the terminal.
    return ""


def _unusable(what: str, wanted: str, error: Exception) -> ConfigError:
    reason = error.strerror if isinstance(error, OSError) else None
    if isinstance(error, ssl.SSLError):
        reason = error.reason
    return ConfigError(
        f"{what} is no {wanted}: {escaped(reason or 'it cannot be read', 100)}",
        hint="replace it, or remove it",
    )
