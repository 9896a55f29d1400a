"""Compile the launcher for every platform, for the wheel: the same sources, the same bytes.

Writes OS-ARCHITECTURE and source.sha256 to ocm_pkg/builders/launcher/bin, or to the folder that
is named; prints the digest of each file, so that two machines can be compared. With --check it
writes nothing and compares what is there. Needs `go`; runs on a Python that has ocm_pkg.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ocm_pkg.builders.launchers import (
    DIGEST_FILE,
    READY,
    SOURCE,
    file_name,
    go_command,
    go_environment,
    source_digest,
)
from ocm_pkg.model.platform import Platform

PLATFORMS = tuple(
    Platform(system, architecture)
    for system in ("darwin", "linux", "windows")
    for architecture in ("amd64", "arm64")
)


def compile_all(go: str, work: Path) -> dict[str, bytes]:
    """Return the files by their names; raises ``CalledProcessError`` if one doesn't compile."""
    files = {DIGEST_FILE: f"{source_digest()}\n".encode()}
    for platform in PLATFORMS:
        output = work / file_name(platform)
        env = go_environment(os.environ, platform, work)
        subprocess.run(  # noqa: S603 - the compiler
            go_command(go, output), cwd=SOURCE, env=env, check=True
        )
        files[output.name] = output.read_bytes()
    return files


def differing(files: dict[str, bytes], folder: Path) -> list[str]:
    """Return the names of the files that are not in ``folder`` as they should be."""
    return [
        name
        for name, data in sorted(files.items())
        if not (folder / name).is_file() or (folder / name).read_bytes() != data
    ]


def main() -> int:
    """Compile, then write or compare."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=SOURCE / READY)
    parser.add_argument("--check", action="store_true", help="compare with what is there")
    arguments = parser.parse_args()
    go = shutil.which("go")
    if go is None:
        print("go is not on this machine: https://go.dev/dl/", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as work:
        try:
            files = compile_all(go, Path(work))
        except subprocess.CalledProcessError as error:
            return int(error.returncode)
    for name, data in sorted(files.items()):
        print(f"{hashlib.sha256(data).hexdigest()}  {name}")
    if arguments.check:
        for name in (different := differing(files, arguments.folder)):
            print(f"{arguments.folder / name} is not what its sources give", file=sys.stderr)
        return 1 if different else 0
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        path = arguments.folder / name
        path.write_bytes(data)
        path.chmod(0o644)
    return 0


if __name__ == "__main__":
    sys.exit(main())
