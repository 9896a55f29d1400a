"""The builders by the names that a project file gives them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ocm_pkg.builders.assemble import PIP, AssembleBuilder, AssembledPackages
from ocm_pkg.builders.command import CommandBuilder
from ocm_pkg.builders.container import ContainerBuilder
from ocm_pkg.builders.containerengine import Engines
from ocm_pkg.builders.containerpackages import ContainerPackages
from ocm_pkg.builders.cxfreeze import CxFreezeBuilder
from ocm_pkg.builders.documented import CYCLONEDX, DocumentedBuilder
from ocm_pkg.builders.interpreter import CX_FREEZE, Interpreters
from ocm_pkg.builders.launchers import Launchers
from ocm_pkg.builders.prebuilt import PrebuiltBuilder
from ocm_pkg.builders.pyinstaller import PyInstallerBuilder
from ocm_pkg.builders.shapes import ShapedBuilder
from ocm_pkg.builders.thirdparty import load_builder
from ocm_pkg.model.builderkeys import BUILDERS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from ocm_pkg.model.platform import Platform
    from ocm_pkg.ports import Builder

BINFMT = Path("/proc/sys/fs/binfmt_misc")
"""Where the kernel says which emulators it knows."""

TIMEOUT = 3600.0
"""Seconds that the tool of one target may take."""


def all_builders(
    *,
    host: Platform,
    environ: Mapping[str, str],
    cache: Path,
    python: str,
    names: Collection[str] = (),
    offline: bool = False,
    timeout: float = TIMEOUT,
    note: Callable[[str], None] = lambda _line: None,
) -> Mapping[str, Builder]:
    """Return every builder of our own, and of other packages those in ``names``.

    ``python`` is the interpreter that freezes, or that environments are made from;
    ``cache`` the folder that keeps those. ``note`` gets a line where something else is made than
    was asked for.
    """
    others = {name: load_builder(name, environ) for name in sorted({*names} - {*BUILDERS})}
    interpreters = Interpreters(python, cache, environ, offline)
    cx_freeze = Interpreters(python, cache, environ, offline, CX_FREEZE)
    pip = Interpreters(python, cache, environ, offline, PIP)
    builders: dict[str, Builder] = {
        "pyinstaller": PyInstallerBuilder(interpreters, environ, host, timeout=timeout),
        "cx_freeze": CxFreezeBuilder(cx_freeze, environ, timeout=timeout),
        "container": ContainerBuilder(
            Engines(environ, BINFMT), python, environ, timeout=timeout, offline=offline
        ),
        "assemble": AssembleBuilder(pip, environ, note, timeout=timeout),
        "command": CommandBuilder(environ, locks=cache / "build-locks", timeout=timeout),
        "prebuilt": PrebuiltBuilder(),
        **others,
    }
    launchers = Launchers(cache, environ)
    shaped = {
        name: ShapedBuilder(builder, launchers, environ, host, note)
        for name, builder in builders.items()
    }
    sbom = Interpreters(python, cache, environ, offline, CYCLONEDX)
    documented = {
        "pyinstaller": DocumentedBuilder(shaped["pyinstaller"], interpreters, sbom, note),
        "cx_freeze": DocumentedBuilder(shaped["cx_freeze"], cx_freeze, sbom, note),
        "container": DocumentedBuilder(shaped["container"], ContainerPackages(), sbom, note),
        "assemble": DocumentedBuilder(shaped["assemble"], AssembledPackages(pip), sbom, note),
    }
    return {**shaped, **documented}
