"""A plugin in Python, built again with PyInstaller from its commit."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from tests.fakes.command import Command
from tests.fakes.gitrepo import committed, git
from tests.fakes.rebuild_project import tools

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("git") is None, reason="needs git"),
    pytest.mark.skipif(
        sys.platform != "linux" or shutil.which("objdump") is None,
        reason="needs Linux with binutils",
    ),
]
REF = "ctf//example.com/plugins/hello"


class Published:
    """A new project, committed, built in a shape, packaged and signed."""

    def __init__(self, root: Path, shape: str, change: tuple[str, str] | None = None) -> None:
        self.command = Command(root / "home")
        self.folder = root / "hello"
        assert self.command("init", "hello", cwd=root).code == 0
        self.commit = committed(self.folder)
        if change is not None:
            (file,) = self.folder.glob("src/*/repository.py")
            assert change[0] in file.read_text()
            git(self.folder, "update-index", "--assume-unchanged", str(file))
            file.write_text(file.read_text().replace(*change))
        self.run("build", "--shape", shape, timeout=300)
        self.run("package", "--partial")
        self.run("key", "new")
        self.run("sign", "cv", REF)

    def run(self, *words, **how):
        ran = self.command(*words, cwd=self.folder, **how)
        assert ran.code == 0, ran.err

    def rebuild(self, *words):
        words = ("rebuild", REF, "--source", ".", "-o", "json", *words)
        return self.command(*words, cwd=self.folder, timeout=300)


@pytest.mark.parametrize("shape", ["dir", "file", "launcher"])
def test_the_same_commit_gives_the_same_bytes(shape, tmp_path):
    if shape == "launcher" and shutil.which("go") is None:
        pytest.skip("needs go")
    ran = Published(tmp_path, shape).rebuild()
    assert ran.code == 0, ran.err
    assert ran.json["result"] == "identical"


@pytest.mark.parametrize(
    ("shape", "where"), [("dir", ["hello/hello"]), ("file", [])], ids=["dir", "file"]
)
def test_one_changed_byte_of_a_source_is_found_in_the_program(shape, where, tmp_path):
    ran = Published(tmp_path, shape, ("'Hello'", "'HellO'")).rebuild()
    assert (ran.code, ran.json["result"]) == (4, "different"), ran.err
    (target,) = [one for one in ran.json["targets"] if one["result"] == "different"]
    *outer, archive, module = target["difference"]["where"]
    assert (outer, archive) == (where, "PYZ.pyz")
    assert module.endswith(".repository")


def test_another_interpreter_is_refused_by_name_before_anything_is_built(tmp_path):
    published = Published(tmp_path, "dir")
    (file,) = (published.folder / "dist").glob("*.provenance.json")
    said = json.loads(file.read_bytes())
    here = tools(said)["python"]
    tools(said).update({"python": "3.11.0", "python-digest": "sha256:" + "0" * 64})
    file.write_text(json.dumps(said))
    constructor = published.folder / "dist/component-constructor.yaml"
    policy = ("--component-version-conflict-policy", "replace")
    published.run("add", "cv", "-r", "ctf", "-c", constructor, *policy)
    published.run("sign", "cv", REF, "--force")
    ran = published.rebuild()
    assert (ran.code, ran.json["error"]["code"]) == (6, "E601")
    detail = "\n".join(ran.json["error"]["detail"])
    assert f"python: recorded 3.11.0, here {here}" in detail
    assert f"python-digest: recorded sha256:{'0' * 64}, here sha256:" in detail
    assert "building" not in ran.err
