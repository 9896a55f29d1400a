"""The command as a user runs it: a process of its own, with a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


GO_CACHE = os.environ.get("GOCACHE") or str(Path.home() / ".cache/go-build")
"""What Go compiled before: a launcher is made in a second with it, and in a minute without."""


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


class Command:
    """Runs ``ocm-pkg``, or what ``program`` says; ``environ`` can be changed between runs."""

    def __init__(
        self, home: Path, program: Sequence[str | Path] = (sys.executable, "-m", "ocm_pkg")
    ) -> None:
        self.program = program
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "GOCACHE": GO_CACHE,
        }

    def __call__(self, *arguments: object, cwd: Path, timeout: float = 60) -> Ran:
        done = subprocess.run(
            [*self.program, *map(str, arguments)],
            cwd=cwd,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)
