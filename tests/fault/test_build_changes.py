"""Sources that change while they are built or packed: an error, and what was there stays."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from ocm_pkg.builders import result
from ocm_pkg.builders.prebuilt import PrebuiltBuilder
from ocm_pkg.errors import LocalStorageError
from ocm_pkg.fs import tree
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.project import parse_project
from ocm_pkg.ports import BuildJob
from ocm_pkg.services.package import prepare
from tests.fakes.binaries import elf
from tests.fakes.command import Command
from tests.fakes.trees import snapshot

YAML = """\
formatVersion: 1
component: example.com/plugins/hello
version: {from: pyproject}
provider: example.com
targets:
  - {platform: linux/arm64, builder: command, run: [sh, make.sh], output: out/hello}
assets: [{name: docs, path: docs}]
"""
PYPROJECT = '[project]\nversion = "1.0.0"\n'
MAKE = 'cp program "$OCM_PKG_OUTPUT"\n'


@pytest.fixture
def command(tmp_path):
    return Command(tmp_path / "home")


@pytest.fixture
def project(command, tmp_path):
    """A project in a repository of git that was built once."""
    git = shutil.which("git")
    if git is None:
        pytest.skip("needs git")
    folder = tmp_path / "project"
    (folder / "out").mkdir(parents=True)
    (folder / "docs").mkdir()
    files = {
        "ocm-pkg.yaml": YAML,
        "pyproject.toml": PYPROJECT,
        "make.sh": MAKE,
        "docs/a.md": "a",
        ".gitignore": "/dist/\n/out/\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "program").write_bytes(elf(183))
    who = ["-c", "user.name=n", "-c", "user.email=e@example.com"]
    for step in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "x"]):
        subprocess.run([git, *step], cwd=folder, env=command.environ, check=True)
    assert command("build", cwd=folder).code == 0
    return folder


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("echo '# more' >> program", "the commit changed"),
        ("echo 'labels: {a: b}' >> ocm-pkg.yaml", "the project file changed"),
        ("sed -i s/1.0.0/2.0.0/ pyproject.toml", "the version changed"),
    ],
    ids=["source", "project file", "version"],
)
def test_sources_that_a_command_finds_changed_are_refused(command, project, change, says):
    before = snapshot(project / "dist")
    (project / "later.sh").write_text(change)
    (project / "make.sh").write_text(f"{MAKE}sh later.sh\n")
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.com", "commit", "-qam", "y"]
    subprocess.run(git, cwd=project, env=command.environ, check=True)
    ran = command("build", "-o", "json", cwd=project)
    assert (ran.code, ran.json["error"]["code"]) == (6, "E600")
    assert says in ran.json["error"]["message"]
    assert "build again" in ran.json["error"]["hint"]
    after = snapshot(project / "dist")
    assert after.pop("logs/hello.linux-arm64.log")
    before.pop("logs/hello.linux-arm64.log")
    assert after == before


def test_twin_a_command_may_make_files_of_its_own(command, project):
    (project / "make.sh").write_text(f"echo made > out/more\n{MAKE}")
    assert command("build", cwd=project).code == 0


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("objdump") is None,
    reason="needs Linux with binutils",
)
@pytest.mark.slow
def test_a_module_that_changes_while_it_is_frozen_is_named(command, tmp_path):
    assert command("init", "hello", cwd=tmp_path).code == 0
    folder = tmp_path / "hello"
    module = folder / "src/hello_plugin/__main__.py"
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "objdump").write_text(
        f"#!/bin/sh\necho '# more' >> {module}\nexec {shutil.which('objdump')} \"$@\"\n"
    )
    (tools / "objdump").chmod(0o755)
    command.environ["PATH"] = f"{tools}:{command.environ['PATH']}"
    words = ("build", "--shape", "dir", "--target", "host", "-o", "json")
    ran = command(*words, cwd=folder, timeout=100)
    assert ran.code == 6, ran
    assert "src/hello_plugin/__main__.py changed while" in ran.json["error"]["message"]
    assert [path.name for path in (folder / "dist").iterdir()] == ["logs"]


PREBUILT = """\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: example.com
targets: [{platform: linux/arm64, builder: prebuilt, path: made, shape: SHAPE}]
"""


@pytest.mark.parametrize("shape", ["file", "dir"])
def test_a_prebuilt_program_that_changes_while_it_is_taken_is_refused(tmp_path, monkeypatch, shape):
    project = parse_project(PREBUILT.replace("SHAPE", shape), name="x")
    made = tmp_path / "made"
    program = made if shape == "file" else made / "hello"
    program.parent.mkdir(exist_ok=True)
    program.write_bytes(elf(183) + bytes(3_000_000))
    (tmp_path / "work").mkdir()
    job = BuildJob(
        project=project,
        target=project.targets[0],
        folder=tmp_path,
        output=tmp_path / "out",
        work=tmp_path / "work",
        log=tmp_path / "log",
        version="1.0.0",
    )
    module = result if shape == "file" else tree
    real = module.copy_stable

    def meddled(path, write, expected):
        def grow(data):
            with path.open("ab") as stream:
                stream.write(b"more")
            return write(data)

        return real(path, grow, expected)

    with monkeypatch.context() as patched:
        patched.setattr(module, "copy_stable", meddled)
        with pytest.raises(LocalStorageError, match="changed while it was read"):
            PrebuiltBuilder().build(job)
    job.output.unlink()
    assert PrebuiltBuilder().build(job).path.stat().st_size > 1000


def test_an_asset_that_changes_while_it_is_packed_is_refused(command, project, monkeypatch):
    assert command("package", cwd=project).code == 0
    before = snapshot(project / "dist")
    real = tree.copy_stable

    def meddled(path, write, expected):
        (project / "docs/late.md").write_text("late")
        return real(path, write, expected)

    part = command("build", "-o", "json", cwd=project).json
    before = snapshot(project / "dist")
    from ocm_pkg.builders.source import load_project

    source = load_project(project)
    wanted = {
        "version": part["version"],
        "config": source.config,
        "lock": None,
        "folder": project,
        "out": project / "dist",
    }
    with monkeypatch.context() as patched:
        patched.setattr(tree, "copy_stable", meddled)
        with pytest.raises(LocalStorageError, match=r"late\.md changed while it was read"):
            prepare(source.project, **wanted)
    assert snapshot(project / "dist") == before
    prepare(source.project, **wanted)
    packed = (project / "dist/docs.tar.gz").read_bytes()
    assert digest_of(packed).hex != before["docs.tar.gz"][-1]
