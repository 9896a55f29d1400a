"""The distributions in a folder that wheels were unpacked into: their files and requirements."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from email.parser import HeaderParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_NOT_SHIPPED = (".pyi", ".pyx", ".pxd", ".c", ".h", ".cpp", ".hpp", ".pyc")
_NOT_INFORMATION = ("RECORD", "WHEEL", "INSTALLER", "REQUESTED")
_TESTS = {"test", "tests"}
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Distributions:
    """``files`` are the paths of each distribution, ``requires`` the names of what it needs.

    ``owner`` has the distribution of each path. Names are normalised.
    """

    files: dict[str, list[str]] = field(default_factory=dict)
    requires: dict[str, list[str]] = field(default_factory=dict)
    owner: dict[str, str] = field(default_factory=dict)

    @classmethod
    def in_folder(cls, site: Path) -> Distributions:
        """Return those in ``site``; requirements count whatever their conditions are."""
        found = cls()
        for information in sorted(site.glob("*.dist-info")):
            metadata = HeaderParser().parsestr((information / "METADATA").read_text("utf-8"))
            name = normalised(str(metadata["Name"]))
            lines = (information / "RECORD").read_text("utf-8").splitlines()
            paths = [row[0] for row in csv.reader(lines) if row]
            found.files[name] = sorted(path for path in paths if (site / path).is_file())
            found.owner.update(dict.fromkeys(found.files[name], name))
            found.requires[name] = [
                normalised(match[0])
                for line in metadata.get_all("Requires-Dist", [])
                if (match := _NAME.match(str(line)))
            ]
        return found


def normalised(name: str) -> str:
    """Return the name of a distribution as comparisons need it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def is_test(path: str) -> bool:
    """Whether a path is in a folder of tests."""
    return not _TESTS.isdisjoint(path.split("/"))


def is_data(path: str) -> bool:
    """Whether a file that is no module goes into a plugin: no sources of machine code, no types."""
    folder, _, name = path.rpartition("/")
    information = folder.endswith(".dist-info") and name in _NOT_INFORMATION
    return not information and not path.endswith(_NOT_SHIPPED) and not is_test(path)


def module_in(path: str, suffixes: Sequence[str]) -> str | None:
    """Return the name of the module that is in a file; None if none can be."""
    for suffix in (".py", *suffixes):
        if path.endswith(suffix):
            parts = path.removesuffix(suffix).split("/")
            if parts[-1] == "__init__":
                parts.pop()
            named = bool(parts) and all(part.isidentifier() for part in parts)
            return ".".join(parts) if named else None
    return None
