"""Repositories of the built-in types."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ocm_pkg.errors import FileMissingError, InvalidReferenceError
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.model.reference import ARCHIVE_SUFFIXES, RepositorySpec
from ocm_pkg.store import has_registries
from ocm_pkg.store.repository import ComponentRepository

if TYPE_CHECKING:
    from collections.abc import Callable

    from ocm_pkg.model.jsontext import Limits
    from ocm_pkg.ports import FailPoint
    from ocm_pkg.store.base import OCIStore
    from ocm_pkg.store.registries import CredentialFinder


class BuiltinProvider:
    """Opens CTFs: folders, and tar and tgz files. The name of a new one says which it is.

    Relative paths start at ``folder``, ``~/`` at ``home``. ``max_unpacked`` bounds the bytes of a
    tgz, ``documents`` the component descriptors. ``registry`` gives the store of a repository in
    an OCI registry (``Registries.repository_store``); without it those are not known here.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        home: Path | None = None,
        fail_point: FailPoint | None = None,
        max_unpacked: int | None = None,
        documents: Limits | None = None,
        registry: Callable[[RepositorySpec], OCIStore] | None = None,
    ) -> None:
        self._registry = registry
        self._folder = folder or Path()
        self._max_unpacked = max_unpacked
        self._documents = documents
        self._home = home
        self._fail_point = fail_point

    def open(self, spec: RepositorySpec, *, create: bool = False) -> ComponentRepository:
        """Return the repository; with ``create`` a missing one is made when first written to.

        Raises ``InvalidReferenceError`` for a type that is not built in, ``FileMissingError`` for
        a CTF that isn't there.
        """
        if spec.kind == "oci" and self._registry is not None:
            return ComponentRepository(self._registry(spec), documents=self._documents)
        if spec.kind != "ctf":
            raise InvalidReferenceError(
                f"repositories of type {spec.type!r} are not built in",
                hint=f"install a plugin for {spec.type}, or use a CTF: ./FOLDER//COMPONENT",
            )
        return ComponentRepository(self._ctf(spec, create=create), documents=self._documents)

    def _ctf(self, spec: RepositorySpec, *, create: bool) -> OCIStore:
        path = self._path(spec.location)
        with storage_errors(f"opening {spec.location}"):
            is_file, is_folder = path.is_file(), path.is_dir()
        is_archive = path.name.endswith(ARCHIVE_SUFFIXES) and create and not is_folder
        if is_file or is_archive:
            from ocm_pkg.store.archive import ArchiveStore
            from ocm_pkg.store.archivefile import MAX_UNPACKED

            return ArchiveStore(
                path,
                create=create,
                fail_point=self._fail_point,
                max_unpacked=self._max_unpacked or MAX_UNPACKED,
            )
        if not create and not is_folder:
            raise FileMissingError(f"the CTF {spec.location} does not exist", hint="check the path")
        from ocm_pkg.store.ctf import CTFStore

        return CTFStore(path, create=create, fail_point=self._fail_point)

    def _path(self, location: str) -> Path:
        text = location.removeprefix("file://")
        if self._home is not None and (text == "~" or text.startswith("~/")):
            return self._home / text[2:]
        return self._folder / text


def open_repository(
    text: str, *, create: bool = False, credentials: CredentialFinder | None = None
) -> ComponentRepository:
    """Open the repository that ``text`` names, as on the command line.

    ``./ctf``, ``x.tgz``; ``ghcr.io/acme/ocm``, ``http://127.0.0.1:5000``: a registry is read and
    written anonymously without ``credentials``. For repositories of other types use
    ``PluginManager.open``. Errors as ``BuiltinProvider.open``.
    """
    spec = RepositorySpec.parse(text)
    if spec.kind != "oci" or not has_registries():
        return BuiltinProvider().open(spec, create=create)
    from ocm_pkg.store.registries import Registries

    registry = Registries(credentials=credentials).repository_store
    return BuiltinProvider(registry=registry).open(spec, create=create)
