"""Provenance that was signed and lies, or that nobody signed: nothing of the project is run."""

from __future__ import annotations

import shutil

import pytest

from tests.fakes.gitrepo import served
from tests.fakes.rebuild_project import RebuildProject, parameters, tools

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A version whose provenance names a repository, signed."""
    project = RebuildProject(tmp_path_factory.mktemp("project"))
    project.publish()
    return project


@pytest.fixture
def project(made, tmp_path):
    """The same, to be changed: in a folder of its own, with the user's key."""
    copy = made.copy(tmp_path / "copy")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    copy.command.environ["TMPDIR"] = str(scratch)
    yield copy
    assert list(scratch.iterdir()) == []


def refused(project, code, *words):
    """Return the error of a rebuild that ran nothing of the project."""
    project.marker.unlink(missing_ok=True)
    ran = project.rebuild(*words)
    assert ran.json["error"]["code"] == code, ran
    assert ran.code == int(code[1])
    assert ran.json["error"]["hint"]
    assert not project.marker.exists()
    return ran.json["error"]


def repository(value):
    return lambda said: parameters(said)["source"].update({"repository": value})


def test_a_repository_that_the_provenance_names_is_built_again(project):
    with served(project.folder) as url:
        project.republish(repository(url))
        ran = project.rebuild()
    assert ran.code == 0, ran.err
    assert ran.json["result"] == "identical"
    assert ran.json["source"] == {"repository": url, "commit": project.commit}
    assert project.marker.exists()


@pytest.mark.parametrize(
    "address",
    [
        "ext::sh -c touch% MARKER",
        "--upload-pack=touch MARKER",
        "file:///etc",
        "ssh://-oProxyCommand=touch%20MARKER/x",
    ],
    ids=["ext", "option", "file", "ssh-option"],
)
def test_another_address_than_one_on_the_network_is_refused(address, project):
    project.republish(repository(address.replace("MARKER", str(project.marker))))
    error = refused(project, "E230")
    assert "is no http, https or ssh URL" in error["message"]


@pytest.mark.parametrize("commit", ["HEAD", "--all"])
def test_a_commit_that_is_no_hash_is_refused(commit, project):
    project.republish(lambda said: parameters(said)["source"].update({"commit": commit}))
    error = refused(project, "E230", "--source", ".")
    assert "is no hash" in error["message"]


def test_a_commit_that_is_not_there_is_not_found(project):
    project.republish(lambda said: parameters(said)["source"].update({"commit": "d" * 40}))
    assert "has no commit" in refused(project, "E300", "--source", ".")["message"]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("component", "example.com/plugins/other"),
        ("platform", "linux/amd64"),
    ],
)
def test_the_provenance_of_something_else_is_refused(member, value, project):
    project.republish(lambda said: parameters(said).update({member: value}))
    error = refused(project, "E400", "--source", ".")
    assert f"of something else: its {member} is {value}" in error["message"]


def test_the_provenance_of_other_bytes_is_refused(project):
    other = {"sha256": "0" * 64}
    project.republish(lambda said: said["subject"][0].update({"digest": other}))
    error = refused(project, "E400", "--source", ".")
    assert "of something else: its digest is" in error["message"]


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("config", "sha256:" + "0" * 64, "E400"),
        ("builder", "pyinstaller", "E400"),
        ("project", "plugins/other", "E400"),
        ("project", "../..", "E230"),
    ],
)
def test_sources_that_are_not_what_was_recorded_are_refused(member, value, code, project):
    project.republish(lambda said: parameters(said).update({member: value}))
    refused(project, code, "--source", ".")


def test_a_folder_that_a_link_of_the_repository_leads_out_to_is_refused(project):
    (project.folder / "plugin").symlink_to(project.folder.parent / "elsewhere")
    shutil.copytree(project.folder, project.folder.parent / "elsewhere", symlinks=True)
    commit = project.recommit()

    def edit(said):
        parameters(said).update({"project": "plugin"})
        parameters(said)["source"].update({"commit": commit})

    project.republish(edit)
    error = refused(project, "E400", "--source", ".")
    assert "has no folder plugin" in error["message"]


def test_a_version_without_provenance_is_refused(project):
    project.without_provenance()
    error = refused(project, "E304", "--source", ".")
    assert "'hello-provenance'" in error["message"]


def test_provenance_that_nobody_trusted_signed_is_not_read(project):
    other = type(project.command)(project.root / "other-home")
    words = ("rebuild", project.ref, "--source", ".", "-o", "json")
    assert other("key", "new", cwd=project.folder).code == 0
    ran = other(*words, cwd=project.folder)
    assert (ran.code, ran.json["error"]["code"][:2]) == (4, "E4")
    assert "getting commit" not in ran.err
    assert not project.marker.exists()


def test_a_document_that_was_exchanged_in_the_repository_is_refused(project):
    blobs = [
        path
        for path in (project.folder / "ctf/blobs").rglob("*")
        if path.is_file() and b"slsa.dev/provenance" in path.read_bytes()[:4096]
    ]
    assert blobs
    for blob in blobs:
        data = blob.read_bytes()
        blob.chmod(0o644)
        blob.write_bytes(data.replace(project.commit.encode(), b"d" * 40))
    refused(project, "E401", "--source", ".")


def test_tools_that_would_break_the_terminal_are_shown_harmless(project):
    project.republish(lambda said: tools(said).update({"ocm-pkg": "\x1b[31m0.0.1"}))
    ran = project.run("rebuild", project.ref, "--source", ".")
    assert ran.code == 6
    assert "\x1b" not in ran.err
    assert "0.0.1" in ran.err
    assert not project.marker.exists()
