"""Make a Debian root with Python for PyInstaller, as a tar, and fetch PyInstaller's wheels.

    python build_scripts/debian_root.py ARCHITECTURE FOLDER

leaves FOLDER/ARCHITECTURE.tar and FOLDER/wheels; what is there already is kept. It uses the apt
and pip settings of this machine, and needs mmdebstrap. Packages are unpacked and not configured,
so nothing of another architecture is run.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGES = (
    *("base-files", "bash", "binutils", "coreutils", "dash", "grep", "libc-bin", "sed"),
    *("python3", "python3-venv", r"?name(^libpython3\.[0-9]+$)"),
)
LOCK = Path(__file__).resolve().parent.parent / "ocm_pkg" / "builders" / "pyinstaller.lock"
_SOURCES = ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list")
_WHEELS = {"amd64": "manylinux2014_x86_64", "arm64": "manylinux2014_aarch64"}
_PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}


def suite_and_sources() -> tuple[str, list[str]]:
    """Return this Debian's suite and the file with its sources; else a suite, and no file."""
    system = platform.freedesktop_os_release()
    suite = system.get("VERSION_CODENAME", "")
    if system.get("ID") != "debian" or suite not in _PYTHONS:
        return "bookworm", []
    return suite, [name for name in _SOURCES if Path(name).is_file()][:1]


def make_root(architecture: str, target: Path) -> None:
    """Write the root to ``target``, which appears when it is complete; raise if that fails."""
    suite, sources = suite_and_sources()
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        settings = Path(work, "apt.conf")
        dump = ["apt-config", "dump", "--no-empty", "--format", '%f "%v";%n', "Acquire"]
        settings.write_bytes(subprocess.run(dump, capture_output=True, check=True).stdout)  # noqa: S603
        made = Path(work, target.name)
        argv = [
            *("mmdebstrap", "--quiet", "--variant=extract", f"--architectures={architecture}"),
            *(f"--include={name}" for name in PACKAGES),
            *(f"--aptopt={settings}", suite, str(made), *sources),
        ]
        env = {**os.environ, "SOURCE_DATE_EPOCH": "0"}
        subprocess.run(argv, env=env, check=True)  # noqa: S603
        made.replace(target)


def fetch_wheels(architecture: str, folder: Path) -> None:
    """Fetch the wheels that PyInstaller's lock names, for the Python of the root."""
    suite, _sources = suite_and_sources()
    folder.mkdir(exist_ok=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    only = ["--require-hashes", "--only-binary=:all:", "--no-deps"]
    version = ["--python-version", _PYTHONS[suite], "--platform", _WHEELS[architecture]]
    subprocess.run(  # noqa: S603
        [*pip, *only, *version, "--dest", str(folder), "--requirement", str(LOCK)], check=True
    )


def main() -> int:
    """Make what isn't there."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("architecture", choices=sorted(_WHEELS))
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    if shutil.which("mmdebstrap") is None:
        print("mmdebstrap is missing (Debian: apt install mmdebstrap)", file=sys.stderr)
        return 1
    folder = arguments.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    complete = folder / f"{arguments.architecture}.tar"
    try:
        fetch_wheels(arguments.architecture, folder / "wheels")
        if not complete.exists():
            make_root(arguments.architecture, complete)
    except subprocess.CalledProcessError as error:
        return int(error.returncode)
    print(complete)
    return 0


if __name__ == "__main__":
    sys.exit(main())
