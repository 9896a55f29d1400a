"""What a binary is made from, as text that differs whenever that does.

Sources are known by their content; what is installed on the machine by the state that its file
system keeps (size, times and number of each file), under names that begin with ``/``. It is
cheap, so that a build that would change nothing can be left out. Where something can't be known,
there is no answer, and one builds.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import ocm_pkg
from ocm_pkg.errors import OcmPkgError
from ocm_pkg.fs.blob import open_regular
from ocm_pkg.fs.process import child_environment, run
from ocm_pkg.ports import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ocm_pkg.ports import Builder, BuildJob

PENDING = "made by the build"
"""The text of an input that is made by the first build that needs it."""

MAX_FILES = 20_000
MAX_CONTENT = 256 * 1024 * 1024
"""How many files and bytes of sources are read; of more than that nothing is known."""

_PACKAGE = Path(ocm_pkg.__file__).parent
_CODE = (".py", ".pyc", ".so", ".pyd", ".dll", ".dylib")
_CACHE = "__pycache__"
_OWN = "ocm_pkg-"
_FREEZING = ("objdump", "objcopy", "strip", "ldd", "ldconfig", "readelf", "patchelf", "gcc")
_PACKAGES = ("site-packages", "dist-packages", "test")
_MAX_INSTALLED = 200_000
_CHUNK = 1024 * 1024
_PROBE_TIMEOUT = 60.0
_VARIABLES = ("PATH", "SOURCE_DATE_EPOCH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LIBPATH")
_SYSTEM = (
    "/etc/ld.so.cache",
    "/var/lib/dpkg/status",
    "/var/lib/rpm/rpmdb.sqlite",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite",
    "/lib/apk/db/installed",
)
"""What changes when a package of the system does, and with it a library that a binary takes in."""

_PROBE = """\
import json, sys, sysconfig
library = [sysconfig.get_config_var(name) for name in ("LIBDIR", "INSTSONAME")]
print(json.dumps({"path": sys.path, "base": sys._base_executable, "prefix": sys.prefix,
    "library": "/".join(library) if all(library) else ""}))
"""


class _TooMuchError(OcmPkgError):
    """There is more than can be looked at in a moment."""


def inputs_of(builder: Builder, job: BuildJob) -> Mapping[str, str] | None:
    """Return what ``builder`` says that the result of ``job`` depends on; None if it can't.

    What can't be read is nothing that is known: the build will tell.
    """
    if not isinstance(builder, Fingerprint):
        return None
    try:
        return builder.inputs(job)
    except (OcmPkgError, OSError):
        return None


def changes(before: Mapping[str, str] | None, after: Mapping[str, str] | None) -> list[str]:
    """Return the names of what changed, came or went between two answers; none if one is missing.

    What was ``PENDING`` before, and what begins with its name, is no change.
    """
    if before is None or after is None:
        return []
    pending = [name for name, text in before.items() if text == PENDING]
    return sorted(
        name
        for name in {*before, *after}
        if before.get(name) != after.get(name)
        and not any(name == each or name.startswith(f"{each} ") for each in pending)
    )


def frozen_inputs(
    job: BuildJob, root: Path, program: str | None, environ: Mapping[str, str]
) -> dict[str, str] | None:
    """Return what a binary depends on that the Python ``program`` freezes; None if it can't run.

    ``program`` is None as long as the build has still to make it. Of the project these are the
    requirements, and what could be imported from ``root``: modules, and all that is in a package.
    Names that begin with a dot can't be imported.
    """
    state = {"/python": PENDING} if program is None else python_state(program, environ)
    if state is None:
        return None
    files = [*_importable(root)]
    if job.target.requirements is not None:
        files.append(job.folder / job.target.requirements)
    return {**state, **tools(_FREEZING, environ), **file_contents(files, job.folder)}


def folder_contents(folder: Path, relative_to: Path) -> dict[str, str]:
    """Return all that is below ``folder``: files by their content, links by their text."""
    found: dict[str, str] = {}
    files = []
    for path in folder.rglob("*"):
        if path.is_symlink():
            found[os.path.relpath(path, relative_to)] = f"-> {path.readlink()}"
        elif path.is_dir():
            found[os.path.relpath(path, relative_to)] = "folder"
        else:
            files.append(path)
    return {**found, **file_contents(files, relative_to)}


def file_contents(files: Sequence[Path], relative_to: Path) -> dict[str, str]:
    """Return the SHA-256 of each file, and whether it is executable, by its path."""
    if len(files) > MAX_FILES or sum(path.stat().st_size for path in files) > MAX_CONTENT:
        raise _TooMuchError("too many sources to read")
    return {os.path.relpath(path, relative_to): _digest(path) for path in files}


def own_code() -> str:
    """Return what this program is, some of whose code goes into what it builds.

    Of a frozen one only data are files; the rest is known by the state of its executable.
    """
    lines = [f"{name} {digest}" for name, digest in file_contents(_own(), _PACKAGE).items()]
    frozen = "" if Path(__file__).is_file() else _state(Path(sys.executable))
    return hashlib.sha256("\n".join([*sorted(lines), frozen]).encode()).hexdigest()


def tools(names: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return where tools are found, and their state; and the variables that tools depend on."""
    env = child_environment(environ)
    found = {name: shutil.which(name, path=environ.get("PATH")) for name in names}
    states = {name: _state(Path(path).resolve()) if path else "-" for name, path in found.items()}
    return {
        **{f"/tool {name}": f"{found[name]} {state}" for name, state in states.items()},
        **{f"/variable {name}": env.get(name, "-") for name in _VARIABLES},
        **file_states([Path(path) for path in _SYSTEM]),
    }


def python_state(program: str, environ: Mapping[str, str]) -> dict[str, str] | None:
    """Return the state of a Python and of all that it can import; None if it doesn't run.

    Packages that are installed to be edited count with the whole folder that they are in.
    """
    env = child_environment(environ, {"PYTHONNOUSERSITE": "1"})
    done = run(
        [program, "-P", "-c", _PROBE],
        env=env,
        timeout=_PROBE_TIMEOUT,
        max_output=1024 * 1024,
        cwd=Path("/"),
    )
    if done.returncode:
        return None
    said = json.loads(done.stdout)
    folders = [Path(path) for path in said["path"] if Path(path).is_dir()]
    files = (program, said["base"], said["library"], f"{said['prefix']}/pyvenv.cfg")
    edited = [path for folder in folders for path in _edited(folder)]
    states = {
        **file_states([Path(name) for name in files if name]),
        "path": "\n".join(said["path"]),
        **{str(folder): _installed(folder) for folder in (*folders, *edited)},
    }
    return {f"/python {name}": state for name, state in states.items()}


def file_states(paths: Sequence[Path]) -> dict[str, str]:
    """Return the state of each file; ``-`` for one that isn't there."""
    return {str(path): _state(path) for path in paths}


def _state(path: Path) -> str:
    try:
        return _shown(path.stat())
    except (FileNotFoundError, NotADirectoryError):
        return "-"


def _shown(info: os.stat_result) -> str:
    return f"{info.st_size} {info.st_mtime_ns} {info.st_ctime_ns} {info.st_ino} {info.st_mode}"


def _digest(path: Path) -> str:
    hasher = hashlib.sha256()
    with open_regular(path) as stream:
        executable = os.fstat(stream.fileno()).st_mode & stat.S_IXUSR
        while chunk := stream.read(_CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest() + (" executable" if executable else "")


def _own() -> list[Path]:
    return [path for path in _PACKAGE.rglob("*") if path.is_file() and _CACHE not in path.parts]


def _importable(root: Path) -> Iterator[Path]:
    """Yield modules, and all files of packages; each folder once, whatever links lead there."""
    seen: set[str] = set()
    pending = [(root, False)]
    while pending:
        folder, in_package = pending.pop()
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
        inside = in_package or any(entry.name == "__init__.py" for entry in entries)
        for entry in entries:
            if entry.is_dir():
                if entry.name != _CACHE:
                    pending.append((Path(entry.path), inside))
            elif entry.is_file() and (inside or entry.name.endswith(_CODE)):
                yield Path(entry.path)


def _installed(top: Path) -> str:
    """Return one digest of the states of all files below ``top``.

    Bytecode and hidden folders are left out, and what the standard library has beside itself.
    """
    lines, pending = [], [str(top)]
    apart = {str(top / name) for name in _PACKAGES} if (top / "os.py").is_file() else set()
    while pending:
        folder = pending.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name[0] != "." and entry.name != _CACHE and entry.path not in apart:
                        pending.append(entry.path)
                elif not entry.name.endswith(".pyc"):
                    lines.append(f"{entry.path} {_shown(entry.stat(follow_symlinks=False))}")
        if len(lines) > _MAX_INSTALLED:
            raise _TooMuchError(f"too many files in {top}")
    return hashlib.sha256("\n".join(sorted(lines)).encode("utf-8", "surrogateescape")).hexdigest()


def _edited(folder: Path) -> Iterator[Path]:
    """Yield where packages are that are installed to be edited.

    Not ours: without a lock, and with one nothing is edited, a plugin gets the sdk of this program.
    """
    for file in folder.glob("*.dist-info/direct_url.json"):
        said = json.loads(file.read_bytes())
        if said.get("dir_info", {}).get("editable") and not file.parent.name.startswith(_OWN):
            yield Path(unquote(str(said["url"]).removeprefix("file://")))
