"""The author's commands: ``init``, ``check``, ``build``, ``package``."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ocm_pkg.cli.built import megabytes, relative, show_built, show_packaged, show_plan
from ocm_pkg.cli.options import command, dry_run_option, output_option
from ocm_pkg.cli.publishing import moving
from ocm_pkg.errors import (
    FileMissingError,
    OcmPkgError,
    ToolMissingError,
    UnsupportedTargetError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ocm_pkg.builders.source import ProjectSource
    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.model.part import BuiltTarget, Part
    from ocm_pkg.model.project import PluginProject
    from ocm_pkg.model.published import Published
    from ocm_pkg.model.reference import RepositorySpec
    from ocm_pkg.ports import Builder
    from ocm_pkg.services.build import PlannedTarget
    from ocm_pkg.services.check import Finding
    from ocm_pkg.services.package import Package

DIST = "dist"
CTF = "ctf"
HOST = "host"

project_option = click.option(
    "--project", "directory", metavar="DIR", default=".", help="Folder of the project (default: .)."
)
_out_option = click.option(
    "--out", metavar="DIR", help="Folder for what is built (default: dist in the project)."
)


class FindingsError(UsageError):
    """The check found something; every finding is on standard output already."""

    shown = True


@command()
@click.argument("directory", metavar="[DIR]", default=".")
@click.option(
    "--template",
    type=click.Choice(["python"]),
    default="python",
    show_default=True,
    help="What to start from.",
)
@click.option("--name", help="Name of the plugin (default: the folder's name).")
@dry_run_option()
@output_option("text", "json", "yaml")
def init(
    context: Context, directory: str, template: str, name: str | None, dry_run: bool, output: str
) -> None:
    """Start a plugin that works: project file, source, test."""
    from importlib.resources import files

    from ocm_pkg.services.init import TEMPLATES
    from ocm_pkg.services.init import init as start

    folder = (context.cwd / directory).resolve()
    paths = start(
        folder,
        name=name or folder.name,
        template=files("ocm_pkg.templates").joinpath(TEMPLATES[template]),
        platform=context.platform,
        dry_run=dry_run,
    )
    shown = [relative(path, context.cwd) for path in paths]
    context.out.data({"files": shown}, output, text="\n".join(shown))
    if not dry_run:
        where = "" if folder == context.cwd else f"cd {relative(folder, context.cwd)} && "
        context.out.step(f"next: {where}ocm-pkg build && ocm-pkg test && ocm-pkg package")


@command()
@project_option
@_out_option
@output_option("text", "json", "yaml")
def check(context: Context, directory: str, out: str | None, output: str) -> None:
    """Check project file, sources and dist: every finding with its place and a fix."""
    from ocm_pkg.builders.source import load_project, lock_of, resolve_version
    from ocm_pkg.services.check import Checked, unreadable
    from ocm_pkg.services.check import check as find

    folder = project_folder(context, directory)
    try:
        source = load_project(folder)
    except FileMissingError:
        raise
    except OcmPkgError as error:
        findings: tuple[Finding, ...] = (unreadable(error, folder),)
    else:
        findings = find(
            Checked(
                project=source.project,
                document=source.document,
                folder=folder,
                out=_out(context, folder, out),
                config=source.config,
                version=lambda: resolve_version(source, context.environ),
                lock=lambda: lock_of(source),
            )
        )
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
@_out_option
@click.option(
    "--shape",
    type=click.Choice(["file", "dir", "launcher"]),
    help="How programs are packed, whatever the project file says: one file; a folder in a tar.gz,"
    " which starts faster and is unpacked when it is installed; or that folder behind a launcher,"
    " which is one file and unpacks itself once.",
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
    builders = _builders(context, source.project)
    rows = plan(
        source.project,
        host=context.platform,
        builders=builders,
        only=[context.platform if text == HOST else Platform.parse(text) for text in targets],
        shape=shape,
    )
    if planned or dry_run:
        show_plan(context, rows, output)
        return
    possible = [row for row in rows if row.missing is None]
    if not possible:
        raise UnsupportedTargetError(
            "this machine can build none of the targets: "
            + "; ".join(f"{row.target.platform}: {row.missing}" for row in rows),
            hint=f"add the target {context.platform}, or go to one of those machines",
        )
    folder = _out(context, source.folder, out)
    part = _build(context, source, possible, builders, folder, jobs)
    for row in rows:
        if row.missing is not None:
            context.out.step(f"not built here: {row.target.platform}: {row.missing}")
    show_built(context, source, part, folder, rows, output)


@command()
@project_option
@click.option(
    "--to",
    metavar="REPOSITORY",
    help="Where the component version goes (default: the folder ctf in the project).",
)
@_out_option
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
    from ocm_pkg.builders.source import load_project, lock_of, resolve_version
    from ocm_pkg.services.package import prepare

    source = load_project(project_folder(context, directory))
    spec = _destination(context, source.folder, to)
    folder = _out(context, source.folder, out)
    with _scratch(folder if dry_run else None) as (scratch, copy):
        prepared = prepare(
            source.project,
            version=resolve_version(source, context.environ),
            config=source.config,
            lock=lock_of(source),
            folder=source.folder,
            out=copy or folder,
            partial=partial,
        )
        published = _publish(context, prepared, spec, policy, scratch, dry_run=dry_run)
    show_packaged(context, prepared, published, dry_run=dry_run, output=output)


def _publish(
    context: Context,
    prepared: Package,
    spec: RepositorySpec,
    policy: str,
    scratch: Path,
    *,
    dry_run: bool,
) -> Published:
    from ocm_pkg.fs.inputs import Workplace
    from ocm_pkg.model.constructor import parse_constructor
    from ocm_pkg.services.construct import construct
    from ocm_pkg.services.publish import publish

    path = prepared.path
    constructor = parse_constructor(prepared.data, name=path.name, variables={})
    (made,) = construct(constructor, Workplace(path.parent, scratch))
    with moving(context) as how:
        return publish(
            made.descriptor,
            made.contents,
            repository=context.repository(spec, create=True),
            source=str(spec),
            policy=policy,  # type: ignore[arg-type] # one of the choices above
            dry_run=dry_run,
            moving=how,
        )


def _build(
    context: Context,
    source: ProjectSource,
    rows: Sequence[PlannedTarget],
    builders: Mapping[str, Builder],
    out: Path,
    jobs: int | None,
) -> Part:
    from concurrent.futures import ThreadPoolExecutor

    from ocm_pkg.builders.gates import StartupProbe
    from ocm_pkg.builders.inline import InlineExecutor
    from ocm_pkg.builders.source import commit_of, lock_of, resolve_version
    from ocm_pkg.services.build import Sources
    from ocm_pkg.services.build import build as build_all

    def done(target: BuiltTarget) -> None:
        name = source.project.binary_name(target.platform, target.shape)
        facts = [megabytes(target.size), *([f"glibc {target.glibc}"] if target.glibc else [])]
        context.out.step(f"built {relative(out / name, context.cwd)} ({', '.join(facts)})")

    sources = Sources(
        project=source.project,
        folder=source.folder,
        version=resolve_version(source, context.environ),
        commit=commit_of(source.folder, context.environ),
        config=source.config,
        lock=lock_of(source),
    )
    names = ", ".join(str(row.target.platform) for row in rows)
    context.out.step(f"building {source.project.plugin_name} {sources.version} for {names}")
    workers = min(len(rows), jobs or os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) if workers > 1 else InlineExecutor() as executor:
        return build_all(
            sources,
            targets=[row.target for row in rows],
            out=out,
            builders=builders,
            executor=executor,
            done=done,
            startup=StartupProbe(context.platform, context.environ),
        )


def _builders(context: Context, project: PluginProject) -> Mapping[str, Builder]:
    from ocm_pkg.builders.registry import all_builders

    return all_builders(
        host=context.platform,
        environ=context.environ,
        cache=context.cache_folder,
        python=_python(context.environ),
        names={target.builder for target in project.targets},
        offline=context.offline,
        note=context.out.warn,
    )


def _python(environ: Mapping[str, str]) -> str:
    """Return the Python to build with; a frozen program has none of its own."""
    if not getattr(sys, "frozen", False):
        return sys.executable
    found = shutil.which("python3", path=environ.get("PATH"))
    if found is None:
        raise ToolMissingError(
            "python3 is not on this machine", hint="install Python 3.11 or newer"
        )
    return found


def _destination(context: Context, project: Path, to: str | None) -> RepositorySpec:
    from ocm_pkg.model.reference import RepositorySpec

    if to is not None:
        return RepositorySpec.parse(to.removesuffix("//"))
    path = relative(project / CTF, context.cwd)
    return RepositorySpec("ctf", path if path.startswith("/") else f"./{path}")


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


def project_folder(context: Context, directory: str) -> Path:
    """Return the folder of the project, or raise ``FileMissingError``."""
    folder = (context.cwd / directory).resolve()
    if not folder.is_dir():
        raise FileMissingError(f"{directory} is no folder", hint="name the folder of a project")
    return folder


def _out(context: Context, project: Path, out: str | None) -> Path:
    return project / DIST if out is None else context.cwd / out
