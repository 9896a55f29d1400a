"""What ``require`` asks of every binary before it is delivered: its size, its needs, its start."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ocm_pkg.errors import BuildError
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.fs.process import ProgramError, child_environment, run
from ocm_pkg.fs.unpack import unpack
from ocm_pkg.model.elf import version_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.projectfile import Require
    from ocm_pkg.ports import BuiltBinary

_MEGABYTE = 1_000_000
_ROUNDS = 5
_TIMEOUT = 30.0
_MAX_OUTPUT = 8 * 1024 * 1024


def check_gates(
    require: Require, binary: BuiltBinary, startup: Callable[[BuiltBinary], float | None]
) -> None:
    """Raise ``BuildError`` if a binary is more than ``require`` allows.

    ``startup`` gives the milliseconds that it takes to say its capabilities, None if it can't be
    run here; it is asked only if there is a limit.
    """
    _check_size(require, binary)
    _check_glibc(require, binary)
    limit = require.startup_ms
    if limit is None or (took := startup(binary)) is None or took <= limit:
        return
    raise BuildError(
        f"the binary for {binary.platform} takes {took:.0f} ms to say its capabilities, at best"
        f" of {_ROUNDS}, more than the {limit:g} ms that require.startup-ms allows",
        hint="import what is heavy with the first call, choose another shape, or raise the limit",
    )


def _check_size(require: Require, binary: BuiltBinary) -> None:
    limit, size = require.size_mb, binary.path.stat().st_size
    if limit is not None and size > limit * _MEGABYTE:
        raise BuildError(
            f"the binary for {binary.platform} has {size / _MEGABYTE:.1f} MB, more than the"
            f" {limit:g} MB that require.size-mb allows",
            hint="exclude modules under build.exclude, or raise the limit",
        )


def _check_glibc(require: Require, binary: BuiltBinary) -> None:
    limit, needed = require.glibc_max, binary.glibc
    if limit is None or needed is None or version_key(needed) <= version_key(limit):
        return
    who = f" (its {binary.glibc_file})" if binary.glibc_file else ""
    raise BuildError(
        f"the binary for {binary.platform}{who} needs glibc {needed}, more than the {limit} that"
        " require.glibc-max allows",
        hint="build it on an older system, for example in a container of one, or raise the limit",
    )


class StartupProbe:
    """Measures how long a program takes to say its capabilities, if it is one for ``host``."""

    def __init__(self, host: Platform, environ: Mapping[str, str]) -> None:
        self._host = host
        self._environ = environ

    def __call__(self, binary: BuiltBinary, work: Path) -> float | None:
        """Return the best of five rounds in milliseconds, or None for another platform.

        What is packed is unpacked in ``work`` before. Raises ``BuildError`` if it fails.
        """
        if binary.platform != self._host:
            return None
        program = binary.path
        if binary.shape == "dir":
            folder = work / "startup"
            with storage_errors(f"unpacking {binary.path}", work), binary.path.open("rb") as stream:
                folder.mkdir()
                unpack(stream, folder, what=binary.path.name, compressed=True)
            program = folder / str(binary.program)
        return min(self._round(program, binary) for _ in range(_ROUNDS)) * 1000

    def _round(self, program: Path, binary: BuiltBinary) -> float:
        name = f"the binary for {binary.platform}"
        try:
            done = run(
                [program, "capabilities"],
                env=child_environment(self._environ),
                timeout=_TIMEOUT,
                max_output=_MAX_OUTPUT,
                cwd=Path("/"),
            )
        except ProgramError as error:
            raise BuildError(
                f"{name} did not say its capabilities: {error.message}", hint=error.hint
            ) from error
        if done.returncode:
            raise BuildError(
                f"{name} did not say its capabilities: it ended with status {done.returncode}",
                hint="run it with the argument capabilities, and correct it",
                detail=done.stderr.decode(errors="replace").splitlines()[-5:],
            )
        return done.seconds
