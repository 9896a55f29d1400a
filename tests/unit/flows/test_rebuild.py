"""Building again what was published: when, from what, and what comes of it."""

from __future__ import annotations

import pytest

from ocm_pkg.errors import (
    BuildError,
    ConfigError,
    DigestMismatchError,
    IntegrityError,
    InvalidDocumentError,
    NoMatchingPlatformError,
    ToolMissingError,
    UnsupportedTargetError,
    UntrustedError,
)
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.provenance import SourceLocation
from ocm_pkg.model.rebuilt import Difference
from tests.fakes.plugins_to_install import descriptor
from tests.fakes.rebuild_world import ARM, COMMIT, LINUX, MAC, PROJECT, REPOSITORY, RebuildWorld


@pytest.fixture
def world(tmp_path):
    return RebuildWorld(tmp_path)


def results(rebuilt):
    return {target.platform: target.result for target in rebuilt.targets}


def test_the_same_bytes_from_the_recorded_commit_are_identical(world):
    done = world.rebuild()
    assert (done.result, done.error) == ("identical", None)
    assert results(done) == {LINUX: "identical", ARM: "identical"}
    (origin,) = world.origins
    assert (origin.address, origin.commit) == (REPOSITORY, COMMIT)


def test_other_bytes_are_told_with_the_first_difference(world):
    world.builder.made[ARM] = b"for arm65"
    done = world.rebuild()
    assert results(done) == {LINUX: "identical", ARM: "different"}
    assert done.targets[1].difference == Difference("content", (), 8)
    assert done.error.exit_code == 4


def test_nothing_is_fetched_of_a_version_that_nobody_trusted_signed(world):
    world.is_signed = False
    with pytest.raises(UntrustedError):
        world.rebuild()
    assert (world.origins, world.builder.built) == ([], [])
    assert not [call for call in world.repository.calls if call.startswith("blob")]
    assert world.rebuild(allow_unsigned=True).result == "identical"


def test_the_targets_of_other_machines_are_named_and_the_rest_is_built(world):
    world.builder.missing_for[ARM] = "it needs an arm"
    done = world.rebuild()
    assert done.result == "partial"
    assert done.targets[1].to_json() == {
        "platform": "linux/arm64",
        "result": "not built",
        "reason": "it needs an arm",
        "published": str(digest_of(b"for arm64")),
        "rebuilt": None,
    }
    assert world.builder.built == [LINUX]


def test_without_a_target_that_can_be_built_here_it_is_an_error(world):
    world.builder.missing_for = {ARM: "it needs an arm", LINUX: "it needs another arm"}
    with pytest.raises(UnsupportedTargetError, match="needs another arm; linux/arm64: it needs"):
        world.rebuild()


def test_a_target_that_was_asked_for_must_be_possible(world):
    world.builder.missing_for[ARM] = "it needs an arm"
    assert results(world.rebuild(targets=(LINUX,))) == {LINUX: "identical"}
    with pytest.raises(UnsupportedTargetError, match="linux/arm64: it needs an arm"):
        world.rebuild(targets=(LINUX, ARM))
    with pytest.raises(NoMatchingPlatformError, match="it has linux/amd64, linux/arm64"):
        world.rebuild(targets=(MAC,))


def test_a_prebuilt_binary_is_named_as_one(world):
    world.contents[MAC] = b"for a mac"
    done = world.rebuild()
    assert done.result == "partial"
    assert done.targets[0].reason.startswith("it is prebuilt")
    assert MAC not in world.builder.built


def test_a_binary_without_provenance_is_named(world):
    world.without = (ARM,)
    done = world.rebuild()
    assert results(done) == {LINUX: "identical", ARM: "not built"}
    assert done.targets[1].published == digest_of(b"for arm64")


@pytest.mark.parametrize(
    ("tools", "here", "line"),
    [
        ({"python": "3.11.7"}, {"python": "3.12.1"}, "python: recorded 3.11.7, here 3.12.1"),
        ({"zlib": "0.9"}, {}, "zlib: recorded 0.9, here "),
        ({"ocm-pkg": "0.0.1"}, {}, "ocm-pkg: recorded 0.0.1, here "),
        ({}, {"python": "3.12.1"}, "python: recorded none, here 3.12.1"),
    ],
    ids=["python", "zlib", "ocm-pkg", "unknown"],
)
def test_other_tools_are_refused_by_name_before_anything_is_built(world, tools, here, line):
    world.tools, world.here = tools, here
    with pytest.raises(ToolMissingError) as caught:
        world.rebuild()
    assert caught.value.exit_code == 6
    assert any(one.startswith(f"linux/amd64: {line}") for one in caught.value.detail)
    assert world.builder.built == []


def test_tools_that_are_only_known_afterwards_explain_other_bytes(world):
    world.tools, world.builder.tools = {"go": "1.22"}, {"go": "1.23"}
    assert world.rebuild().result == "identical"
    world.builder.made[ARM] = b"another"
    done = world.rebuild()
    assert results(done) == {LINUX: "identical", ARM: "not built"}
    assert done.targets[1].reason == "other tools: go: recorded 1.22, here 1.23"
    world.builder.made[LINUX] = b"another"
    with pytest.raises(ToolMissingError) as caught:
        world.rebuild()
    assert "linux/amd64: other tools: go: recorded 1.22, here 1.23" in caught.value.detail


def test_a_shape_that_cannot_be_made_here_is_not_compared(world):
    world.said["shape"] = "launcher"
    with pytest.raises(ToolMissingError) as caught:
        world.rebuild()
    assert "recorded as shape launcher, and is built as file here" in caught.value.detail[0]


@pytest.mark.parametrize(
    ("changes", "project", "named"),
    [
        ({"config": digest_of(b"other")}, PROJECT, "project file"),
        ({"lock": digest_of(b"lock")}, PROJECT, "lock"),
        ({}, PROJECT.replace("hello\n", "other\n"), "component"),
        ({}, PROJECT.replace("1.0.0", "1.0.1"), "version"),
        ({"builder": "prebuild"}, PROJECT, "was built with prebuild"),
    ],
    ids=["config", "lock", "component", "version", "builder"],
)
def test_sources_that_are_not_the_recorded_ones_are_refused(world, changes, project, named):
    world.said, world.project = changes, project
    with pytest.raises(IntegrityError, match=named):
        world.rebuild()
    assert world.builder.built == []


def test_a_target_that_the_commit_has_not_is_refused(world):
    made = world.publish()
    world.project = PROJECT.replace("  - linux/arm64\n", "")
    with pytest.raises(IntegrityError, match="project file"):
        world.rebuild(made)


def test_a_commit_and_a_repository_must_be_known(world):
    world.said = {"commit": None}
    with pytest.raises(BuildError, match="names no commit"):
        world.rebuild()
    world.said = {"location": SourceLocation(None)}
    with pytest.raises(ConfigError, match="names no repository"):
        world.rebuild()
    assert world.rebuild(source="https://mirror.example.com/hello").result == "identical"
    assert world.origins[-1].address == "https://mirror.example.com/hello"


def test_a_folder_of_the_repository_is_the_project(world):
    world.said = {"location": SourceLocation(REPOSITORY, "plugins/none")}
    with pytest.raises(IntegrityError, match="has no folder plugins/none"):
        world.rebuild()


@pytest.mark.parametrize("inside", ["../work", "/etc", "a/../..", "a\\b"])
def test_a_folder_outside_of_the_repository_is_refused(world, inside):
    world.said = {"location": SourceLocation(REPOSITORY, inside)}
    with pytest.raises(InvalidDocumentError, match="the recorded project folder"):
        world.rebuild()


def test_provenance_of_other_bytes_than_the_published_ones_is_refused(world):
    made = world.publish(linux_amd64={"digest": digest_of(b"another")})
    resources = [{**one.to_json(), "digest": None} for one in made.component.resources]
    with pytest.raises(IntegrityError, match=r"but sha256:.* is published"):
        world.rebuild(descriptor("1.0.0", resources), allow_unsigned=True)
    assert world.builder.built == []


def test_submodules_are_said_to_be_left_out(world, monkeypatch):
    plain = world.check_out
    monkeypatch.setattr(world, "check_out", lambda *words: not plain(*words))
    world.rebuild()
    assert "the repository has submodules, which are not fetched" in world.notes


def test_a_dry_run_does_all_but_the_building(world):
    done = world.rebuild(dry_run=True)
    assert done.result == "would build"
    assert (len(world.origins), world.builder.built) == (1, [])
    world.tools = {"ocm-pkg": "0.0.1"}
    with pytest.raises(ToolMissingError):
        world.rebuild(dry_run=True)


def test_both_sides_are_kept_where_they_are_asked_for(world, tmp_path):
    world.builder.made[ARM] = b"another"
    world.rebuild(keep=tmp_path / "kept")
    for side, content in (("published", b"for arm64"), ("rebuilt", b"another")):
        assert (tmp_path / "kept" / side / "hello.linux-arm64").read_bytes() == content


def test_content_that_is_not_what_was_signed_is_never_compared(world):
    made = world.publish()
    world.repository.lies[digest_of(b"for arm64")] = b"for arm65"
    with pytest.raises(DigestMismatchError):
        world.rebuild(made)
    assert world.builder.built == []


def test_a_failed_build_does_not_name_a_log_that_is_gone(world, monkeypatch, tmp_path):
    def fail(job):
        raise BuildError("it failed", hint=f"the whole log is in {job.log}")

    monkeypatch.setattr(world.builder, "build", fail)
    with pytest.raises(BuildError) as caught:
        world.rebuild(targets=(LINUX,))
    assert caught.value.hint == "keep the logs with --keep DIR"
    with pytest.raises(BuildError) as caught:
        world.rebuild(targets=(LINUX,), keep=tmp_path / "kept")
    assert str(tmp_path / "kept") in caught.value.hint
