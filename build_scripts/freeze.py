"""Freeze ocm-pkg itself: one binary for this machine, made by its own builder.

Makes a project of the package in a temporary folder, calls `ocm-pkg build --target host` there,
tries the binary, and prints its file, size in bytes and start time in milliseconds as JSON. What
goes into it comes from the hashed lock. `--without oci` leaves the OCI client out, as the build
tag of the plugin ADR does: then registries are reached through the OCI plugin. `--plugin ctf`
freezes the CTF plugin (the OCI plugin has the project file in the project's folder). Runs on the
Python of an environment that environment.py made; standard library only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import build_host
from environment import PROJECT
from freeze_project import FEATURES, make_project, plugin, program

STARTS = 5


def start(binary: Path, word: str, wanted: str) -> float:
    """Return the seconds that a command takes, the best of some; end if it doesn't answer."""
    best = float("inf")
    for _ in range(STARTS):
        began = time.monotonic()
        done = subprocess.run(  # noqa: S603 (what was just built)
            [str(binary), word], capture_output=True, text=True, timeout=60, check=False
        )
        best = min(best, time.monotonic() - began)
        if done.returncode or not done.stdout.startswith(wanted):
            sys.exit(f"error: {binary} {word}: status {done.returncode}\n{done.stderr}")
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
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--without", action="append", default=[], choices=sorted(FEATURES), help="leave it out"
    )
    what.add_argument("--plugin", choices=["ctf"], help="freeze this plugin instead")
    options = parser.parse_args()
    # Below the project, so that the report says which commit it was built from.
    parent = PROJECT / "build"
    parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="freeze-", dir=parent) as name:
        make_project(
            Path(name), plugin(options.plugin) if options.plugin else program(options.without)
        )
        binary = build_host.build(Path(sys.executable), Path(name), options.out.absolute())
    tried = ("capabilities", "{") if options.plugin else ("--version", f"ocm-pkg {version()}\n")
    seconds = start(binary, *tried)
    size = binary.stat().st_size
    print(json.dumps({"file": str(binary), "size": size, "version_ms": round(seconds * 1000, 1)}))


if __name__ == "__main__":
    main()
