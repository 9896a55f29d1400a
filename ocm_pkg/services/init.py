"""Start a project from a template: a small plugin that builds, passes its test and packages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ocm_pkg.errors import AlreadyExistsError, UsageError
from ocm_pkg.fs.atomic import make_folder, write_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from ocm_pkg.model.platform import Platform

TEMPLATES = {"python": "python-plugin"}
"""The templates, and the folder of each."""

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_PLACEHOLDER = "greeter"
_PLATFORM = "linux/amd64"
_SKIPPED = frozenset({"__pycache__", ".ruff_cache", ".pytest_cache"})


def init(
    folder: Path, *, name: str, template: Traversable, platform: Platform, dry_run: bool = False
) -> tuple[Path, ...]:
    """Copy ``template`` to ``folder`` as the plugin ``name``; return the files, relative to it.

    The target of the new project is ``platform``. Raises ``UsageError`` for a name that no plugin
    can have, ``AlreadyExistsError`` if one of the files is there: nothing is written then.
    """
    if not _NAME.fullmatch(name) or len(name) < 2:
        raise UsageError(
            f"{name[:80]!r} cannot be a plugin's name",
            hint="lower-case letters and digits, with single - between: ocm-pkg init my-plugin",
        )
    files = {
        _renamed(path, name, platform): _renamed(item.read_text("utf-8"), name, platform)
        for path, item in _walk(template, "")
    }
    taken = [path for path in files if (folder / path).exists()]
    if taken:
        raise AlreadyExistsError(
            f"{folder / taken[0]} is there already",
            hint="choose an empty folder: ocm-pkg init my-plugin",
        )
    paths = tuple(folder / path for path in files)
    if not dry_run:
        for path, text in zip(paths, files.values(), strict=True):
            make_folder(path.parent)
            write_file(path, text.encode())
    return paths


def _renamed(text: str, name: str, platform: Platform) -> str:
    module = name.replace("-", "_")
    words = "".join(part.capitalize() for part in module.split("_"))
    return (
        text.replace(f"{_PLACEHOLDER}_plugin", f"{module}_plugin")
        .replace(_PLACEHOLDER.capitalize(), words)
        .replace(_PLACEHOLDER, name)
        .replace(_PLATFORM, str(platform))
    )


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.name in _SKIPPED:
            continue
        if item.is_dir():
            yield from _walk(item, f"{prefix}{item.name}/")
        else:
            yield f"{prefix}{item.name}", item
