"""The builder that assembles a Python plugin for a platform that isn't here, from wheels alone.

The interpreter comes with a wheel, native modules with those of the locked requirements, and the
rest is bytecode, which is the same on all platforms. Nothing of the target is run.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocm_pkg.builders.assemblebase import NATIVE, BaseInterpreter, check_native_files
from ocm_pkg.builders.assemblelock import read_pins
from ocm_pkg.builders.assembletags import assembles
from ocm_pkg.builders.assembleunpack import unpack_wheel
from ocm_pkg.builders.assemblewheels import Wheels
from ocm_pkg.builders.inputs import frozen_inputs
from ocm_pkg.builders.interpreter import Freezer, Interpreter
from ocm_pkg.builders.pysource import frozen_source, source_root
from ocm_pkg.builders.result import TAKEN, run_tool, take
from ocm_pkg.builders.standin import stand_in
from ocm_pkg.errors import BuildError, FileMissingError, ToolMissingError, UnsupportedTargetError
from ocm_pkg.fs.blob import open_regular
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.fs.process import child_environment
from ocm_pkg.model.digest import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ocm_pkg.builders.assemblelock import Pin
    from ocm_pkg.builders.interpreter import Interpreters
    from ocm_pkg.builders.pysource import FrozenSource
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.project import Target
    from ocm_pkg.ports import BuildJob, BuiltBinary

PIP = Freezer("pip", "pip")
"""What the Python that compiles has to have."""

_LOCK = Path(__file__).with_name("assemble.lock")
_PROGRAM = Path(__file__).with_name("assembling")
_SDK = "ocm-pkg"
_SITE, _BASE = "site", "base"
_NO_IDENTIFIER = re.compile(r"[^0-9A-Za-z_]")


@dataclass(frozen=True, slots=True)
class _HasPackages:
    has_ocm_pkg: bool


class AssembleBuilder:
    """Builds folders for linux and darwin, anywhere. ``interpreters`` finds a Python with pip.

    ``note`` gets one line for each target: what is made this way was not tried on its platform.
    """

    def __init__(
        self,
        interpreters: Interpreters,
        environ: Mapping[str, str],
        note: Callable[[str], None],
        *,
        timeout: float,
    ) -> None:
        self._interpreters = interpreters
        self._wheels = Wheels(
            interpreters.program, interpreters.cache, environ, interpreters.offline
        )
        self._environ = environ
        self._note = note
        self._timeout = timeout

    def missing(self, target: Target, host: Platform) -> str | None:  # noqa: ARG002
        """Return why ``target`` can't be built: there is no interpreter in wheels."""
        if assembles(target.platform):
            return None
        return (
            f"there are no wheels with a whole interpreter for {target.platform}: use the builder"
            f" pyinstaller on {target.platform}"
        )

    def inputs(self, job: BuildJob) -> Mapping[str, str] | None:
        """Return the sources, and the state of the Python."""
        return frozen_inputs(job, source_root(job), self._interpreters.program, self._environ)

    def build(self, job: BuildJob) -> BuiltBinary:
        """Build a folder; raise ``UnsupportedTargetError`` for another shape or platform.

        Raises ``ToolMissingError`` without a Python of the target's version, ``ConfigError`` for
        a lock that can't be used, ``BuildError`` for a wheel or a module that isn't there.
        """
        platform = job.target.platform
        if (problem := self.missing(job.target, platform)) is not None:
            raise UnsupportedTargetError(
                f"{platform} cannot be assembled: {problem}",
                hint="choose another builder for it",
            )
        if job.target.shape != "dir":
            raise UnsupportedTargetError(
                f"assemble makes a folder of {platform}, and no {job.target.shape}",
                hint="choose the shape dir or launcher",
            )
        interpreter = self._interpreter(job)
        pins = _required(job)
        base, digest, core = self._base(job, interpreter)
        needed = self._wheels.needed(job, pins, base.version)
        site = _new_folder(job, _SITE)
        for wheel in self._wheels.fetch(job, needed, base.version):
            _unpack(wheel, site)
        source = frozen_source(job, _HasPackages(any(pin.name == _SDK for pin in needed)))
        made = _new_folder(job, "dist") / job.project.plugin_name
        self._collect(job, interpreter, source, base, site, made)
        base.put(made, job.project.plugin_name)
        check_native_files(made, platform)
        tools = {
            "python": base.version,
            "python-digest": digest,
            "python-library": interpreter.python,
            "freeze-core": core.version,
        }
        zlib = interpreter.tools.get("python-zlib")
        built = take(job, made, {**tools, **({"python-zlib": zlib} if zlib else {})})
        self._note(f"{platform} was assembled, which is experimental: try it on such a machine")
        return built

    def _interpreter(self, job: BuildJob) -> Interpreter:
        """Return the Python that compiles; raise ``ToolMissingError`` if it is another version."""
        interpreter = self._interpreters.for_job(_without_requirements(job))
        version = ".".join(interpreter.python.split(".")[:2])
        wanted = job.target.python or version
        if wanted != version:
            raise ToolMissingError(
                f"{job.target.platform} is to have Python {wanted}, and {interpreter.program} is"
                f" Python {version}: bytecode is made by the version that runs it",
                hint=f'run ocm-pkg with Python {wanted}, or set python: "{version}"',
            )
        return interpreter

    def _base(self, job: BuildJob, interpreter: Interpreter) -> tuple[BaseInterpreter, str, Pin]:
        """Return the target's interpreter, the digest of its wheel, and what is pinned of it."""
        (pin,) = read_pins(_LOCK.read_bytes(), name=_LOCK.name)
        version = ".".join(interpreter.python.split(".")[:2])
        (wheel,) = self._wheels.fetch(job, (pin,), version)
        folder = _new_folder(job, _BASE)
        _unpack(wheel, folder)
        with storage_errors(f"reading {wheel}", wheel.parent):
            digest = digest_of(wheel.read_bytes())
        return BaseInterpreter.in_folder(folder, wheel.name), str(digest), pin

    def _collect(
        self,
        job: BuildJob,
        interpreter: Interpreter,
        source: FrozenSource,
        base: BaseInterpreter,
        site: Path,
        made: Path,
    ) -> None:
        """Write the plugin's ``lib``; raise ``BuildError`` if a module it needs isn't there."""
        answer = job.work / "assembled.json"
        settings = job.work / "assembling.json"
        asked: dict[str, Any] = {
            "script": str(source.script),
            "name": module_name(job.project.plugin_name),
            "own": [str(path) for path in source.paths],
            "base": str(base.native),
            "site": str(site),
            "frozen": base.frozen,
            "suffixes": base.suffixes,
            "system": job.target.platform.os,
            "hidden": [*source.hidden, *job.target.hidden_imports],
            "excludes": job.target.exclude,
            "library": str(made / "lib"),
            "native": NATIVE,
            "answer": str(answer),
        }
        with storage_errors(f"writing {settings}", job.work):
            shutil.copytree(
                _PROGRAM, job.work / "assembling", ignore=shutil.ignore_patterns("__pycache__")
            )
            settings.write_text(json.dumps(asked), encoding="utf-8")
        variables = {
            "PYTHONHASHSEED": "0",
            "PYTHONNOUSERSITE": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        env = child_environment(self._environ, variables)
        argv = [interpreter.program, "-S", "-m", "assembling", str(settings)]
        run_tool(job, argv, env=env, cwd=job.work, timeout=self._timeout)
        found = json.loads(answer.read_bytes())
        _require_all(job, found["missing"])
        taken = [os.path.realpath(path) for path in (base.program, *found["packaged"])]
        with storage_errors(f"writing {job.work / TAKEN}", job.work):
            (job.work / TAKEN).write_text(json.dumps(taken), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class AssembledPackages:
    """What a plugin was assembled from, in the form of a Python that has it installed.

    That Python does nothing but say where its packages are: those of the target can't be run.
    ``interpreters`` finds the one that the standard library is from.
    """

    interpreters: Interpreters

    def for_job(self, job: BuildJob) -> Interpreter:
        """Return it, for a job that ``AssembleBuilder`` has built."""
        folders = (job.work / _SITE, job.work / _BASE)
        base = BaseInterpreter.in_folder(folders[1], "freeze-core")
        return Interpreter(
            program=stand_in(job.work, folders),
            python=base.version,
            version="",
            has_ocm_pkg=False,
            freezer=PIP,
            path=folders,
            stdlib=self.interpreters.for_job(_without_requirements(job)).stdlib,
        )


def module_name(program: str) -> str:
    """Return the name by which the base interpreter looks for the modules of a program."""
    name = program.partition(".")[0]
    return name if name.isidentifier() else _NO_IDENTIFIER.sub("_", name)


def _without_requirements(job: BuildJob) -> BuildJob:
    """Return a job for which the Python is as it is: those of the target can't be installed."""
    return replace(job, target=replace(job.target, requirements=None))


def _required(job: BuildJob) -> Sequence[Pin]:
    """Return what the target's lock pins; nothing if it has none."""
    if job.target.requirements is None:
        return ()
    lock = job.folder / job.target.requirements
    if not lock.is_file():
        raise FileMissingError(f"{lock} does not exist", hint="it is named as requirements")
    with storage_errors(f"reading {lock}", job.folder):
        return read_pins(lock.read_bytes(), name=str(lock))


def _require_all(job: BuildJob, missing: Mapping[str, str]) -> None:
    if not missing:
        return
    lines = [f"{name} (imported by {user})" for name, user in sorted(missing.items())]
    names = ", ".join(sorted(missing)[:5]) + (" and others" if len(missing) > 5 else "")
    raise BuildError(
        f"{job.target.platform} would lack {names}",
        hint="pin what has it in requirements, or list it under exclude if it is not needed",
        detail=lines[:15],
    )


def _new_folder(job: BuildJob, name: str) -> Path:
    folder = job.work / name
    with storage_errors(f"making {folder}", job.work):
        folder.mkdir()
    return folder


def _unpack(wheel: Path, folder: Path) -> None:
    with open_regular(wheel) as stream:
        unpack_wheel(stream, folder, name=wheel.name)
