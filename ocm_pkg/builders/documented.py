"""What is left beside a binary that was frozen: its SBOM, and the licence texts of what is in it.

Both are of the packages that files were taken from, as far as the freezer says which files; else
of those that the requirements pin. The same environment gives the same bytes.
"""

from __future__ import annotations

import ast
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ocm_pkg import __version__
from ocm_pkg.builders.distributions import distributions, owners
from ocm_pkg.builders.inputs import inputs_of
from ocm_pkg.builders.interpreter import PYINSTALLER, Freezer
from ocm_pkg.builders.result import TAKEN
from ocm_pkg.errors import BuildError, OcmPkgError, ToolMissingError
from ocm_pkg.fs.atomic import write_file
from ocm_pkg.fs.blob import FileBlob, read_all, verify
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.fs.process import ProgramError, child_environment, run
from ocm_pkg.fs.tree import TreeSelection, gzipped, write_tree
from ocm_pkg.model.documents import LICENCES, SBOM
from ocm_pkg.model.sbom import SbomSubject, encode, pinned, sbom_of, with_hash
from ocm_pkg.ports import BuiltDocument

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import BinaryIO

    from ocm_pkg.builders.distributions import Distribution
    from ocm_pkg.builders.interpreter import Interpreter, Interpreters
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.project import Target
    from ocm_pkg.ports import Builder, BuildJob, BuiltBinary

CYCLONEDX = Freezer(
    "cyclonedx-bom", "cyclonedx-bom", ("cyclonedx-python-lib",), oldest=(7,), end=(8,)
)

_OWN_LICENCE = Path(__file__).with_name("LICENSE.txt")
_TIMEOUT = 300.0
_MAX_ANSWER = 64 * 1024 * 1024
_MAX_FILE = 64 * 1024 * 1024


class HasInterpreter(Protocol):
    """Knows the Python whose packages a builder takes from: ``Interpreters`` are one."""

    def for_job(self, job: BuildJob) -> Interpreter:
        """Return that Python, once the binary is built."""


@dataclass(frozen=True, slots=True)
class DocumentedBuilder:
    """A builder that freezes, and leaves the documents of ``model.documents`` with the binary.

    ``interpreters`` are those that ``inner`` freezes with, ``tool`` those that have
    ``CYCLONEDX``. Without that tool there is no SBOM, and ``note`` gets a line.
    """

    inner: Builder
    interpreters: HasInterpreter
    tool: Interpreters
    note: Callable[[str], None]

    def missing(self, target: Target, host: Platform) -> str | None:
        """Return why this machine can't build ``target``."""
        return self.inner.missing(target, host)

    def inputs(self, job: BuildJob) -> Mapping[str, str] | None:
        """Return what binary and documents depend on."""
        found = inputs_of(self.inner, job)
        if found is None:
            return None
        return {**found, f"/tool {CYCLONEDX.package}": self.tool.state_of_own()}

    def build(self, job: BuildJob) -> BuiltBinary:
        """Build ``job.output`` and its documents, in ``job.work``."""
        built = self.inner.build(job)
        interpreter = self.interpreters.for_job(job)
        installed = distributions(interpreter.path)
        packages = _packages(job, installed)
        if packages is None:
            self.note(f"{job.target.platform} is built without an SBOM: it is not known what is in")
            return built
        if _has_sdk(job):
            packages -= {"ocm-pkg"}  # the one that is installed here has no part in it
        documents, tools = [], {**built.tools, **_stripping(interpreter, self.tool.environ)}
        if (made := self._sbom(job, interpreter, packages)) is not None:
            documents.append(BuiltDocument(SBOM, made[0]))
            tools.update(made[1])
        named = [distribution for distribution in installed if distribution.name in packages]
        if (licences := _licences(job, interpreter, named)) is not None:
            documents.append(BuiltDocument(LICENCES, licences))
        return replace(built, documents=tuple(documents), tools=tools)

    def _sbom(
        self, job: BuildJob, interpreter: Interpreter, packages: frozenset[str]
    ) -> tuple[Path, Mapping[str, str]] | None:
        """Return the SBOM and the versions of the tool; None without the tool."""
        try:
            tool = self.tool.of_own(replace(job, log=job.work / "sbom.log"))
        except (BuildError, ToolMissingError) as error:
            self.note(f"{job.target.platform} is built without an SBOM: {error.message}")
            return None
        subject = SbomSubject(
            component=job.project.component,
            version=job.version,
            python=interpreter.python,
            sdk=__version__ if _has_sdk(job) else None,
            tool=tool.version,
        )
        answer = _ask(job, tool.program, interpreter.program, self.tool.environ)
        document = sbom_of(answer, subject, packages, name="what cyclonedx-py prints")
        digest, _size = verify(FileBlob(job.output))
        path = job.work / SBOM.name
        write_file(path, encode(with_hash(document, digest)))
        names = (CYCLONEDX.package, *CYCLONEDX.companions)
        return path, {name: tool.tools[name] for name in names if name in tool.tools}


def _has_sdk(job: BuildJob) -> bool:
    """Whether the sdk of this ``ocm_pkg`` was copied for the binary: see ``pysource``."""
    return (job.work / "sdk").is_dir()


def _packages(job: BuildJob, installed: Sequence[Distribution]) -> frozenset[str] | None:
    """Return the names of the packages that are in the binary; None if that isn't known."""
    taken = taken_files(job)
    if taken is not None:
        return owners(installed, taken)
    if job.target.requirements is None:
        return None
    path = job.folder / job.target.requirements
    return pinned(read_all(FileBlob(path), _MAX_FILE, str(path)).decode(errors="replace"))


def taken_files(job: BuildJob) -> frozenset[str] | None:
    """Return the files that went into a binary; None if the freezer left no list of them."""
    own = job.work / TAKEN
    if own.is_file():
        files = json.loads(read_all(FileBlob(own), _MAX_FILE, TAKEN))
        return frozenset(str(file) for file in files)
    lists = sorted((job.work / "build").glob("*/Analysis-*.toc"))
    if not lists:
        return None
    try:
        data = read_all(FileBlob(lists[0]), _MAX_FILE, lists[0].name)
        return frozenset(_sources(ast.literal_eval(data.decode())))
    except (OcmPkgError, ValueError, SyntaxError, RecursionError):
        return None


def _sources(value: object) -> Iterator[str]:
    """Return the paths in PyInstaller's lists: each entry is (name, path, type)."""
    if isinstance(value, tuple) and len(value) == 3 and all(isinstance(x, str) for x in value):
        yield value[1]
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _sources(item)


def _stripping(interpreter: Interpreter, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the version of the tool with which PyInstaller shortens programs, if there is one."""
    program = shutil.which("strip", path=environ.get("PATH"))
    if interpreter.freezer is not PYINSTALLER or program is None:
        return {}
    try:
        done = run(
            [program, "--version"],
            env=child_environment(environ),
            timeout=_TIMEOUT,
            max_output=4096,
        )
    except ProgramError:
        return {}
    lines = done.stdout.decode(errors="replace").splitlines()
    return {"strip": lines[0].strip()} if lines and done.returncode == 0 else {}


def _ask(job: BuildJob, tool: str, program: str, environ: Mapping[str, str]) -> bytes:
    argv = [tool, "-P", "-m", "cyclonedx_py", "environment", "--output-reproducible"]
    try:
        done = run(
            [*argv, "--no-validate", "--sv", "1.6", program],
            env=child_environment(environ, {"PYTHONNOUSERSITE": "1", "PYTHONHASHSEED": "0"}),
            timeout=_TIMEOUT,
            max_output=_MAX_ANSWER,
            cwd=job.work,
        )
    except ProgramError as error:
        raise BuildError(f"cyclonedx-py of {tool} failed: {error.message}") from error
    if done.returncode:
        raise BuildError(
            f"cyclonedx-py of {tool} ended with status {done.returncode}",
            hint="install another version of cyclonedx-bom, or remove it",
            detail=done.stderr.decode(errors="replace").splitlines()[-5:],
        )
    return done.stdout


def _licences(
    job: BuildJob, interpreter: Interpreter, packages: Sequence[Distribution]
) -> Path | None:
    """Pack the licence texts, one folder for each package; None if there are none."""
    folder = job.work / LICENCES.name
    texts: dict[str, Path] = {}
    for package in packages:
        for name, path in package.licences().items():
            texts[f"{package.name}-{package.version}/{name}"] = path
    if _has_sdk(job):
        texts[f"ocm-pkg-{__version__}/LICENSE.txt"] = _OWN_LICENCE
    python = interpreter.stdlib / "LICENSE.txt" if interpreter.stdlib else None
    if python is not None and python.is_file():
        texts[f"python-{interpreter.python}/LICENSE.txt"] = python
    if not texts:
        return None
    archive = job.work / f"{LICENCES.name}.tar.gz"
    with storage_errors(f"collecting licences in {folder}", job.work):
        for name, path in texts.items():
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
            place.chmod(0o644)

    def write(stream: BinaryIO) -> None:
        with gzipped(stream) as packed:
            write_tree(folder, TreeSelection(), packed)

    write_file(archive, write)
    return archive
