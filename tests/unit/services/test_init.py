"""A new project: the template under another name."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocm_pkg.errors import AlreadyExistsError, UsageError
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.project import parse_project
from ocm_pkg.services.init import init
from tests.fakes.trees import snapshot

TEMPLATE = Path(__file__).parents[3] / "component_templates/python-plugin"
ARM64 = Platform("linux", "arm64")


def test_the_template_is_copied_under_the_new_name(tmp_path):
    paths = init(tmp_path / "p", name="my-plugin", template=TEMPLATE, platform=ARM64)
    assert sorted(str(path.relative_to(tmp_path / "p")) for path in paths) == [
        ".gitignore",
        "README.md",
        "ocm-pkg.yaml",
        "src/my_plugin_plugin/__init__.py",
        "src/my_plugin_plugin/__main__.py",
        "src/my_plugin_plugin/repository.py",
        "tests/test_repository.py",
    ]
    project = parse_project((tmp_path / "p/ocm-pkg.yaml").read_bytes(), name="x")
    assert project.plugin_name == "my-plugin"
    assert [target.platform for target in project.targets] == [ARM64]
    assert (tmp_path / "p" / str(project.targets[0].entry)).is_file()
    source = (tmp_path / "p/src/my_plugin_plugin/__main__.py").read_text()
    assert "from my_plugin_plugin.repository import MyPlugin" in source
    assert "greeter" not in "".join(path.read_text().lower() for path in paths)


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    before = snapshot(tmp_path)
    with pytest.raises(AlreadyExistsError) as caught:
        init(tmp_path, name="hello", template=TEMPLATE, platform=ARM64)
    assert caught.value.exit_code == 8
    assert snapshot(tmp_path) == before


def test_other_files_stay(tmp_path):
    (tmp_path / "NOTES").write_text("mine")
    init(tmp_path, name="hello", template=TEMPLATE, platform=ARM64)
    assert (tmp_path / "NOTES").read_text() == "mine"


def test_a_dry_run_writes_nothing(tmp_path):
    paths = init(tmp_path, name="hello", template=TEMPLATE, platform=ARM64, dry_run=True)
    assert paths
    assert snapshot(tmp_path) == {}


@pytest.mark.parametrize("name", ["", "a", "Hello", "1a", "a.b", "a b", "-a", "a--b", "../a", "ä"])
def test_D07_a_name_that_no_plugin_can_have_is_refused(tmp_path, name):
    with pytest.raises(UsageError) as caught:
        init(tmp_path, name=name, template=TEMPLATE, platform=ARM64)
    assert caught.value.exit_code == 2
    assert snapshot(tmp_path) == {}
