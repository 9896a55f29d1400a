"""Which Python sources go into a binary: the script, the folders to import from, and the sdk."""

from __future__ import annotations

import ast
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import ocm_pkg
from ocm_pkg.errors import FileMissingError, InvalidDocumentError
from ocm_pkg.fs.oserror import storage_errors

if TYPE_CHECKING:
    from ocm_pkg.ports import BuildJob

_PACKAGE = Path(ocm_pkg.__file__).parent
_SDK_FILES = ("__init__.py", "_typing.py", "errors.py")
_SDK_ROOMS = ("contract", "sdk")
_RUN_MODULE = "import runpy\n\nrunpy.run_module({module!r}, run_name='__main__', alter_sys=True)\n"


@dataclass(frozen=True, slots=True)
class FrozenSource:
    """The script to freeze, the folders to import from, and modules that no import names."""

    script: Path
    paths: tuple[Path, ...]
    hidden: tuple[str, ...]


class HasPackages(Protocol):
    """The Python that freezes, as far as it is known: an ``Interpreter`` is one."""

    @property
    def has_ocm_pkg(self) -> bool:
        """Whether ``ocm_pkg`` is among its packages."""


def frozen_source(job: BuildJob, interpreter: HasPackages) -> FrozenSource:
    """Return what to freeze for the target's ``entry``.

    The plugin gets the sdk of this ``ocm_pkg``, unless its requirements pin one, or its sources
    are ``ocm_pkg`` itself. Raises ``FileMissingError`` without ``entry``.
    """
    entry = job.folder / str(job.target.entry)
    if not entry.is_file():
        raise FileMissingError(f"{entry} does not exist", hint="it is named as entry")
    script, paths, hidden = _script(job, entry)
    pinned = job.target.requirements is not None and interpreter.has_ocm_pkg
    if not pinned and not any((path / "ocm_pkg" / "__init__.py").is_file() for path in paths):
        paths.append(_sdk(job))
    return FrozenSource(script, tuple(paths), tuple(hidden))


def source_root(job: BuildJob) -> Path:
    """Return the folder of the project that the target's ``entry`` imports its modules from."""
    return _package_of(job.folder / str(job.target.entry), job.folder)[0]


def _sdk(job: BuildJob) -> Path:
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
    return folder


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
