"""``cache dir``, ``cache prune``: what was fetched from registries before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ocm_pkg.cli.options import command, dry_run_option, output_option
from ocm_pkg.cli.sizes import human_size
from ocm_pkg.errors import ConfigError

if TYPE_CHECKING:
    from ocm_pkg.cli.wiring import Context
    from ocm_pkg.store.cached import CachedContent


def _cache(context: Context) -> CachedContent:
    if context.cache is None:
        raise ConfigError(
            "there is no folder for a cache: HOME is not set to an absolute path",
            hint="set HOME or XDG_CACHE_HOME",
        )
    return context.cache


@command()
@output_option("text", "json", "yaml")
def cache_dir(context: Context, output: str) -> None:
    """Print the folder of the cache; with -o json also what is in it."""
    cached = _cache(context)
    folder = str(cached.cache.folder)
    if output == "text":
        context.out.line(folder)
        return
    usage = cached.cache.usage()
    value = {
        "folder": folder,
        "items": usage.items,
        "size": usage.size,
        "tags": cached.remembered(),
        "limit": cached.cache.max_bytes,
        "largestItem": cached.cache.largest,
    }
    context.out.data(value, output)


@command()
@click.option("--all", "everything", is_flag=True, help="Remove everything that is kept.")
@dry_run_option()
@output_option("text", "json", "yaml")
def cache_prune(context: Context, *, everything: bool, dry_run: bool, output: str) -> None:
    """Remove what was used longest ago until the cache is within its limit, or everything.

    The limit is 2 GiB; --limit cache-size=SIZE is another one. Nothing that is removed is lost:
    it is fetched again when it is needed.
    """
    cached = _cache(context)
    cache = cached.cache
    removed = cache.prune(everything=everything, dry_run=dry_run)
    tags = 0
    if everything:
        tags = cached.remembered() if dry_run else cached.forget()
    left = cache.usage()
    value = {
        "folder": str(cache.folder),
        "limit": cache.max_bytes,
        "removed": {"items": removed.items, "size": removed.size, "tags": tags},
        "left": {"items": left.items, "size": left.size, "tags": cached.remembered()},
    }
    if dry_run:
        value["left"] = {
            "items": left.items - removed.items,
            "size": left.size - removed.size,
            "tags": cached.remembered() - tags,
        }
    verb = "would remove" if dry_run else "removed"
    context.out.data(
        value, output, text=f"{verb} {removed.items} items, {human_size(removed.size)}"
    )
