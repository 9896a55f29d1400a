"""Decisions of the cx_Freeze builder: what is frozen, and in which environment."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ocm_pkg.builders import cxfreeze
from ocm_pkg.builders.cxfreeze import CxFreezeBuilder
from ocm_pkg.builders.interpreter import CX_FREEZE, PYINSTALLER, Interpreter, Interpreters
from ocm_pkg.errors import (
    FileMissingError,
    InvalidDocumentError,
    ToolMissingError,
    UnsupportedTargetError,
)
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.project import parse_project
from ocm_pkg.ports import BuildJob
from tests.fakes.binaries import elf

LINUX, MAC = Platform("linux", "amd64"), Platform("darwin", "arm64")
PROJECT = """\
formatVersion: 1
component: e.com/hello
version: 1.0.0
provider: p
build: {builder: cx_freeze, entry: src/hello/__main__.py, shape: dir, exclude: [tkinter],
        hidden-imports: [json]}
targets: [linux/amd64, macos/arm64]
"""


@pytest.fixture
def job(tmp_path):
    project = parse_project(PROJECT, name="x")
    package = tmp_path / "src/hello"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text("from . import x\n")
    work = tmp_path / "work"
    work.mkdir()
    return BuildJob(project, project.targets[0], tmp_path, tmp_path / "out", work, tmp_path / "log")


@pytest.fixture
def ran(monkeypatch):
    """What is run; instead of a build, a folder appears."""
    calls = []

    def run_tool(_job, argv, **keywords):
        settings = json.loads(cxfreeze.Path(argv[-1]).read_text())
        calls.append((list(argv), dict(keywords["env"]), settings))
        made = cxfreeze.Path(settings["target"])
        made.mkdir(parents=True)
        (made / "hello").write_bytes(elf())
        return ""

    monkeypatch.setattr(cxfreeze, "run_tool", run_tool)
    found = Interpreter("/usr/bin/python3", "3.11.7", "8.7.3", False, CX_FREEZE)
    monkeypatch.setattr(Interpreters, "for_job", lambda _self, _job: found)
    return calls


def builder(tmp_path) -> CxFreezeBuilder:
    environ = {"PATH": "/nowhere", "SECRET": "s"}
    interpreters = Interpreters("python3", tmp_path, environ, freezer=CX_FREEZE)
    return CxFreezeBuilder(interpreters, environ, timeout=1)


def test_it_builds_for_its_own_platform_only(tmp_path, job):
    linux, mac = job.project.targets
    assert builder(tmp_path).missing(linux, LINUX) is None
    assert "darwin/arm64" in str(builder(tmp_path).missing(mac, LINUX))


def test_a_folder_is_made_without_any_other_tool(tmp_path, job, ran):
    built = builder(tmp_path).build(job)
    ((argv, env, settings),) = ran
    assert argv[:2] == ["/usr/bin/python3", "-P"]
    assert cxfreeze.Path(argv[2]).is_file()
    assert (env["PYTHONHASHSEED"], "SECRET" in env) == ("0", False)
    assert settings["name"] == "hello"
    assert settings["includes"] == ["hello.__main__", "json"]
    assert settings["excludes"] == ["tkinter"]
    assert settings["paths"] == [str(job.folder / "src"), str(job.work / "sdk")]
    assert (job.work / "sdk/ocm_pkg/sdk/__init__.py").is_file()
    assert (built.shape, built.program) == ("dir", "hello/hello")
    assert built.tools == {"python": "3.11.7", "cx_freeze": "8.7.3"}


def test_one_file_is_refused_where_it_is_asked_for(tmp_path, job, ran):
    with pytest.raises(InvalidDocumentError, match="no file with cx_freeze") as caught:
        parse_project(PROJECT.replace("shape: dir", "shape: file"), name="x")
    assert caught.value.hint == "write shape: dir"
    with pytest.raises(UnsupportedTargetError, match="makes a folder") as raised:
        builder(tmp_path).build(replace(job, target=replace(job.target, shape="file")))
    assert "shape dir" in str(raised.value.hint)
    assert not ran


def test_a_script_that_is_not_there_is_named(tmp_path, job, ran):
    (job.folder / "src/hello/__main__.py").unlink()
    with pytest.raises(FileMissingError, match=r"__main__\.py does not exist"):
        builder(tmp_path).build(job)
    assert not ran


def test_a_python_without_cx_freeze_is_a_missing_tool(tmp_path, job, monkeypatch):
    nothing = {"python": "3.11.7", "cx_freeze": None, "ocm_pkg": False}
    monkeypatch.setattr(Interpreters, "_probe", lambda _self, _program: nothing)
    with pytest.raises(ToolMissingError, match="has no cx_Freeze") as caught:
        builder(tmp_path).build(job)
    assert "ocm-pkg[build]" in str(caught.value.hint)


@pytest.mark.parametrize("line", [b"cx_Freeze==8", b"cx-freeze == 8", b"a==1\ncx.freeze==8"])
def test_a_lock_may_pin_cx_freeze_itself(line):
    assert CX_FREEZE.is_pinned(line)
    assert not PYINSTALLER.is_pinned(line)


@pytest.mark.parametrize("line", [b"", b"# cx_freeze==8", b"not-cx_freeze==8", b"cx_freeze>=8"])
def test_other_lines_pin_nothing(line):
    assert not CX_FREEZE.is_pinned(line)


@pytest.mark.parametrize("freezer", [CX_FREEZE, PYINSTALLER])
def test_each_freezer_has_a_lock_that_pins_it_with_hashes(freezer):
    lock = freezer.lock.read_bytes()
    assert freezer.is_pinned(lock)
    assert b"--hash=sha256:" in lock
