"""Why an exchange failed, in words: from what a socket, TLS, or the answer itself raised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocm_pkg.store.exchange import ExchangeError, Phase
from ocm_pkg.store.pace import LEAST_SPEED, TooSlowError
from ocm_pkg.store.wire import CutError, WireError

if TYPE_CHECKING:
    import ssl
    from typing import TypeGuard

    from ocm_pkg.store.route import Target

_HINT = "try again; if it stays so, look into the registry, or a proxy in between"
_TLS_RECORDS = (b"\x15", b"\x16")


def failure(
    error: Exception, target: Target, what: str, phase: Phase, *, silent: bool = False
) -> ExchangeError:
    """Return the error to raise; ``what`` is the request, as the beginning of a sentence.

    ``silent``: nothing ever came from the server, so it may not speak plain http at all.
    """
    if _is_tls(error) and not _is_end_of_tls(error):
        return tls_failure(error, target.address)
    timed_out = isinstance(error, (TimeoutError, TooSlowError))
    broken = isinstance(error, WireError) and not isinstance(error, CutError)
    return ExchangeError(
        f"{what} failed while {phase}: {_reason(error)}",
        phase=phase,
        timed_out=timed_out,
        lost=not timed_out and not broken,
        hint=_https_hint(target) if silent and target.scheme == "http" else _HINT,
    )


def _reason(error: Exception) -> str:
    if isinstance(error, TooSlowError):
        return f"it moves less than {LEAST_SPEED} bytes a second"
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, CutError) and not error.started:
        return "the connection was closed without an answer"
    if isinstance(error, WireError):
        return f"the answer {error}"
    if _is_end_of_tls(error):
        return "the connection was cut: TLS ended without its close notice"
    return f"the connection broke: {(getattr(error, 'strerror', None) or 'it was lost').lower()}"


def tls_failure(error: OSError, address: str, seconds: float = 0) -> ExchangeError:
    """Return the error for TLS that was not agreed on; ``seconds`` is how long that may take."""
    from ocm_pkg.store.tlserrors import explain

    timed_out = isinstance(error, TimeoutError)
    reason, hint = explain(error, address)
    if timed_out:
        reason, hint = f"no answer within {seconds:g} s", _http_hint(address)
    return ExchangeError(
        f"cannot reach {address}: {Phase.TLS} failed: {reason}",
        phase=Phase.TLS,
        timed_out=timed_out,
        lost=not timed_out and not _is_tls(error),
        hint=hint,
    )


def speaks_tls(waiting: bytes) -> bool:
    """Whether what a server sent to plain http is the beginning of TLS."""
    return waiting[:1] in _TLS_RECORDS and waiting[1:2] in (b"", b"\x03")


def wants_tls(target: Target) -> ExchangeError:
    """Return the error for a server that was spoken to in plain http, and speaks TLS."""
    return ExchangeError(
        f"cannot reach {target.address}: it speaks TLS, and was asked in plain http",
        phase=Phase.HEADERS,
        hint=f"write the repository as https://{target.address}/..., or without a scheme",
    )


def _https_hint(target: Target) -> str:
    return f"check that it is a registry; if it speaks TLS, write https://{target.address}/..."


def _http_hint(address: str) -> str:
    return f"check that it is a registry with TLS; for plain http, write http://{address}/..."


# By name: importing ssl takes 10 ms, which plain http has no use for.
def _is_tls(error: Exception) -> TypeGuard[ssl.SSLError]:
    return type(error).__module__ == "ssl"


def _is_end_of_tls(error: Exception) -> bool:
    return _is_tls(error) and type(error).__name__ in {"SSLEOFError", "SSLZeroReturnError"}
