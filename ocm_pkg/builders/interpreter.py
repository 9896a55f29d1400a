"""The Python that freezes a plugin: the current one, or an environment made from a lock."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ocm_pkg.builders.result import run_tool
from ocm_pkg.errors import BuildError, ConfigError, FileMissingError, ToolMissingError
from ocm_pkg.fs.atomic import FileLock, make_folder, remove_tree, write_file
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.fs.process import ProgramError, child_environment, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocm_pkg.ports import BuildJob

_HASHED = re.compile(rb"--hash=sha(?:256|384|512):")
_PIP_SETTINGS = ("PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_CERT", "PIP_NO_INDEX", "PIP_FIND_LINKS")
"""Where pip gets files from may be chosen: every file must have the locked hash anyway."""

_OLDEST = (3, 11)
_INSTALL_TIMEOUT = 1800.0
_PROBE_TIMEOUT = 60.0
_PROBE = """\
import importlib.metadata, importlib.util, json, platform, sys
name = sys.argv[1]
try:
    version = importlib.metadata.version(name)
except importlib.metadata.PackageNotFoundError:
    version = None
print(json.dumps({
    "python": platform.python_version(),
    name: version,
    "ocm_pkg": importlib.util.find_spec("ocm_pkg") is not None,
}))
"""


@dataclass(frozen=True, slots=True)
class Freezer:
    """A tool that freezes: the package that it is in, and what it is called.

    Its own lock is the file ``PACKAGE.lock`` beside this module.
    """

    package: str
    title: str

    @property
    def lock(self) -> Path:
        """What it needs, hashed."""
        return Path(__file__).with_name(f"{self.package}.lock")

    def is_pinned(self, lock: bytes) -> bool:
        """Whether a lock of a project pins the tool itself."""
        name = re.escape(self.package.encode()).replace(b"_", b"[-_.]")
        return re.search(rb"^" + name + rb"\s*==", lock, re.IGNORECASE | re.MULTILINE) is not None


PYINSTALLER = Freezer("pyinstaller", "PyInstaller")
CX_FREEZE = Freezer("cx_freeze", "cx_Freeze")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that has a freezer: its program, versions, and whether it has ``ocm_pkg``."""

    program: str
    python: str
    version: str
    has_ocm_pkg: bool
    freezer: Freezer = PYINSTALLER

    @property
    def tools(self) -> Mapping[str, str]:
        """The versions that the report names."""
        return {"python": self.python, self.freezer.package: self.version}


@dataclass(frozen=True, slots=True)
class Interpreters:
    """Finds or makes interpreters. ``program`` is the Python to start from."""

    program: str
    cache: Path
    environ: Mapping[str, str]
    offline: bool = False
    freezer: Freezer = PYINSTALLER

    def for_job(self, job: BuildJob) -> Interpreter:
        """Return the interpreter for a job.

        With ``requirements`` it is a virtual environment of exactly those, each file checked
        against its hash, kept in the cache. Without, it is the running Python, which must have
        the freezer. Raises ``ToolMissingError``, ``ConfigError`` or ``BuildError``.
        """
        if job.target.requirements is None:
            return self._checked(self.program, "pip install 'ocm-pkg[build]'")
        return self._checked(
            self._environment(job, job.folder / job.target.requirements),
            f"pin {self.freezer.package} in {job.target.requirements}",
        )

    def _checked(self, program: str, hint: str) -> Interpreter:
        found = self._probe(program)
        _require_recent(program, str(found["python"]))
        freezer, version = self.freezer, found[self.freezer.package]
        if version is None:
            raise ToolMissingError(f"{program} has no {freezer.title}", hint=hint)
        has_own = bool(found["ocm_pkg"])
        return Interpreter(program, str(found["python"]), str(version), has_own, freezer)

    def _probe(self, program: str) -> Mapping[str, object]:
        try:
            done = run(
                [program, "-c", _PROBE, self.freezer.package],
                env=self._env(),
                timeout=_PROBE_TIMEOUT,
                max_output=1024 * 1024,
                cwd=Path("/"),
            )
            if done.returncode == 0:
                value: dict[str, object] = json.loads(done.stdout)
                return value
            reason = f"status {done.returncode}"
        except (ProgramError, ValueError) as error:
            raise BuildError(f"the Python {program} does not run: {error}") from error
        raise BuildError(
            f"the Python {program} does not run: {reason}",
            detail=done.stderr.decode(errors="replace").splitlines()[-5:],
        )

    def _env(self) -> dict[str, str]:
        return child_environment(self.environ, {"PYTHONNOUSERSITE": "1", "PYTHONHASHSEED": "0"})

    def _environment(self, job: BuildJob, lock: Path) -> str:
        """Return the Python of the environment for ``lock``; make it if it isn't there."""
        locks = _locks(lock, self.freezer)
        base = self._probe(self.program)
        _require_recent(self.program, str(base["python"]))
        key = hashlib.sha256(repr((self.program, base["python"])).encode())
        for data in locks.values():
            key.update(hashlib.sha256(data).digest())
        folder = self.cache / "build-environments" / key.hexdigest()[:32]
        python = folder / "bin" / "python"
        make_folder(folder.parent)
        with FileLock(folder.with_suffix(".lock"), _INSTALL_TIMEOUT):
            complete = folder / "complete"
            if not (complete.is_file() and python.exists()):
                self._make(job, folder, python, locks)
                write_file(complete, b"")
        return str(python)

    def _make(self, job: BuildJob, folder: Path, python: Path, locks: Mapping[str, bytes]) -> None:
        if self.offline:
            raise BuildError(
                f"the build environment for {job.target.requirements} is not in the cache, and"
                " --offline forbids to fetch it",
                hint="build once without --offline",
            )
        with storage_errors(f"removing {folder}", folder.parent):
            remove_tree(folder)
        self._step(job, [self.program, "-m", "venv", str(folder)])
        for name, data in locks.items():
            copy = folder / name
            write_file(copy, data)
            pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
            only = ["--no-input", "--only-binary=:all:", "--require-hashes"]
            self._step(job, [*pip, "install", *only, "-r", str(copy)])

    def _step(self, job: BuildJob, argv: list[str]) -> None:
        index = {name: self.environ[name] for name in _PIP_SETTINGS if name in self.environ}
        env = {**self._env(), **index}
        run_tool(job, argv, env=env, cwd=job.work, timeout=_INSTALL_TIMEOUT)


def _require_recent(program: str, version: str) -> None:
    """Refuse a Python that the sdk doesn't run on: the binary would fail, not the build."""
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise ToolMissingError(
            f"{program} is Python {version}, and plugins need {oldest} or newer",
            hint="put a newer python3 first on PATH",
        )


def _locks(lock: Path, freezer: Freezer) -> dict[str, bytes]:
    """Return the locks to install from, by file name, in order."""
    if not lock.is_file():
        raise FileMissingError(f"{lock} does not exist", hint="it is named as requirements")
    with storage_errors(f"reading {lock}", lock.parent):
        data = lock.read_bytes()
    if data.strip() and not _HASHED.search(data):
        raise ConfigError(
            f"{lock} has no hashes",
            hint=f"make it with: pip-compile --generate-hashes -o {lock.name}",
            at=str(lock),
        )
    if freezer.is_pinned(data):
        return {"requirements.lock": data}
    return {freezer.lock.name: freezer.lock.read_bytes(), "requirements.lock": data}
