"""Starts a plugin script as a process, the way a manager does."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from ocm_pkg.contract.startup import Address

ROOT = Path(__file__).parents[2]
PROBE = ROOT / "tests" / "fakes" / "probe_repository.py"


class PluginProcess:
    """A running plugin: its first line is read, the rest is collected at its end."""

    def __init__(self, process: subprocess.Popen) -> None:
        self.process = process
        self.line = process.stdout.readline().decode()
        self.address = Address.parse_line(self.line)

    def wait(self) -> tuple[int, str, str]:
        """Return exit status, the rest of stdout, and stderr."""
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out.decode(), err.decode()


def environment(folder: Path, **extra: str) -> dict[str, str]:
    """Return what a manager would let through, with ``folder`` for temporary files."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT), **extra}


@contextmanager
def started(script: Path, arguments, folder: Path, *, stdin=subprocess.PIPE):
    """Start a plugin; kill it at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, str(script), *arguments],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(folder),
    )
    try:
        yield PluginProcess(process)
    finally:
        process.kill()
        process.communicate()


def run(script: Path, arguments, folder: Path, **extra: str) -> subprocess.CompletedProcess:
    """Run a plugin to its end, with the null device for stdin as the reference manager does."""
    return subprocess.run(
        [sys.executable, str(script), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(folder, **extra),
        timeout=20,
        check=False,
    )
