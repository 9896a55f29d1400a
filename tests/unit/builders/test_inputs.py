"""What a binary is made from: every change of it is seen, and nothing else is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from ocm_pkg.builders import inputs
from ocm_pkg.builders.inputs import (
    PENDING,
    changes,
    folder_contents,
    frozen_inputs,
    inputs_of,
    own_code,
    python_state,
    tools,
)
from ocm_pkg.errors import BuildError, OcmPkgError


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def set_mtime(path: Path) -> None:
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))


@pytest.fixture
def job(tmp_path):
    project = tmp_path / "project"
    for name in ("src/main.py", "src/pack/__init__.py", "src/pack/data.json", "a.lock"):
        write(project / name)
    target = SimpleNamespace(requirements="a.lock")
    return SimpleNamespace(folder=project, target=target)


@pytest.fixture
def root(job):
    return job.folder / "src"


@pytest.fixture
def said(tmp_path, monkeypatch):
    """What the Python says of itself; it is not run."""
    site = tmp_path / "lib/site-packages"
    write(site / "dep/__init__.py")
    said = {
        "path": [str(site), str(tmp_path / "no-such.zip")],
        "base": str(write(tmp_path / "bin/python3")),
        "library": str(write(tmp_path / "lib/libpython.so")),
        "prefix": str(tmp_path / "prefix"),
    }
    ran = SimpleNamespace(returncode=0)

    def run(_argv, *, env, **_rest):
        assert env["PYTHONNOUSERSITE"] == "1"
        ran.stdout = json.dumps(said).encode()
        return ran

    monkeypatch.setattr(inputs, "run", run)
    return SimpleNamespace(said=said, site=site, ran=ran, python=write(tmp_path / "bin/python"))


def seen(job, root):
    return frozen_inputs(job, root, None, {"PATH": "/nowhere"})


def test_modules_packages_and_requirements_are_inputs(job, root):
    names = [name for name in seen(job, root) if not name.startswith("/")]
    assert sorted(names) == ["a.lock", "src/main.py", "src/pack/__init__.py", "src/pack/data.json"]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda src: write(src / "main.py", "y"), "src/main.py"),
        (lambda src: write(src / "pack/data.json", "y"), "src/pack/data.json"),
        (lambda src: write(src / "pack/deep/more.txt"), "src/pack/deep/more.txt"),
        (lambda src: write(src / "new.py"), "src/new.py"),
        (lambda src: write(src / "space/native.so"), "src/space/native.so"),
        (lambda src: (src / "main.py").unlink(), "src/main.py"),
        (lambda src: (src / "main.py").chmod(0o755), "src/main.py"),
        (lambda src: write(src.parent / "a.lock", "y"), "a.lock"),
    ],
    ids=["content", "data", "in a package", "module", "native", "removed", "mode", "lock"],
)
def test_a_change_of_the_sources_is_seen_by_its_name(job, root, change, name):
    before = seen(job, root)
    change(root)
    assert changes(before, seen(job, root)) == [name]


@pytest.mark.parametrize(
    "change",
    [
        lambda src: write(src / "README.md"),
        lambda src: write(src / "docs/page.md"),
        lambda src: write(src / "__pycache__/main.cpython-311.pyc"),
        lambda src: write(src / ".venv/lib/other.py"),
        lambda src: set_mtime(src / "main.py"),
        lambda src: (src / "again").symlink_to("."),
    ],
    ids=["beside", "folder", "bytecode", "hidden", "touched", "circle"],
)
def test_what_can_not_be_imported_is_no_input(job, root, change):
    before = seen(job, root)
    change(root)
    assert changes(before, seen(job, root)) == []


def test_a_link_to_a_module_counts_with_what_it_leads_to(job, root):
    (root / "link.py").symlink_to(write(job.folder / "elsewhere.py"))
    before = seen(job, root)
    write(job.folder / "elsewhere.py", "y")
    assert changes(before, seen(job, root)) == ["src/link.py"]


@pytest.mark.parametrize(("limit", "value"), [("MAX_FILES", 2), ("MAX_CONTENT", 1)])
def test_of_too_much_nothing_is_known(job, root, monkeypatch, limit, value):
    monkeypatch.setattr(inputs, limit, value)
    builder = SimpleNamespace(inputs=lambda job: seen(job, root))
    assert inputs_of(builder, job) is None


def test_what_the_build_still_makes_is_no_change_and_the_rest_is():
    before = {"/python": PENDING, "a": "1", "b": "1"}
    after = {"/python /bin/python": "state", "/python path": "x", "a": "2", "/pythonic": "1"}
    assert changes(before, after) == ["/pythonic", "a", "b"]
    assert changes(None, after) == []
    assert changes(before, None) == []


@pytest.mark.parametrize("error", [BuildError("no"), OSError("no")], ids=["ours", "system"])
def test_what_can_not_be_read_is_for_the_build_to_tell(job, error):
    def fail(_job):
        raise error

    assert inputs_of(SimpleNamespace(inputs=fail), job) is None
    assert inputs_of(SimpleNamespace(), job) is None


def test_a_bug_of_a_builder_is_not_hidden(job):
    def fail(_job):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        inputs_of(SimpleNamespace(inputs=fail), job)


@pytest.mark.parametrize(
    "change",
    [
        lambda said: write(said.site / "dep/__init__.py", "yy"),
        lambda said: set_mtime(said.site / "dep/__init__.py"),
        lambda said: write(said.site / "other-1.dist-info/RECORD"),
        lambda said: write(said.python, "new"),
        lambda said: write(Path(said.said["base"]), "new"),
        lambda said: write(Path(said.said["library"]), "new"),
        lambda said: write(Path(said.said["prefix"], "pyvenv.cfg")),
        lambda said: said.said["path"].append("/more"),
    ],
    ids=["content", "time", "package", "python", "base", "library", "environment", "path"],
)
def test_a_change_of_the_python_or_its_packages_is_seen(said, change):
    before = python_state(str(said.python), {})
    change(said)
    changed = changes(before, python_state(str(said.python), {}))
    assert changed
    assert all(name.startswith("/python ") for name in changed)


def test_bytecode_of_packages_is_no_input(said):
    before = python_state(str(said.python), {})
    write(said.site / "dep/__pycache__/x.pyc")
    assert changes(before, python_state(str(said.python), {})) == []


def test_what_the_standard_library_has_beside_itself_is_no_input_of_it(said, tmp_path):
    library = tmp_path / "lib/python3.11"
    write(library / "os.py")
    said.said["path"].append(str(library))
    before = python_state(str(said.python), {})
    write(library / "site-packages/unused.py")
    write(library / "test/test_os.py")
    assert changes(before, python_state(str(said.python), {})) == []
    write(library / "json.py")
    assert changes(before, python_state(str(said.python), {})) == [f"/python {library}"]


def test_a_package_that_is_installed_to_be_edited_counts_with_its_folder(said, tmp_path):
    folder = tmp_path / "a project"
    write(folder / "mine.py")
    url = {"url": f"file://{tmp_path}/a%20project", "dir_info": {"editable": True}}
    write(said.site / "mine-1.dist-info/direct_url.json", json.dumps(url))
    before = python_state(str(said.python), {})
    write(folder / "mine.py", "changed")
    assert changes(before, python_state(str(said.python), {})) == [f"/python {folder}"]


def test_this_program_itself_is_no_package_of_the_python(said, tmp_path):
    url = {"url": f"file://{tmp_path}/own", "dir_info": {"editable": True}}
    write(said.site / "ocm_pkg-0.1.0.dist-info/direct_url.json", json.dumps(url))
    write(tmp_path / "own/ocm_pkg/__init__.py")
    before = python_state(str(said.python), {})
    write(tmp_path / "own/ocm_pkg/__init__.py", "changed")
    assert changes(before, python_state(str(said.python), {})) == []


def test_of_a_python_that_does_not_run_nothing_is_known(job, root, said):
    said.ran.returncode = 1
    assert frozen_inputs(job, root, str(said.python), {}) is None


def test_of_too_many_packages_nothing_is_known(said, monkeypatch):
    monkeypatch.setattr(inputs, "_MAX_INSTALLED", 0)
    with pytest.raises(OcmPkgError):
        python_state(str(said.python), {})


def test_a_tool_that_is_another_and_a_variable_for_tools_are_seen(tmp_path):
    tool = write(tmp_path / "bin/strip")
    tool.chmod(0o755)
    environ = {"PATH": str(tmp_path / "bin")}
    before = tools(("strip", "ldd"), environ)
    assert before["/tool ldd"] == "None -"
    write(tool, "new")
    assert changes(before, tools(("strip", "ldd"), environ)) == ["/tool strip"]
    before = tools((), environ)
    assert changes(before, tools((), {**environ, "SOURCE_DATE_EPOCH": "1"})) == [
        "/variable SOURCE_DATE_EPOCH"
    ]
    assert changes(before, tools((), {**environ, "TERM": "dumb", "SECRET": "x"})) == []


def test_this_program_is_known_by_all_of_its_files(tmp_path, monkeypatch):
    code = write(tmp_path / "sdk/main.py")
    monkeypatch.setattr(inputs, "_PACKAGE", tmp_path)
    before = own_code()
    write(tmp_path / "__pycache__/main.pyc")
    assert own_code() == before
    write(code, "changed")
    assert own_code() != before


def test_a_frozen_program_is_known_by_its_executable_too(tmp_path, monkeypatch):
    program = write(tmp_path / "ocm-pkg")
    monkeypatch.setattr(inputs, "__file__", str(tmp_path / "inside.py"))
    monkeypatch.setattr(inputs.sys, "executable", str(program))
    before = own_code()
    write(program, "another")
    assert own_code() != before


def test_links_in_a_folder_count_by_what_they_say(tmp_path):
    folder = tmp_path / "made"
    write(folder / "hello")
    (folder / "link").symlink_to("nowhere")
    before = folder_contents(folder, tmp_path)
    assert before["made/link"] == "-> nowhere"
    (folder / "link").unlink()
    (folder / "link").symlink_to("hello")
    (folder / "empty").mkdir()
    assert changes(before, folder_contents(folder, tmp_path)) == ["made/empty", "made/link"]
