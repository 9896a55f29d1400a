"""A working folder with inputs, and constructors over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ocm_pkg.fs.blob import read_all
from ocm_pkg.fs.inputs import Workplace
from ocm_pkg.model.constructor import parse_constructor
from ocm_pkg.model.yamltext import dump
from ocm_pkg.services.construct import construct

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ocm_pkg.services.construct import Constructed

LIMIT = 1024 * 1024


class Folder:
    """A working folder with two files and a tree, and a scratch folder beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "work"
        self.scratch = root / "scratch"
        self.scratch.mkdir()
        self.keep = True
        (self.root / "tree/sub").mkdir(parents=True)
        (self.root / "plain.txt").write_text("plain\n")
        (self.root / "tree/a.txt").write_text("ay\n")
        (self.root / "tree/sub/b.log").write_text("bee\n")

    def construct(
        self, *components: Mapping[str, Any], **arguments: Any
    ) -> tuple[Constructed, ...]:
        text = dump({"components": list(components)})
        constructor = parse_constructor(text.encode(), name="c.yaml", variables={})
        size = arguments.pop("max_input_size", LIMIT)
        for old in self.scratch.iterdir():
            old.unlink()
        workplace = Workplace(self.root, self.scratch, size, keep=self.keep)
        return construct(constructor, workplace, **arguments)

    def content(self, **spec: Any) -> bytes:
        (made,) = self.construct(component(resource(input=spec)))
        (blob,) = made.contents.values()
        return read_all(blob, LIMIT, "content")


def resource(**members: Any) -> dict[str, Any]:
    return {"name": "data", "version": "1.0.0", "type": "blob", **members}


def component(*resources: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {
        "name": "example.com/some",
        "version": "1.0.0",
        "provider": {"name": "example.com"},
        "resources": list(resources),
        **members,
    }
