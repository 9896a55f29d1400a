"""Go, where it is installed, with one build cache for all tests."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

GO = shutil.which("go")


def cache_home() -> str:
    """Return the folder for caches with which Go finds what it compiled before."""
    done = subprocess.run([str(GO), "env", "GOCACHE"], capture_output=True, text=True, check=True)
    return str(Path(done.stdout.strip()).parent)
