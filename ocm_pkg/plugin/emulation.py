"""How a program is run that may be for another processor: as it is, or through an emulator.

A Linux program for another processor runs as any other where the kernel knows an emulator for it
(binfmt_misc). Elsewhere QEMU's user mode runs it, if it starts no further program of its platform.
"""

from __future__ import annotations

import mmap
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ocm_pkg.fs.binfmt import is_registered
from ocm_pkg.fs.blob import open_regular
from ocm_pkg.model.binary import HEADER_BYTES
from ocm_pkg.model.elf import loader_of
from ocm_pkg.model.onefile import is_pyinstaller

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocm_pkg.model.platform import Platform

REGISTRATIONS = Path("/proc/sys/fs/binfmt_misc")

_QEMU = {
    # architecture: its name in QEMU, and the folder of its libraries in /usr
    "386": ("i386", "i686-linux-gnu"),
    "amd64": ("x86_64", "x86_64-linux-gnu"),
    "arm": ("arm", "arm-linux-gnueabihf"),
    "arm64": ("aarch64", "aarch64-linux-gnu"),
    "loong64": ("loongarch64", "loongarch64-linux-gnu"),
    "mips64le": ("mips64el", "mips64el-linux-gnuabi64"),
    "ppc64": ("ppc64", "powerpc64-linux-gnu"),
    "ppc64le": ("ppc64le", "powerpc64le-linux-gnu"),
    "riscv64": ("riscv64", "riscv64-linux-gnu"),
    "s390x": ("s390x", "s390x-linux-gnu"),
}


@dataclass(frozen=True, slots=True)
class Way:
    """How a program is run: ``prefix`` comes before it, ``how`` says so for people.

    ``starts_others``: it may start programs of its platform, itself for one. With a ``problem`` it
    can't be run here at all, and that is why.
    """

    prefix: tuple[str, ...] = ()
    how: str = ""
    starts_others: bool = True
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """What programs are run on. ``registrations`` is the folder of binfmt_misc."""

    host: Platform
    environment: Mapping[str, str]
    registrations: Path = REGISTRATIONS
    root: Path = Path("/")

    def way_for(self, program: Path, platform: Platform) -> Way:
        """Return how ``program``, which is for ``platform``, is run here.

        Raises ``OcmPkgError`` or ``OSError`` if it can't be read.
        """
        if platform == self.host:
            return Way()
        if (platform.os, self.host.os) != ("linux", "linux") or platform.architecture not in _QEMU:
            return Way(problem=f"it is for {platform}, and this machine is {self.host}")
        with (
            open_regular(program) as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            loader, starts_itself = loader_of(data), is_pyinstaller(data)
            header = data[:HEADER_BYTES]
        name, triplet = _QEMU[platform.architecture]
        libraries = self._libraries(loader, triplet)
        if libraries is None:
            return Way(
                problem=f"it needs the loader {loader} of {platform}, which is not here"
                f" (on Debian: libc6-{_debian(platform.architecture)}-cross)"
            )
        if is_registered(header, self.registrations):
            env = self._which("env") or "/usr/bin/env"
            set_root = (env, f"QEMU_LD_PREFIX={libraries}") if libraries else ()
            return Way(set_root, "by the emulator that the kernel knows (binfmt_misc)")
        return self._qemu(platform, name, libraries, starts_itself=starts_itself)

    def _qemu(self, platform: Platform, name: str, libraries: str, *, starts_itself: bool) -> Way:
        names = (f"qemu-{name}-static", f"qemu-{name}")
        qemu = next((found for each in names if (found := self._which(each))), None)
        if qemu is None:
            return Way(
                problem=f"it is for {platform}; no {names[0]} is on PATH, and the kernel has no"
                " binfmt_misc entry for it"
            )
        if starts_itself:
            return Way(
                problem=f"it is for {platform}, and PyInstaller's boot loader starts itself again,"
                f" which {Path(qemu).name} can do only with a binfmt_misc entry"
            )
        root = ("-L", libraries) if libraries else ()
        return Way((qemu, *root), f"by {Path(qemu).name}", starts_others=False)

    def _libraries(self, loader: str | None, triplet: str) -> str | None:
        """Return the folder that stands for ``/``; empty if there needs to be none."""
        if loader is None or self._inside(self.root, loader).exists():
            return ""
        folder = self.root / "usr" / triplet
        return str(folder) if self._inside(folder, loader).exists() else None

    @staticmethod
    def _inside(folder: Path, path: str) -> Path:
        return folder / path.lstrip("/")

    def _which(self, name: str) -> str | None:
        return shutil.which(name, path=self.environment.get("PATH"))


def _debian(architecture: str) -> str:
    names = {"386": "i386", "arm": "armhf", "ppc64le": "ppc64el", "mips64le": "mips64el"}
    return names.get(architecture, architecture)
