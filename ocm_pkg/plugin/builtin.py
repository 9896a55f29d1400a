"""The plugins that come with this program and run in its process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocm_pkg.contract.capabilities import Capability
from ocm_pkg.plugin.registry import ImplementedPlugin

if TYPE_CHECKING:
    from pathlib import Path

    from ocm_pkg.model.reference import RepositorySpec
    from ocm_pkg.ports import Repository

CTF_ID = "ocm.software/ctf-plugin/v1"


def builtin_plugins(folder: Path) -> tuple[ImplementedPlugin, ...]:
    """Return the built-in plugins; relative paths of archives are relative to ``folder``."""
    ctf = ImplementedPlugin(
        id=CTF_ID,
        type="ctf",
        capabilities=(Capability.READ_WRITE_COMPONENT_VERSION_REPOSITORY,),
        base=_CTFProvider(folder),
    )
    return (ctf,)


class _CTFProvider:
    """Implements ``ports.RepositoryProvider``; the store is imported with the first archive."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, spec: RepositorySpec, *, create: bool = False) -> Repository:
        """Return the repository; with ``create`` a missing one is made when first written to."""
        from ocm_pkg.store.provider import BuiltinProvider

        return BuiltinProvider(self._folder).open(spec, create=create)
