"""Building all targets: in parallel, all or nothing, with a report."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from ocm_pkg import __version__
from ocm_pkg.errors import BuildError, OcmPkgError, UnsupportedTargetError
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.part import Part
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.project import parse_project
from ocm_pkg.ports import BuiltBinary
from ocm_pkg.services.build import Sources, build, plan
from tests.fakes.trees import snapshot

AMD64, ARM64, WINDOWS = (
    Platform("linux", "amd64"),
    Platform("linux", "arm64"),
    Platform("windows", "amd64"),
)
PROJECT = parse_project(
    """\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: example.com
build: {builder: command, run: [make], output: out}
targets: [linux/amd64, linux/arm64, {platform: windows/amd64, builder: prebuilt, path: x}]
require: {size-mb: 0.001}
""",
    name="x",
)


class NoLogError(BuildError):
    """The build failed before anything was run."""


class FakeBuilder:
    """Leaves content per platform; an error in its place is raised."""

    def __init__(self, content, platforms=(AMD64, ARM64, WINDOWS)):
        self.content = content
        self.platforms = platforms

    def missing(self, target, host):
        return None if target.platform in self.platforms else f"not on {host}"

    def build(self, job):
        content = self.content[job.target.platform]
        if isinstance(content, NoLogError):
            raise content
        job.log.write_text("log")
        if isinstance(content, Exception):
            raise content
        job.output.write_bytes(content)
        (job.work / "rest").write_text("x")
        return BuiltBinary(job.output, job.target.platform, "file", {"tool": "1"}, "2.36")


def run(tmp_path, targets=PROJECT.targets, version="1.0.0", done=None, content=None, **keywords):
    fake = FakeBuilder({AMD64: b"amd64", ARM64: b"arm64", WINDOWS: b"win", **(content or {})})
    sources = Sources(PROJECT, tmp_path, version, "abc", digest_of(b"config"), None)
    with ThreadPoolExecutor(2) as executor:
        return build(
            sources,
            targets=targets,
            out=tmp_path / "dist",
            builders={"command": fake, "prebuilt": fake},
            executor=executor,
            done=done,
            **keywords,
        )


def test_all_targets_are_built_and_reported(tmp_path):
    done = []
    part = run(tmp_path, done=done.append)
    dist = tmp_path / "dist"
    assert sorted(path.name for path in dist.iterdir()) == [
        "hello.linux-amd64",
        "hello.linux-arm64",
        "hello.windows-amd64.exe",
        "logs",
        "part.json",
    ]
    assert (dist / "hello.linux-arm64").read_bytes() == b"arm64"
    assert (dist / "hello.linux-arm64").stat().st_mode & 0o777 == 0o755
    assert Part.parse((dist / "part.json").read_bytes(), name="x") == part
    assert [target.platform for target in done] == [AMD64, ARM64, WINDOWS]
    entry = part.targets[0]
    assert (entry.digest, entry.size, entry.glibc) == (digest_of(b"amd64"), 5, "2.36")
    assert (entry.builder, entry.tools) == ("command", {"tool": "1", "ocm-pkg": __version__})
    assert entry.documents == ()


def test_the_same_build_leaves_the_same_bytes(tmp_path):
    run(tmp_path)
    before = snapshot(tmp_path / "dist")
    run(tmp_path)
    assert snapshot(tmp_path / "dist") == before


def test_one_failure_leaves_what_was_there(tmp_path):
    run(tmp_path)
    before = snapshot(tmp_path / "dist")
    with pytest.raises(BuildError, match="arm64 broke"):
        run(tmp_path, version="2.0.0", content={AMD64: b"new", ARM64: BuildError("arm64 broke")})
    assert snapshot(tmp_path / "dist") == before


def test_a_failure_without_a_log_leaves_no_folder(tmp_path):
    with pytest.raises(BuildError, match="not built"):
        run(tmp_path, targets=PROJECT.targets[:1], content={AMD64: NoLogError("not built")})
    assert not (tmp_path / "dist").exists()


def test_several_failures_are_reported_together(tmp_path):
    broken = {AMD64: BuildError("one", hint="repair"), ARM64: OcmPkgError("two")}
    with pytest.raises(BuildError, match="2 of 3 targets failed") as caught:
        run(tmp_path, content=broken)
    assert caught.value.detail == ("E600: one", "  fix: repair", "E100: two")


def test_a_bug_is_not_hidden_behind_build_errors(tmp_path):
    with pytest.raises(ZeroDivisionError):
        run(tmp_path, content={AMD64: BuildError("one"), ARM64: ZeroDivisionError()})


def test_a_binary_over_the_limit_is_refused(tmp_path):
    with pytest.raises(BuildError, match=r"more than the 0\.001 MB"):
        run(tmp_path, content={AMD64: bytes(1001)})
    assert not (tmp_path / "dist/part.json").exists()


def test_a_binary_that_starts_too_slowly_is_refused_and_leaves_nothing(tmp_path):
    require = PROJECT.require.model_copy(update={"startup_ms": 100.0, "glibc_max": "2.36"})
    sources = Sources(
        replace(PROJECT, require=require), tmp_path, "1.0.0", "abc", digest_of(b"config"), None
    )
    measured = []

    def startup(binary, work):
        assert work.is_dir()
        measured.append(binary.platform)
        return 101.0 if binary.platform == ARM64 else None

    fake = FakeBuilder({AMD64: b"amd64", ARM64: b"arm64", WINDOWS: b"win"})
    with ThreadPoolExecutor(2) as executor, pytest.raises(BuildError, match="takes 101 ms"):
        build(
            sources,
            targets=PROJECT.targets,
            out=tmp_path / "dist",
            builders={"command": fake, "prebuilt": fake},
            executor=executor,
            startup=startup,
        )
    assert measured == [AMD64, ARM64]
    assert not (tmp_path / "dist/part.json").exists()


def test_targets_of_an_earlier_build_of_the_same_sources_stay_reported(tmp_path):
    run(tmp_path, targets=PROJECT.targets[:1])
    part = run(tmp_path, targets=PROJECT.targets[1:2])
    assert [target.platform for target in part.targets] == [AMD64, ARM64]
    part = run(tmp_path, targets=PROJECT.targets[1:2], version="2.0.0")
    assert [target.platform for target in part.targets] == [ARM64]


def test_a_target_whose_file_is_gone_is_not_reported(tmp_path):
    run(tmp_path, targets=PROJECT.targets[:1])
    (tmp_path / "dist/hello.linux-amd64").unlink()
    part = run(tmp_path, targets=PROJECT.targets[1:2])
    assert [target.platform for target in part.targets] == [ARM64]


def test_a_broken_report_is_replaced(tmp_path):
    run(tmp_path)
    (tmp_path / "dist/part.json").write_text("{")
    assert len(run(tmp_path, targets=PROJECT.targets[:1]).targets) == 1


def test_killed_between_any_two_steps_no_binary_is_half_written(tmp_path):
    run(tmp_path)
    steps = []
    run(tmp_path, content={AMD64: b"new"}, fail_point=steps.append)
    for number in range(len(steps)):
        left = iter(range(number))

        def stop(_step, left=left):
            if next(left, None) is None:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, content={AMD64: b"newer"}, fail_point=stop)
        content = (tmp_path / "dist/hello.linux-amd64").read_bytes()
        assert content in (b"new", b"newer")
        Part.parse((tmp_path / "dist/part.json").read_bytes(), name="x")
    assert not list((tmp_path / "dist").glob(".ocm-pkg-tmp.*"))


def test_the_plan_has_every_target_and_says_what_is_missing():
    fake = FakeBuilder({}, platforms=(AMD64,))
    rows = plan(PROJECT, host=AMD64, builders={"command": fake, "prebuilt": fake})
    assert [(row.file, row.missing) for row in rows] == [
        ("hello.linux-amd64", None),
        ("hello.linux-arm64", "not on linux/amd64"),
        ("hello.windows-amd64.exe", "not on linux/amd64"),
    ]


@pytest.mark.parametrize(
    ("platform", "says"),
    [(ARM64, "cannot be built here"), (Platform("darwin", "arm64"), "has no target")],
)
def test_a_target_that_was_asked_for_must_be_possible(platform, says):
    fake = FakeBuilder({}, platforms=(AMD64,))
    with pytest.raises(UnsupportedTargetError, match=says) as caught:
        plan(PROJECT, host=AMD64, builders={"command": fake, "prebuilt": fake}, only=[platform])
    assert caught.value.code == "E602"


def test_only_what_was_asked_for_is_planned():
    fake = FakeBuilder({})
    rows = plan(PROJECT, host=AMD64, builders={"command": fake, "prebuilt": fake}, only=[ARM64])
    assert [row.target.platform for row in rows] == [ARM64]
