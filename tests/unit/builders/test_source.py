"""Project file and version."""

from __future__ import annotations

import pytest

from ocm_pkg.builders.source import (
    load_project,
    lock_of,
    resolve_version,
    version_of_describe,
)
from ocm_pkg.errors import ConfigError, FileMissingError
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.version import is_version

YAML = """\
formatVersion: 1
component: example.com/plugins/hello
version: {from: pyproject}
provider: example.com
build: {entry: hello.py}
targets: [linux/amd64]
"""
TOML = """\
[project]
version = "2.0.0"
[tool.ocm-pkg]
formatVersion = 1
component = "example.com/plugins/hello"
version = {from = "pyproject"}
provider = "example.com"
targets = ["linux/amd64"]
build = {entry = "hello.py"}
"""


def test_the_project_file_is_found(tmp_path):
    (tmp_path / "ocm-pkg.yaml").write_text(YAML)
    source = load_project(tmp_path)
    assert source.file.name == "ocm-pkg.yaml"
    assert source.project.plugin_name == "hello"


def test_a_comment_does_not_change_the_project(tmp_path):
    (tmp_path / "ocm-pkg.yaml").write_text(YAML)
    before = load_project(tmp_path).config
    (tmp_path / "ocm-pkg.yaml").write_text("# comment\n" + YAML)
    assert load_project(tmp_path).config == before
    (tmp_path / "ocm-pkg.yaml").write_text(YAML.replace("hello.py", "other.py"))
    assert load_project(tmp_path).config != before


def test_where_it_is_published_says_nothing_of_what_was_built(tmp_path):
    (tmp_path / "ocm-pkg.yaml").write_text(YAML)
    before = load_project(tmp_path).config
    (tmp_path / "ocm-pkg.yaml").write_text(YAML + "publish: {to: ghcr.io/acme/ocm}\n")
    assert load_project(tmp_path).config == before


def test_a_pyproject_is_a_project_file_too(tmp_path):
    (tmp_path / "pyproject.toml").write_text(TOML)
    source = load_project(tmp_path)
    assert resolve_version(source, {}) == "2.0.0"


def test_two_project_files_are_refused(tmp_path):
    (tmp_path / "ocm-pkg.yaml").write_text(YAML)
    (tmp_path / "pyproject.toml").write_text(TOML)
    with pytest.raises(ConfigError, match="both describe"):
        load_project(tmp_path)


def test_a_folder_without_project_says_how_to_start_one(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    with pytest.raises(FileMissingError) as caught:
        load_project(tmp_path)
    assert "ocm-pkg init" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        (None, "does not exist"),
        ("[project]\n", "no version under"),
        ('[project]\ndynamic = ["version"]\n', "no version under"),
        ('[project]\nversion = "latest"\n', "is not a version"),
        ("project = 1\n", "no version under"),
    ],
)
def test_a_pyproject_without_version_is_an_error(tmp_path, toml, says):
    (tmp_path / "ocm-pkg.yaml").write_text(YAML)
    if toml is not None:
        (tmp_path / "pyproject.toml").write_text(toml)
    with pytest.raises(ConfigError, match=says):
        resolve_version(load_project(tmp_path), {})


def test_a_version_comes_from_the_environment(tmp_path):
    (tmp_path / "ocm-pkg.yaml").write_text(YAML.replace("pyproject", "env, name: VERSION"))
    source = load_project(tmp_path)
    assert resolve_version(source, {"VERSION": "3.0.0"}) == "3.0.0"
    with pytest.raises(ConfigError, match="which is not set"):
        resolve_version(source, {})
    with pytest.raises(ConfigError, match="is not a version"):
        resolve_version(source, {"VERSION": "../x"})


def test_a_literal_version_is_itself(tmp_path):
    (tmp_path / "ocm-pkg.yaml").write_text(YAML.replace("{from: pyproject}", "1.2.3"))
    assert resolve_version(load_project(tmp_path), {}) == "1.2.3"


@pytest.mark.parametrize(
    ("described", "version"),
    [
        ("v1.2.0-0-g0123456789ab", "1.2.0"),
        ("1.2.0-0-g0123456789ab", "1.2.0"),
        ("v1.2.0-3-g0123456789ab", "1.2.1-dev.3.g0123456789ab"),
        ("v1.2.0-rc.1-3-g0123456789ab", "1.2.0-rc.1.dev.3.g0123456789ab"),
        ("v1.2-3-g0123456789ab", "1.2-dev.3.g0123456789ab"),
    ],
)
def test_a_tag_is_a_version_and_what_follows_it_a_pre_release(described, version):
    assert version_of_describe(described) == version
    assert is_version(version)


def test_what_git_does_not_describe_is_no_version():
    assert not is_version(version_of_describe("latest"))


def test_the_lock_is_the_digest_of_the_requirements(tmp_path):
    (tmp_path / "ocm-pkg.yaml").write_text(YAML)
    assert lock_of(load_project(tmp_path)) is None
    (tmp_path / "ocm-pkg.yaml").write_text(
        YAML.replace("hello.py}", "hello.py, requirements: a.lock}")
    )
    (tmp_path / "a.lock").write_bytes(b"a")
    assert lock_of(load_project(tmp_path)) == digest_of(b"a")


def test_several_locks_have_one_digest(tmp_path):
    (tmp_path / "ocm-pkg.yaml").write_text(
        YAML.replace(
            "[linux/amd64]",
            "[{platform: linux/amd64, requirements: a.lock},"
            " {platform: linux/arm64, requirements: b.lock}]",
        )
    )
    (tmp_path / "a.lock").write_bytes(b"a")
    (tmp_path / "b.lock").write_bytes(b"b")
    assert lock_of(load_project(tmp_path)) not in (None, digest_of(b"a"), digest_of(b"b"))


@pytest.mark.parametrize("path", ["hello/__init__.py", "hello.py", "src/hello/__init__.py"])
def test_a_dynamic_version_is_read_without_running_the_module(tmp_path, path):
    (tmp_path / "ocm-pkg.yaml").write_text(YAML)
    (tmp_path / "pyproject.toml").write_text(
        '[project]\ndynamic = ["version"]\n'
        '[tool.setuptools.dynamic]\nversion = {attr = "hello.__version__"}\n'
    )
    module = tmp_path / path
    module.parent.mkdir(parents=True, exist_ok=True)
    module.write_text('raise SystemExit\na, b = 1, 2\n__version__ = "4.5.6"\n')
    assert resolve_version(load_project(tmp_path), {}) == "4.5.6"
    for text in ("__version__ = (", "__version__ = version()", "\0"):
        module.write_text(text)
        with pytest.raises(ConfigError, match="no version under"):
            resolve_version(load_project(tmp_path), {})
    module.unlink()
    with pytest.raises(ConfigError):
        resolve_version(load_project(tmp_path), {})
