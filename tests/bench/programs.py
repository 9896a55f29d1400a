"""An environment as users have it: ocm-pkg, and a package that does nothing, both installed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

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


def install(project: Path, folder: Path) -> Path:
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
