"""The builder for Python sources, with PyInstaller in a container: for any Linux that it can run.

An image that is named by its digest has the Python and the C library; docker, podman or buildah
runs it, natively or by an emulator. The same sources, locks and image give the same bytes.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from ocm_pkg.builders.containercontext import MADE, write_context
from ocm_pkg.builders.containerengine import RESULT
from ocm_pkg.builders.containerpackages import note_files, read_tools
from ocm_pkg.builders.containerpip import pip_settings
from ocm_pkg.builders.inputs import frozen_inputs
from ocm_pkg.builders.pyinstaller import NO_LIBRARY, check_hidden_imports
from ocm_pkg.builders.pysource import source_root
from ocm_pkg.builders.result import failed, run_tool, take
from ocm_pkg.errors import BuildError, ToolMissingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ocm_pkg.builders.containerengine import Engine, Engines
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.project import Target
    from ocm_pkg.ports import BuildJob, BuiltBinary

_GRACE = 20.0
"""Seconds that an engine has to take away what it made, when it is stopped."""

_INSTALL = "install docker with buildx, podman or buildah; or build this target on its own machine"
_OWN = re.compile(r"ocm-pkg: (.+)$", re.MULTILINE)
_NOT_PULLED = re.compile(
    r"initializing source|reading manifest|manifest unknown|pull access denied"
    r"|failed to resolve (?:source metadata|reference)|failed to load metadata|image not known",
    re.IGNORECASE,
)
_NO_PYTHON = re.compile(r'"?python3"?: (?:executable file )?not found|exec: "python3"')
_FOREIGN = re.compile(r"exec format error", re.IGNORECASE)


class ContainerBuilder:
    """Builds Linux programs in a container. ``python`` is asked for the settings of pip."""

    def __init__(
        self,
        engines: Engines,
        python: str,
        environ: Mapping[str, str],
        *,
        timeout: float,
        offline: bool = False,
    ) -> None:
        self._engines = engines
        self._python = python
        self._environ = environ
        self._timeout = timeout
        self._offline = offline

    def missing(self, target: Target, host: Platform) -> str | None:
        """Return why this machine can't build ``target``: no engine, or nothing that runs it."""
        if target.platform.os != "linux":
            return f"containers make programs for Linux: build {target.platform} on such a machine"
        return self._engines.missing(target.platform, host)

    def inputs(self, job: BuildJob) -> Mapping[str, str] | None:
        """Return the sources and the requirements; the image is part of the target."""
        return frozen_inputs(job, source_root(job), None, self._environ)

    def build(self, job: BuildJob) -> BuiltBinary:
        """Build one file, or a folder (shape ``dir``).

        Raises ``ToolMissingError`` without an engine, ``BuildError`` if it fails, and what is
        wrong with the sources as the builder ``pyinstaller`` does.
        """
        engine = self._engines.engine
        if engine is None:
            raise ToolMissingError(self._engines.problem, hint=_INSTALL)
        if self._offline and engine.name == "docker":
            raise BuildError(
                "--offline forbids connections, and docker may fetch an image at any time",
                hint="use podman or buildah, or build without --offline",
            )
        settings = pip_settings(self._python, self._environ)
        write_context(job, settings, offline=self._offline)
        log = self._run(job, engine)
        check_hidden_imports(job, log)
        result = job.work / RESULT
        made = result / MADE / job.project.plugin_name
        tools = read_tools(result)
        note_files(job)
        return take(job, made, {**tools, "image": str(job.target.image)})

    def _run(self, job: BuildJob, engine: Engine) -> str:
        """Run the engine; return what the last of its commands said."""
        env, platform, offline = self._engines.env, job.target.platform, self._offline
        # The work folder is of this build alone, and so is a name made from it.
        base = f"localhost/ocm-pkg-{hashlib.sha256(bytes(job.work)).hexdigest()[:24]}"
        try:
            fetch = engine.fetch(platform, str(job.target.image), base, offline=offline)
            said = self._step(job, fetch) if fetch is not None else ""
            if (tag := engine.tag(said, base)) is not None:
                self._step(job, tag)
            return self._step(job, engine.build(platform, base, env, offline=offline))
        except BuildError as error:
            if error.detail and (better := _explained(job, job.log.read_text(errors="replace"))):
                raise better from error
            raise
        finally:
            engine.clean(job.work, base, env)

    def _step(self, job: BuildJob, argv: Sequence[str]) -> str:
        env = self._engines.env
        return run_tool(job, argv, env=env, cwd=job.work, timeout=self._timeout, grace=_GRACE)


def _explained(job: BuildJob, log: str) -> BuildError | None:
    """Return the error for a failed build whose log says in other words what is wrong."""
    image = job.target.image
    if NO_LIBRARY.search(log):
        return failed(
            job, f"the Python of {image} has no shared library (Debian: libpython3.x)", log
        )
    if own := _OWN.findall(log):
        return failed(job, own[-1].strip(), log)
    if _NO_PYTHON.search(log):
        return failed(job, f"{image} has no python3", log)
    if _FOREIGN.search(log):
        return failed(job, f"programs of {image} don't run on this machine", log)
    if _NOT_PULLED.search(log):
        error = failed(job, f"the image {image} could not be had for {job.target.platform}", log)
        hint = f"correct its name and digest, or log in at its registry; {error.hint}"
        return BuildError(error.message, hint=hint, detail=error.detail)
    return None
