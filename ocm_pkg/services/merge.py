"""Join what several machines built: one folder with the binaries of all, and one report."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

from ocm_pkg.errors import (
    AlreadyExistsError,
    BuildError,
    ConfigError,
    ConflictError,
    DigestMismatchError,
    FileMissingError,
)
from ocm_pkg.fs.atomic import commit_folder, make_folder, staged_folder, write_file
from ocm_pkg.fs.blob import FileBlob, copy_blob, read_all, verify
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.model.documents import files_of
from ocm_pkg.model.part import FILE_NAME, MAX_BYTES, Part
from ocm_pkg.store.archive import ArchiveStore
from ocm_pkg.store.ctf import CTFStore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ocm_pkg.model.digest import Digest
    from ocm_pkg.model.documents import BuiltFile
    from ocm_pkg.model.part import BuiltTarget
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.project import PluginProject
    from ocm_pkg.ports import Blob, FailPoint

_CTF = "ctf"
_ARCHIVES = ("ctf.tar", "ctf.tgz")
_ANY = ""
"""Content of a CTF belongs to all of its repositories."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The report of all that was joined, and the targets of the project that it lacks."""

    part: Part
    missing: tuple[Platform, ...]


def merge(
    project: PluginProject,
    *,
    config: Digest,
    folders: Sequence[Path],
    out: Path,
    partial: bool = False,
    dry_run: bool = False,
    fail_point: FailPoint | None = None,
) -> Merged:
    """Join ``folders``, each with what was built and ``part.json``, into the new folder ``out``.

    What was built is there as the files of ``build``, or as content of a CTF in the folder:
    ``ctf``, ``ctf.tar`` or ``ctf.tgz``. ``config`` is the digest of the project file. The order
    of ``folders`` makes no difference. ``out`` appears with everything in it, or not at all.

    Raises ``FileMissingError`` for a folder without report, binary or document; ``ConfigError`` if
    the parts were built from different sources, or from another project file; ``ConflictError``
    if a target is in two folders; ``BuildError`` if a target is in none, unless ``partial`` or
    ``require.all-targets: false``; ``DigestMismatchError`` if a file isn't what its report says;
    ``AlreadyExistsError`` if ``out`` has files.
    """
    parts = {folder: _read(folder) for folder in sorted(set(folders))}
    if len(parts) < len(folders):
        raise ConflictError("a folder is named twice", hint="name each folder once")
    _same_sources(parts, project, config)
    origin = _origins(parts)
    sources = {folder: _Source(folder) for folder in parts}
    missing = tuple(sorted({target.platform for target in project.targets} - origin.keys()))
    if missing and project.require.all_targets and not partial:
        raise BuildError(
            f"no folder has a binary for {', '.join(map(str, missing))}",
            hint="build them on their machines, or join what is there with --partial",
        )
    _require_empty(out)
    targets = tuple(target for _platform, (_folder, target) in sorted(origin.items()))
    part = replace(next(iter(parts.values())), targets=targets)
    if dry_run:
        for folder, target in origin.values():
            for file in files_of(project, target):
                sources[folder].check(file)
        return Merged(part, missing)
    make_folder(out.parent)
    with staged_folder(out.parent, 0o755) as staged:
        for folder, target in origin.values():
            for file in files_of(project, target):
                sources[folder].copy(file, staged / file.name)
        write_file(staged / FILE_NAME, part.encode())
        commit_folder(staged, out, fail_point=fail_point)
    return Merged(part, missing)


def _read(folder: Path) -> Part:
    path = folder / FILE_NAME
    if not path.is_file():
        raise FileMissingError(
            f"{folder} has no {FILE_NAME}", hint="name folders that `ocm-pkg build` has left"
        )
    return Part.parse(read_all(FileBlob(path), MAX_BYTES, str(path)), name=str(path))


def _same_sources(parts: Mapping[Path, Part], project: PluginProject, config: Digest) -> None:
    """Refuse parts that differ in what they were built from, and name the first difference."""
    (first, one), *others = parts.items()
    for folder, other in others:
        pairs = {
            "component": (one.component, other.component),
            "version": (one.version, other.version),
            "commit": (one.commit, other.commit),
            "project file": (one.config, other.config),
            "requirements": (one.lock, other.lock),
        }
        for what, (mine, theirs) in pairs.items():
            if mine != theirs:
                raise ConfigError(
                    f"{first} and {folder} were built from a different {what}:"
                    f" {mine or 'none'} and {theirs or 'none'}",
                    hint="build both again, from the same commit",
                )
    if (one.component, one.config) != (project.component, config):
        what = "component" if one.component != project.component else "project file"
        raise ConfigError(
            f"what is built has another {what} than the project",
            hint="name the project that it was built from with --project, or build again",
        )


def _origins(parts: Mapping[Path, Part]) -> dict[Platform, tuple[Path, BuiltTarget]]:
    """Return where each target is; refuse one that is in two folders."""
    found: dict[Platform, tuple[Path, BuiltTarget]] = {}
    for folder, part in parts.items():
        for target in part.targets:
            if target.platform in found:
                raise ConflictError(
                    f"{target.platform} is in {found[target.platform][0]} and in {folder}",
                    hint="leave one of them out, or remove the target from one and build again",
                )
            found[target.platform] = folder, target
    return found


def _require_empty(out: Path) -> None:
    with storage_errors(f"looking into {out}", out.parent):
        taken = out.exists() and (not out.is_dir() or any(out.iterdir()))
    if taken:
        raise AlreadyExistsError(
            f"{out} is there already, with content", hint="choose a folder that is new or empty"
        )


class _Source:
    """The files of one part, by their names or, in a CTF beside the report, by their digests."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folders = [folder / _CTF] if (folder / _CTF).is_dir() else []
        archives = [folder / name for name in _ARCHIVES if (folder / name).is_file()]
        self._stores: list[CTFStore | ArchiveStore] = [
            *(CTFStore(path) for path in folders),
            *(ArchiveStore(path) for path in archives),
        ]

    def copy(self, file: BuiltFile, destination: Path) -> None:
        """Copy a file, checked on the way: what was copied is what was checked."""

        def write(stream: BinaryIO) -> None:
            blob, where = self._blob(file)
            _compare(where, file, copy_blob(blob, stream))

        write_file(destination, write, 0o755 if file.executable else 0o644)

    def check(self, file: BuiltFile) -> None:
        """Read a file to its end, and compare it with the report."""
        blob, where = self._blob(file)
        _compare(where, file, verify(blob))

    def _blob(self, file: BuiltFile) -> tuple[Blob, str]:
        path = self._folder / file.name
        if path.is_file():
            return FileBlob(path), str(path)
        for store in self._stores:
            found = store.exists(_ANY, file.digest)
            if found is not None:
                return store.fetch(_ANY, found), f"{file.name} in {store.path}"
        raise FileMissingError(
            f"{path} is in {FILE_NAME}, but is not there",
            hint="collect the whole folder again: the files, or the CTF that"
            " `ocm-pkg package --partial --to DIR/ctf` makes",
        )


def _compare(where: str, file: BuiltFile, found: tuple[Digest, int]) -> None:
    if found != (file.digest, file.size):
        raise DigestMismatchError(
            f"{where} is not what was built: it differs from {FILE_NAME}",
            hint="collect the folder again, or run `ocm-pkg build` again on its machine",
        )
