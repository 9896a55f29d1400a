"""Which Python a plugin is frozen with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ocm_pkg.builders import interpreter
from ocm_pkg.builders.interpreter import Interpreters
from ocm_pkg.errors import BuildError, ConfigError, FileMissingError, ToolMissingError
from ocm_pkg.model.project import parse_project
from ocm_pkg.ports import BuildJob

LOCK = "x==1 --hash=sha256:00\n"


@pytest.fixture
def job(tmp_path):
    project = parse_project(
        "{formatVersion: 1, component: e.com/hello, version: 1.0.0, provider: p,"
        " build: {entry: hello.py, requirements: a.lock}, targets: [linux/amd64]}",
        name="x",
    )
    (tmp_path / "a.lock").write_text(LOCK)
    work = tmp_path / "work"
    work.mkdir()
    return BuildJob(project, project.targets[0], tmp_path, tmp_path / "out", work, tmp_path / "log")


@pytest.fixture
def steps(monkeypatch):
    """Commands that would be run; ``venv`` leaves a Python, and every Python has PyInstaller."""
    found = {"python": "3.11.7", "pyinstaller": "6.22.3", "ocm_pkg": True}
    run = []

    def step(_self, _job, argv):
        run.append(argv)
        if "venv" in argv:
            python = interpreter.Path(argv[-1]) / "bin/python"
            python.parent.mkdir(parents=True)
            python.touch()

    monkeypatch.setattr(Interpreters, "_step", step)
    monkeypatch.setattr(Interpreters, "_probe", lambda _self, _program: found)
    return run


def made(tmp_path, **keywords) -> Interpreters:
    return Interpreters("/usr/bin/python3", tmp_path / "cache", {}, **keywords)


def test_without_requirements_the_given_python_is_used(tmp_path, job, steps):
    plain = replace(job, target=replace(job.target, requirements=None))
    found = made(tmp_path).for_job(plain)
    assert (found.program, found.has_ocm_pkg) == ("/usr/bin/python3", True)
    assert found.tools == {"python": "3.11.7", "pyinstaller": "6.22.3"}
    assert not steps


def test_without_pyinstaller_it_is_a_missing_tool(tmp_path, job, monkeypatch):
    nothing = {"python": "3.11.7", "pyinstaller": None, "ocm_pkg": False}
    monkeypatch.setattr(Interpreters, "_probe", lambda _self, _program: nothing)
    plain = replace(job, target=replace(job.target, requirements=None))
    with pytest.raises(ToolMissingError) as caught:
        made(tmp_path).for_job(plain)
    assert "ocm-pkg[build]" in str(caught.value.hint)


@pytest.mark.parametrize("version", ["6.21.9", "5.13.2", "7.0.0", "7"])
def test_a_pyinstaller_with_known_faults_and_an_unknown_one_are_refused_by_name(
    tmp_path, job, monkeypatch, version
):
    found = {"python": "3.11.7", "pyinstaller": version, "ocm_pkg": True}
    monkeypatch.setattr(Interpreters, "_probe", lambda _self, _program: found)
    plain = replace(job, target=replace(job.target, requirements=None))
    with pytest.raises(ToolMissingError, match=f"has PyInstaller {version}, which is not 6.22"):
        made(tmp_path).for_job(plain)


@pytest.mark.parametrize("version", ["6.22", "6.22.3", "6.100.0"])
def test_twin_a_pyinstaller_that_is_new_enough_is_used(tmp_path, job, monkeypatch, version):
    found = {"python": "3.11.7", "pyinstaller": version, "ocm_pkg": True}
    monkeypatch.setattr(Interpreters, "_probe", lambda _self, _program: found)
    plain = replace(job, target=replace(job.target, requirements=None))
    assert made(tmp_path).for_job(plain).version == version


def test_no_lock_of_ours_has_the_pefile_that_is_slow():
    locks = sorted(interpreter.Path(interpreter.__file__).parent.glob("*.lock"))
    assert len(locks) > 1
    assert not [path.name for path in locks if "pefile==2024.8.26" in path.read_text()]


def test_an_environment_is_known_as_soon_as_it_is_made(tmp_path, job, steps):
    tools = made(tmp_path)
    assert tools.existing(job) is None
    found = tools.for_job(job)
    assert tools.existing(job) == found.program
    plain = replace(job, target=replace(job.target, requirements=None))
    assert tools.existing(plain) == "/usr/bin/python3"
    assert steps


@pytest.mark.parametrize("requirements", [None, "a.lock"])
def test_a_python_that_is_too_old_is_refused(tmp_path, job, steps, monkeypatch, requirements):
    old = {"python": "3.9.18", "pyinstaller": "6.22.3", "ocm_pkg": True}
    monkeypatch.setattr(Interpreters, "_probe", lambda _self, _program: old)
    with pytest.raises(ToolMissingError, match=r"python3 is Python 3\.9\.18, .* need 3\.11"):
        made(tmp_path).for_job(replace(job, target=replace(job.target, requirements=requirements)))
    assert not steps
    assert not (tmp_path / "cache").exists()


def test_requirements_become_an_environment_by_their_hashes(tmp_path, job, steps):
    found = made(tmp_path).for_job(job)
    assert found.program.startswith(str(tmp_path / "cache/build-environments"))
    venv, own, project = steps
    assert venv[:3] == ["/usr/bin/python3", "-m", "venv"]
    for install, name in ((own, "pyinstaller.lock"), (project, "requirements.lock")):
        assert {"--require-hashes", "--only-binary=:all:"} < set(install)
        assert install[-1].endswith(name)


def test_an_environment_is_made_once(tmp_path, job, steps):
    first = made(tmp_path).for_job(job)
    steps.clear()
    assert made(tmp_path).for_job(job) == first
    assert not steps


def test_another_lock_is_another_environment(tmp_path, job, steps):
    first = made(tmp_path).for_job(job)
    (tmp_path / "a.lock").write_text(LOCK + "y==2 --hash=sha256:11\n")
    assert made(tmp_path).for_job(job).program != first.program
    assert len(steps) == 6


def test_an_environment_that_was_not_completed_is_made_again(tmp_path, job, steps):
    first = made(tmp_path).for_job(job)
    (interpreter.Path(first.program).parents[1] / "complete").unlink()
    steps.clear()
    assert made(tmp_path).for_job(job) == first
    assert len(steps) == 3


def test_a_pyinstaller_of_the_project_comes_alone(tmp_path, job, steps):
    (tmp_path / "a.lock").write_text("pyinstaller==6.22.3 --hash=sha256:00\n")
    made(tmp_path).for_job(job)
    assert len(steps) == 2


def test_offline_nothing_is_fetched(tmp_path, job, steps):
    with pytest.raises(BuildError, match="--offline"):
        made(tmp_path, offline=True).for_job(job)
    assert not steps
    first = made(tmp_path).for_job(job)
    assert made(tmp_path, offline=True).for_job(job) == first


@pytest.mark.usefixtures("steps")
def test_a_lock_without_hashes_is_refused(tmp_path, job):
    (tmp_path / "a.lock").write_text("x==1\n")
    with pytest.raises(ConfigError, match="no hashes") as caught:
        made(tmp_path).for_job(job)
    assert "--generate-hashes" in str(caught.value.hint)


@pytest.mark.usefixtures("steps")
def test_a_lock_that_is_not_there_is_named(tmp_path, job):
    (tmp_path / "a.lock").unlink()
    with pytest.raises(FileMissingError, match=r"a\.lock"):
        made(tmp_path).for_job(job)


def test_a_tool_of_our_own_is_taken_from_the_running_python(tmp_path, job, steps):
    found = made(tmp_path).of_own(job)
    assert (found.program, found.version) == ("/usr/bin/python3", "6.22.3")
    assert made(tmp_path).state_of_own() == "/usr/bin/python3: 6.22.3"
    assert not steps


@pytest.mark.parametrize("version", [None, "6.21.0"])
def test_a_tool_of_our_own_comes_by_its_own_lock_whatever_the_project_needs(
    tmp_path, job, steps, monkeypatch, version
):
    found = {"python": "3.11.7", "pyinstaller": version, "ocm_pkg": True}
    lacking = {"/usr/bin/python3": found}
    whole = {**found, "pyinstaller": "6.22.3"}
    monkeypatch.setattr(Interpreters, "_probe", lambda _self, name: lacking.get(name, whole))
    tools = made(tmp_path)
    assert tools.state_of_own() == interpreter.PENDING
    with pytest.raises(BuildError, match="--offline"):
        replace(tools, offline=True).of_own(job)
    assert tools.of_own(job).program.startswith(str(tmp_path / "cache/build-environments"))
    _venv, install = steps
    assert install[-1].endswith("pyinstaller.lock")
    assert tools.state_of_own() == "made of its own lock"


def test_the_report_names_what_the_result_depends_on(tmp_path, job, monkeypatch):
    facts = {"python-digest": "sha256:00", "python-zlib": "1.3", "libpython-digest": None}
    found = {"python": "3.11.7", "pyinstaller": "6.22.3", "ocm_pkg": True, **facts}
    found |= {"pyinstaller-hooks-contrib": "2026.9", "path": ["/site"], "stdlib": "/lib"}
    monkeypatch.setattr(Interpreters, "_probe", lambda _self, _program: found)
    python = made(tmp_path).for_job(replace(job, target=replace(job.target, requirements=None)))
    assert python.tools == {
        "python": "3.11.7",
        "pyinstaller": "6.22.3",
        "python-digest": "sha256:00",
        "python-zlib": "1.3",
        "pyinstaller-hooks-contrib": "2026.9",
    }
    assert (python.path, python.stdlib) == ((interpreter.Path("/site"),), interpreter.Path("/lib"))
