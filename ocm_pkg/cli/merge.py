"""The command ``merge``: dist folders of several build machines become one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ocm_pkg.cli.build import project_folder, project_option
from ocm_pkg.cli.built import show_merged
from ocm_pkg.cli.options import command, dry_run_option, output_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocm_pkg.cli.wiring import Context


@command()
@click.argument(
    "folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="New folder for all binaries and their report.",
)
@project_option
@click.option("--partial", is_flag=True, help="Join what is there, though targets are missing.")
@dry_run_option()
@output_option("table", "json", "yaml")
def merge(
    context: Context,
    folders: Sequence[Path],
    out: Path,
    directory: str,
    partial: bool,
    dry_run: bool,
    output: str,
) -> None:
    """Join what build machines have left: part.json of each, and what was built beside it.

    A DIR is the dist folder of a machine, or a folder with its part.json and, as ctf, ctf.tar or
    ctf.tgz, the CTF that `ocm-pkg package --partial` made of it.

    They must be of the same component, version, commit, project file and requirements.
    """
    from ocm_pkg.builders.source import load_project
    from ocm_pkg.services.merge import merge as join

    source = load_project(project_folder(context, directory))
    merged = join(
        source.project,
        config=source.config,
        folders=[(context.cwd / folder).resolve() for folder in folders],
        out=context.cwd / out,
        partial=partial,
        dry_run=dry_run,
    )
    if merged.missing:
        context.out.warn(f"without {', '.join(map(str, merged.missing))}")
    if len(folders) > 1 and (merged.part.commit or "").endswith("-dirty"):
        context.out.warn(
            f"built from {merged.part.commit}: with changes that are in no commit, and that may"
            " differ between the machines"
        )
    show_merged(context, source, merged, context.cwd / out, output)
