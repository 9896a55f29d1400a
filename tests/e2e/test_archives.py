"""CTFs that are tar and tgz files, through the commands."""

from __future__ import annotations

import tarfile

import pytest

from tests.fakes.command import Command
from tests.fakes.trees import names, untouched

CONSTRUCTOR = """\
components:
- name: example.com/a/one
  version: ${ONE}
  provider: {name: example.com}
  resources: [{name: text, type: blob, input: {type: file, path: text}}]
- name: example.com/a/two
  version: 1.0.0
  provider: {name: example.com}
  componentReferences: [{name: one, componentName: example.com/a/one, version: "${ONE}"}]
"""


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "text").write_text("content")
    (folder / "component-constructor.yaml").write_text(CONSTRUCTOR)
    return folder


@pytest.fixture
def ocm_pkg(tmp_path, folder):
    command = Command(tmp_path)

    def run(*arguments, code=0):
        ran = command(*arguments, cwd=folder)
        assert ran.code == code, ran.err + ran.out
        return ran

    return run


@pytest.mark.parametrize(
    "name", ["x.tar", "x.tgz", pytest.param("x.tar.gz", marks=pytest.mark.slow)]
)
def test_an_archive_is_made_signed_copied_and_verified(ocm_pkg, folder, name):
    ocm_pkg("add", "cv", "-r", name, "--set", "ONE=1.0.0")
    ocm_pkg("key", "new")
    ocm_pkg("sign", "cv", f"{name}//example.com/a/two:1.0.0")
    ocm_pkg("transfer", "cv", f"{name}//example.com/a/two:1.0.0", "copy.tgz", "--recursive")
    ocm_pkg("transfer", "cv", "copy.tgz//example.com/a/two:1.0.0", "./folder", "--recursive")
    for repository in (name, "copy.tgz", "./folder"):
        found = ocm_pkg("get", "cv", repository, "-o", "json").json
        assert [each["component"]["name"][-3:] for each in found] == ["one", "two"]
        ocm_pkg("verify", "cv", f"{repository}//example.com/a/two:1.0.0")
    ocm_pkg("download", "resource", f"{name}//example.com/a/one:1.0.0", "--identity", "name=text")
    assert names(folder) == sorted(
        [name, "copy.tgz", "folder", "text", "component-constructor.yaml"]
    )


def test_the_same_commands_make_the_same_bytes(ocm_pkg, folder):
    for name in ("a.tgz", "b.tgz"):
        ocm_pkg("add", "cv", "-r", name, "--set", "ONE=1.0.0")
    assert (folder / "a.tgz").read_bytes() == (folder / "b.tgz").read_bytes()
    before = untouched(folder / "a.tgz")
    ocm_pkg("add", "cv", "-r", "a.tgz", "--set", "ONE=1.0.0")
    assert untouched(folder / "a.tgz") == before
    with tarfile.open(folder / "a.tgz") as tar:
        assert tar.getnames()[:2] == ["artifact-index.json", "blobs"]


@pytest.mark.parametrize("name", ["ctf", "x.tgz"])
def test_a_conflict_of_one_component_version_keeps_all_others_out(ocm_pkg, name):
    ocm_pkg("add", "cv", "-r", f"./{name}", "--set", "ONE=1.0.0")
    ocm_pkg("add", "cv", "-r", f"./{name}", "--set", "ONE=2.0.0", code=8)
    found = ocm_pkg("get", "cv", f"./{name}", "-o", "json").json
    assert [each["component"]["version"] for each in found] == ["1.0.0", "1.0.0"]


def test_a_dry_run_makes_no_archive(ocm_pkg, folder):
    before = names(folder)
    ocm_pkg("add", "cv", "-r", "x.tgz", "--set", "ONE=1.0.0", "--dry-run")
    assert names(folder) == before


def test_a_missing_archive_is_not_found(ocm_pkg, folder):
    ran = ocm_pkg("get", "cv", "missing.tgz//example.com/a/one:1.0.0", code=3)
    assert "missing.tgz" in ran.err
    assert not (folder / "missing.tgz").exists()
