"""Building once more: what would be the same stays, every change leads to a build."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from ocm_pkg.builders import unchanged
from ocm_pkg.builders.notes import BuildNotes
from ocm_pkg.builders.unchanged import Again
from ocm_pkg.errors import BuildError
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.part import Part
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.project import parse_project
from ocm_pkg.ports import BuiltBinary
from ocm_pkg.services.build import Sources, build
from tests.fakes.trees import snapshot, untouched

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
PROJECT = parse_project(
    """\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: example.com
build: {builder: prebuilt, path: x}
targets: [linux/amd64, linux/arm64]
""",
    name="x",
)


class Known:
    """A builder that knows what its result depends on, and counts what it builds."""

    def __init__(self):
        self.built = []
        self.state = {"a.py": "1"}
        self.meanwhile = lambda: None

    def missing(self, target, host):  # noqa: ARG002
        return None

    def inputs(self, job):  # noqa: ARG002
        return None if self.state is None else dict(self.state)

    def build(self, job):
        self.built.append(job.target.platform)
        job.output.write_text(f"{job.target.platform} of {self.state}")
        self.meanwhile()
        return BuiltBinary(job.output, job.target.platform, "file", {"tool": "1"})


class World:
    """One project, one builder, and a folder for what is built."""

    def __init__(self, root):
        self.out = root / "dist"
        self.builder = Known()
        self.project = PROJECT
        self.sources = Sources(PROJECT, root, "1.0.0", "abc", digest_of(b"config"), None)
        self.notes = BuildNotes(root / "cache")
        self.kept = []
        self.again = True

    def __call__(self, *, force=False, now=None, targets=None, done=None):
        """Build, and return the platforms that were built."""
        self.builder.built.clear()
        self.kept.clear()
        kept = lambda entry: self.kept.append(entry.platform)  # noqa: E731
        with ThreadPoolExecutor(1) as executor:
            self.part = build(
                self.sources,
                targets=targets or self.project.targets,
                out=self.out,
                builders={"prebuilt": self.builder},
                executor=executor,
                done=done,
                again=Again(self.notes, force, kept) if self.again else None,
                now=now,
            )
        return list(self.builder.built)


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    assert made() == [AMD64, ARM64]
    return made


def test_without_a_change_nothing_is_built_and_nothing_is_written(world):
    files = [path for path in world.out.rglob("*") if path.is_file()]
    before = [untouched(path) for path in files]
    done = []
    assert world(done=done.append) == []
    assert world.kept == [AMD64, ARM64]
    assert done == []
    assert [untouched(path) for path in files] == before
    assert world.part == Part.parse((world.out / "part.json").read_bytes(), name="x")


def test_a_build_that_is_forced_builds_all(world):
    assert world(force=True) == [AMD64, ARM64]


def test_whoever_takes_no_notes_builds_all(world):
    world.again = False
    assert world() == [AMD64, ARM64]


def change_inputs(world):
    world.builder.state = {"a.py": "2"}


def change_config(world):
    world.sources = replace(world.sources, config=digest_of(b"other"))


def lose_notes(world):
    for path in world.notes.folder.iterdir():
        path.unlink()


def damage_report(world):
    (world.out / "part.json").write_text("{")


@pytest.mark.parametrize("change", [change_inputs, change_config, lose_notes, damage_report])
def test_a_change_leads_to_a_build_of_all(world, change):
    change(world)
    assert world() == [AMD64, ARM64]
    assert world() == []


def test_another_version_of_this_program_builds_all(world, monkeypatch):
    monkeypatch.setattr(unchanged, "own_code", lambda: "another")
    assert world() == [AMD64, ARM64]


def test_another_setting_of_one_target_builds_that_one(world):
    first, second = PROJECT.targets
    assert world(targets=[replace(first, settings={"a": 1}), second]) == [AMD64]


BINARY = "hello.linux-amd64"


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_text("changed"),
        lambda path: path.write_bytes(path.read_bytes()[::-1]),
        lambda path: path.unlink(),
        lambda path: path.chmod(0o644),
        lambda path: path.symlink_to(path.rename(path.with_name("moved"))),
    ],
    ids=["content", "same size", "gone", "mode", "link"],
)
def test_a_file_that_is_not_as_it_was_left_is_built_again(world, change):
    good = snapshot(world.out)[BINARY]
    change(world.out / BINARY)
    assert world() == [AMD64]
    assert snapshot(world.out)[BINARY] == good
    assert world.kept == [ARM64]


def test_a_report_that_says_something_else_is_not_believed(world):
    path = world.out / "part.json"
    path.write_text(path.read_text().replace('"tool": "1"', '"tool": "2"'))
    assert world() == [AMD64, ARM64]


def test_another_commit_of_the_same_inputs_is_reported_and_not_built(world):
    world.sources = replace(world.sources, commit="def")
    assert world() == []
    part = Part.parse((world.out / "part.json").read_bytes(), name="x")
    assert (part.commit, len(part.targets)) == ("def", 2)


def test_another_version_is_built_for_builders_are_told_of_it(world):
    world.sources = replace(world.sources, version="2.0.0")
    assert world() == [AMD64, ARM64]


def test_what_is_not_known_is_always_built(world):
    world.builder.state = None
    assert world() == [AMD64, ARM64]
    assert world() == [AMD64, ARM64]


def test_what_is_known_only_after_the_build_is_not_noted(world):
    world.builder.state = None
    world.builder.meanwhile = lambda: setattr(world.builder, "state", {"a.py": "1"})
    world()
    lose_notes(world)
    world.builder.state = None
    assert world() == [AMD64, ARM64]
    assert not list(world.notes.folder.iterdir())


@pytest.mark.parametrize(
    ("later", "says"),
    [
        ({"a.py": "2"}, "a.py changed while linux/amd64 was built"),
        ({"a.py": "2", **{f"m{n}.py": "1" for n in range(5)}}, "a.py, m0.py, m1.py and 3 more"),
        ({}, "a.py changed"),
        (None, "what it is made from changed"),
    ],
    ids=["content", "many", "removed", "unknown"],
)
def test_a_source_that_changes_while_it_is_built_is_refused(world, later, says):
    before = snapshot(world.out)
    world.builder.meanwhile = lambda: setattr(world.builder, "state", later)
    world.builder.state = {"a.py": "1.5"} if later != {"a.py": "2"} else {"a.py": "1"}
    with pytest.raises(BuildError, match=says) as caught:
        world(force=True)
    assert "build again" in str(caught.value.hint)
    assert snapshot(world.out) == before


def test_a_machine_that_changes_while_it_builds_is_no_fault_and_known_for_nothing(world):
    world.builder.state = {"a.py": "1", "/tool": "1"}
    world.builder.meanwhile = lambda: setattr(world.builder, "state", {"a.py": "1", "/tool": "2"})
    assert world() == [AMD64, ARM64]
    assert world() == [AMD64, ARM64]
    assert world() == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"config": digest_of(b"new")}, "the project file"),
        ({"version": "2.0.0"}, "the version"),
        ({"lock": digest_of(b"new")}, "the requirements"),
    ],
)
def test_a_project_that_changes_while_it_is_built_is_refused(world, change, says):
    before = snapshot(world.out)
    with pytest.raises(BuildError, match=f"{says} changed"):
        world(force=True, now=lambda: replace(world.sources, **change))
    assert snapshot(world.out) == before
    assert world(force=True, now=lambda: world.sources) == [AMD64, ARM64]


def test_another_commit_counts_only_for_what_the_builder_does_not_know(world):
    def now():
        return replace(world.sources, commit="abc-dirty")

    assert world(force=True, now=now) == [AMD64, ARM64]
    world.builder.state = None
    with pytest.raises(BuildError, match="the commit changed"):
        world(now=now)


def test_a_file_that_changes_while_others_are_built_is_refused(world):
    first, second = PROJECT.targets
    world.builder.meanwhile = lambda: (world.out / BINARY).write_text("changed")
    with pytest.raises(BuildError, match="changed while other targets were built"):
        world(targets=[first, replace(second, settings={"a": 1})])
