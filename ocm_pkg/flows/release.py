"""Release a project step by step, and go on later where a release was stopped.

The steps are objects; this file decides which of them have to be done, keeps ``release.json``, and
nothing else. A step's result is used again only if it is still there and came from the same
sources.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from ocm_pkg.errors import ConfigError, FileMissingError, InvalidDocumentError, OcmPkgError
from ocm_pkg.fs.atomic import FileLock, clean_leftovers, folder_for, write_file
from ocm_pkg.fs.blob import FileBlob, read_all
from ocm_pkg.model.releasestate import FILE_NAME, MAX_BYTES, STEPS, ReleaseState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ocm_pkg.model.releasestate import ReleaseInputs
    from ocm_pkg.ports import FailPoint

LOCK_NAME = ".release.lock"
_LOCK_TIMEOUT = 2.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step left: the state after it, and a few words for people."""

    state: ReleaseState
    detail: str


class Step(Protocol):
    """One step of a release."""

    @property
    def name(self) -> str:
        """One of ``STEPS``."""

    @property
    def repeats(self) -> bool:
        """Whether it is done every time: it is cheap, or changes nothing the second time."""

    def plan(self) -> str:
        """Return what it would do, for people; write nothing."""

    def lacking(self, state: ReleaseState) -> str | None:
        """Return why its result can't be used, though ``state`` may say it is done; or None."""

    def adopted(self, state: ReleaseState) -> ReleaseState:
        """Return the state with the result that is there, made by whomever."""

    def run(self, state: ReleaseState) -> Outcome:
        """Do it; raise an ``OcmPkgError`` and leave what was there before, if it can't be done."""


@dataclass(frozen=True, slots=True)
class StepReport:
    """What became of a step; ``planned`` in a dry run. ``ms`` is how long it took."""

    step: str
    result: Literal["done", "skipped", "planned"]
    ms: float
    detail: str


@dataclass(frozen=True, slots=True)
class Released:
    """What became of every step, and the state at the end."""

    reports: tuple[StepReport, ...]
    state: ReleaseState


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who hears of a release: of each step before and after it, and of remarks."""

    begin: Callable[[str], None] = lambda _step: None
    end: Callable[[StepReport], None] = lambda _report: None
    note: Callable[[str], None] = lambda _text: None


@dataclass(frozen=True, slots=True)
class Release:
    """A release to be: its steps, in their order, and what it is made from.

    ``now`` looks again what the sources are; it is asked between steps, so that sources that change
    meanwhile are noticed. ``clock`` gives seconds. ``out`` is where ``release.json`` is kept.
    """

    steps: Sequence[Step]
    inputs: ReleaseInputs
    now: Callable[[], ReleaseInputs]
    out: Path
    clock: Callable[[], float]
    listeners: Listeners = Listeners()
    fail_point: FailPoint = lambda _step: None


def release(job: Release, from_step: str | None = None) -> Released:
    """Do the steps that have to be done; return what became of each.

    What an earlier run has done of the same release is skipped. With ``from_step`` the steps before
    it are skipped, whatever the state says, and it and all later ones are done: raises
    ``FileMissingError`` if an earlier one has left no result. Raises ``ConfigError`` if the sources
    change meanwhile, and what the steps raise: then ``release.json`` says how far it came.
    """
    with folder_for(job.out), FileLock(job.out / LOCK_NAME, _LOCK_TIMEOUT):
        clean_leftovers(job.out)
        return _run(job, from_step)


def planned(job: Release, from_step: str | None = None) -> Released:
    """Return what ``release`` would do, with ``check`` done; write nothing."""
    state = _resumed(job)
    reports: list[StepReport] = []
    for step in job.steps:
        reused = _is_reused(step, state, from_step, reports)
        if step.name == "check" and not reused:
            report = _timed(job, step, state)[1]
        elif reused:
            report = _skipped(step, state)
        else:
            report = StepReport(step.name, "planned", 0.0, step.plan())
        reports.append(report)
        job.listeners.end(report)
    return Released(tuple(reports), state)


def _run(job: Release, from_step: str | None) -> Released:
    state = _resumed(job)
    reports: list[StepReport] = []
    for step in job.steps:
        if _is_reused(step, state, from_step, reports):
            report = _skipped(step, state)
            adopted = state if step.name in state.steps else step.adopted(state)
            if adopted != state:
                state = adopted
                _save(job, state)
        else:
            if from_step is None and step.name in state.steps and (why := step.lacking(state)):
                job.listeners.note(f"{step.name} again: {why}")
            if not step.repeats:
                state = state.before(step.name)
                _save(job, state)
            job.fail_point(f"release.{step.name}")
            job.listeners.begin(step.name)
            state, report = _timed(job, step, state)
            if step.name != "publish":
                _require_unchanged(job)
            job.fail_point(f"release.{step.name}.done")
            _save(job, state)
        reports.append(report)
        job.listeners.end(report)
    return Released(tuple(reports), state)


def _is_reused(
    step: Step, state: ReleaseState, from_step: str | None, before: Sequence[StepReport]
) -> bool:
    if from_step is not None:
        if STEPS.index(step.name) >= STEPS.index(from_step):
            return False
        if problem := step.lacking(state):
            raise FileMissingError(
                f"the release can't start at {from_step}: {problem}",
                hint=f"start it at {step.name}, or leave out --from-step",
            )
        return True
    anew = any(one.result != "skipped" and one.step != "check" for one in before)
    if step.repeats or anew or step.name not in state.steps:
        return False
    return step.lacking(state) is None


def _skipped(step: Step, state: ReleaseState) -> StepReport:
    why = "done already" if step.name in state.steps else "not asked for"
    return StepReport(step.name, "skipped", 0.0, why)


def _timed(job: Release, step: Step, state: ReleaseState) -> tuple[ReleaseState, StepReport]:
    began = job.clock()
    try:
        outcome = step.run(state)
    except OcmPkgError:
        if state.steps and job.inputs.is_fixed:
            job.listeners.note(f"stopped at {step.name}: the same command goes on there")
        raise
    spent = (job.clock() - began) * 1000
    return outcome.state, StepReport(step.name, "done", round(spent, 1), outcome.detail)


def _require_unchanged(job: Release) -> None:
    if changed := job.now().differences(job.inputs):
        raise ConfigError(
            f"the sources changed while they were released: {'; '.join(changed)}",
            hint="leave them alone, and run it again",
        )


def _resumed(job: Release) -> ReleaseState:
    """Return the state of an earlier run, as far as it holds for what is released now."""
    fresh = ReleaseState(job.inputs)
    path = job.out / FILE_NAME
    if not path.is_file():
        return fresh
    try:
        earlier = ReleaseState.parse(read_all(FileBlob(path), MAX_BYTES, str(path)), name=str(path))
    except InvalidDocumentError as error:
        job.listeners.note(f"starting again: {error.message}")
        return fresh
    if changed := job.inputs.differences(earlier.inputs):
        job.listeners.note(f"starting again: {'; '.join(changed)}")
        return fresh
    if not job.inputs.is_fixed and earlier.steps:
        job.listeners.note(
            "starting again: the sources are in no commit, so nothing says whether they changed"
        )
        return ReleaseState(job.inputs, earlier.part, earlier.digest)
    state = ReleaseState(job.inputs, earlier.part, earlier.digest, earlier.steps)
    before, now = earlier.inputs, job.inputs
    if (before.signer, before.signature) != (now.signer, now.signature):
        job.listeners.note("packaging again: the signature is to be another one")
        return state.before("package")
    return state


def _save(job: Release, state: ReleaseState) -> None:
    write_file(job.out / FILE_NAME, state.encode(), fail_point=job.fail_point)
