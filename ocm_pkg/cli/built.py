"""What the author's commands print about plans, binaries and packages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ocm_pkg.errors import OcmPkgError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ocm_pkg.builders.source import ProjectSource
    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.model.part import Part
    from ocm_pkg.model.published import Published
    from ocm_pkg.services.build import PlannedTarget
    from ocm_pkg.services.merge import Merged
    from ocm_pkg.services.package import Package


def show_packaged(
    context: Context, prepared: Package, published: Published, *, dry_run: bool, output: str
) -> None:
    """Print the component version that was made; name the targets that it lacks."""
    if prepared.missing:
        context.out.warn(f"without {', '.join(map(str, prepared.missing))}")
    done = "would package" if dry_run else "packaged"
    reference = f"{published.repository}//{published.component}:{published.version}"
    for target in prepared.targets:
        context.out.step(f"{target.platform}  {target.digest}  {megabytes(target.size)}")
    count = len(prepared.targets)
    context.out.step(f"{done} {count} {'binary' if count == 1 else 'binaries'}")
    context.out.data(published.to_json(), output, text=reference)


def show_plan(
    context: Context, source: ProjectSource, rows: Sequence[PlannedTarget], output: str
) -> None:
    """Print which targets would be built, and on which machines: the matrix of a pipeline."""
    host = str(context.platform)
    targets = [
        {
            "platform": str(row.target.platform),
            "builder": row.target.builder,
            "shape": row.target.shape,
            "file": row.file,
            "here": row.missing is None,
            "reason": row.missing,
            "machine": _machine(row, host),
        }
        for row in rows
    ]
    if output != "table":
        machines: dict[str, list[str]] = {}
        for row in rows:
            machines.setdefault(_machine(row, host), []).append(str(row.target.platform))
        plan = {
            "component": source.project.component,
            "version": _version(source, context),
            "host": host,
            "targets": targets,
            "machines": [
                {"machine": machine, "targets": built} for machine, built in machines.items()
            ],
        }
        context.out.data(plan, output)
        return
    context.out.table(
        ("platform", "builder", "file", "here"),
        [
            (
                str(row.target.platform),
                row.target.builder,
                row.file,
                "yes" if row.missing is None else f"no: {row.missing}",
            )
            for row in rows
        ],
    )


def _machine(row: PlannedTarget, host: str) -> str:
    """Return which machine builds a target: this one, if it can, else one of its platform."""
    return host if row.missing is None else str(row.target.platform)


def _version(source: ProjectSource, context: Context) -> str | None:
    """Return the version that a build would have now; None if nothing says it (no tag yet)."""
    from ocm_pkg.builders.source import resolve_version

    try:
        return resolve_version(source, context.environ)
    except OcmPkgError:
        return None


def show_built(
    context: Context,
    source: ProjectSource,
    part: Part,
    out: Path,
    rows: Sequence[PlannedTarget],
    output: str,
) -> None:
    """Print what is in ``out`` now, and the targets of other machines."""
    others = [
        {
            "platform": str(row.target.platform),
            "reason": row.missing,
            "machine": str(row.target.platform),
        }
        for row in rows
        if row.missing is not None
    ]
    _show_part(context, source, part, out, output, {"others": others})


def show_merged(
    context: Context, source: ProjectSource, merged: Merged, out: Path, output: str
) -> None:
    """Print what was joined in ``out``, and the targets that it lacks."""
    missing = [str(platform) for platform in merged.missing]
    _show_part(context, source, merged.part, out, output, {"missing": missing})


def _show_part(
    context: Context,
    source: ProjectSource,
    part: Part,
    out: Path,
    output: str,
    more: Mapping[str, Any],
) -> None:
    name_of = source.project.binary_name
    files = [(target, out / name_of(target.platform, target.shape)) for target in part.targets]
    if output == "table":
        context.out.table(
            ("platform", "file", "size", "glibc", "digest"),
            [
                (
                    str(target.platform),
                    relative(file, context.cwd),
                    megabytes(target.size),
                    target.glibc or "-",
                    str(target.digest),
                )
                for target, file in files
            ],
        )
        return
    value: dict[str, Any] = {
        "component": part.component,
        "version": part.version,
        "commit": part.commit,
        "targets": [{**target.to_json(), "file": str(file)} for target, file in files],
        **more,
    }
    context.out.data(value, output)


def relative(path: Path, cwd: Path) -> str:
    """Return the path as it is shortest to type: relative below the current folder."""
    return str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)


def megabytes(size: int) -> str:
    """Return a size in units of 1,000,000 bytes."""
    return f"{size / 1_000_000:.1f} MB"
