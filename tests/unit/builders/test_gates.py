"""What a binary needs of the system it will run on, and what ``require`` allows of it."""

from __future__ import annotations

import pytest

from ocm_pkg.builders.gates import StartupProbe, check_gates
from ocm_pkg.builders.glibc import Floor, floor_of
from ocm_pkg.errors import BuildError
from ocm_pkg.model.platform import Platform
from ocm_pkg.model.projectfile import Require
from ocm_pkg.ports import BuiltBinary
from tests.fakes.binaries import macho
from tests.fakes.elffiles import elf_file, one_file

HOST, OTHER = Platform("linux", "amd64"), Platform("linux", "arm64")
OLD, NEW = elf_file(versions=("GLIBC_2.17",)), elf_file(versions=("GLIBC_2.38",))
MUSL = elf_file(interpreter="/lib/ld-musl-x86_64.so.1")


def file(tmp_path, content):
    path = tmp_path / "hello"
    path.write_bytes(content)
    return path


def folder(tmp_path, files):
    for name, content in files.items():
        path = tmp_path / "made" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "made" / "hello", tmp_path / "made"


def test_a_file_has_the_floor_that_it_asks_for(tmp_path):
    path = file(tmp_path, OLD)
    assert floor_of(path, path) == Floor("2.17", "hello")


@pytest.mark.parametrize("content", [elf_file(), MUSL, macho(), b"#!/bin/sh\n", b""])
def test_a_static_program_and_one_for_another_library_or_system_has_none(tmp_path, content):
    path = file(tmp_path, content)
    assert floor_of(path, path) is None


def test_the_libraries_that_a_program_unpacks_count(tmp_path):
    members = {"lib/libnew.so": (b"b", NEW, 1), "data": (b"x", NEW, 0)}
    path = file(tmp_path, one_file(OLD, members))
    assert floor_of(path, path) == Floor("2.38", "lib/libnew.so")


def test_every_file_of_a_folder_counts_and_links_do_not(tmp_path):
    program, made = folder(
        tmp_path, {"hello": OLD, "_internal/a.so": NEW, "_internal/x.txt": b"text", "empty": b""}
    )
    (made / "link.so").symlink_to("_internal/a.so")
    assert floor_of(program, made) == Floor("2.38", "_internal/a.so")


def test_a_folder_for_musl_has_no_floor_whatever_it_brings(tmp_path):
    assert floor_of(*folder(tmp_path, {"hello": MUSL, "a.so": NEW})) is None


def binary(path, platform=HOST, shape="file", glibc=None, **more):
    return BuiltBinary(path, platform, shape, glibc=glibc, **more)


def gate(require, built, took=None):
    check_gates(Require.model_validate(require), built, lambda _: took)


@pytest.mark.parametrize("needed", [None, "2.9", "2.36"])
def test_a_binary_that_needs_no_newer_glibc_passes(tmp_path, needed):
    gate({"glibc-max": "2.36"}, binary(file(tmp_path, b"x"), glibc=needed))


def test_a_binary_that_needs_a_newer_glibc_is_refused_by_the_file_that_does(tmp_path):
    built = binary(file(tmp_path, b"x"), glibc="2.38", glibc_file="_internal/a.so")
    with pytest.raises(BuildError, match=r"its _internal/a\.so\) needs glibc 2\.38") as caught:
        gate({"glibc-max": "2.36"}, built)
    assert "older system" in str(caught.value.hint)
    gate({}, built)


@pytest.mark.parametrize("took", [None, 10.0, 500.0])
def test_a_binary_that_starts_in_time_or_does_not_run_here_passes(tmp_path, took):
    gate({"startup-ms": 500}, binary(file(tmp_path, b"x")), took)


def test_a_binary_that_starts_too_slowly_is_refused(tmp_path):
    with pytest.raises(BuildError, match=r"takes 501 ms .* more than the 500 ms"):
        gate({"startup-ms": 500}, binary(file(tmp_path, b"x")), 501.0)


def test_nothing_is_started_without_a_limit(tmp_path):
    def never(_):
        raise AssertionError

    check_gates(Require(), binary(file(tmp_path, b"x")), never)


def probe(built, work):
    return StartupProbe(HOST, {"PATH": "/usr/bin:/bin"})(built, work)


def test_a_binary_for_another_platform_is_not_run(tmp_path):
    assert probe(binary(tmp_path / "missing", OTHER), tmp_path) is None
