"""``rebuild``: the same bytes from the same commit, and what it says if they are not."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.fakes.gitrepo import git
from tests.fakes.rebuild_project import RebuildProject, tools
from tests.fakes.trees import names, snapshot

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


@pytest.fixture
def project(tmp_path):
    return RebuildProject(tmp_path)


@pytest.mark.parametrize("shape", ["file", "dir"])
def test_what_was_published_from_a_commit_is_built_again_identically(shape, tmp_path):
    project = RebuildProject(tmp_path, shape)
    project.publish()
    before = snapshot(project.folder)
    ran = project.rebuild("--source", ".")
    assert ran.code == 0, ran.err
    (target,) = ran.json["targets"]
    assert target["published"] == target["rebuilt"]
    assert ran.json == {
        "component": "example.com/plugins/hello",
        "version": "1.0.0",
        "result": "identical",
        "source": {"repository": str(project.folder), "commit": project.commit},
        "targets": [
            {
                "platform": "linux/arm64",
                "result": "identical",
                "published": target["published"],
                "rebuilt": target["published"],
            }
        ],
    }
    assert snapshot(project.folder) == before


def test_one_changed_byte_of_a_source_is_an_error_that_names_the_file(tmp_path):
    project = RebuildProject(tmp_path, "dir")
    project.hide_change("text", "hellO\n")
    project.publish()
    ran = project.rebuild("--source", ".")
    assert (ran.code, ran.json["result"]) == (4, "different")
    (target,) = ran.json["targets"]
    assert target["difference"] == {"where": ["hello/data"], "what": "content", "offset": 4}
    assert target["published"] != target["rebuilt"]
    assert ran.json["error"]["code"] == "E400"
    plain = project.run("rebuild", project.ref, "--source", ".")
    assert plain.code == 4
    assert "error[E400]" in plain.err
    assert "linux/arm64: hello/data: the content differs, from byte 4 on" in plain.err
    assert "different" in plain.out


def test_both_sides_are_kept_in_a_new_folder(project):
    project.hide_change("text", "hellO\n")
    project.publish()
    ran = project.rebuild("--source", ".", "--keep", "kept")
    assert ran.code == 4
    kept = project.folder / "kept"
    assert (kept / "published/hello.linux-arm64").read_bytes().endswith(b"hellO\n")
    assert (kept / "rebuilt/hello.linux-arm64").read_bytes().endswith(b"hello\n")
    assert names(kept / "rebuilt/logs") == ["hello.linux-arm64.log"]
    again = project.rebuild("--source", ".", "--keep", "kept")
    assert (again.code, again.json["error"]["code"]) == (8, "E801")


def test_a_dry_run_runs_nothing_of_the_project(project):
    project.publish()
    ran = project.rebuild("--source", ".", "--dry-run")
    assert (ran.code, ran.json["result"]) == (0, "would build")
    assert not project.marker.exists()


def test_without_a_repository_it_says_how_to_name_one(project):
    project.publish()
    error = project.rebuild().json["error"]
    assert error["code"] == "E210"
    assert "--source DIR" in error["hint"]


def test_what_was_built_with_uncommitted_changes_cannot_be_built_again(project):
    (project.folder / "text").write_text("changed\n")
    project.publish()
    ran = project.rebuild("--source", ".")
    assert (ran.code, ran.json["error"]["code"]) == (6, "E600")
    assert "names no commit" in ran.json["error"]["message"]


def test_a_later_commit_makes_no_difference(project):
    project.publish()
    (project.folder / "text").write_text("later\n")
    project.recommit()
    assert project.rebuild("--source", ".").code == 0


def test_another_version_of_ocm_pkg_is_refused_by_name(project):
    project.publish()
    project.republish(lambda said: tools(said).update({"ocm-pkg": "0.0.1"}))
    ran = project.rebuild("--source", ".")
    assert (ran.code, ran.json["error"]["code"]) == (6, "E601")
    assert ran.json["error"]["detail"][0].startswith("linux/arm64: ocm-pkg: recorded 0.0.1, here ")
    assert not project.marker.exists()


def test_only_a_target_that_is_there_can_be_asked_for(project):
    project.publish()
    ran = project.rebuild("--source", ".", "--target", "linux/amd64")
    assert (ran.code, ran.json["error"]["code"]) == (3, "E302")
    assert project.rebuild("--source", ".", "--target", "linux/arm64").code == 0


def test_a_prebuilt_target_is_named_and_the_others_are_built(project):
    text = (project.folder / "ocm-pkg.yaml").read_text()
    prebuilt = "{platform: linux/riscv64, builder: prebuilt, path: ready, shape: file}"
    text = text.replace("[linux/arm64]", f"[linux/arm64, {prebuilt}]")
    (project.folder / "ocm-pkg.yaml").write_text(text)
    program = bytearray((project.folder / "program").read_bytes())
    program[18] = 243
    (project.folder / "ready").write_bytes(program)
    project.recommit()
    project.publish()
    ran = project.rebuild("--source", ".")
    assert (ran.code, ran.json["result"]) == (0, "partial")
    (named,) = [one for one in ran.json["targets"] if one["platform"] == "linux/riscv64"]
    assert named["result"] == "not built"
    assert named["reason"].startswith("it is prebuilt")


def test_a_project_in_a_folder_of_its_repository_is_found(project):
    inside = project.folder / "plugins/hello"
    inside.mkdir(parents=True)
    for name in ("ocm-pkg.yaml", "make.sh", "text", "program", ".gitignore"):
        git(project.folder, "mv", name, f"plugins/hello/{name}")
    project.recommit()
    top, project.folder = project.folder, inside
    project.publish()
    ran = project.rebuild("--source", top)
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["result"] == "identical"
