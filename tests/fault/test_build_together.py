"""Two builds of one target at once: both may run, one result is there, and nothing is mixed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from ocm_pkg.builders.inline import InlineExecutor
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.part import Part
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.project import parse_project
from ocm_pkg.ports import BuiltBinary
from ocm_pkg.services.build import Sources, build
from tests.fakes.binaries import elf
from tests.fakes.command import Command
from tests.fakes.trees import names

YAML = """\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: example.com
targets:
  - {platform: linux/arm64, builder: command, run: [sh, make.sh], output: out/hello}
"""
MAKE = """\
mkdir busy || exit 9
echo "$$ begins"
[ -e first ] || { : > first; read -r line < go; }
cat header > "$OCM_PKG_OUTPUT"
echo "$$" >> "$OCM_PKG_OUTPUT"
echo "$$ ends"
rmdir busy
"""
TIMES = range(5)


class Meeting:
    """A builder that ends only when another build of the same is as far."""

    def __init__(self, text, barrier):
        self.text, self.barrier = text, barrier

    def missing(self, target, host):  # noqa: ARG002
        return None

    def build(self, job):
        job.output.write_text(self.text)
        job.log.write_text(self.text)
        self.barrier.wait(30)
        return BuiltBinary(job.output, job.target.platform, "file", {"made": self.text})


@pytest.mark.parametrize("_again", TIMES)
def test_binary_and_report_are_of_the_same_build(tmp_path, _again):
    project = parse_project(YAML, name="x")
    sources = Sources(project, tmp_path, "1.0.0", "abc", digest_of(b"config"), None)
    barrier = Barrier(2)

    def run(text):
        return build(
            sources,
            targets=project.targets,
            out=tmp_path / "dist",
            builders={"command": Meeting(text, barrier)},
            executor=InlineExecutor(),
        )

    with ThreadPoolExecutor(2) as both:
        parts = list(both.map(run, ["one" * 1000, "two" * 2000]))
    dist = tmp_path / "dist"
    assert names(dist) == ["hello.linux-arm64", "logs", "part.json"]
    left = Part.parse((dist / "part.json").read_bytes(), name="x")
    assert left in parts
    (entry,) = left.targets
    content = (dist / "hello.linux-arm64").read_bytes()
    assert (entry.digest, entry.size) == (digest_of(content), len(content))
    assert entry.tools["made"] == content.decode()
    assert entry.platform == Platform("linux", "arm64")


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    (folder / "out").mkdir(parents=True)
    (folder / "ocm-pkg.yaml").write_text(YAML)
    (folder / "make.sh").write_text(MAKE)
    (folder / "header").write_bytes(elf(183))
    os.mkfifo(folder / "go")
    return folder


@pytest.mark.parametrize("apart", [False, True], ids=["one folder", "two folders"])
def test_a_command_is_not_run_twice_at_once_for_one_output(tmp_path, project, apart):
    environ = Command(tmp_path / "home").environ
    outs = ["dist", "other" if apart else "dist"]
    children = []
    for out in outs:
        argv = [sys.executable, "-m", "ocm_pkg", "build", "--out", out, "-o", "json"]
        child = subprocess.Popen(
            argv, cwd=project, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert b"building hello" in child.stderr.readline()
        children.append(child)
    with (project / "go").open("w") as go:  # opens when one of them has come so far
        go.write("on\n")
    said = [child.communicate(timeout=60) for child in children]
    assert [child.returncode for child in children] == [0, 0], said
    digests = {json.loads(out)["targets"][0]["digest"] for out, _err in said}
    assert len(digests) == 2
    for out in set(outs):
        content = (project / out / "hello.linux-arm64").read_bytes()
        number = content.removeprefix(elf(183)).decode().strip()
        part = json.loads((project / out / "part.json").read_bytes())
        assert part["targets"][0]["digest"] == str(digest_of(content)) in digests
        log = (project / out / "logs/hello.linux-arm64.log").read_text().splitlines()
        process = log[0].split()[0]
        assert log == [f"{process} begins", f"{process} ends"]
        assert number.isdigit()
        if apart:
            assert number == process
    assert not list((tmp_path / "home/.cache/ocm-pkg/build-locks").iterdir())
