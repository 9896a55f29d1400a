"""Decisions of the PyInstaller builder: what is frozen, from where, and what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocm_pkg.builders import pyinstaller
from ocm_pkg.builders.interpreter import Interpreter, Interpreters
from ocm_pkg.builders.pyinstaller import PyInstallerBuilder
from ocm_pkg.builders.pysource import has_relative_imports
from ocm_pkg.errors import BuildError, FileMissingError, InvalidDocumentError, ToolMissingError
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.project import parse_project
from ocm_pkg.ports import BuildJob
from tests.fakes.binaries import elf

LINUX, MAC = Platform("linux", "amd64"), Platform("darwin", "arm64")


def job(folder: Path, **build) -> BuildJob:
    settings = "".join(f", {key}: {value}" for key, value in build.items())
    project = parse_project(
        "{formatVersion: 1, component: e.com/hello, version: 1.0.0, provider: p,"
        f" build: {{entry: src/hello/__main__.py{settings}}},"
        " targets: [linux/amd64, macos/arm64]}",
        name="x",
    )
    work = folder / "work"
    work.mkdir(parents=True)
    package = folder / "src/hello"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text("print()\n")
    return BuildJob(project, project.targets[0], folder, folder / "out", work, folder / "log")


@pytest.fixture
def tools(tmp_path):
    """A search path that has the tools that PyInstaller needs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("objdump", "objcopy", "strip"):
        (folder / name).touch(0o755)
    return folder


@pytest.fixture
def ran(monkeypatch):
    """What PyInstaller is called with; instead of a build, a program appears."""
    calls = []

    def run_tool(job, argv, **keywords):
        calls.append((list(argv), dict(keywords["env"])))
        made = job.work / "dist"
        made.mkdir()
        (made / "hello").write_bytes(elf())
        return ""

    monkeypatch.setattr(pyinstaller, "run_tool", run_tool)
    found = Interpreter("/usr/bin/python3", "3.11.7", "6.22.3", has_ocm_pkg=False)
    monkeypatch.setattr(Interpreters, "for_job", lambda _self, _job: found)
    return calls


def builder(path: Path, host: Platform = LINUX) -> PyInstallerBuilder:
    environ = {"PATH": str(path), "SECRET": "s"}
    interpreters = Interpreters("python3", path, environ)
    return PyInstallerBuilder(interpreters, environ, host, timeout=1)


def test_it_builds_for_its_own_platform_only(tools, tmp_path):
    linux, mac = job(tmp_path / "p").project.targets
    assert builder(tools).missing(linux, LINUX) is None
    assert "darwin/arm64" in str(builder(tools).missing(mac, LINUX))


def test_a_build_is_reproducible_and_private(tools, tmp_path, ran):
    task = job(tmp_path / "p", exclude="[tkinter]", **{"hidden-imports": "[json]"})
    built = builder(tools).build(task)
    ((argv, env),) = ran
    assert argv[:3] == ["/usr/bin/python3", "-m", "PyInstaller"]
    assert {"--onefile", "--clean", "--strip", "--noupx", "--name=hello"} < set(argv)
    assert {"--exclude-module=tkinter", "--hidden-import=json"} < set(argv)
    assert f"--paths={task.folder / 'src'}" in argv
    assert env["PYTHONHASHSEED"] == "0"
    assert env["PYINSTALLER_CONFIG_DIR"].startswith(str(task.work))
    assert "SECRET" not in env
    assert built.tools == {"python": "3.11.7", "pyinstaller": "6.22.3"}
    assert built.path.read_bytes() == elf()


def test_without_strip_nothing_is_stripped(tools, tmp_path, ran):
    (tools / "strip").unlink()
    builder(tools).build(job(tmp_path / "p"))
    assert "--strip" not in ran[0][0]


def test_a_plugin_gets_the_sdk_and_nothing_else(tools, tmp_path, ran):
    task = job(tmp_path / "p")
    builder(tools).build(task)
    sdk = task.work / "sdk/ocm_pkg"
    assert f"--paths={sdk.parent}" in ran[0][0]
    assert sorted(path.name for path in sdk.iterdir()) == [
        "__init__.py",
        "_typing.py",
        "contract",
        "errors.py",
        "sdk",
    ]


@pytest.mark.usefixtures("ran")
def test_a_project_with_its_own_ocm_pkg_keeps_it(tools, tmp_path):
    task = job(tmp_path / "p")
    own = task.folder / "src/ocm_pkg"
    own.mkdir()
    (own / "__init__.py").touch()
    builder(tools).build(task)
    assert not (task.work / "sdk").exists()


def test_a_script_without_relative_imports_is_frozen_itself(tools, tmp_path, ran):
    task = job(tmp_path / "p")
    builder(tools).build(task)
    assert ran[0][0][-1] == str(task.folder / "src/hello/__main__.py")


def test_a_module_with_relative_imports_is_run_as_one(tools, tmp_path, ran):
    task = job(tmp_path / "p")
    (task.folder / "src/hello/__main__.py").write_text("from . import x\n")
    builder(tools).build(task)
    argv = ran[0][0]
    assert "--hidden-import=hello.__main__" in argv
    assert "run_module('hello'" in Path(argv[-1]).read_text()


@pytest.mark.parametrize("tool", ["objdump", "objcopy"])
def test_a_missing_tool_is_named_with_its_package(tools, tmp_path, ran, tool):
    (tools / tool).unlink()
    with pytest.raises(ToolMissingError, match=tool) as caught:
        builder(tools).build(job(tmp_path / "p"))
    assert caught.value.code == "E601"
    assert "binutils" in str(caught.value.hint)
    assert "Alpine" in str(caught.value.hint)
    assert not ran


def test_a_mac_needs_no_objdump(tmp_path, ran):
    task = job(tmp_path / "p")
    with pytest.raises(BuildError, match="was built for"):
        builder(tmp_path, MAC).build(
            BuildJob(
                task.project, task.project.targets[1], task.folder, task.output, task.work, task.log
            )
        )
    assert "--strip" not in ran[0][0]


@pytest.mark.parametrize(
    "says",
    [
        "ERROR: ERROR: Python shared library ('libpython3.11.so.1.0') was not found!",
        "ERROR: Python was built without a shared library, which is required by PyInstaller.",
    ],
)
@pytest.mark.usefixtures("ran")
def test_a_python_without_its_library_is_a_missing_tool(tools, tmp_path, monkeypatch, says):
    def run_tool(job, _argv, **_keywords):
        job.log.write_text(f"...\n{says}\n")
        raise BuildError("failed", detail=[says])

    monkeypatch.setattr(pyinstaller, "run_tool", run_tool)
    with pytest.raises(ToolMissingError) as caught:
        builder(tools).build(job(tmp_path / "p"))
    assert caught.value.detail == (says,)
    for package in ("libpython3.11 (Debian)", "python3-libs (Fedora)", "python3 (Alpine)"):
        assert package in str(caught.value.hint)


@pytest.mark.usefixtures("ran")
def test_another_failure_stays_what_it_is(tools, tmp_path, monkeypatch):
    def run_tool(_job, _argv, **_keywords):
        raise BuildError("failed")

    monkeypatch.setattr(pyinstaller, "run_tool", run_tool)
    with pytest.raises(BuildError) as caught:
        builder(tools).build(job(tmp_path / "p"))
    assert caught.value.code == "E600"


@pytest.mark.usefixtures("ran")
def test_a_hidden_import_that_is_not_there_is_an_error(tools, tmp_path, monkeypatch):
    monkeypatch.setattr(
        pyinstaller, "run_tool", lambda *_a, **_k: "ERROR: Hidden import 'nowhere' not found"
    )
    with pytest.raises(BuildError, match="no module nowhere"):
        builder(tools).build(job(tmp_path / "p", **{"hidden-imports": "[nowhere]"}))


@pytest.mark.usefixtures("ran")
def test_a_missing_entry_is_named(tools, tmp_path):
    task = job(tmp_path / "p")
    (task.folder / "src/hello/__main__.py").unlink()
    with pytest.raises(FileMissingError, match="__main__"):
        builder(tools).build(task)


def test_a_syntax_error_has_its_line(tmp_path):
    script = tmp_path / "x.py"
    script.write_text("a = 1\nb = (\n")
    with pytest.raises(InvalidDocumentError) as caught:
        has_relative_imports(script)
    assert caught.value.at == f"{script}:2"
