"""Getting sources that somebody else names runs nothing of theirs, and gives exactly a commit."""

from __future__ import annotations

import os
import shutil

import pytest

from ocm_pkg.builders.checkout import Origin, check_out
from ocm_pkg.errors import BuildError, NotFoundError, TransportError, UsageError
from tests.fakes.gitrepo import committed, git, served

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
FILES = {"make.sh": "echo hello\n", "data/text": "one\ntwo\n"}


@pytest.fixture
def repository(tmp_path):
    committed(tmp_path / "repository", FILES)
    return tmp_path / "repository"


@pytest.fixture
def environ(tmp_path):
    """The environment of a user whose settings run something at every step."""
    home = tmp_path / "home"
    hooks = home / "template/hooks"
    hooks.mkdir(parents=True)
    for name in ("post-checkout", "reference-transaction", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {home}/ran\n")
        (hooks / name).chmod(0o755)
    (home / ".gitconfig").write_text(
        f"[init]\n templateDir = {home}/template\n[core]\n hooksPath = {hooks}\n autocrlf = true\n"
        f' fsmonitor = touch {home}/ran\n[filter "mine"]\n smudge = touch {home}/ran && cat\n'
        "[submodule]\n recurse = true\n"
    )
    attributes = home / ".config/git/attributes"
    attributes.parent.mkdir(parents=True)
    attributes.write_text("* filter=mine\n")
    return {"PATH": os.environ["PATH"], "HOME": str(home)}


def local(repository, commit=None):
    return Origin(str(repository), commit or git(repository, "rev-parse", "HEAD"), is_local=True)


def test_the_files_are_those_of_the_commit_whatever_the_users_settings_are(
    repository, environ, tmp_path
):
    assert check_out(local(repository), tmp_path / "new", environ) is False
    for name, text in FILES.items():
        assert (tmp_path / "new" / name).read_bytes() == text.encode()
    assert not (tmp_path / "home/ran").exists()
    assert not list((tmp_path / "new/.git/hooks").glob("*"))


def test_an_older_commit_is_found_too(repository, environ, tmp_path):
    before = git(repository, "rev-parse", "HEAD")
    committed(repository, {"make.sh": "echo other\n"})
    check_out(local(repository, before), tmp_path / "new", environ)
    assert (tmp_path / "new/make.sh").read_text() == FILES["make.sh"]


def test_a_commit_that_is_on_no_branch_is_asked_for_by_its_hash(repository, environ, tmp_path):
    git(repository, "checkout", "--quiet", "--detach")
    commit = committed(repository, {"make.sh": "echo detached\n"})
    git(repository, "checkout", "--quiet", "main")
    check_out(local(repository, commit), tmp_path / "new", environ)
    assert (tmp_path / "new/make.sh").read_text() == "echo detached\n"


def test_a_repository_on_the_network_is_fetched(repository, environ, tmp_path):
    with served(repository) as url:
        check_out(Origin(url, local(repository).commit), tmp_path / "new", environ)
    assert (tmp_path / "new/make.sh").read_text() == FILES["make.sh"]


def test_a_commit_that_is_not_there_is_not_found(repository, environ, tmp_path):
    with pytest.raises(NotFoundError, match="has no commit dddd"):
        check_out(local(repository, "d" * 40), tmp_path / "new", environ)


def test_another_object_than_a_commit_is_refused(repository, environ, tmp_path):
    tag = git(repository, "tag", "--annotate", "--message=x", "v1") or git(
        repository, "rev-parse", "v1"
    )
    with pytest.raises(BuildError, match="did not make exactly the files"):
        check_out(local(repository, tag), tmp_path / "new", environ)
    tree = git(repository, "rev-parse", "HEAD^{tree}")
    with pytest.raises((NotFoundError, BuildError)):
        check_out(local(repository, tree), tmp_path / "other", environ)


@pytest.mark.parametrize(
    "address",
    ["ext::sh -c touch% MARKER", "--upload-pack=touch MARKER", "file://REPOSITORY", "REPOSITORY"],
    ids=["ext", "option", "file", "path"],
)
def test_git_itself_refuses_what_is_not_on_the_network(address, repository, environ, tmp_path):
    marker = tmp_path / "marker"
    text = address.replace("MARKER", str(marker)).replace("REPOSITORY", str(repository))
    with pytest.raises(TransportError):
        check_out(Origin(text, local(repository).commit), tmp_path / "new", environ)
    assert not marker.exists()


def test_a_setting_that_replaces_an_address_cannot_run_a_program(repository, environ, tmp_path):
    marker = tmp_path / "marker"
    with served(repository) as url:
        (tmp_path / "home/.gitconfig").write_text(
            f'[url "ext::touch {marker} "]\n insteadOf = {url}\n[protocol]\n allow = always\n'
        )
        with pytest.raises(TransportError):
            check_out(Origin(url, local(repository).commit), tmp_path / "new", environ)
    assert not marker.exists()


def test_submodules_are_named_and_not_fetched(repository, environ, tmp_path):
    marker = tmp_path / "marker"
    url = f"ext::touch {marker}"
    (repository / ".gitmodules").write_text(f'[submodule "a"]\n path = a\n url = {url}\n')
    link = f"160000,{'1' * 40},a"
    git(repository, "update-index", "--add", "--cacheinfo", link)
    git(repository, "add", ".gitmodules")
    git(repository, "commit", "--quiet", "--message=with a submodule")
    assert check_out(local(repository), tmp_path / "new", environ) is True
    assert not marker.exists()
    assert list((tmp_path / "new/a").iterdir()) == []


def test_a_filter_of_the_repository_that_changes_files_is_not_run(repository, environ, tmp_path):
    committed(repository, {".gitattributes": "* filter=mine\n"})
    check_out(local(repository), tmp_path / "new", environ)
    assert (tmp_path / "new/make.sh").read_text() == FILES["make.sh"]
    assert not (tmp_path / "home/ran").exists()


def test_a_folder_that_is_no_repository_is_said_to_be_none(environ, tmp_path):
    (tmp_path / "plain").mkdir()
    with pytest.raises(UsageError, match="git cannot read") as caught:
        check_out(local(tmp_path / "plain", "d" * 40), tmp_path / "new", environ)
    assert caught.value.detail
