"""Freeze with cx_Freeze as a file of settings says; run by the Python that has it.

What would say when, where or by whom it was built is left out of the folder, so that the same
sources, packages and Python give the same files.
"""  # noqa: INP001

from __future__ import annotations

import json
import sys
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Any

_STAMPS = ("BUILD_TIMESTAMP", "BUILD_HOST", "SOURCE_TIMESTAMP")
_HEADER = slice(4, 16)  # of a .pyc: how it is checked against a source, which isn't there


def constants(cx_freeze: Any) -> Any:  # noqa: ANN401 (only the Python that runs this has it)
    """Return the constants of a build, without its time and machine."""
    made = cx_freeze.ConstantsModule()

    def create(tmp_path: Path, _modules: list[Any]) -> Path:
        values = {**made.values, **dict.fromkeys(_STAMPS, "")}
        path = Path(tmp_path, f"{made.module_name}.py")
        lines = [f"{name} = {value!r}\n" for name, value in sorted(values.items())]
        path.write_text("".join(lines), encoding="utf-8")
        return path

    made.create = create
    return made


def order_sets(parser: Any) -> None:  # noqa: ANN401
    """Give libraries in an order that doesn't depend on where their folders are."""
    needed, set_rpath = parser.get_dependent_files, parser.set_rpath

    def get_dependent_files(self: Any, filename: Any) -> list[Path]:  # noqa: ANN401
        return sorted(needed(self, filename), key=lambda path: (path.name, str(path)))

    def set_sorted_rpath(self: Any, filename: Any, rpath: str) -> None:  # noqa: ANN401
        set_rpath(self, filename, ":".join(sorted(rpath.split(":"))))

    parser.get_dependent_files = get_dependent_files
    parser.set_rpath = set_sorted_rpath


def without_times(name: str, data: bytes) -> bytes:
    """Return a file without the time of its source."""
    if not name.endswith(".pyc"):
        return data
    plain = bytearray(data)
    plain[_HEADER] = bytes(12)
    return bytes(plain)


def clean(folder: Path) -> None:
    """Write what has times in it again, without them, in the order of names.

    A script of ``ctypes`` that fetches its sources is removed: it would be a second program.
    """
    for path in folder.rglob("ctypes/macholib/fetch_macholib*"):
        path.unlink()
    for path in folder.rglob("*.pyc"):
        path.write_bytes(without_times(path.name, path.read_bytes()))
    for path in folder.rglob("library.zip"):
        with zipfile.ZipFile(path) as archive:
            files = {name: archive.read(name) for name in sorted(archive.namelist())}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for name, data in files.items():
                archive.writestr(zipfile.ZipInfo(name), without_times(name, data))


def main() -> None:
    """Freeze; the settings are those that the builder wrote."""
    settings = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    cx_freeze = import_module("cx_Freeze")
    order_sets(import_module("cx_Freeze.dep_parser").ELFParser)
    freezer = cx_freeze.Freezer(
        [cx_freeze.Executable(settings["script"], target_name=settings["name"])],
        constants(cx_freeze),
        includes=settings["includes"],
        excludes=settings["excludes"],
        path=[*settings["paths"], *sys.path],
        replace_paths=[("*", "")],
        target_dir=settings["target"],
        silent=1,
    )
    freezer.freeze()
    clean(Path(settings["target"]))
    taken = sorted({str(module.file) for module in freezer.finder.modules if module.file})
    Path(settings["taken"]).write_text(json.dumps(taken), encoding="utf-8")


if __name__ == "__main__":
    main()
