"""``plugin install|list|info|remove|capabilities|call``, and the short forms of the first ones."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ocm_pkg.cli.options import command, dry_run_option, output_option
from ocm_pkg.cli.publishing import moving
from ocm_pkg.cli.sigstoreconfig import sigstore_options
from ocm_pkg.errors import InvalidDocumentError, PluginCallError, PluginError, UsageError, escaped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ocm_pkg.cli.sigstoreconfig import SigstoreOptions
    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.contract.capabilities import Capabilities
    from ocm_pkg.fs.installation import Installation
    from ocm_pkg.model.reference import RepositorySpec
    from ocm_pkg.services.install import Order

_FILE = click.Path(path_type=Path)
_CREDENTIALS_LIMIT = 1024 * 1024


@command()
@click.argument("ref")
@click.option("--key", "keys", type=_FILE, metavar="FILE", multiple=True, help="Public key.")
@click.option("--ca", "roots", type=_FILE, metavar="FILE", multiple=True, help="Root certificate.")
@sigstore_options
@click.option("--from", "source", metavar="REPO", help="Repository of REF, if REF names none.")
@click.option("--platform", metavar="OS/ARCH", help="Install for another platform; not tried.")
@click.option("--into", type=_FILE, metavar="DIR", help="Install into this plugin folder.")
@click.option("--identity", metavar="K=V", multiple=True, help="Narrow down the resource.")
@click.option("--resource", metavar="NAME", help="Name of the resource.")
@click.option("--as", "name", metavar="NAME", help="Name of the installed plugin.")
@click.option("--allow-unsigned", is_flag=True, help="Accept a version without any signature.")
@dry_run_option()
@output_option("text", "json", "yaml")
def install(
    context: Context,
    ref: str,
    source: str | None,
    keys: Sequence[Path],
    roots: Sequence[Path],
    sigstore: SigstoreOptions,
    into: Path | None,
    dry_run: bool,
    output: str,
    **wanted: Any,  # noqa: ANN401
) -> None:
    """Install the plugin of component version REF (REPO//COMPONENT[:VERSION]), verified.

    Its signature is verified, then every byte, then the header of the program; then the program
    is asked once for its capabilities. After any error nothing has changed.
    """
    from ocm_pkg.services.install import install as install_plugin
    from ocm_pkg.services.install import preview

    spec, repository, descriptor = context.component_version(_reference(ref, source))
    order = _order(context, _source(context, spec), descriptor.name, descriptor.version, wanted)
    arguments: dict[str, Any] = {
        "repository": repository,
        "descriptor": descriptor,
        "trust": context.trust(keys, roots, sigstore),
        "place": context.place(into),
        "now": context.now(),
    }
    if dry_run:
        planned = preview(order, **arguments)
        text = f"would install {planned['name']} {planned['version']} at {planned['path']}"
        context.out.data(planned, output, text=text)
        return
    is_native = order.platform == context.platform
    try_it = partial(_try, environment=context.environ) if is_native else None
    with moving(context) as how:
        installed = install_plugin(order, **arguments, probe=try_it, progress=how.progress)
    verb = "installed" if installed.changed else "already installed:"
    text = f"{verb} {installed.receipt.name} {installed.receipt.version} at {installed.path}"
    context.out.data(installed.to_json(), output, text=text)
    if not is_native:
        context.out.warn(f"not tried: it is for {order.platform}, and this is {context.platform}")


def _try(program: Path, *, environment: Mapping[str, str]) -> Capabilities:
    """Ask a staged program what it can do; it is gone after an error, so nobody can run it."""
    from ocm_pkg.plugin.discovery import probe

    try:
        return probe(program, environment=environment)
    except PluginError as error:
        error.hint = "tell its provider; nothing was installed"
        raise


def _reference(ref: str, source: str | None) -> str:
    if source is None:
        if "//" not in ref:
            raise UsageError(
                f"{ref!r} names no repository",
                hint=f"write REPOSITORY//{ref}, or add --from REPOSITORY",
            )
        return ref
    if "//" in ref:
        raise UsageError(f"{ref!r} names a repository already", hint="leave out --from")
    return f"{source}//{ref}"


def _source(context: Context, spec: RepositorySpec) -> str:
    """Return where a plugin comes from, as it reads in any working folder."""
    if spec.kind == "ctf":
        spec = replace(spec, location=str((context.cwd / spec.location).resolve()))
    return str(spec)


def _order(
    context: Context, source: str, component: str, version: str, wanted: dict[str, Any]
) -> Order:
    from ocm_pkg.model import identity
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.services.install import MAX_PROGRAM, Order

    platform = wanted["platform"]
    return Order(
        component=component,
        version=version,
        source=source,
        platform=Platform.parse(platform) if platform else context.platform,
        name=wanted["name"],
        resource=wanted["resource"],
        identity=identity.parse(wanted["identity"]),
        allow_unsigned=wanted["allow_unsigned"],
        max_size=context.limits.get("program-size", MAX_PROGRAM),
    )


@command()
@click.option("--all", "everything", is_flag=True, help="Ask every plugin; built-in ones too.")
@output_option("table", "json", "yaml")
def list_plugins(context: Context, everything: bool, output: str) -> None:
    """List the installed plugins, and whether their files are as they were installed.

    With --all: everything that the plugin manager finds, what each one can do, and which one is
    taken where several can do the same.
    """
    from ocm_pkg.services.installed import installed

    if everything:
        _list_all(context, output)
        return
    found = installed(context.place())
    if output != "table":
        context.out.data([entry.to_json() for entry in found], output)
        return
    rows = [
        (
            entry.receipt.name,
            entry.receipt.version,
            entry.receipt.component,
            str(entry.receipt.platform),
            "yes" if entry.receipt.signature else "no",
            entry.state,
        )
        for entry in found
    ]
    context.out.table(("name", "version", "component", "platform", "signed", "state"), rows)


def _list_all(context: Context, output: str) -> None:
    plugins = context.manager().plugins()
    values = [
        {
            "name": plugin.name,
            "path": str(plugin.path) if plugin.path else None,
            "builtin": plugin.path is None,
            "capabilities": [
                {"type": pair.type, "capability": pair.capability, "used": pair.wins}
                for pair in plugin.pairs
            ],
            "unusable": plugin.reason,
        }
        for plugin in plugins
    ]
    if output != "table":
        context.out.data(values, output)
        return
    rows = []
    for plugin in plugins:
        where = str(plugin.path) if plugin.path else "built in"
        if plugin.reason:
            rows.append((plugin.name, where, "", "", plugin.reason))
        for pair in plugin.pairs:
            used = "used" if pair.wins else "not used"
            rows.append((plugin.name, where, pair.type, pair.capability, used))
    context.out.table(("name", "where", "type", "capability", "state"), rows)


@command()
@click.argument("name")
@output_option("text", "json", "yaml")
def info(context: Context, name: str, output: str) -> None:
    """Show the installed plugin NAME: where it came from, who signed it, its files (re-hashed)."""
    from ocm_pkg.services.installed import show

    entry = show(name, context.place(), full=True)
    context.out.data(
        {**entry.to_json(), "receipt": entry.receipt.to_json()},
        output,
        text=lambda: _info_text(entry),
    )


def _info_text(entry: Installation) -> str:
    receipt = entry.receipt
    signature = receipt.signature
    signed = f"{signature.name}, by {signature.signer}" if signature else "no"
    lines = [
        ("name", receipt.name),
        ("version", receipt.version),
        ("component", receipt.component),
        ("platform", str(receipt.platform)),
        ("path", str(entry.path)),
        ("source", receipt.source),
        ("signed", signed),
        ("digest", str(receipt.resource.digest)),
        ("installed", receipt.installed),
        ("previous", receipt.previous or "none"),
        ("state", entry.state),
    ]
    lines += [("file", f"{file.path}  {file.size} bytes  {file.sha256}") for file in receipt.files]
    return "\n".join(f"{label + ':':12}{escaped(value)}" for label, value in lines)


@command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@dry_run_option()
def remove(context: Context, names: Sequence[str], dry_run: bool) -> None:
    """Remove installed plugins; a running one is not disturbed."""
    from ocm_pkg.services.installed import remove as remove_plugin
    from ocm_pkg.services.installed import show

    place = context.place()
    for name in names:
        if dry_run:
            context.out.step(f"would remove {show(name, place).path}")
        else:
            remove_plugin(name, place)
            context.out.step(f"removed {place.plugins / name}")


@command()
@click.argument("plugin", metavar="NAME|FILE")
@output_option("table", "json", "yaml")
def capabilities(context: Context, plugin: str, output: str) -> None:
    """Ask a plugin what it can do; NAME is in the plugin folder, FILE has a / in its path."""
    answer = context.manager().capabilities(plugin)
    if output == "table":
        context.out.table(("type", "capability"), _capability_rows(answer))
        for name in answer.unknown:
            context.out.warn(f"unknown capability {name}")
        return
    value = answer.to_json()
    context.out.data(
        {
            "id": Path(plugin).name,
            "contract": list(answer.contracts),
            "type": value.get("type", {}),
            "capabilities": value.get("capabilities", []),
        },
        output,
    )


def _capability_rows(answer: Capabilities) -> list[tuple[str, str]]:
    rows = [(name, str(able)) for name, ables in answer.types.items() for able in ables]
    for support in answer.kinds:
        rows += [(entry.type, str(support.kind)) for entry in support.types]
    return rows


@command()
@click.argument("plugin", metavar="NAME|FILE")
@click.argument("method")
@click.argument("path")
@click.argument("body", required=False, metavar="[JSON]")
@click.option("--credentials", type=_FILE, metavar="FILE", help="Credential object (JSON).")
@click.option("--record", type=_FILE, metavar="SESSION", help="Add the exchange to this file.")
def call(
    context: Context,
    plugin: str,
    method: str,
    path: str,
    body: str | None,
    credentials: Path | None,
    record: Path | None,
) -> None:
    """Start a plugin, send it one request, print the body of the answer alone, and stop it.

    A status other than 200 is an error (exit 7).
    """
    from ocm_pkg.model.jsontext import parse_json
    from ocm_pkg.plugin.recording import append_to_session

    value = None if body is None else parse_json(body, name="JSON argument")
    secret = None if credentials is None else _credentials(context.cwd / credentials)
    recorder = partial(append_to_session, context.cwd / record, plugin) if record else None
    response = context.manager().call(
        plugin, method, path, value, credentials=secret, recorder=recorder
    )
    if response.status != 200:
        said = response.body.decode("utf-8", "replace").strip()
        raise PluginCallError(
            f"{plugin} answered {method.upper()} {path} with {response.status}: {said}"
        )
    context.out.raw(response.body)


def _credentials(path: Path) -> dict[str, Any]:
    from ocm_pkg.fs.blob import FileBlob, read_all
    from ocm_pkg.model.jsontext import parse_json

    value = parse_json(read_all(FileBlob(path), _CREDENTIALS_LIMIT, str(path)), name=str(path))
    if not isinstance(value, dict):
        raise InvalidDocumentError(
            f"{path} holds no credential object",
            hint='{"type": "Credentials/v1", "properties": {...}}',
        )
    return value
