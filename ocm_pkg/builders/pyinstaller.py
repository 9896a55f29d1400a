"""The builder for Python sources, with PyInstaller: a file or a folder, for its own platform.

The same sources, requirements and Python give the same bytes: the hash seed is fixed, and the work
folder, the time and the user do not go into the file.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ocm_pkg.builders.inputs import frozen_inputs
from ocm_pkg.builders.pysource import frozen_source, source_root
from ocm_pkg.builders.result import failed, run_tool, take
from ocm_pkg.errors import BuildError, ToolMissingError
from ocm_pkg.fs.process import child_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import PurePath

    from ocm_pkg.builders.interpreter import Interpreter, Interpreters
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.project import Target
    from ocm_pkg.ports import BuildJob, BuiltBinary

HOOKS = Path(__file__).with_name("hooks")
"""PyInstaller's hooks for ``ocm_pkg``, and what other freezers run."""

RUNTIME_HOOK = "restore-environment.py"
"""The one of them that becomes a part of the program."""

NO_LIBRARY = re.compile(
    r"Python shared library \(|Python was built without a shared library|PythonLibraryNotFoundError"
)


class Freezable(Protocol):
    """What to freeze, by paths of the machine that PyInstaller runs on; see ``FrozenSource``."""

    @property
    def script(self) -> PurePath:
        """The script."""

    @property
    def paths(self) -> Sequence[PurePath]:
        """The folders to import from."""

    @property
    def hidden(self) -> Sequence[str]:
        """Modules that no import names."""


def freeze_arguments(
    job: BuildJob, source: Freezable, *, work: PurePath, hooks: PurePath, strip: bool
) -> list[str]:
    """Return PyInstaller's arguments for a job: the program is left in the folder ``work/dist``.

    ``work`` and ``hooks`` are paths of the machine that PyInstaller runs on, too.
    """
    return [
        "--onedir" if job.target.shape == "dir" else "--onefile",
        *("--clean", "--noconfirm", "--noupx", "--console"),
        *(("--strip",) if strip else ()),
        f"--name={job.project.plugin_name}",
        f"--distpath={work / 'dist'}",
        f"--workpath={work / 'build'}",
        f"--specpath={work}",
        f"--additional-hooks-dir={hooks}",
        f"--runtime-hook={hooks / RUNTIME_HOOK}",
        *(f"--paths={path}" for path in source.paths),
        *(f"--exclude-module={name}" for name in job.target.exclude),
        *(f"--hidden-import={name}" for name in (*source.hidden, *job.target.hidden_imports)),
        str(source.script),
    ]


def freeze_environment(work: PurePath) -> dict[str, str]:
    """Return the variables with which the same sources give the same bytes."""
    return {
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        # Code that was compiled now and code from a cache are not the same bytes.
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPYCACHEPREFIX": str(work / "no-bytecode"),
        "PYINSTALLER_CONFIG_DIR": str(work / "config"),
    }


def check_hidden_imports(job: BuildJob, log: str) -> None:
    """Raise ``BuildError`` if PyInstaller's log says that a hidden import isn't there."""
    for module in job.target.hidden_imports:
        if f"Hidden import {module!r} not found" in log:
            raise failed(job, f"there is no module {module}, a hidden import", log)


class PyInstallerBuilder:
    """Builds for the platform it runs on, and for no other: PyInstaller can't cross-build."""

    def __init__(
        self,
        interpreters: Interpreters,
        environ: Mapping[str, str],
        host: Platform,
        *,
        timeout: float,
    ) -> None:
        self._interpreters = interpreters
        self._environ = environ
        self._host = host
        self._timeout = timeout

    def missing(self, target: Target, host: Platform) -> str | None:
        """Return why this machine can't build ``target``: it is for another platform."""
        if target.platform == host:
            return None
        return f"PyInstaller builds for its own platform: run this on {target.platform}"

    def inputs(self, job: BuildJob) -> Mapping[str, str] | None:
        """Return the sources, and the state of the Python and of the tools."""
        program = self._interpreters.existing(job)
        return frozen_inputs(job, source_root(job), program, self._environ)

    def build(self, job: BuildJob) -> BuiltBinary:
        """Build one file, or a folder (shape ``dir``).

        Raises ``ToolMissingError`` or ``BuildError``.
        """
        self._require_tools()
        interpreter = self._interpreters.for_job(job)
        source = frozen_source(job, interpreter)
        arguments = freeze_arguments(
            job,
            source,
            work=job.work,
            hooks=HOOKS,
            strip=self._has("strip") and self._host.os == "linux",
        )
        argv = [interpreter.program, "-m", "PyInstaller", *arguments]
        self._run(job, argv, interpreter)
        return take(job, job.work / "dist" / job.project.plugin_name, interpreter.tools)

    def _run(self, job: BuildJob, argv: Sequence[str], interpreter: Interpreter) -> None:
        env = child_environment(self._environ, freeze_environment(job.work))
        try:
            log = run_tool(job, argv, env=env, cwd=job.work, timeout=self._timeout)
        except BuildError as error:
            log = job.log.read_text(errors="replace") if job.log.exists() else ""
            if NO_LIBRARY.search(log):
                version = ".".join(interpreter.python.split(".")[:2])
                raise ToolMissingError(
                    f"the Python {interpreter.program} has no shared library, which PyInstaller"
                    " puts into the binary",
                    hint=f"install libpython{version} (Debian), python3-libs (Fedora) or python3"
                    " (Alpine), or a Python built with --enable-shared",
                    detail=error.detail,
                ) from error
            raise
        check_hidden_imports(job, log)

    def _require_tools(self) -> None:
        needed = ("objdump", "objcopy") if self._host.os == "linux" else ()
        for tool in needed:
            if not self._has(tool):
                raise ToolMissingError(
                    f"{tool} is not on this machine, and PyInstaller needs it",
                    hint="install binutils (the package's name on Debian, Fedora and Alpine)",
                )

    def _has(self, tool: str) -> bool:
        return shutil.which(tool, path=self._environ.get("PATH")) is not None
