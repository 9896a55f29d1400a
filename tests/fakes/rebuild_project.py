"""A project in a git repository, built by a shell command, packaged and signed by the command."""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.fakes.binaries import elf
from tests.fakes.command import Command
from tests.fakes.gitrepo import committed, git

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.command import Ran

NAME = "example.com/plugins/hello"
YAML = f"""\
formatVersion: 1
component: {NAME}
version: 1.0.0
provider: example.com
build: {{builder: command, run: [sh, make.sh], output: out/hello, shape: SHAPE}}
targets: [linux/arm64]
"""
MAKE = {
    "file": 'cat program text > "$OCM_PKG_OUTPUT"\n',
    "dir": 'mkdir -p "$OCM_PKG_OUTPUT"; cp program "$OCM_PKG_OUTPUT/hello"\n'
    'cp text "$OCM_PKG_OUTPUT/data"\n',
}


@dataclass
class RebuildProject:
    """The folder of the project, and how its commands are run."""

    root: Path
    shape: str = "file"
    ref: str = field(init=False, default=f"ctf//{NAME}")

    def __post_init__(self) -> None:
        self.folder = self.root / "project"
        self.marker = self.root / "ran"
        self.command = Command(self.root / "home")
        self.commit = committed(
            self.folder,
            {
                "ocm-pkg.yaml": YAML.replace("SHAPE", self.shape),
                "make.sh": f"mkdir -p out; touch {self.marker}\n{MAKE[self.shape]}",
                "text": "hello\n",
                ".gitignore": "dist/\nctf/\nout/\nkept/\n",
            },
        )
        (self.folder / "program").write_bytes(elf(183))
        self.commit = committed(self.folder)

    def copy(self, root: Path) -> RebuildProject:
        """Return the same project, published or not, in another folder."""
        shutil.copytree(self.root, root, symlinks=True)
        other = copy.copy(self)
        other.root, other.folder = root, root / "project"
        other.command = Command(root / "home")
        return other

    def run(self, *words: object, **how: Any) -> Ran:
        """Run a command in the project's folder."""
        return self.command(*words, cwd=self.folder, **how)

    def done(self, *words: object, **how: Any) -> Ran:
        """Run a command that must succeed."""
        ran = self.run(*words, **how)
        assert ran.code == 0, ran.err
        return ran

    def hide_change(self, name: str, text: str) -> None:
        """Change a file behind the back of git, which says that nothing was changed."""
        git(self.folder, "update-index", "--assume-unchanged", name)
        (self.folder / name).write_text(text)

    def publish(self) -> None:
        """Build, package and sign."""
        self.done("build")
        self.done("package")
        self.sign()

    def republish(self, edit: Callable[[dict[str, Any]], object]) -> None:
        """Change the provenance of what was published, and sign that."""
        (file,) = (self.folder / "dist").glob("*.provenance.json")
        said = json.loads(file.read_bytes())
        edit(said)
        file.write_text(json.dumps(said))
        self._add(self.folder / "dist/component-constructor.yaml")
        self.sign()

    def recommit(self) -> str:
        """Commit what was changed; return the commit."""
        self.commit = committed(self.folder)
        return self.commit

    def _add(self, constructor: Path) -> None:
        policy = ("--component-version-conflict-policy", "replace")
        self.done("add", "cv", "-r", "ctf", "-c", constructor, *policy)

    def without_provenance(self) -> None:
        """Package again without it, and sign that."""
        file = self.folder / "dist/component-constructor.yaml"
        text = file.read_text()
        file.write_text(text[: text.index("  - name: hello-provenance\n")])
        self._add(file)
        self.sign()

    def sign(self) -> None:
        """Sign with the user's key, which is made for the first signature."""
        if not (Path(self.command.environ["HOME"]) / ".config/ocm-pkg/keys").exists():
            self.done("key", "new")
        self.done("sign", "cv", self.ref, "--force")
        self.marker.unlink(missing_ok=True)

    def rebuild(self, *words: object, **how: Any) -> Ran:
        """Build it again."""
        return self.run("rebuild", self.ref, "-o", "json", *words, **how)


def parameters(said: dict[str, Any]) -> dict[str, Any]:
    """Return what provenance says of the build from outside."""
    found: dict[str, Any] = said["predicate"]["buildDefinition"]["externalParameters"]
    return found


def tools(said: dict[str, Any]) -> dict[str, str]:
    """Return what provenance says of the tools."""
    found: dict[str, str] = said["predicate"]["buildDefinition"]["internalParameters"]["tools"]
    return found
