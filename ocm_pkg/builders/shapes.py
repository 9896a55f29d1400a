"""The shape ``launcher``: one file of a small executable and a folder, packed by any builder.

The file is the launcher, the program's answer to ``capabilities``, the folder as the tar.gz that
the shape ``dir`` is, and the trailer of ``model.trailer``. The same parts give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from ocm_pkg.builders.inputs import inputs_of, tools
from ocm_pkg.builders.result import LOG_LINES
from ocm_pkg.contract.capabilities import MAX_SIZE, Capabilities
from ocm_pkg.errors import BuildError, PluginProtocolError, ToolMissingError, escaped
from ocm_pkg.fs.gunzip import Gunzip
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.fs.process import ProgramError, child_environment, run
from ocm_pkg.fs.tree import MAX_CONTENT
from ocm_pkg.fs.unpack import unpack
from ocm_pkg.model.digest import Digest, digest_of
from ocm_pkg.model.shape import launcher_problem
from ocm_pkg.model.trailer import Trailer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from ocm_pkg.builders.launchers import Launchers
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.project import Target
    from ocm_pkg.ports import Builder, BuildJob, BuiltBinary

_ANSWER_TIMEOUT = 60.0
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ShapedBuilder:
    """A builder that can also make the shape ``launcher``, from the ``dir`` that ``inner`` makes.

    ``note`` gets one line where something else is made than was asked for.
    """

    inner: Builder
    launchers: Launchers
    environ: Mapping[str, str]
    host: Platform
    note: Callable[[str], None]

    def missing(self, target: Target, host: Platform) -> str | None:
        """Return why this machine can't build ``target``."""
        problem = launcher_problem(target.platform) if target.shape == "launcher" else None
        return problem or self.inner.missing(target, host)

    def inputs(self, job: BuildJob) -> Mapping[str, str] | None:
        """Return what the folder depends on, and the tools that launchers are compiled with."""
        if job.target.shape != "launcher":
            return inputs_of(self.inner, job)
        folder = replace(job, target=replace(job.target, shape="dir"))
        found = inputs_of(self.inner, folder)
        if found is None:
            return None
        return {**found, **tools(("go",), self.environ), "/machine": str(self.host)}

    def build(self, job: BuildJob) -> BuiltBinary:
        """Build ``job.output``.

        Where there is no launcher for the target and none can be compiled, PyInstaller's target
        is a ``file`` instead; raises ``ToolMissingError`` for other builders, for they make what
        the project says, which is a folder.
        """
        if job.target.shape != "launcher":
            return self.inner.build(job)
        launcher = self.launchers.find(job)
        if launcher is None:
            return self._without(job)
        payload = job.work / "payload.tar.gz"
        folder = replace(job, target=replace(job.target, shape="dir"), output=payload)
        built = self.inner.build(folder)
        program = str(built.program)
        answer = self._answer(job, payload, program)
        with storage_errors(f"writing {job.output}", job.output.parent):
            with job.output.open("xb") as out:
                pack(out, launcher.data, answer, payload, program)
            job.output.chmod(0o755)
        self._compare(job, answer)
        tools = {**built.tools, **launcher.tools}
        return replace(built, path=job.output, shape="launcher", tools=tools, program=None)

    def _without(self, job: BuildJob) -> BuiltBinary:
        platform = job.target.platform
        if job.target.builder not in ("pyinstaller", "container"):
            raise ToolMissingError(
                f"there is no launcher for {platform} here, and no go to compile one",
                hint="install Go, or choose the shape dir",
            )
        self.note(
            f"{platform} is built as shape file: there is no launcher for it here, and no go to"
            " compile one"
        )
        return self.inner.build(replace(job, target=replace(job.target, shape="file")))

    def _answer(self, job: BuildJob, payload: Path, program: str) -> bytes:
        """Return what the program says to ``capabilities``; nothing if it doesn't run here."""
        platform = job.target.platform
        folder = job.work / "unpacked"
        with storage_errors(f"unpacking {payload}", job.work), payload.open("rb") as stream:
            folder.mkdir()
            unpack(stream, folder, what=payload.name, compressed=True, program=program)
        if platform != self.host:
            self.note(
                f"{platform} does not run here: its launcher asks the program for its capabilities"
            )
            return b""
        return _ask(folder / program, platform, self.environ)

    def _compare(self, job: BuildJob, answer: bytes) -> None:
        """Run the launcher that was packed, where it has an answer: it must give that one."""
        platform = job.target.platform
        if answer and _ask(job.output, platform, self.environ) != answer:
            raise BuildError(
                f"the launcher for {platform} says something else than its program",
                hint="install ocm-pkg again, or choose the shape dir",
            )


def pack(
    out: BinaryIO, launcher: bytes, capabilities: bytes, payload: Path, program: str
) -> Trailer:
    """Write a launcher to ``out``: the same parts give the same bytes.

    ``payload`` is a tar in gzip, ``program`` a path in it. Raises ``InvalidDocumentError`` for
    what a trailer can't say, ``UnsafeArchiveError`` for a payload that is no gzip, ``OSError``.
    """
    out.write(launcher)
    out.write(capabilities)
    hasher, size = hashlib.sha256(), 0
    with payload.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            hasher.update(chunk)
            size += out.write(chunk)
    trailer = Trailer(
        launcher_size=len(launcher),
        capabilities_size=len(capabilities),
        payload_size=size,
        unpacked_size=_unpacked_size(payload),
        capabilities=digest_of(capabilities),
        payload=Digest("sha256", hasher.hexdigest()),
        program=program,
    )
    out.write(trailer.encode())
    return trailer


def _unpacked_size(payload: Path) -> int:
    size = 0
    with payload.open("rb") as stream:
        plain = Gunzip(stream, what=payload.name, limit=MAX_CONTENT)
        reader = io.BufferedReader(cast("io.RawIOBase", plain), _CHUNK)
        while chunk := reader.read(_CHUNK):
            size += len(chunk)
    return size


def _ask(program: Path, platform: Platform, environ: Mapping[str, str]) -> bytes:
    """Run the program once, and return its answer if it is one."""
    name = f"the program that was built for {platform}"
    try:
        done = run(
            [program, "capabilities"],
            env=child_environment(environ),
            timeout=_ANSWER_TIMEOUT,
            max_output=MAX_SIZE,
        )
    except ProgramError as error:
        raise _silent(name, error.message, error.stderr) from error
    if done.returncode:
        raise _silent(name, f"it ended with status {done.returncode}", done.stderr)
    try:
        Capabilities.parse(done.stdout)
    except PluginProtocolError as error:
        raise _silent(name, error.message, done.stderr) from error
    return done.stdout


def _silent(name: str, why: str, stderr: bytes) -> BuildError:
    lines = stderr.decode(errors="replace").splitlines()[-LOG_LINES:]
    return BuildError(
        f"{name} does not say what it can do: {why}",
        hint="correct its answer to the argument capabilities",
        detail=[escaped(line, 400) for line in lines if line.strip()],
    )
