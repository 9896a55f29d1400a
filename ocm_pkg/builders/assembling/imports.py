"""What a module imports on the target, as its source says: nothing of it is run."""

from __future__ import annotations

import ast
import operator
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_CALLED = (b"__import__", b"import_module")
_BLOCKS = ("body", "orelse", "cases")
_CAUGHT = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
_COMPARED: Mapping[type[ast.cmpop], Callable[[object, object], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.GtE: operator.ge,  # type: ignore[dict-item]
    ast.Lt: operator.lt,  # type: ignore[dict-item]
    ast.In: lambda value, others: value in others,  # type: ignore[operator]
    ast.NotIn: lambda value, others: value not in others,  # type: ignore[operator]
}
_Value: TypeAlias = "str | int | tuple[int, int]"


@dataclass(frozen=True)
class Edge:
    """An import: ``certain`` if it happens whenever its module is imported.

    ``submodule``: it may just as well be the name of something in its package.
    """

    name: str
    certain: bool
    submodule: bool = False


class Conditions:
    """What conditions give on the target. ``system`` is its ``sys.platform``.

    ``main``: the module is the program itself.
    """

    def __init__(
        self, system: str, version: tuple[int, int] = sys.version_info[:2], *, main: bool = False
    ) -> None:
        self._main = main
        self._known: dict[tuple[str, str], _Value] = {
            ("sys", "platform"): system,
            ("os", "name"): "posix",
            ("sys", "version_info"): version,
        }

    def truth(self, test: ast.expr) -> bool | None:
        """Return whether ``test`` holds; None if that is not known before it runs."""
        known: bool | None = None
        match test:
            case ast.UnaryOp(op=ast.Not()):
                inner = self.truth(test.operand)
                known = None if inner is None else not inner
            case ast.BoolOp():
                decides = isinstance(test.op, ast.Or)
                found = [self.truth(value) for value in test.values]
                undecided = None if None in found else not decides
                known = decides if decides in found else undecided
            case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
                known = False
            case ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()]):
                known = self._main
            case ast.Compare(ops=[how], comparators=[right]):
                known = _compare(self._value(test.left), how, _literal(right))
            case ast.Call(func=ast.Attribute(attr="startswith", value=what), args=[prefix]):
                known = _starts(self._value(what), _literal(prefix))
            case _:
                pass
        return known

    def _value(self, node: ast.expr) -> _Value | None:
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute):
                return self._known.get((name.lstrip("_"), attribute))
            case ast.Subscript(value=whole, slice=ast.Constant(value=0)):
                value = self._value(whole)
                return value[0] if isinstance(value, tuple) else None
            case _:
                return None


@dataclass(frozen=True)
class Reader:
    """Reads the imports of a module in ``package``; ``own``: the plugin's, not a library's.

    Without ``calls`` only statements are read.
    """

    package: str
    conditions: Conditions
    own: bool
    calls: bool = True

    def read(self, source: bytes) -> list[Edge]:
        """Return the imports; raise ``SyntaxError`` or ``ValueError`` if it isn't Python."""
        calls = any(name in source for name in _CALLED)
        return list(replace(self, calls=calls).within(ast.parse(source).body))

    def within(self, nodes: Iterable[ast.AST], *, certain: bool = True) -> Iterator[Edge]:
        """Yield the imports in ``nodes``; none is certain unless the nodes are."""
        for node in nodes:
            for edge in self._edges(node):
                yield edge if certain else replace(edge, certain=False)

    def _edges(self, node: ast.AST) -> Iterator[Edge]:
        match node:
            case ast.Import():
                yield from (Edge(alias.name, certain=True) for alias in node.names)
            case ast.ImportFrom():
                yield from self._imported_from(node)
            case ast.If():
                truth = self.conditions.truth(node.test)
                if truth is not False:
                    yield from self.within(node.body, certain=truth is True)
                if truth is not True:
                    yield from self.within(node.orelse, certain=truth is False)
            case ast.Try() | ast.TryStar():
                guarded = any(_catches(handler.type) for handler in node.handlers)
                yield from self.within([*node.body, *node.orelse], certain=not guarded)
                yield from self.within(node.handlers, certain=False)
                yield from self.within(node.finalbody)
            case ast.With():
                suppressed = any("suppress" in ast.dump(item.context_expr) for item in node.items)
                yield from self.within(node.body, certain=not suppressed)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                # Functions of the plugin will be called; those of libraries perhaps not.
                yield from self.within(node.body, certain=self.own)
            case ast.Call(
                func=ast.Name(id="__import__" | "import_module")
                | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name))],
            ) if not name.startswith("."):
                yield Edge(name, certain=True)
            case _:
                yield from self.within(self._parts(node))

    def _parts(self, node: ast.AST) -> Iterable[ast.AST]:
        if self.calls:
            return ast.iter_child_nodes(node)
        return (part for name in _BLOCKS for part in getattr(node, name, ()))

    def _imported_from(self, node: ast.ImportFrom) -> Iterator[Edge]:
        parts = self.package.split(".")
        if node.level > len(parts):
            return
        base = parts[: len(parts) - node.level + 1] if node.level else []
        name = ".".join(filter(None, [*base, node.module]))
        if name:
            yield Edge(name, certain=True)
            for alias in node.names:
                yield Edge(f"{name}.{alias.name}", certain=True, submodule=True)


def _catches(kind: ast.expr | None) -> bool:
    """Whether an ``except`` of this kind is reached if a module is missing."""
    if kind is None:
        return True
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    names = {getattr(each, "id", getattr(each, "attr", None)) for each in kinds}
    return bool(names & _CAUGHT)


def _compare(value: _Value | None, how: ast.cmpop, other: object) -> bool | None:
    compared = _COMPARED.get(type(how))
    if value is None or other is None or compared is None:
        return None
    if isinstance(value, tuple) and isinstance(other, tuple) and other[:2] == value != other:
        return None  # the last part of the version decides, which isn't known
    try:
        return compared(value, other)
    except TypeError:
        return None


def _starts(value: _Value | None, prefix: object) -> bool | None:
    if not isinstance(value, str) or not isinstance(prefix, str | tuple):
        return None
    return value.startswith(prefix)


def _literal(node: ast.expr) -> object:
    """Return the value of a literal; None if it is none."""
    try:
        value: object = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return None
    return value
