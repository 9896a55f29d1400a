"""What the manager adds to asking a plugin binary for its capabilities."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.harness import Figure, interleaved, run_once

if TYPE_CHECKING:
    from collections.abc import Callable

PROJECT = Path(__file__).resolve().parents[2]


def frozen_ctfplugin(programs: Path, folder: Path) -> Path:
    """Build the project's own CTF plugin with its own builder; return the binary."""
    command = [str(programs / "ocm-pkg"), "-q", "build", "--project", str(PROJECT)]
    # A launcher would answer by itself; this is about a program that has to start for it.
    subprocess.run([*command, "--shape", "file", "--out", str(folder / "dist")], check=True)
    return next(path for path in (folder / "dist").iterdir() if os.access(path, os.X_OK))


def timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def figures(programs: Path, folder: Path) -> list[Figure]:
    """``capabilities`` through a manager, and through the command, against the binary alone."""
    binary = frozen_ctfplugin(programs, folder)
    command = [str(programs / "ocm-pkg"), "plugin", "capabilities", str(binary)]
    figures = []
    for name, ours in (
        ("capabilities-manager", lambda: timed(lambda: ask_manager(binary))),
        ("capabilities-command", lambda: run_once(command, cwd=folder).seconds),
    ):
        alone = lambda: run_once([str(binary), "capabilities"], cwd=folder).seconds  # noqa: E731
        figures.append(Figure.of(name, *interleaved(ours, alone, rounds=15), 1.2))
    return figures


def ask_manager(binary: Path) -> None:
    from ocm_pkg.plugin.manager import PluginManager

    with PluginManager([], builtin=(), environment=dict(os.environ)) as manager:
        manager.capabilities(str(binary))
