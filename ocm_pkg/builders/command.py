"""The builder for any tool that leaves a file: ``go build``, ``cargo``, a container."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from ocm_pkg.builders.result import program_of, run_tool, take
from ocm_pkg.errors import ToolMissingError
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.fs.process import child_environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.project import Target
    from ocm_pkg.ports import BuildJob, BuiltBinary


class CommandBuilder:
    """Runs the target's ``run`` in the project's folder, without a shell; takes ``output``.

    The command learns its target from ``OCM_PKG_OS``, ``OCM_PKG_ARCHITECTURE`` and
    ``OCM_PKG_OUTPUT``: what to leave there, absolute, is a file, or for the shape ``dir`` a folder.
    It gets no other variables than the ones of ``fs.process.child_environment``.
    """

    def __init__(self, environ: Mapping[str, str], *, timeout: float) -> None:
        self._environ = environ
        self._timeout = timeout

    def missing(self, target: Target, host: Platform) -> str | None:  # noqa: ARG002
        """Return None: only the command itself knows what it can build."""
        return None

    def build(self, job: BuildJob) -> BuiltBinary:
        """Run the command; what an earlier run left is removed first, so it can't be taken."""
        made = job.folder / str(job.target.output)
        left = program_of(job, made)
        with storage_errors(f"removing {left}", left.parent):
            left.unlink(missing_ok=True)
        platform = job.target.platform
        env = child_environment(
            self._environ,
            {
                "OCM_PKG_OS": platform.os,
                "OCM_PKG_ARCHITECTURE": platform.architecture,
                "OCM_PKG_OUTPUT": str(made),
            },
        )
        program, *arguments = job.target.run
        argv = [self._find(program, job.folder), *arguments]
        run_tool(job, argv, env=env, cwd=job.folder, timeout=self._timeout)
        return take(job, made, {})

    def _find(self, program: str, folder: Path) -> str:
        """Return the program's path: as written if it is one, else from the search path."""
        if "/" in program:
            found = str(folder / program) if (folder / program).is_file() else None
        else:
            found = shutil.which(program, path=self._environ.get("PATH"))
        if found is None:
            raise ToolMissingError(
                f"{program} is not on this machine",
                hint=f"install {program}, or build this target on another machine",
            )
        return found
