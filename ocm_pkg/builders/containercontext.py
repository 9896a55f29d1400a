"""The build context of a container build: a private folder with all that the image gets to see.

The same sources and locks give the same context, whatever their folder, times and modes are.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ocm_pkg.builders.containerengine import BASE_FILE, CONTEXT, FILE, SECRET
from ocm_pkg.builders.containerpip import wheels_for
from ocm_pkg.builders.interpreter import PROBE, PYINSTALLER, locks_of
from ocm_pkg.builders.pyinstaller import HOOKS, RUNTIME_HOOK, freeze_arguments, freeze_environment
from ocm_pkg.builders.pysource import frozen_source
from ocm_pkg.errors import FileMissingError
from ocm_pkg.fs.oserror import storage_errors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ocm_pkg.builders.containerpip import PipSettings
    from ocm_pkg.builders.pysource import FrozenSource
    from ocm_pkg.ports import BuildJob

MADE = "made"
"""In the result: the folder with the program."""

_BUILD = PurePosixPath("/build")
_PIP = "/run/ocm-pkg"
_SCRIPT = "freeze-in-container.py"
_FIXED_TIME = 315532800
"""1980: what a file's time is where none is meant; archives can't say an older one."""

_CONTAINERFILE = """\
# Made by ocm-pkg: an environment from hashed locks, then PyInstaller in it.
FROM {image} AS build
USER 0:0
WORKDIR /build
COPY tool/ /build/tool/
COPY locks/ /build/locks/
RUN --mount=type=secret,id=pip --mount=type=bind,source=pip,target={pip} \
["python3", "-I", "/build/tool/{script}", "environment"]
COPY frozen/ /build/
RUN ["python3", "-I", "/build/tool/{script}", "freeze"]
FROM scratch
COPY --from=build /build/result/ /
"""


@dataclass(frozen=True, slots=True)
class _Inside:
    """What to freeze, by its paths in the container."""

    script: PurePosixPath
    paths: tuple[PurePosixPath, ...]
    hidden: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Packages:
    """What is known of the container's Python before it is made: what its lock pins."""

    has_ocm_pkg: bool


def write_context(job: BuildJob, pip: PipSettings, *, offline: bool) -> None:
    """Write the context, and the secret file, to ``job.work``.

    Raises ``FileMissingError`` or ``ConfigError`` for sources and locks that are wrong.
    """
    locks = _locks(job)
    own = any(_pins_ocm_pkg(data) for data in locks.values())
    source = frozen_source(job, _Packages(has_ocm_pkg=own))
    context = job.work / CONTEXT
    with storage_errors(f"writing {context}", job.work):
        text = _CONTAINERFILE.format(image=job.target.image, pip=_PIP, script=_SCRIPT)
        _write(context / FILE, text)
        _write(context / BASE_FILE, f"FROM {job.target.image}\n")
        for number, (name, data) in enumerate(locks.items(), 1):
            _write(context / "locks" / f"{number}-{name}", data)
        _write(context / "tool" / _SCRIPT, (HOOKS / _SCRIPT).read_bytes())
        _write(context / "tool" / "probe.py", PROBE)
        for hook in sorted([*HOOKS.glob("hook-*.py"), HOOKS / RUNTIME_HOOK]):
            _write(context / "frozen" / "hooks" / hook.name, hook.read_bytes())
        inside = _copy_sources(job, source, context / "frozen")
        _write(context / "frozen" / "settings.json", json.dumps(_settings(job, inside)))
        _write_pip(job, pip, locks, offline=offline)
        _fix_times(context)


def _locks(job: BuildJob) -> dict[str, bytes]:
    """Return the locks to install from; without requirements it is PyInstaller's own."""
    if job.target.requirements is None:
        return {PYINSTALLER.lock.name: PYINSTALLER.lock.read_bytes()}
    return locks_of(job.folder / job.target.requirements, PYINSTALLER)


def _pins_ocm_pkg(lock: bytes) -> bool:
    names = (line.partition(b"==")[0].strip().lower() for line in lock.splitlines())
    return any(name.replace(b"_", b"-") == b"ocm-pkg" for name in names)


def _settings(job: BuildJob, inside: _Inside) -> Mapping[str, object]:
    work = _BUILD / "work"
    return {
        "arguments": freeze_arguments(job, inside, work=work, hooks=_BUILD / "hooks", strip=False),
        "environment": freeze_environment(work),
        "packages": [PYINSTALLER.package, *PYINSTALLER.companions],
    }


def _write_pip(
    job: BuildJob, pip: PipSettings, locks: Mapping[str, bytes], *, offline: bool
) -> None:
    """Write what only pip sees: it is mounted for the one step, and in no layer."""
    folder = job.work / CONTEXT / "pip"
    config = pip.config(certificates=f"{_PIP}/ca.pem", wheels=f"{_PIP}/wheels", offline=offline)
    secret = job.work / SECRET
    secret.touch(mode=0o600, exist_ok=False)
    secret.write_text(config, encoding="utf-8")
    (folder / "wheels").mkdir(parents=True)
    for name, wheel in wheels_for(locks.values(), pip.folders).items():
        shutil.copyfile(wheel, folder / "wheels" / name)
    if pip.certificates is not None:
        if not pip.certificates.is_file():
            raise FileMissingError(
                f"there is no {pip.certificates}", hint="it is named as pip's cert (PIP_CERT)"
            )
        shutil.copyfile(pip.certificates, folder / "ca.pem")


def _copy_sources(job: BuildJob, source: FrozenSource, to: Path) -> _Inside:
    """Copy the script and the folders to import from; return where they are in the container."""
    left_out = frozenset({job.output.parent, job.log.parent, *_out(job)})
    paths = []
    script = None
    for number, path in enumerate(source.paths):
        name = f"source/{number}"
        _copy_folder(path, to / name, left_out, ())
        paths.append(_BUILD / name)
        if script is None and source.script.is_relative_to(path):
            script = _BUILD / name / source.script.relative_to(path).as_posix()
            _write(to / name / source.script.relative_to(path), source.script.read_bytes())
    if script is None:
        script = _BUILD / "source" / source.script.name
        _write(to / "source" / source.script.name, source.script.read_bytes())
    return _Inside(script, tuple(paths), source.hidden)


def _out(job: BuildJob) -> tuple[Path, ...]:
    """Return the folder that binaries go to, unless the project is in it."""
    out = job.log.parent.parent
    return () if job.folder.is_relative_to(out) else (out,)


def _copy_folder(
    folder: Path, to: Path, left_out: frozenset[Path], parents: tuple[Path, ...]
) -> None:
    """Copy what can be imported; links as what they lead to, but no folder into itself."""
    real = folder.resolve()
    if real in parents:
        return
    to.mkdir(parents=True)
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        path = folder / name
        if name.startswith(".") or name == "__pycache__" or path in left_out:
            continue
        if path.is_dir():
            if not (path / "pyvenv.cfg").exists():
                _copy_folder(path, to / name, left_out, (*parents, real))
        elif path.is_file():
            shutil.copyfile(path, to / name)


def _write(path: Path, data: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def _fix_times(context: Path) -> None:
    """Give every file and folder the same mode and time."""
    for folder, _folders, names in os.walk(context, topdown=False):
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118 (os.walk's own form)
            os.chmod(path, 0o644)  # noqa: PTH101
            os.utime(path, (_FIXED_TIME, _FIXED_TIME))
        os.chmod(folder, 0o755)  # noqa: PTH101, S103 (what is in it isn't secret)
        os.utime(folder, (_FIXED_TIME, _FIXED_TIME))
