"""The author's commands: ``check``, ``build``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ocm_pkg.cli.building import build_targets, builders_of, checked_of
from ocm_pkg.cli.built import show_built, show_plan
from ocm_pkg.cli.options import command, dry_run_option, output_option
from ocm_pkg.errors import FileMissingError, OcmPkgError, UnsupportedTargetError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.services.check import Finding

DIST = "dist"
HOST = "host"

project_option = click.option(
    "--project", "directory", metavar="DIR", default=".", help="Folder of the project (default: .)."
)
out_option = click.option(
    "--out", metavar="DIR", help="Folder for what is built (default: dist in the project)."
)


class FindingsError(UsageError):
    """The check found something; every finding is on standard output already."""

    shown = True


@command()
@project_option
@out_option
@output_option("text", "json", "yaml")
def check(context: Context, directory: str, out: str | None, output: str) -> None:
    """Check project file, sources and dist: every finding with its place and a fix."""
    from ocm_pkg.builders.source import load_project
    from ocm_pkg.services.check import check as find
    from ocm_pkg.services.check import unreadable

    folder = project_folder(context, directory)
    try:
        source = load_project(folder)
    except FileMissingError:
        raise
    except OcmPkgError as error:
        findings: tuple[Finding, ...] = (unreadable(error, folder),)
    else:
        findings = find(checked_of(context, source, out_folder(context, folder, out)))
    text = "\n".join(f"{item.at}: {item.message}\n  fix: {item.fix}" for item in findings)
    context.out.data([item.to_json() for item in findings], output, text=text)
    if findings:
        raise FindingsError(f"{len(findings)} findings")
    context.out.step("no findings")


@command()
@project_option
@click.option(
    "--target",
    "targets",
    metavar="OS/ARCH",
    multiple=True,
    help="Build this target (host: this machine's); may be given several times."
    " Default: all that this machine can.",
)
@out_option
@click.option(
    "--shape",
    type=click.Choice(["file", "dir", "launcher"]),
    help="How programs are packed, whatever the project file says: one file; a folder in a tar.gz,"
    " which starts faster and is unpacked when it is installed; or that folder behind a launcher,"
    " which is one file and unpacks itself once.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Build also what is there already, made of the same sources with the same tools.",
)
@click.option("--plan", "planned", is_flag=True, help="Only say what would be built, and where.")
@click.option("--jobs", type=click.IntRange(1, 64), help="Targets to build at the same time.")
@dry_run_option()
@output_option("table", "json", "yaml")
def build(
    context: Context,
    directory: str,
    targets: tuple[str, ...],
    out: str | None,
    shape: str | None,
    force: bool,
    planned: bool,
    jobs: int | None,
    dry_run: bool,
    output: str,
) -> None:
    """Build the targets that this machine can; name the others."""
    from ocm_pkg.builders.source import load_project
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.services.build import plan

    source = load_project(project_folder(context, directory))
    builders = builders_of(context, source.project)
    rows = plan(
        source.project,
        host=context.platform,
        builders=builders,
        only=[context.platform if text == HOST else Platform.parse(text) for text in targets],
        shape=shape,
    )
    if planned or dry_run:
        show_plan(context, source, rows, output)
        return
    possible = [row for row in rows if row.missing is None]
    if not possible:
        raise UnsupportedTargetError(
            "this machine can build none of the targets: "
            + "; ".join(f"{row.target.platform}: {row.missing}" for row in rows),
            hint=f"add the target {context.platform}, or go to one of those machines",
        )
    folder = out_folder(context, source.folder, out)
    part = build_targets(context, source, possible, builders, folder, jobs, force=force)
    for row in rows:
        if row.missing is not None:
            context.out.step(f"not built here: {row.target.platform}: {row.missing}")
    show_built(context, source, part, folder, rows, output)


def project_folder(context: Context, directory: str) -> Path:
    """Return the folder of the project, or raise ``FileMissingError``."""
    folder = (context.cwd / directory).resolve()
    if not folder.is_dir():
        raise FileMissingError(f"{directory} is no folder", hint="name the folder of a project")
    return folder


def out_folder(context: Context, project: Path, out: str | None) -> Path:
    """Return the folder of what is built: DIR of ``--out``, or ``dist`` in the project."""
    return project / DIST if out is None else context.cwd / out
