"""Turn what was built into a component constructor: ``dist`` becomes a component version to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from ocm_pkg.errors import BuildError, ConfigError, DigestMismatchError, FileMissingError
from ocm_pkg.fs.atomic import write_file
from ocm_pkg.fs.blob import FileBlob, read_all
from ocm_pkg.fs.tree import TreeSelection, gzipped, write_tree
from ocm_pkg.model import yamltext
from ocm_pkg.model.digest import digest_of_chunks
from ocm_pkg.model.documents import BUILT, PROVENANCE, files_of
from ocm_pkg.model.generate import FILE_NAME, BuiltResource, GitSource, constructor_for
from ocm_pkg.model.part import FILE_NAME as PART_NAME
from ocm_pkg.model.part import MAX_BYTES, Part
from ocm_pkg.model.provenance import Provenance, SourceLocation, clean_commit
from ocm_pkg.model.shape import ShapeInfo, label

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ocm_pkg.model.digest import Digest
    from ocm_pkg.model.documents import BuiltFile
    from ocm_pkg.model.part import BuiltTarget
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.project import PluginProject

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Package:
    """A constructor that was written: its file and bytes, what it delivers, what it lacks."""

    path: Path
    data: bytes
    targets: tuple[BuiltTarget, ...]
    missing: tuple[Platform, ...]


def prepare(
    project: PluginProject,
    *,
    version: str,
    config: Digest,
    lock: Digest | None,
    folder: Path,
    out: Path,
    partial: bool = False,
    location: SourceLocation | None = None,
) -> Package:
    """Check what ``out`` has against its report, and write ``component-constructor.yaml`` there.

    Assets are packed into ``out`` too, and the provenance of each binary is written there;
    ``location`` is where its sources are, as far as known. Raises
    ``FileMissingError`` if nothing was built, ``ConfigError`` if it was built from another project
    file, version or lock, ``DigestMismatchError`` if a file was changed since, and
    ``BuildError`` if a target is missing, unless ``partial`` or ``require.all-targets: false``.
    """
    part = read_part(out)
    _same_sources(part, project, version, config, lock)
    wanted = [target.platform for target in project.targets]
    built = tuple(target for target in part.targets if target.platform in wanted)
    missing = tuple(sorted(set(wanted) - {target.platform for target in built}))
    if missing and project.require.all_targets and not partial:
        raise BuildError(
            f"{out} has no binary for {', '.join(map(str, missing))}",
            hint="build them (on their machines), or package what is there with --partial",
        )
    for target in built:
        for file in files_of(project, target):
            check_file(out / file.name, file)
    assets = {asset.name: f"{asset.name}.tar.gz" for asset in project.assets}
    for asset in project.assets:
        if not (folder / asset.path).is_dir():
            raise FileMissingError(
                f"{folder / asset.path} is no folder", hint=f"it is the path of asset {asset.name}"
            )
        _pack(folder / asset.path, out / assets[asset.name])
    location = location or SourceLocation()
    binaries = [_resource(project, part, target, out, location) for target in built]
    source = _git_source(part, location)
    constructor = constructor_for(project, version, binaries, assets, source=source)
    data = yamltext.dump(constructor).encode()
    write_file(out / FILE_NAME, data)
    return Package(out / FILE_NAME, data, built, missing)


def read_part(out: Path) -> Part:
    """Return the report of ``out``, or raise ``FileMissingError``."""
    path = out / PART_NAME
    if not path.is_file():
        raise FileMissingError(f"nothing is built in {out}", hint="run `ocm-pkg build` first")
    return Part.parse(read_all(FileBlob(path), MAX_BYTES, str(path)), name=str(path))


def check_file(path: Path, file: BuiltFile) -> None:
    """Compare a file with its entry of the report."""
    if not path.is_file():
        raise FileMissingError(
            f"{path} is in {PART_NAME}, but is not there", hint="run `ocm-pkg build` again"
        )
    if digest_of_chunks(_chunks(path)) != file.digest:
        raise DigestMismatchError(
            f"{path} is not what was built: it differs from {PART_NAME}",
            hint="run `ocm-pkg build` again",
        )


def _chunks(path: Path) -> Iterator[bytes]:
    with FileBlob(path).open() as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _same_sources(
    part: Part, project: PluginProject, version: str, config: Digest, lock: Digest | None
) -> None:
    pairs = {
        "component": (part.component, project.component),
        "version": (part.version, version),
        "project file": (part.config, config),
        "requirements": (part.lock, lock),
    }
    for what, (built, now) in pairs.items():
        if built != now:
            shown = f" ({built}, now {now})" if what in ("component", "version") else ""
            raise ConfigError(
                f"what is built has another {what}{shown}", hint="run `ocm-pkg build` again"
            )


def _pack(folder: Path, archive: Path) -> None:
    def write(stream: BinaryIO) -> None:
        with gzipped(stream) as packed:
            write_tree(folder, TreeSelection(), packed)

    write_file(archive, write)


def _git_source(part: Part, location: SourceLocation) -> GitSource | None:
    commit = clean_commit(part)
    known = location.repository is not None and commit is not None
    return GitSource(str(location.repository), str(commit)) if known else None


def _resource(
    project: PluginProject, part: Part, target: BuiltTarget, out: Path, location: SourceLocation
) -> BuiltResource:
    """Return what is delivered of a target; its provenance is written to ``out``."""
    info = ShapeInfo(target.shape, target.program, target.glibc)
    path = project.binary_name(target.platform, target.shape)
    documents = {
        document.name: BUILT[document.name].file_name(project, target.platform)
        for document in target.documents
    }
    documents[PROVENANCE.name] = PROVENANCE.file_name(project, target.platform)
    provenance = Provenance.of(part, target, file=path, location=location)
    write_file(out / documents[PROVENANCE.name], provenance.encode())
    return BuiltResource(target.platform, path, info.media_type, label(info), documents)
