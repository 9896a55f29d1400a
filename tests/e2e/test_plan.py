"""The plan of a build is the matrix of a pipeline: what is built, and on which machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ocm_pkg.model.binary import HEADER_BYTES, sniff_platform
from tests.fakes.command import Command

HOST = str(sniff_platform(Path(sys.executable).resolve().read_bytes()[:HEADER_BYTES]))
OTHER = "linux/arm64" if HOST != "linux/arm64" else "linux/amd64"
PROJECT = f"""\
formatVersion: 1
component: example.com/plugins/hello
version: VERSION
provider: example.com
targets:
  - {{platform: darwin/arm64, entry: hello.py, builder: pyinstaller, shape: file}}
  - {{platform: {HOST}, entry: hello.py, builder: pyinstaller, shape: file}}
  - {{platform: {OTHER}, entry: hello.py, builder: pyinstaller, shape: file}}
  - {{platform: windows/amd64, builder: prebuilt, path: hello.exe, shape: file}}
"""


@pytest.fixture
def plan(tmp_path):
    def of(*words: str, version: str = "1.0.0", **environ: str):
        (tmp_path / "ocm-pkg.yaml").write_text(PROJECT.replace("VERSION", version, 1))
        (tmp_path / "hello.py").write_text("")
        command = Command(tmp_path / "home")
        command.environ.update(environ)
        ran = command("build", "--plan", *words, "-o", "json", cwd=tmp_path)
        assert ran.code == 0, ran.err
        return ran.json

    return of


def test_targets_of_one_machine_are_together(plan):
    assert plan()["machines"] == [
        {"machine": "darwin/arm64", "targets": ["darwin/arm64"]},
        {"machine": HOST, "targets": [HOST, "windows/amd64"]},
        {"machine": OTHER, "targets": [OTHER]},
    ]


def test_every_target_says_its_machine_and_why_it_is_not_this_one(plan):
    rows = {row["platform"]: row for row in plan()["targets"]}
    assert rows[OTHER] == {
        "platform": OTHER,
        "builder": "pyinstaller",
        "shape": "file",
        "file": f"hello.{OTHER.replace('/', '-')}",
        "here": False,
        "reason": f"PyInstaller builds for its own platform: run this on {OTHER}",
        "machine": OTHER,
    }
    assert (rows["windows/amd64"]["here"], rows["windows/amd64"]["reason"]) == (True, None)


def test_chosen_targets_alone_are_in_the_plan(plan):
    chosen = plan("--target", "windows/amd64")
    assert chosen["machines"] == [{"machine": HOST, "targets": ["windows/amd64"]}]
    assert chosen["host"] == HOST


def test_the_plan_says_what_is_built(plan):
    assert plan()["component"] == "example.com/plugins/hello"
    assert plan()["version"] == "1.0.0"
    source = "{from: env, name: RELEASE}"
    assert plan(version=source, RELEASE="2.0.0")["version"] == "2.0.0"
    assert plan(version=source)["version"] is None
