"""Notes of what was built: kept by place, and worth nothing as soon as anything differs."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ocm_pkg.builders.notes import BuildNotes, inputs_digest
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.part import BuiltTarget
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.project import Target

PLATFORM = Platform("linux", "amd64")
ENTRY = BuiltTarget(PLATFORM, digest_of(b"x"), 1, "file", "prebuilt")
TARGET = Target(PLATFORM, "prebuilt", "file", path="x")
INPUTS = "a" * 64


def job(target=TARGET, version="1.0.0"):
    return SimpleNamespace(target=target, version=version)


@pytest.fixture
def notes(tmp_path):
    return BuildNotes(tmp_path / "cache/builds")


def test_what_was_noted_of_a_place_is_kept(notes, tmp_path):
    place = tmp_path / "hello"
    assert not notes.is_kept(place, INPUTS, ENTRY)
    notes.note(place, INPUTS, ENTRY)
    assert notes.is_kept(place, INPUTS, ENTRY)


@pytest.mark.parametrize("what", ["place", "inputs", "entry"])
def test_another_place_input_or_entry_is_not_what_was_noted(notes, tmp_path, what):
    place = tmp_path / "hello"
    notes.note(place, INPUTS, ENTRY)
    if what == "place":
        assert not notes.is_kept(tmp_path / "other", INPUTS, ENTRY)
    elif what == "inputs":
        assert not notes.is_kept(place, "b" * 64, ENTRY)
    else:
        assert not notes.is_kept(place, INPUTS, replace(ENTRY, glibc="2.36"))


@pytest.mark.parametrize("damage", [b"", b"2 x y\n", b"x" * 5000])
def test_a_note_that_is_damaged_says_nothing(notes, tmp_path, damage):
    notes.note(tmp_path / "hello", INPUTS, ENTRY)
    (path,) = notes.folder.iterdir()
    path.write_bytes(damage)
    assert not notes.is_kept(tmp_path / "hello", INPUTS, ENTRY)


def test_where_nothing_can_be_written_nothing_is_noted(tmp_path):
    (tmp_path / "file").write_text("")
    notes = BuildNotes(tmp_path / "file/builds")
    notes.note(tmp_path / "hello", INPUTS, ENTRY)
    assert not notes.is_kept(tmp_path / "hello", INPUTS, ENTRY)


@pytest.mark.parametrize(
    "change",
    [
        {"job": job(target=replace(TARGET, exclude=("x",)))},
        {"job": job(version="2.0.0")},
        {"config": digest_of(b"other")},
        {"own": "new"},
        {"inputs": {"a": "2"}},
        {"inputs": {"b": "1"}},
    ],
    ids=["target", "version", "project file", "program", "content", "name"],
)
def test_everything_counts(change):
    same = {"job": job(), "config": digest_of(b"c"), "own": "own", "inputs": {"a": "1"}}
    assert inputs_digest(**same) == inputs_digest(**same)
    assert inputs_digest(**{**same, **change}) != inputs_digest(**same)
