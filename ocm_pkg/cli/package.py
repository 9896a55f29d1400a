"""``package``: make a component version of what was built."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ocm_pkg.cli.build import DIST, out_folder, out_option, project_folder, project_option
from ocm_pkg.cli.built import relative, show_packaged
from ocm_pkg.cli.options import command, dry_run_option, output_option
from ocm_pkg.cli.publishing import moving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocm_pkg.builders.source import ProjectSource
    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.flows.packaging import Packaging
    from ocm_pkg.model.reference import RepositorySpec

CTF = "ctf"


@command()
@project_option
@click.option(
    "--to",
    metavar="REPOSITORY",
    help="Where the component version goes (default: the folder ctf in the project).",
)
@out_option
@click.option("--partial", is_flag=True, help="Package what is there, though targets are missing.")
@click.option(
    "--component-version-conflict-policy",
    "policy",
    type=click.Choice(["abort-and-fail", "skip", "replace"]),
    default="abort-and-fail",
    show_default=True,
    help="If the component version is there with other content.",
)
@dry_run_option()
@output_option("text", "json", "yaml")
def package(
    context: Context,
    directory: str,
    to: str | None,
    out: str | None,
    partial: bool,
    policy: str,
    dry_run: bool,
    output: str,
) -> None:
    """Make a component version of what was built."""
    from ocm_pkg.builders.source import load_project
    from ocm_pkg.flows.packaging import package as make

    source = load_project(project_folder(context, directory))
    spec = destination(context, source.folder, to)
    folder = out_folder(context, source.folder, out)
    with _scratch(folder if dry_run else None) as (scratch, copy), moving(context) as how:
        prepared, published = make(
            packaging_of(context, source, copy or folder, partial=partial),
            repository=context.repository(spec, create=True),
            source=str(spec),
            scratch=scratch,
            policy=policy,  # type: ignore[arg-type] # one of the choices above
            dry_run=dry_run,
            moving=how,
        )
    show_packaged(context, prepared, published, dry_run=dry_run, output=output)


def packaging_of(context: Context, source: ProjectSource, out: Path, *, partial: bool) -> Packaging:
    """Return what is to be packaged of a project that was built in ``out``."""
    from ocm_pkg.builders.gitsource import location_of
    from ocm_pkg.builders.source import lock_of, resolve_version
    from ocm_pkg.flows.packaging import Packaging

    return Packaging(
        project=source.project,
        version=resolve_version(source, context.environ),
        config=source.config,
        lock=lock_of(source),
        folder=source.folder,
        out=out,
        location=location_of(source.folder, context.environ),
        partial=partial,
    )


def destination(context: Context, project: Path, to: str | None) -> RepositorySpec:
    """Return the repository of ``--to``, or the CTF in the project's folder."""
    from ocm_pkg.model.reference import RepositorySpec

    if to is not None:
        return RepositorySpec.parse(to.removesuffix("//"))
    return RepositorySpec("ctf", project_path(context, project, CTF))


def project_path(context: Context, project: Path, location: str) -> str:
    """Return a path of the project's folder as it reads in the current one."""
    if location.startswith(("/", "~")):
        return location
    path = relative(project / location, context.cwd)
    return path if path.startswith("/") else f"./{path}"


@contextmanager
def _scratch(copied: Path | None) -> Iterator[tuple[Path, Path | None]]:
    """Give an empty private folder; and, of what is built, a copy that may be written to."""
    with tempfile.TemporaryDirectory(prefix="ocm-pkg-") as name:
        scratch, copy = Path(name, "scratch"), Path(name, DIST)
        scratch.mkdir()
        if copied is not None:
            copy.mkdir()
            for path in copied.glob("*"):
                if path.is_file():
                    shutil.copy(path, copy)
        yield scratch, copy if copied is not None else None
