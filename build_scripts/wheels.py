"""Fetch the wheels of other platforms that the tests assemble plugins from, into a folder.

From where pip is set up to get files; each must have the hash that is locked. The tests themselves
then need no network.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ocm_pkg.builders.assemblelock import read_pins
from ocm_pkg.builders.assembletags import wheel_platforms
from ocm_pkg.builders.assemblewheels import download_arguments
from ocm_pkg.model.platform import Platform

PROJECT = Path(__file__).resolve().parent.parent
INTERPRETERS = PROJECT / "ocm_pkg/builders/assemble.lock"
LIBRARIES = PROJECT / "requirements.lock"
NAMES = ("annotated-types", "pydantic", "pydantic-core", "typing-extensions", "typing-inspection")
"""What the plugins of the tests use."""

PLATFORMS = (
    Platform("linux", "amd64"),
    Platform("linux", "arm64"),
    Platform("darwin", "arm64"),
)


def lock() -> str:
    """Return the requirements to fetch, with their hashes."""
    libraries = read_pins(LIBRARIES.read_bytes(), name=LIBRARIES.name)
    interpreters = read_pins(INTERPRETERS.read_bytes(), name=INTERPRETERS.name)
    chosen = [*interpreters, *(pin for pin in libraries if pin.name in NAMES)]
    return "".join(f"{pin.line}\n" for pin in chosen)


def main() -> None:
    """Fetch what is not in the folder yet; the file ``.ready`` says that all is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.absolute()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    with tempfile.TemporaryDirectory() as work:
        file = Path(work, "wheels.lock")
        file.write_text(lock(), encoding="utf-8")
        for platform in PLATFORMS:
            tags = wheel_platforms(platform, None)
            argv = [sys.executable, "-m", "pip"]
            argv += download_arguments(folder, file, tags, version)
            ended = subprocess.run([*argv, "--quiet"], check=False)  # noqa: S603 (our own pip)
            if ended.returncode:
                shutil.rmtree(folder, ignore_errors=True)
                sys.exit(ended.returncode)
    (folder / ".ready").touch()


if __name__ == "__main__":
    main()
