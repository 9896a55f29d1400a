"""What a container's program was made from, for the documents beside it: its SBOM and licences."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ocm_pkg.builders.containerengine import RESULT
from ocm_pkg.builders.interpreter import FACTS, PYINSTALLER, Interpreter
from ocm_pkg.builders.result import TAKEN
from ocm_pkg.builders.standin import stand_in
from ocm_pkg.errors import BuildError, OcmPkgError
from ocm_pkg.fs.blob import FileBlob, read_all
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.model import jsontext

if TYPE_CHECKING:
    from pathlib import Path

    from ocm_pkg.ports import BuildJob

TOOLS = "tools.json"
"""In the result: what the probe said of the Python inside."""

_FILES, _PACKAGES, _STDLIB = "taken.json", "packages", "stdlib"
_MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ContainerPackages:
    """The Python of a container, in the form of one that is here and only says what it has.

    Its packages are their ``.dist-info`` folders alone, which the container left in its result.
    """

    def for_job(self, job: BuildJob) -> Interpreter:
        """Return it, for a job that ``ContainerBuilder`` has built."""
        result = job.work / RESULT
        packages = result / _PACKAGES
        tools = read_tools(result)
        return Interpreter(
            program=stand_in(job.work, (packages,)),
            python=tools["python"],
            version=tools[PYINSTALLER.package],
            has_ocm_pkg=False,
            # Another one than what runs here: this machine's tools have no part in it.
            freezer=replace(PYINSTALLER),
            path=(packages,),
            stdlib=result / _STDLIB,
        )


def read_tools(result: Path) -> dict[str, str]:
    """Return the versions and digests that the report names; raise ``BuildError`` without them."""
    path = result / TOOLS
    try:
        found = jsontext.parse_json(read_all(FileBlob(path), _MAX_BYTES, TOOLS), name=TOOLS)
    except OcmPkgError as error:
        raise _not_left(TOOLS) from error
    names = ("python", PYINSTALLER.package, *FACTS, *PYINSTALLER.companions)
    tools = found if isinstance(found, dict) else {}
    kept = {name: value for name in names if isinstance(value := tools.get(name), str) and value}
    if not {"python", PYINSTALLER.package} <= kept.keys():
        raise _not_left(TOOLS)
    return kept


def note_files(job: BuildJob) -> None:
    """Write the list of files that went into the binary to ``job.work``, as paths of ours.

    Raises ``BuildError`` if the container didn't leave it, or left links in place of files.
    """
    result = job.work / RESULT
    packages = result / _PACKAGES
    with storage_errors(f"reading {result}", result):
        # What is read here goes into documents; a link could lead to any file of this machine.
        folders = [packages, result / _STDLIB]
        if any(path.is_symlink() for top in folders for path in (top, *top.rglob("*"))):
            raise _not_left(_PACKAGES)
    try:
        data = read_all(FileBlob(result / _FILES), _MAX_BYTES, _FILES)
        found = jsontext.parse_json(data, name=_FILES)
    except OcmPkgError as error:
        raise _not_left(_FILES) from error
    if not isinstance(found, list):
        raise _not_left(_FILES)
    files = [str(packages / name) for name in found if isinstance(name, str)]
    with storage_errors(f"writing {job.work / TAKEN}", job.work):
        (job.work / TAKEN).write_text(json.dumps(files), encoding="utf-8")


def _not_left(name: str) -> BuildError:
    return BuildError(
        f"the container left no {name} that says with what it built",
        hint="use an image with a plain Python",
    )
