"""Build a published version again, from the sources that it names, and compare it bit by bit.

A rebuild runs the build commands of somebody else. So the signature comes first, then what it
covers: the provenance, which names repository and commit. Nothing runs before all of that was
verified, the files are those of the commit, and this machine has the recorded tools.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from ocm_pkg import __version__
from ocm_pkg.builders.recordedsource import origin_of, project_in
from ocm_pkg.errors import (
    BuildError,
    IntegrityError,
    NoMatchingPlatformError,
    ToolMissingError,
    UnsupportedTargetError,
    escaped,
)
from ocm_pkg.fs.atomic import make_folder, write_file
from ocm_pkg.fs.blob import FileBlob, copy_blob
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.model.rebuilt import (
    DIFFERENT,
    IDENTICAL,
    NOT_BUILT,
    PLANNED,
    Rebuilt,
    RebuiltTarget,
    other_tools,
)
from ocm_pkg.services.build import Sources, build
from ocm_pkg.services.compare import MAX_BINARY, difference, fetch
from ocm_pkg.services.recorded import read_recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor
    from datetime import datetime
    from pathlib import Path

    from ocm_pkg.builders.checkout import Origin
    from ocm_pkg.builders.source import ProjectSource
    from ocm_pkg.model.descriptor import ComponentDescriptor, Resource
    from ocm_pkg.model.digest import Digest
    from ocm_pkg.model.part import BuiltTarget
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.project import PluginProject, Target
    from ocm_pkg.model.provenance import Provenance
    from ocm_pkg.model.published import Progress
    from ocm_pkg.ports import Builder, Repository
    from ocm_pkg.services.recorded import Recorded
    from ocm_pkg.signing.trust import TrustPolicy

_PREBUILT = "prebuilt"


@dataclass(frozen=True, slots=True)
class Order:
    """What to build again: ``targets`` (default: all that this machine can).

    ``source`` is a repository to take the commit from instead of the recorded one, relative to
    ``folder``; ``resource`` the name of the plugin resource, if there are several. A version
    without any signature must be ``allow_unsigned``. ``dry_run`` does all but the building. A
    published binary may have ``max_size`` bytes.
    """

    folder: Path
    targets: tuple[Platform, ...] = ()
    source: str | None = None
    resource: str | None = None
    allow_unsigned: bool = False
    dry_run: bool = False
    max_size: int = MAX_BINARY


@dataclass(frozen=True, slots=True)
class Machine:
    """What this machine builds with.

    ``check_out`` puts the files of a commit into a new folder, and says whether it has submodules.
    ``builders`` gives them for a project. ``tools`` says what the report of a build would say of
    the tools for a target, as far as that can be known before. ``note`` gets a line about what is
    being done.
    """

    host: Platform
    check_out: Callable[[Origin, Path], bool]
    builders: Callable[[PluginProject], Mapping[str, Builder]]
    tools: Callable[[Target], Mapping[str, str]]
    executor: Executor
    note: Callable[[str], None] = lambda _line: None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rebuild works: an empty private folder, and one for what is kept, if anything is."""

    work: Path
    keep: Path | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    """One target, and why it is not built; ``reason`` is None if it is."""

    recorded: Recorded
    target: Target | None = None
    reason: str | None = None

    @property
    def platform(self) -> Platform:
        return self.recorded.platform

    @property
    def provenance(self) -> Provenance:
        """What is recorded, of a row that is built."""
        assert self.recorded.provenance is not None  # noqa: S101 - or there is a reason
        return self.recorded.provenance


def rebuild(
    order: Order,
    *,
    repository: Repository,
    descriptor: ComponentDescriptor,
    trust: TrustPolicy,
    now: datetime,
    machine: Machine,
    place: Place,
    progress: Progress | None = None,
) -> Rebuilt:
    """Build again what ``descriptor`` publishes, and compare; a difference is in the result.

    With ``place.keep`` both sides and the logs stay there. Raises the errors of verification (exit
    4), checkout and build; ``IntegrityError`` if the sources are not what was recorded;
    ``ToolMissingError`` if a target was made with other tools than this machine has, each of them
    named (the recorded ones are what is missing here: a build could not give the same bytes);
    ``UnsupportedTargetError`` if no target can be built here.
    """
    signed = bool(descriptor.signatures) or not order.allow_unsigned
    if signed:
        trust.check(descriptor, now=now)
    recorded = read_recorded(descriptor, repository, signed=signed, resource=order.resource)
    chosen = _chosen(recorded, order, descriptor)
    said = next(one.provenance for one in recorded if one.provenance is not None)
    origin = origin_of(said, order.source, order.folder)
    machine.note(f"getting commit {origin.commit} from {origin.address}")
    checkout = place.work / "source"
    if machine.check_out(origin, checkout):
        machine.note("the repository has submodules, which are not fetched")
    source = project_in(checkout, said)
    builders = machine.builders(source.project)
    rows = [_row(one, source.project, builders, machine.host) for one in chosen]
    _require_some(rows, is_asked=bool(order.targets))
    _require_tools([row for row in rows if row.reason is None], machine)
    if order.dry_run:
        results = [_planned(row) for row in rows]
    else:
        fetched = partial(
            fetch, repository, descriptor, signed=signed, limit=order.max_size, progress=progress
        )
        with storage_errors(f"working in {place.work}", place.work):
            results = _Comparison(descriptor, source, builders, machine, place).run(rows, fetched)
    commit, address = origin.commit, origin.address
    return Rebuilt(descriptor.name, descriptor.version, address, commit, tuple(results))


def _chosen(
    recorded: Sequence[Recorded], order: Order, descriptor: ComponentDescriptor
) -> tuple[Recorded, ...]:
    offered = {one.platform: one for one in recorded}
    for platform in order.targets:
        if platform not in offered:
            raise NoMatchingPlatformError(
                f"{descriptor.name}:{descriptor.version} has no binary for {platform}; it has"
                f" {', '.join(map(str, offered))}",
                hint="choose one of them with --target",
            )
    return tuple(one for one in recorded if not order.targets or one.platform in order.targets)


def _row(
    recorded: Recorded, project: PluginProject, builders: Mapping[str, Builder], host: Platform
) -> _Row:
    said = recorded.provenance
    if said is None:
        return _Row(recorded, reason="it does not say what it was built from")
    if said.builder == _PREBUILT:
        return _Row(recorded, reason="it is prebuilt: made elsewhere, and not from these sources")
    target = project.target(recorded.platform)
    if target is None or target.builder != said.builder:
        there = "no such target" if target is None else f"the builder {target.builder}"
        raise IntegrityError(
            f"{recorded.platform} was built with {said.builder}, but commit {said.commit} has"
            f" {there}",
            hint="tell its provider; nothing was built",
        )
    target = replace(target, shape=said.shape)
    return _Row(recorded, target, builders[target.builder].missing(target, host))


def _require_some(rows: Sequence[_Row], *, is_asked: bool) -> None:
    """Refuse targets that can't be built: all of them, or one that was asked for by name."""
    reasons = [f"{row.platform}: {row.reason}" for row in rows if row.reason is not None]
    if len(reasons) == len(rows) or (reasons and is_asked):
        what = "one of the targets" if len(reasons) < len(rows) else "none of the targets"
        verb = "cannot" if len(reasons) < len(rows) else "can"
        raise UnsupportedTargetError(
            f"{what} {verb} be built again here: {'; '.join(reasons)}",
            hint="run this on a machine that can build one, or choose another --target",
        )


def _require_tools(rows: Sequence[_Row], machine: Machine) -> None:
    found = [
        f"{row.platform}: {line}"
        for row in rows
        if row.target is not None
        for line in other_tools(row.provenance.tools, _tools(row.provenance, row.target, machine))
    ]
    if found:
        raise _other_machine(found)


def _tools(said: Provenance, target: Target, machine: Machine) -> Mapping[str, str]:
    """Return what is known of the tools here: this program is one of them."""
    packing = {"zlib": zlib.ZLIB_RUNTIME_VERSION} if "zlib" in said.tools else {}
    return {"ocm-pkg": __version__, **packing, **machine.tools(target)}


def _other_machine(found: Sequence[str]) -> ToolMissingError:
    return ToolMissingError(
        "it was built with other tools than this machine has, so the bytes cannot be compared",
        hint="run this where the recorded ones are, or choose another --target",
        detail=[escaped(line, 400) for line in found],
    )


def _planned(row: _Row) -> RebuiltTarget:
    result = PLANNED if row.reason is None else NOT_BUILT
    return RebuiltTarget(row.platform, result, _published(row), reason=row.reason)


def _published(row: _Row) -> Digest | None:
    said = row.recorded.provenance
    return said.digest if said is not None else row.recorded.digest


@dataclass(frozen=True, slots=True)
class _Comparison:
    """The part that runs the project's build."""

    descriptor: ComponentDescriptor
    source: ProjectSource
    builders: Mapping[str, Builder]
    machine: Machine
    place: Place

    def run(
        self, rows: Sequence[_Row], fetched: Callable[[Resource, Path], Digest]
    ) -> list[RebuiltTarget]:
        """Fetch what was published with ``fetched``, build it again, and compare."""
        published = self.place.work / "published"
        published.mkdir()
        for row in rows:
            if row.reason is None:
                got = fetched(row.recorded.resource, published / self._name(row))
                self._check(row, got)
        out = (self.place.keep or self.place.work) / "rebuilt"
        built = self._build([row for row in rows if row.target and row.reason is None], out)
        results = [
            _planned(row) if row.reason else self._compare(row, built[row.platform], published, out)
            for row in rows
        ]
        self._keep(published)
        found = [result for result in results if result.result in (IDENTICAL, DIFFERENT)]
        if not found:
            lines = [f"{one.platform}: {one.reason}" for one in results if one.rebuilt]
            raise _other_machine(lines)
        return results

    def _name(self, row: _Row) -> str:
        return self.source.project.binary_name(row.platform, row.provenance.shape)

    def _check(self, row: _Row, got: Digest) -> None:
        said = row.provenance
        if said.digest.algorithm == got.algorithm and said.digest != got:
            raise IntegrityError(
                f"the provenance for {row.platform} is of {said.digest}, but {got} is published",
                hint="tell its provider; nothing was built",
            )

    def _build(self, rows: Sequence[_Row], out: Path) -> Mapping[Platform, BuiltTarget]:
        said = rows[0].provenance
        make_folder(out.parent)
        names = ", ".join(str(row.platform) for row in rows)
        self.machine.note(f"building {self.descriptor.name} {self.descriptor.version} for {names}")
        sources = Sources(
            project=self.source.project,
            folder=self.source.folder,
            version=self.descriptor.version,
            commit=said.commit,
            config=said.config,
            lock=said.lock,
        )
        try:
            part = build(
                sources,
                targets=[row.target for row in rows if row.target is not None],
                out=out,
                builders=self.builders,
                executor=self.machine.executor,
            )
        except BuildError as error:
            if self.place.keep is None and error.hint and str(out) in error.hint:
                error.hint = "keep the logs with --keep DIR"
            raise
        return {target.platform: target for target in part.targets}

    def _compare(self, row: _Row, built: BuiltTarget, published: Path, out: Path) -> RebuiltTarget:
        said, name = row.provenance, self._name(row)
        if built.shape != said.shape:
            reason = f"it was recorded as shape {said.shape}, and is built as {built.shape} here"
            return RebuiltTarget(row.platform, NOT_BUILT, said.digest, built.digest, reason)
        work = self.place.work / "comparing"
        work.mkdir(exist_ok=True)
        found = difference(published / name, out / name, built.shape, work)
        result = RebuiltTarget(row.platform, IDENTICAL, said.digest, built.digest)
        if found is None:
            return result
        tools = dict.fromkeys(said.tools, "none") | dict(built.tools)
        if others := other_tools(said.tools, tools):
            return replace(result, result=NOT_BUILT, reason=f"other tools: {'; '.join(others)}")
        return replace(result, result=DIFFERENT, difference=found)

    def _keep(self, published: Path) -> None:
        if self.place.keep is not None:
            make_folder(folder := self.place.keep / "published")
            for file in sorted(published.iterdir()):
                write_file(folder / file.name, partial(copy_blob, FileBlob(file)))
