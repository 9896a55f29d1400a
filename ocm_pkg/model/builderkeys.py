"""Which keys of a project file each builder reads, and which of them it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_PYTHON = ("entry", "requirements", "exclude", "hidden-imports")

BUILDERS: Mapping[str, tuple[str, ...]] = {
    "pyinstaller": _PYTHON,
    "cx_freeze": _PYTHON,
    "container": (*_PYTHON, "image"),
    "assemble": (*_PYTHON, "python"),
    "command": ("run", "output"),
    "prebuilt": ("path",),
}
"""The builders, and the keys that each of them reads."""

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "pyinstaller": ("entry",),
    "cx_freeze": ("entry",),
    "container": ("entry", "image"),
    "assemble": ("entry",),
    "command": ("run", "output"),
    "prebuilt": ("path",),
}
"""The keys that each of them can't do without."""

PATH_KEYS = ("entry", "requirements", "output", "path")
"""The keys that are paths in the project's folder."""
