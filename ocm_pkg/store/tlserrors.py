"""Why TLS with a host failed, in words, and what can be done."""

from __future__ import annotations

import ssl

from ocm_pkg.errors import escaped

_REASONS = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "its certificate is self-signed",
    19: "its certificate is of an authority that is not trusted",
    20: "its certificate is of an authority that is not trusted",
    21: "its certificate is of an authority that is not trusted",
    62: "its certificate is for another name",
    64: "its certificate is for another address",
}
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER", "PACKET_LEN")
_OLD_TLS = ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL")


def explain(error: OSError, address: str) -> tuple[str, str | None]:
    """Return why TLS with ``HOST:PORT`` failed, and what can be done about it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _distrust(error, address)
    reason = (getattr(error, "reason", None) or "").upper()
    if isinstance(error, ssl.SSLEOFError) or not isinstance(error, ssl.SSLError):
        return "it closed the connection", "check that this is the port of a registry with TLS"
    if any(name in reason for name in _NO_TLS):
        return "it does not speak TLS; it seems to be plain http", (
            f"if that is meant, write http://{address}/..., or no scheme and --plain-http"
        )
    if any(name in reason for name in _OLD_TLS):
        return "it offers no TLS 1.2 or newer", "the registry must be updated: older TLS is unsafe"
    if "ALERT" in reason:
        return _refusal(reason, address)
    return escaped(reason.replace("_", " ").lower() or "it failed", 100), None


def _refusal(reason: str, address: str) -> tuple[str, str]:
    place = f"as client.cert and client.key into ~/.config/containers/certs.d/{address}/"
    if "CERTIFICATE_REQUIRED" in reason:
        return "it wants a client certificate", f"put certificate and key {place}"
    said = reason.partition("ALERT_")[2].replace("_", " ").lower()
    return f"it refused: {said}", f"if it wants a client certificate, put it and its key {place}"


def _distrust(error: ssl.SSLCertVerificationError, address: str) -> tuple[str, str]:
    reason = _REASONS.get(error.verify_code)
    if reason is None:
        reason = f"its certificate is not good: {escaped(error.verify_message, 200)}"
    if error.verify_code in {18, 19, 20, 21}:
        return reason, (
            "if you trust it, put the certificate of its authority into "
            f"~/.config/containers/certs.d/{address}/ca.crt, or name it in SSL_CERT_FILE"
        )
    if error.verify_code in {62, 64}:
        return reason, "use the name that the certificate is for"
    return reason, "the registry's certificate must be renewed; check this machine's clock, too"
