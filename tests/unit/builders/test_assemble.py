"""Decisions of the builder that assembles: for what, with which Python, from which wheels."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from ocm_pkg.builders import assemblewheels
from ocm_pkg.builders.assemble import PIP, AssembleBuilder, AssembledPackages, module_name
from ocm_pkg.builders.assemblelock import Pin
from ocm_pkg.builders.assemblewheels import Wheels
from ocm_pkg.builders.interpreter import Interpreter, Interpreters
from ocm_pkg.errors import (
    BuildError,
    ConfigError,
    FileMissingError,
    ToolMissingError,
    UnsupportedTargetError,
)
from ocm_pkg.fs.process import Completed
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.project import parse_project
from ocm_pkg.ports import BuildJob

HOST = Platform("linux", "amd64")
PROJECT = """\
formatVersion: 1
component: e.com/hello
version: 1.0.0
provider: p
build: {builder: assemble, entry: hello.py, shape: dir}
targets: [linux/arm64, windows/amd64]
"""
WHEEL = b"a wheel"
PIN = Pin("demo", "1.0", None, (f"sha256:{hashlib.sha256(WHEEL).hexdigest()}",))


@pytest.fixture
def job(tmp_path):
    project = parse_project(PROJECT, name="x")
    (tmp_path / "hello.py").write_text("print()\n")
    (tmp_path / "work").mkdir()
    return BuildJob(
        project=project,
        target=project.targets[0],
        folder=tmp_path,
        output=tmp_path / "out",
        work=tmp_path / "work",
        log=tmp_path / "logs/x.log",
        version="1.0.0",
    )


@pytest.fixture
def builder(tmp_path, monkeypatch):
    interpreter = Interpreter("python3", "3.11.7", "25.0", has_ocm_pkg=True, freezer=PIP)
    monkeypatch.setattr(Interpreters, "for_job", lambda _self, _job: interpreter)
    interpreters = Interpreters("python3", tmp_path / "cache", {}, freezer=PIP)
    return AssembleBuilder(interpreters, {}, pytest.fail, timeout=1)


def test_what_has_no_interpreter_is_missing_wherever_it_is_built(builder, job):
    linux, windows = job.project.targets
    assert builder.missing(linux, HOST) is None
    assert "pyinstaller on windows/amd64" in builder.missing(windows, HOST)
    with pytest.raises(UnsupportedTargetError, match="windows/amd64 cannot be assembled"):
        builder.build(replace(job, target=windows))


def test_a_single_file_is_not_made(builder, job):
    with pytest.raises(UnsupportedTargetError, match="and no file"):
        builder.build(replace(job, target=replace(job.target, shape="file")))


def test_bytecode_needs_the_same_version_of_python(builder, job):
    with pytest.raises(ToolMissingError, match=r"have Python 3\.12, and python3 is Python 3\.11"):
        builder.build(replace(job, target=replace(job.target, python="3.12")))


def test_requirements_that_are_not_there_are_an_error_before_anything_is_fetched(builder, job):
    with pytest.raises(FileMissingError, match=r"no\.lock does not exist"):
        builder.build(replace(job, target=replace(job.target, requirements="no.lock")))


@pytest.mark.parametrize(
    ("program", "module"),
    [("hello", "hello"), ("my-plugin", "my_plugin"), ("a.b", "a"), ("3x", "3x")],
)
def test_the_program_finds_its_modules_by_its_name(program, module):
    assert module_name(program) == module


@pytest.mark.usefixtures("builder")
def test_packages_are_where_they_were_unpacked_and_nothing_of_them_is_run(job, tmp_path):
    core = job.work / "base/freeze_core"
    for name in ("bases/console-cpython-311-x", "frozen/frozen-cpython-311-x.json", "lib/x.so"):
        (core / name).parent.mkdir(parents=True)
        (core / name).write_text('{"__version__": "3.11.17 (main)"}')
    found = AssembledPackages(Interpreters("python3", tmp_path, {}, freezer=PIP)).for_job(job)
    assert (found.python, found.path) == ("3.11.17", (job.work / "site", job.work / "base"))
    assert Path(found.program).read_text() == (
        f"#!/bin/sh\nprintf '%s' '[\"{job.work}/site\", \"{job.work}/base\"]'\n"
    )


class Pip:
    """Answers for the tools that are run, and notes how."""

    def __init__(self, files=(), log="", truths=()):
        self.files, self.log, self.truths = dict(files), log, list(truths)
        self.calls = []
        self.asked = None

    def run_tool(self, job, argv, *, env, cwd, **_):
        self.calls.append((argv, env))
        (folder,) = [word.removeprefix("--dest=") for word in argv if word.startswith("--dest=")]
        for name, data in self.files.items():
            (cwd / folder / name).write_bytes(data)
        if self.log:
            job.log.parent.mkdir(exist_ok=True)
            job.log.write_text(self.log)
            raise BuildError("it ended with status 1", detail=["last line"])
        return ""

    def run(self, _argv, *, input, **_):  # noqa: A002
        self.asked = json.loads(input)
        failed = not self.truths
        answer = json.dumps(self.truths).encode()
        return Completed(int(failed), answer, b"InvalidMarker: x" if failed else b"", 0.1)


@pytest.fixture
def pip(monkeypatch):
    def install(**words):
        made = Pip(**words)
        monkeypatch.setattr(assemblewheels, "run_tool", made.run_tool)
        monkeypatch.setattr(assemblewheels, "run", made.run)
        return made

    return install


def wheels(tmp_path, *, offline=False):
    environ = {"PIP_INDEX_URL": "an index", "PIP_TARGET": "elsewhere", "TOKEN": "hunter2"}
    return Wheels("python3", tmp_path / "cache", environ, offline=offline)


GOOD = {"Demo-1.0-py3-none-any.whl": WHEEL}


def test_wheels_are_fetched_once_and_kept_for_offline(tmp_path, job, pip):
    made = pip(files=GOOD)
    (path,) = wheels(tmp_path).fetch(job, [PIN], "3.11.17")
    assert path.read_bytes() == WHEEL
    assert wheels(tmp_path, offline=True).fetch(job, [PIN], "3.11.17") == (path,)
    ((argv, env),) = made.calls
    assert {"--require-hashes", "--no-deps", "--only-binary=:all:", "--abi=cp311"} <= set(argv)
    assert "--platform=manylinux_2_17_aarch64" in argv
    assert env["PIP_INDEX_URL"] == "an index"
    assert not {"PIP_TARGET", "TOKEN"} & set(env)


def test_the_cache_is_asked_for_exactly_what_is_needed(tmp_path, job, pip):
    made = pip(files=GOOD)
    for python in ("3.11.17", "3.11.18"):
        wheels(tmp_path).fetch(job, [PIN], python)
    other = replace(job, target=replace(job.target, platform=HOST))
    wheels(tmp_path).fetch(other, [PIN], "3.11.17")
    assert len(made.calls) == 3
    assert wheels(tmp_path).fetch(job, [], "3.11.17") == ()


def test_a_wheel_that_was_changed_in_the_cache_is_fetched_again(tmp_path, job, pip):
    made = pip(files=GOOD)
    (path,) = wheels(tmp_path).fetch(job, [PIN], "3.11.17")
    path.write_bytes(b"changed")
    with pytest.raises(BuildError, match="not in the cache"):
        wheels(tmp_path, offline=True).fetch(job, [PIN], "3.11.17")
    assert wheels(tmp_path).fetch(job, [PIN], "3.11.17") == (path,)
    assert (path.read_bytes(), len(made.calls)) == (WHEEL, 2)


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({}, id="none"),
        pytest.param({"demo-1.0-py3-none-any.whl": b"other"}, id="other content"),
        pytest.param({**GOOD, "more-1-py3-none-any.whl": b""}, id="one more"),
    ],
)
def test_what_pip_leaves_must_be_what_is_locked(tmp_path, job, pip, files):
    pip(files=files)
    with pytest.raises(BuildError, match="other wheels for linux/arm64 than the lock names"):
        wheels(tmp_path).fetch(job, [PIN], "3.11.17")


def test_a_wheel_that_is_not_there_for_the_target_is_named(tmp_path, job, pip):
    pip(log="ERROR: No matching distribution found for demo==1.0\n")
    expected = r"no wheel of demo==1\.0 for linux/arm64 and Python 3\.11"
    with pytest.raises(BuildError, match=expected) as caught:
        wheels(tmp_path).fetch(job, [PIN], "3.11.17")
    assert caught.value.detail == ("last line",)


def test_a_network_that_fails_is_not_taken_for_a_missing_wheel(tmp_path, job, pip):
    pip(log="WARNING: Retrying (Retry(total=4\nERROR: No matching distribution found for demo\n")
    with pytest.raises(BuildError, match="status 1"):
        wheels(tmp_path).fetch(job, [PIN], "3.11.17")


def test_a_glibc_that_no_wheel_is_made_for_is_an_error(tmp_path, job, pip):
    pip(files=GOOD)
    old = parse_project(PROJECT + "require: {glibc-max: '2.12'}\n", name="x")
    with pytest.raises(BuildError, match=r"run on glibc 2\.12"):
        wheels(tmp_path).fetch(replace(job, project=old), [PIN], "3.11.17")


def test_conditions_are_those_of_the_target(tmp_path, job, pip):
    made = pip(truths=[False, True])
    one = replace(PIN, name="one", marker="sys_platform == 'win32'")
    two = replace(PIN, name="two", marker="platform_machine == 'aarch64'")
    needed = wheels(tmp_path).needed(job, [two, one, PIN, two], "3.11.17")
    assert made.asked["markers"] == [two.marker, one.marker]
    assert made.asked["environment"]["platform_machine"] == "aarch64"
    assert needed == (one, PIN)


def test_without_conditions_nothing_is_asked(tmp_path, job, pip):
    made = pip()
    assert wheels(tmp_path).needed(job, [PIN], "3.11.17") == (PIN,)
    assert made.asked is None


def test_a_condition_that_cannot_be_read_is_an_error(tmp_path, job, pip):
    pip()
    bad = replace(PIN, marker="what ?")
    with pytest.raises(ConfigError, match="can't be read"):
        wheels(tmp_path).needed(job, [bad], "3.11.17")
