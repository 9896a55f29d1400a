"""A new project: the template under another name."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocm_pkg.errors import AlreadyExistsError, UsageError
from ocm_pkg.model import yamltext
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.project import parse_project
from ocm_pkg.services.init import PIPELINES, TEMPLATES, init
from tests.fakes.trees import snapshot

FOLDER = Path(__file__).parents[3] / "component_templates"
ARM64 = Platform("linux", "arm64")
PIPELINE_FILES = [".github/workflows/release.yml", ".gitlab-ci.yml", "requirements-release.txt"]


def start(folder, name="my-plugin", template="python", **keywords):
    """Start a project; return its files by their paths in it."""
    paths = init(folder, name=name, templates=FOLDER, template=template, platform=ARM64, **keywords)
    return {str(path.relative_to(folder)): path for path in paths}


def test_the_template_is_copied_under_the_new_name(tmp_path):
    files = start(tmp_path / "p")
    assert sorted(files) == [
        ".gitignore",
        "README.md",
        "ocm-pkg.yaml",
        "src/my_plugin_plugin/__init__.py",
        "src/my_plugin_plugin/__main__.py",
        "src/my_plugin_plugin/repository.py",
        "tests/test_repository.py",
    ]
    project = parse_project(files["ocm-pkg.yaml"].read_bytes(), name="x")
    assert project.plugin_name == "my-plugin"
    assert [target.platform for target in project.targets] == [ARM64]
    assert (tmp_path / "p" / str(project.targets[0].entry)).is_file()
    source = files["src/my_plugin_plugin/__main__.py"].read_text()
    assert "from my_plugin_plugin.repository import MyPlugin" in source


@pytest.mark.parametrize("template", TEMPLATES)
def test_nothing_of_the_templates_own_name_is_left(tmp_path, template):
    files = start(tmp_path, template=template, pipelines=PIPELINES, version="1.2.3")
    text = "".join(path.read_text().lower() for path in files.values())
    for left in ("greeter", "ocm_pkg_version", "build_machine", "build_runner", "# only:"):
        assert left not in text


def test_the_template_for_go_has_six_targets_wherever_it_is_started(tmp_path):
    project = parse_project(start(tmp_path, template="go")["ocm-pkg.yaml"].read_bytes(), name="x")
    assert {str(target.platform) for target in project.targets} == {
        f"{system}/{architecture}"
        for system in ("linux", "darwin", "windows")
        for architecture in ("amd64", "arm64")
    }
    outputs = [target.output for target in project.targets]
    assert outputs == [f"out/{project.binary_name(each.platform)}" for each in project.targets]
    assert {(target.builder, target.run) for target in project.targets} == {
        ("command", ("sh", "build.sh"))
    }


def test_the_module_of_the_template_for_go_is_the_component(tmp_path):
    files = start(tmp_path, template="go")
    assert files["go.mod"].read_text().startswith("module example.com/plugins/my-plugin\n")
    assert '"example.com/plugins/my-plugin/internal/contract"' in files["main.go"].read_text()


@pytest.mark.parametrize("template", TEMPLATES)
def test_pipelines_are_for_the_template_alone(tmp_path, template):
    files = start(tmp_path, template=template, pipelines=PIPELINES, version="1.2.3")
    assert set(PIPELINE_FILES) <= set(files)
    for path in PIPELINE_FILES[:2]:
        text = files[path].read_text()
        assert isinstance(yamltext.load(text, name=path).value, dict)
        assert ("setup-go" in text or "golang" in text) == (template == "go")
    extra = "[build]" if template == "python" else ""
    last = files["requirements-release.txt"].read_text().splitlines()[-1]
    assert last == f"ocm-pkg{extra}==1.2.3"


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_one_pipeline_may_be_left_out(tmp_path, pipeline):
    files = start(tmp_path, pipelines=[pipeline], version="1")
    assert {path for path in files if path in PIPELINE_FILES} == {
        PIPELINES[pipeline][1],
        "requirements-release.txt",
    }


@pytest.mark.parametrize(
    ("platform", "runner"),
    [
        (ARM64, "saas-linux-small-arm64"),
        (Platform("darwin", "arm64"), "saas-macos-medium-m1"),
        (Platform("linux", "riscv64"), "linux-riscv64"),
    ],
)
def test_the_matrix_names_the_machine_that_the_project_is_built_on(tmp_path, platform, runner):
    init(
        tmp_path,
        name="hello",
        templates=FOLDER,
        template="python",
        platform=platform,
        pipelines=["gitlab"],
        version="1",
    )
    document = yamltext.load((tmp_path / ".gitlab-ci.yml").read_text(), name="x").value
    assert document["build"]["parallel"]["matrix"] == [{"MACHINE": str(platform), "RUNNER": runner}]


@pytest.mark.parametrize("taken", ["README.md", ".gitlab-ci.yml"])
def test_nothing_is_overwritten(tmp_path, taken):
    (tmp_path / taken).write_text("mine")
    before = snapshot(tmp_path)
    with pytest.raises(AlreadyExistsError) as caught:
        start(tmp_path, pipelines=PIPELINES, version="1")
    assert caught.value.exit_code == 8
    assert ("--ci none" in str(caught.value.hint)) == (taken != "README.md")
    assert snapshot(tmp_path) == before


def test_other_files_stay(tmp_path):
    (tmp_path / "NOTES").write_text("mine")
    start(tmp_path)
    assert (tmp_path / "NOTES").read_text() == "mine"


def test_a_dry_run_writes_nothing(tmp_path):
    assert start(tmp_path, pipelines=PIPELINES, version="1", dry_run=True)
    assert snapshot(tmp_path) == {}


@pytest.mark.parametrize("name", ["", "a", "Hello", "1a", "a.b", "a b", "-a", "a--b", "../a", "ä"])
def test_D07_a_name_that_no_plugin_can_have_is_refused(tmp_path, name):
    with pytest.raises(UsageError) as caught:
        start(tmp_path, name)
    assert caught.value.exit_code == 2
    assert snapshot(tmp_path) == {}
