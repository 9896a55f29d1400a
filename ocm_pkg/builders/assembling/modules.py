"""Which modules a plugin needs: what it imports, and whole distributions of what it uses."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .distributions import Distributions, is_data, is_test, module_in
from .imports import Edge, Reader

if TYPE_CHECKING:
    from collections.abc import Collection as Container
    from collections.abc import Sequence
    from pathlib import Path

    from .imports import Conditions

OWN, LIBRARY, BASE, SITE, FROZEN = "own", "library", "base", "site", "frozen"
"""Where a module is from: the plugin, Python's own sources, its native modules, distributions, or
the program itself, which has some built in."""

_FROM_NATIVE = (
    *("asyncio", "collections", "concurrent.futures", "contextlib", "copy", "copyreg", "ctypes"),
    *("dataclasses", "datetime", "decimal", "enum", "fractions", "functools", "inspect"),
    *("ipaddress", "json", "logging", "numbers", "operator", "pathlib", "pickle", "random", "re"),
    *("secrets", "ssl", "string", "tempfile", "types", "typing", "unicodedata", "urllib.parse"),
    *("uuid", "weakref", "zoneinfo"),
)
"""What native modules of distributions import: they have these names somewhere in their data."""

_FOR_DEVELOPERS = frozenset(
    {
        *("bdb", "cmd", "code", "codeop", "distutils", "doctest", "ensurepip", "idlelib"),
        *("lib2to3", "pdb", "pstats", "pydoc", "pydoc_data", "readline", "rlcompleter", "test"),
        *("timeit", "tkinter", "trace", "turtle", "unittest", "venv", "webbrowser", "profile"),
    }
)
"""What Python's own modules import only to be tried or debugged."""

_TEXT = re.compile(rb"\0([A-Za-z_][A-Za-z0-9_]*)(?=\0)")


@dataclass(frozen=True)
class Places:
    """Where modules are looked for, on a target whose native modules end in ``suffixes``.

    ``own`` are folders of the plugin's sources, ``library`` is Python's, ``base`` has the native
    modules of Python on the target, ``site`` the unpacked wheels; ``frozen`` are modules that the
    program has built in.
    """

    own: Sequence[Path]
    library: Path
    base: Path
    site: Path
    frozen: Container[str]
    suffixes: Sequence[str]


@dataclass
class Module:
    """A module: ``path`` is its source or native file, None for a folder without ``__init__``.

    ``folders`` are searched for what is in it, each with where it is from. ``certain``: the
    plugin can't run without it.
    """

    name: str
    origin: str
    path: Path | None
    folders: list[tuple[str, Path]] = field(default_factory=list)
    certain: bool = False

    @property
    def is_source(self) -> bool:
        """Whether it has a source, which can be compiled."""
        return self.path is not None and self.path.suffix == ".py"

    @property
    def package(self) -> str:
        """The package that its relative imports start from."""
        return self.name if self.folders else self.name.rpartition(".")[0]


class Modules:
    """What goes into a plugin: ``found`` by name, and ``data`` of distributions by path.

    ``missing`` has modules that the plugin needs and that are nowhere, with one that imports each.
    """

    def __init__(
        self, places: Places, conditions: Conditions, *, excludes: Container[str] = ()
    ) -> None:
        self.found: dict[str, Module] = {}
        self.data: dict[str, Path] = {}
        self.missing: dict[str, str] = {}
        self._places = places
        self._conditions = conditions
        self._excludes = excludes
        self._distributions = Distributions.in_folder(places.site)
        self._taken: set[str] = set()
        self._edges: dict[str, list[Edge]] = {}
        self._roots = [
            *((OWN, path) for path in places.own),
            (LIBRARY, places.library),
            (BASE, places.base),
            (SITE, places.site),
        ]

    def add_script(self, script: Path, conditions: Conditions) -> None:
        """Collect what a script needs; raise ``SyntaxError`` or ``ValueError`` if it isn't one."""
        try:
            edges = Reader("", conditions, own=True).read(script.read_bytes())
        except (SyntaxError, ValueError) as error:
            error.add_note(str(script))
            raise
        for edge in edges:
            self.reach(edge, script.name)

    def reach(self, edge: Edge, importer: str) -> None:
        """Collect a module with the packages that it is in, and all that they import."""
        waiting = [(edge, importer)]
        while waiting:
            edge, importer = waiting.pop()
            parts = edge.name.split(".")
            for count in range(1, len(parts) + 1):
                name = ".".join(parts[:count])
                if self._excluded(name):
                    break
                may_miss = edge.submodule and count == len(parts)
                following = self._step(Edge(name, edge.certain, may_miss), importer)
                if following is None:
                    break
                waiting += [(each, name) for each in following]

    def _excluded(self, name: str) -> bool:
        parts = name.split(".")
        return any(".".join(parts[:count]) in self._excludes for count in range(1, len(parts) + 1))

    def _step(self, edge: Edge, importer: str) -> list[Edge] | None:
        """Return what a module leads to; None if it isn't there."""
        module = self.found.get(edge.name)
        if module is not None and (module.certain or not edge.certain):
            return []
        if module is None:
            module = self._find(edge.name)
            if module is None:
                self._lacks(edge, importer)
                return None
            self.found[edge.name] = module
            self._edges[edge.name] = [*self._imports(module), *self._whole(module)]
        module.certain = edge.certain
        return [
            Edge(each.name, each.certain and module.certain, each.submodule)
            for each in self._edges[edge.name]
        ]

    def _find(self, name: str) -> Module | None:
        """Return a module whose package is found already; None if it is nowhere."""
        if name in self._places.frozen:
            folder, _, last = name.replace(".", "/").rpartition("/")
            source = self._on_disk(name, [(FROZEN, self._places.library / folder)], last)
            return source or Module(name, FROZEN, None)
        parent, _, last = name.rpartition(".")
        return self._on_disk(name, self.found[parent].folders if parent else self._roots, last)

    def _on_disk(self, name: str, roots: list[tuple[str, Path]], last: str) -> Module | None:
        spaces = []
        for origin, root in roots:
            folder = root / last
            if (source := folder / "__init__.py").is_file():
                return Module(name, origin, source, [(origin, folder)])
            native = () if origin in {LIBRARY, FROZEN} else self._places.suffixes
            for suffix in (".py", *native):
                if (path := root / f"{last}{suffix}").is_file():
                    return Module(name, origin, path)
            if origin in {OWN, SITE} and folder.is_dir():
                spaces.append((origin, folder))
        return Module(name, spaces[0][0], None, spaces) if spaces else None

    def _lacks(self, edge: Edge, importer: str) -> None:
        top = self.found.get(edge.name.partition(".")[0])
        user = self.found.get(importer)
        # Some packages make modules of themselves when they are imported.
        made = top is not None and top.origin == user.origin == SITE if user else False
        if edge.certain and not edge.submodule and not made:
            self.missing.setdefault(edge.name, importer)

    def _imports(self, module: Module) -> list[Edge]:
        if module.path is None:
            return []
        data, own = module.path.read_bytes(), module.origin == OWN
        if not module.is_source:
            return _named_in(data, module.origin)
        try:
            edges = Reader(module.package, self._conditions, own=own).read(data)
        except (SyntaxError, ValueError) as error:
            if own:
                error.add_note(str(module.path))
                raise
            return []
        if module.origin not in {LIBRARY, FROZEN}:
            return edges
        return [e for e in edges if e.certain or e.name.split(".")[0] not in _FOR_DEVELOPERS]

    def _whole(self, module: Module) -> list[Edge]:
        """Return the rest of the distribution that a module is of, and of what that requires."""
        if module.origin != SITE or module.path is None:
            return []
        path = module.path.relative_to(self._places.site).as_posix()
        waiting, edges = [self._distributions.owner.get(path, "")], []
        while waiting:
            name = waiting.pop()
            if name in self._taken:
                continue
            self._taken.add(name)
            waiting += self._distributions.requires.get(name, [])
            edges += [
                Edge(dotted, certain=False)
                for path in self._distributions.files.get(name, [])
                if (dotted := self._take(path)) is not None
            ]
        return edges

    def _take(self, path: str) -> str | None:
        """Take a file of a distribution; return the module that it is, if it is one."""
        dotted = module_in(path, self._places.suffixes)
        if self._excluded(dotted or path.replace("/", ".")):
            return None
        if dotted is None and is_data(path):
            self.data[path] = self._places.site / path
        return None if is_test(path) else dotted


def _named_in(data: bytes, origin: str) -> list[Edge]:
    """Return what a native module may import: modules that it has the name of."""
    if origin == BASE:
        texts = {text.decode() for text in _TEXT.findall(data)}
        known = sorted(texts & sys.stdlib_module_names)
    else:
        known = [name for name in _FROM_NATIVE if name.encode() in data]
    return [Edge(name, certain=False) for name in known]
