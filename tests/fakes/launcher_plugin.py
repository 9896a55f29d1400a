"""A compiled launcher with a script as its program, and a home of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.model.platform import Platform
from tests.fakes.launchers import compiled
from tests.fakes.tars import Member, folder, link, program, tgz

if TYPE_CHECKING:
    from pathlib import Path

MARKS = [
    pytest.mark.skipif(shutil.which("go") is None, reason="needs go"),
    pytest.mark.skipif(sys.platform != "linux", reason="runs a Linux program"),
]
SCRIPT = b"""#!/bin/sh
test "$1" = stdin && exec cat
test "$1" = status && exit 7
echo "pid $$" "set $SETTING" "args $*"
cat "$(dirname "$0")/lib/text"
"""
MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
HOST = Platform("linux", MACHINE)


def real_launcher(work: Path, platform: Platform = HOST) -> bytes:
    """Return the launcher, by default for this machine; Go's own cache makes that quick."""
    environ = {key: os.environ[key] for key in ("PATH", "HOME", "GOCACHE") if key in os.environ}
    return compiled(platform, work, environ)


def payload(*more: Member) -> bytes:
    return tgz(
        folder("hello"),
        program("hello/hello", SCRIPT),
        Member("hello/lib/text", b"library\n"),
        link("hello/text", "lib/text"),
        *more,
    )


class LauncherPlugin:
    """One launcher with a home and a temporary folder of its own."""

    def __init__(self, root: Path, data: bytes) -> None:
        self.path = root / "plugin"
        self.path.write_bytes(data)
        self.path.chmod(0o755)
        self.home, self.temp = root / "home", root / "temp"
        for one in (self.home, self.temp):
            one.mkdir()
        self.env = {"PATH": "/usr/bin:/bin", "HOME": str(self.home), "TMPDIR": str(self.temp)}

    @property
    def cache(self) -> Path:
        return self.home / ".cache/ocm-pkg/launcher"

    @property
    def folder(self) -> Path:
        (found,) = [path for path in self.cache.iterdir() if path.is_dir()]
        return found

    def __call__(self, *arguments: str, **options) -> subprocess.CompletedProcess[bytes]:
        argv = [str(self.path), *arguments]
        keywords = {"env": self.env, "capture_output": True, "timeout": 60}
        return subprocess.run(argv, **{**keywords, **options}, check=False)

    def refused(self, reason: str, *arguments: str) -> None:
        ran = self(*arguments)
        said = ran.stderr.decode()
        assert (ran.returncode, ran.stdout) == (1, b""), said
        assert said.startswith("plugin: ")
        assert said.count("\n") == 1
        assert reason in said

    def left(self) -> list[str]:
        """Return what is in the caches, but for locks."""
        found = [*self.home.rglob("*"), *self.temp.rglob("*")]
        return [str(path) for path in found if path.is_file() and path.suffix != ".lock"]


def works(plugin: LauncherPlugin) -> None:
    """Check that the program runs as it should."""
    ran = plugin("x")
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout.endswith(b"args x\nlibrary\n")
