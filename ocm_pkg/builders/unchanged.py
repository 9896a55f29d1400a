"""Which targets need no build, since what is there was made of the same; and what changes then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocm_pkg.builders.inputs import changes, inputs_of, own_code
from ocm_pkg.builders.notes import inputs_digest
from ocm_pkg.errors import BuildError, InvalidDocumentError
from ocm_pkg.fs.blob import FileBlob, read_all
from ocm_pkg.fs.filestate import hash_file
from ocm_pkg.model.documents import files_of
from ocm_pkg.model.part import FILE_NAME, MAX_BYTES, Part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ocm_pkg.builders.notes import BuildNotes
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.model.part import BuiltTarget
    from ocm_pkg.model.project import PluginProject, Target
    from ocm_pkg.ports import Builder, BuildJob

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Again:
    """How to build once more: ``notes`` of earlier builds, and whether to build all the same.

    ``kept`` is called for each target that is there already, made of the same inputs.
    """

    notes: BuildNotes
    force: bool = False
    kept: Callable[[BuiltTarget], None] | None = None


@dataclass(slots=True)
class Work:
    """One target to build, and what it is made from as far as its builder knows."""

    job: BuildJob
    builder: Builder
    inputs: Mapping[str, str] | None

    @classmethod
    def of(cls, job: BuildJob, builder: Builder) -> Work:
        """Return the work for a job, as things are now."""
        return cls(job, builder, inputs_of(builder, job))

    def refuse_changes(self) -> None:
        """Look once more; raise ``BuildError`` if the sources are not what they were.

        If the machine is not, nothing is known of what was built.
        """
        before = self.inputs
        if before is None:
            return
        self.inputs = inputs_of(self.builder, self.job)
        if self.inputs is None:
            raise changed_meanwhile("what it is made from", self.job.target)
        changed = changes(before, self.inputs)
        names = [name for name in changed if not name.startswith("/")]
        if changed:
            self.inputs = None
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            raise changed_meanwhile(f"{', '.join(names[:_SHOWN])}{more}", self.job.target)


class Unchanged:
    """What is in the folder ``out`` that a build would only make the same once more.

    ``config`` is the digest of the project file. Without ``again`` it is nothing.
    """

    def __init__(
        self, project: PluginProject, config: Digest, out: Path, again: Again | None
    ) -> None:
        self._project = project
        self._config = config
        self._out = out
        self._again = again
        self._own = own_code()

    def find(self, work: Work) -> BuiltTarget | None:
        """Return the entry of the report for what is there; None if it has to be built."""
        if self._again is None or self._again.force or work.inputs is None:
            return None
        report, digest = report_of(self._out), self._digest(work, work.inputs)
        for entry in report.targets if report is not None else ():
            if entry.platform == work.job.target.platform:
                kept = self._again.notes.is_kept(self._place(work), digest, entry)
                return entry if kept and self._is_there(entry) else None
        return None

    def confirmed(self, work: Work) -> BuiltTarget:
        """Return what ``find`` does, and tell of it.

        Raises ``BuildError`` if it is gone meanwhile.
        """
        entry = self.find(work)
        if entry is None:
            raise BuildError(
                f"{self._place(work)} changed while other targets were built",
                hint="run `ocm-pkg build` again",
            )
        if self._again is not None and self._again.kept is not None:
            self._again.kept(entry)
        return entry

    def note(self, work: Work, entry: BuiltTarget) -> None:
        """Note of what a binary was made, if that is known."""
        if self._again is not None and work.inputs is not None:
            self._again.notes.note(self._place(work), self._digest(work, work.inputs), entry)

    def _digest(self, work: Work, inputs: Mapping[str, str]) -> str:
        return inputs_digest(work.job, self._config, self._own, inputs)

    def _place(self, work: Work) -> Path:
        return self._out / work.job.output.name

    def _is_there(self, entry: BuiltTarget) -> bool:
        """Whether all files of an entry are as it says."""
        for file in files_of(self._project, entry):
            path = self._out / file.name
            if not path.is_file() or path.is_symlink() or hash_file(path) != file.digest:
                return False
            if bool(path.stat().st_mode & 0o100) != file.executable:
                return False
        return True


def report_of(out: Path) -> Part | None:
    """Return the report of an earlier build in ``out``; None without a good one."""
    if not (out / FILE_NAME).is_file():
        return None
    try:
        data = read_all(FileBlob(out / FILE_NAME), MAX_BYTES, FILE_NAME)
        return Part.parse(data, name=FILE_NAME)
    except InvalidDocumentError:
        return None


def changed_meanwhile(what: str, target: Target) -> BuildError:
    """Return the error for sources that did not hold still."""
    return BuildError(
        f"{what} changed while {target.platform} was built",
        hint="build again when nothing writes to the sources",
    )
