"""Runs every plugin that was built through the contract, if it can be run here."""

from __future__ import annotations

import shlex
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ocm_pkg.contract.embedded import check_embedded
from ocm_pkg.errors import OcmPkgError
from ocm_pkg.fs.blob import open_regular
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.fs.staging import Bounds, stage_launcher
from ocm_pkg.fs.unpack import unpack
from ocm_pkg.model.binary import HEADER_BYTES, sniff_platform
from ocm_pkg.model.trailer import MAGIC, SIZE
from ocm_pkg.plugin.contract_run import Check, replay, run_contract
from ocm_pkg.plugin.discovery import probe
from ocm_pkg.plugin.limits import ClientLimits, Limits
from ocm_pkg.plugin.manager import PluginManager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ocm_pkg.model.part import Part
    from ocm_pkg.model.platform import Platform
    from ocm_pkg.model.project import PluginProject
    from ocm_pkg.plugin.emulation import Machine, Way
    from ocm_pkg.plugin.recording import Exchange

Outcome: TypeAlias = Literal["ok", "failed", "skipped"]

_LIMITS = Limits(client=ClientLimits(call=60.0))
"""No call of a contract run has much to do."""

_ARCHIVES = (".tar.gz", ".tgz", ".tar")
_LARGEST = 4 * 1024**3
_SLOWER = 10.0
"""An emulator may take this many times as long."""


@dataclass(frozen=True, slots=True)
class Binary:
    """A plugin: its file, its shape, and for which platform it is (None: its header says)."""

    file: Path
    shape: str
    platform: Platform | None = None


@dataclass(frozen=True, slots=True)
class ContractResult:
    """What came of one plugin: ``skipped`` if it can't be run here.

    ``detail`` says why it was skipped, or by which emulator it was run; else it is empty.
    """

    binary: Binary
    platform: Platform
    result: Outcome
    detail: str = ""
    checks: tuple[Check, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return ``{"plugin", "platform", "result", "detail", "checks"}``."""
        return {
            "plugin": self.binary.file.name,
            "platform": str(self.platform),
            "result": self.result,
            "detail": self.detail,
            "checks": [check.to_json() for check in self.checks],
        }


def binaries_in(out: Path, part: Part, project: PluginProject) -> tuple[Binary, ...]:
    """Return what ``part``, the report of the folder ``out``, says was built there."""
    return tuple(
        Binary(out / project.binary_name(one.platform, one.shape), one.shape, one.platform)
        for one in part.targets
    )


def binary_of(file: Path) -> Binary:
    """Return what ``file`` is: a program, a launcher, or the archive of a folder."""
    if file.name.endswith(_ARCHIVES):
        return Binary(file, "dir")
    with open_regular(file) as stream:
        stream.seek(max(0, file.stat().st_size - SIZE))
        is_launcher = stream.read(len(MAGIC)) == MAGIC
    return Binary(file, "launcher" if is_launcher else "file")


def contract_results(
    binaries: Sequence[Binary],
    *,
    machine: Machine,
    limits: Limits | None = None,
    session: Sequence[Exchange] | None = None,
    begin: Callable[[Binary], None] | None = None,
) -> list[ContractResult]:
    """Return the results, in the order of ``binaries``; ``begin`` is told of each before.

    Each is run as it is, or by an emulator; the program of a launcher must say what the launcher
    says for it. With a ``session`` its requests are sent in place of the contract's. A plugin
    that misbehaves has failed; ``OcmPkgError`` is raised for files that can't be read or unpacked.
    Nothing is left of any: unpacked programs and caches are in folders that are removed.
    """
    results = []
    for binary in binaries:
        if begin is not None:
            begin(binary)
        with tempfile.TemporaryDirectory(prefix="ocm-pkg-") as name:
            trial = _Trial(binary, machine, limits or _LIMITS, session, Path(name))
            with storage_errors(f"trying {binary.file}", Path(name)):
                results.append(trial.run())
    return results


@dataclass(frozen=True, slots=True)
class _Trial:
    """One plugin, and an empty folder of its own."""

    binary: Binary
    machine: Machine
    limits: Limits
    session: Sequence[Exchange] | None
    folder: Path

    def run(self) -> ContractResult:
        program, embedded = self._unpacked()
        platform = self.binary.platform or self._platform(program)
        way = self.machine.way_for(program, platform)
        if way.problem is not None:
            return ContractResult(self.binary, platform, "skipped", way.problem)
        limits = _patient(self.limits) if way.how else self.limits
        checks: list[Check] = []
        if self.binary.shape == "launcher":
            checks.append(self._embedded(self._started(program, way), embedded, limits))
            if way.starts_others:
                program = self.binary.file
        started = self._started(program, way)
        if self.binary.shape == "launcher" and way.starts_others:
            checks.append(self._first_start(started, limits))
        environment = self._environment()
        if self.session is None:
            checks += run_contract(started, environment=environment, limits=limits)
        else:
            checks += replay(started, self.session, environment=environment, limits=limits)
        failed = any(check.result == "failed" for check in checks)
        outcome: Outcome = "failed" if failed else "ok"
        return ContractResult(self.binary, platform, outcome, way.how, tuple(checks))

    def _unpacked(self) -> tuple[Path, bytes]:
        """Return the program that is run in the end, and the answer that a launcher carries."""
        file, content = self.binary.file, self.folder / "content"
        if self.binary.shape == "file":
            return file, b""
        if self.binary.shape == "launcher":
            bounds = Bounds(file.name, {"sha256"}, _LARGEST, lambda _step: None)
            opened = stage_launcher(file, content, {}, bounds)
            return content / opened.content.program, opened.capabilities
        content.mkdir()
        with open_regular(file) as stream:
            compressed = not file.name.endswith(".tar")
            found = unpack(stream, content, what=file.name, compressed=compressed)
        return content / found.program, b""

    def _platform(self, program: Path) -> Platform:
        host = self.machine.host
        with open_regular(program) as stream:
            return sniff_platform(stream.read(HEADER_BYTES), host) or host

    def _started(self, program: Path, way: Way) -> Path:
        """Return a program to start as it is: a script where an emulator has to come before."""
        if not way.prefix:
            return program
        script = self.folder / "emulated" / program.name
        script.parent.mkdir(exist_ok=True)
        command = shlex.join([*way.prefix, str(program.absolute())])
        script.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        script.chmod(0o755)
        return script

    def _environment(self) -> Mapping[str, str]:
        """Return the environment, with a cache of its own for what a launcher unpacks."""
        return {**self.machine.environment, "XDG_CACHE_HOME": str(self.folder / "cache")}

    def _embedded(self, program: Path, embedded: bytes, limits: Limits) -> Check:
        """Compare what the launcher says with what its program says."""
        with _check("embedded capabilities") as check:
            if not embedded:
                check.detail = "none: the program is asked"
                return check
            answer = probe(program, environment=self._environment(), limits=limits)
            check_embedded(embedded, answer.to_json(), self.binary.file.name)
            check.detail = "the program says the same"
        return check

    def _first_start(self, program: Path, limits: Limits) -> Check:
        """Start the launcher with an empty cache; later starts find its program unpacked."""
        environment = self._environment()
        with (
            _check("first start") as check,
            PluginManager([], environment=environment, limits=limits) as manager,
        ):
            manager.instance(str(program.absolute())).ensure_running()
            check.detail = "unpacks the program"
        return check


@contextmanager
def _check(name: str) -> Iterator[Check]:
    """Time a check; any error of ours makes it fail."""
    check, began = Check(name), time.perf_counter()
    try:
        yield check
    except OcmPkgError as error:
        check.result = "failed"
        check.detail = " | ".join((error.message, *error.detail))
    finally:
        check.ms = (time.perf_counter() - began) * 1000


def _patient(limits: Limits) -> Limits:
    return replace(
        limits,
        probe=limits.probe * _SLOWER,
        start=limits.start * _SLOWER,
        grace=limits.grace * _SLOWER,
    )
