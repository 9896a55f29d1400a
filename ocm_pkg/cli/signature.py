"""``key``, ``hash cv`` and ``sign cv``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ocm_pkg.cli.options import command, dry_run_option, output_option
from ocm_pkg.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.services.sign import Key, Signed
    from ocm_pkg.signing.configured import SigningDefaults
    from ocm_pkg.signing.form import Request
    from ocm_pkg.signing.gpgsign import GpgSigningKey
    from ocm_pkg.signing.keys import SigningKey

_FILE = click.Path(path_type=Path)


def _normalisation_option(default: str | None, text: str) -> Callable[..., Any]:
    def named(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
        from ocm_pkg.model.normalise import ALGORITHMS

        known = {form: name for name in ALGORITHMS for form in (name, name.rpartition("/")[2])}
        if value is None:
            return None
        if value in known:
            return known[value]
        raise click.BadParameter(f"{value!r} is not one of {', '.join(ALGORITHMS)}")

    return click.option(
        "--normalisation",
        metavar="jsonNormalisation/[v1|v2|v3|v4alpha1]",
        default=default,
        show_default=True,
        callback=named,
        help=text,
    )


def _hash_option() -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        "--hash",
        "hash_algorithm",
        type=click.Choice(["SHA-256", "SHA-512"]),
        default="SHA-256",
        show_default=True,
        help="Hash of the normalised descriptor.",
    )


@command()
@click.argument("ref")
@_normalisation_option("jsonNormalisation/v4alpha1", "How the descriptor is normalised.")
@_hash_option()
@click.option("--actual", is_flag=True, help="Print the normalised bytes, exactly.")
@output_option("text", "json", "yaml")
def hash_cv(
    context: Context,
    ref: str,
    normalisation: str,
    hash_algorithm: str,
    actual: bool,
    output: str,
) -> None:
    """Print the digest of component version REF that a signature covers."""
    from ocm_pkg.model.digest import algorithm_of, digest_of
    from ocm_pkg.model.normalise import normalise

    _spec, _repository, descriptor = context.component_version(ref)
    normalised = normalise(descriptor, normalisation)
    digest = digest_of(normalised, algorithm_of(hash_algorithm))
    if actual and output == "text":
        context.out.raw(normalised)
        return
    value = {
        "component": descriptor.name,
        "version": descriptor.version,
        "normalisation": normalisation,
        "hash": digest.ocm_algorithm,
        "digest": digest.hex,
    }
    if actual:
        value["normalised"] = normalised.decode()
    context.out.data(value, output, text=digest.hex)


@command()
@click.argument("name", default="default")
@click.option("--out", type=_FILE, metavar="DIR", help="Folder (default: your keys folder).")
@dry_run_option()
@output_option("text", "json", "yaml")
def key_new(context: Context, name: str, out: Path | None, dry_run: bool, output: str) -> None:
    """Make a key pair: NAME.private.pem and NAME.public.pem (RSA, 3072 bits)."""
    from ocm_pkg.signing.keys import generate_key, new_paths

    folder = context.cwd / out if out else context.keys_folder
    private, public = new_paths(folder, name)
    value = {"name": name, "private": str(private), "public": str(public)}
    text = f"private key: {private}\npublic key:  {public}"
    if not dry_run:
        value["fingerprint"] = generate_key(folder, name).fingerprint
        text = f"{value['fingerprint']}\n{text}"
    context.out.data(value, output, text=text)


@command()
@output_option("table", "json", "yaml")
def key_list(context: Context, output: str) -> None:
    """List the keys of your keys folder."""
    from ocm_pkg.signing.keys import stored_keys

    folder = context.keys_folder
    found = stored_keys(folder)
    if output == "table":
        if not found:
            context.out.step(f"no keys in {folder}; make one with: ocm-pkg key new")
            return
        rows = [
            (key.name, str(key.bits), "yes" if key.has_private else "no", key.fingerprint)
            for key in found
        ]
        context.out.table(("name", "bits", "private", "fingerprint"), rows)
        return
    values = [
        {
            "name": key.name,
            "bits": key.bits,
            "private": key.has_private,
            "public": str(key.public_path),
            "fingerprint": key.fingerprint,
        }
        for key in found
    ]
    context.out.data(values, output)


@command()
@click.argument("name", default="default")
def key_export(context: Context, name: str) -> None:
    """Print the public key NAME of your keys folder, to give to those who verify."""
    from ocm_pkg.signing.keys import export_key

    context.out.raw(export_key(context.keys_folder, name))


@command()
@click.argument("ref")
@click.option(
    "--key",
    type=_FILE,
    metavar="FILE",
    help="Private key, RSA or OpenPGP (default: the configured one, or your key `default`).",
)
@click.option("--password-file", type=_FILE, metavar="FILE", help="Password of the private key.")
@click.option(
    "--signature", "name", default="default", show_default=True, metavar="NAME", help="Its name."
)
@click.option(
    "--algorithm",
    type=click.Choice(["RSASSA-PSS", "RSASSA-PKCS1-V1_5", "GPG", "Sigstore"]),
    help="Default: what most tools verify.",
)
@click.option(
    "--identity-token",
    type=_FILE,
    metavar="FILE",
    help="Sign with Sigstore; the identity of this token becomes public in a log.",
)
@click.option(
    "--sigstore-root",
    type=_FILE,
    metavar="FILE",
    help="Client trust configuration of the Sigstore (default: the public one's).",
)
@click.option("--encoding", type=click.Choice(["plain", "pem"]), help="pem carries certificates.")
@click.option("--chain", type=_FILE, metavar="FILE", help="Certificates, the signer's own first.")
@_normalisation_option(None, "Default: what most tools verify.")
@_hash_option()
@click.option("--force", is_flag=True, help="Replace a signature of that name.")
@dry_run_option()
@output_option("text", "json", "yaml")
def sign_cv(
    context: Context,
    ref: str,
    key: Path | None,
    password_file: Path | None,
    encoding: str | None,
    chain: Path | None,
    force: bool,
    dry_run: bool,
    output: str,
    **wanted: Any,  # noqa: ANN401
) -> None:
    """Sign component version REF where it is.

    Missing digests are completed. The form is the one that both reference tools verify, if the
    descriptor allows it; the command says which one it took and why.
    """
    from ocm_pkg.cli.sigstoreconfig import token_signing
    from ocm_pkg.services.sign import sign

    others = {
        "--key": key,
        "--password-file": password_file,
        "--encoding": encoding,
        "--chain": chain,
    }
    configured = token_signing(context, wanted, others) or _configured(
        context, key, password_file, wanted
    )
    request = _request(context, encoding, chain, wanted, configured)
    loaded = configured.key or _private_key(context, key, password_file)
    for warning in loaded.warnings:
        context.out.warn(warning)
    _spec, repository, descriptor = context.component_version(ref)
    signed = sign(
        repository=repository,
        descriptor=descriptor,
        key=loaded,
        now=context.now(),
        request=request,
        force=force,
        dry_run=dry_run,
    )
    _show_signed(context, signed, loaded, output, dry_run=dry_run)


def signer_of(
    context: Context, key: Path | None, password_file: Path | None, name: str
) -> tuple[Key, Request]:
    """Return what ``sign cv`` would sign with, given ``--key``, ``--password-file``, the name."""
    wanted = dict.fromkeys(("algorithm", "normalisation"), None) | {
        "name": name,
        "hash_algorithm": "SHA-256",
    }
    configured = _configured(context, key, password_file, wanted)
    request = _request(context, None, None, wanted, configured)
    return configured.key or _private_key(context, key, password_file), request


def _configured(
    context: Context, key: Path | None, password_file: Path | None, wanted: dict[str, Any]
) -> SigningDefaults:
    """Return what the configuration says for the signature, as far as no option does."""
    from ocm_pkg.cli.configkeys import signing_defaults
    from ocm_pkg.signing.configured import SigningDefaults
    from ocm_pkg.signing.keys import read_password

    if not context.config_files:
        return SigningDefaults(algorithm=wanted["algorithm"])
    password = read_password(context.cwd / password_file) if password_file else None
    return signing_defaults(
        context, wanted["name"], wanted["algorithm"], password, key_given=key is not None
    )


def _request(
    context: Context,
    encoding: str | None,
    chain: Path | None,
    wanted: dict[str, Any],
    configured: SigningDefaults,
) -> Request:
    from ocm_pkg.signing.form import Request
    from ocm_pkg.signing.keys import load_certificates

    encoding = encoding or ("pem" if configured.as_pem or chain else None)
    if encoding == "pem" and chain is None and not configured.certificates:
        raise UsageError(
            "a PEM signature carries certificates, and none were given",
            hint="give the signer's certificate and the intermediates with --chain FILE, or name "
            "them as public_key_pem_file beside the configured key",
        )
    if encoding == "plain" and chain is not None:
        raise UsageError(
            "a plain signature cannot carry certificates", hint="leave out --chain or --encoding"
        )
    certificates = load_certificates(context.cwd / chain) if chain else ()
    if not chain and encoding == "pem":
        certificates = configured.certificates
    return Request(
        wanted["name"],
        configured.algorithm,
        wanted["normalisation"],
        wanted["hash_algorithm"],
        certificates,
    )


def _private_key(
    context: Context, key: Path | None, password_file: Path | None
) -> SigningKey | GpgSigningKey:
    from ocm_pkg.signing.gpgsign import load_signing_key
    from ocm_pkg.signing.keys import load_private_key, read_password

    password = read_password(context.cwd / password_file) if password_file else None
    path = context.cwd / key if key else context.keys_folder / "default.private.pem"
    return load_signing_key(path, password) or load_private_key(path, password)


def _show_signed(context: Context, signed: Signed, key: Key, output: str, *, dry_run: bool) -> None:
    from ocm_pkg.signing.sigstorebundle import maker_of
    from ocm_pkg.signing.sigstoresign import SigstoreSigner

    form, signature = signed.form, signed.signature
    for what in signed.completed:
        context.out.step(f"completed the digest of {what}")
    how = f"{form.algorithm} over {form.normalisation}"
    if form.both_tools:
        context.out.step(f"{how}: both reference tools verify this")
    else:
        context.out.step(f"{how}: one of the reference tools (v1, v2) cannot verify this")
    for note in form.notes:
        context.out.step(f"  {note}")
    value = {
        "component": signed.descriptor.name,
        "version": signed.descriptor.version,
        "signature": signature.name,
        "algorithm": form.algorithm,
        "mediaType": signature.signature.media_type,
        "normalisation": form.normalisation,
        "hash": signature.digest.hash_algorithm,
        "digest": signature.digest.value,
        "fingerprint": getattr(key, "fingerprint", None),
        "bothTools": form.both_tools,
        "notes": list(form.notes),
        "completed": list(signed.completed),
        "written": not dry_run,
    }
    by = f"with key {value['fingerprint']}"
    if isinstance(key, SigstoreSigner):
        maker = maker_of(signature.signature.value, what="the new signature")
        value |= {"fingerprint": maker.fingerprint, "signer": str(maker)}
        by = f"by {maker}"
    verb = "would sign" if dry_run else "signed"
    text = f"{verb} {signed.descriptor.name}:{signed.descriptor.version} as {signature.name!r}"
    context.out.data(value, output, text=f"{text} {by}")
