"""The Python that freezes a plugin: the current one, or an environment made from a lock."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ocm_pkg.builders.inputs import PENDING
from ocm_pkg.builders.result import run_tool
from ocm_pkg.errors import BuildError, ConfigError, FileMissingError, ToolMissingError
from ocm_pkg.fs.atomic import FileLock, make_folder, remove_tree, write_file
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.fs.process import ProgramError, child_environment, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocm_pkg.model.project import Target
    from ocm_pkg.ports import BuildJob

_HASHED = re.compile(rb"--hash=sha(?:256|384|512):")
PIP_SETTINGS = ("PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_CERT", "PIP_NO_INDEX", "PIP_FIND_LINKS")
"""Where pip gets files from may be chosen: every file must have the locked hash anyway."""

_OLDEST = (3, 11)
_INSTALL_TIMEOUT = 1800.0
_PROBE_TIMEOUT = 60.0
PROBE = """\
import hashlib, importlib.metadata, importlib.util, json, os, platform, sys, sysconfig, zlib
def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
def digest(path):
    with open(path, "rb") as file:
        return "sha256:" + hashlib.sha256(file.read()).hexdigest()
def library():
    folder, name = (sysconfig.get_config_var(key) or "" for key in ("LIBDIR", "INSTSONAME"))
    for path in (folder, os.path.join(folder, sysconfig.get_config_var("MULTIARCH") or "")):
        if name and not name.endswith(".a") and os.path.isfile(os.path.join(path, name)):
            return digest(os.path.join(path, name))
print(json.dumps({
    "python": platform.python_version(),
    "python-digest": digest(os.path.realpath(sys.executable)),
    "libpython-digest": library(),
    "python-zlib": zlib.ZLIB_RUNTIME_VERSION,
    **{name: version(name) for name in sys.argv[1:]},
    "ocm_pkg": importlib.util.find_spec("ocm_pkg") is not None,
    "path": [path for path in sys.path if os.path.isabs(path) and os.path.isdir(path)],
    "stdlib": sysconfig.get_path("stdlib"),
}))
"""
FACTS = ("python-digest", "libpython-digest", "python-zlib")


@dataclass(frozen=True, slots=True)
class Freezer:
    """A tool that freezes: the package that it is in, and what it is called.

    Its own lock is the file ``PACKAGE.lock`` beside this module. What it makes depends on the
    versions of ``companions`` too. A version must be ``oldest`` or newer, and below ``end``.
    """

    package: str
    title: str
    companions: tuple[str, ...] = ()
    oldest: tuple[int, ...] = ()
    end: tuple[int, ...] = ()

    @property
    def lock(self) -> Path:
        """What it needs, hashed."""
        return Path(__file__).with_name(f"{self.package}.lock")

    def problem(self, version: str) -> str | None:
        """Return why a version is not used, in words that follow ``has NAME VERSION,``."""
        numbers = tuple(int(part) for part in re.findall(r"[0-9]+", version)[:3])
        if numbers >= self.oldest and (not self.end or numbers < self.end):
            return None
        oldest, end = (".".join(map(str, each)) for each in (self.oldest, self.end))
        return f"which is not {oldest} or newer, and below {end}"

    def is_pinned(self, lock: bytes) -> bool:
        """Whether a lock of a project pins the tool itself."""
        name = re.escape(self.package.encode()).replace(b"_", b"[-_.]")
        return re.search(rb"^" + name + rb"\s*==", lock, re.IGNORECASE | re.MULTILINE) is not None


# Older ones have known vulnerabilities: CVE-2025-59042, CVE-2023-49797, CVE-2019-16784.
PYINSTALLER = Freezer(
    "pyinstaller", "PyInstaller", ("pyinstaller-hooks-contrib",), oldest=(6, 22), end=(7,)
)
CX_FREEZE = Freezer("cx_freeze", "cx_Freeze", ("freeze-core",))


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that has a freezer: its program, versions, and whether it has ``ocm_pkg``.

    ``facts`` are further versions and digests by the names that they have in the report;
    ``path`` are the folders that it imports from, ``stdlib`` the one of its own library.
    """

    program: str
    python: str
    version: str
    has_ocm_pkg: bool
    freezer: Freezer = PYINSTALLER
    facts: Mapping[str, str] = field(default_factory=dict)
    path: tuple[Path, ...] = ()
    stdlib: Path | None = None

    @property
    def tools(self) -> Mapping[str, str]:
        """What the report names.

        ``python-digest`` is of the file that the interpreter's path leads to, ``libpython-digest``
        of its shared library, if it has one; ``python-zlib`` is the version of zlib that it uses.
        """
        return {"python": self.python, self.freezer.package: self.version, **self.facts}


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
        name = job.target.requirements
        locks = locks_of(job.folder / name, self.freezer)
        hint = f"pin {self.freezer.package} in {name}"
        return self._checked(self._environment(job, locks, name), hint)

    def of_own(self, job: BuildJob) -> Interpreter:
        """Return a Python that has the tool, whatever the requirements of ``job``.

        It is the running Python, or an environment of the tool's own lock, kept in the cache.
        Raises ``ToolMissingError`` or ``BuildError`` where there is none and none can be made.
        """
        hint = f"pip install {self.freezer.package}"
        found = self._probe(self.program)
        if self._suits(found):
            return self._checked(self.program, hint, found)
        return self._checked(self._environment(job, self._own_lock(), self.freezer.title), hint)

    def state_of_own(self) -> str:
        """Return which tool ``of_own`` would find, without making anything: text that differs."""
        found = self._probe(self.program)
        if self._suits(found):
            return f"{self.program}: {found[self.freezer.package]}"
        made = (self._folder(self._own_lock()) / "complete").is_file()
        return "made of its own lock" if made else PENDING

    def _suits(self, found: Mapping[str, object]) -> bool:
        version = found[self.freezer.package]
        return version is not None and self.freezer.problem(str(version)) is None

    def _own_lock(self) -> Mapping[str, bytes]:
        return {self.freezer.lock.name: self.freezer.lock.read_bytes()}

    def existing(self, job: BuildJob) -> str | None:
        """Return the Python for a job if it is there; an environment is not made for it."""
        if job.target.requirements is None:
            return self.program
        folder = self._folder(locks_of(job.folder / job.target.requirements, self.freezer))
        python = folder / "bin" / "python"
        return str(python) if (folder / "complete").is_file() and python.exists() else None

    def known(self, target: Target) -> Mapping[str, str]:
        """Return what the report will name, as far as it is known before anything is installed.

        With ``requirements`` that is the Python alone, for the rest comes from them.
        """
        names: tuple[str, ...] = ("python", *FACTS)
        if target.requirements is None:
            names = ("python", self.freezer.package, *self._facts())
        found = self._probe(self.program)
        return {name: str(found[name]) for name in names if found.get(name)}

    def _checked(
        self, program: str, hint: str, found: Mapping[str, object] | None = None
    ) -> Interpreter:
        found = found or self._probe(program)
        _require_recent(program, str(found["python"]))
        freezer, version = self.freezer, found[self.freezer.package]
        if version is None:
            raise ToolMissingError(f"{program} has no {freezer.title}", hint=hint)
        if (problem := freezer.problem(str(version))) is not None:
            raise ToolMissingError(f"{program} has {freezer.title} {version}, {problem}", hint=hint)
        stdlib = found.get("stdlib")
        return Interpreter(
            program=program,
            python=str(found["python"]),
            version=str(version),
            has_ocm_pkg=bool(found["ocm_pkg"]),
            freezer=freezer,
            facts={name: str(found[name]) for name in self._facts() if found.get(name)},
            path=tuple(Path(str(path)) for path in _list(found.get("path"))),
            stdlib=Path(str(stdlib)) if stdlib else None,
        )

    def _facts(self) -> tuple[str, ...]:
        return (*FACTS, *self.freezer.companions)

    def _probe(self, program: str) -> Mapping[str, object]:
        try:
            done = run(
                [program, "-c", PROBE, self.freezer.package, *self.freezer.companions],
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

    def _environment(self, job: BuildJob, locks: Mapping[str, bytes], name: str) -> str:
        """Return the Python of the environment for ``locks``; make it if it isn't there."""
        folder = self._folder(locks)
        python = folder / "bin" / "python"
        make_folder(folder.parent)
        with FileLock(folder.with_suffix(".lock"), _INSTALL_TIMEOUT):
            complete = folder / "complete"
            if not (complete.is_file() and python.exists()):
                if self.offline:
                    raise BuildError(
                        f"the build environment for {name} is not in the cache, and"
                        " --offline forbids to fetch it",
                        hint="build once without --offline",
                    )
                self._make(job, folder, python, locks)
                write_file(complete, b"")
        return str(python)

    def _folder(self, locks: Mapping[str, bytes]) -> Path:
        """Return where the environment of ``locks`` is kept."""
        base = self._probe(self.program)
        _require_recent(self.program, str(base["python"]))
        key = hashlib.sha256(repr((self.program, base["python"])).encode())
        for data in locks.values():
            key.update(hashlib.sha256(data).digest())
        return self.cache / "build-environments" / key.hexdigest()[:32]

    def _make(self, job: BuildJob, folder: Path, python: Path, locks: Mapping[str, bytes]) -> None:
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
        index = {name: self.environ[name] for name in PIP_SETTINGS if name in self.environ}
        env = {**self._env(), **index}
        run_tool(job, argv, env=env, cwd=job.work, timeout=_INSTALL_TIMEOUT)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _require_recent(program: str, version: str) -> None:
    """Refuse a Python that the sdk doesn't run on: the binary would fail, not the build."""
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise ToolMissingError(
            f"{program} is Python {version}, and plugins need {oldest} or newer",
            hint="put a newer python3 first on PATH",
        )


def locks_of(lock: Path, freezer: Freezer) -> dict[str, bytes]:
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
