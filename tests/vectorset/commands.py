"""Runs commands as a user would: output in files, a deadline, a limit of memory, an empty home."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

SECONDS = 20.0
MEMORY = 2 * 1024**3
PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Done:
    """How a command ended. ``peak``: bytes of memory, where that is known."""

    arguments: tuple[str, ...]
    code: int
    out: bytes
    err: str
    seconds: float
    late: bool = False
    peak: int = 0

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)

    def __str__(self) -> str:
        said = " ".join(self.err.split())[:300] or self.out[:200].decode("utf-8", "replace")
        return f"{' '.join(self.arguments)} -> {self.code}: {said}"


class Commands(Protocol):
    """What runs a command."""

    def run(self, arguments: Sequence[str], folder: Path) -> Done:
        """Run a command in ``folder``, which also holds its home and temporary files."""

    def close(self) -> None:
        """Give back what was used."""


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of commands below ``folder``: an empty home, no settings."""
    home, temporary = folder / "home", folder / "tmp"
    home.mkdir(exist_ok=True)
    temporary.mkdir(exist_ok=True)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local/share"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "TMPDIR": str(temporary),
    }


class Forked:
    """Runs commands in forks of one process that has everything loaded."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.vectorset.forkserver"],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def warm_up(self, arguments: Sequence[str], folder: Path) -> None:
        """Run a command in the process itself, for what it loads."""
        self._ask({**_request(arguments, folder), "warmUp": True})

    def run(self, arguments: Sequence[str], folder: Path) -> Done:
        """Run a command."""
        request = _request(arguments, folder)
        answer = self._ask(request)
        out, err = Path(request["stdout"]), Path(request["stderr"])
        text = err.read_bytes().decode("utf-8", "replace")
        return Done(tuple(arguments), out=out.read_bytes(), err=text, **answer)

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process that runs the commands has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def _request(arguments: Sequence[str], folder: Path) -> dict[str, Any]:
    return {
        "arguments": list(arguments),
        "folder": str(folder),
        "environment": environment(folder),
        "stdout": str(folder / "stdout"),
        "stderr": str(folder / "stderr"),
        "deadline": SECONDS,
        "memory": MEMORY,
    }


class Processes:
    """Runs every command as a process of its own: slower, and nothing but the real thing."""

    def run(self, arguments: Sequence[str], folder: Path) -> Done:
        """Run a command."""
        started = time.monotonic()
        process = subprocess.Popen(
            [Path(sys.executable).with_name("ocm-pkg"), *arguments],
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        if sys.platform == "linux":
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(process.pid, resource.RLIMIT_AS, (MEMORY, MEMORY))
        late = False
        try:
            out, err = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            late = True
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
        seconds = time.monotonic() - started
        text = err.decode("utf-8", "replace")
        return Done(tuple(arguments), process.returncode, out, text, seconds, late)

    def close(self) -> None:
        """Nothing is left to end."""
