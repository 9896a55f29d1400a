"""Check a project without building it: project file, sources, and what is in ``dist``."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ocm_pkg.errors import OcmPkgError
from ocm_pkg.fs.blob import FileBlob, open_regular, read_all
from ocm_pkg.model.binary import HEADER_BYTES, platforms_of
from ocm_pkg.model.digest import digest_of_chunks
from ocm_pkg.model.documents import files_of
from ocm_pkg.model.part import FILE_NAME as PART_NAME
from ocm_pkg.model.part import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ocm_pkg.model.digest import Digest
    from ocm_pkg.model.document import JSONValue
    from ocm_pkg.model.part import BuiltTarget
    from ocm_pkg.model.project import PluginProject, Target
    from ocm_pkg.model.yamltext import YamlDocument

_MAX_FILE = 16 * 1024 * 1024
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: what, where (``FILE[:LINE[:COLUMN]]``), and what to do."""

    code: str
    message: str
    at: str
    fix: str

    @classmethod
    def of(cls, error: OcmPkgError, at: str) -> Finding:
        """Return the finding for an error; ``at`` counts if the error has no position."""
        return cls(error.code, error.message, error.at or at, error.hint or "correct it")

    def to_json(self) -> dict[str, Any]:
        """Return the finding as plain data."""
        return {"code": self.code, "message": self.message, "at": self.at, "fix": self.fix}


@dataclass(frozen=True, slots=True)
class Checked:
    """What is checked: the project and its file, the folder it is in, the folder of binaries."""

    project: PluginProject
    document: YamlDocument
    folder: Path
    out: Path
    config: Digest
    version: Callable[[], str]
    lock: Callable[[], Digest | None]


def check(checked: Checked) -> tuple[Finding, ...]:
    """Return every finding, in the order of the project file, then of ``dist``."""
    seen: dict[tuple[str, str], Finding] = {}
    findings = (*_version(checked), *_sources(checked), *_assets(checked), *_dist(checked))
    for finding in findings:
        seen.setdefault((finding.message, finding.at), finding)
    return tuple(seen.values())


def _at(checked: Checked, *path: str | int) -> str:
    line, column = checked.document.position(path)
    return f"{checked.document.name}:{line}:{column}"


def _version(checked: Checked) -> Iterator[Finding]:
    try:
        checked.version()
    except OcmPkgError as error:
        yield Finding(error.code, error.message, _at(checked, "version"), error.hint or "set it")


def _sources(checked: Checked) -> Iterator[Finding]:
    for index, target in enumerate(checked.project.targets):
        for key in ("entry", "requirements", "path"):
            name = getattr(target, key)
            if name is None:
                continue
            at = _at(checked, *_key_path(checked.document.value, index, key))
            path = checked.folder / name
            if not path.is_file():
                yield Finding(
                    "E305", f"{key}: there is no file {name}", at, "make it, or correct the path"
                )
                continue
            yield from _CHECKS[key](path, target, at)


def _key_path(value: JSONValue, index: int, key: str) -> tuple[str | int, ...]:
    """Return where a target's setting is written: at the target, or under ``build``."""
    targets = value.get("targets") if isinstance(value, dict) else None
    own = targets[index] if isinstance(targets, list) else None
    return ("targets", index, key) if isinstance(own, dict) and key in own else ("build", key)


def _entry(path: Path, _target: Target, at: str) -> Iterator[Finding]:
    try:
        ast.parse(read_all(FileBlob(path), _MAX_FILE, str(path)), filename=str(path))
    except SyntaxError as error:
        where = f"{path}:{error.lineno or 1}:{error.offset or 1}"
        yield Finding("E230", f"not Python: {error.msg}", where, "correct it")
    except ValueError as error:
        yield Finding("E230", f"not Python: {error}", str(path), "correct it")
    except OcmPkgError as error:
        yield Finding.of(error, at)


def _requirements(path: Path, _target: Target, at: str) -> Iterator[Finding]:
    try:
        data = read_all(FileBlob(path), _MAX_FILE, str(path))
    except OcmPkgError as error:
        yield Finding.of(error, at)
        return
    requirement: tuple[int, str] | None = None
    for number, line in enumerate(data.decode(errors="replace").splitlines(), 1):
        text = line.split(" #")[0].strip()
        if text.startswith("#") or not text:
            continue
        if text.startswith("-") or (requirement is not None and line[:1].isspace()):
            if "--hash=" in text:
                requirement = None
            continue
        if requirement is not None:
            yield _no_hash(path, requirement)
        requirement = None if "--hash=" in text else (number, text)
    if requirement is not None:
        yield _no_hash(path, requirement)


def _no_hash(path: Path, requirement: tuple[int, str]) -> Finding:
    number, text = requirement
    name = text.rstrip("\\ ")[:80]
    return Finding(
        "E210",
        f"{name} has no hash",
        f"{path}:{number}:1",
        f"pip-compile --generate-hashes -o {path.name}",
    )


def _prebuilt(path: Path, target: Target, at: str) -> Iterator[Finding]:
    try:
        with open_regular(path) as stream:
            platforms = platforms_of(stream.read(HEADER_BYTES))
    except OcmPkgError as error:
        yield Finding.of(error, at)
        return
    if target.platform not in platforms:
        what = f"is for {platforms[0]}" if platforms else "is no program"
        yield Finding(
            "E603", f"{target.path} {what}, not for {target.platform}", at, "build it again"
        )


_CHECKS = {"entry": _entry, "requirements": _requirements, "path": _prebuilt}


def _assets(checked: Checked) -> Iterator[Finding]:
    for index, asset in enumerate(checked.project.assets):
        if not (checked.folder / asset.path).is_dir():
            at = _at(checked, "assets", index, "path")
            yield Finding(
                "E305", f"asset {asset.name}: there is no folder {asset.path}", at, "make it"
            )


def _dist(checked: Checked) -> Iterator[Finding]:
    report = checked.out / PART_NAME
    if not report.is_file():
        return
    try:
        part = Part.parse(read_all(FileBlob(report), _MAX_FILE, str(report)), name=str(report))
    except OcmPkgError as error:
        yield Finding.of(error, str(report))
        return
    again = "ocm-pkg build"
    for what in _differences(checked, part):
        yield Finding("E210", f"it was built from another {what}", str(report), again)
    for target in part.targets:
        yield from _files(checked, target, str(report), again)
    for missing in _without(checked.project.targets, part.targets):
        yield Finding(
            "E600",
            f"there is no binary for {missing.platform}",
            str(report),
            f"ocm-pkg build --target {missing.platform}, on a machine that can",
        )


def _differences(checked: Checked, part: Part) -> Iterator[str]:
    if part.component != checked.project.component or part.config != checked.config:
        yield "project file"
    try:
        version, lock = checked.version(), checked.lock()
    except OcmPkgError:
        return
    if part.version != version:
        yield f"version, {part.version} (now {version})"
    if part.lock != lock:
        yield "requirements"


def _files(checked: Checked, target: BuiltTarget, at: str, fix: str) -> Iterator[Finding]:
    for file in files_of(checked.project, target):
        path = checked.out / file.name
        if not path.is_file():
            yield Finding("E305", f"{path.name} is listed, but is not there", at, fix)
            continue
        with FileBlob(path).open() as stream:
            digest = digest_of_chunks(iter(partial(stream.read, _CHUNK), b""))
        if digest != file.digest:
            yield Finding("E401", f"{path.name} was changed after it was built", str(path), fix)


def _without(targets: Sequence[Target], built: Sequence[BuiltTarget]) -> list[Target]:
    there = {target.platform for target in built}
    return [target for target in targets if target.platform not in there]


def unreadable(error: OcmPkgError, file: Path) -> Finding:
    """Return the one finding there is if the project file can't be read."""
    return Finding.of(error, str(file))
