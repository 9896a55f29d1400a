"""How long a program takes to say its capabilities: five rounds of the real thing."""

from __future__ import annotations

import sys

import pytest

from ocm_pkg.builders.gates import StartupProbe
from ocm_pkg.errors import BuildError
from ocm_pkg.fs.tree import TreeSelection, gzipped, write_tree
from ocm_pkg.model.platform import Platform
from ocm_pkg.ports import BuiltBinary

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="runs shell scripts")
HOST = Platform("linux", "amd64")


def binary(path, shape="file", program=None):
    return BuiltBinary(path, HOST, shape, program=program)


def probe(built, work):
    return StartupProbe(HOST, {"PATH": "/usr/bin:/bin"})(built, work)


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_time_is_the_best_of_five_rounds(tmp_path):
    rounds = tmp_path / "rounds"
    program = script(tmp_path / "hello", f'echo "$1" >> {rounds}; echo "{{}}"')
    assert 0 < (probe(binary(program), tmp_path) or 0) < 10_000
    assert rounds.read_text() == "capabilities\n" * 5


def test_a_folder_is_unpacked_to_be_measured(tmp_path):
    (tmp_path / "made").mkdir()
    script(tmp_path / "made/hello", "cat $(dirname $0)/beside")
    (tmp_path / "made/beside").write_text("{}")
    with (tmp_path / "packed").open("wb") as out, gzipped(out) as packed:
        write_tree(tmp_path / "made", TreeSelection(prefix="hello"), packed)
    built = binary(tmp_path / "packed", shape="dir", program="hello/hello")
    assert probe(built, tmp_path) is not None


def test_a_binary_that_fails_is_a_build_error_with_what_it_said(tmp_path):
    program = script(tmp_path / "hello", "echo broken >&2; exit 3")
    with pytest.raises(BuildError, match="status 3") as caught:
        probe(binary(program), tmp_path)
    assert caught.value.detail == ("broken",)
    with pytest.raises(BuildError, match="did not start"):
        probe(binary(tmp_path / "missing"), tmp_path)
