"""``test``: the binaries of a plugin go through the contract, with timings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ocm_pkg.cli.options import command, output_option
from ocm_pkg.errors import FileMissingError, PluginCallError, PluginStartError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.plugin.contract_results import Binary, ContractResult
    from ocm_pkg.plugin.recording import Exchange

_COLUMNS = ("check", "result", "ms", "detail")


@command()
@click.argument("plugin", metavar="[FILE|NAME]", required=False)
@click.option(
    "--target",
    "targets",
    metavar="OS/ARCH",
    multiple=True,
    help="Of what was built, only this target (host: this machine's); can be given again.",
)
@click.option(
    "--replay",
    "session",
    type=click.Path(path_type=Path),
    metavar="SESSION",
    help="Send the requests of a recorded session, and compare the answers.",
)
@output_option("table", "json", "yaml")
def test(
    context: Context,
    plugin: str | None,
    targets: tuple[str, ...],
    session: Path | None,
    output: str,
) -> None:
    """Run a plugin through the contract: capabilities, start, health, calls, shutdown, idle exit.

    FILE is an executable, or the archive of a folder with one; NAME an installed plugin. Without
    either it is every binary that this project's build left in dist and that can be run here:
    those for other processors by an emulator (QEMU), if there is one. The others are named.
    """
    from ocm_pkg.plugin.contract_results import contract_results
    from ocm_pkg.plugin.emulation import Machine

    if plugin is not None and targets:
        raise UsageError("--target chooses of what was built", hint="leave FILE or --target out")
    binaries = [_named(context, plugin)] if plugin is not None else _built(context, targets)
    results = contract_results(
        binaries,
        machine=Machine(context.platform, context.environ),
        session=_session(context, session),
        begin=lambda binary: context.out.step(f"testing {binary.file.name}"),
    )
    ran = [one for one in results if one.result != "skipped"]
    for one in results:
        if one.result == "skipped":
            context.out.warn(f"not tested: {one.binary.file.name}: {one.detail}")
        elif one.detail:
            context.out.step(f"{one.binary.file.name} was run {one.detail}")
    if not ran:
        raise PluginStartError(
            "nothing was tested: "
            + "; ".join(f"{one.binary.file.name}: {one.detail}" for one in results),
            hint="test it on a machine that it is for",
        )
    _show(context, results, ran, output)
    _judge(ran, shown=output != "table")


def _session(context: Context, session: Path | None) -> Sequence[Exchange] | None:
    if session is None:
        return None
    from ocm_pkg.plugin.recording import read_session

    return read_session(context.cwd / session)


def _show(
    context: Context,
    results: Sequence[ContractResult],
    ran: Sequence[ContractResult],
    output: str,
) -> None:
    """Print the checks of what was run; as data, one plugin in a form of its own."""
    if output == "table":
        rows = [
            (one.binary.file.name, each.check, each.result, f"{each.ms:.1f}", each.detail)
            for one in ran
            for each in one.checks
        ]
        if len(ran) == 1:
            context.out.table(_COLUMNS, [row[1:] for row in rows])
        else:
            context.out.table(("plugin", *_COLUMNS), rows)
    elif len(ran) == 1:
        context.out.data(ran[0].to_json(), output)
    else:
        failed = any(one.result == "failed" for one in ran)
        plugins = [one.to_json() for one in results]
        context.out.data({"plugins": plugins, "result": "failed" if failed else "ok"}, output)


def _judge(ran: Sequence[ContractResult], *, shown: bool) -> None:
    """Raise ``PluginCallError`` if any failed; ``shown``: it says so on standard output already."""
    said = [
        f"{one.binary.file.name} fails {len(failed)} of {len(one.checks)} checks: "
        + ", ".join(check.check for check in failed)
        for one in ran
        if (failed := [check for check in one.checks if check.result == "failed"])
    ]
    if not said:
        return
    error = PluginCallError(
        "; ".join(said),
        hint="see each check's detail, and the plugin's own log with --loglevel debug",
    )
    error.shown = shown
    raise error


def _named(context: Context, plugin: str) -> Binary:
    """Return the file that is meant: a path, a file here, or an installed plugin."""
    from ocm_pkg.plugin.contract_results import binary_of

    named = context.cwd / plugin
    if "/" in plugin or named.is_file():
        if not named.exists():
            raise FileMissingError(f"{named} does not exist", hint="check the path")
        return binary_of(named)
    return binary_of(context.manager().path_of(plugin))


def _built(context: Context, targets: Sequence[str]) -> Sequence[Binary]:
    """Return what the build left, or those of it that are for ``targets``."""
    from ocm_pkg.builders.source import load_project
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.plugin.contract_results import binaries_in
    from ocm_pkg.services.package import read_part

    try:
        project = load_project(context.cwd).project
    except FileMissingError as error:
        raise FileMissingError(
            "no plugin to test: there is no ocm-pkg.yaml here", hint="ocm-pkg test FILE"
        ) from error
    dist = context.cwd / "dist"
    binaries = binaries_in(dist, read_part(dist), project)
    wanted = [context.platform if one == "host" else Platform.parse(one) for one in targets]
    there = {binary.platform for binary in binaries}
    for platform in wanted:
        if platform not in there:
            raise FileMissingError(
                f"{dist} has no binary for {platform}",
                hint=f"build it: ocm-pkg build --target {platform}",
            )
    chosen = [one for one in binaries if not wanted or one.platform in wanted]
    for binary in chosen:
        if not binary.file.is_file():
            raise FileMissingError(f"{binary.file} does not exist", hint="build it: ocm-pkg build")
    return chosen
