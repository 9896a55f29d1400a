"""Runs the vectors of a set, some at a time."""

from __future__ import annotations

import queue
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from tests.vectorset import archives, components, malformed, registry, signed, tampered
from tests.vectorset.commands import Forked, Processes
from tests.vectorset.world import VectorSet, World, name_and_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.vectorset.commands import Commands
    from tests.vectorset.world import Vector

JOBS = 2
RULES: Mapping[str, Callable[[World], None]] = {
    "component-version": components.check,
    "signed": signed.check,
    "sign-refused": signed.sign_refused,
    "crafted-signature": signed.crafted,
    "tampered": tampered.check,
    "ctf-archive": archives.check,
    "registry-dump": registry.check,
    "malformed": malformed.check,
    "constructor-check": malformed.constructor,
}


@dataclass(frozen=True)
class Outcome:
    """What became of one vector."""

    id: str
    problems: tuple[str, ...]
    not_asked: str
    seconds: float

    @property
    def word(self) -> str:
        """The outcome in a word."""
        if self.problems:
            return "FAILED"
        return f"not asked: {self.not_asked}" if self.not_asked else "passed"


def run(
    folder: Path, *, only: str = "*", processes: bool = False, jobs: int = JOBS
) -> Iterator[Outcome]:
    """Check the vectors of the set in ``folder`` whose ids match; give their outcomes in order."""
    vectors = VectorSet(folder)
    chosen = [one for one in vectors.vectors.values() if fnmatchcase(one["id"], only)]
    idle: queue.Queue[Commands] = queue.Queue()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ocm-pkg-vectors-")))
        for number in range(jobs):
            commands = Processes() if processes else _forked(vectors, scratch / f"start{number}")
            idle.put(stack.enter_context(closing(commands)))

        def next_one(numbered: tuple[int, Vector]) -> Outcome:
            number, vector = numbered
            commands = idle.get()
            try:
                return check(vectors, vector, commands, scratch / str(number))
            finally:
                idle.put(commands)

        executor = stack.enter_context(ThreadPoolExecutor(jobs))
        yield from executor.map(next_one, enumerate(chosen))


def check(vectors: VectorSet, vector: Vector, commands: Commands, scratch: Path) -> Outcome:
    """Check one vector in a folder of its own, which is removed again."""
    started = time.monotonic()
    scratch.mkdir()
    world = World(vectors, vector, commands, scratch)
    rule = RULES.get(vector["kind"])
    if rule is None:
        world.problem(f"there is no rule for vectors of the kind {vector['kind']!r}")
    else:
        try:
            rule(world)
        except Exception as error:  # noqa: BLE001 (one vector that breaks its rule must not end the rest)
            world.problem(f"the rule could not be applied: {error!r}")
    world.finish()
    shutil.rmtree(scratch)
    seconds = time.monotonic() - started
    return Outcome(vector["id"], tuple(world.problems), world.not_asked, seconds)


def _forked(vectors: VectorSet, scratch: Path) -> Forked:
    """Return a process in which a few commands have loaded what all need."""
    scratch.mkdir()
    commands = Forked()
    vector = next(one for one in vectors.vectors.values() if one["kind"] == "signed")
    reference = f"{vectors.folder / vector['ctf']}//{':'.join(name_and_version(vector))}"
    for arguments in (
        ["get", "cv", reference, "-o", "json"],
        ["hash", "cv", reference],
        ["verify", "cv", reference, "--key", vectors.key("test-key-a.public.pem")],
        ["download", "resource", reference, "--identity", "name=nothing-has-this-name"],
        ["transfer", "cv", reference, str(scratch / "ctf"), "--dry-run"],
    ):
        commands.warm_up(arguments, scratch)
    return commands
