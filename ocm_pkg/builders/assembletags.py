"""What pip is asked for: the names that a platform has in wheels, and in conditions of locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocm_pkg.model.platform import Platform

NEWEST_GLIBC = (2, 40)
"""The newest glibc that wheels may need if the project says nothing of it."""

_MACOS = "12_0"
_LINUX = {
    # architecture: its name in wheels, and the oldest glibc that such wheels are made for
    "amd64": ("x86_64", 5),
    "arm64": ("aarch64", 17),
}
_DARWIN = {"amd64": "x86_64", "arm64": "arm64"}
_OLDER_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


def assembles(platform: Platform) -> bool:
    """Whether there are wheels with an interpreter for ``platform``.

    Those for Windows have neither the library of Python nor its native modules.
    """
    known = {"linux": frozenset(_LINUX), "darwin": frozenset(_DARWIN)}
    return platform.architecture in known.get(platform.os, ())


def wheel_platforms(platform: Platform, glibc: str | None) -> tuple[str, ...]:
    """Return the platform tags that wheels may have, best first, for one that ``assembles``.

    On Linux these are all up to the version ``glibc``, oldest first: the plugin then runs on as
    many machines as its wheels allow.
    """
    if platform.os == "darwin":
        return (f"macosx_{_MACOS}_{_DARWIN[platform.architecture]}",)
    architecture, oldest = _LINUX[platform.architecture]
    parts = tuple(map(int, glibc.split("."))) if glibc else NEWEST_GLIBC
    newest = parts[1] if parts[0] == NEWEST_GLIBC[0] else NEWEST_GLIBC[1]
    tags = []
    for minor in range(oldest, newest + 1):
        tags.append(f"manylinux_2_{minor}_{architecture}")
        if minor in _OLDER_NAMES:
            tags.append(f"{_OLDER_NAMES[minor]}_{architecture}")
    return tuple(tags)


def marker_environment(platform: Platform, python: str) -> Mapping[str, str]:
    """Return what conditions of requirements see on ``platform``, with the version ``python``."""
    names = {"linux": _LINUX[platform.architecture][0], "darwin": _DARWIN[platform.architecture]}
    return {
        "implementation_name": "cpython",
        "implementation_version": python,
        "os_name": "posix",
        "platform_machine": names[platform.os],
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": platform.os.capitalize(),
        "platform_version": "",
        "python_full_version": python,
        "python_version": ".".join(python.split(".")[:2]),
        "sys_platform": platform.os,
    }
