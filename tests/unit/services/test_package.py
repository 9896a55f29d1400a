"""From dist to a constructor: only what was built, from these sources."""

from __future__ import annotations

import shutil
import tarfile

import pytest

from ocm_pkg.errors import BuildError, ConfigError, DigestMismatchError, FileMissingError
from ocm_pkg.model import yamltext
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.part import BuiltTarget, Part
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.project import parse_project
from ocm_pkg.services.package import prepare

YAML = """\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: example.com
build: {entry: hello.py}
targets: [linux/amd64, linux/arm64]
assets: [{name: docs, path: docs}]
"""
PROJECT = parse_project(YAML, name="x")
CONFIG = digest_of(b"config")


@pytest.fixture
def project(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.md").write_text("text")
    return tmp_path


def built(folder, *architectures, version="1.0.0", config=CONFIG, lock=None):
    dist = folder / "dist"
    dist.mkdir(exist_ok=True)
    targets = []
    for architecture in architectures:
        platform = Platform("linux", architecture)
        (dist / PROJECT.binary_name(platform)).write_bytes(architecture.encode())
        digest = digest_of(architecture.encode())
        targets.append(BuiltTarget(platform, digest, 5, "file", "command"))
    part = Part(PROJECT.component, version, "abc", config, lock, tuple(targets))
    (dist / "part.json").write_bytes(part.encode())


def run(folder, project=PROJECT, **keywords):
    return prepare(
        project,
        version="1.0.0",
        config=CONFIG,
        lock=None,
        folder=folder,
        out=folder / "dist",
        **keywords,
    )


def test_the_constructor_has_all_binaries_and_assets(project):
    built(project, "arm64", "amd64")
    package = run(project)
    assert package.missing == ()
    assert package.path.read_bytes() == package.data
    (component,) = yamltext.load(package.data, name="x").value["components"]
    assert [resource["input"]["path"] for resource in component["resources"]] == [
        "hello.linux-amd64",
        "hello.linux-arm64",
        "hello.linux-amd64.provenance.json",
        "hello.linux-arm64.provenance.json",
        "docs.tar.gz",
    ]
    with tarfile.open(project / "dist/docs.tar.gz") as archive:
        assert "a.md" in archive.getnames()


def test_a_missing_target_is_refused(project):
    built(project, "amd64")
    with pytest.raises(BuildError, match="no binary for linux/arm64") as caught:
        run(project)
    assert "--partial" in str(caught.value.hint)
    assert not (project / "dist/component-constructor.yaml").exists()


def test_a_missing_target_is_allowed_on_demand(project):
    built(project, "amd64")
    assert run(project, partial=True).missing == (Platform("linux", "arm64"),)
    lenient = parse_project(YAML + "require: {all-targets: false}\n", name="x")
    assert len(run(project, lenient).targets) == 1


def test_nothing_built_says_how_to(project):
    with pytest.raises(FileMissingError) as caught:
        run(project)
    assert "ocm-pkg build" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": "2.0.0"}, "another version"),
        ({"config": digest_of(b"other")}, "another project file"),
        ({"lock": digest_of(b"lock")}, "another requirements"),
    ],
)
def test_what_was_built_from_other_sources_is_refused(project, change, says):
    built(project, "amd64", "arm64", **change)
    with pytest.raises(ConfigError, match=says):
        run(project)


def test_a_binary_that_was_changed_is_refused(project):
    built(project, "amd64", "arm64")
    (project / "dist/hello.linux-amd64").write_bytes(b"amd65")
    with pytest.raises(DigestMismatchError) as caught:
        run(project)
    assert caught.value.exit_code == 4


def test_a_binary_that_is_gone_is_named(project):
    built(project, "amd64", "arm64")
    (project / "dist/hello.linux-amd64").unlink()
    with pytest.raises(FileMissingError, match="amd64"):
        run(project)


def test_an_asset_that_is_gone_is_named(project):
    built(project, "amd64", "arm64")
    shutil.rmtree(project / "docs")
    with pytest.raises(FileMissingError, match="docs"):
        run(project)


def test_packaging_again_gives_the_same_bytes(project):
    built(project, "amd64", "arm64")
    one = run(project).data, (project / "dist/docs.tar.gz").read_bytes()
    (project / "docs/a.md").touch()
    assert (run(project).data, (project / "dist/docs.tar.gz").read_bytes()) == one
