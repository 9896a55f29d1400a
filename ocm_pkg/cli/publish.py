"""``publish``: send a component version, as it is, to where others get it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ocm_pkg.cli.build import project_folder, project_option
from ocm_pkg.cli.options import command, dry_run_option, output_option
from ocm_pkg.cli.package import destination, project_path
from ocm_pkg.cli.publishing import moving, show_published
from ocm_pkg.errors import FileMissingError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from ocm_pkg.builders.source import ProjectSource
    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.model.reference import ComponentRef, RepositorySpec


@command()
@click.argument("ref", required=False)
@project_option
@click.option(
    "--from",
    "source",
    metavar="REPOSITORY",
    help="Where the component version is (default: the folder ctf in the project).",
)
@click.option(
    "--to",
    metavar="REPOSITORY",
    help="Where it goes (default: publish.to of the project file).",
)
@click.option("--replace", is_flag=True, help="Replace what is there with other content.")
@dry_run_option()
@output_option("table", "json", "yaml")
def publish(
    context: Context,
    ref: str | None,
    directory: str,
    source: str | None,
    to: str | None,
    *,
    replace: bool,
    dry_run: bool,
    output: str,
) -> None:
    """Send a component version to another repository, signatures kept.

    REF is COMPONENT[:VERSION], or REPOSITORY//COMPONENT[:VERSION]; without it, it is the one that
    the project makes. The same content again is no change; other content under a version that is
    there already is refused.
    """
    from ocm_pkg.cli.locating import find
    from ocm_pkg.services.transfer import transfer

    folder = project_folder(context, directory)
    project = _project(folder) if ref is None or to is None else None
    target = _target(context, project, to)
    origin = find(context, _wanted(context, folder, project, ref, source))
    with moving(context) as how:
        published = transfer(
            origin.component,
            origin.version,
            source=origin.repository,
            destination=context.repository(target, create=True),
            repository=str(target),
            replace=replace,
            dry_run=dry_run,
            moving=how,
        )
    show_published(context, published, dry_run=dry_run, output=output)


def _project(folder: Path) -> ProjectSource | None:
    from ocm_pkg.builders.source import load_project

    try:
        return load_project(folder)
    except FileMissingError:
        return None


def configured_target(context: Context, project: ProjectSource) -> RepositorySpec | None:
    """Return the repository that the project file says; None if it says none."""
    configured = project.project.publish_to
    if configured is None or configured.kind != "ctf":
        return configured
    return replace(configured, location=project_path(context, project.folder, configured.location))


def _target(context: Context, project: ProjectSource | None, to: str | None) -> RepositorySpec:
    from ocm_pkg.model.reference import RepositorySpec

    if to is not None:
        return RepositorySpec.parse(to.removesuffix("//"))
    configured = configured_target(context, project) if project else None
    if configured is None:
        raise UsageError(
            "no repository to publish to",
            hint="add --to REPOSITORY, or publish: {to: REPOSITORY} to ocm-pkg.yaml",
        )
    return configured


def _wanted(
    context: Context,
    folder: Path,
    project: ProjectSource | None,
    ref: str | None,
    source: str | None,
) -> ComponentRef:
    from ocm_pkg.model.reference import ComponentRef

    repository = destination(context, folder, source)
    if ref is None:
        if project is None:
            raise UsageError(
                f"nothing to publish: there is no ocm-pkg.yaml in {folder}",
                hint="name what to publish: ocm-pkg publish COMPONENT:VERSION --to REPOSITORY",
            )
        from ocm_pkg.builders.source import resolve_version

        version = resolve_version(project, context.environ)
        return ComponentRef(repository, project.project.component, version)
    wanted = ComponentRef.parse(ref)
    if wanted.repository is None:
        return ComponentRef(repository, wanted.component, wanted.version)
    if source is not None:
        raise UsageError(f"{ref!r} names a repository already", hint="leave out --from")
    return wanted
