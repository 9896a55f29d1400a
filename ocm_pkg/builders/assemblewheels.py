"""The wheels of another platform: fetched by pip as a lock says, and kept in a cache."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ocm_pkg.builders.assemblelock import normalised
from ocm_pkg.builders.assembletags import marker_environment, wheel_platforms
from ocm_pkg.builders.interpreter import PIP_SETTINGS
from ocm_pkg.builders.result import run_tool
from ocm_pkg.errors import BuildError, ConfigError, ToolMissingError
from ocm_pkg.fs.atomic import FileLock, make_folder, remove_tree, write_file
from ocm_pkg.fs.blob import open_regular
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.fs.process import child_environment, run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ocm_pkg.builders.assemblelock import Pin
    from ocm_pkg.ports import BuildJob

_EVALUATE = Path(__file__).with_name("hooks") / "evaluate-markers.py"
_TIMEOUT = 1800.0
_MARKER_TIMEOUT = 60.0
_MAX_ANSWER = 1024 * 1024
_NO_WHEEL = re.compile(r"No matching distribution found for ([^\s(]+)")
_NO_INDEX = re.compile(r"Retrying \(|connection broken|NewConnectionError|certificate verify")
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Wheels:
    """Fetches wheels with the pip of ``program``, and keeps them in ``cache``."""

    program: str
    cache: Path
    environ: Mapping[str, str]
    offline: bool = False

    def needed(self, job: BuildJob, pins: Sequence[Pin], python: str) -> tuple[Pin, ...]:
        """Return the pins whose conditions hold on the target, with the version ``python``."""
        markers = sorted({pin.marker for pin in pins if pin.marker})
        if not markers:
            return tuple(pins)
        environment = {**marker_environment(job.target.platform, python), "extra": ""}
        done = run(
            [self.program, "-s", str(_EVALUATE)],
            env=self._env(),
            input=json.dumps({"environment": environment, "markers": markers}).encode(),
            timeout=_MARKER_TIMEOUT,
            max_output=_MAX_ANSWER,
            cwd=job.work,
        )
        if done.returncode and b"No module named 'pip" in done.stderr:
            raise ToolMissingError(f"{self.program} has no pip", hint="python -m ensurepip")
        if done.returncode:
            raise ConfigError(
                f"{job.target.requirements} has a condition that can't be read",
                hint="make the lock with: pip-compile --generate-hashes",
                detail=done.stderr.decode(errors="replace").splitlines()[-3:],
            )
        held = dict(zip(markers, json.loads(done.stdout), strict=True))
        return tuple(pin for pin in pins if pin.marker is None or held[pin.marker])

    def fetch(self, job: BuildJob, pins: Sequence[Pin], python: str) -> tuple[Path, ...]:
        """Return one wheel per pin, in their order, each of a locked hash.

        ``python`` is the version that the target will have. Raises ``BuildError`` if a wheel for
        the target isn't there, or, offline, isn't in the cache.
        """
        if not pins:
            return ()
        limit = job.project.require.glibc_max
        platforms = wheel_platforms(job.target.platform, limit)
        if not platforms:
            raise BuildError(
                f"no wheels for {job.target.platform} run on glibc {limit}",
                hint="raise require.glibc-max",
            )
        lines = "".join(f"{pin.line}\n" for pin in pins).encode()
        key = hashlib.sha256(repr((platforms, python, lines)).encode()).hexdigest()
        folder = self.cache / "wheels" / key[:32]
        make_folder(folder.parent)
        with FileLock(folder.with_suffix(".lock"), _TIMEOUT):
            found = self._checked(folder, pins)
            if found is None:
                self._download(job, folder, lines, platforms, python)
                found = self._checked(folder, pins)
        if found is None:
            raise BuildError(
                f"pip left other wheels for {job.target.platform} than the lock names",
                hint=f"its log is in {job.log}",
            )
        return found

    def _checked(self, folder: Path, pins: Sequence[Pin]) -> tuple[Path, ...] | None:
        """Return the wheels in ``folder`` if they are those of ``pins``, and no others."""
        wheels = {normalised(path.name.partition("-")[0]): path for path in folder.glob("*.whl")}
        if set(wheels) != {pin.name for pin in pins}:
            return None
        paths = tuple(wheels[pin.name] for pin in pins)
        fit = all(_has_hash(path, pin) for path, pin in zip(paths, pins, strict=True))
        return paths if fit else None

    def _download(
        self, job: BuildJob, folder: Path, lines: bytes, platforms: Sequence[str], python: str
    ) -> None:
        platform = job.target.platform
        if self.offline:
            raise BuildError(
                f"the wheels for {platform} are not in the cache, and --offline forbids to fetch"
                " them",
                hint="build once without --offline",
            )
        with storage_errors(f"removing {folder}", folder.parent):
            remove_tree(folder)
        make_folder(folder)
        write_file(folder / "wheels.lock", lines)
        argv = [
            *(self.program, "-m", "pip"),
            *download_arguments(folder, folder / "wheels.lock", platforms, python),
        ]
        settings = {name: self.environ[name] for name in PIP_SETTINGS if name in self.environ}
        try:
            env = {**self._env(), **settings}
            run_tool(job, argv, env=env, cwd=job.work, timeout=_TIMEOUT)
        except BuildError as error:
            log = job.log.read_text(errors="replace") if job.log.is_file() else ""
            missing = _NO_WHEEL.search(log)
            if missing and not _NO_INDEX.search(log):
                version = ".".join(python.split(".")[:2])
                raise BuildError(
                    f"there is no wheel of {missing[1]} for {platform} and Python {version}",
                    hint="choose another version of it, a higher require.glibc-max, or the builder"
                    f" pyinstaller on {platform}",
                    detail=error.detail,
                ) from error
            raise

    def _env(self) -> dict[str, str]:
        return child_environment(self.environ, {"PYTHONNOUSERSITE": "1", "PYTHONHASHSEED": "0"})


def download_arguments(
    folder: Path, lock: Path, platforms: Sequence[str], python: str
) -> list[str]:
    """Return pip's arguments that fetch the wheels of ``lock`` for a platform into ``folder``."""
    abi = "cp" + "".join(python.split(".")[:2])
    return [
        *("--disable-pip-version-check", "download", "--no-input", "--no-deps"),
        *("--only-binary=:all:", "--require-hashes", "--progress-bar=off", f"--dest={folder}"),
        *("--implementation=cp", f"--python-version={python}", f"--abi={abi}"),
        *(f"--platform={tag}" for tag in platforms),
        *("-r", str(lock)),
    ]


def _has_hash(path: Path, pin: Pin) -> bool:
    with open_regular(path) as stream:
        for name in {each.partition(":")[0] for each in pin.hashes}:
            hasher = hashlib.new(name)
            stream.seek(0)
            while chunk := stream.read(_CHUNK):
                hasher.update(chunk)
            if f"{name}:{hasher.hexdigest()}" in pin.hashes:
                return True
    return False
