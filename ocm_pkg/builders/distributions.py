"""Installed packages: which files are whose, and where their licences are."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.model.sbom import package_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

_LICENCE_NAMES = ("LICENSE", "LICENCE", "COPYING", "NOTICE")
_MAX_TEXT = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Distribution:
    """One installed package: its name (``sbom.package_name``), version and ``.dist-info``."""

    name: str
    version: str
    folder: Path
    licence_files: tuple[str, ...] = ()

    def files(self) -> Iterator[str]:
        """Return the paths of what was installed; nothing if there is no record of that."""
        record = self.folder / "RECORD"
        if not record.is_file():
            return
        site = os.path.realpath(self.folder.parent)
        with record.open(encoding="utf-8", errors="replace", newline="") as stream:
            for row in csv.reader(stream):
                if row:
                    yield os.path.normpath(f"{site}/{row[0]}")

    def licences(self) -> dict[str, Path]:
        """Return the files with licence texts, by the names that they have in the package."""
        named = {name: self._named(name) for name in self.licence_files}
        found = {name: path for name, path in named.items() if path is not None}
        kept = self.folder / "licenses"
        for path in sorted(kept.rglob("*")):
            found[path.relative_to(kept).as_posix()] = path
        for path in sorted(self.folder.iterdir()):
            if path.name.upper().startswith(_LICENCE_NAMES):
                found[path.name] = path
        return {name: path for name, path in found.items() if _is_text(path)}

    def _named(self, name: str) -> Path | None:
        parts = name.split("/")
        if name.startswith("/") or ".." in parts or "\\" in name:
            return None
        places = (self.folder / "licenses" / name, self.folder / name)
        return next((place for place in places if place.is_file()), None)


def distributions(path: Sequence[Path]) -> tuple[Distribution, ...]:
    """Return what is installed in the folders of ``path``; the first of a name counts."""
    found: dict[str, Distribution] = {}
    for folder in path:
        with storage_errors(f"looking into {folder}", folder):
            infos = sorted(folder.glob("*.dist-info"))
            for info in infos:
                if (distribution := _read(info)) is not None:
                    found.setdefault(distribution.name, distribution)
    return tuple(distribution for _name, distribution in sorted(found.items()))


def owners(installed: Sequence[Distribution], files: Collection[str]) -> frozenset[str]:
    """Return the names of the packages that one of ``files`` belongs to."""
    wanted = {os.path.realpath(file) for file in files}
    return frozenset(
        distribution.name
        for distribution in installed
        if not wanted.isdisjoint(distribution.files())
    )


def _read(info: Path) -> Distribution | None:
    metadata = info / "METADATA"
    if not metadata.is_file():
        return None
    name, version, licences = "", "", []
    with metadata.open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            key, _, value = line.partition(":")
            if not line.strip():
                break
            if key == "Name":
                name = value.strip()
            elif key == "Version":
                version = value.strip()
            elif key == "License-File":
                licences.append(value.strip())
    if not name or not version:
        return None
    return Distribution(package_name(name), version, info, tuple(licences))


def _is_text(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.stat().st_size <= _MAX_TEXT
