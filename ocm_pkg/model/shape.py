"""Shapes: how a program is packed into a plugin resource, and the signed label that says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from ocm_pkg.errors import InvalidDocumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocm_pkg.model.descriptor import Resource
    from ocm_pkg.model.platform import Platform

LABEL = "ocm-pkg.dev/shape"
ShapeName: TypeAlias = Literal["file", "dir", "launcher"]
NAMES: tuple[str, ...] = get_args(ShapeName)

OCTETS = "application/octet-stream"
TAR = "application/x-tar"
TAR_GZIP = "application/x-tar+gzip"
_MEDIA_TYPES = {"file": OCTETS, "launcher": OCTETS, "dir": TAR_GZIP}
FOLDER_BUILDERS = frozenset({"cx_freeze", "assemble"})
"""The builders that make a folder, and can make no single file of it themselves."""

_LAUNCHER_SYSTEMS = frozenset({"linux", "windows"})
_LAUNCHED_BUILDERS = FOLDER_BUILDERS | {"pyinstaller", "container"}
_ARCHIVES = frozenset({TAR, TAR_GZIP, "application/tar+gzip", "application/x-tgz"})


@dataclass(frozen=True, slots=True)
class ShapeInfo:
    """How a resource is packed.

    ``program`` is the path of the program in a ``dir``; None means that the archive has exactly
    one program, which is found when it is unpacked. ``glibc`` is the lowest version it runs on.
    """

    shape: str
    program: str | None = None
    glibc: str | None = None

    @property
    def media_type(self) -> str:
        """The media type of a resource of this shape."""
        return _MEDIA_TYPES[self.shape]


def default_shape(builder: str, platform: Platform) -> ShapeName:
    """Return how ``builder`` packs a target for ``platform`` if nothing is said about it.

    What is made of Python sources is a launcher, where there can be one; else a file, or a folder
    if the builder makes nothing else. What other builders make is taken as it is: a file.
    """
    if builder in _LAUNCHED_BUILDERS and launcher_problem(platform) is None:
        return "launcher"
    return "dir" if builder in FOLDER_BUILDERS else "file"


def launcher_problem(platform: Platform) -> str | None:
    """Return why there can be no launcher for ``platform``; None if there can."""
    if platform.os in _LAUNCHER_SYSTEMS:
        return None
    why = ": signing such a file is not proven there" if platform.os == "darwin" else ""
    return f"the shape launcher is not made for {platform.os}{why}"


def is_compressed(media_type: str | None) -> bool:
    """Whether an archive of this media type is a tar in gzip, and not a plain tar."""
    return media_type != TAR


def label(info: ShapeInfo) -> dict[str, Any]:
    """Return the resource label that a signature covers."""
    value: dict[str, Any] = {"formatVersion": 1, "shape": info.shape}
    if info.program is not None:
        value["program"] = info.program
    if info.glibc is not None:
        value["glibc"] = info.glibc
    return {"name": LABEL, "signing": True, "value": value}


def shape_of(resource: Resource) -> ShapeInfo:
    """Return how ``resource`` is packed.

    Without the label (made by another tool) it is a ``file``, or by its media type an archive
    with exactly one program. Raises ``InvalidDocumentError`` for a label that is not understood.
    """
    for candidate in resource.labels:
        if candidate.name == LABEL:
            return _read(candidate.value, resource.name)
    archive = resource.access.media_type in _ARCHIVES
    return ShapeInfo("dir" if archive else "file")


def _read(value: object, resource: str) -> ShapeInfo:
    if not isinstance(value, dict):
        raise _bad(resource, "is no object")
    if value.get("formatVersion") != 1:
        raise _bad(
            resource, f"has formatVersion {value.get('formatVersion')!r}", hint="update ocm-pkg"
        )
    unknown = sorted(set(value) - {"formatVersion", "shape", "program", "glibc"})
    if unknown:
        raise _bad(resource, f"has the unknown member {unknown[0]!r}", hint="update ocm-pkg")
    shape = value.get("shape")
    if shape not in NAMES:
        raise _bad(resource, f"says shape {shape!r}", hint=f"known: {', '.join(NAMES)}")
    program = _optional_text(value, "program", resource)
    if program is not None and not _is_inner_path(program):
        raise _bad(resource, f"names the program {program[:80]!r}, which is no path inside")
    if (shape == "dir") != (program is not None):
        raise _bad(resource, f"has shape {shape} with{'out' if program is None else ''} a program")
    return ShapeInfo(str(shape), program, _optional_text(value, "glibc", resource))


def _optional_text(value: Mapping[str, object], name: str, resource: str) -> str | None:
    text = value.get(name)
    if text is None and name not in value:
        return None
    if not isinstance(text, str) or not text:
        raise _bad(resource, f"has a {name} that is no text")
    return text


def _is_inner_path(path: str) -> bool:
    parts = path.split("/")
    return "\\" not in path and "\0" not in path and not set(parts) & {"", ".", ".."}


def _bad(resource: str, what: str, hint: str | None = None) -> InvalidDocumentError:
    return InvalidDocumentError(f"the label {LABEL} of resource {resource!r} {what}", hint=hint)
