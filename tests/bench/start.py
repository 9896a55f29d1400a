"""How fast the program starts, against the console script of a package that does nothing."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.bench.harness import Figure, interleaved, run_once

if TYPE_CHECKING:
    from pathlib import Path

_EMPTY_PROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "does-nothing"
version = "1.0"
[project.scripts]
does-nothing = "does_nothing:main"
[tool.setuptools]
py-modules = ["does_nothing"]
"""


def installed(project: Path, folder: Path) -> Path:
    """Return the bin folder of an environment with ocm-pkg and an empty package, not editable."""
    environment = folder / "venv"
    subprocess.run(
        [
            sys.executable, str(project / "build_scripts/environment.py"), str(environment),
            "--lock", str(project / "requirements.lock"),
        ],
        check=True,
    )  # fmt: skip
    empty = folder / "empty"
    empty.mkdir()
    (empty / "pyproject.toml").write_text(_EMPTY_PROJECT)
    (empty / "does_nothing.py").write_text("def main() -> None:\n    pass\n")
    pip = [str(environment / "bin/python"), "-m", "pip", "install", "-q", "--no-index"]
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", str(empty)], check=True)
    return environment / "bin"


def figures(project: Path, folder: Path) -> list[Figure]:
    """``ocm-pkg --version`` against an empty console script in the same environment."""
    programs = installed(project, folder)
    ours, bound = interleaved(
        lambda: run_once([str(programs / "ocm-pkg"), "--version"], cwd=folder).seconds,
        lambda: run_once([str(programs / "does-nothing")], cwd=folder).seconds,
        rounds=30,
    )
    return [Figure.of("version-start", ours, bound, 1.25)]
