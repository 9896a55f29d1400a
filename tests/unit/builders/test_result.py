"""What is done with the file that a tool left."""

from __future__ import annotations

import io
import os
import tarfile
from dataclasses import replace

import pytest

from ocm_pkg.builders.prebuilt import PrebuiltBuilder
from ocm_pkg.builders.registry import all_builders
from ocm_pkg.builders.result import failed
from ocm_pkg.errors import BinaryPlatformError, BuildError
from ocm_pkg.model.builderkeys import BUILDERS
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.project import parse_project
from ocm_pkg.ports import BuildJob
from tests.fakes.binaries import elf, macho, pe, universal


@pytest.fixture
def job(tmp_path):
    project = parse_project(
        "{formatVersion: 1, component: e.com/hello, version: 1.0.0, provider: p, targets:"
        " [{platform: linux/amd64, builder: prebuilt, path: made},"
        " {platform: darwin/arm64, builder: prebuilt, path: made}]}",
        name="x",
    )
    work = tmp_path / "work"
    work.mkdir()
    return BuildJob(project, project.targets[0], tmp_path, tmp_path / "out", work, tmp_path / "log")


def test_a_binary_is_copied_and_executable(job):
    (job.folder / "made").write_bytes(elf() + b"code")
    built = PrebuiltBuilder().build(job)
    assert built.platform == Platform("linux", "amd64")
    assert built.path.read_bytes() == elf() + b"code"
    assert built.path.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (elf(183), "is for linux/arm64"),
        (pe(), "is for windows/amd64"),
        (macho(), "is for darwin/arm64"),
        (b"#!/bin/sh\n", "is a script"),
        (b"", "is empty"),
        (b"text", "is no program"),
    ],
)
def test_I21_a_binary_for_another_platform_is_refused(job, content, says):
    (job.folder / "made").write_bytes(content)
    with pytest.raises(BinaryPlatformError, match=says) as caught:
        PrebuiltBuilder().build(job)
    assert caught.value.code == "E603"
    assert not job.output.exists()


def test_I21_twin_a_universal_binary_is_for_its_platforms(job):
    (job.folder / "made").write_bytes(universal(0x01000007, 0x0100000C))
    mac = BuildJob(job.project, job.project.targets[1], job.folder, job.output, job.work, job.log)
    assert PrebuiltBuilder().build(mac).platform == Platform("darwin", "arm64")


def test_a_file_that_is_not_there_is_a_build_error(job):
    with pytest.raises(BuildError, match="left no file made"):
        PrebuiltBuilder().build(job)


def test_a_failure_shows_the_end_of_its_log_without_escapes(job):
    error = failed(job, "status 1", "\n".join(f"line {n}\x1b[31m" for n in range(100)))
    assert len(error.detail) == 15
    assert error.detail[-1] == "line 99\\x1b[31m"
    assert str(job.log) in str(error.hint)


def test_every_builder_that_a_project_may_name_exists(tmp_path):
    host = Platform("linux", "amd64")
    made = all_builders(host=host, environ={}, cache=tmp_path, python="python3")
    assert set(made) == set(BUILDERS)


def folder_job(job, files):
    for name, (content, mode) in files.items():
        path = job.folder / "made" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
    target = replace(job.target, shape="dir")
    return BuildJob(job.project, target, job.folder, job.output, job.work, job.log)


def test_a_folder_is_packed_the_same_whatever_its_times_and_rights(job):
    files = {"hello": (elf() + b"code", 0o755), "lib/x.so": (b"lib", 0o600)}
    packed = folder_job(job, files)
    built = PrebuiltBuilder().build(packed)
    assert (built.shape, built.program) == ("dir", "hello/hello")
    first = built.path.read_bytes()
    built.path.unlink()
    (job.folder / "made/lib/x.so").chmod(0o644)
    os.utime(job.folder / "made/hello", (1, 1))
    assert PrebuiltBuilder().build(packed).path.read_bytes() == first
    with tarfile.open(fileobj=io.BytesIO(first)) as archive:
        assert archive.getnames() == ["hello", "hello/hello", "hello/lib", "hello/lib/x.so"]


def test_a_folder_without_the_program_or_with_one_for_elsewhere_is_refused(job):
    packed = folder_job(job, {"other": (elf(), 0o755)})
    with pytest.raises(BuildError, match="left no folder made with hello"):
        PrebuiltBuilder().build(packed)
    packed = folder_job(job, {"hello": (pe(), 0o755)})
    with pytest.raises(BinaryPlatformError, match="is for windows/amd64"):
        PrebuiltBuilder().build(packed)
    assert not job.output.exists()
