"""A disk that is full while something is built or packed: said so, and nothing half written."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ocm_pkg.builders import result
from ocm_pkg.builders.inline import InlineExecutor
from ocm_pkg.builders.prebuilt import PrebuiltBuilder
from ocm_pkg.errors import NoSpaceError
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.project import parse_project
from ocm_pkg.services import package
from ocm_pkg.services.build import Sources, build
from tests.fakes.binaries import elf
from tests.fakes.command import Command
from tests.fakes.trees import snapshot

YAML = """\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: example.com
build: {builder: prebuilt, path: made}
targets: [linux/arm64]
assets: [{name: docs, path: docs}]
"""
FOLDER = YAML.replace("path: made", "path: folder, shape: dir")


def no_space(*_arguments, **_rest):
    raise OSError(errno.ENOSPC, "No space left on device")


class Project:
    """A project that was built once, and is to be built anew."""

    def __init__(self, folder, text):
        self.folder, self.out = folder, folder / "dist"
        (folder / "docs").mkdir()
        (folder / "docs/a.md").write_text("a")
        (folder / "folder").mkdir()
        self.project = parse_project(text, name="x")
        self.config = digest_of(text.encode())
        self.change(b"first")
        self.build()
        self.prepare()

    def change(self, data):
        for name in ("made", "folder/hello"):
            (self.folder / name).write_bytes(elf(183) + data)

    def build(self, **keywords):
        sources = Sources(self.project, self.folder, "1.0.0", "abc", self.config, None)
        return build(
            sources,
            targets=self.project.targets,
            out=self.out,
            builders={"prebuilt": PrebuiltBuilder()},
            executor=InlineExecutor(),
            **keywords,
        )

    def prepare(self):
        return package.prepare(
            self.project,
            version="1.0.0",
            config=self.config,
            lock=None,
            folder=self.folder,
            out=self.out,
        )


@pytest.fixture(params=[YAML, FOLDER], ids=["file", "dir"])
def project(tmp_path, request):
    return Project(tmp_path, request.param)


def test_no_space_for_what_a_builder_takes(project, monkeypatch):
    before = snapshot(project.out)
    project.change(b"second")
    with monkeypatch.context() as patched:
        for name in ("copy_stable", "write_tree"):
            patched.setattr(result, name, no_space)
        with pytest.raises(NoSpaceError, match="no space") as caught:
            project.build()
    assert caught.value.hint
    assert snapshot(project.out) == before
    project.build()
    assert snapshot(project.out) != before


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_no_space_at_any_step_of_putting_it_in_its_place(project):
    steps = []
    project.change(b"second")
    project.build(fail_point=steps.append)
    assert len(steps) > 5
    for number, _step in enumerate(steps):
        before = contents(project.out)
        project.change(b"%d" % number)
        left = iter(range(number))

        def fail(_step, left=left):
            if next(left, None) is None:
                no_space()

        with pytest.raises(NoSpaceError):
            project.build(fail_point=fail)
        between = contents(project.out)
        project.build()
        after = contents(project.out)
        assert set(between) == set(before) == set(after)
        for name, data in between.items():
            assert data in (before[name], after[name])


def test_no_space_for_an_asset(project, monkeypatch):
    before = snapshot(project.out)
    (project.folder / "docs/a.md").write_text("b")
    with monkeypatch.context() as patched:
        patched.setattr(package, "write_tree", no_space)
        with pytest.raises(NoSpaceError, match=r"docs\.tar\.gz"):
            project.prepare()
    assert snapshot(project.out) == before
    project.prepare()
    assert snapshot(project.out) != before


INSIDE = """\
import json, os, subprocess, sys
from pathlib import Path
from tests.fakes.command import Command
from tests.fakes.trees import snapshot

folder = Path(sys.argv[1])
size = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", folder / "dist"]
subprocess.run(size, check=True)
command = Command(folder / "home")
assert command("build", cwd=folder).code == 0
before = snapshot(folder / "dist")
made = (folder / "made").read_bytes()
(folder / "made").write_bytes(made + os.urandom(1_000_000))
ran = command("build", "-o", "json", cwd=folder)
same = snapshot(folder / "dist") == before
(folder / "made").write_bytes(made)
assert command("build", cwd=folder).code == 0
(folder / "docs/a.md").write_bytes(os.urandom(1_000_000))
packed = command("package", "-o", "json", cwd=folder)
left = snapshot(folder / "dist") == before
(folder / "docs/a.md").write_bytes(b"a")
good = command("package", cwd=folder)
print(json.dumps([ran.code, ran.json["error"], same, packed.code, left, good.code]))
"""


def has_mounts() -> bool:
    """Whether a file system can be mounted that nobody else sees."""
    try:
        argv = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]
        return subprocess.run(argv, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not has_mounts(), reason="this user may not mount a file system")
def test_a_disk_that_is_really_full(tmp_path):
    for name, data in (("made", elf(183)), ("docs/a.md", b"a"), ("ocm-pkg.yaml", YAML.encode())):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    (tmp_path / "dist").mkdir()
    environ = Command(tmp_path / "home").environ
    done = subprocess.run(
        ["unshare", "-m", sys.executable, "-c", INSIDE, tmp_path],
        cwd=Path(__file__).parents[2],
        env=environ,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    code, error, same, packed, left, good = json.loads(done.stdout)
    assert (code, error["code"], same) == (1, "E111", True)
    assert "no space" in error["message"]
    assert "free" in error["hint"] + error["message"]
    assert (packed, left, good) == (1, True, 0)
