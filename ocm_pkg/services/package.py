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
from ocm_pkg.model.generate import FILE_NAME, BuiltResource, constructor_for
from ocm_pkg.model.part import FILE_NAME as PART_NAME
from ocm_pkg.model.part import MAX_BYTES, Part
from ocm_pkg.model.shape import ShapeInfo, label

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ocm_pkg.model.digest import Digest
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
) -> Package:
    """Check what ``out`` has against its report, and write ``component-constructor.yaml`` there.

    Assets are packed into ``out`` too. Raises
    ``FileMissingError`` if nothing was built, ``ConfigError`` if it was built from another project
    file, version or lock, ``DigestMismatchError`` if a binary was changed since, and
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
        check_binary(out / project.binary_name(target.platform, target.shape), target)
    assets = {asset.name: f"{asset.name}.tar.gz" for asset in project.assets}
    for asset in project.assets:
        if not (folder / asset.path).is_dir():
            raise FileMissingError(
                f"{folder / asset.path} is no folder", hint=f"it is the path of asset {asset.name}"
            )
        _pack(folder / asset.path, out / assets[asset.name])
    binaries = [_resource(project, target) for target in built]
    constructor = constructor_for(project, version, binaries, assets)
    data = yamltext.dump(constructor).encode()
    write_file(out / FILE_NAME, data)
    return Package(out / FILE_NAME, data, built, missing)


def read_part(out: Path) -> Part:
    """Return the report of ``out``, or raise ``FileMissingError``."""
    path = out / PART_NAME
    if not path.is_file():
        raise FileMissingError(f"nothing is built in {out}", hint="run `ocm-pkg build` first")
    return Part.parse(read_all(FileBlob(path), MAX_BYTES, str(path)), name=str(path))


def check_binary(path: Path, target: BuiltTarget) -> None:
    """Compare a binary with its entry of the report."""
    if not path.is_file():
        raise FileMissingError(
            f"{path} is in {PART_NAME}, but is not there", hint="run `ocm-pkg build` again"
        )
    if digest_of_chunks(_chunks(path)) != target.digest:
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


def _resource(project: PluginProject, target: BuiltTarget) -> BuiltResource:
    info = ShapeInfo(target.shape, target.program, target.glibc)
    return BuiltResource(
        platform=target.platform,
        path=project.binary_name(target.platform, target.shape),
        media_type=info.media_type,
        label=label(info),
    )
