"""What each builder says that its result depends on."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ocm_pkg.builders import inputs
from ocm_pkg.builders.command import CommandBuilder
from ocm_pkg.builders.cxfreeze import CxFreezeBuilder
from ocm_pkg.builders.inputs import PENDING, inputs_of
from ocm_pkg.builders.prebuilt import PrebuiltBuilder
from ocm_pkg.builders.pyinstaller import PyInstallerBuilder
from ocm_pkg.builders.shapes import ShapedBuilder
from ocm_pkg.builders.thirdparty import _Foreign
from ocm_pkg.errors import BuildError
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.project import parse_project
from ocm_pkg.ports import BuildJob

HOST = Platform("linux", "amd64")


@pytest.fixture
def job(tmp_path):
    project = parse_project(
        "{formatVersion: 1, component: e.com/hello, version: 1.0.0, provider: p, targets:"
        " [{platform: linux/amd64, builder: prebuilt, path: made}]}",
        name="x",
    )
    (tmp_path / "made").mkdir()
    (tmp_path / "made/hello").write_text("x")
    (tmp_path / "hello.py").write_text("x")
    return BuildJob(
        project, project.targets[0], tmp_path, tmp_path / "o", tmp_path / "w", tmp_path / "log"
    )


def frozen(job):
    return replace(job, target=replace(job.target, builder="pyinstaller", entry="hello.py"))


class Python:
    """Stands for the interpreters: what is there already."""

    def __init__(self, program):
        self.program = program

    def existing(self, _job):
        return self.program


@pytest.mark.parametrize("of", [PyInstallerBuilder, CxFreezeBuilder])
def test_what_freezes_depends_on_sources_python_and_tools(job, monkeypatch, of):
    monkeypatch.setattr(inputs, "python_state", lambda program, _env: {"/python x": program})
    more = (HOST,) if of is PyInstallerBuilder else ()
    builder = of(Python("/bin/python"), {"PATH": "/nowhere"}, *more, timeout=1)
    found = builder.inputs(frozen(job))
    assert found["/python x"] == "/bin/python"
    assert found["/tool strip"] == "None -"
    assert "hello.py" in found
    builder = of(Python(None), {"PATH": "/nowhere"}, *more, timeout=1)
    assert builder.inputs(frozen(job))["/python"] == PENDING


def test_a_prebuilt_binary_depends_on_its_content(job):
    as_file = replace(job, target=replace(job.target, path="made/hello"))
    assert list(PrebuiltBuilder().inputs(as_file)) == ["made/hello"]
    as_folder = replace(job, target=replace(job.target, shape="dir"))
    (job.folder / "made/link").symlink_to("hello")
    assert sorted(PrebuiltBuilder().inputs(as_folder)) == ["made/hello", "made/link"]
    (job.folder / "made/hello").unlink()
    assert inputs_of(PrebuiltBuilder(), as_file) is None


def test_nobody_knows_what_a_command_depends_on(job):
    assert inputs_of(CommandBuilder({}, locks=job.folder, timeout=1), job) is None


def shaped(inner):
    launchers = SimpleNamespace()
    return ShapedBuilder(inner, launchers, {"PATH": "/nowhere"}, HOST, print)


def test_a_launcher_depends_on_its_folder_on_go_and_on_the_machine(job):
    seen = []

    def inner(job):
        seen.append(job.target.shape)
        return {"a.py": "1"}

    builder = shaped(SimpleNamespace(inputs=inner))
    assert builder.inputs(job) == {"a.py": "1"}
    found = builder.inputs(replace(job, target=replace(job.target, shape="launcher")))
    assert found["/tool go"] == "None -"
    assert (found["a.py"], found["/machine"]) == ("1", "linux/amd64")
    assert seen == ["file", "dir"]


@pytest.mark.parametrize("shape", ["file", "launcher"])
def test_of_a_builder_that_knows_nothing_nothing_is_known(job, shape):
    wanted = replace(job, target=replace(job.target, shape=shape))
    assert shaped(SimpleNamespace()).inputs(wanted) is None
    assert _Foreign("acme", SimpleNamespace()).inputs(wanted) is None


def test_the_inputs_of_another_package_s_builder_are_checked(job):
    def said(value):
        return _Foreign("acme", SimpleNamespace(inputs=lambda _job: value)).inputs(job)

    assert said({"a": "1"}) == {"a": "1"}
    assert said(None) is None
    for wrong in ([], {"a": 1}, {1: "a"}, "a"):
        with pytest.raises(BuildError, match="no mapping of text to text"):
            said(wrong)


def test_its_mistakes_are_its_own(job):
    def fail(_job):
        raise ZeroDivisionError

    with pytest.raises(BuildError, match="the builder acme failed: ZeroDivisionError"):
        _Foreign("acme", SimpleNamespace(inputs=fail)).inputs(job)


def test_a_lock_of_a_command_is_where_it_is_told_to_be(job):
    target = replace(job.target, builder="command", run=("no-such-tool",), output="out", path=None)
    builder = CommandBuilder({"PATH": os.defpath}, locks=job.folder / "locks", timeout=1)
    with pytest.raises(BuildError, match="no-such-tool"):
        builder.build(replace(job, target=target))
    assert list(Path(job.folder, "locks").iterdir()) == []
