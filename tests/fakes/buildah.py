"""A store of buildah's own for tests, with images made from Debian roots."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ocm_pkg.builders.interpreter import PYINSTALLER
from ocm_pkg.fs.atomic import FileLock

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOTS = "OCM_PKG_TEST_ROOTS"
"""The variable that names the folder where roots and wheels are kept between runs."""

SCRIPTS = Path(__file__).parents[2] / "build_scripts"
_TIMEOUT = 300.0


class Buildah:
    """Images and containers in ``folder`` alone; ``environ`` makes every buildah use it."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "storage.conf"
        self._folder = folder
        for driver in ("overlay", "vfs"):
            self.config.write_text(
                f'[storage]\ndriver = "{driver}"\n'
                f'graphroot = "{folder}/{driver}"\nrunroot = "{folder}/run"\n'
            )
            if self._usable():
                return
        pytest.skip("needs a buildah that can make containers here")

    @property
    def environ(self) -> Mapping[str, str]:
        """The variables with which this store is used."""
        return {"CONTAINERS_STORAGE_CONF": str(self.config)}

    def __call__(self, *arguments: str | Path) -> str:
        """Run buildah; return what it says without the last line break."""
        done = subprocess.run(
            ["buildah", *map(str, arguments)],
            env={**os.environ, **self.environ},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=True,
        )
        return done.stdout.strip()

    def image(self, name: str, architecture: str, root: Path | None = None) -> str:
        """Make an image of a tar; return its name with its digest."""
        container = self("from", "--arch", architecture, "scratch")
        self("config", "--arch", architecture, container)
        if root is not None:
            self("add", "--quiet", container, root, "/")
        self("commit", "--quiet", "--timestamp", "0", "--rm", container, f"localhost/{name}")
        digest = self("images", "--digests", "--format", "{{.Digest}}", f"localhost/{name}")
        return f"localhost/{name}@{digest}"

    def containers(self) -> list[str]:
        """Return the containers that there are, also those that are half made."""
        return self("containers", "--all", "--quiet").split()

    def images(self) -> list[str]:
        """Return the images that there are, sorted."""
        return sorted(self("images", "--all", "--quiet", "--no-trunc").split())

    def close(self) -> None:
        """Remove all of it."""
        self("rm", "--all")
        self("rmi", "--all", "--force")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _usable(self) -> bool:
        try:
            self("rm", self("from", "scratch"))
        except subprocess.CalledProcessError:
            return False
        return True


def debian_root(architecture: str, config: pytest.Config) -> Path:
    """Return the tar of a Debian root, beside which are ``wheels``; made once for each lock."""
    named = os.environ.get(ROOTS)
    program = SCRIPTS / "debian_root.py"
    key = hashlib.sha256(PYINSTALLER.lock.read_bytes() + program.read_bytes()).hexdigest()
    folder = (Path(named) if named else config.cache.mkdir("debian-roots")) / key[:16]
    folder.mkdir(parents=True, exist_ok=True)
    script = [sys.executable, program, architecture, folder]
    with FileLock(folder / f"{architecture}.lock", _TIMEOUT):
        tar = folder / f"{architecture}.tar"
        if not tar.exists():
            done = subprocess.run(script, capture_output=True, timeout=_TIMEOUT, check=False)
            if done.returncode:
                pytest.skip(f"needs a mirror of Debian: {done.stderr[-200:]!r}")
    return tar
