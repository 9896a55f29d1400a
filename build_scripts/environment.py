"""Make a virtual environment from a hashed lock, with this project in it; say what is missing.

Standard library only: it runs where nothing is installed yet.
"""

from __future__ import annotations

import argparse
import ctypes.util
import importlib.util
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def missing_for_pyinstaller() -> list[str]:
    """Return a sentence for each thing that PyInstaller needs and this machine lacks."""
    found = []
    if sys.platform == "linux" and not shutil.which("objdump"):
        found.append(
            "objdump is missing (PyInstaller reads binaries with it). "
            "Debian: apt install binutils; Fedora: dnf install binutils; Alpine: apk add binutils"
        )
    if sys.platform == "linux" and not has_shared_libpython():
        version = sysconfig.get_python_version()
        found.append(
            f"this Python ({sys.executable}) has no shared libpython{version} (PyInstaller puts it "
            f"into each binary). Debian: apt install libpython{version}; "
            "Fedora: dnf install python3-libs; Alpine: apk add python3"
        )
    return found


def has_shared_libpython() -> bool:
    """Whether PyInstaller will find the shared library of this interpreter."""
    name = sysconfig.get_config_var("INSTSONAME") or ""
    if ".so" not in name:
        return ctypes.util.find_library(f"python{sysconfig.get_python_version()}") is not None
    folders = (sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("LIBPL"))
    if any(folder and (Path(folder) / name).exists() for folder in folders):
        return True
    return ctypes.util.find_library(f"python{sysconfig.get_python_version()}") is not None


def unusable() -> str | None:
    """Return why this interpreter can't make the environment, or nothing."""
    if sys.version_info < (3, 11):  # noqa: UP036 (the message is for those who have an older one)
        return f"Python 3.11 or newer is needed; this is {sysconfig.get_python_version()}"
    if not importlib.util.find_spec("venv") or not importlib.util.find_spec("ensurepip"):
        return (
            "this Python has no venv. Debian: apt install python3-venv; "
            "Fedora: dnf install python3; Alpine: apk add python3"
        )
    return None


def make(folder: Path, lock: Path, *, editable: bool) -> None:
    """Make ``folder`` anew from ``lock``; it is ready when the file ``.ready`` is in it."""
    if folder.exists():
        shutil.rmtree(folder)
    run(sys.executable, "-m", "venv", str(folder))
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    pip = (str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    run(*pip, "--require-hashes", "--requirement", str(lock))
    source = ["--editable", str(PROJECT)] if editable else [str(PROJECT)]
    run(*pip, "--no-deps", "--no-index", "--no-build-isolation", *source)
    (folder / ".ready").touch()


def run(*command: str) -> None:
    """Run a program; end with its exit code if it fails."""
    ended = subprocess.run(command, check=False)  # noqa: S603 (fixed programs)
    if ended.returncode:
        sys.exit(ended.returncode)


def main() -> None:
    """Read the arguments and make the environment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lock", type=Path, required=True, help="hashed requirements")
    parser.add_argument("--editable", action="store_true", help="run the project from its sources")
    arguments = parser.parse_args()
    if reason := unusable():
        sys.exit(f"error: {reason}")
    missing = missing_for_pyinstaller()
    if missing:
        sys.exit("\n".join(f"error: {sentence}" for sentence in missing))
    make(arguments.folder.absolute(), arguments.lock, editable=arguments.editable)


if __name__ == "__main__":
    main()
