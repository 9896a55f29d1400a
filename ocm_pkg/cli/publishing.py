"""How what was stored is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocm_pkg.cli.sizes import human_size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.model.published import Published, PublishedBlob


def reporter(context: Context) -> Callable[[PublishedBlob], None]:
    """Return what prints a line for each blob that is stored."""
    return lambda blob: context.out.step(
        f"{blob.state:7}  {str(blob.digest)[:19]}  {human_size(blob.size)}"
    )


def show_published(
    context: Context, published: Sequence[Published], *, dry_run: bool, output: str
) -> None:
    """Print one object for one component version, a list for several."""
    values = [one.to_json() for one in published]
    lines = []
    for one in published:
        what = f"{one.repository}//{one.component}:{one.version}"
        context.out.step(_outcome(one, dry_run=dry_run))
        lines.append(f"{what}  {one.digest}")
    context.out.data(values[0] if len(values) == 1 else values, output, text="\n".join(lines))


def _outcome(one: Published, *, dry_run: bool) -> str:
    name = f"{one.component}:{one.version}"
    if not one.written:
        return f"{name} is there already"
    return f"{name} would be stored" if dry_run else f"{name} is stored"
