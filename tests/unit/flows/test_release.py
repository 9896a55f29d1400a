"""The sequence of a release: what is done, what is skipped, what is remembered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ocm_pkg.errors import BuildError, ConfigError, FileMissingError, LocalStorageError
from ocm_pkg.flows.release import LOCK_NAME, Listeners, Outcome, Release, planned, release
from ocm_pkg.fs.atomic import FileLock
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.releasestate import FILE_NAME, STEPS, ReleaseInputs, ReleaseState
from tests.fakes.trees import names

INPUTS = ReleaseInputs(
    "example.com/hello", "1.0.0", "ab" * 20, digest_of(b"config"), None, "sha256:12", "default"
)
MADE = {"build": {"part": digest_of(b"part")}, "package": {"digest": digest_of(b"version")}}
REPEATED = ("check", "publish")


class FakeStep:
    """Notes that it was done; ``problem`` is raised then, ``lack`` is what it hasn't left."""

    def __init__(self, name, done):
        self.name, self.repeats = name, name in REPEATED
        self.problem, self.lack, self._done = None, None, done

    def plan(self):
        return f"would {self.name}"

    def lacking(self, _state):
        return self.lack

    def adopted(self, state):
        is_plain = self.name in ("check", "test")
        return state if is_plain else state.with_step(self.name, **self._made)

    @property
    def _made(self):
        return MADE.get(self.name, {})

    def run(self, state):
        if self.problem is not None:
            raise self.problem
        self._done.append(self.name)
        return Outcome(state.with_step(self.name, **self._made), f"{self.name} was done")


class Shop:
    """A release of fake steps; ``done`` are those that the last run did."""

    def __init__(self, out):
        self.out, self.done, self.notes = out, [], []
        self.steps = {name: FakeStep(name, self.done) for name in STEPS}
        self.inputs, self.now, self.fail_point = INPUTS, None, lambda _step: None

    def __call__(self, from_step=None, do=release):
        self.done.clear()
        self.notes.clear()
        job = Release(
            steps=tuple(self.steps.values()),
            inputs=self.inputs,
            now=lambda: self.now or self.inputs,
            out=self.out,
            clock=iter(range(100)).__next__,
            listeners=Listeners(note=self.notes.append),
            fail_point=self.fail_point,
        )
        return do(job, from_step)

    @property
    def state(self):
        return ReleaseState.parse((self.out / FILE_NAME).read_bytes(), name=FILE_NAME)


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path / "dist")


def test_all_steps_are_done_in_their_order_and_remembered(shop):
    released = shop()
    assert shop.done == list(STEPS)
    assert [one.step for one in released.reports] == list(STEPS)
    assert {one.result for one in released.reports} == {"done"}
    assert released.reports[1].detail == "build was done"
    assert released.reports[1].ms == 1000
    assert shop.state == released.state
    assert released.state.digest == MADE["package"]["digest"]
    assert names(shop.out) == [FILE_NAME]


def test_a_release_that_is_done_is_only_checked_and_published_again(shop):
    shop()
    released = shop()
    assert shop.done == ["check", "publish"]
    assert [one.step for one in released.reports if one.result == "skipped"] == list(STEPS[1:5])
    assert shop.notes == []


@pytest.mark.parametrize("failing", STEPS)
def test_after_a_failure_it_goes_on_where_it_was_stopped(shop, failing):
    shop.steps[failing].problem = BuildError("no")
    with pytest.raises(BuildError):
        shop()
    before = STEPS[: STEPS.index(failing)]
    assert shop.done == list(before)
    if before:
        assert shop.state.steps == before
        assert any(f"stopped at {failing}" in note for note in shop.notes)
    shop.steps[failing].problem = None
    shop()
    assert shop.done == ["check", *(step for step in STEPS[1:] if step not in before)]
    assert shop.state.steps == STEPS


def test_a_check_that_finds_something_leaves_nothing(shop):
    shop.steps["check"].problem = ConfigError("no")
    with pytest.raises(ConfigError):
        shop()
    assert not shop.out.exists()


@pytest.mark.parametrize("point", ["", ".done"], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_after_a_crash_the_same_is_released(shop, step, point):
    def crash(name):
        if name == f"release.{step}{point}":
            raise KeyboardInterrupt

    shop.fail_point = crash
    with pytest.raises(KeyboardInterrupt):
        shop()
    shop.fail_point = lambda _step: None
    released = shop()
    assert set(STEPS[STEPS.index(step) :]) <= set(shop.done)
    assert released.state == ReleaseState(
        INPUTS, MADE["build"]["part"], MADE["package"]["digest"], STEPS
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": "1.0.1"}, "starting again: version: was 1.0.0, is 1.0.1"),
        ({"commit": "cd" * 20}, "starting again: commit: was abab"),
        ({"config": digest_of(b"other")}, "starting again: project file"),
        ({"lock": digest_of(b"other")}, "starting again: requirements"),
        ({"commit": None}, "starting again: commit"),
    ],
    ids=["version", "commit", "config", "lock", "no commit"],
)
def test_other_sources_start_again_and_it_says_why(shop, change, said):
    shop()
    shop.inputs = replace(INPUTS, **change)
    shop()
    assert shop.done == list(STEPS)
    assert shop.notes[0].startswith(said)


@pytest.mark.parametrize("commit", [None, "ab" * 20 + "-dirty"], ids=["none", "dirty"])
def test_sources_in_no_commit_are_built_again(shop, commit):
    shop.inputs = replace(INPUTS, commit=commit)
    shop()
    shop()
    assert shop.done == list(STEPS)
    assert "nothing says whether they changed" in shop.notes[0]


@pytest.mark.parametrize("change", [{"signer": "sha256:34"}, {"signature": "acme"}])
def test_another_key_or_name_packages_and_signs_again(shop, change):
    shop()
    shop.inputs = replace(INPUTS, **change)
    shop()
    assert shop.done == ["check", "package", "sign", "publish"]
    assert "the signature is to be another one" in shop.notes[0]


@pytest.mark.parametrize("step", STEPS[1:5])
def test_what_a_step_left_and_is_gone_is_made_again_with_all_after_it(shop, step):
    shop()
    shop.steps[step].lack = "it is gone"
    shop()
    assert shop.done == ["check", *STEPS[STEPS.index(step) :]]
    assert shop.notes == [f"{step} again: it is gone"]


@pytest.mark.parametrize("content", [b"{}", b'{"formatVersion": 2}', b"\xff"])
def test_a_state_that_cannot_be_read_starts_again(shop, content):
    shop()
    (shop.out / FILE_NAME).write_bytes(content)
    shop()
    assert shop.done == list(STEPS)
    assert shop.notes[0].startswith("starting again: ")


@pytest.mark.parametrize("step", STEPS)
def test_from_a_step_on_all_is_done_again(shop, step):
    shop()
    shop(step)
    assert shop.done == list(STEPS[STEPS.index(step) :])


def test_what_was_built_elsewhere_can_be_released_from_package_on(shop):
    released = shop("package")
    assert shop.done == ["package", "sign", "publish"]
    assert [(one.result, one.detail) for one in released.reports[:3]] == [
        ("skipped", "not asked for")
    ] * 3
    assert shop.state.part == MADE["build"]["part"]
    assert "test" not in shop.state.steps


def test_a_step_does_not_start_without_the_results_before_it(shop):
    shop.steps["build"].lack = "nothing is built in dist"
    with pytest.raises(FileMissingError, match="can't start at sign: nothing is built") as caught:
        shop("sign")
    assert "start it at build" in caught.value.hint
    assert shop.done == []
    assert not shop.out.exists()


@pytest.mark.parametrize("step", ["build", "test", "package", "sign"])
def test_sources_that_change_meanwhile_stop_it_before_anything_is_published(shop, step):
    def changed(name):
        if name == f"release.{step}":
            shop.now = replace(INPUTS, commit="ab" * 20 + "-dirty")

    shop.fail_point = changed
    with pytest.raises(ConfigError, match="changed while they were released: commit: was abab"):
        shop()
    assert "publish" not in shop.done
    assert step not in shop.state.steps


def test_a_dry_run_checks_says_what_it_would_do_and_writes_nothing(shop):
    released = shop(do=planned)
    assert shop.done == ["check"]
    assert [one.result for one in released.reports] == ["done", *["planned"] * 5]
    assert released.reports[1].detail == "would build"
    assert not shop.out.exists()


def test_a_dry_run_knows_what_is_done_already(shop):
    shop()
    before = (shop.out / FILE_NAME).read_bytes()
    shop.steps["sign"].lack = "gone"
    released = shop(do=planned)
    assert [one.result for one in released.reports] == [
        "done",
        *["skipped"] * 3,
        *["planned"] * 2,
    ]
    assert (shop.out / FILE_NAME).read_bytes() == before


def test_two_releases_in_one_folder_do_not_mix(shop, monkeypatch):
    monkeypatch.setattr("ocm_pkg.flows.release._LOCK_TIMEOUT", 0.0)
    shop.out.mkdir()
    with FileLock(shop.out / LOCK_NAME, 0), pytest.raises(LocalStorageError, match="in use"):
        shop()
    assert shop.done == []
