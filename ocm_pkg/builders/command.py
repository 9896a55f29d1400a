"""The builder for any tool that leaves a file: ``go build``, ``cargo``, a container."""

from __future__ import annotations

import hashlib
import re
import shutil
from typing import TYPE_CHECKING

from ocm_pkg.builders.result import failed, program_of, run_tool, take
from ocm_pkg.errors import ToolMissingError
from ocm_pkg.fs.atomic import FileLock, make_folder
from ocm_pkg.fs.blob import FileBlob, read_all
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.fs.process import child_environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.project import Target
    from ocm_pkg.ports import BuildJob, BuiltBinary

_MAX_TOOLS = 64 * 1024
_TOOL = re.compile(r"(?P<name>[a-z][a-z0-9._-]{0,62})=(?P<version>[!-~](?:[ -~]{0,198}[!-~])?)")


class CommandBuilder:
    """Runs the target's ``run`` in the project's folder, without a shell; takes ``output``.

    The command learns its target from ``OCM_PKG_OS``, ``OCM_PKG_ARCHITECTURE`` and
    ``OCM_PKG_OUTPUT``: what to leave there, absolute, is a file, or for the shape ``dir`` a folder.
    In the file ``OCM_PKG_TOOLS`` it may say which tools it used, in lines ``NAME=VERSION``. It gets
    no other variables than the ones of ``fs.process.child_environment``. Two builds never run it
    for one output at the same time: ``locks`` is a folder for what tells them so.
    """

    def __init__(self, environ: Mapping[str, str], *, locks: Path, timeout: float) -> None:
        self._environ = environ
        self._locks = locks
        self._timeout = timeout

    def missing(self, target: Target, host: Platform) -> str | None:  # noqa: ARG002
        """Return None: only the command itself knows what it can build."""
        return None

    def build(self, job: BuildJob) -> BuiltBinary:
        """Run the command; what an earlier run left is removed first, so it can't be taken."""
        made = job.folder / str(job.target.output)
        name = hashlib.sha256(str(made.resolve()).encode()).hexdigest()
        make_folder(self._locks)
        with FileLock(self._locks / name, self._timeout):
            return self._build(job, made)

    def _build(self, job: BuildJob, made: Path) -> BuiltBinary:
        left = program_of(job, made)
        with storage_errors(f"removing {left}", left.parent):
            left.unlink(missing_ok=True)
        platform, tools = job.target.platform, job.work / "tools"
        env = child_environment(
            self._environ,
            {
                "OCM_PKG_OS": platform.os,
                "OCM_PKG_ARCHITECTURE": platform.architecture,
                "OCM_PKG_OUTPUT": str(made),
                "OCM_PKG_TOOLS": str(tools),
            },
        )
        program, *arguments = job.target.run
        argv = [self._find(program, job.folder), *arguments]
        run_tool(job, argv, env=env, cwd=job.folder, timeout=self._timeout)
        return take(job, made, _tools_in(tools, job))

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


def _tools_in(file: Path, job: BuildJob) -> dict[str, str]:
    """Return what the command said of its tools, or raise ``BuildError`` for anything else."""
    if not file.is_file():
        return {}
    tools = {}
    for line in (
        read_all(FileBlob(file), _MAX_TOOLS, str(file)).decode(errors="replace").split("\n")
    ):
        match = _TOOL.fullmatch(line)
        if match is not None:
            tools[match["name"]] = match["version"]
        elif line:
            raise failed(job, f"{line[:80]!r} in OCM_PKG_TOOLS is not NAME=VERSION", "")
    return tools
