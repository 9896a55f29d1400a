"""Building and checking a project, for every command that does it."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from ocm_pkg.cli.built import megabytes, relative
from ocm_pkg.errors import ToolMissingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ocm_pkg.builders.source import ProjectSource
    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.model.part import BuiltTarget, Part
    from ocm_pkg.model.project import PluginProject
    from ocm_pkg.ports import Builder
    from ocm_pkg.services.build import PlannedTarget, Sources
    from ocm_pkg.services.check import Checked


def checked_of(context: Context, source: ProjectSource, out: Path) -> Checked:
    """Return what is to be checked of a project, and of ``out`` as its folder of binaries."""
    from ocm_pkg.builders.source import lock_of, resolve_version
    from ocm_pkg.services.check import Checked

    return Checked(
        project=source.project,
        document=source.document,
        folder=source.folder,
        out=out,
        config=source.config,
        version=lambda: resolve_version(source, context.environ),
        lock=lambda: lock_of(source),
    )


def build_targets(
    context: Context,
    source: ProjectSource,
    rows: Sequence[PlannedTarget],
    builders: Mapping[str, Builder],
    out: Path,
    jobs: int | None,
    *,
    force: bool = False,
) -> Part:
    """Build the targets of ``rows`` and say so; return the report that is in ``out`` then.

    What is there and would be the same stays, unless ``force``.
    """
    from concurrent.futures import ThreadPoolExecutor

    from ocm_pkg.builders.gates import StartupProbe
    from ocm_pkg.builders.inline import InlineExecutor
    from ocm_pkg.builders.notes import BuildNotes
    from ocm_pkg.builders.source import load_project
    from ocm_pkg.builders.unchanged import Again
    from ocm_pkg.services.build import build as build_all

    def done(target: BuiltTarget, word: str = "built") -> None:
        name = source.project.binary_name(target.platform, target.shape)
        facts = [megabytes(target.size), *([f"glibc {target.glibc}"] if target.glibc else [])]
        context.out.step(f"{word} {relative(out / name, context.cwd)} ({', '.join(facts)})")

    sources = sources_of(context, source)
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
            again=Again(
                BuildNotes(context.cache_folder / "builds"),
                force=force,
                kept=lambda target: done(target, "unchanged"),
            ),
            now=lambda: sources_of(context, load_project(source.folder)),
        )


def sources_of(context: Context, source: ProjectSource) -> Sources:
    """Return what is built of a project as it is now."""
    from ocm_pkg.builders.source import commit_of, lock_of, resolve_version
    from ocm_pkg.services.build import Sources

    return Sources(
        project=source.project,
        folder=source.folder,
        version=resolve_version(source, context.environ),
        commit=commit_of(source.folder, context.environ),
        config=source.config,
        lock=lock_of(source),
    )


def builders_of(context: Context, project: PluginProject) -> Mapping[str, Builder]:
    """Return the builders that a project names, by their names."""
    from ocm_pkg.builders.registry import all_builders

    return all_builders(
        host=context.platform,
        environ=context.environ,
        cache=context.cache_folder,
        python=python_of(context.environ),
        names={target.builder for target in project.targets},
        offline=context.offline,
        note=context.out.warn,
    )


def python_of(environ: Mapping[str, str]) -> str:
    """Return the Python to build with; a frozen program has none of its own."""
    if not getattr(sys, "frozen", False):
        return sys.executable
    found = shutil.which("python3", path=environ.get("PATH"))
    if found is None:
        raise ToolMissingError(
            "python3 is not on this machine", hint="install Python 3.11 or newer"
        )
    return found
