"""The builder for Python sources with cx_Freeze: a folder, for its own platform.

It needs no tools beside Python: the base program comes with a wheel. The program is one process,
and leaves the loader's variables alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ocm_pkg.builders.inputs import frozen_inputs
from ocm_pkg.builders.pysource import frozen_source, source_root
from ocm_pkg.builders.result import TAKEN, run_tool, take
from ocm_pkg.errors import UnsupportedTargetError
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.fs.process import child_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocm_pkg.builders.interpreter import Interpreters
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.project import Target
    from ocm_pkg.ports import BuildJob, BuiltBinary

_SCRIPT = Path(__file__).with_name("hooks") / "freeze-with-cx.py"


class CxFreezeBuilder:
    """Builds for the platform it runs on. ``interpreters`` finds a Python with cx_Freeze."""

    def __init__(
        self, interpreters: Interpreters, environ: Mapping[str, str], *, timeout: float
    ) -> None:
        self._interpreters = interpreters
        self._environ = environ
        self._timeout = timeout

    def missing(self, target: Target, host: Platform) -> str | None:
        """Return why this machine can't build ``target``: it is for another platform."""
        if target.platform == host:
            return None
        return f"cx_Freeze builds for its own platform: run this on {target.platform}"

    def inputs(self, job: BuildJob) -> Mapping[str, str] | None:
        """Return the sources, and the state of the Python and of the tools."""
        program = self._interpreters.existing(job)
        return frozen_inputs(job, source_root(job), program, self._environ)

    def build(self, job: BuildJob) -> BuiltBinary:
        """Build a folder; raise ``UnsupportedTargetError`` for another shape.

        Raises ``ToolMissingError`` without cx_Freeze, ``BuildError`` if it fails.
        """
        if job.target.shape != "dir":
            raise UnsupportedTargetError(
                f"cx_freeze makes a folder of {job.target.platform}, and no {job.target.shape}",
                hint="choose the shape dir or launcher, or the builder pyinstaller",
            )
        interpreter = self._interpreters.for_job(job)
        source = frozen_source(job, interpreter)
        made = job.work / "dist" / job.project.plugin_name
        settings = {
            "script": str(source.script),
            "name": job.project.plugin_name,
            "paths": [str(path) for path in source.paths],
            "includes": [*source.hidden, *job.target.hidden_imports],
            "excludes": list(job.target.exclude),
            "target": str(made),
            "taken": str(job.work / TAKEN),
        }
        file = job.work / "cx-freeze.json"
        with storage_errors(f"writing {file}", job.work):
            file.write_text(json.dumps(settings), encoding="utf-8")
        env = child_environment(
            self._environ,
            {
                "PYTHONHASHSEED": "0",
                "PYTHONNOUSERSITE": "1",
                # Code that was compiled now and code from a cache are not the same bytes.
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONPYCACHEPREFIX": str(job.work / "no-bytecode"),
            },
        )
        argv = [interpreter.program, "-P", str(_SCRIPT), str(file)]
        run_tool(job, argv, env=env, cwd=job.work, timeout=self._timeout)
        return take(job, made, interpreter.tools)
