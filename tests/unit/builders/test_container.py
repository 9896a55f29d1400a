"""The builder of containers: what it makes of an engine's result, and of its failures."""

from __future__ import annotations

import json
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from ocm_pkg.builders import container
from ocm_pkg.builders.container import ContainerBuilder
from ocm_pkg.builders.containerengine import Engine
from ocm_pkg.builders.containerpackages import ContainerPackages, note_files
from ocm_pkg.builders.containerpip import PipSettings
from ocm_pkg.builders.documented import taken_files
from ocm_pkg.errors import BinaryPlatformError, BuildError, ToolMissingError
from ocm_pkg.fs.process import child_environment
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.project import parse_project
from tests.fakes.binaries import elf
from tests.fakes.container_jobs import IMAGE, container_job

LINUX = Platform("linux", "amd64")
SAID = {
    "python": "3.11.2",
    "pyinstaller": "6.22.3",
    "pyinstaller-hooks-contrib": "2026.9",
    "python-digest": "sha256:00",
    "libpython-digest": None,
    "python-zlib": "1.2.13",
    "path": ["/build"],
}


class Found:
    """Engines of which there is one, or none with a reason."""

    def __init__(self, name="buildah", problem=""):
        self.engine = Engine(name, f"/bin/{name}") if not problem else None
        self.problem = problem
        self.env = child_environment({"PATH": "/bin"})
        self.asked = []

    def missing(self, platform, host):
        self.asked.append((platform, host))
        return self.problem or None


@pytest.fixture
def job(tmp_path):
    return container_job(tmp_path / "p", **{"hidden-imports": "[json]"})


@pytest.fixture
def engine(monkeypatch):
    """What an engine is called with, what it says and leaves; a status that isn't 0 is an error."""
    state = {"calls": [], "log": "", "status": 0, "program": elf(183), "cleaned": []}
    state.update({"tools.json": json.dumps(SAID), "taken.json": '["x/__init__.py"]'})

    def run_tool(job, argv, **keywords):
        state["calls"].append((argv, keywords))
        job.log.parent.mkdir(parents=True, exist_ok=True)
        job.log.write_text(state["log"])
        if state["status"]:
            raise BuildError("it ended with status 1", detail=state["log"].splitlines()[-3:])
        result = job.work / "result"
        if "--output" not in argv:
            return "0a" * 32
        (result / "made/hello").mkdir(parents=True)
        (result / "made/hello/hello").write_bytes(state["program"])
        for folder in ("packages/x-1.dist-info", "stdlib"):
            (result / folder).mkdir(parents=True)
        for name in ("tools.json", "taken.json"):
            if state[name] is not None:
                (result / name).write_text(state[name])
        return state["log"]

    monkeypatch.setattr(container, "run_tool", run_tool)
    monkeypatch.setattr(container, "pip_settings", lambda *_arguments: PipSettings({}))
    monkeypatch.setattr(Engine, "clean", lambda _self, *args: state["cleaned"].append(args[:2]))
    return state


def builder(engines=None, **keywords):
    return ContainerBuilder(engines or Found(), "python3", {}, timeout=60, **keywords)


def test_what_is_made_is_taken_with_the_versions_inside_and_no_engine(job, engine):
    built = builder().build(job)
    assert built.shape == "dir"
    assert built.program == "hello/hello"
    assert built.platform == Platform("linux", "arm64")
    assert built.tools == {
        "python": "3.11.2",
        "pyinstaller": "6.22.3",
        "pyinstaller-hooks-contrib": "2026.9",
        "python-digest": "sha256:00",
        "python-zlib": "1.2.13",
        "image": IMAGE,
    }
    (pull, _keywords), (tag, _keywords), (argv, keywords) = engine["calls"]
    assert (pull[1], argv[1]) == ("pull", "bud")
    assert tag == ["/bin/buildah", "tag", "0a" * 32, argv[argv.index("--from") + 1]]
    assert keywords["cwd"] == job.work
    assert keywords["timeout"] == 60
    assert keywords["grace"] > 0
    assert engine["cleaned"] == [(job.work, argv[argv.index("--from") + 1])]


def test_it_is_made_from_sources_and_requirements(job):
    before = builder().inputs(job)
    assert before == builder(Found("docker")).inputs(job)
    (job.folder / "src/hello/__main__.py").write_text("print(1)\n")
    after = builder().inputs(job)
    assert {name for name in after if after[name] != before[name]} == {"src/hello/__main__.py"}


def test_two_engines_give_the_same_bytes(tmp_path, engine):
    made = []
    for name in ("docker", "podman"):
        built = builder(Found(name)).build(container_job(tmp_path / name))
        made.append((built.path.read_bytes(), built.tools))
    assert made[0] == made[1]
    assert [argv[0] for argv, _keywords in engine["calls"]] == [
        *("/bin/docker", "/bin/podman", "/bin/podman"),
    ]


def test_a_target_that_is_not_linux_is_for_another_machine(job):
    engines = Found()
    target = replace(job.target, platform=Platform("windows", "amd64"))
    assert "containers make programs for Linux" in builder(engines).missing(target, LINUX)
    assert not engines.asked
    assert builder(engines).missing(job.target, LINUX) is None
    assert engines.asked == [(Platform("linux", "arm64"), LINUX)]


def test_without_an_engine_it_is_a_missing_tool(job):
    with pytest.raises(ToolMissingError, match="no daemon") as caught:
        builder(Found(problem="no daemon")).build(job)
    assert caught.value.code == "E601"
    assert "podman" in str(caught.value.hint)


def test_docker_cannot_be_kept_from_the_network(job, engine):
    with pytest.raises(BuildError, match="--offline"):
        builder(Found("docker"), offline=True).build(job)
    assert not engine["calls"]
    builder(offline=True).build(job)
    assert engine["calls"][0][0][-3:-1] == ["--policy", "never"]
    assert "no-index = true" in (job.work / "pip.conf").read_text()


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("#9 0.4 ocm-pkg: the image has no objdump\nERROR: exit 3", "the image has no objdump"),
        ("Error: initializing source docker://x: connection refused", f"{IMAGE} could not be had"),
        ("ERROR: failed to resolve source metadata for x", f"{IMAGE} could not be had"),
        ("Error: reading manifest sha256:00: manifest unknown", f"{IMAGE} could not be had"),
        ('exec: "python3": executable file not found in $PATH', f"{IMAGE} has no python3"),
        ("exec /usr/bin/python3: exec format error", "don't run on this machine"),
        ("ERROR: Python shared library ('libpython3.11.so') was not found", "no shared library"),
    ],
    ids=["own", "refused", "unresolved", "unknown", "no-python", "foreign", "no-library"],
)
def test_a_failure_is_said_in_plain_words_with_the_end_of_the_log(job, engine, log, reason):
    engine.update(status=1, log=f"first\n{log}\n")
    with pytest.raises(BuildError) as caught:
        builder().build(job)
    assert reason in caught.value.message
    assert str(job.log) in str(caught.value.hint)
    assert caught.value.detail[-1] == log.splitlines()[-1]
    assert [folder for folder, _base in engine["cleaned"]] == [job.work]
    assert not job.output.exists()


def test_another_failure_stays_what_it_is(job, engine):
    engine.update(status=1, log="something else\n")
    with pytest.raises(BuildError, match="status 1"):
        builder().build(job)


def test_an_engine_that_did_not_start_is_not_explained_by_an_older_log(job, monkeypatch):
    def run_tool(job, _argv, **_keywords):
        job.log.parent.mkdir(parents=True)
        job.log.write_text("ocm-pkg: older\n")
        raise BuildError("it did not start")

    monkeypatch.setattr(container, "run_tool", run_tool)
    monkeypatch.setattr(container, "pip_settings", lambda *_arguments: PipSettings({}))
    with pytest.raises(BuildError, match="did not start"):
        builder().build(job)


def test_a_result_for_another_architecture_is_refused(job, engine):
    engine["program"] = elf()
    with pytest.raises(BinaryPlatformError, match="linux/arm64, but is for linux/amd64"):
        builder().build(job)
    assert not job.output.exists()


def test_a_hidden_import_that_is_not_there_is_an_error(job, engine):
    engine["log"] = "ERROR: Hidden import 'json' not found"
    with pytest.raises(BuildError, match="no module json"):
        builder().build(job)


@pytest.mark.parametrize(
    "said", [None, "", "[]", '{"python": 3}', '{"python": "3.11.2"}', '{"pyinstaller": "6"}']
)
def test_a_result_that_does_not_say_its_versions_is_refused(job, engine, said):
    engine["tools.json"] = said
    with pytest.raises(BuildError, match=r"no tools\.json"):
        builder().build(job)


@pytest.mark.parametrize("said", [None, "", "{}"])
def test_a_result_that_does_not_say_its_files_is_refused(job, engine, said):
    engine["taken.json"] = said
    with pytest.raises(BuildError, match=r"no taken\.json"):
        builder().build(job)


def test_the_files_that_were_taken_are_told_as_paths_of_this_machine(job, engine):
    assert engine["status"] == 0
    builder().build(job)
    packages = job.work / "result/packages"
    assert taken_files(job) == {str(packages / "x/__init__.py")}
    python = ContainerPackages().for_job(job)
    assert (python.python, python.path) == ("3.11.2", (packages,))
    assert json.dumps([str(packages)]) in Path(python.program).read_text()


def test_links_among_the_packages_are_refused(job, engine, monkeypatch, tmp_path):
    (tmp_path / "secret").write_text("s")

    def note(job):
        (job.work / "result/packages/x-1.dist-info/LICENSE").symlink_to(tmp_path / "secret")
        note_files(job)

    assert engine["status"] == 0
    monkeypatch.setattr(container, "note_files", note)
    with pytest.raises(BuildError, match="no packages"):
        builder().build(job)


def test_the_project_that_the_documentation_shows_is_one():
    text = (Path(__file__).parents[3] / "docs/containers.md").read_text()
    shown = text[text.index("    formatVersion") : text.index("\n\n`entry`")]
    project = parse_project(textwrap.dedent(shown), name="docs/containers.md")
    target = project.target(Platform("linux", "arm64"))
    assert (target.builder, target.requirements) == ("container", "requirements.lock")
