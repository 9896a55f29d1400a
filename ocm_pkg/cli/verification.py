"""``verify cv``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ocm_pkg.cli.options import command, output_option
from ocm_pkg.cli.publishing import moving
from ocm_pkg.cli.sigstoreconfig import sigstore_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocm_pkg.cli.sigstoreconfig import SigstoreOptions
    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.services.verify import Verification
    from ocm_pkg.signing.trust import Signer

_FILE = click.Path(path_type=Path)


@command()
@click.argument("ref")
@click.option("--key", "keys", type=_FILE, metavar="FILE", multiple=True, help="Public key.")
@click.option("--ca", "roots", type=_FILE, metavar="FILE", multiple=True, help="Root certificate.")
@sigstore_options
@click.option(
    "--signature", "names", metavar="NAME", multiple=True, help="Verify this one (default: all)."
)
@click.option(
    "--level",
    type=click.Choice(["signature", "content"]),
    default="content",
    show_default=True,
    help="How far to look: content reads every resource.",
)
@click.option("--skip-external", is_flag=True, help="Skip content that is not in the repository.")
@output_option("table", "json", "yaml")
def verify_cv(
    context: Context,
    ref: str,
    keys: Sequence[Path],
    roots: Sequence[Path],
    sigstore: SigstoreOptions,
    names: Sequence[str],
    level: str,
    skip_external: bool,
    output: str,
) -> None:
    """Verify the signatures of component version REF, then the bytes of all its resources.

    Without --key, --ca and --sigstore-identity whoever is configured for a signature is trusted,
    else the public keys of your keys folder.
    """
    from ocm_pkg.services.verify import inspect

    trust = context.trust(keys, roots, sigstore)
    _spec, repository, descriptor = context.component_version(ref)
    with moving(context) as how:
        found = inspect(
            repository=repository,
            descriptor=descriptor,
            trust=trust,
            now=context.now(),
            names=names or None,
            level=level,
            skip_external=skip_external,
            external=context.external,
            moving=how,
            limits=context.references,
        )
    _show_verification(context, found, output)


def _show_verification(context: Context, found: Verification, output: str) -> None:
    from ocm_pkg.cli.output import error_object

    value: dict[str, Any] = {
        "component": found.component,
        "version": found.version,
        "result": found.result,
        "checks": [
            {"check": check.check, "result": check.result, "detail": check.detail}
            for check in found.checks
        ],
        "signatures": [_signer(signer) for signer in found.signatures],
    }
    if found.error is not None:
        value["error"] = error_object(found.error)
    if output == "table":
        rows = [(check.check, check.result, check.detail) for check in found.checks]
        context.out.table(("check", "result", "detail"), rows)
    else:
        context.out.data(value, output)
    if found.error is not None:
        found.error.shown = output == "json"
        raise found.error
    context.out.step(f"{found.component}:{found.version} is verified")


def _signer(signer: Signer) -> dict[str, str]:
    return {
        "name": signer.name,
        "algorithm": signer.algorithm,
        "normalisation": signer.normalisation,
        "digest": str(signer.digest),
        "fingerprint": signer.fingerprint,
        "signer": signer.trusted_as,
    }
