"""How fast the program starts, against the console script of a package that does nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.harness import Figure, interleaved, run_once

if TYPE_CHECKING:
    from pathlib import Path


def figures(programs: Path, folder: Path) -> list[Figure]:
    """``ocm-pkg --version`` against an empty console script in the same environment."""
    ours, bound = interleaved(
        lambda: run_once([str(programs / "ocm-pkg"), "--version"], cwd=folder).seconds,
        lambda: run_once([str(programs / "does-nothing")], cwd=folder).seconds,
        rounds=30,
    )
    return [Figure.of("version-start", ours, bound, 1.25)]
