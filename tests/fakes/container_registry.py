"""The registry of the Rust crate ``container-registry``, built by cargo and kept in a cache."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.docker_registry import START_SECONDS, RunningRegistry

if TYPE_CHECKING:
    from collections.abc import Iterator

CRATE, VERSION = "container-registry", "0.3.1"
BUILD_SECONDS = 900.0
_LISTENS = re.compile(r"127\.0\.0\.1:([0-9]+)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def program() -> Path:
    """Return the program; cargo builds it the first time, which needs the network.

    Skips the test where there is no cargo, or where it can't build.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "ocm-pkg-tests" / f"{CRATE}-{VERSION}"
    built = folder / "bin" / CRATE
    cargo = shutil.which("cargo")
    if not built.exists() and cargo is None:
        pytest.skip(f"cargo is not installed, and builds {CRATE}")
    if not built.exists():
        _build(str(cargo), folder)
    return built


def _build(cargo: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--locked", "--features", "bin", "--root", str(folder), "--version", VERSION]
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            [cargo, "install", CRATE, *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        pytest.skip(f"cargo can't build {CRATE} here: {last}")


@contextmanager
def container_registry(folder: Path, password: str) -> Iterator[RunningRegistry]:
    """Run the registry with its data and log in ``folder``; any user has this password."""
    storage, log = folder / "storage", folder / "registry.log"
    folder.mkdir(parents=True, exist_ok=True)
    command = [program(), "--bind", "127.0.0.1:0", "--storage", storage, "--password", password]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        host = f"127.0.0.1:{_port(process, log)}"
        yield RunningRegistry(f"http://{host}", host, process, storage, log)
    finally:
        process.kill()
        process.wait()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        found = _LISTENS.search(_COLOUR.sub("", log.read_text()))
        if found:
            return int(found[1])
        time.sleep(0.005)
    raise AssertionError(f"{CRATE} did not start:\n{log.read_text()}")
