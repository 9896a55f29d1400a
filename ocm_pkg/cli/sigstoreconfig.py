"""Sigstore on the command line: whose signatures are accepted, and what one is made with."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ocm_pkg.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.model.config_text import Node
    from ocm_pkg.signing.configured import SigningDefaults
    from ocm_pkg.signing.sigstorebundle import Expected, SigstoreTrust
    from ocm_pkg.signing.sigstoreroot import TrustRoot
    from ocm_pkg.signing.trust import TrustPolicy

VERIFIER = "SigstoreVerificationConfiguration"
_SIGSTORE = "Sigstore"
_CONSUMER = "SigstoreVerifier/v1alpha1"
_ROOT, _ROOT_FILE = "trustedRootJSON", "trustedRootJSONFile"
_MAX_PATTERN = 1000


@dataclass(frozen=True, slots=True)
class SigstoreOptions:
    """What the options of a command say; None where one was not given."""

    identity: str | None = None
    issuer: str | None = None
    root: Path | None = None

    def __bool__(self) -> bool:
        return self != SigstoreOptions()


def sigstore_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say whose Sigstore signature is trusted; they arrive as ``sigstore``."""

    @click.option(
        "--sigstore-identity",
        metavar="NAME",
        help="Who must have made a Sigstore signature: a mail address, the URL of a workflow.",
    )
    @click.option(
        "--sigstore-issuer", metavar="URL", help="Who must have vouched for that identity."
    )
    @click.option(
        "--sigstore-root",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Trusted root (default: that of the public Sigstore, as installed; never fetched).",
    )
    @functools.wraps(function)
    def wrapped(
        *arguments: Any,  # noqa: ANN401
        sigstore_identity: str | None,
        sigstore_issuer: str | None,
        sigstore_root: Path | None,
        **keywords: Any,  # noqa: ANN401
    ) -> None:
        given = SigstoreOptions(sigstore_identity, sigstore_issuer, sigstore_root)
        function(*arguments, sigstore=given, **keywords)

    return wrapped


def named(options: SigstoreOptions, folder: Path) -> SigstoreTrust:
    """Return whom the options trust, or raise ``UsageError`` if they say too little."""
    from ocm_pkg.signing.sigstorebundle import Expected, SigstoreTrust
    from ocm_pkg.signing.sigstoreroot import load_root

    if not options.identity or not options.issuer:
        missing = "--sigstore-issuer" if options.identity else "--sigstore-identity"
        raise UsageError(
            f"a Sigstore signature is by an identity according to an issuer, and {missing} is not "
            "given",
            hint="give both: --sigstore-identity NAME --sigstore-issuer URL",
        )
    root = load_root(folder / options.root) if options.root else None
    return SigstoreTrust(Expected(options.identity), Expected(options.issuer), root)


def configured(context: Context, name: str) -> TrustPolicy | None:
    """Return whom the verifier that is configured for the signature ``name`` trusts, if any."""
    from ocm_pkg.signing.sigstorebundle import SigstoreTrust
    from ocm_pkg.signing.trust import TrustPolicy

    settings = context.config.signing_for(name)
    if settings is None or (settings.verifier or "").partition("/")[0] != VERIFIER:
        return None
    verifier = settings.node.member("verifier")
    identity = _expected(verifier, "certificateIdentity")
    issuer = _expected(verifier, "certificateOIDCIssuer")
    root = _root(context, name)
    if root is None and verifier.flag("privateInfrastructure"):
        raise verifier.error(
            "is for a private instance, and no trusted root is configured",
            f"add a consumer {_CONSUMER} with {_ROOT_FILE}",
        )
    return TrustPolicy(sigstore=SigstoreTrust(identity, issuer, root))


def token_signing(
    context: Context, wanted: dict[str, Any], others: Mapping[str, object]
) -> SigningDefaults | None:
    """Return what signs with the identity token that is given; None if it is not Sigstore's.

    Takes the options for it out of ``wanted``; ``others`` are those that don't go with it.
    """
    token, root = wanted.pop("identity_token"), wanted.pop("sigstore_root")
    algorithm = wanted["algorithm"]
    if token is None:
        if algorithm == _SIGSTORE:
            raise UsageError(
                "a Sigstore signature is made with an identity token, and none is given",
                hint="save a token of your provider in a file: --identity-token FILE",
            )
        if root is not None:
            raise UsageError("--sigstore-root is given without --identity-token")
        return None
    if algorithm not in {None, _SIGSTORE}:
        raise UsageError(f"--identity-token is for Sigstore, and not for {algorithm}")
    if unfit := next((name for name, value in others.items() if value is not None), None):
        raise UsageError(f"{unfit} does not go with --identity-token", hint=f"leave out {unfit}")
    if context.offline:
        raise UsageError(
            "signing with Sigstore needs its services, and --offline forbids connections",
            hint="leave out --offline, or sign with a key",
        )
    from ocm_pkg.signing.configured import SigningDefaults
    from ocm_pkg.signing.sigstorebundle import ALGORITHM
    from ocm_pkg.signing.sigstoresign import load_signer

    signer = load_signer(context.cwd / token, context.cwd / root if root else None)
    return SigningDefaults(signer, ALGORITHM)


def _expected(verifier: Node, member: str) -> Expected:
    from ocm_pkg.signing.sigstorebundle import Expected

    text, pattern = verifier.text(member) or None, verifier.text(f"{member}Regexp") or None
    if text is None and pattern is None:
        raise verifier.error(f"has no {member}", f"add {member}, or {member}Regexp")
    if pattern is None:
        return Expected(text)
    try:
        if len(pattern) > _MAX_PATTERN:
            raise verifier.error(f"has a {member}Regexp longer than {_MAX_PATTERN} characters")
        return Expected(text, re.compile(pattern))
    except (re.error, RecursionError, OverflowError) as error:
        raise verifier.member(f"{member}Regexp").error(
            f"is no regular expression: {error}"
        ) from error


def _root(context: Context, name: str) -> TrustRoot | None:
    from ocm_pkg.signing.sigstoreroot import load_root, read_root

    found = context.credentials.find({"type": _CONSUMER, "signature": name})
    if found is None:
        return None
    members: Mapping[str, Any] = found.properties or found.typed or {}
    text, file = members.get(_ROOT), members.get(_ROOT_FILE)
    for value in (text, file):
        if value is not None and not isinstance(value, str):
            raise ConfigError(f"the trusted root configured for signature {name!r} is no text")
    if text:
        return read_root(text.encode(), name=f"the trusted root configured for {name!r}")
    return load_root(context.path_of(file)) if file else None
