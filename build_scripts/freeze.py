"""Freeze ocm-pkg itself: one binary for this machine, made by its own builder.

Makes a project of the package in a temporary folder, calls `ocm-pkg build --target host` there,
tries the binary, and prints its file, size in bytes and start time in milliseconds as JSON. What
goes into it comes from the hashed lock. Runs on the Python of an environment that environment.py
made; standard library only.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import build_host
from environment import PROJECT

PACKAGE = "ocm_pkg"
TEMPLATES = "component_templates"
LOCK = "requirements.lock"
COMPONENT = "ocm.software/ocm-pkg"
TARGETS = ("linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64")
LEFT_OUT = ("__pycache__", ".*_cache")
EXCLUDE = (
    *("tkinter", "curses", "readline", "sqlite3"),
    *("unittest", "doctest", "pdb", "pydoc", "xmlrpc"),
    *("asyncio", "multiprocessing"),
    *("setuptools", "distutils", "_distutils_hack", "pip"),
    *("pygments", "markdown_it", "pydantic.v1", "pydantic.mypy"),
    *("_codecs_cn", "_codecs_hk", "_codecs_iso2022", "_codecs_jp", "_codecs_kr", "_codecs_tw"),
)
"""What libraries import if it is there, and ocm-pkg never uses."""

STARTS = 5


def make_project(folder: Path) -> None:
    """Write a project with everything that ocm-pkg is made of."""
    ignore = shutil.ignore_patterns(*LEFT_OUT)
    package = folder / PACKAGE
    shutil.copytree(PROJECT / PACKAGE, package, ignore=ignore)
    shutil.copytree(PROJECT / TEMPLATES, package / "templates", ignore=ignore)
    shutil.copyfile(PROJECT / "pyproject.toml", folder / "pyproject.toml")
    shutil.copyfile(PROJECT / LOCK, folder / LOCK)
    project = {
        "formatVersion": 1,
        "component": COMPONENT,
        "version": {"from": "pyproject"},
        "provider": "ocm.software",
        "description": "Build, sign, distribute, install and run OCM plugins",
        "build": {
            "builder": "pyinstaller",
            "entry": f"{PACKAGE}/__main__.py",
            "requirements": LOCK,
            "exclude": list(EXCLUDE),
            "hidden-imports": modules(package),
        },
        "targets": list(TARGETS),
    }
    (folder / "ocm-pkg.yaml").write_text(json.dumps(project, indent=1), encoding="utf-8")


def modules(package: Path) -> list[str]:
    """Return every module: most are imported by name, or where they are first needed."""
    found = {f"{PACKAGE}.templates"}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package.parent).with_suffix("").parts
        if parts[1] != "templates" and parts[-1] != "__main__" and path.parent.name != "hooks":
            found.add(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return sorted(found)


def start(binary: Path) -> float:
    """Return the seconds that `--version` takes, the best of some; end if it doesn't answer."""
    wanted = f"ocm-pkg {version()}\n"
    best = float("inf")
    for _ in range(STARTS):
        began = time.monotonic()
        done = subprocess.run(  # noqa: S603 (what was just built)
            [str(binary), "--version"], capture_output=True, text=True, timeout=60, check=False
        )
        best = min(best, time.monotonic() - began)
        if (done.returncode, done.stdout) != (0, wanted):
            sys.exit(f"error: {binary} --version: status {done.returncode}\n{done.stderr}")
    return best


def version() -> str:
    """Return the version of the package, as its project file says it."""
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(text)["project"]["version"])


def main() -> None:
    """Read the arguments, build, try."""
    parser = argparse.ArgumentParser(description="Freeze ocm-pkg into one binary, and try it.")
    parser.add_argument(
        "--out", type=Path, default=PROJECT / "dist", help="folder for the binary (%(default)s)"
    )
    out = parser.parse_args().out.absolute()
    # Below the project, so that the report says which commit it was built from.
    parent = PROJECT / "build"
    parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="freeze-", dir=parent) as name:
        make_project(Path(name))
        binary = build_host.build(Path(sys.executable), Path(name), out)
    seconds = start(binary)
    size = binary.stat().st_size
    print(json.dumps({"file": str(binary), "size": size, "version_ms": round(seconds * 1000, 1)}))


if __name__ == "__main__":
    main()
