"""What every builder does with what its tool left: check it, copy it, keep the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocm_pkg.builders.glibc import floor_of
from ocm_pkg.errors import BinaryPlatformError, BuildError, escaped
from ocm_pkg.fs.atomic import make_folder, write_file
from ocm_pkg.fs.blob import open_regular
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.fs.process import ProgramError, ProgramStartError, run
from ocm_pkg.fs.tree import TreeSelection, copy_stable, gzipped, write_tree
from ocm_pkg.model.binary import HEADER_BYTES, platforms_of
from ocm_pkg.ports import BuiltBinary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ocm_pkg.ports import BuildJob

LOG_LINES = 15
MAX_LOG = 64 * 1024 * 1024
TAKEN = "taken.json"
"""In a job's work folder: a list (JSON) of the files that went into the binary, if there is one."""


def run_tool(
    job: BuildJob,
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    timeout: float,
    grace: float = 0.0,
) -> str:
    """Run a tool, keep what it says in ``job.log`` and return it as text.

    ``grace`` are the seconds that it has to end when it is stopped before it is killed.
    Raises ``BuildError`` with the last lines of the log unless it ends with status 0 in time.
    """
    try:
        done = run(argv, env=env, cwd=cwd, timeout=timeout, max_output=MAX_LOG, grace=grace)
    except ProgramStartError as error:
        raise BuildError(f"{job.target.platform}: {error.message}", hint=error.hint) from error
    except ProgramError as error:
        text = _keep_log(job, error.stdout + error.stderr)
        raise failed(job, error.message, text) from error
    text = _keep_log(job, done.stdout + done.stderr)
    if done.returncode < 0:
        raise failed(job, f"{argv[0]} was ended by signal {-done.returncode}", text)
    if done.returncode:
        raise failed(job, f"{argv[0]} ended with status {done.returncode}", text)
    return text


def failed(job: BuildJob, reason: str, log: str) -> BuildError:
    """Return the error for a build that failed; its detail is the end of the log."""
    lines = [escaped(line, 400) for line in log.splitlines() if line.strip()]
    return BuildError(
        f"building {job.target.platform} with {job.target.builder} failed: {reason}",
        hint=f"the whole log is in {job.log}",
        detail=lines[-LOG_LINES:],
    )


def _keep_log(job: BuildJob, data: bytes) -> str:
    make_folder(job.log.parent)
    write_file(job.log, data)
    return data.decode(errors="replace")


def take(job: BuildJob, made: Path, tools: Mapping[str, str]) -> BuiltBinary:
    """Copy what was made to ``job.output``, executable, and say what it is.

    It must not change meanwhile, which is a ``LocalStorageError``.

    For the shape ``dir`` it is a folder with a program of the plugin's name, which is packed.
    Raises ``BuildError`` if it isn't there or is empty, ``BinaryPlatformError`` if its header
    names another platform than the target.
    """
    target = job.target
    if target.shape == "dir":
        return _take_folder(job, made, tools)
    check_program(job, made, made)
    with storage_errors(f"writing {job.output}", job.output.parent):
        real = made.resolve()
        with job.output.open("wb") as out:
            copy_stable(real, out.write, real.stat())
        job.output.chmod(0o755)
    return _built(job, made, made, tools)


def _take_folder(job: BuildJob, made: Path, tools: Mapping[str, str]) -> BuiltBinary:
    """Pack a folder so that the same contents give the same bytes."""
    target = job.target
    program = job.project.program_path(target.platform)
    prefix = program.partition("/")[0]
    check_program(job, program_of(job, made), made)
    with (
        storage_errors(f"packing {made}", job.output.parent),
        job.output.open("xb") as out,
        gzipped(out) as packed,
    ):
        write_tree(made, TreeSelection(prefix=prefix), packed)
    return _built(job, program_of(job, made), made, tools, inner=program)


def _built(
    job: BuildJob, program: Path, made: Path, tools: Mapping[str, str], inner: str | None = None
) -> BuiltBinary:
    """Return what is in ``job.output``; ``inner`` is the program's path in its archive."""
    target, floor = job.target, floor_of(program, made)
    return BuiltBinary(
        path=job.output,
        platform=target.platform,
        shape=target.shape,
        tools=dict(tools),
        glibc=floor.version if floor else None,
        program=inner,
        glibc_file=floor.file if floor else None,
    )


def program_of(job: BuildJob, made: Path) -> Path:
    """Return the program in what a tool leaves: the file itself, or in a folder by its name."""
    if job.target.shape != "dir":
        return made
    return made / job.project.program_path(job.target.platform).rpartition("/")[2]


def check_program(job: BuildJob, program: Path, made: Path) -> None:
    """Refuse a program that isn't there, or is for another platform than the target."""
    target = job.target
    if not program.is_file():
        what = f"folder {made.name} with {program.name}" if made != program else "file"
        named = "" if made != program else f" {made.name}"
        raise BuildError(
            f"building {target.platform} with {target.builder} left no {what}{named}",
            hint=f"it must leave {program}"
            + (f"; the log is in {job.log}" if job.log.exists() else ""),
        )
    with open_regular(program) as stream:
        header = stream.read(HEADER_BYTES)
    platforms = platforms_of(header)
    if target.platform not in platforms:
        what = f"is for {platforms[0]}" if platforms else _what_else(header)
        raise BinaryPlatformError(
            f"{program} was built for {target.platform}, but {what}",
            hint="build it for that platform, or correct the target",
        )


def _what_else(header: bytes) -> str:
    if not header:
        return "is empty"
    return "is a script" if header.startswith(b"#!") else "is no program"
