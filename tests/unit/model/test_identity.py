"""Identities: read, shown, matched."""

from __future__ import annotations

import pytest

from ocm_pkg.errors import UsageError
from ocm_pkg.model.identity import matches, parse, show


def test_an_identity_is_read_from_pairs():
    assert parse(["name=hello,os=linux", "architecture=amd64"]) == {
        "name": "hello",
        "os": "linux",
        "architecture": "amd64",
    }
    assert parse(["url=a=b", "empty="]) == {"url": "a=b", "empty": ""}
    assert parse([]) == {}
    assert parse(["a=1", "a=1"]) == {"a": "1"}


@pytest.mark.parametrize("texts", [[""], ["name"], ["=x"], ["a=1,"], ["a=1", "a=2"]])
def test_what_is_no_identity_is_refused(texts):
    with pytest.raises(UsageError):
        parse(texts)


def test_an_identity_is_shown_with_its_name_first():
    identity = {"os": "linux", "architecture": "amd64", "name": "hello"}
    assert show(identity) == "name=hello,architecture=amd64,os=linux"
    assert parse([show(identity)]) == identity


def test_a_selection_is_a_subset():
    identity = {"name": "hello", "os": "linux"}
    assert matches({}, identity)
    assert matches({"os": "linux"}, identity)
    assert not matches({"os": "linux", "arch": "x"}, identity)
    assert not matches({"os": "darwin"}, identity)
