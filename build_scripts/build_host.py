"""Build a plugin for the platform of this machine, and try the binary.

PyInstaller can't cross-build, so each build machine runs this: it makes a virtual environment
from the hashed lock, if it isn't there yet, and calls `ocm-pkg build --target host`. What is left
in the output folder (binary and part.json) is what the release job collects. Standard library
only: it runs where nothing is installed yet.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import environment

HERE = Path(__file__).resolve().parent


def ready(folder: Path, lock: Path) -> Path:
    """Return the Python of the environment; make it if it isn't there."""
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not (folder / ".ready").exists():
        problems = [problem for problem in (environment.unusable(),) if problem]
        problems += environment.missing_for_pyinstaller()
        if folder.exists():
            problems.append(f"{folder} was not made by this script: choose another folder")
        if problems:
            sys.exit("\n".join(f"error: {problem}" for problem in problems))
        environment.make(folder, lock, editable=False)
    return python


def ocm_pkg(python: Path, *arguments: str) -> dict[str, Any]:
    """Run `ocm-pkg build` and return what it prints; end with its exit code if it fails."""
    command = [str(python), "-m", "ocm_pkg", "build", "-o", "json", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)  # noqa: S603 (our own)
    if done.returncode:
        error = json.loads(done.stdout)["error"] if done.stdout else {"message": "no reason given"}
        sys.stderr.write(f"error: {error['message']}\n  fix: {error.get('hint')}\n")
        sys.exit(done.returncode)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def build(python: Path, project: Path, out: Path) -> Path:
    """Build for this machine; return the binary."""
    host = ocm_pkg(python, "--plan", "--project", str(project))["host"]
    report = ocm_pkg(python, "--target", "host", "--project", str(project), "--out", str(out))
    return next(Path(item["file"]) for item in report["targets"] if item["platform"] == host)


def main() -> int:
    """Read the arguments, build, try."""
    parser = argparse.ArgumentParser(description="Build a plugin for this machine and try it.")
    parser.add_argument("project", type=Path, help="folder with ocm-pkg.yaml")
    parser.add_argument("--out", type=Path, help="folder for the binary (default: PROJECT/dist)")
    parser.add_argument(
        "--environment",
        type=Path,
        default=environment.PROJECT / ".venv-build",
        help="virtual environment to use, or to make (%(default)s)",
    )
    parser.add_argument(
        "--lock",
        type=Path,
        default=environment.PROJECT / "requirements.lock",
        help="hashed requirements of a new environment (%(default)s)",
    )
    arguments = parser.parse_args()
    project = arguments.project.resolve()
    out = (arguments.out or project / "dist").resolve()
    python = ready(arguments.environment.resolve(), arguments.lock)
    binary = build(python, project, out)
    tried = subprocess.run(  # noqa: S603 (our own)
        [sys.executable, str(HERE / "smoke.py"), str(binary)], check=False
    )
    return tried.returncode


if __name__ == "__main__":
    sys.exit(main())
