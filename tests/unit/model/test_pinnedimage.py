"""Names of images: pinned, or what is wrong with them."""

from __future__ import annotations

import pytest

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.pinnedimage import image_problem
from ocm_pkg.model.project import parse_project

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    "name",
    [
        "py",
        "example.com/py",
        "example.com:5000/a/b-c/d__e.f",
        "localhost/py:3.12",
        "example.com/py:3.12-slim",
    ],
)
def test_a_name_with_a_digest_is_pinned(name):
    assert image_problem(f"{name}@{DIGEST}") is None


@pytest.mark.parametrize("name", ["python:3.12", "example.com/py", "example.com:5000/py:latest"])
def test_without_a_digest_the_hint_says_how_to_find_it(name):
    problem, hint = image_problem(name)
    assert "digest" in problem
    assert f"{name}@sha256:" in hint
    assert f"imagetools inspect {name}," in hint


@pytest.mark.parametrize(
    "digest", ["", "sha256:...", "sha256:" + "0A" * 32, "sha512:" + "00" * 64, DIGEST + "0"]
)
def test_what_is_no_digest_is_named(digest):
    problem, _hint = image_problem(f"example.com/py@{digest}")
    assert "no digest" in problem


@pytest.mark.parametrize(
    "name", ["", "example.com/Py", "py\nRUN x", "-f", "a b", "example.com//py", "x" * 500]
)
def test_what_is_no_name_is_refused(name):
    problem, _hint = image_problem(f"{name}@{DIGEST}")
    assert "names no image" in problem


def test_a_project_says_where_the_digest_is_missing():
    text = (
        "formatVersion: 1\ncomponent: e.com/hello\nversion: 1.0.0\nprovider: p\n"
        "build: {entry: a.py}\ntargets:\n"
        "  - {platform: linux/arm64, builder: container, image: 'python:3.12'}\n"
    )
    with pytest.raises(InvalidDocumentError) as caught:
        parse_project(text, name="x")
    assert caught.value.at == "x:7:49"
    assert "python:3.12@sha256:" in str(caught.value.hint)
    pinned = parse_project(text.replace("python:3.12", f"py@{DIGEST}"), name="x")
    assert pinned.targets[0].image == f"py@{DIGEST}"
    assert pinned.targets[0].entry == "a.py"
