"""The builder for any tool: what the command is told, and what it may tell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.fakes.binaries import elf
from tests.fakes.command import Command
from tests.fakes.trees import snapshot

if TYPE_CHECKING:
    from tests.fakes.command import Ran

PROJECT = """\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: example.com
targets:
  - {platform: linux/arm64, builder: command, shape: file, run: [sh, make.sh], output: out/hello}
"""


@pytest.fixture
def build(tmp_path):
    command = Command(tmp_path / "home")
    folder = tmp_path / "project"
    (folder / "out").mkdir(parents=True)
    (folder / "ocm-pkg.yaml").write_text(PROJECT)
    (folder / "program").write_bytes(elf(183))

    def run(script: str) -> Ran:
        (folder / "make.sh").write_text(script)
        return command("build", "-o", "json", cwd=folder)

    run.folder = folder  # type: ignore[attr-defined]
    return run


def test_the_command_is_told_its_target_and_where_to_leave_it(build):
    script = 'cp program "$OCM_PKG_OUTPUT"; echo "$OCM_PKG_OS $OCM_PKG_ARCHITECTURE" > said\n'
    ran = build(script)
    assert ran.code == 0, ran.err
    assert (build.folder / "said").read_text() == "linux arm64\n"
    assert (build.folder / "dist/hello.linux-arm64").read_bytes() == elf(183)


def test_the_tools_that_it_names_are_in_the_report(build):
    tools = 'printf "cc=14.2\\nrustc=devel 1.90.0\\n" > "$OCM_PKG_TOOLS"'
    assert build(f'cp program "$OCM_PKG_OUTPUT"; {tools}\n').code == 0
    part = json.loads((build.folder / "dist/part.json").read_bytes())
    tools = part["targets"][0]["tools"]
    assert (tools["cc"], tools["rustc"]) == ("14.2", "devel 1.90.0")


@pytest.mark.parametrize("line", ["cc", "=1", "CC=1", "cc=", "cc=1 ", "cc=\\033"], ids=str)
def test_what_names_no_tool_is_refused(build, line):
    before = snapshot(build.folder)
    ran = build(f'cp program "$OCM_PKG_OUTPUT"; printf "{line}\\n" > "$OCM_PKG_TOOLS"\n')
    assert ran.code == 6
    assert "in OCM_PKG_TOOLS is not NAME=VERSION" in ran.json["error"]["message"]
    left = set(snapshot(build.folder)) - set(before)
    assert {path for path in left if not path.startswith("dist/logs")} <= {
        "dist",
        "make.sh",
        "out/hello",
    }
