"""Collect the modules of a plugin, compile them and write them, as a file of settings says.

The settings are one JSON object; the answer is another, in the file that they name as ``answer``.
"""

from __future__ import annotations

import importlib.util
import json
import marshal
import shutil
import struct
import sys
import sysconfig
import warnings
from dataclasses import dataclass
from pathlib import Path

from .imports import Conditions, Edge
from .modules import BASE, FROZEN, SITE, Modules, Places

_ALWAYS = ("_strptime", "_pylong", "linecache", "locale", "threading", "traceback", "warnings")
"""What the interpreter itself imports when it is asked for something, where there is one."""

_TIME_ZONES = "/usr/share/zoneinfo:/usr/lib/zoneinfo:/usr/share/lib/zoneinfo:/etc/zoneinfo"
_UNCHECKED = 1


@dataclass(frozen=True)
class Settings:
    """What the builder asks for; all are paths but names of modules, suffixes and ``system``.

    ``hidden`` are modules that nothing imports by name, ``library`` is the folder to write to and
    ``native`` where in it native modules of Python go.
    """

    script: str
    name: str
    own: list[str]
    base: str
    site: str
    frozen: list[str]
    suffixes: list[str]
    system: str
    hidden: list[str]
    excludes: list[str]
    library: str
    native: str
    answer: str


def collect(settings: Settings) -> Modules:
    """Return what the plugin needs."""
    places = Places(
        own=[Path(path) for path in settings.own],
        library=Path(sysconfig.get_path("stdlib")),
        base=Path(settings.base),
        site=Path(settings.site),
        frozen=frozenset(settings.frozen),
        suffixes=settings.suffixes,
    )
    excludes = frozenset(settings.excludes)
    modules = Modules(places, Conditions(settings.system), excludes=excludes)
    modules.add_script(Path(settings.script), Conditions(settings.system, main=True))
    for name in settings.hidden:
        modules.reach(Edge(name, certain=True), "the project file")
    for name in _ALWAYS:
        modules.reach(Edge(name, certain=False), "Python")
    return modules


def write(settings: Settings, modules: Modules) -> None:
    """Write ``lib``: each module compiled, native ones and data as they are."""
    library = Path(settings.library)
    script = Path(settings.script).read_bytes()
    put(library / f"__main__{settings.name}.pyc", compiled(script, f"{settings.name}.py"))
    startup = Path(__file__).with_name("startup.py").read_bytes()
    put(library / f"__init__{settings.name}.pyc", compiled(startup, "startup.py"))
    # The program looks here for its name if it was given another one.
    constants = f"__EXECUTABLES__ = {settings.name!r}\n".encode()
    put(library / "BUILD_CONSTANTS.pyc", compiled(constants, "BUILD_CONSTANTS.py"))
    if "sysconfig" in modules.found:
        name, values = configuration(settings)
        put(library / f"{name}.pyc", compiled(values.encode(), f"{name}.py"))
    for path, source in sorted(modules.data.items()):
        copy(source, library / path)
    for name, module in sorted(modules.found.items()):
        if module.path is None or module.origin == FROZEN:
            continue
        inside = "/".join([*name.split("."), "__init__"] if module.folders else name.split("."))
        if module.origin == BASE:
            copy(module.path, library / settings.native / module.path.name)
        elif not module.is_source:
            copy(module.path, (library / inside).with_name(module.path.name))
        else:
            try:
                code = compiled(module.path.read_bytes(), f"{inside}.py")
            except (SyntaxError, ValueError):
                if module.certain:
                    raise
                continue  # part of a distribution that this Python can't read, nor needs
            put(library / f"{inside}.pyc", code)


def configuration(settings: Settings) -> tuple[str, str]:
    """Return the module that tells how Python was built: no more of it than a plugin can use."""
    tag = settings.suffixes[0].removeprefix(".").removesuffix(".so")
    multiarch = tag.split("-", maxsplit=2)[2]
    values = {
        "EXT_SUFFIX": settings.suffixes[0],
        "MULTIARCH": multiarch,
        "Py_DEBUG": 0,
        "Py_GIL_DISABLED": 0,
        "SOABI": tag,
        "TZPATH": _TIME_ZONES,
    }
    return f"_sysconfigdata__{settings.system}_{multiarch}", f"build_time_vars = {values!r}\n"


def compiled(data: bytes, name: str) -> bytes:
    """Return the bytecode file of a source, which is the same wherever the source is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = compile(data, name, "exec", dont_inherit=True, optimize=0)
    header = struct.pack("<I", _UNCHECKED) + importlib.util.source_hash(data)
    return importlib.util.MAGIC_NUMBER + header + marshal.dumps(code)


def put(path: Path, data: bytes) -> None:
    """Write a file, in folders that are made for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def copy(source: Path, path: Path) -> None:
    """Copy the content of a file, in folders that are made for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, path)


def main() -> None:
    """Do what the settings say, unless something is missing; say what was found."""
    settings = Settings(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    try:
        modules = collect(settings)
        if not modules.missing:
            write(settings, modules)
    except (SyntaxError, ValueError) as error:
        sys.exit(" ".join([f"not Python: {error}", *getattr(error, "__notes__", ())]))
    used = [module.path for module in modules.found.values() if module.origin == SITE]
    answer = {
        "missing": modules.missing,
        "packaged": sorted(str(path) for path in (*used, *modules.data.values()) if path),
    }
    Path(settings.answer).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
