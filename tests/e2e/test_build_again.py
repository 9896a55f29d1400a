"""A second build: at once if nothing has changed, whatever it is that a change is in."""

from __future__ import annotations

import shutil
import sys
import time

import pytest

from tests.fakes.binaries import elf
from tests.fakes.command import Command
from tests.fakes.trees import snapshot

PREBUILT = """\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: example.com
build: {builder: prebuilt, path: made}
targets: [linux/arm64, {platform: linux/amd64, builder: command, run: [cp, made-amd64, out],
  output: out}]
"""


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "ocm-pkg.yaml").write_text(PREBUILT)
    (folder / "made").write_bytes(elf(183))
    (folder / "made-amd64").write_bytes(elf(62))
    return folder


@pytest.fixture
def build(tmp_path, project):
    command = Command(tmp_path / "home")

    def run(*words):
        ran = command("build", *words, cwd=project)
        assert ran.code == 0, ran.err
        return [line.split()[:2] for line in ran.err.splitlines() if " (" in line]

    return run


ARM64, AMD64 = "dist/hello.linux-arm64", "dist/hello.linux-amd64"


def test_a_command_is_always_run_and_a_file_is_taken_once(build):
    assert build() == [["built", ARM64], ["built", AMD64]]
    assert build() == [["unchanged", ARM64], ["built", AMD64]]
    assert build("--force", "--target", "linux/arm64") == [["built", ARM64]]


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "made").write_bytes(elf(183) + b"x"),
        lambda folder: (folder / ARM64).write_bytes(b""),
        lambda folder: (folder / ARM64).unlink(),
        lambda folder: (folder / "dist/part.json").unlink(),
        lambda folder: (folder / "ocm-pkg.yaml").write_text(PREBUILT + "labels: {a: b}\n"),
        lambda folder: shutil.rmtree(folder.parent / "home/.cache/ocm-pkg/builds"),
    ],
    ids=["input", "result", "no result", "no report", "project file", "no cache"],
)
def test_each_kind_of_change_leads_to_a_build(build, project, change):
    only = ("--target", "linux/arm64")
    build(*only)
    assert build(*only) == [["unchanged", ARM64]]
    change(project)
    assert build(*only) == [["built", ARM64]]
    assert (project / ARM64).read_bytes() == (project / "made").read_bytes()
    assert build(*only) == [["unchanged", ARM64]]


def test_a_comment_and_where_it_is_published_change_nothing(build, project):
    only = ("--target", "linux/arm64")
    build(*only)
    (project / "ocm-pkg.yaml").write_text("# new\n" + PREBUILT + "publish: {to: ./other}\n")
    assert build(*only) == [["unchanged", ARM64]]


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("objdump") is None,
    reason="needs Linux with binutils",
)
@pytest.mark.slow
@pytest.mark.parametrize("shape", ["dir", "file"])
def test_a_new_project_is_built_once_and_then_when_its_sources_change(tmp_path, shape):
    command = Command(tmp_path / "home")
    assert command("init", "hello", cwd=tmp_path).code == 0
    folder = tmp_path / "hello"
    words = ("build", "--shape", shape, "--target", "host")
    first = command(*words, cwd=folder, timeout=100)
    assert (first.code, "built dist/hello" in first.err) == (0, True), first.err
    before = snapshot(folder / "dist")
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        ran = command(*words, cwd=folder)
        seconds.append(time.perf_counter() - began)
        assert "unchanged dist/hello" in ran.err, ran.err
    assert min(seconds) < 5, "one second, with slack"
    assert snapshot(folder / "dist") == before
    (folder / "src/hello_plugin/more.py").write_text("x = 1\n")
    ran = command(*words, cwd=folder, timeout=100)
    assert "built dist/hello" in ran.err, ran.err
    assert snapshot(folder / "dist").keys() == before.keys()
