"""Times whole processes, ours and the bound by turns, and keeps what the kernel says of them."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One line of ``bench.json``; ``ratio`` is ours / bound, and at most ``goal``."""

    name: str
    ours: float
    bound: float
    ratio: float
    goal: float
    unit: str

    @classmethod
    def of(cls, name: str, ours: float, bound: float, goal: float, unit: str = "s") -> Figure:
        return cls(name, round(ours, 6), round(bound, 6), round(ours / bound, 3), goal, unit)

    @property
    def met(self) -> bool:
        return self.ratio <= self.goal

    def to_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class Run:
    """One process: wall seconds, and its own peak resident memory in MiB."""

    seconds: float
    peak_mib: float


def run_once(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end; a failing one fails the benchmark."""
    started = time.perf_counter()
    with subprocess.Popen(
        argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if process.returncode:
        sys.exit(f"bench: {argv[0]} ended with {process.returncode}: {' '.join(argv)}")
    return Run(seconds, usage.ru_maxrss / 1024)


def peak_of(
    programs: Path, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str]
) -> float:
    """Return the peak resident memory of a command of ours in MiB, as its own kernel record says.

    What ``wait4`` says of a child can be the size of this process, from which it was made.
    """
    record = cwd / "peak"
    argv = [str(programs / "python"), "-c", _MEASURED, str(record), *arguments]
    run_once(argv, cwd=cwd, env=env)
    return int(record.read_text()) / 1024


_MEASURED = """
import sys
from ocm_pkg.cli.main import run
code = run(sys.argv[2:])
[peak] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
open(sys.argv[1], "w").write(peak)
sys.exit(code)
"""


def interleaved(
    ours: Callable[[], float], bound: Callable[[], float], rounds: int
) -> tuple[float, float]:
    """Return both medians over ``rounds`` rounds by turns, after one round that isn't counted."""
    first, second = by_turns(ours, bound, rounds=rounds)
    return first, second


def by_turns(*actions: Callable[[], float], rounds: int) -> list[float]:
    """Return the median of each action over ``rounds`` rounds, after one that isn't counted."""
    taken = [[action() for action in actions] for _ in range(rounds + 1)][1:]
    return [statistics.median(each) for each in zip(*taken, strict=True)]
