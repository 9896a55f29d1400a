"""Which addresses of sources are taken from a document, and which from the user."""

from __future__ import annotations

import pytest

from ocm_pkg.builders.checkout import (
    Origin,
    check_out,
    checked_commit,
    named_origin,
    recorded_origin,
)
from ocm_pkg.errors import (
    FileMissingError,
    InvalidDocumentError,
    ToolMissingError,
    TransportError,
    UsageError,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REMOTE = [
    "https://example.com/acme/hello",
    "http://127.0.0.1:3000/hello.git",
    "https://example.com:8443/hello.git",
    "ssh://git@example.com:2222/acme/hello.git",
    "https://[::1]:8443/~acme/a%20b",
    "git@example.com:acme/hello.git",
]
HOSTILE = [
    "ext::sh -c touch% x",
    "ext::sh",
    "--upload-pack=touch x",
    "-oProxyCommand=x",
    "ssh://-oProxyCommand=x/hello",
    "ssh://git@-oProxyCommand=x/hello",
    "-oProxyCommand@example.com:x",
    "fd::7",
    "git://example.com/hello",
    "ftp://example.com/hello",
    "https://user:password@example.com/hello",
    "https://token@example.com/hello",
    "ssh://user:password@example.com/hello",
    "https://example.com/hello\nother",
    "https://example.com/a b",
    "https:///hello",
    "",
    "HTTPS//example.com",
]


@pytest.mark.parametrize("address", REMOTE)
def test_a_repository_that_others_can_reach_is_taken(address, tmp_path):
    assert recorded_origin(address, COMMIT) == Origin(address, COMMIT)
    assert named_origin(address, COMMIT, tmp_path) == Origin(address, COMMIT)


@pytest.mark.parametrize("address", [*HOSTILE, "file:///etc", "/etc", "../hello", "."])
def test_a_document_cannot_name_anything_else(address):
    with pytest.raises(InvalidDocumentError, match="is no http, https or ssh URL"):
        recorded_origin(address, COMMIT)


@pytest.mark.parametrize("address", [address for address in HOSTILE if address])
def test_a_user_can_name_a_url_or_a_folder_that_is_there(address, tmp_path):
    with pytest.raises((UsageError, FileMissingError)):
        named_origin(address, COMMIT, tmp_path)


def test_a_folder_that_the_user_names_is_local(tmp_path):
    (tmp_path / "-o").mkdir()
    expected = Origin(str(tmp_path / "-o"), COMMIT, is_local=True)
    assert named_origin("-o", COMMIT, tmp_path) == expected
    url = f"file://{tmp_path}"
    assert named_origin(url, COMMIT, tmp_path) == Origin(url, COMMIT, is_local=True)


@pytest.mark.parametrize(
    "commit",
    ["", "HEAD", "main", "--all", COMMIT[:39], COMMIT.upper(), f"{COMMIT}-dirty", "g" * 40],
)
def test_a_commit_is_a_whole_hash(commit):
    with pytest.raises(InvalidDocumentError, match="is no hash of 40 or 64 digits"):
        checked_commit(commit)
    assert checked_commit(COMMIT) == COMMIT
    assert checked_commit("a" * 64) == "a" * 64


def test_offline_only_a_repository_of_this_machine_is_read(tmp_path):
    with pytest.raises(TransportError, match="--offline"):
        check_out(Origin(REMOTE[0], COMMIT), tmp_path / "new", {}, offline=True)


def test_without_git_it_is_a_missing_tool(tmp_path):
    with pytest.raises(ToolMissingError):
        check_out(Origin(REMOTE[0], COMMIT), tmp_path / "new", {"PATH": str(tmp_path)})
