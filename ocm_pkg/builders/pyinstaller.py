"""The builder for Python sources, with PyInstaller: a file or a folder, for its own platform.

The same sources, requirements and Python give the same bytes: the hash seed is fixed, and the work
folder, the time and the user do not go into the file.
"""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import ocm_pkg
from ocm_pkg.builders.result import failed, run_tool, take
from ocm_pkg.errors import BuildError, FileMissingError, InvalidDocumentError, ToolMissingError
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.fs.process import child_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ocm_pkg.builders.interpreter import Interpreter, Interpreters
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.project import Target
    from ocm_pkg.ports import BuildJob, BuiltBinary

_HOOKS = Path(__file__).with_name("hooks")
_PACKAGE = Path(ocm_pkg.__file__).parent
_SDK_FILES = ("__init__.py", "_typing.py", "errors.py")
_SDK_ROOMS = ("contract", "sdk")
_NO_LIBRARY = re.compile(
    r"Python shared library \(|Python was built without a shared library|PythonLibraryNotFoundError"
)
_RUN_MODULE = "import runpy\n\nrunpy.run_module({module!r}, run_name='__main__', alter_sys=True)\n"


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

    def build(self, job: BuildJob) -> BuiltBinary:
        """Build one file, or a folder (shape ``dir``).

        Raises ``ToolMissingError`` or ``BuildError``.
        """
        self._require_tools()
        entry = job.folder / str(job.target.entry)
        if not entry.is_file():
            raise FileMissingError(f"{entry} does not exist", hint="it is named as entry")
        interpreter = self._interpreters.for_job(job)
        script, paths, hidden = _script(job, entry)
        if not any((path / "ocm_pkg" / "__init__.py").is_file() for path in paths):
            paths += self._sdk(job, interpreter)
        argv = [
            *(interpreter.program, "-m", "PyInstaller"),
            "--onedir" if job.target.shape == "dir" else "--onefile",
            *("--clean", "--noconfirm", "--noupx", "--console"),
            *(("--strip",) if self._has("strip") and self._host.os == "linux" else ()),
            f"--name={job.project.plugin_name}",
            f"--distpath={job.work / 'dist'}",
            f"--workpath={job.work / 'build'}",
            f"--specpath={job.work}",
            f"--additional-hooks-dir={_HOOKS}",
            *(f"--paths={path}" for path in paths),
            *(f"--exclude-module={name}" for name in job.target.exclude),
            *(f"--hidden-import={name}" for name in (*hidden, *job.target.hidden_imports)),
            str(script),
        ]
        self._run(job, argv, interpreter)
        return take(job, job.work / "dist" / job.project.plugin_name, interpreter.tools)

    def _run(self, job: BuildJob, argv: Sequence[str], interpreter: Interpreter) -> None:
        env = child_environment(
            self._environ,
            {
                "PYTHONHASHSEED": "0",
                "PYTHONNOUSERSITE": "1",
                # Code that was compiled now and code from a cache are not the same bytes.
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONPYCACHEPREFIX": str(job.work / "no-bytecode"),
                "PYINSTALLER_CONFIG_DIR": str(job.work / "config"),
            },
        )
        try:
            log = run_tool(job, argv, env=env, cwd=job.work, timeout=self._timeout)
        except BuildError as error:
            log = job.log.read_text(errors="replace") if job.log.exists() else ""
            if _NO_LIBRARY.search(log):
                version = ".".join(interpreter.python.split(".")[:2])
                raise ToolMissingError(
                    f"the Python {interpreter.program} has no shared library, which PyInstaller"
                    " puts into the binary",
                    hint=f"install libpython{version} (Debian), python3-libs (Fedora) or python3"
                    " (Alpine), or a Python built with --enable-shared",
                    detail=error.detail,
                ) from error
            raise
        for module in job.target.hidden_imports:
            if f"Hidden import {module!r} not found" in log:
                raise failed(job, f"there is no module {module}, a hidden import", log)

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

    def _sdk(self, job: BuildJob, interpreter: Interpreter) -> list[Path]:
        """Give the plugin the sdk of this ``ocm_pkg``, unless its requirements pin one."""
        if job.target.requirements is not None and interpreter.has_ocm_pkg:
            return []
        folder = job.work / "sdk"
        package = folder / "ocm_pkg"
        with storage_errors(f"copying the sdk to {folder}", job.work):
            package.mkdir(parents=True)
            for name in _SDK_FILES:
                shutil.copyfile(_PACKAGE / name, package / name)
            for room in _SDK_ROOMS:
                shutil.copytree(
                    _PACKAGE / room, package / room, ignore=shutil.ignore_patterns("__pycache__")
                )
        return [folder]


def _script(job: BuildJob, entry: Path) -> tuple[Path, list[Path], list[str]]:
    """Return the script to freeze, the folders to import from, and modules it hides.

    A script inside a package that imports its siblings by relative imports is run as a module.
    """
    root, package = _package_of(entry, job.folder)
    if not package or not has_relative_imports(entry):
        return entry, [root], []
    stem = [] if entry.stem == "__main__" else [entry.stem]
    module = ".".join([*package, *stem])
    script = job.work / f"{job.project.plugin_name}.py"
    with storage_errors(f"writing {script}", job.work):
        script.write_text(_RUN_MODULE.format(module=module))
    return script, [root], [".".join([*package, entry.stem])]


def _package_of(entry: Path, folder: Path) -> tuple[Path, list[str]]:
    """Return the folder that holds the outermost package of ``entry``, and the package's path."""
    package: list[str] = []
    root = entry.parent
    while (root / "__init__.py").is_file() and root != folder:
        package.insert(0, root.name)
        root = root.parent
    return root, package


def has_relative_imports(script: Path) -> bool:
    """Whether a script imports from its own package by dots; a syntax error is raised as ours."""
    try:
        tree = ast.parse(script.read_bytes(), filename=str(script))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise InvalidDocumentError(
            f"{script} is not Python: {error}", at=f"{script}:{line}", hint="correct it"
        ) from error
    return any(isinstance(node, ast.ImportFrom) and node.level > 0 for node in ast.walk(tree))
