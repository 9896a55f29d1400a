"""release.json: how far a release came."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ocm_pkg.errors import InvalidDocumentError
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.releasestate import STEPS, ReleaseInputs, ReleaseState

DIGEST, OTHER = digest_of(b"x"), digest_of(b"y")
INPUTS = ReleaseInputs(
    component="example.com/plugins/hello",
    version="1.0.0",
    commit="ab" * 20,
    config=DIGEST,
    lock=None,
    signer="sha256:12",
    signature="default",
)
STATE = ReleaseState(INPUTS, DIGEST, OTHER, STEPS)


@pytest.mark.parametrize(
    "state",
    [STATE, ReleaseState(replace(INPUTS, commit=None, lock=OTHER)), STATE.before("sign")],
    ids=["whole", "begun", "packaged"],
)
def test_a_state_is_read_as_it_was_written(state):
    assert ReleaseState.parse(state.encode(), name="release.json") == state


def test_a_state_has_the_documented_form():
    assert json.loads(STATE.before("test").encode()) == {
        "formatVersion": 1,
        "component": "example.com/plugins/hello",
        "version": "1.0.0",
        "commit": "ab" * 20,
        "config": str(DIGEST),
        "lock": None,
        "signer": "sha256:12",
        "signature": "default",
        "part": str(DIGEST),
        "digest": None,
        "steps": [{"step": "check"}, {"step": "build"}],
    }


@pytest.mark.parametrize(
    ("member", "value", "problem"),
    [
        ("steps", [{"step": "sign"}, {"step": "build"}], "in this order"),
        ("steps", [{"step": "dance"}], "must be some of"),
        ("steps", [{"step": "build", "at": 1}], "at is not known"),
        ("steps", [{"step": "build"}, {"step": "build"}], "in this order"),
        ("part", "sha256:1", "is no digest"),
        ("signer", None, "is no text"),
        ("other", 1, "is not known"),
    ],
    ids=["order", "name", "member", "twice", "digest", "null", "unknown"],
)
def test_what_is_no_state_is_refused_by_its_member(member, value, problem):
    document = {**json.loads(STATE.encode()), member: value}
    with pytest.raises(InvalidDocumentError, match=problem):
        ReleaseState.parse(json.dumps(document).encode(), name="release.json")


def test_a_step_brings_what_it_made_and_keeps_the_rest():
    state = ReleaseState(INPUTS).with_step("package", digest=OTHER).with_step("build", part=DIGEST)
    assert (state.part, state.digest) == (DIGEST, OTHER)
    assert state.steps == ("build", "package")


@pytest.mark.parametrize(
    ("step", "part", "digest"),
    [
        ("check", None, None),
        ("build", None, None),
        ("test", DIGEST, None),
        ("package", DIGEST, None),
        ("sign", DIGEST, OTHER),
        ("publish", DIGEST, OTHER),
    ],
)
def test_before_a_step_there_is_nothing_of_it_nor_of_later_ones(step, part, digest):
    state = STATE.before(step)
    assert (state.part, state.digest) == (part, digest)
    assert state.steps == STEPS[: STEPS.index(step)]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"component": "example.com/other"}, "component: was example.com/plugins/hello, is"),
        ({"version": "1.1.0"}, "version: was 1.0.0, is 1.1.0"),
        ({"commit": None}, "commit: was abab"),
        ({"config": OTHER}, "project file: was"),
        ({"lock": OTHER}, "requirements: was none, is"),
    ],
    ids=["component", "version", "commit", "config", "lock"],
)
def test_what_differs_is_named(change, text):
    (found,) = replace(INPUTS, **change).differences(INPUTS)
    assert found.startswith(text)


def test_another_key_makes_no_other_sources():
    assert replace(INPUTS, signer="sha256:34", signature="acme").differences(INPUTS) == ()


@pytest.mark.parametrize(
    ("commit", "fixed"), [("ab" * 20, True), ("ab" * 20 + "-dirty", False), (None, False)]
)
def test_only_a_commit_without_changes_means_the_same_sources(commit, fixed):
    assert replace(INPUTS, commit=commit).is_fixed is fixed
