"""The builders by the names that a project file gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocm_pkg.builders.command import CommandBuilder
from ocm_pkg.builders.interpreter import Interpreters
from ocm_pkg.builders.prebuilt import PrebuiltBuilder
from ocm_pkg.builders.pyinstaller import PyInstallerBuilder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ocm_pkg.model.platform import Platform
    from ocm_pkg.ports import Builder

TIMEOUT = 3600.0
"""Seconds that the tool of one target may take."""


def all_builders(
    *,
    host: Platform,
    environ: Mapping[str, str],
    cache: Path,
    python: str,
    offline: bool = False,
    timeout: float = TIMEOUT,
) -> Mapping[str, Builder]:
    """Return every builder.

    ``python`` is the interpreter that PyInstaller runs on, or that environments are made from;
    ``cache`` the folder that keeps those.
    """
    interpreters = Interpreters(python, cache, environ, offline)
    return {
        "pyinstaller": PyInstallerBuilder(interpreters, environ, host, timeout=timeout),
        "command": CommandBuilder(environ, timeout=timeout),
        "prebuilt": PrebuiltBuilder(),
    }
