"""The URL of a project's repository, as it may be published."""

from __future__ import annotations

import pytest

from ocm_pkg.builders.gitsource import folder_in_repository, location_of, normalised, origin_of
from ocm_pkg.model.provenance import SourceLocation


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.com/acme/hello.git", "https://example.com/acme/hello.git"),
        ("https://me:secret@Example.com/acme/hello", "https://example.com/acme/hello"),
        ("https://token@example.com:8443/a", "https://example.com:8443/a"),
        ("https://example.com/a?token=x#y", "https://example.com/a"),
        ("HTTP://example.com/a", "http://example.com/a"),
        ("ssh://git@example.com:22/a.git", "ssh://git@example.com:22/a.git"),
        ("ssh://git:secret@example.com/a.git", "ssh://git@example.com/a.git"),
        ("git@example.com:acme/hello.git", "ssh://git@example.com/acme/hello.git"),
        ("example.com:/srv/hello.git", "ssh://example.com/srv/hello.git"),
        ("git://example.com/a", "git://example.com/a"),
        ("https://[::1]:3000/a", "https://[::1]:3000/a"),
    ],
)
def test_credentials_are_removed_and_the_short_form_is_written_out(url, shown):
    assert normalised(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/srv/hello.git",
        "../hello",
        "C:/hello",
        "file:///srv/hello.git",
        "helper::example.com/a",
        "https://example.com",
        "https:///a",
        "https://example.com:port/a",
        "https://[::1/a",
        "ftp://example.com/a",
        "https://example.com/a b",
        "https://example.com/\x1b",
    ],
    ids=str,
)
def test_what_others_cannot_reach_is_not_published(url):
    assert normalised(url) is None


def test_without_git_nothing_is_known(tmp_path):
    environ = {"PATH": str(tmp_path)}
    assert origin_of(tmp_path, environ) is None
    assert folder_in_repository(tmp_path, environ) == "."
    assert location_of(tmp_path, environ) == SourceLocation(None, ".")
