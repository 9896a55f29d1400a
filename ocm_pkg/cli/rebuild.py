"""``rebuild``: a published version is built again from its recorded source, and compared."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ocm_pkg.cli.options import command, dry_run_option, output_option
from ocm_pkg.cli.sigstoreconfig import sigstore_options
from ocm_pkg.errors import AlreadyExistsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Executor

    from ocm_pkg.cli.sigstoreconfig import SigstoreOptions
    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.flows.rebuild import Machine
    from ocm_pkg.model.project import Target
    from ocm_pkg.model.rebuilt import Rebuilt

_FILE = click.Path(path_type=Path)


@command()
@click.argument("ref")
@click.option("--source", metavar="DIR|URL", help="Repository to take the commit from instead.")
@click.option(
    "--target",
    "targets",
    metavar="OS/ARCH",
    multiple=True,
    help="Build this target again; may be given several times. Default: all that this machine can.",
)
@click.option("--resource", metavar="NAME", help="Name of the plugin resource, if there are more.")
@click.option("--key", "keys", type=_FILE, metavar="FILE", multiple=True, help="Public key.")
@click.option("--ca", "roots", type=_FILE, metavar="FILE", multiple=True, help="Root certificate.")
@sigstore_options
@click.option("--allow-unsigned", is_flag=True, help="Accept a version without any signature.")
@click.option("--keep", metavar="DIR", help="New folder for both sides and the logs.")
@dry_run_option()
@output_option("table", "json", "yaml")
def rebuild(
    context: Context,
    ref: str,
    keys: Sequence[Path],
    roots: Sequence[Path],
    sigstore: SigstoreOptions,
    keep: str | None,
    output: str,
    **wanted: Any,  # noqa: ANN401
) -> None:
    """Build component version REF again from its recorded source, and compare, bit by bit.

    Its signature is verified first: a rebuild runs the build commands of the project. The commit
    is taken from the repository that the provenance names, or from --source. A binary that differs
    is an error (exit 4), and the first difference is named. So is a machine with other tools than
    the recorded ones (exit 6). --dry-run does everything but the building.
    """
    from ocm_pkg.builders.inline import InlineExecutor
    from ocm_pkg.cli.publishing import moving
    from ocm_pkg.flows.rebuild import Order, Place
    from ocm_pkg.flows.rebuild import rebuild as build_again
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.services.compare import MAX_BINARY

    order = Order(
        folder=context.cwd,
        targets=tuple(Platform.parse(text) for text in wanted["targets"]),
        source=wanted["source"],
        resource=wanted["resource"],
        allow_unsigned=wanted["allow_unsigned"],
        dry_run=wanted["dry_run"],
        max_size=context.limits.get("program-size", MAX_BINARY),
    )
    kept = _kept(context, keep)
    trust = context.trust(keys, roots, sigstore)
    _spec, repository, descriptor = context.component_version(ref)
    with (
        tempfile.TemporaryDirectory(prefix="ocm-pkg-") as work,
        InlineExecutor() as executor,
        moving(context) as how,
    ):
        done = build_again(
            order,
            repository=repository,
            descriptor=descriptor,
            trust=trust,
            now=context.now(),
            machine=_machine(context, executor),
            place=Place(Path(work), kept),
            progress=how.progress,
        )
    _show(context, done, output)


def _kept(context: Context, keep: str | None) -> Path | None:
    """Return the folder for what is kept, or raise ``AlreadyExistsError``: nothing is replaced."""
    if keep is None:
        return None
    folder = context.cwd / keep
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise AlreadyExistsError(f"{folder} is there already", hint="name a new folder with --keep")
    return folder


def _machine(context: Context, executor: Executor) -> Machine:
    from ocm_pkg.builders.checkout import check_out
    from ocm_pkg.cli.building import builders_of
    from ocm_pkg.flows.rebuild import Machine

    return Machine(
        host=context.platform,
        check_out=partial(check_out, environ=context.environ, offline=context.offline),
        builders=partial(builders_of, context),
        tools=partial(_tools, context),
        executor=executor,
        note=context.out.step,
    )


def _tools(context: Context, target: Target) -> Mapping[str, str]:
    """Return what is known of the tools for ``target`` here before anything is built."""
    from ocm_pkg.builders.interpreter import CX_FREEZE, PYINSTALLER, Interpreters
    from ocm_pkg.cli.building import python_of

    freezer = {"pyinstaller": PYINSTALLER, "cx_freeze": CX_FREEZE}.get(target.builder)
    if freezer is None:
        return {}
    environ = context.environ
    found = Interpreters(
        python_of(environ), context.cache_folder, environ, context.offline, freezer
    )
    return found.known(target)


def _show(context: Context, done: Rebuilt, output: str) -> None:
    error = done.error
    value = done.to_json()
    if error is not None and output != "table":
        from ocm_pkg.cli.output import error_object

        value["error"] = error_object(error)
    if output == "table":
        rows = [
            (
                str(target.platform),
                target.result,
                str(target.published or "-"),
                target.reason or str(target.difference or ""),
            )
            for target in done.targets
        ]
        context.out.table(("platform", "result", "published", "detail"), rows)
    else:
        context.out.data(value, output)
    if error is not None:
        error.shown = output == "json"
        raise error
    context.out.step(f"{done.component}:{done.version}: {done.result}, from {done.commit}")
