"""Folders of several machines become one; anything that doesn't fit is refused, and named."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from ocm_pkg.errors import (
    AlreadyExistsError,
    BuildError,
    ConfigError,
    ConflictError,
    DigestMismatchError,
    FileMissingError,
    InvalidDocumentError,
    NoSpaceError,
)
from ocm_pkg.model.digest import digest_of
from ocm_pkg.model.part import BuiltTarget, Part
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.project import parse_project
from ocm_pkg.services.merge import merge
from tests.fakes.trees import names, snapshot

YAML = """\
formatVersion: 1
component: example.com/plugins/hello
version: 1.0.0
provider: example.com
build: {entry: hello.py}
targets: [linux/amd64, linux/arm64, darwin/arm64]
"""
PROJECT = parse_project(YAML, name="x")
CONFIG = digest_of(b"config")
SOURCES = Part(PROJECT.component, "1.0.0", "abc", CONFIG, digest_of(b"lock"), ())
FILES = {
    "hello.darwin-arm64": b"darwin/arm64",
    "hello.linux-amd64": b"linux/amd64",
    "hello.linux-arm64": b"linux/arm64",
}


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _fd: None)


def machine(folder, *platforms, **changed):
    """Leave what a build machine leaves; return its folder."""
    folder.mkdir()
    (folder / "logs").mkdir()
    targets = []
    for text in platforms:
        platform, data = Platform.parse(text), text.encode()
        (folder / PROJECT.binary_name(platform)).write_bytes(data)
        targets.append(BuiltTarget(platform, digest_of(data), len(data), "file", "command"))
    (folder / "part.json").write_bytes(replace(SOURCES, targets=tuple(targets), **changed).encode())
    return folder


@pytest.fixture
def machines(tmp_path):
    return [
        machine(tmp_path / "a", "linux/arm64"),
        machine(tmp_path / "b", "linux/amd64"),
        machine(tmp_path / "c", "darwin/arm64"),
    ]


def run(folders, out, project=PROJECT, **keywords):
    return merge(project, config=CONFIG, folders=folders, out=out, **keywords)


def test_the_folder_has_every_binary_and_one_report(tmp_path, machines):
    merged = run(machines, tmp_path / "new/out")
    assert merged.missing == ()
    assert names(tmp_path / "new") == ["out"]
    assert names(tmp_path / "new/out") == [*FILES, "part.json"]
    for name, data in FILES.items():
        assert (tmp_path / "new/out" / name).read_bytes() == data
        assert (tmp_path / "new/out" / name).stat().st_mode & 0o777 == 0o755
    written = Part.parse((tmp_path / "new/out/part.json").read_bytes(), name="x")
    assert written == merged.part
    assert replace(written, targets=()) == SOURCES
    assert [str(target.platform) for target in written.targets] == [
        "darwin/arm64",
        "linux/amd64",
        "linux/arm64",
    ]


def test_the_order_makes_no_difference(tmp_path, machines):
    made = []
    for number, order in enumerate(itertools.permutations(machines)):
        run(order, tmp_path / f"out{number}")
        made.append(snapshot(tmp_path / f"out{number}"))
    assert all(each == made[0] for each in made)


def test_one_folder_may_have_several_targets(tmp_path):
    both = machine(tmp_path / "a", "linux/amd64", "linux/arm64")
    mac = machine(tmp_path / "b", "darwin/arm64")
    assert len(run([both, mac], tmp_path / "out").part.targets) == 3


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"component": "example.com/plugins/other"}, "component: .*hello and .*other"),
        ({"version": "2.0.0"}, "version: 1.0.0 and 2.0.0"),
        ({"commit": "def"}, "commit: abc and def"),
        ({"commit": None}, "commit: abc and none"),
        ({"config": digest_of(b"x")}, "project file: sha256:"),
        ({"lock": digest_of(b"x")}, "requirements: sha256:"),
        ({"lock": None}, "requirements: sha256:.* and none"),
    ],
)
def test_different_sources_are_refused_and_the_difference_is_named(tmp_path, changed, says):
    one = machine(tmp_path / "a", "linux/amd64")
    other = machine(tmp_path / "b", "linux/arm64", **changed)
    with pytest.raises(ConfigError, match=says) as caught:
        run([other, one], tmp_path / "out", partial=True)
    assert str(tmp_path / "a") in caught.value.message
    assert str(tmp_path / "b") in caught.value.message
    assert not (tmp_path / "out").exists()


def test_another_project_is_refused(tmp_path, machines):
    with pytest.raises(ConfigError, match="another project file than the project"):
        merge(PROJECT, config=digest_of(b"x"), folders=machines, out=tmp_path / "out")
    other = parse_project(YAML.replace("/hello", "/bye"), name="x")
    with pytest.raises(ConfigError, match="another component than the project"):
        run(machines, tmp_path / "out", other)
    assert not (tmp_path / "out").exists()


def test_a_target_twice_is_refused(tmp_path, machines):
    again = machine(tmp_path / "d", "linux/amd64")
    with pytest.raises(ConflictError, match=r"linux/amd64 is in .*b and in .*d"):
        run([again, *machines], tmp_path / "out")
    with pytest.raises(ConflictError, match="named twice"):
        run([*machines, machines[0]], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_target_is_refused_unless_partial(tmp_path, machines):
    with pytest.raises(BuildError, match="no folder has a binary for darwin/arm64"):
        run(machines[:2], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    mac = Platform("darwin", "arm64")
    assert run(machines[:2], tmp_path / "out", partial=True).missing == (mac,)
    lenient = parse_project(YAML + "require: {all-targets: false}\n", name="x")
    assert run(machines[:2], tmp_path / "out2", lenient).missing == (mac,)


@pytest.mark.parametrize("data", [b"linux/amd65", b"linux/amd64 and more", b""])
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_binary_that_was_changed_is_refused(tmp_path, machines, data, dry_run):
    (machines[1] / "hello.linux-amd64").write_bytes(data)
    before = snapshot(tmp_path)
    with pytest.raises(DigestMismatchError, match=r"hello\.linux-amd64") as caught:
        run(machines, tmp_path / "out", dry_run=dry_run)
    assert caught.value.exit_code == 4
    assert snapshot(tmp_path) == before


def test_what_is_not_there_is_named(tmp_path, machines):
    with pytest.raises(FileMissingError, match=r"nowhere has no part\.json"):
        run([*machines, tmp_path / "nowhere"], tmp_path / "out")
    (machines[0] / "hello.linux-arm64").unlink()
    with pytest.raises(FileMissingError, match=r"hello\.linux-arm64 is in part\.json"):
        run(machines, tmp_path / "out")


def test_a_report_that_is_none_is_refused(tmp_path, machines):
    (machines[0] / "part.json").write_text("{}")
    with pytest.raises(InvalidDocumentError):
        run(machines, tmp_path / "out")


def test_what_is_there_is_never_mixed_with(tmp_path, machines):
    (tmp_path / "out").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/part.json").write_text("x")
    run(machines, tmp_path / "out")
    before = snapshot(tmp_path)
    for taken in ("out", "file", "taken", "a"):
        with pytest.raises(AlreadyExistsError, match=taken):
            run(machines, tmp_path / taken)
    assert snapshot(tmp_path) == before


def test_a_dry_run_says_the_same_and_writes_nothing(tmp_path, machines):
    before = snapshot(tmp_path)
    dry = run(machines, tmp_path / "new/out", dry_run=True)
    assert snapshot(tmp_path) == before
    assert run(machines, tmp_path / "new/out") == dry


def test_a_full_disk_leaves_nothing(tmp_path, machines):
    before = snapshot(tmp_path)

    def full(_step):
        raise OSError(28, "No space left on device")

    with pytest.raises(NoSpaceError):
        run(machines, tmp_path / "out", fail_point=full)
    assert snapshot(tmp_path) == before
