"""The interpreter of another platform, as a wheel of freeze-core has it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocm_pkg.errors import BinaryPlatformError, BuildError
from ocm_pkg.fs.blob import open_regular
from ocm_pkg.fs.oserror import storage_errors
from ocm_pkg.model.binary import HEADER_BYTES, platforms_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ocm_pkg.model.platform import Platform

NATIVE = "freeze_core/lib"
"""Where in the plugin's ``lib`` the native modules of Python go: in the place that they have in
the wheel, from where they find their libraries."""

_SHARED = ("freeze_core.libs", "freeze_core/bases/lib")
_MAC_PYTHON = "Python"
_LIBRARY_NAMES = (".so", ".dylib")


@dataclass(frozen=True, slots=True)
class BaseInterpreter:
    """An unpacked wheel: ``program`` starts a plugin, ``version`` is of Python.

    ``frozen`` are the modules that the program has built in; native modules end in ``suffixes``.
    """

    folder: Path
    program: Path
    version: str
    frozen: tuple[str, ...]
    suffixes: tuple[str, ...]

    @classmethod
    def in_folder(cls, folder: Path, wheel: str) -> BaseInterpreter:
        """Read what was unpacked of ``wheel``; raise ``BuildError`` if that is no interpreter."""
        core = folder / "freeze_core"
        programs = sorted(core.glob("bases/console-cpython-*"))
        known = sorted(core.glob("frozen/frozen-cpython-*.json"))
        if len(programs) != 1 or len(known) != 1 or not (core / "lib").is_dir():
            raise BuildError(
                f"{wheel} has no whole interpreter",
                hint="choose the builder pyinstaller, on the platform itself",
            )
        with storage_errors(f"reading {known[0]}", folder):
            modules = json.loads(known[0].read_bytes())
        tag = programs[0].name.removeprefix("console-")
        return cls(
            folder=folder,
            program=programs[0],
            version=str(modules["__version__"]).split(" ", maxsplit=1)[0],
            frozen=tuple(sorted({*modules} - {"__version__"})),
            suffixes=(f".{tag}.so", ".abi3.so", ".so"),
        )

    @property
    def native(self) -> Path:
        """The folder of the native modules of Python."""
        return self.folder / NATIVE

    def put(self, made: Path, name: str) -> None:
        """Put the program ``name`` into ``made``, and the libraries that it and ``lib`` name."""
        with storage_errors(f"writing {made}", made.parent):
            program = made / name
            shutil.copyfile(self.program, program)
            program.chmod(0o755)
            using = [self.program, *native_files(made / "lib" / NATIVE)]
            for path in self._libraries(using):
                inside = path.relative_to(self.folder)
                place = made / "lib" / (inside.name if inside.name == _MAC_PYTHON else inside)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place)

    def _libraries(self, using: Sequence[Path]) -> list[Path]:
        """Return the libraries in the wheel that files name, and that those name in turn."""
        left = [
            path
            for place in _SHARED
            for path in sorted((self.folder / place).glob("*"))
            if path.is_file()
        ]
        taken: list[Path] = []
        fresh = list(using)
        while fresh:
            data = fresh.pop().read_bytes()
            named = [path for path in left if path.name.encode() in data]
            left = [path for path in left if path not in named]
            taken += named
            fresh += named
        return sorted(taken)


def native_files(folder: Path) -> Iterator[Path]:
    """Yield the libraries and native modules below ``folder``, in order."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and any(part in path.name for part in _LIBRARY_NAMES):
            yield path


def check_native_files(folder: Path, platform: Platform) -> None:
    """Raise ``BinaryPlatformError`` for machine code below ``folder`` that is not for it."""
    for path in native_files(folder):
        with open_regular(path) as stream:
            platforms = platforms_of(stream.read(HEADER_BYTES))
        if platforms and platform not in platforms:
            raise BinaryPlatformError(
                f"{path.relative_to(folder)} is for {platforms[0]}, and not for {platform}",
                hint="its wheel is made wrong: choose another version, or exclude the module",
            )
