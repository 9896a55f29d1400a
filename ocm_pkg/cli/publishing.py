"""How content is moved by commands, and how what was stored is told."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ocm_pkg.cli.sizes import human_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.model.published import Moving, Published, PublishedBlob


@contextmanager
def moving(context: Context) -> Iterator[Moving]:
    """Give what moves several blobs at once while the block runs, and shows the progress.

    An interrupt ends all of it at once: connections are closed, nothing is waited for long.
    """
    from ocm_pkg.fs.workers import Workers
    from ocm_pkg.model.published import Moving

    def report(blob: PublishedBlob) -> None:
        context.out.step(f"{blob.state:7}  {str(blob.digest)[:19]}  {human_size(blob.size)}")

    def abort() -> None:
        # The property opens registries where none were needed.
        if "registries" in vars(context):
            context.registries.close()

    with context.out.transfers() as bars, Workers(abort=abort) as workers:
        yield Moving(workers, bars, report)


def show_published(
    context: Context, published: Sequence[Published], *, dry_run: bool, output: str
) -> None:
    """Print one object for one component version, a list for several."""
    values = [one.to_json() for one in published]
    lines = []
    for one in published:
        what = f"{one.repository}//{one.component}:{one.version}"
        context.out.step(outcome(one, dry_run=dry_run))
        lines.append(f"{what}  {one.digest}")
    context.out.data(values[0] if len(values) == 1 else values, output, text="\n".join(lines))


def outcome(one: Published, *, dry_run: bool) -> str:
    """Return what became of a component version, or would, in a few words."""
    name = f"{one.component}:{one.version}"
    if not one.written:
        return f"{name} is there already, nothing sent"
    done = "replaced" if one.replaced else "stored"
    return f"{name} would be {done}" if dry_run else f"{name} is {done}"
