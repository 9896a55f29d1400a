"""Platforms and their spellings."""

from __future__ import annotations

import pytest

from ocm_pkg.errors import UsageError
from ocm_pkg.model.platform import ARCHITECTURE_ALIASES, OS_ALIASES, Platform


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("linux/amd64", "linux/amd64"),
        ("Linux/x86_64", "linux/amd64"),
        ("macOS/aarch64", "darwin/arm64"),
        ("win32/i686", "windows/386"),
        ("freebsd/armv7l", "freebsd/arm"),
    ],
)
def test_a_platform_is_read_in_any_spelling(text, shown):
    platform = Platform.parse(text)
    assert str(platform) == shown
    assert Platform.parse(str(platform)) == platform


@pytest.mark.parametrize(
    "text",
    ["", "linux", "linux/", "/amd64", "linux/amd64/v8", "linux/amd65", "hurd/amd64", "linux amd64"],
)
def test_what_is_no_platform_is_refused(text):
    with pytest.raises(UsageError) as caught:
        Platform.parse(text)
    assert caught.value.hint


def test_every_alias_means_a_known_name():
    for alias in OS_ALIASES:
        assert Platform.of(alias, "amd64").os != alias
    for alias in ARCHITECTURE_ALIASES:
        assert Platform.of("linux", alias).architecture != alias


def test_platforms_are_ordered_and_identify_resources():
    linux, mac = Platform("linux", "amd64"), Platform("darwin", "arm64")
    assert sorted([linux, mac]) == [mac, linux]
    assert linux.identity == {"architecture": "amd64", "os": "linux"}
