"""Build a project: the binaries of its targets, and a report of what was built."""

from __future__ import annotations

import shutil
import zlib
from concurrent.futures import wait
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from ocm_pkg import __version__
from ocm_pkg.builders.gates import check_gates
from ocm_pkg.builders.unchanged import Unchanged, Work, changed_meanwhile, report_of
from ocm_pkg.errors import BuildError, OcmPkgError, UnsupportedTargetError
from ocm_pkg.fs.atomic import FolderLock, folder_for, staged_folder, write_file
from ocm_pkg.fs.blob import FileBlob, copy_blob
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.model.documents import BUILT, files_of
from ocm_pkg.model.part import FILE_NAME, BuiltTarget, DocumentEntry, Part
from ocm_pkg.ports import BuildJob

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor, Future
    from pathlib import Path

    from ocm_pkg.builders.unchanged import Again
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.project import PluginProject, Target
    from ocm_pkg.ports import Builder, BuiltBinary, FailPoint, Startup

LOG_FOLDER = "logs"
_LOCK_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class PlannedTarget:
    """A target, the file it will be, and why this machine can't build it (None: it can)."""

    target: Target
    file: str
    missing: str | None


@dataclass(frozen=True, slots=True)
class Sources:
    """What is built, as the report says it."""

    project: PluginProject
    folder: Path
    version: str
    commit: str | None
    config: Digest
    lock: Digest | None


def plan(
    project: PluginProject,
    *,
    host: Platform,
    builders: Mapping[str, Builder],
    only: Sequence[Platform] = (),
    shape: str | None = None,
) -> tuple[PlannedTarget, ...]:
    """Return the targets to build, in the order of the project file; all, or ``only`` some.

    With ``shape`` all of them are packed so, whatever the project file says.
    Raises ``UnsupportedTargetError`` for a platform in ``only`` that the project has no target
    for, or that this machine can't build.
    """
    for platform in only:
        if project.target(platform) is None:
            raise UnsupportedTargetError(
                f"the project has no target {platform}",
                hint=f"add it to targets; there are {', '.join(_names(project.targets))}",
            )
    rows = tuple(
        PlannedTarget(
            target,
            project.binary_name(target.platform, target.shape),
            builders[target.builder].missing(target, host),
        )
        for target in (
            replace(target, shape=shape or target.shape)
            for target in project.targets
            if not only or target.platform in only
        )
    )
    for row in rows:
        if only and row.missing is not None:
            raise UnsupportedTargetError(
                f"{row.target.platform} cannot be built here: {row.missing}",
                hint="build it on such a machine, or use the builder command or prebuilt",
            )
    return rows


def build(
    sources: Sources,
    *,
    targets: Sequence[Target],
    out: Path,
    builders: Mapping[str, Builder],
    executor: Executor,
    done: Callable[[BuiltTarget], None] | None = None,
    startup: Startup | None = None,
    again: Again | None = None,
    now: Callable[[], Sources] | None = None,
    fail_point: FailPoint | None = None,
) -> Part:
    """Build ``targets`` at the same time, as ``executor`` allows; return the report.

    Binaries, their documents and ``part.json`` appear in ``out`` when all are built; if one fails,
    ``out`` stays as it was, but for the logs in ``out/logs``. What ``out`` has of other targets,
    built earlier from the same sources, stays in the report. ``done`` is called for each binary
    that is in its place, in the order of ``targets``; ``startup`` measures it for
    ``require.startup-ms``. With ``again`` what would be the same stays. Raises ``BuildError`` if
    sources change meanwhile: what builders know of them, or what ``now`` says.
    """
    there = Unchanged(sources.project, sources.config, out, again)
    with folder_for(out / LOG_FOLDER), staged_folder(out) as staged:
        works = [
            Work.of(_job(sources, target, staged, out), builders[target.builder])
            for target in targets
        ]
        kept: list[Work] = []
        rest: list[Work] = []
        for work in works:
            (rest if there.find(work) is None else kept).append(work)
        binaries = _run([work.job for work in rest], builders, executor)
        for work in rest:
            work.refuse_changes()
        _now(rest, sources, now)
        for work, binary in zip(rest, binaries, strict=True):
            check_gates(sources.project.require, binary, partial(_startup, startup, work.job.work))
        with FolderLock(out, _LOCK_TIMEOUT):
            entries = [there.confirmed(work) for work in kept]
            for work, binary in zip(rest, binaries, strict=True):
                entries.append(_commit(work.job, binary, out, fail_point))
                if done is not None:
                    done(entries[-1])
            part = _part(sources, entries, out)
            _write_part(out / FILE_NAME, part.encode(), fail_point)
            for work, entry in zip(rest, entries[len(kept) :], strict=True):
                there.note(work, entry)
    return part


def _now(works: Sequence[Work], sources: Sources, now: Callable[[], Sources] | None) -> None:
    """Raise ``BuildError`` if the sources as a whole are not what they were.

    The commit counts for what is made of more than the builders know of.
    """
    if now is None or not works:
        return
    after = now()
    pairs = {
        "the project file": (sources.config, after.config),
        "the version": (sources.version, after.version),
        "the requirements": (sources.lock, after.lock),
    }
    if any(work.inputs is None for work in works):
        pairs["the commit"] = (sources.commit, after.commit)
    for what, (then, since) in pairs.items():
        if then != since:
            raise changed_meanwhile(what, works[0].job.target)


def _write_part(path: Path, data: bytes, fail_point: FailPoint | None) -> None:
    """Write the report, unless it is there already."""
    if not (path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data):
        write_file(path, data, fail_point=fail_point)


def _job(sources: Sources, target: Target, staged: Path, out: Path) -> BuildJob:
    name = sources.project.binary_name(target.platform, target.shape)
    work = staged / f"work-{name}"
    with storage_errors(f"making {work}", staged):
        work.mkdir()
    return BuildJob(
        project=sources.project,
        target=target,
        folder=sources.folder,
        output=staged / name,
        work=work,
        log=out / LOG_FOLDER / f"{name}.log",
        version=sources.version,
    )


def _run(
    jobs: Sequence[BuildJob], builders: Mapping[str, Builder], executor: Executor
) -> list[BuiltBinary]:
    """Return one binary per job; raise the error of the one that failed, or of all together."""
    futures: list[Future[BuiltBinary]] = [
        executor.submit(builders[job.target.builder].build, job) for job in jobs
    ]
    try:
        wait(futures)
    finally:
        for future in futures:
            future.cancel()
    errors = [error for future in futures if (error := future.exception()) is not None]
    if not errors:
        return [future.result() for future in futures]
    known = [error for error in errors if isinstance(error, OcmPkgError)]
    if len(errors) == 1 or len(known) < len(errors):
        raise next((error for error in errors if error not in known), errors[0])
    raise BuildError(
        f"{len(errors)} of {len(jobs)} targets failed",
        hint="build one of them with --target to see the whole error",
        detail=[line for error in known for line in _summary(error)],
    ) from ExceptionGroup("builds failed", known)


def _summary(error: OcmPkgError) -> list[str]:
    return [f"{error.code}: {error.message}", *([f"  fix: {error.hint}"] if error.hint else [])]


def _startup(startup: Startup | None, work: Path, binary: BuiltBinary) -> float | None:
    return startup(binary, work) if startup is not None else None


def _commit(
    job: BuildJob, binary: BuiltBinary, out: Path, fail_point: FailPoint | None
) -> BuiltTarget:
    """Put a binary and its documents in their places; return the entry of the report."""
    mode = 0o644 if binary.shape == "dir" else 0o755
    digest, size = _copy(binary.path, out / job.output.name, mode, fail_point)
    documents = _documents(job, binary, out, fail_point)
    with storage_errors(f"removing {job.work}", job.work.parent):
        shutil.rmtree(job.work)
    return BuiltTarget(
        platform=binary.platform,
        digest=digest,
        size=size,
        shape=binary.shape,
        builder=job.target.builder,
        glibc=binary.glibc,
        program=binary.program,
        tools={**binary.tools, **_own_tools(binary)},
        documents=documents,
    )


def _documents(
    job: BuildJob, binary: BuiltBinary, out: Path, fail_point: FailPoint | None
) -> tuple[DocumentEntry, ...]:
    """Put the documents beside the binary; what an earlier build left of others is removed."""
    paths = {document.kind.name: document.path for document in binary.documents}
    entries = []
    for name, kind in sorted(BUILT.items()):
        place = out / kind.file_name(job.project, binary.platform)
        if name in paths:
            entries.append(DocumentEntry(name, *_copy(paths[name], place, 0o644, fail_point)))
        else:
            with storage_errors(f"removing {place}", out):
                place.unlink(missing_ok=True)
    return tuple(entries)


def _copy(source: Path, place: Path, mode: int, fail_point: FailPoint | None) -> tuple[Digest, int]:
    copied = []
    blob = FileBlob(source)

    def copy(stream: BinaryIO) -> None:
        copied.append(copy_blob(blob, stream))

    write_file(place, copy, mode, fail_point=fail_point)
    return copied[0]


def _own_tools(binary: BuiltBinary) -> Mapping[str, str]:
    """Return the version of this program, and of the zlib with which it packed something."""
    packed = binary.shape != "file" or binary.documents
    return {"ocm-pkg": __version__, **({"zlib": zlib.ZLIB_RUNTIME_VERSION} if packed else {})}


def _part(sources: Sources, built: Sequence[BuiltTarget], out: Path) -> Part:
    project = sources.project
    part = Part(
        component=project.component,
        version=sources.version,
        commit=sources.commit,
        config=sources.config,
        lock=sources.lock,
        targets=tuple(built),
    )
    earlier = [
        target
        for target in _earlier(part, out)
        if target.platform not in {new.platform for new in built}
        and all((out / file.name).is_file() for file in files_of(project, target))
    ]
    targets = sorted([*earlier, *built], key=lambda target: target.platform)
    return Part(part.component, part.version, part.commit, part.config, part.lock, tuple(targets))


def _earlier(part: Part, out: Path) -> tuple[BuiltTarget, ...]:
    """Return what an earlier report has of the same sources; nothing if it is of others."""
    earlier = report_of(out)
    if earlier is None:
        return ()
    same = (earlier.component, earlier.version, earlier.commit, earlier.config, earlier.lock) == (
        (part.component, part.version, part.commit, part.config, part.lock)
    )
    return earlier.targets if same else ()


def _names(targets: Sequence[Target]) -> list[str]:
    return [str(target.platform) for target in targets]
