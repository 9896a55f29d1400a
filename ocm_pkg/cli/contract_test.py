"""``test``: a plugin's binary goes through the contract, with timings."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ocm_pkg.cli.options import command, output_option
from ocm_pkg.errors import FileMissingError, PluginCallError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.plugin.contract_run import Check

_ARCHIVES = (".tar.gz", ".tgz", ".tar")


@command()
@click.argument("plugin", metavar="[FILE|NAME]", required=False)
@click.option(
    "--replay",
    "session",
    type=click.Path(path_type=Path),
    metavar="SESSION",
    help="Send the requests of a recorded session, and compare the answers.",
)
@output_option("table", "json", "yaml")
def test(context: Context, plugin: str | None, session: Path | None, output: str) -> None:
    """Run a plugin through the contract: capabilities, start, health, calls, shutdown, idle exit.

    FILE is an executable, or the archive of a folder with one; NAME an installed plugin; without
    either it is what this project's build left in dist for this machine.
    """
    from ocm_pkg.plugin.contract_run import replay, run_contract

    file = _file(context, plugin)
    with _unpacked(file) as program:
        if session is None:
            checks = run_contract(program, environment=context.environ)
        else:
            from ocm_pkg.plugin.recording import read_session

            exchanges = read_session(context.cwd / session)
            checks = replay(program, exchanges, environment=context.environ)
    failed = [check for check in checks if check.result == "failed"]
    if output == "table":
        columns = ("check", "result", "ms", "detail")
        context.out.table(
            columns, [(one.check, one.result, f"{one.ms:.1f}", one.detail) for one in checks]
        )
    else:
        context.out.data(_report(file, checks, failed=bool(failed)), output)
    if failed:
        error = PluginCallError(
            f"{file.name} fails {len(failed)} of {len(checks)} checks: "
            + ", ".join(check.check for check in failed),
            hint="see each check's detail, and the plugin's own log with --loglevel debug",
        )
        error.shown = output != "table"
        raise error


def _report(file: Path, checks: list[Check], *, failed: bool) -> dict[str, object]:
    return {
        "plugin": file.name,
        "result": "failed" if failed else "ok",
        "checks": [check.to_json() for check in checks],
    }


def _file(context: Context, plugin: str | None) -> Path:
    """Return the file that is meant: a path, a file here, an installed plugin, or the build's."""
    if plugin is None:
        return _built(context)
    named = context.cwd / plugin
    if "/" in plugin or named.is_file():
        if not named.exists():
            raise FileMissingError(f"{named} does not exist", hint="check the path")
        return named
    return context.manager().path_of(plugin)


def _built(context: Context) -> Path:
    from ocm_pkg.builders.source import load_project

    try:
        project = load_project(context.cwd).project
    except FileMissingError as error:
        raise FileMissingError(
            "no plugin to test: there is no ocm-pkg.yaml here", hint="ocm-pkg test FILE"
        ) from error
    dist = context.cwd / "dist"
    for shape in ("file", "dir"):
        built = dist / project.binary_name(context.platform, shape)
        if built.is_file():
            return built
    built = dist / project.binary_name(context.platform)
    raise FileMissingError(
        f"{built} does not exist", hint="build it: ocm-pkg build; or name another file"
    )


@contextmanager
def _unpacked(file: Path) -> Iterator[Path]:
    """Give the program to run: ``file`` itself, or the one in the archive that it is."""
    if not file.name.endswith(_ARCHIVES):
        yield file
        return
    import tempfile

    from ocm_pkg.fs.oserror import storage_errors
    from ocm_pkg.fs.unpack import unpack

    with tempfile.TemporaryDirectory(prefix="ocm-pkg-") as name:
        with storage_errors(f"unpacking {file}", Path(name)), file.open("rb") as stream:
            compressed = not file.name.endswith(".tar")
            found = unpack(stream, Path(name), what=file.name, compressed=compressed)
        yield Path(name, found.program)
